"""Every documented error of fal, as the customer and as the operator see it."""

from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.providers.fal.shapes import MODEL_KINDS, PLATFORM_KINDS
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning
from reelgate_simulators.fal import EXHAUSTED, FalSimulator
from reelgate_simulators.fal_failures import infrastructure_failure
from reelgate_simulators.faults import Status
from tests.adapters.fal.samples import PHOTO, PROMPT, SECRET, make_order, make_provider, row

REJECTED = (FaultKind.REJECTED, FailureCode.REJECTED, "The provider refused to render this content.")
IMAGE = (
    FaultKind.IMAGE_UNUSABLE,
    FailureCode.IMAGE_UNUSABLE,
    "The image could not be fetched, or the provider cannot use it.",
)
INVALID = (FaultKind.INVALID, FailureCode.PROVIDER_ERROR, "The provider could not render this request.")
UNAUTHORIZED = (FaultKind.UNAUTHORIZED, FailureCode.PROVIDER_ERROR, "The provider is not available.")
THROTTLED = (FaultKind.THROTTLED, FailureCode.PROVIDER_ERROR, "The provider is not available.")
UNAVAILABLE = (FaultKind.UNAVAILABLE, FailureCode.PROVIDER_ERROR, "The provider is not available.")
TIMEOUT = (FaultKind.TIMEOUT, FailureCode.PROVIDER_ERROR, "The provider is not available.")

View = tuple[FaultKind, FailureCode, str]

MODEL_ERRORS: list[tuple[str, int, View]] = [
    ("content_policy_violation", 422, REJECTED),
    ("no_media_generated", 422, REJECTED),
    ("image_load_error", 422, IMAGE),
    ("file_download_error", 422, IMAGE),
    ("image_too_small", 422, IMAGE),
    ("image_too_large", 422, IMAGE),
    ("file_too_large", 422, IMAGE),
    ("unsupported_image_format", 422, IMAGE),
    ("face_detection_error", 422, IMAGE),
    ("unsupported_audio_format", 422, INVALID),
    ("unsupported_video_format", 422, INVALID),
    ("greater_than", 422, INVALID),
    ("greater_than_equal", 422, INVALID),
    ("less_than", 422, INVALID),
    ("less_than_equal", 422, INVALID),
    ("multiple_of", 422, INVALID),
    ("sequence_too_short", 422, INVALID),
    ("sequence_too_long", 422, INVALID),
    ("one_of", 422, INVALID),
    ("feature_not_supported", 422, INVALID),
    ("internal_server_error", 500, UNAVAILABLE),
    ("downstream_service_error", 500, UNAVAILABLE),
    ("downstream_service_unavailable", 503, UNAVAILABLE),
    ("generation_timeout", 504, TIMEOUT),
    # FastAPI's own, which are in none of fal's lists.
    ("missing", 422, INVALID),
    ("string_type", 422, INVALID),
    ("value_error", 422, INVALID),
]

PLATFORM_ERRORS: list[tuple[str, int, View]] = [
    ("request_timeout", 504, TIMEOUT),
    ("startup_timeout", 504, TIMEOUT),
    ("runner_scheduling_failure", 503, UNAVAILABLE),
    ("runner_connection_timeout", 503, UNAVAILABLE),
    ("runner_disconnected", 503, UNAVAILABLE),
    ("runner_connection_refused", 503, UNAVAILABLE),
    ("runner_connection_error", 503, UNAVAILABLE),
    ("runner_incomplete_response", 502, UNAVAILABLE),
    ("runner_server_error", 500, UNAVAILABLE),
    ("client_disconnected", 499, UNAVAILABLE),
    ("client_cancelled", 499, UNAVAILABLE),
    ("bad_request", 400, INVALID),
    ("internal_error", 500, UNAVAILABLE),
]

OPEN_AFTER_A_SUBMIT = {499, 500, 502, 504}
"""Of the codes above, those after which the request may be in the queue nevertheless."""


def test_the_tables_have_every_known_type() -> None:
    assert {kind for kind, _, _ in MODEL_ERRORS} >= set(MODEL_KINDS)
    assert {kind for kind, _, _ in PLATFORM_ERRORS} == set(PLATFORM_KINDS)


