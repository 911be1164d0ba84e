"""Keep what a customer said out of what an operator reads."""

import json
from dataclasses import replace
from typing import Final

from reelgate_server.domain.events import JobFailure
from reelgate_server.domain.faults import Fault

PIECE_CHARACTERS: Final = 24
"""A piece this long of a prompt stands in no provider's own sentence by chance. A shorter prompt counts whole."""
_QUOTATION: Final = "[prompt]"


def without_quotations(text: str, prompt: str) -> str:
    """A provider's text up to the first place where it repeats a prompt: exactly, in one line, or as JSON escapes it.

    Args:
        text: At most a few hundred characters.
        prompt: What the customer said.
    """
    spaced = "".join(each if each.isprintable() else " " for each in prompt)
    spellings = {prompt, spaced, json.dumps(prompt)[1:-1], json.dumps(prompt, ensure_ascii=False)[1:-1]} - {""}
    found = (
        text.find(said[start : start + PIECE_CHARACTERS])
        for said in spellings
        for start in range(max(1, len(said) - PIECE_CHARACTERS + 1))
    )
    first = min((place for place in found if place >= 0), default=None)
    return text if first is None else text[:first] + _QUOTATION


def fault_without_quotations(fault: Fault, prompt: str) -> Fault:
    """The same fault, with a detail that repeats no prompt."""
    return replace(fault, detail=without_quotations(fault.detail, prompt))


def failure_without_quotations(failure: JobFailure, prompt: str) -> JobFailure:
    """The same failure, with a fault whose detail repeats no prompt."""
    return failure if failure.fault is None else replace(failure, fault=fault_without_quotations(failure.fault, prompt))
