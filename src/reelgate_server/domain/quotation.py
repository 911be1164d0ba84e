"""Keep what a customer said out of what an operator reads."""

import json
from dataclasses import replace
from typing import Final

from reelgate_server.domain.events import JobFailure
from reelgate_server.domain.faults import Fault
from reelgate_server.domain.spec import Spec

PIECE_CHARACTERS: Final = 24
"""A piece this long of a prompt stands in no provider's own sentence by chance. A shorter prompt counts whole."""
PROMPT_CHARACTERS_MIN: Final = 8
"""A prompt still shorter says little, and stands in a provider's own words by chance: `i` is in every sentence."""
_QUOTATION: Final = "[prompt]"


def without_quotations(text: str, prompt: str) -> str:
    """A provider's text up to the first place where it repeats a prompt: exactly, in one line, or as JSON escapes it.

    Args:
        text: At most a few hundred characters.
        prompt: What the customer said.
    """
    # The spaces around it say nothing, and a provider may drop them.
    prompt = prompt.strip()
    if len(prompt) < PROMPT_CHARACTERS_MIN:
        return text
    spaced = "".join(each if each.isprintable() else " " for each in prompt)
    spellings = {prompt, spaced, json.dumps(prompt)[1:-1], json.dumps(prompt, ensure_ascii=False)[1:-1]}
    found = (
        text.find(said[start : start + PIECE_CHARACTERS])
        for said in spellings
        for start in range(max(1, len(said) - PIECE_CHARACTERS + 1))
    )
    first = min((place for place in found if place >= 0), default=None)
    return text if first is None else text[:first] + _QUOTATION


def fault_without_quotations(fault: Fault, spec: Spec) -> Fault:
    """The same fault, with a detail that repeats neither the prompt nor a text among the extra parameters."""
    detail = fault.detail
    for said in (spec.prompt, *(each for each in spec.extra.values() if isinstance(each, str))):
        detail = without_quotations(detail, said)
    return replace(fault, detail=detail)


def failure_without_quotations(failure: JobFailure, spec: Spec) -> JobFailure:
    """The same failure, with a fault whose detail repeats nothing of what the customer said."""
    return failure if failure.fault is None else replace(failure, fault=fault_without_quotations(failure.fault, spec))
