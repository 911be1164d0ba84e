"""Every documented error of an answer: what the customer is told, and what the operator finds."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.providers.openai.answers import from_create, from_get
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.domain.accounts import AmbiguousSubmit
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.retry import GiveUp, RetryAt, SubmitTries, after_submit_fault
from tests.adapters.openai.samples import (
    CONTENT,
    IMAGE_REFUSED,
    KEY,
    NOT_AVAILABLE,
    NOT_RENDERED,
    PROMPT,
    REFUSED,
    UNANSWERED,
    make_answer,
)
from tests.support.builders import NOON

REJECTED, INVALID, UNAUTHORIZED = FaultKind.REJECTED, FaultKind.INVALID, FaultKind.UNAUTHORIZED
UNUSABLE, UNINTELLIGIBLE = FaultKind.IMAGE_UNUSABLE, FaultKind.UNINTELLIGIBLE
THROTTLED, UNAVAILABLE, TIMEOUT = FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.TIMEOUT
OPENAI, SGLANG, VLLM_OMNI, LITELLM = Dialect


def stated(message: str, code: object = None, kind: object = "invalid_request_error", parameter: object = None) -> Any:
    """An error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


@dataclass(frozen=True, kw_only=True)
class Row:
    """An answer that is no success."""

    dialect: Dialect
    status: int
    body: object
    kind: FaultKind
    """The operator's view, at a submit as at a question."""
    customer: tuple[FailureCode, str]
    """The customer's view of a submit whose tries are used up, on a plan that never repeats an ambiguous one."""
    detail: str
    """All that the operator finds."""
    is_maybe_accepted: bool = False
    """Of a submit; a question never is."""
    headers: dict[str, Any] = field(default_factory=dict)
    retry_after: timedelta | None = None


