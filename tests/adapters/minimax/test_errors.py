"""Every documented error: what the customer is told, and what the operator finds."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from reelgate_server.adapters.providers.minimax.answers import from_query, from_submit
from reelgate_server.adapters.providers.minimax.codes import MEANINGS
from reelgate_server.domain.accounts import AmbiguousSubmit
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.retry import GiveUp, RetryAt, SubmitTries, after_submit_fault
from reelgate_server.ports.provider import TaskFailed
from tests.adapters.minimax.samples import base_resp, make_answer
from tests.support.builders import NOON

REFUSED = (FailureCode.REJECTED, "The provider refused to render this content.")
NOT_AVAILABLE = (FailureCode.PROVIDER_ERROR, "The provider is not available.")
NOT_RENDERED = (FailureCode.PROVIDER_ERROR, "The provider could not render this request.")
NOT_UNDERSTOOD = (FailureCode.PROVIDER_ERROR, "The provider's answer could not be understood.")
IMAGE = (FailureCode.IMAGE_UNUSABLE, "The image could not be fetched, or the provider cannot use it.")
UNANSWERED = (
    FailureCode.SUBMIT_UNANSWERED,
    "The provider did not confirm that it took the job; it was not sent again.",
)


@dataclass(frozen=True)
class Row:
    """One error."""

    code: int
    text: str
    kind: FaultKind
    """The operator's view."""
    is_maybe_accepted: bool
    """Of a submit."""
    is_repeated: bool
    """A submit is tried again by itself."""
    at_submit: tuple[FailureCode, str]
    """The customer's view of a submit whose tries or time are used up, on a plan that repeats no ambiguous one."""
    at_failed_task: tuple[FailureCode, str] | None
    """The customer's view of a task that ended with it; None if it ends none."""


REJECTED, INVALID, UNAUTHORIZED = FaultKind.REJECTED, FaultKind.INVALID, FaultKind.UNAUTHORIZED
UNUSABLE, UNINTELLIGIBLE = FaultKind.IMAGE_UNUSABLE, FaultKind.UNINTELLIGIBLE
THROTTLED, UNAVAILABLE, TIMEOUT = FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.TIMEOUT

ROWS = [
    Row(1000, "unknown error", UNAVAILABLE, True, False, UNANSWERED, NOT_AVAILABLE),
    Row(1001, "request timeout", TIMEOUT, True, False, UNANSWERED, NOT_AVAILABLE),
    Row(1002, "rate limit", THROTTLED, False, True, NOT_AVAILABLE, None),
    Row(1004, "not authorized", UNAUTHORIZED, False, False, NOT_AVAILABLE, None),
    Row(1008, "insufficient balance", UNAUTHORIZED, False, False, NOT_AVAILABLE, NOT_AVAILABLE),
    Row(1024, "internal error", UNAVAILABLE, True, False, UNANSWERED, NOT_AVAILABLE),
    Row(1026, "input new_sensitive", REJECTED, False, False, REFUSED, REFUSED),
    Row(1027, "output new_sensitive", REJECTED, False, False, REFUSED, REFUSED),
    Row(1033, "system error / mysql failed", UNAVAILABLE, True, False, UNANSWERED, NOT_AVAILABLE),
    Row(1039, "token limit", THROTTLED, False, True, NOT_AVAILABLE, None),
    Row(1041, "conn limit", THROTTLED, False, True, NOT_AVAILABLE, None),
    Row(1042, "invisible character ratio limit", REJECTED, False, False, REFUSED, REFUSED),
    Row(2013, "invalid params", INVALID, False, False, NOT_RENDERED, NOT_RENDERED),
    Row(2013, "invalid params, first_frame_image: invalid image url", UNUSABLE, False, False, IMAGE, IMAGE),
    Row(2013, "The minimum pixel on the short side of the image: 300px", UNUSABLE, False, False, IMAGE, IMAGE),
    Row(2038, "identity verification required", UNAUTHORIZED, False, False, NOT_AVAILABLE, NOT_AVAILABLE),
    Row(2045, "rate growth limit", THROTTLED, False, True, NOT_AVAILABLE, None),
    Row(2049, "invalid api key", UNAUTHORIZED, False, False, NOT_AVAILABLE, None),
    Row(2056, "usage limit exceeded", UNAUTHORIZED, False, False, NOT_AVAILABLE, NOT_AVAILABLE),
    Row(20132, "invalid samples or voice_id", UNINTELLIGIBLE, True, False, UNANSWERED, NOT_AVAILABLE),
]  # fmt: skip
"""The last stands for every code that is not documented for videos."""


def id_of(row: Row) -> str:
    return f"{row.code} {row.text}"


def submit_fault(row: Row) -> Fault:
    body = {"task_id": "", "base_resp": base_resp(row.code, row.text)}
    with pytest.raises(ProviderFault) as raised:
        from_submit(make_answer(body, is_submit=True, trace_id="0669"))
    return raised.value.fault


def decide(row: Row, *, attempt: int) -> object:
    tries = SubmitTries(
        attempt=attempt, unanswered_count=0, has_fallback=False, is_announced=False, policy=AmbiguousSubmit.FAIL
    )
    return after_submit_fault(submit_fault(row), tries, now=NOON, draw=0.5)