async def submit_fault(answer: Status, **order_changes: Any) -> Fault:
    """What a submit raises that is answered so."""
    async with FalSimulator() as fal, make_provider(fal.base_url) as provider:
        fal.faults.queue("submit", answer)
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(make_order(**order_changes))
        assert len(fal.requests_of("submit")) == 1
    return raised.value.fault


async def state_after(answer: Status, operation: str = "result") -> TaskFailed | TaskRunning | Fault:
    """What a poll brings, of a request that has ended, when one of its questions is answered so."""
    async with FalSimulator(render_s=0) as fal, make_provider(fal.base_url) as provider:
        task = (await provider.submit(make_order())).task
        fal.faults.queue(operation, answer)
        try:
            state = await provider.poll(task)
        except ProviderFault as error:
            return error.fault
    assert isinstance(state, TaskFailed | TaskRunning)
    return state


def check_customer(fault: Fault, view: View) -> None:
    failure = failure_of(fault)
    assert (fault.kind, failure.code, failure.message) == view


def check_secrecy(fault: Fault) -> None:
    for private in (PROMPT, PHOTO, SECRET, SECRET.partition(":")[2]):
        assert private not in fault.detail
    assert len(fault.detail) <= 500


@pytest.mark.parametrize(("kind", "code", "view"), MODEL_ERRORS)
async def test_an_error_of_a_model_that_is_said_at_the_submit(kind: str, code: int, view: View) -> None:
    fault = await submit_fault(Status(code, {"detail": [row(kind)]}, {"X-Fal-Retryable": "false"}))
    check_customer(fault, view)
    check_secrecy(fault)
    assert fault.is_maybe_accepted == (code in OPEN_AFTER_A_SUBMIT)
    assert fault.detail == f"HTTP {code}: {kind} at body.prompt: words of the model"


@pytest.mark.parametrize(("kind", "code", "view"), MODEL_ERRORS)
async def test_an_error_of_a_model_that_is_said_in_place_of_the_result(kind: str, code: int, view: View) -> None:
    state = await state_after(Status(code, {"detail": [row(kind)]}))
    assert isinstance(state, TaskFailed)
    fault = state.failure.fault
    assert fault is not None
    check_customer(fault, view)
    check_secrecy(fault)
    assert not fault.is_maybe_accepted
    assert (state.failure.code, state.failure.message) == view[1:]
    assert fault.detail == f"HTTP {code}: {kind} at body.prompt: words of the model"


@pytest.mark.parametrize(("kind", "code", "view"), PLATFORM_ERRORS)
async def test_an_error_of_the_platform_that_is_said_at_the_submit(kind: str, code: int, view: View) -> None:
    answer = Status(code, {"detail": "It broke", "error_type": kind}, {"X-Fal-Error-Type": kind})
    fault = await submit_fault(answer)
    check_customer(fault, view)
    assert fault.is_maybe_accepted == (code in OPEN_AFTER_A_SUBMIT)
    assert fault.detail == f"HTTP {code}: {kind}; It broke"


@pytest.mark.parametrize(("kind", "code", "view"), PLATFORM_ERRORS)
async def test_an_error_of_the_platform_that_is_said_in_the_status(kind: str, code: int, view: View) -> None:
    async with FalSimulator(render_s=60) as fal, make_provider(fal.base_url) as provider:
        task = (await provider.submit(make_order())).task
        fal.fail(task.task_id, infrastructure_failure(kind, "It broke"))
        state = await provider.poll(task)
        assert fal.requests_of("result") == []
    assert isinstance(state, TaskFailed)
    assert state.failure.fault == Fault(kind=view[0], detail=f"HTTP 200: {kind}: It broke")
    assert (state.failure.code, state.failure.message) == view[1:]


@pytest.mark.parametrize(("kind", "code", "view"), PLATFORM_ERRORS)
@pytest.mark.parametrize("place", ["body", "header"])
async def test_an_error_of_the_platform_in_place_of_the_result_ends_the_task_unless_it_may_be_the_gateways_own(
    kind: str, code: int, view: View, place: str
) -> None:
    in_body = Status(code, {"detail": "It broke", "error_type": kind})
    in_header = Status(code, "It broke", {"X-Fal-Error-Type": kind})
    state = await state_after(in_body if place == "body" else in_header)
    fault = state.failure.fault if isinstance(state, TaskFailed) else state
    assert isinstance(fault, Fault)
    assert isinstance(state, TaskFailed) == (code < 500)
    check_customer(fault, view)
    assert fault.detail == f"HTTP {code}: {kind}{'; It broke' if place == 'body' else ''}"


