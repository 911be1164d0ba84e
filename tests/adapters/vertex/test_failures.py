"""Every documented error of Google's, as the customer and as the operator sees it."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.vertex.answers import state_of
from reelgate_server.adapters.providers.vertex.failures import describe, fault_of_answer, is_error_of_google
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import FaultKind
from reelgate_server.ports.provider import TaskFailed
from tests.adapters.vertex.samples import OPERATION

REFUSED = "The provider refused to render this content."
IMAGE = "The image could not be fetched, or the provider cannot use it."
OURS = "The provider could not render this request."
DOWN = "The provider is not available."
GARBLED = "The provider's answer could not be understood."

IMAGE_VIOLATES = (
    "Veo could not generate videos because the input image violates Vertex AI's usage guidelines. "
    "If you think this was an error, send feedback. Support codes: 15236754"
)
"""Verbatim: docs.cloud.google.com, responsible-ai-and-usage-guidelines."""
FILTERED = (
    "Veo could not generate 1 videos based on the prompt provided. You will not be charged for this. "
    "Try rephrasing the prompt. Support codes: 42237218"
)
LIKENESS = "Sorry, we can't create videos from input images containing celebrity or their likenesses."
QUOTA = "Quota exceeded for online prediction requests per base model."
GONE = (
    "Publisher Model `projects/film/locations/us-central1/publishers/google/models/veo-3.0-generate-001` was not found"
)


@dataclass(frozen=True, kw_only=True)
class View:
    """What becomes of an error."""

    kind: FaultKind
    code: FailureCode
    sentence: str
    detail: str
    """A part of what the operator reads."""
    is_maybe_accepted: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class HttpCase:
    status: int
    body: Any
    """Text as it is, anything else as JSON."""
    view: View
    headers: dict[str, str] = field(default_factory=dict)


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def violation(path: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": path, "description": "is wrong"}],
    }


def retry_info(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def rejected(detail: str) -> View:
    return View(kind=FaultKind.REJECTED, code=FailureCode.REJECTED, sentence=REFUSED, detail=detail)


def unusable(detail: str) -> View:
    return View(kind=FaultKind.IMAGE_UNUSABLE, code=FailureCode.IMAGE_UNUSABLE, sentence=IMAGE, detail=detail)


def invalid(detail: str) -> View:
    return View(kind=FaultKind.INVALID, code=FailureCode.PROVIDER_ERROR, sentence=OURS, detail=detail)


def down(kind: FaultKind, detail: str, **changes: Any) -> View:
    return View(kind=kind, code=FailureCode.PROVIDER_ERROR, sentence=DOWN, detail=detail, **changes)


SUBMITS = {
    "the prompt is blocked": HttpCase(
        status=400,
        body=error(
            400,
            "INVALID_ARGUMENT",
            "The prompt couldn't be submitted because it might violate our policies. Support codes: 61493863, 90789179",
        ),
        view=rejected("HTTP 400 INVALID_ARGUMENT: [61493863 violence, 90789179 sexual] The prompt couldn't"),
    ),
    "words of the prompt are blocked": HttpCase(
        status=400,
        body=error(
            400,
            "INVALID_ARGUMENT",
            "The prompt could not be submitted. This prompt contains words that violate Vertex AI's usage guidelines.",
        ),
        view=rejected("HTTP 400 INVALID_ARGUMENT: The prompt could not be submitted."),
    ),
    "the image is blocked": HttpCase(
        status=400,
        body=error(400, "INVALID_ARGUMENT", IMAGE_VIOLATES, violation("instances[0].image")),
        view=rejected("[15236754 celebrity] Veo could not generate videos because the input image violates"),
    ),
    "the image has another type": HttpCase(
        status=400,
        body=error(400, "INVALID_ARGUMENT", "Unsupported mime type.", violation("instances[0].image.mimeType")),
        view=unusable("HTTP 400 INVALID_ARGUMENT: Unsupported mime type."),
    ),
    "the image is too large": HttpCase(
        status=400,
        body=error(400, "INVALID_ARGUMENT", "Input image size exceeds the limit of 20971520 bytes."),
        view=unusable("Input image size exceeds"),
    ),
    "the image is broken": HttpCase(
        status=400,
        body=error(400, "INVALID_ARGUMENT", "Unable to process input image."),
        view=unusable("Unable to process input image."),
    ),
    "a length that is not rendered": HttpCase(
        status=400,
        body=error(
            400,
            "INVALID_ARGUMENT",
            "The number value for `durationSeconds` is out of bound. "
            "Please provide a value between 4 and 8, inclusive.",
        ),
        view=invalid("HTTP 400 INVALID_ARGUMENT: The number value for `durationSeconds` is out of bound."),
    ),
    "the wrong form of image": HttpCase(
        status=400,
        body=error(400, "INVALID_ARGUMENT", "`inlineData` isn't supported by this model."),
        view=invalid("`inlineData` isn't supported by this model."),
    ),
    "a precondition": HttpCase(
        status=400,
        body=error(400, "FAILED_PRECONDITION", "Billing is not enabled for this project."),
        view=invalid("HTTP 400 FAILED_PRECONDITION: Billing is not enabled"),
    ),
    "out of range": HttpCase(status=400, body=error(400, "OUT_OF_RANGE", "seed"), view=invalid("OUT_OF_RANGE: seed")),
    "no valid token": HttpCase(
        status=401,
        body=error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        view=down(FaultKind.UNAUTHORIZED, "HTTP 401 UNAUTHENTICATED: Request had invalid"),
    ),
    "no permission": HttpCase(
        status=403,
        body=error(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied on resource"),
        view=down(FaultKind.UNAUTHORIZED, "HTTP 403 PERMISSION_DENIED: Permission 'aiplatform.endpoints.predict'"),
    ),
    "a model that is gone": HttpCase(
        status=404,
        body=error(404, "NOT_FOUND", GONE),
        view=invalid("HTTP 404 NOT_FOUND: Publisher Model `projects/film"),
    ),
    "aborted": HttpCase(
        status=409, body=error(409, "ABORTED", "try again"), view=down(FaultKind.UNAVAILABLE, "HTTP 409 ABORTED")
    ),
    "a quota, with a header": HttpCase(
        status=429,
        body=error(429, "RESOURCE_EXHAUSTED", QUOTA, retry_info("60s")),
        headers={"retry-after": "7"},
        view=down(FaultKind.THROTTLED, "HTTP 429 RESOURCE_EXHAUSTED: Quota exceeded", retry_after_s=7),
    ),
    "a quota, with details": HttpCase(
        status=429,
        body=error(429, "RESOURCE_EXHAUSTED", QUOTA, {"@type": "another"}, retry_info("12.5s")),
        view=down(FaultKind.THROTTLED, "Quota exceeded", retry_after_s=12.5),
    ),
    "a quota, for ever": HttpCase(
        status=429,
        body=error(429, "RESOURCE_EXHAUSTED", QUOTA, retry_info("999999999s")),
        view=down(FaultKind.THROTTLED, "Quota exceeded", retry_after_s=3600),
    ),
    "a quota, without a time": HttpCase(
        status=429,
        body=error(429, "RESOURCE_EXHAUSTED", QUOTA, retry_info("soon")),
        view=down(FaultKind.THROTTLED, "Quota exceeded"),
    ),
    "cancelled": HttpCase(
        status=499,
        body=error(499, "CANCELLED", "cancelled"),
        view=down(FaultKind.UNAVAILABLE, "HTTP 499 CANCELLED", is_maybe_accepted=True),
    ),
    "an internal error": HttpCase(
        status=500,
        body=error(500, "INTERNAL", "Internal error encountered."),
        view=down(FaultKind.UNAVAILABLE, "HTTP 500 INTERNAL: Internal error", is_maybe_accepted=True),
    ),
    "unimplemented": HttpCase(
        status=501,
        body=error(501, "UNIMPLEMENTED", "no"),
        view=down(FaultKind.UNAVAILABLE, "HTTP 501 UNIMPLEMENTED", is_maybe_accepted=True),
    ),
    "unavailable": HttpCase(
        status=503,
        body=error(503, "UNAVAILABLE", "The service is currently unavailable."),
        headers={"retry-after": "30"},
        view=down(FaultKind.UNAVAILABLE, "HTTP 503 UNAVAILABLE: The service", retry_after_s=30),
    ),
    "too slow": HttpCase(
        status=504,
        body=error(504, "DEADLINE_EXCEEDED", "Deadline exceeded."),
        view=down(FaultKind.TIMEOUT, "HTTP 504 DEADLINE_EXCEEDED", is_maybe_accepted=True),
    ),
    "an error in a list": HttpCase(
        status=400, body=[error(400, "INVALID_ARGUMENT", "in a list")], view=invalid("INVALID_ARGUMENT: in a list")
    ),
    "a proxy's page": HttpCase(
        status=502,
        body="<html>Bad gateway</html>",
        view=down(
            FaultKind.UNAVAILABLE, "HTTP 502: no error of Google's: no content type, 24 bytes", is_maybe_accepted=True
        ),
    ),
    "a page for a path that is not there": HttpCase(
        status=404, body="<!DOCTYPE html><title>Error 404</title>", view=invalid("no error of Google's")
    ),
    "a redirect": HttpCase(
        status=302,
        body="",
        view=View(
            kind=FaultKind.UNINTELLIGIBLE,
            code=FailureCode.PROVIDER_ERROR,
            sentence=GARBLED,
            detail="HTTP 302",
            is_maybe_accepted=True,
        ),
    ),
    "wrong types": HttpCase(
        status=400,
        body={"error": {"code": "x", "message": 7, "status": [], "details": {"a": 1}}},
        view=invalid("HTTP 400: "),
    ),
    "wrong types in the details": HttpCase(
        status=429,
        body=error(
            429, "RESOURCE_EXHAUSTED", "m", {"@type": []}, retry_info("1h"), {**violation("x"), "fieldViolations": 7}
        ),
        view=down(FaultKind.THROTTLED, "HTTP 429 RESOURCE_EXHAUSTED: m"),
    ),
    "an error that is a text": HttpCase(
        status=403, body={"error": "no"}, view=down(FaultKind.UNAUTHORIZED, "HTTP 403")
    ),
    "nesting without end": HttpCase(status=400, body="[" * 100_000, view=invalid("no error of Google's")),
}


def answer(case: HttpCase, *, is_submit: bool) -> Answer:
    body = case.body if isinstance(case.body, str) else json.dumps(case.body)
    return Answer(
        status=case.status,
        headers=case.headers,
        body=body.encode(),
        is_submit=is_submit,
        secrets=("ya29.a-secret-token",),
    )


@pytest.mark.parametrize("case", SUBMITS.values(), ids=SUBMITS.keys())
def test_a_refused_submit(case: HttpCase) -> None:
    fault = fault_of_answer(answer(case, is_submit=True))
    failure = failure_of(fault)
    assert (fault.kind, failure.code, failure.message) == (case.view.kind, case.view.code, case.view.sentence)
    assert case.view.detail in fault.detail
    assert fault.is_maybe_accepted is case.view.is_maybe_accepted
    expected = None if case.view.retry_after_s is None else timedelta(seconds=case.view.retry_after_s)
    assert fault.retry_after == expected


@pytest.mark.parametrize("case", SUBMITS.values(), ids=SUBMITS.keys())
def test_a_refused_poll_is_never_maybe_accepted(case: HttpCase) -> None:
    assert not fault_of_answer(answer(case, is_submit=False)).is_maybe_accepted


def kind_of_poll(status: int, body: Any) -> FaultKind:
    case = HttpCase(status=status, body=body, view=invalid(""))
    return fault_of_answer(answer(case, is_submit=False)).kind


def test_only_an_operation_that_google_does_not_find_is_unknown() -> None:
    assert kind_of_poll(404, error(404, "NOT_FOUND", f"Operation {OPERATION} was not found.")) is FaultKind.TASK_UNKNOWN
    assert kind_of_poll(404, error(404, "NOT_FOUND", GONE)) is FaultKind.INVALID
    assert kind_of_poll(404, "<html>no such path</html>") is FaultKind.INVALID
    assert kind_of_poll(403, error(403, "PERMISSION_DENIED", "no")) is FaultKind.UNAUTHORIZED
    assert kind_of_poll(400, error(400, "NOT_FOUND", "odd")) is FaultKind.INVALID


def test_a_text_without_end_is_looked_at_in_part() -> None:
    case = HttpCase(status=400, body=error(400, "INVALID_ARGUMENT", "image " * 100_000), view=invalid(""))
    assert fault_of_answer(answer(case, is_submit=True)).kind is FaultKind.INVALID
    check_end({"response": {"raiMediaFilteredReasons": ["image " * 10_000]}}, rejected("image image"))


def test_the_token_is_struck_out_of_what_google_says() -> None:
    case = HttpCase(
        status=401, body=error(401, "UNAUTHENTICATED", "token ya29.a-secret-token expired"), view=invalid("")
    )
    detail = fault_of_answer(answer(case, is_submit=True)).detail
    assert detail == "HTTP 401 UNAUTHENTICATED: token [secret] expired"


def test_a_long_text_is_cut_behind_its_codes() -> None:
    message = "x" * 600 + " Support codes: 42237218"
    case = HttpCase(status=400, body=error(400, "INVALID_ARGUMENT", message), view=invalid(""))
    detail = fault_of_answer(answer(case, is_submit=True)).detail
    assert len(detail) == 500
    assert detail.startswith("HTTP 400 INVALID_ARGUMENT: [42237218 video safety violation] xxx")


def test_an_error_of_google_is_told_from_a_page() -> None:
    ours = HttpCase(status=404, body=error(404, "NOT_FOUND", "no"), view=invalid(""))
    assert is_error_of_google(answer(ours, is_submit=False))
    for body in ("<html>", "", "[]", "{}", {"error": "no"}, [1], {"error": None}):
        assert not is_error_of_google(answer(HttpCase(status=404, body=body, view=invalid("")), is_submit=False))


OPERATIONS: dict[str, tuple[Any, View]] = {
    "cancelled": (1, down(FaultKind.UNAVAILABLE, "operation error 1 CANCELLED: it ended")),
    "unknown": (2, down(FaultKind.UNAVAILABLE, "operation error 2 UNKNOWN")),
    "invalid argument": (3, invalid("operation error 3 INVALID_ARGUMENT")),
    "deadline exceeded": (4, down(FaultKind.TIMEOUT, "operation error 4 DEADLINE_EXCEEDED")),
    "not found": (5, invalid("operation error 5 NOT_FOUND")),
    "already exists": (6, invalid("operation error 6 ALREADY_EXISTS")),
    "permission denied": (7, down(FaultKind.UNAUTHORIZED, "operation error 7 PERMISSION_DENIED")),
    "resource exhausted": (8, down(FaultKind.THROTTLED, "operation error 8 RESOURCE_EXHAUSTED")),
    "failed precondition": (9, invalid("operation error 9 FAILED_PRECONDITION")),
    "aborted": (10, down(FaultKind.UNAVAILABLE, "operation error 10 ABORTED")),
    "out of range": (11, invalid("operation error 11 OUT_OF_RANGE")),
    "unimplemented": (12, invalid("operation error 12 UNIMPLEMENTED")),
    "internal": (13, down(FaultKind.UNAVAILABLE, "operation error 13 INTERNAL")),
    "unavailable": (14, down(FaultKind.UNAVAILABLE, "operation error 14 UNAVAILABLE")),
    "data loss": (15, down(FaultKind.UNAVAILABLE, "operation error 15 DATA_LOSS")),
    "unauthenticated": (16, down(FaultKind.UNAUTHORIZED, "operation error 16 UNAUTHENTICATED")),
    "a number of HTTP": (400, invalid("operation error 400")),
    "another number of HTTP": (429, down(FaultKind.THROTTLED, "operation error 429")),
    "a number that nobody knows": (77, down(FaultKind.UNAVAILABLE, "operation error 77")),
    "no number": (None, down(FaultKind.UNAVAILABLE, "operation error None")),
    "a number that is a text": ("13", down(FaultKind.UNAVAILABLE, "operation error None")),
}


def check_end(operation: dict[str, Any], view: View) -> None:
    state = state_of({"name": OPERATION, "done": True} | operation, OPERATION)
    assert isinstance(state, TaskFailed)
    assert (state.failure.code, state.failure.message) == (view.code, view.sentence)
    fault = state.failure.fault
    assert fault is not None
    assert fault.kind is view.kind
    assert view.detail in fault.detail
    assert not fault.is_maybe_accepted


@pytest.mark.parametrize(("code", "view"), OPERATIONS.values(), ids=OPERATIONS.keys())
def test_an_operation_that_ends_with_an_error(code: Any, view: View) -> None:
    check_end({"error": {"code": code, "message": "it ended"}}, view)


BLOCKED = {
    "the image": (3, IMAGE_VIOLATES, "[15236754 celebrity] Veo could not generate videos"),
    "the image, as the platform is called now": (
        3,
        "Veo could not generate videos because the input image violates Agent Platform's usage guidelines.",
        "the input image violates Agent Platform's usage guidelines",
    ),
    "the prompt": (3, "The prompt couldn't be submitted", "operation error 3 INVALID_ARGUMENT: The prompt"),
    "policies": (3, "The request was blocked, it might violate our policies", "it might violate our policies"),
    "an internal error with codes": (13, "Support codes: 89371032", "[89371032 prohibited content] Support codes"),
    "codes that nobody knows": (3, "Blocked. Support codes: 10000001", "Blocked. Support codes: 10000001"),
}


@pytest.mark.parametrize(("code", "message", "detail"), BLOCKED.values(), ids=BLOCKED.keys())
def test_an_operation_whose_input_is_blocked_is_rejected(code: int, message: str, detail: str) -> None:
    check_end({"error": {"code": code, "message": message}}, rejected(detail))


def test_an_operation_whose_image_cannot_be_used_says_so() -> None:
    check_end({"error": {"code": 3, "message": "Failed to decode the input image."}}, unusable("Failed to decode"))


def test_a_rewriting_that_cannot_be_turned_off_is_an_invalid_request() -> None:
    message = "Veo 3 prompt enhancement cannot be disabled."
    check_end({"error": {"code": 3, "message": message}}, invalid(message))


@pytest.mark.parametrize(
    ("response", "detail"),
    [
        (
            {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [FILTERED]},
            "withheld by the safety filter: [42237218 video safety violation] Veo could not generate 1 videos",
        ),
        (
            {"raiMediaFilteredCount": 2, "raiMediaFilteredReasons": ["One: 58061214.", "Two: 32635315."], "videos": []},
            "[58061214 child, 32635315 vulgar] One: 58061214. Two: 32635315.",
        ),
        ({"raiMediaFilteredReasons": [LIKENESS]}, LIKENESS),
        ({"raiMediaFilteredCount": 1}, "withheld by the safety filter: no reason given"),
        ({"raiMediaFilteredCount": "1", "raiMediaFilteredReasons": "text"}, "no reason given"),
        ({"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [7, None, "Sexual 90789179"]}, "[90789179 sexual]"),
    ],
)
def test_a_success_whose_videos_are_withheld_is_rejected(response: dict[str, Any], detail: str) -> None:
    check_end({"response": response}, rejected(detail))


SUPPORT_CODES = {
    "58061214": "child",
    "17301594": "child",
    "29310472": "celebrity",
    "15236754": "celebrity",
    "64151117": "video safety violation",
    "42237218": "video safety violation",
    "62263041": "dangerous content",
    "57734940": "hate",
    "22137204": "hate",
    "74803281": "other",
    "29578790": "other",
    "42876398": "other",
    "89371032": "prohibited content",
    "49114662": "prohibited content",
    "63429089": "prohibited content",
    "72817394": "prohibited content",
    "60599140": "prohibited content",
    "35561574": "third-party content",
    "35561575": "third-party content",
    "90789179": "sexual",
    "43188360": "sexual",
    "78610348": "toxic",
    "61493863": "violence",
    "56562880": "violence",
    "32635315": "vulgar",
}


@pytest.mark.parametrize(("code", "meaning"), SUPPORT_CODES.items())
def test_every_support_code_is_explained(code: str, meaning: str) -> None:
    assert describe(f"Blocked. Support codes: {code}") == f"[{code} {meaning}] Blocked. Support codes: {code}"