ROWS = [
    # OpenAI's form, which LiteLLM has too: 401, 403, 404, 409, 429, 5xx, and the codes that are known.
    Row(
        dialect=OPENAI,
        status=400,
        body=stated("Invalid value: '7'.", "invalid_value", parameter="seconds"),
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: invalid_value, invalid_request_error, seconds: Invalid value: '7'.",
    ),
    Row(
        dialect=OPENAI,
        status=401,
        body=stated(f"Incorrect API key provided: {KEY}.", "invalid_api_key", "authentication_error"),
        kind=UNAUTHORIZED,
        customer=NOT_AVAILABLE,
        detail="HTTP 401: invalid_api_key, authentication_error: Incorrect API key [secret] [secret].",
    ),
    Row(
        dialect=OPENAI,
        status=403,
        body=stated("Country, region, or territory not supported", "unsupported_country_region_territory"),
        kind=UNAUTHORIZED,
        customer=NOT_AVAILABLE,
        detail="HTTP 403: unsupported_country_region_territory, invalid_request_error: Country, region, or territory "
        "not supported",
    ),
    Row(
        dialect=OPENAI,
        status=409,
        body=stated("Another request is in progress.", "conflict"),
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 409: conflict, invalid_request_error: Another request is in progress.",
    ),
    Row(
        dialect=OPENAI,
        status=429,
        body=stated("Rate limit reached.", "rate_limit_exceeded", "rate_limit_error"),
        headers={"retry_after": "17"},
        kind=THROTTLED,
        customer=NOT_AVAILABLE,
        retry_after=timedelta(seconds=17),
        detail="HTTP 429: rate_limit_exceeded, rate_limit_error: Rate limit reached.",
    ),
    Row(
        dialect=OPENAI,
        status=429,
        body=stated("You exceeded your current quota.", "insufficient_quota", "insufficient_quota"),
        kind=UNAUTHORIZED,
        customer=NOT_AVAILABLE,
        detail="HTTP 429: insufficient_quota: You exceeded your current quota.",
    ),
    Row(
        dialect=OPENAI,
        status=500,
        body=stated("The server had an error.", None, "server_error"),
        kind=UNAVAILABLE,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 500: server_error: The server had an error.",
    ),
    Row(
        dialect=OPENAI,
        status=503,
        body=stated("Overloaded.", "slow_down", "service_unavailable_error"),
        headers={"retry_after": "2"},
        kind=UNAVAILABLE,
        retry_after=timedelta(seconds=2),
        customer=NOT_AVAILABLE,
        detail="HTTP 503: slow_down, service_unavailable_error: Overloaded.",
    ),
    Row(
        dialect=OPENAI,
        status=400,
        body=stated(f"Your request was blocked: {PROMPT}", "moderation_blocked", "image_generation_user_error"),
        kind=REJECTED,
        customer=REFUSED,
        detail=f"HTTP 400: moderation_blocked, image_generation_user_error: Your request was blocked: {PROMPT}",
    ),
    Row(
        dialect=OPENAI,
        status=400,
        body=stated("Your request was rejected by our safety system.", "content_policy_violation"),
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 400: content_policy_violation, invalid_request_error: Your request was rejected by our safety "
        "system.",
    ),
    Row(
        dialect=OPENAI,
        status=400,
        body=stated("The response was filtered.", "content_filter", None),
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 400: content_filter: The response was filtered.",
    ),
    Row(
        dialect=OPENAI,
        status=403,
        body=stated("This content is not permitted.", "content_policy_violation"),
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 403: content_policy_violation, invalid_request_error: This content is not permitted.",
    ),
    Row(
        dialect=OPENAI,
        status=400,
        body=stated("The file is empty.", "invalid_image_file"),
        kind=UNUSABLE,
        customer=IMAGE_REFUSED,
        detail="HTTP 400: invalid_image_file, invalid_request_error: The file is empty.",
    ),
    Row(
        dialect=OPENAI,
        status=400,
        body=stated("Must match the requested size.", "invalid_value", parameter="input_reference"),
        kind=UNUSABLE,
        customer=IMAGE_REFUSED,
        detail="HTTP 400: invalid_value, invalid_request_error, input_reference: Must match the requested size.",
    ),
    # LiteLLM: the status as the code, in digits; what happened behind it as the beginning of a message.
    Row(
        dialect=LITELLM,
        status=400,
        body=stated("litellm.ContentPolicyViolationError: Your input was rejected.", "400", "None"),
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 400: 400: litellm.ContentPolicyViolationError: Your input was rejected.",
    ),
    Row(
        dialect=LITELLM,
        status=400,
        body=stated("No connected db.", "400", "no_db_connection"),
        kind=UNAUTHORIZED,
        customer=NOT_AVAILABLE,
        detail="HTTP 400: 400, no_db_connection: No connected db.",
    ),
    Row(
        dialect=LITELLM,
        status=401,
        body=stated("Authentication Error, Invalid proxy server token passed.", "401", "auth_error"),
        kind=UNAUTHORIZED,
        customer=NOT_AVAILABLE,
        detail="HTTP 401: 401, auth_error: Authentication Error, Invalid proxy server token passed.",
    ),
    Row(
        dialect=LITELLM,
        status=429,
        body=stated("Budget has been exceeded!", "429", "budget_exceeded"),
        kind=UNAUTHORIZED,
        customer=NOT_AVAILABLE,
        detail="HTTP 429: 429, budget_exceeded: Budget has been exceeded!",
    ),
    Row(
        dialect=LITELLM,
        status=408,
        body=stated("litellm.Timeout: Request timed out.", "408", None),
        kind=TIMEOUT,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 408: 408: litellm.Timeout: Request timed out.",
    ),
    Row(
        dialect=LITELLM,
        status=503,
        body=stated("litellm.ServiceUnavailableError: …", "503", None),
        kind=UNAVAILABLE,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 503: 503: litellm.ServiceUnavailableError: …",
    ),
    Row(
        dialect=LITELLM,
        status=500,
        body=stated("litellm.APIConnectionError: …", "500", None),
        kind=UNAVAILABLE,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 500: 500: litellm.APIConnectionError: …",
    ),
    # SGLang and vLLM-Omni: FastAPI's forms.
    Row(
        dialect=SGLANG,
        status=400,
        body={"detail": "Failed to process image source: cannot identify image file"},
        kind=UNUSABLE,
        customer=IMAGE_REFUSED,
        detail="HTTP 400: Failed to process image source: cannot identify image file",
    ),
    Row(
        dialect=SGLANG,
        status=400,
        body={
            "detail": "Invalid request body: 1 validation error for VideoGenerationsRequest\nprompt\n  Input should be "
            f"a valid string [type=string_type, input_value=['{PROMPT[:15]}...'], input_type=list]"
        },
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: Invalid request body: 1 validation error for VideoGenerationsRequest prompt   Input should "
        "be a valid string [type=string_type, input_value=[input], input_type=list]",
    ),
    Row(
        dialect=SGLANG,
        status=400,
        body={"detail": "Guardrail blocked prompt."},
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 400: Guardrail blocked prompt.",
    ),
    Row(
        dialect=SGLANG,
        status=408,
        body={"detail": "Request timeout"},
        kind=TIMEOUT,
        customer=NOT_AVAILABLE,
        detail="HTTP 408: Request timeout",
    ),
    Row(
        dialect=VLLM_OMNI,
        status=422,
        body={
            "detail": [
                {
                    "type": "string_pattern_mismatch",
                    "loc": ["body", "seconds"],
                    "msg": "String should match pattern '^[1-9]\\d*$'",
                    "input": PROMPT[:20],
                    "ctx": {"pattern": PROMPT[:20]},
                },
                {"loc": ["body", "size", 0], "msg": "Field required"},
                "not a row",
            ]
        },
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 422: body.seconds: String should match pattern '^[1-9]\\d*$'; body.size.0: Field required",
    ),
    Row(
        dialect=VLLM_OMNI,
        status=400,
        body={"error": {"message": "The field is wrong.", "type": "BadRequestError", "param": "size", "code": 400}},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: 400, BadRequestError, size: The field is wrong.",
    ),
    Row(
        dialect=VLLM_OMNI,
        status=400,
        body={"detail": "Invalid image_reference.image_url: server returned HTTP 404."},
        kind=UNUSABLE,
        customer=IMAGE_REFUSED,
        detail="HTTP 400: Invalid image_reference.image_url: server returned HTTP 404.",
    ),
    Row(
        dialect=VLLM_OMNI,
        status=400,
        body={"detail": "Model mismatch: request specifies 'a' but server is running 'b'."},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: Model mismatch: request specifies 'a' but server is running 'b'.",
    ),
    Row(
        dialect=VLLM_OMNI,
        status=503,
        body={"detail": "Video generation handler not initialized."},
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 503: Video generation handler not initialized.",
    ),
    Row(
        dialect=VLLM_OMNI,
        status=500,
        body={"object": "error", "message": "engine is dead", "type": "InternalServerError", "code": 500},
        kind=UNAVAILABLE,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 500: 500, InternalServerError: engine is dead",
    ),
    # Whoever stands between: words of its own, a page, nothing, or what makes no sense.
    Row(
        dialect=OPENAI,
        status=402,
        body={"message": f"pay first, {PROMPT[:12]}"},
        kind=UNAUTHORIZED,
        customer=NOT_AVAILABLE,
        detail="HTTP 402: no known form: no content type, 38 bytes",
    ),
    Row(
        dialect=OPENAI,
        status=404,
        body={"detail": "Not Found"},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 404: Not Found",
    ),
    Row(
        dialect=SGLANG,
        status=413,
        body="<html>413</html>",
        headers={"content_type": "text/html"},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 413: no known form: text/html, 16 bytes",
    ),
    Row(
        dialect=SGLANG,
        status=502,
        body="<html>502</html>",
        headers={"content_type": "text/html"},
        kind=UNAVAILABLE,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 502: no known form: text/html, 16 bytes",
    ),
    Row(
        dialect=SGLANG,
        status=504,
        body="",
        kind=TIMEOUT,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 504: no known form: no content type, 0 bytes",
    ),
    Row(
        dialect=OPENAI,
        status=307,
        body="",
        kind=UNINTELLIGIBLE,
        is_maybe_accepted=True,
        customer=UNANSWERED,
        detail="HTTP 307: no known form: no content type, 0 bytes",
    ),
    Row(
        dialect=OPENAI,
        status=400,
        body={"error": {"message": ["a"], "type": {}, "param": 1.5, "code": [400]}},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: no known form: no content type, 70 bytes",
    ),
    Row(
        dialect=OPENAI,
        status=400,
        body={"error": "plain words", "detail": 7},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: plain words",
    ),
    Row(
        dialect=LITELLM,
        status=400,
        body={"detail": {"error": "No healthy deployments.", "input": PROMPT[:12]}},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: No healthy deployments.",
    ),
]


