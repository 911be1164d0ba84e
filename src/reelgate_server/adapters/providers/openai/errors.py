"""What the servers' errors mean. Pure.

Theory of operation
===================

Codes are believed before words, and words only where the status says that the server has judged what was sent. Most
servers have no codes of their own for a violation or a bad image: SGLang states a message and nothing else, vLLM-Omni
a message and an HTTP status. There the words decide, by phrases that those servers are known to use; what they decide
is only which sentence the customer reads.
"""

import re
from typing import Final

import httpx

from reelgate_server.adapters.providers.answer import Answer, kind_of_status
from reelgate_server.adapters.providers.openai.shapes import StatedError, Video, read_error, read_json
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault

_CONTENT_NAMES: Final = re.compile(
    r"moderation|content_?policy|content_?filter|guardrail|responsible_?ai|safety", re.IGNORECASE
)
"""In a code or a type: OpenAI's `moderation_blocked` and `content_policy_violation`, Azure's `content_filter` and
`ResponsibleAIPolicyViolation`, LiteLLM's `ContentPolicyViolationError`."""
_CONTENT_WORDS: Final = re.compile(
    r"moderation|content.?policy|content.?filter|guardrail|\bsafety\b|usage guidelines|flagged by|new_sensitive",
    re.IGNORECASE,
)
"""In a message: "Guardrail blocked prompt." (SGLang), "Input was blocked by Cosmos3 guardrails." (vLLM-Omni),
"litellm.ContentPolicyViolationError: …", and the words of fal, Vertex AI and MiniMax, which LiteLLM repeats."""
_IMAGE_WORDS: Final = re.compile(
    r"(invalid|unsupported|cannot identify|not a valid|failed to (process|download|load|decode))\b.{0,60}?"
    r"\b(image|input.reference)|image exceeds",
    re.IGNORECASE | re.DOTALL,
)
"""In a message: "Invalid image_reference.image_url: …" (vLLM-Omni), "Failed to process image source: …" (SGLang)."""
_IMAGE_FIELDS: Final = ("input_reference", "image_reference", "reference_url")
_LOCKED: Final = frozenset(
    {
        "account_deactivated",
        "auth_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "budget_exceeded",
        "insufficient_quota",
        "invalid_api_key",
        "no_db_connection",
    }
)
"""Codes and types that refuse whoever asks. LiteLLM without a database answers a wrong key with 400 and
`no_db_connection`; OpenAI answered a spent account with 429 and `insufficient_quota`."""
_BUSY: Final = frozenset({"rate_limit_exceeded", "rate_limit_error"})
_JUDGEMENTS: Final = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY})
"""Statuses under which a message is about what was sent."""


def refusal(answer: Answer, *, kind: FaultKind | None = None) -> ProviderFault:
    """The fault that an answer states which is no success.

    Args:
        answer: To whatever was asked.
        kind: What it means, if that is known from elsewhere than its status and its error.
    """
    error = read_error(read_json(answer.body))
    return answer.fault(kind or kind_of(error, answer.status), error.text if error.is_stated else form_of(answer))


def failure(answer: Answer, video: Video) -> Fault:
    """Why a video failed, in the server's words."""
    # With LiteLLM and SGLang the answer is a success, and says nothing of the failure.
    status = video.error.status or (None if answer.is_success else answer.status)
    text = video.error.text or "the video failed, and no error is told"
    return answer.fault(kind_of(video.error, status), text).fault


def form_of(answer: Answer) -> str:
    """What is said of a body in no form that is known: it may repeat anything, and is not quoted."""
    return f"no known form: {answer.headers.get('content-type', 'no content type')[:80]}, {len(answer.body)} bytes"


def kind_of(error: StatedError, status: int | None) -> FaultKind:
    """What an error means.

    Args:
        error: As stated.
        status: Of HTTP, as answered or as the error's code; None for a video that failed without one.
    """
    names = {error.code, error.type}
    is_refusal = status is None or httpx.codes.is_client_error(status)
    if is_refusal and any(map(_CONTENT_NAMES.search, names)):
        return FaultKind.REJECTED
    if names & _LOCKED:
        return FaultKind.UNAUTHORIZED
    if names & _BUSY:
        return FaultKind.THROTTLED
    if status is None or status in _JUDGEMENTS:
        if _CONTENT_WORDS.search(error.message):
            return FaultKind.REJECTED
        if _is_about_image(error):
            return FaultKind.IMAGE_UNUSABLE
    # A conflict, after which OpenAI's client tries again, is with another request and no mistake in ours.
    if status is None or status == httpx.codes.CONFLICT:
        return FaultKind.UNAVAILABLE
    return kind_of_status(status)


def _is_about_image(error: StatedError) -> bool:
    return (
        "image" in error.code.casefold()
        or error.parameter.startswith(_IMAGE_FIELDS)
        or _IMAGE_WORDS.search(error.message) is not None
    )
