"""When to submit again, with whom, and when to give up. Randomness comes in as a draw."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from reelgate_server.domain.accounts import AmbiguousSubmit
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind

SUBMIT_ATTEMPT_COUNT_MAX = 5
"""Submits of one job. With the delays below the last comes about 15 seconds after the first."""
BACK_OFF_FIRST = timedelta(seconds=1)
"""Mean delay before the second try."""
THROTTLED_PAUSE = timedelta(seconds=20)
"""Before the next try where a provider that throttles us does not say when; such limits are by the minute. How often
this happens is bounded by the job's deadline alone."""
BACK_OFF_MAX = timedelta(minutes=1)
"""No delay of ours is longer; a provider's own `retry_after` may be."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Submit again at this time."""

    retry_time: datetime


@dataclass(frozen=True, slots=True)
class AskNext:
    """Submit to the next provider, at once."""


@dataclass(frozen=True, slots=True)
class AwaitAnnouncement:
    """Submit no more, and wait for the provider's own word until the job's deadline."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitTries:
    """What has been tried to submit one job, and what may be."""

    attempt: int
    """Submits begun, this one included, but for earlier ones that were merely throttled; >= 1."""
    unanswered_count: int
    """Submits before this one that the provider may have accepted."""
    has_fallback: bool
    """There is another provider to ask."""
    is_announced: bool
    """The provider will tell us of a task by webhook, should it have taken one."""
    policy: AmbiguousSubmit
    """The plan's, frozen at create."""


def after_submit_fault(
    fault: Fault, tries: SubmitTries, *, now: datetime, draw: float
) -> RetryAt | AskNext | AwaitAnnouncement | GiveUp:
    """Decide what follows a failed submit.

    What the provider may have accepted is sent once more if the plan says so, and never again. What it surely did not
    accept, in any of its tries, goes to the next provider; or else it is tried again, unless trying is useless, at most
    `SUBMIT_ATTEMPT_COUNT_MAX` times in all, or for as long as the provider merely throttles us. What the rules of one
    provider forbid is not offered to another.

    Args:
        fault: What went wrong this time.
        tries: What went before.
        now: When the fault was seen.
        draw: Uniform in [0, 1).
    """
    if fault.is_maybe_accepted and (tries.policy is AmbiguousSubmit.FAIL or tries.unanswered_count > 0):
        message = "The provider did not confirm that it took the job; it was not sent again."
        return _end(fault, tries, JobFailure(code=FailureCode.SUBMIT_UNANSWERED, message=message, fault=fault))
    if tries.attempt >= SUBMIT_ATTEMPT_COUNT_MAX and fault.kind is not FaultKind.THROTTLED:
        return _end(fault, tries, failure_of(fault))
    was_surely_refused = not fault.is_maybe_accepted and tries.unanswered_count == 0
    if tries.has_fallback and was_surely_refused and not _is_about_the_order(fault.kind):
        return AskNext()
    if not _is_worth_repeating(fault.kind):
        return _end(fault, tries, failure_of(fault))
    delay = back_off(tries.attempt, draw)
    if fault.kind is FaultKind.THROTTLED:
        # Those who were told the same time to wait do not all come back at it.
        return RetryAt(now + (fault.retry_after or THROTTLED_PAUSE) + delay)
    return RetryAt(now + max(delay, fault.retry_after or delay))


def _end(fault: Fault, tries: SubmitTries, failure: JobFailure) -> AwaitAnnouncement | GiveUp:
    """Send no more. What a provider may have taken at any try, it may still tell us of."""
    is_anything_unanswered = fault.is_maybe_accepted or tries.unanswered_count > 0
    return AwaitAnnouncement() if tries.is_announced and is_anything_unanswered else GiveUp(failure)


def _is_about_the_order(kind: FaultKind) -> bool:
    """Tell whether the fault lies in what was asked for, so that no provider should be asked again."""
    return kind in {FaultKind.REJECTED, FaultKind.IMAGE_UNUSABLE}


def _is_worth_repeating(kind: FaultKind) -> bool:
    match kind:
        case FaultKind.REJECTED | FaultKind.INVALID | FaultKind.IMAGE_UNUSABLE | FaultKind.UNAUTHORIZED:
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