def id_of(row: Row) -> str:
    return f"{row.dialect} {row.status} {row.detail[-25:]}"


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_the_operator_finds_what_a_submit_was_answered(row: Row) -> None:
    assert submit_fault(row) == Fault(
        kind=row.kind,
        is_maybe_accepted=row.is_maybe_accepted,
        retry_after=row.retry_after,
        detail=row.detail,
    )


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_the_customer_is_told_of_a_submit_in_words_of_ours(row: Row) -> None:
    tries = SubmitTries(
        attempt=5, unanswered_count=0, has_fallback=False, is_announced=False, policy=AmbiguousSubmit.FAIL
    )
    end = after_submit_fault(submit_fault(row), tries, now=NOON, draw=0.5)
    if row.kind is THROTTLED:
        # No number of tries ends a job that is merely throttled; its deadline does.
        assert isinstance(end, RetryAt)
        return
    assert isinstance(end, GiveUp)
    assert (end.failure.code, end.failure.message) == row.customer


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_the_same_answer_to_a_question_is_a_fault_of_the_question(row: Row) -> None:
    with pytest.raises(ProviderFault) as raised:
        from_get(make_answer(row.body, status=row.status, **row.headers), row.dialect, content=CONTENT)
    assert raised.value.fault == Fault(kind=row.kind, retry_after=row.retry_after, detail=row.detail)


def test_what_the_operator_finds_is_bounded() -> None:
    answer = make_answer({"detail": "very " * 10_000}, status=400)
    with pytest.raises(ProviderFault) as raised:
        from_get(answer, SGLANG, content=CONTENT)
    assert len(raised.value.fault.detail) == 500


def submit_fault(row: Row) -> Fault:
    with pytest.raises(ProviderFault) as raised:
        from_create(make_answer(row.body, status=row.status, is_submit=True, **row.headers), row.dialect)
    return raised.value.fault