def test_every_code_that_we_know_has_a_row() -> None:
    assert {row.code for row in ROWS} == {*MEANINGS, 20132}


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_an_operator_finds_kind_ambiguity_and_text_of_a_submit(row: Row) -> None:
    assert submit_fault(row) == Fault(
        kind=row.kind,
        is_maybe_accepted=row.is_maybe_accepted,
        detail=f"HTTP 200: Trace-Id 0669, code {row.code}: {row.text}",
    )


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_a_customer_is_told_of_a_submit_in_a_sentence_of_ours(row: Row) -> None:
    decision = decide(row, attempt=5)
    # What is merely throttled is tried until the job's deadline.
    assert isinstance(decision, RetryAt if row.is_repeated else GiveUp)
    failure = decision.failure if isinstance(decision, GiveUp) else failure_of(submit_fault(row))
    assert (failure.code, failure.message) == row.at_submit


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_only_what_was_surely_not_taken_and_may_pass_later_is_sent_again(row: Row) -> None:
    decision = decide(row, attempt=1)
    assert isinstance(decision, RetryAt) == row.is_repeated
    if isinstance(decision, RetryAt):
        # Submits are counted by the minute.
        assert decision.retry_time >= NOON + timedelta(seconds=20)


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_a_failed_task_is_told_likewise_and_a_failed_question_ends_nothing(row: Row) -> None:
    body = {"task_id": "1", "status": "Fail", "base_resp": base_resp(row.code, row.text)}
    answer = make_answer(body, trace_id="0669")
    if row.at_failed_task is None:
        with pytest.raises(ProviderFault) as raised:
            from_query(answer, task_id="1", base_url="https://api.minimax.io")
        assert raised.value.fault.kind is row.kind
        return
    state = from_query(answer, task_id="1", base_url="https://api.minimax.io")
    assert isinstance(state, TaskFailed)
    assert (state.failure.code, state.failure.message) == row.at_failed_task
    assert state.failure.fault is not None
    assert state.failure.fault.detail == f"HTTP 200: Trace-Id 0669, code {row.code}: {row.text}"
    assert not state.failure.fault.is_maybe_accepted
    expected = UNAVAILABLE if row.kind is UNINTELLIGIBLE else row.kind
    assert state.failure.fault.kind is expected


def test_a_task_that_failed_for_no_stated_reason_is_the_providers_fault() -> None:
    body = {"task_id": "1", "status": "Fail", "base_resp": base_resp(0, "success")}
    state = from_query(make_answer(body), task_id="1", base_url="https://api.minimax.io")
    assert isinstance(state, TaskFailed)
    assert (state.failure.code, state.failure.message) == NOT_AVAILABLE
    assert state.failure.fault == Fault(kind=UNAVAILABLE, detail="HTTP 200: code 0: success")


HTTP_ROWS = [
    (400, INVALID, "refused", NOT_RENDERED),
    (401, UNAUTHORIZED, "refused", NOT_AVAILABLE),
    (402, UNAUTHORIZED, "refused", NOT_AVAILABLE),
    (403, UNAUTHORIZED, "refused", NOT_AVAILABLE),
    (404, INVALID, "refused", NOT_RENDERED),
    (413, INVALID, "refused", NOT_RENDERED),
    (408, TIMEOUT, "refused", NOT_AVAILABLE),
    (429, THROTTLED, "refused", NOT_AVAILABLE),
    (499, UNAVAILABLE, "ambiguous", NOT_AVAILABLE),
    (302, UNINTELLIGIBLE, "ambiguous", NOT_UNDERSTOOD),
    (500, UNAVAILABLE, "ambiguous", NOT_AVAILABLE),
    (502, UNAVAILABLE, "ambiguous", NOT_AVAILABLE),
    (503, UNAVAILABLE, "refused", NOT_AVAILABLE),
    (504, TIMEOUT, "ambiguous", NOT_AVAILABLE),
]


@pytest.mark.parametrize(("status", "kind", "outcome", "told"), HTTP_ROWS)
@pytest.mark.parametrize("body", ["<html>nginx</html>", '{"message": "a red fox"}', ""])
def test_an_answer_of_something_in_between_is_read_by_its_status_and_not_quoted(
    status: int, kind: FaultKind, outcome: str, told: tuple[FailureCode, str], body: str
) -> None:
    with pytest.raises(ProviderFault) as raised:
        from_submit(make_answer(body, status=status, is_submit=True))
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (kind, outcome == "ambiguous")
    assert fault.detail == f"HTTP {status}: no code that we know"
    failure = failure_of(fault)
    assert (failure.code, failure.message) == told


@pytest.mark.parametrize(
    ("status", "code", "kind", "outcome"),
    [
        (401, 1004, UNAUTHORIZED, "refused"),
        (429, 1002, THROTTLED, "refused"),
        (400, 2013, INVALID, "refused"),
        (500, 2013, INVALID, "refused"),
        (400, 1000, UNAVAILABLE, "ambiguous"),
        (500, 1000, UNAVAILABLE, "ambiguous"),
        (500, 0, UNAVAILABLE, "ambiguous"),
        (400, 31337, INVALID, "refused"),
        (500, 31337, UNAVAILABLE, "ambiguous"),
    ],
)
def test_a_code_that_we_know_says_more_than_the_status_that_carries_it(
    status: int, code: int, kind: FaultKind, outcome: str
) -> None:
    with pytest.raises(ProviderFault) as raised:
        from_submit(make_answer({"base_resp": base_resp(code)}, status=status, is_submit=True))
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (kind, outcome == "ambiguous")
