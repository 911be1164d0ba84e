"""When to try again, when to look again, and when to give up. Randomness comes in as a draw."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from reelgate_server.domain.accounts import AmbiguousSubmit
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind

SUBMIT_ATTEMPT_COUNT_MAX = 5
"""Submits of one job. With the delays below the last comes about 15 seconds after the first."""
BACK_OFF_FIRST = timedelta(seconds=1)
"""Mean delay before the second try."""
BACK_OFF_MAX = timedelta(minutes=1)
"""No delay of ours is longer; a provider's own `retry_after` may be."""
POLL_INTERVAL_MIN = timedelta(seconds=1)
POLL_INTERVAL_MAX = timedelta(seconds=15)
"""The longest interval that a documented gateway recommends to its own clients is 30 s."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Submit again at this time."""

    retry_time: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the job."""

    failure: JobFailure


def back_off(failure_count: int, draw: float) -> timedelta:
    """Exponential delay with full jitter over its upper half.

    Args:
        failure_count: Failures so far; >= 1.
        draw: Uniform in [0, 1).

    Returns:
        Between half and one and a half times `BACK_OFF_FIRST` x 2 ** (failure_count - 1), at most `BACK_OFF_MAX`.
    """
    doublings = min(failure_count - 1, 16)
    return min(BACK_OFF_FIRST * (1 << doublings) * (0.5 + draw), BACK_OFF_MAX)


def after_submit_fault(
    fault: Fault,
    *,
    attempt: int,
    unanswered_count: int,
    policy: AmbiguousSubmit,
    now: datetime,
    draw: float,
) -> RetryAt | GiveUp:
    """Decide what follows a failed submit.

    What the provider may have accepted is sent once more if the plan says so, and never again. What it surely did not
    accept is tried again unless trying is useless, at most `SUBMIT_ATTEMPT_COUNT_MAX` times in all.

    Args:
        fault: What went wrong this time.
        attempt: Submits begun, this one included; >= 1.
        unanswered_count: Submits before this one that the provider may have accepted.
        policy: The plan's, frozen at create.
        now: When the fault was seen.
        draw: Uniform in [0, 1).
    """
    if fault.is_maybe_accepted and (policy is AmbiguousSubmit.FAIL or unanswered_count > 0):
        return GiveUp(
            JobFailure(
                code=FailureCode.SUBMIT_UNANSWERED,
                message="The provider did not confirm that it took the job; it was not sent again.",
                fault=fault,
            )
        )
    if not _is_worth_repeating(fault.kind) or attempt >= SUBMIT_ATTEMPT_COUNT_MAX:
        return GiveUp(failure_of(fault))
    delay = back_off(attempt, draw)
    return RetryAt(now + max(delay, fault.retry_after or delay))


def failure_of(fault: Fault) -> JobFailure:
    """What a customer is told of a fault that ends a job."""
    match fault.kind:
        case FaultKind.REJECTED:
            code, message = FailureCode.REJECTED, "The provider refused to render this content."
        case FaultKind.INVALID:
            code, message = FailureCode.PROVIDER_ERROR, "The provider could not render this request."
        case FaultKind.UNAUTHORIZED | FaultKind.THROTTLED | FaultKind.UNAVAILABLE | FaultKind.TIMEOUT:
            code, message = FailureCode.PROVIDER_ERROR, "The provider is not available."
        case FaultKind.UNINTELLIGIBLE:
            code, message = FailureCode.PROVIDER_ERROR, "The provider's answer could not be understood."
        case FaultKind.TASK_UNKNOWN:
            code, message = FailureCode.PROVIDER_ERROR, "The provider has lost the job."
        case _:
            assert_never(fault.kind)
    return JobFailure(code=code, message=message, fault=fault)


def poll_interval(typical: timedelta, elapsed: timedelta) -> timedelta:
    """How long to wait before looking at a running render again.

    Early on, half of what is left of the typical time; after it, a tenth of what has passed. Both are bounded.
    """
    left = typical - elapsed
    interval = left / 2 if left > timedelta() else elapsed / 10
    return min(max(interval, POLL_INTERVAL_MIN), POLL_INTERVAL_MAX)


def _is_worth_repeating(kind: FaultKind) -> bool:
    match kind:
        case FaultKind.REJECTED | FaultKind.INVALID | FaultKind.UNAUTHORIZED:
            return False
        case (
            FaultKind.THROTTLED
            | FaultKind.UNAVAILABLE
            | FaultKind.TIMEOUT
            | FaultKind.UNINTELLIGIBLE
            | FaultKind.TASK_UNKNOWN
        ):
            return True
        case _:
            assert_never(kind)
