"""When to submit again, with whom, and when to give up."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.accounts import AmbiguousSubmit
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.retry import (
    AskNext,
    AwaitAnnouncement,
    GiveUp,
    RetryAt,
    SubmitTries,
    after_submit_fault,
    back_off,
)
from tests.domain.builders import NOW

SECOND = timedelta(seconds=1)
USELESS = {FaultKind.REJECTED, FaultKind.INVALID, FaultKind.IMAGE_UNUSABLE, FaultKind.UNAUTHORIZED}


def outcome(
    fault: Fault,
    *,
    attempt: int = 1,
    unanswered_count: int = 0,
    policy: AmbiguousSubmit = AmbiguousSubmit.FAIL,
    has_fallback: bool = False,
    is_announced: bool = False,
    draw: float = 0.5,
) -> RetryAt | AskNext | AwaitAnnouncement | GiveUp:
    """What follows a fault seen now."""
    tries = SubmitTries(
        attempt=attempt,
        unanswered_count=unanswered_count,
        has_fallback=has_fallback,
        is_announced=is_announced,
        policy=policy,
    )
    return after_submit_fault(fault, tries, now=NOW, draw=draw)


@pytest.mark.parametrize(
    ("failure_count", "draw", "seconds"),
    [
        (1, 0.0, 0.5),
        (1, 0.5, 1.0),
        (2, 0.0, 1.0),
        (2, 0.5, 2.0),
        (3, 0.5, 4.0),
        (4, 0.5, 8.0),
        (5, 0.5, 16.0),
        (6, 0.5, 32.0),
        (7, 0.5, 60.0),
        (7, 0.0, 32.0),
        (1000, 0.0, 60.0),
    ],
)
def test_delays_double_up_to_a_minute(failure_count: int, draw: float, seconds: float) -> None:
    assert back_off(failure_count, draw) == timedelta(seconds=seconds)


@given(st.integers(min_value=1, max_value=10_000), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_delay_is_never_shorter_than_half_a_second_nor_longer_than_a_minute(failure_count: int, draw: float) -> None:
    assert timedelta(seconds=0.5) <= back_off(failure_count, draw) <= timedelta(minutes=1)


@pytest.mark.parametrize("kind", FaultKind)
def test_what_was_surely_not_accepted_is_tried_again_unless_that_is_useless(kind: FaultKind) -> None:
    fault = Fault(kind=kind)
    # Whoever throttles us is left alone for longer.
    delay = 21 * SECOND if kind is FaultKind.THROTTLED else SECOND
    expected = GiveUp(failure_of(fault)) if kind in USELESS else RetryAt(NOW + delay)
    assert outcome(fault) == expected
    assert outcome(fault, policy=AmbiguousSubmit.RETRY) == expected


@pytest.mark.parametrize("attempt", [1, 2, 3, 4])
def test_the_first_four_refusals_are_tried_again(attempt: int) -> None:
    delays = {1: 1, 2: 2, 3: 4, 4: 8}
    expected = RetryAt(NOW + timedelta(seconds=delays[attempt]))
    assert outcome(Fault(kind=FaultKind.UNAVAILABLE), attempt=attempt) == expected


@pytest.mark.parametrize("attempt", [5, 6])
def test_the_fifth_refusal_ends_the_job(attempt: int) -> None:
    fault = Fault(kind=FaultKind.UNAVAILABLE)
    assert outcome(fault, attempt=attempt) == GiveUp(
        JobFailure(code=FailureCode.PROVIDER_ERROR, message="The provider is not available.", fault=fault)
    )


@pytest.mark.parametrize(("retry_after_s", "waited_s"), [(0, 1), (0.5, 1), (1, 1), (30, 30), (3600, 3600)])
def test_the_providers_own_delay_is_honoured_where_it_is_longer(retry_after_s: float, waited_s: float) -> None:
    fault = Fault(kind=FaultKind.UNAVAILABLE, retry_after=timedelta(seconds=retry_after_s))
    assert outcome(fault) == RetryAt(NOW + timedelta(seconds=waited_s))


@pytest.mark.parametrize(
    ("retry_after_s", "waited_s"), [(None, 21), (0, 21), (0.5, 1.5), (1, 2), (30, 31), (3600, 3601)]
)
def test_those_who_are_throttled_come_back_some_time_after_the_one_they_were_all_told(
    retry_after_s: float | None, waited_s: float
) -> None:
    retry_after = None if retry_after_s is None else timedelta(seconds=retry_after_s)
    fault = Fault(kind=FaultKind.THROTTLED, retry_after=retry_after)
    assert outcome(fault) == RetryAt(NOW + timedelta(seconds=waited_s))
    for draw, jitter_s in ((0.0, -0.5), (0.25, -0.25), (0.75, 0.25)):
        assert outcome(fault, draw=draw) == RetryAt(NOW + timedelta(seconds=waited_s + jitter_s))


@pytest.mark.parametrize(("attempt", "waited_s"), [(4, 28), (5, 36), (6, 52), (7, 80), (1000, 80)])
def test_being_throttled_is_no_reason_to_give_up(attempt: int, waited_s: float) -> None:
    fault = Fault(kind=FaultKind.THROTTLED)
    assert outcome(fault, attempt=attempt) == RetryAt(NOW + timedelta(seconds=waited_s))


@pytest.mark.parametrize("attempt", [1, 5, 1000])
def test_a_provider_that_throttles_us_hands_over_to_the_next(attempt: int) -> None:
    fault = Fault(kind=FaultKind.THROTTLED, retry_after=timedelta(minutes=1))
    assert outcome(fault, has_fallback=True, attempt=attempt) == AskNext()


@pytest.mark.parametrize("kind", FaultKind)
def test_a_lost_answer_is_never_repeated_under_the_default_policy(kind: FaultKind) -> None:
    fault = Fault(kind=kind, is_maybe_accepted=True)
    assert outcome(fault) == GiveUp(
        JobFailure(
            code=FailureCode.SUBMIT_UNANSWERED,
            message="The provider did not confirm that it took the job; it was not sent again.",
            fault=fault,
        )
    )


def test_a_lost_answer_is_repeated_once_where_the_plan_says_so() -> None:
    fault = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)
    assert outcome(fault, policy=AmbiguousSubmit.RETRY) == RetryAt(NOW + SECOND)
    second = outcome(fault, attempt=2, unanswered_count=1, policy=AmbiguousSubmit.RETRY)
    assert isinstance(second, GiveUp)
    assert second.failure.code is FailureCode.SUBMIT_UNANSWERED


def test_a_refusal_after_a_lost_answer_is_still_tried_again() -> None:
    for kind, waited_s in ((FaultKind.UNAVAILABLE, 2), (FaultKind.THROTTLED, 22)):
        expected = RetryAt(NOW + timedelta(seconds=waited_s))
        tried = outcome(Fault(kind=kind), attempt=2, unanswered_count=1, policy=AmbiguousSubmit.RETRY)
        assert tried == expected


@pytest.mark.parametrize("kind", FaultKind)
def test_what_a_provider_surely_did_not_accept_goes_to_the_next_at_once(kind: FaultKind) -> None:
    is_about_the_order = kind in {FaultKind.REJECTED, FaultKind.IMAGE_UNUSABLE}
    fault = Fault(kind=kind, retry_after=timedelta(minutes=1))
    expected = GiveUp(failure_of(fault)) if is_about_the_order else AskNext()
    assert outcome(fault, has_fallback=True) == expected


@pytest.mark.parametrize("policy", AmbiguousSubmit)
def test_what_a_provider_may_have_accepted_never_goes_to_the_next(policy: AmbiguousSubmit) -> None:
    fault = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)
    assert outcome(fault, has_fallback=True, policy=policy) == outcome(fault, policy=policy)


@pytest.mark.parametrize("kind", FaultKind)
def test_after_a_lost_answer_not_even_a_refusal_goes_to_the_next(kind: FaultKind) -> None:
    fault = Fault(kind=kind)
    second = outcome(fault, has_fallback=True, attempt=2, unanswered_count=1, policy=AmbiguousSubmit.RETRY)
    assert second == outcome(fault, attempt=2, unanswered_count=1, policy=AmbiguousSubmit.RETRY)


def test_going_to_the_next_counts_as_a_try() -> None:
    fault = Fault(kind=FaultKind.UNAVAILABLE)
    assert outcome(fault, has_fallback=True, attempt=4) == AskNext()
    assert outcome(fault, has_fallback=True, attempt=5) == GiveUp(failure_of(fault))


def test_a_lost_answer_is_waited_for_where_the_provider_announces_its_tasks() -> None:
    lost = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)
    assert outcome(lost, is_announced=True) == AwaitAnnouncement()
    retried = outcome(lost, is_announced=True, policy=AmbiguousSubmit.RETRY)
    assert retried == RetryAt(NOW + SECOND)
    second = outcome(lost, is_announced=True, policy=AmbiguousSubmit.RETRY, attempt=2, unanswered_count=1)
    assert second == AwaitAnnouncement()


def test_a_refusal_is_not_waited_for() -> None:
    assert outcome(Fault(kind=FaultKind.UNAVAILABLE), is_announced=True) == RetryAt(NOW + SECOND)
    last = Fault(kind=FaultKind.UNAVAILABLE)
    assert outcome(last, is_announced=True, attempt=5) == GiveUp(failure_of(last))
    useless = Fault(kind=FaultKind.REJECTED)
    assert outcome(useless, is_announced=True) == GiveUp(failure_of(useless))


@pytest.mark.parametrize(
    ("kind", "attempt"),
    [
        *((kind, 2) for kind in sorted(USELESS)),
        (FaultKind.UNAVAILABLE, 5),
        (FaultKind.TIMEOUT, 6),
    ],
)
def test_a_refusal_that_ends_the_tries_leaves_an_earlier_lost_answer_to_be_announced(
    kind: FaultKind, attempt: int
) -> None:
    fault = Fault(kind=kind)
    for policy in AmbiguousSubmit:
        assert outcome(fault, attempt=attempt, unanswered_count=1, policy=policy) == GiveUp(failure_of(fault))
        awaited = outcome(fault, attempt=attempt, unanswered_count=1, policy=policy, is_announced=True)
        assert awaited == AwaitAnnouncement()