async def test_a_video_outlives_an_error_of_the_gateway_in_its_place() -> None:
    async with FalSimulator(render_s=0) as fal, make_provider(fal.base_url) as provider:
        task = (await provider.submit(make_order())).task
        broken = {"detail": "It broke", "error_type": "runner_server_error"}
        fal.faults.queue("result", Status(503, broken), Status(500, "", {"X-Fal-Error-Type": "internal_error"}))
        for _ in range(2):
            with pytest.raises(ProviderFault):
                await provider.poll(task)
        assert isinstance(await provider.poll(task), TaskDone)


SUBMIT_REFUSALS: list[tuple[int, Any, dict[str, str], View, str]] = [
    (
        403,
        {"detail": f"User is locked. Reason: {EXHAUSTED}"},
        {},
        UNAUTHORIZED,
        "HTTP 403: User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
    ),
    (
        403,
        {"detail": "User is locked. Reason: Admin lock"},
        {},
        UNAUTHORIZED,
        "HTTP 403: User is locked. Reason: Admin lock",
    ),
    (403, {"detail": "User is locked. Reason: TOP_UP."}, {}, UNAUTHORIZED, "HTTP 403: User is locked. Reason: TOP_UP."),
    (401, {"detail": "No such key"}, {}, UNAUTHORIZED, "HTTP 401: No such key"),
    (402, {"detail": "Payment required"}, {}, UNAUTHORIZED, "HTTP 402: Payment required"),
    (404, {"detail": "Application not found"}, {}, INVALID, "HTTP 404: Application not found"),
    (429, {"detail": "Queue is full"}, {"Retry-After": "7"}, THROTTLED, "HTTP 429: Queue is full"),
    (422, {"detail": "Prompt is required"}, {}, INVALID, "HTTP 422: Prompt is required"),
    (400, "", {}, INVALID, "HTTP 400: not in fal's form: no type"),
    (
        422,
        {"detail": [{"loc": ["body", "images", 0], "msg": "older", "type": "value_error"}]},
        {},
        INVALID,
        "HTTP 422: value_error at body.images.0: older",
    ),
    (
        422,
        {"detail": [row("missing"), row("image_too_small", loc=["body", "image_url"]), row("one_of")]},
        {},
        IMAGE,
        "HTTP 422: missing at body.prompt: words of the model; image_too_small at body.image_url: words of the model;",
    ),
    (422, {"detail": [row("not_known_yet")]}, {"X-Fal-Retryable": "true"}, UNAVAILABLE, "HTTP 422: not_known_yet at"),
    (422, {"detail": [row("not_known_yet")]}, {"X-Fal-Needs-Retry": "true"}, UNAVAILABLE, "HTTP 422: not_known_yet at"),
    (422, {"detail": [row("not_known_yet")]}, {"X-Fal-Retryable": "false"}, INVALID, "HTTP 422: not_known_yet at"),
    (503, {"detail": "Please wait"}, {"Retry-After": "2"}, UNAVAILABLE, "HTTP 503: Please wait"),
    (
        422,
        {"detail": [row("value_error", msg=f"Cannot fetch {PHOTO}?sig=1 with Key {SECRET}")]},
        {},
        INVALID,
        "HTTP 422: value_error at body.prompt: Cannot fetch [address] with Key [secret]",
    ),
    (422, {"detail": [7, None, {"type": ["x"], "loc": {"a": 1}, "msg": 7}]}, {}, INVALID, "HTTP 422: not in"),
    (418, {"detail": {"text": PROMPT}}, {}, INVALID, "HTTP 418: not in fal's form: application/json"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "body", "headers", "view", "detail"), SUBMIT_REFUSALS)
