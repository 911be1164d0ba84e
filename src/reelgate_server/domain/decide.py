"""What a command does to a job: events, or a refusal that changes nothing. No I/O, no clock, no dice."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from reelgate_server.domain.errors import JobNotCancellable
from reelgate_server.domain.events import (
    Announced,
    Cancelled,
    Expired,
    Failed,
    JobEvent,
    JobFailure,
    Progressed,
    Rendered,
    Stored,
    StoredMedia,
    SubmitIntended,
    SubmitRefused,
    Submitted,
    SubmitUnanswered,
    Task,
)
from reelgate_server.domain.faults import Fault
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.retry import AskNext, AwaitAnnouncement, GiveUp, RetryAt, SubmitTries, after_submit_fault


@dataclass(frozen=True, slots=True)
class IntendSubmit:
    """Record that the provider is about to be called."""


@dataclass(frozen=True, slots=True)
class RecordSubmitted:
    """Record that the provider took the task."""

    task: Task


@dataclass(frozen=True, slots=True)
class RecordSubmitFault:
    """Record that the submit failed, and decide what follows."""

    fault: Fault
    draw: float
    """Uniform in [0, 1), for the jitter of the next try."""
    is_announced: bool = False
    """The provider will tell us of the task by webhook, should it have taken it."""


@dataclass(frozen=True, slots=True)
class RecordAnnounced:
    """Record that the provider has told us that a task has ended."""

    task_id: str


@dataclass(frozen=True, slots=True)
class RecordProgress:
    """Record how far the render has come."""

    progress_percent: int
    """Any number; it is kept within 0 to 99, and told only when it has grown."""


@dataclass(frozen=True, slots=True)
class RecordRendered:
    """Record that the provider is done."""

    source_url: str


@dataclass(frozen=True, slots=True)
class RecordStored:
    """Record that the file is in our storage."""

    media: StoredMedia


@dataclass(frozen=True, slots=True)
class Fail:
    """End the job without a video."""

    failure: JobFailure


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the job because its customer says so."""


@dataclass(frozen=True, slots=True)
class Expire:
    """End the job if its deadline has passed."""


Command = (
    IntendSubmit
    | RecordSubmitted
    | RecordSubmitFault
    | RecordAnnounced
    | RecordProgress
    | RecordRendered
    | RecordStored
    | Fail
    | Cancel
    | Expire
)


def decide(job: Job, command: Command, now: datetime) -> tuple[JobEvent, ...]:
    """Turn a command into the events that follow from it.

    Returns:
        Events to append, in order; none when there is nothing to say, such as progress that has not grown, a cancel
        of a cancelled job, a task that was announced before, or an expiry before the deadline.

    Raises:
        JobNotCancellable: `Cancel` of a job that has ended otherwise or is being stored.
    """
    match command:
        case IntendSubmit():
            return (SubmitIntended(event_time=now, attempt=job.attempt_count + 1),)
        case RecordSubmitted():
            return (Submitted(event_time=now, task=command.task),)
        case RecordSubmitFault():
            return _after_submit_fault(job, command, now)
        case RecordAnnounced():
            is_news = job.state is JobState.PROCESSING and not job.is_announced and _is_task(job, command.task_id)
            return (Announced(event_time=now),) if is_news else ()
        case RecordProgress():
            progress = min(max(command.progress_percent, 0), 99)
            has_grown = progress > job.progress_percent
            return (Progressed(event_time=now, progress_percent=progress),) if has_grown else ()
        case RecordRendered():
            return (Rendered(event_time=now, source_url=command.source_url),)
        case RecordStored():
            return (Stored(event_time=now, media=command.media),)
        case Fail():
            return (Failed(event_time=now, failure=command.failure),)
        case Cancel():
            return _cancel(job, now)
        case Expire():
            is_due = not job.is_terminal and now >= job.expire_time
            return (Expired(event_time=now),) if is_due else ()
        case _:
            assert_never(command)


def _is_task(job: Job, task_id: str) -> bool:
    return job.task is not None and job.task.task_id == task_id


def _after_submit_fault(job: Job, command: RecordSubmitFault, now: datetime) -> tuple[JobEvent, ...]:
    fault = command.fault
    tries = SubmitTries(
        attempt=job.attempt_count - job.throttled_count,
        unanswered_count=job.unanswered_count,
        has_fallback=bool(job.fallbacks),
        is_announced=command.is_announced,
        policy=job.ambiguous_submit,
    )
    outcome = after_submit_fault(fault, tries, now=now, draw=command.draw)
    fact = SubmitUnanswered if fault.is_maybe_accepted else SubmitRefused
    match outcome:
        case RetryAt():
            return (fact(event_time=now, fault=fault, retry_time=outcome.retry_time),)
        case AskNext():
            return (SubmitRefused(event_time=now, fault=fault, retry_time=now, next=job.fallbacks[0]),)
        case AwaitAnnouncement():
            return (fact(event_time=now, fault=fault, retry_time=job.expire_time),)
        case GiveUp():
            return (
                fact(event_time=now, fault=fault, retry_time=now),
                Failed(event_time=now, failure=outcome.failure),
            )
        case _:
            assert_never(outcome)


def _cancel(job: Job, now: datetime) -> tuple[JobEvent, ...]:
    match job.state:
        case JobState.PENDING | JobState.SUBMITTING | JobState.PROCESSING:
            return (Cancelled(event_time=now),)
        case JobState.CANCELLED:
            return ()
        case JobState.STORING | JobState.SUCCEEDED | JobState.FAILED | JobState.EXPIRED:
            raise JobNotCancellable(job.job_id, job.state)
        case _:
            assert_never(job.state)
