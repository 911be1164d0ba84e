"""Google's errors, told in our words: those of HTTP, and those in which an operation ends."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx

from reelgate_server.adapters.providers.answer import RETRY_AFTER_MAX, Answer, is_maybe_accepted_status, kind_of_status
from reelgate_server.adapters.providers.vertex.shapes import BAD_REQUEST, RETRY_INFO, RPC_CODES, SUPPORT_CODES
from reelgate_server.adapters.redact import redact
from reelgate_server.domain.faults import Fault, FaultKind

MESSAGE_CHARACTERS_MAX = 2000
"""Of a text of Google's, what is looked at. The longest documented has under 300."""

_CONTENT_RULES: Final = re.compile(
    r"support codes?:|usage guidelines|responsible ai|content polic"
    r"|(?:couldn't|could not) be submitted"
    r"|violates? (?:our|google's) polic"
    r"|we (?:can't|cannot) create videos",
    re.IGNORECASE,
)
"""Texts of the safety filters: "The prompt couldn't be submitted", "it might violate our policies", "the input image
violates Vertex AI's usage guidelines" (the page on responsible AI), and those that others have seen.
"""
_SUPPORT_CODE: Final = re.compile(r"\b\d{8}\b")
_IMAGE_TROUBLE: Final = re.compile(
    r"\bimage\b.*\b(?:mime|format|decode|size|large|small|dimensions?|pixels|corrupt\w*|process|unsupported)\b"
    r"|\b(?:decode|process|unsupported)\b.*\bimage\b",
    re.IGNORECASE | re.DOTALL,
)
_IMAGE_FIELD: Final = re.compile(r"instances(?:\[0\])?\.image\b")
_SECONDS: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
"""google.protobuf.Duration in JSON."""
_ABOUT_MODEL: Final = re.compile(r"\s*Publisher Model\b")
"""A 404 with this text speaks of the model, which our project may not see any more, and not of the operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A google.rpc.Status, as far as it could be read."""

    code: int | None = None
    """Of google.rpc.Code, or of HTTP."""
    name: str = ""
    """Of the google.rpc.Code."""
    message: str = ""
    fields: tuple[str, ...] = ()
    """Paths of what is wrong with the request."""
    retry_after: timedelta | None = None

    @property
    def is_of_content_rules(self) -> bool:
        """The prompt or the image was refused for what it shows."""
        return _CONTENT_RULES.search(self.message) is not None

    @property
    def is_about_image(self) -> bool:
        """The image cannot be used, for its form."""
        return any(_IMAGE_FIELD.search(each) for each in self.fields) or _IMAGE_TROUBLE.search(self.message) is not None


def read_status(value: Mapping[str, Any]) -> Status:
    """Read a status; whatever has the wrong type counts as absent."""
    code, details = value.get("code"), value.get("details")
    rows = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    return Status(
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        name=_text(value.get("status")),
        message=_text(value.get("message"))[:MESSAGE_CHARACTERS_MAX],
        fields=tuple(
            _text(violation.get("field"))
            for row in rows
            if row.get("@type") == BAD_REQUEST and isinstance(row.get("fieldViolations"), list)
            for violation in row["fieldViolations"]
            if isinstance(violation, dict)
        ),
        retry_after=next(
            (_duration(row.get("retryDelay")) for row in rows if row.get("@type") == RETRY_INFO),
            None,
        ),
    )


def fault_of_answer(answer: Answer) -> Fault:
    """What an answer without success means.

    Args:
        answer: To a submit, or to a question about a task.

    Returns:
        Maybe accepted only for a submit whose status leaves that open.
    """
    status = _status_of(answer)
    if status is None:
        kind, text = kind_of_status(answer.status), f"no error of Google's: {answer.description()}"
        status = Status()
    else:
        kind, text = _kind_of_answer(answer, status), describe(status.message)
    head = (f"HTTP {answer.status}", status.name)
    return Fault(
        kind=kind,
        is_maybe_accepted=answer.is_submit and is_maybe_accepted_status(answer.status),
        retry_after=answer.retry_after if answer.retry_after is not None else status.retry_after,
        detail=redact(f"{' '.join(filter(None, head))}: {text}", answer.secrets),
    )


def fault_of_operation(error: Mapping[str, Any]) -> Fault:
    """Why an operation ended with an error."""
    status = read_status(error)
    name, _ = RPC_CODES.get(status.code or 0, ("", None))
    detail = redact(f"operation error {status.code} {name or status.name}: {describe(status.message)}")
    return Fault(kind=_kind(status, FaultKind.UNAVAILABLE), detail=detail)


def fault_of_filter(response: Mapping[str, Any]) -> Fault:
    """Why the safety filter withheld a video."""
    value = response.get("raiMediaFilteredReasons")
    reasons = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    text = " ".join(reasons)[:MESSAGE_CHARACTERS_MAX]
    return Fault(
        kind=FaultKind.REJECTED,
        detail=redact(f"withheld by the safety filter: {describe(text) or 'no reason given'}"),
    )


def describe(message: str) -> str:
    """A message with what its support codes stand for in front of it, where nothing cuts them off."""
    meanings = [f"{code} {SUPPORT_CODES[code]}" for code in _SUPPORT_CODE.findall(message) if code in SUPPORT_CODES]
    return f"[{', '.join(dict.fromkeys(meanings))}] {message}" if meanings else message


def is_error_of_google(answer: Answer) -> bool:
    """Tell whether an answer without success has an error of Google's shape, and so comes from the API itself."""
    return _status_of(answer) is not None


def _kind_of_answer(answer: Answer, status: Status) -> FaultKind:
    if not answer.is_submit and answer.status == httpx.codes.NOT_FOUND and not _ABOUT_MODEL.match(status.message):
        return FaultKind.TASK_UNKNOWN
    if httpx.codes.is_client_error(answer.status):
        return _kind(status, kind_of_status(answer.status))
    return kind_of_status(answer.status)


def _kind(status: Status, otherwise: FaultKind) -> FaultKind:
    if status.is_of_content_rules:
        return FaultKind.REJECTED
    kind = _kind_of_code(status, otherwise)
    return FaultKind.IMAGE_UNUSABLE if kind is FaultKind.INVALID and status.is_about_image else kind


def _kind_of_code(status: Status, otherwise: FaultKind) -> FaultKind:
    for name, kind in RPC_CODES.values():
        if name == status.name:
            return kind
    if status.code is None:
        return otherwise
    if status.code in RPC_CODES:
        return RPC_CODES[status.code][1]
    # Third parties show numbers of HTTP in operations too.
    return kind_of_status(status.code) if httpx.codes.is_error(status.code) else otherwise


def _status_of(answer: Answer) -> Status | None:
    """The error of Google's shape in an answer; None if there is none, as in a proxy's page."""
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    # Some of Google's front ends wrap it in a list.
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    return read_status(error) if isinstance(error, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _duration(value: object) -> timedelta | None:
    match = _SECONDS.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else min(timedelta(seconds=float(match[1])), RETRY_AFTER_MAX)