async def test_a_submit_that_is_surely_refused(
    code: int, body: Any, headers: dict[str, str], view: View, detail: str
) -> None:
    fault = await submit_fault(Status(code, body, headers))
    check_customer(fault, view)
    check_secrecy(fault)
    assert not fault.is_maybe_accepted
    assert fault.retry_after == (timedelta(seconds=int(headers["Retry-After"])) if "Retry-After" in headers else None)
    assert fault.detail.startswith(detail)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (302, FaultKind.UNINTELLIGIBLE),
        (303, FaultKind.UNINTELLIGIBLE),
        (499, FaultKind.UNAVAILABLE),
        (500, FaultKind.UNAVAILABLE),
        (502, FaultKind.UNAVAILABLE),
        (504, FaultKind.TIMEOUT),
        (520, FaultKind.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("body", [{"detail": "It broke"}, "<html><title>Bad gateway</title></html>", "", ["x"]])
async def test_a_submit_that_broke_or_was_sent_elsewhere_may_have_been_taken(
    code: int, kind: FaultKind, body: Any
) -> None:
    fault = await submit_fault(Status(code, body, {"Location": "/elsewhere"} if code < 400 else {}))
    assert (fault.kind, fault.is_maybe_accepted) == (kind, True)


async def test_a_submit_that_did_not_arrive_whole_was_surely_not_taken() -> None:
    fault = await submit_fault(Status(408, {"detail": "Request timeout"}))
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.TIMEOUT, False)


@pytest.mark.parametrize(
    "body", [{}, {"request_id": ""}, {"request_id": 7}, {"request_id": "../../x"}, ["x"], "OK", "", "null", '{"reque']
)  # fmt: skip
@pytest.mark.parametrize("code", [200, 201])
async def test_a_submit_whose_success_names_no_request_may_have_been_taken(code: int, body: Any) -> None:
    fault = await submit_fault(Status(code, body))
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNINTELLIGIBLE, True)


async def test_a_locked_account_can_still_follow_what_it_has_submitted() -> None:
    async with FalSimulator(render_s=60) as fal, make_provider(fal.base_url) as provider:
        task = (await provider.submit(make_order())).task
        fal.locked_reason = EXHAUSTED
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(make_order())
        assert isinstance(await provider.poll(task), TaskRunning)
        await provider.check("main")
    assert raised.value.fault.kind is FaultKind.UNAUTHORIZED
    assert not raised.value.fault.is_maybe_accepted


REPLAYED: list[tuple[int, Any, View, str]] = [
    (422, {"detail": "The prompt is too long"}, INVALID, "HTTP 422: The prompt is too long"),
    (400, {"detail": "Nothing to render"}, INVALID, "HTTP 400: Nothing to render"),
    (413, {"detail": "Too large"}, INVALID, "HTTP 413: Too large"),
    (404, {"detail": [row("file_download_error")]}, IMAGE, "HTTP 404: file_download_error at body.prompt"),
    (403, {"detail": [row("content_policy_violation")]}, REJECTED, "HTTP 403: content_policy_violation"),
    (429, {"detail": [row("downstream_service_unavailable")]}, UNAVAILABLE, "HTTP 429: downstream_service_unavailable"),
    (500, {"detail": [row("not_known_yet")]}, UNAVAILABLE, "HTTP 500: not_known_yet"),
]


@pytest.mark.parametrize(("code", "body", "view", "detail"), REPLAYED)
async def test_a_refusal_in_place_of_the_result_ends_the_task(code: int, body: Any, view: View, detail: str) -> None:
    state = await state_after(Status(code, body))
    assert isinstance(state, TaskFailed)
    assert state.failure.fault is not None
    check_customer(state.failure.fault, view)
    assert state.failure.fault.detail.startswith(detail)


