"""When to submit again, with whom, and when to give up. Randomness comes in as a draw."""

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
    """Submits begun, this one included; >= 1."""
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
    `SUBMIT_ATTEMPT_COUNT_MAX` times in all. Content that a provider's rules forbid is not offered to another.

    Args:
        fault: What went wrong this time.
        tries: What went before.
        now: When the fault was seen.
        draw: Uniform in [0, 1).
    """
    if fault.is_maybe_accepted and (tries.policy is AmbiguousSubmit.FAIL or tries.unanswered_count > 0):
        if tries.is_announced:
            return AwaitAnnouncement()
        return GiveUp(
            JobFailure(
                code=FailureCode.SUBMIT_UNANSWERED,
                message="The provider did not confirm that it took the job; it was not sent again.",
                fault=fault,
            )
        )
    if tries.attempt >= SUBMIT_ATTEMPT_COUNT_MAX:
        return GiveUp(failure_of(fault))
    was_surely_refused = not fault.is_maybe_accepted and tries.unanswered_count == 0
    if tries.has_fallback and was_surely_refused and not _is_about_the_order(fault.kind):
        return AskNext()
    if not _is_worth_repeating(fault.kind):
        return GiveUp(failure_of(fault))
    delay = back_off(tries.attempt, draw)
    return RetryAt(now + max(delay, fault.retry_after or delay))


def failure_of(fault: Fault) -> JobFailure:
    """What a customer is told of a fault that ends a job."""
    match fault.kind:
        case FaultKind.REJECTED:
            code, message = FailureCode.REJECTED, "The provider refused to render this content."
        case FaultKind.IMAGE_UNUSABLE:
            code, message = FailureCode.IMAGE_UNUSABLE, "The image could not be fetched, or the provider cannot use it."
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