QUESTIONS: list[tuple[int, Any, FaultKind]] = [
    (500, {"detail": "Internal Server Error"}, FaultKind.UNAVAILABLE),
    (500, "<html>", FaultKind.UNAVAILABLE),
    (502, "<html><center>nginx</center></html>", FaultKind.UNAVAILABLE),
    (503, {"detail": "Please wait"}, FaultKind.UNAVAILABLE),
    (504, {"message": "upstream"}, FaultKind.TIMEOUT),
    (503, {"detail": "It broke", "error_type": "not_known_yet"}, FaultKind.UNAVAILABLE),
    (500, {"detail": "It broke", "error_type": "internal_server_error"}, FaultKind.UNAVAILABLE),
    (429, {"detail": "Slow down", "error_type": "too_many_requests"}, FaultKind.THROTTLED),
    (401, {"detail": "No such key", "error_type": "unauthorized"}, FaultKind.UNAUTHORIZED),
    (401, {"detail": "No such key"}, FaultKind.UNAUTHORIZED),
    (403, {"detail": "Forbidden"}, FaultKind.UNAUTHORIZED),
    (408, {"detail": "Slow"}, FaultKind.TIMEOUT),
    (429, {"detail": "Slow down"}, FaultKind.THROTTLED),
    (422, "<html>", FaultKind.INVALID),
    (400, ["x"], FaultKind.INVALID),
    (302, "", FaultKind.UNINTELLIGIBLE),
    (200, {"video": None}, FaultKind.UNINTELLIGIBLE),
    (200, {"video": {"url": 7}}, FaultKind.UNINTELLIGIBLE),
    (200, {"video": {"url": "ftp://example.com/a.mp4"}}, FaultKind.UNINTELLIGIBLE),
    (200, {"video": {"url": "https://user:word@example.com/a.mp4"}}, FaultKind.UNINTELLIGIBLE),
    (200, {"video": {"url": "https://"}}, FaultKind.UNINTELLIGIBLE),
    (200, {"video": {"url": "https://example.com:99999/a.mp4"}}, FaultKind.UNINTELLIGIBLE),
    (200, {"video": {"url": "https://xn--a/a.mp4"}}, FaultKind.UNINTELLIGIBLE),
    (200, {"video": {"url": "https://example.com/a b.mp4"}}, FaultKind.UNINTELLIGIBLE),
    (200, {"images": []}, FaultKind.UNINTELLIGIBLE),
    (200, "", FaultKind.UNINTELLIGIBLE),
    (200, "<html>", FaultKind.UNINTELLIGIBLE),
    (200, ["x"], FaultKind.UNINTELLIGIBLE),
    (204, None, FaultKind.UNINTELLIGIBLE),
]


@pytest.mark.parametrize(("code", "body", "kind"), QUESTIONS)
async def test_an_answer_that_is_no_result_and_no_word_of_the_model_says_nothing_of_the_task(
    code: int, body: Any, kind: FaultKind
) -> None:
    fault = await state_after(Status(code, body))
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.is_maybe_accepted) == (kind, False)


@pytest.mark.parametrize("body", [{"detail": "Not found"}, "404 page not found", "<html>", {}])
async def test_a_result_that_is_not_there_is_unknown_until_it_has_been_said_often_enough(body: Any) -> None:
    fault = await state_after(Status(404, body))
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.TASK_UNKNOWN
    assert fault.detail.startswith("HTTP 404: no result: ")


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (400, {"detail": "Request is still in progress"}),
        (500, {"detail": "Request is still in progress"}),
        (202, {"status": "IN_PROGRESS"}),
    ],
)
async def test_a_result_that_is_asked_for_too_early_leaves_the_task_running(code: int, body: Any) -> None:
    assert await state_after(Status(code, body)) == TaskRunning()


STATUS_FAULTS: list[tuple[int, Any, FaultKind]] = [
    (404, {"detail": "Not found"}, FaultKind.TASK_UNKNOWN),
    (404, {"error": "no such request"}, FaultKind.TASK_UNKNOWN),
    (404, "<html>", FaultKind.INVALID),
    (401, {"detail": "No such key"}, FaultKind.UNAUTHORIZED),
    (403, {"detail": "Forbidden"}, FaultKind.UNAUTHORIZED),
    (422, {"detail": [row("value_error")]}, FaultKind.INVALID),
    (429, {"detail": "Slow down"}, FaultKind.THROTTLED),
    (500, {"detail": "It broke", "error_type": "internal_error"}, FaultKind.UNAVAILABLE),
    (503, "<html>", FaultKind.UNAVAILABLE),
    (504, "", FaultKind.TIMEOUT),
    (301, "", FaultKind.UNINTELLIGIBLE),
    (200, {"status": "FAILED"}, FaultKind.UNINTELLIGIBLE),
    (200, {"status": ["COMPLETED"]}, FaultKind.UNINTELLIGIBLE),
    (200, {}, FaultKind.UNINTELLIGIBLE),
    (202, "", FaultKind.UNINTELLIGIBLE),
    (200, "[[[" * 20_000, FaultKind.UNINTELLIGIBLE),
]


@pytest.mark.parametrize(("code", "body", "kind"), STATUS_FAULTS, ids=range(len(STATUS_FAULTS)))
async def test_a_look_that_is_not_answered_says_nothing_of_the_task(code: int, body: Any, kind: FaultKind) -> None:
    fault = await state_after(Status(code, body), "status")
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.is_maybe_accepted) == (kind, False)
    check_secrecy(fault)
