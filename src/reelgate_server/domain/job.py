"""A job: what its log adds up to."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import assert_never

from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy
from reelgate_server.domain.errors import IllegalTransition
from reelgate_server.domain.events import (
    Announced,
    Cancelled,
    Created,
    Expired,
    Failed,
    Fallback,
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
from reelgate_server.domain.faults import FaultKind
from reelgate_server.domain.ids import AccountId, JobId, KeyId, ProviderName
from reelgate_server.domain.lifecycle import TERMINAL, JobState, next_state
from reelgate_server.domain.pricing import Quote
from reelgate_server.domain.spec import JobRequest, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One video to make, for one account."""

    job_id: JobId
    account_id: AccountId
    key_id: KeyId
    request: JobRequest
    """What was asked, as it came; compared when an idempotency key is replayed."""
    spec: Spec
    quote: Quote
    billing: BillingPolicy
    ambiguous_submit: AmbiguousSubmit
    provider: ProviderName
    is_simulated: bool
    idempotency_key: str | None
    create_time: datetime
    expire_time: datetime
    state: JobState
    sequence: int
    """How many events the log holds."""
    update_time: datetime
    """When the last event happened."""
    fallbacks: tuple[Fallback, ...] = ()
    """Who is asked if `provider` surely does not take it, in order."""
    attempt_count: int = 0
    """Submits begun."""
    throttled_count: int = 0
    """Of these, those that a provider put off because there were too many."""
    unanswered_count: int = 0
    """Submits that the provider may have accepted without our knowing."""
    retry_time: datetime | None = None
    """In `PENDING` after a failed submit: when the next one is due."""
    task: Task | None = None
    """From `PROCESSING` on."""
    submit_time: datetime | None = None
    """When the provider took the task, or we learnt of it."""
    is_announced: bool = False
    """The provider has told us that the task has ended."""
    progress_percent: int = 0
    """0 to 100; 100 only when succeeded."""
    source_url: str | None = None
    """From `STORING` on: where the provider keeps the file."""
    media: StoredMedia | None = None
    """When succeeded."""
    failure: JobFailure | None = None
    """When failed."""

    @property
    def is_terminal(self) -> bool:
        """The job has ended."""
        return self.state in TERMINAL

    @property
    def wants_driving(self) -> bool:
        """A driver has something to do: the job has not ended, or it has left something behind.

        That is a task that may still be running for nobody, or the bytes of a first frame.
        """
        return not self.is_terminal or self.is_abandoned or self.spec.image is not None

    @property
    def is_abandoned(self) -> bool:
        """The job ended while its provider had the task."""
        return self.state in {JobState.CANCELLED, JobState.EXPIRED} and self.task is not None

    @property
    def failure_text(self) -> str | None:
        """Why the job ended without a video, as a sentence that is safe to show; None if it did not."""
        match self.state:
            case JobState.FAILED:
                return self.failure.message if self.failure is not None else None
            case JobState.CANCELLED:
                return "The job was cancelled."
            case JobState.EXPIRED:
                return "The job did not end before its deadline."
            case JobState.PENDING | JobState.SUBMITTING | JobState.PROCESSING | JobState.STORING | JobState.SUCCEEDED:
                return None
            case _:
                assert_never(self.state)

    @property
    def end_time(self) -> datetime | None:
        """When the job ended; None before."""
        return self.update_time if self.is_terminal else None


def apply(job: Job | None, event: JobEvent) -> Job:
    """The job after one more event; the argument is not changed.

    Args:
        job: None before `Created`.
        event: One that `decide` produced for this job.

    Raises:
        IllegalTransition: The lifecycle has no such entry.
    """
    if isinstance(event, Created):
        next_state(job.state if job else None, Created)
        return _create(event)
    if job is None:
        raise IllegalTransition(str(None), type(event).__name__)
    job = replace(
        job,
        state=next_state(job.state, type(event)),
        sequence=job.sequence + 1,
        update_time=event.event_time,
    )
    match event:
        case SubmitIntended():
            return replace(job, attempt_count=event.attempt, retry_time=None)
        case Submitted():
            return replace(job, task=event.task, submit_time=event.event_time, retry_time=None)
        case SubmitRefused():
            throttled_count = job.throttled_count + (event.fault.kind is FaultKind.THROTTLED)
            return _move_on(replace(job, retry_time=event.retry_time, throttled_count=throttled_count), event.next)
        case SubmitUnanswered():
            return replace(job, retry_time=event.retry_time, unanswered_count=job.unanswered_count + 1)
        case Announced():
            return replace(job, is_announced=True)
        case Progressed():
            return replace(job, progress_percent=event.progress_percent)
        case Rendered():
            return replace(job, source_url=event.source_url)
        case Stored():
            return replace(job, media=event.media, progress_percent=100)
        case Failed():
            return replace(job, failure=event.failure)
        case Cancelled() | Expired():
            return job
        case _:
            assert_never(event)


def extend(job: Job, events: Iterable[JobEvent]) -> Job:
    """The job after several more events."""
    return reduce(apply, events, job)


def fold(events: Iterable[JobEvent]) -> Job:
    """The job that a whole log adds up to; the log begins with `Created`."""
    first, *others = events
    return extend(apply(None, first), others)


def _move_on(job: Job, fallback: Fallback | None) -> Job:
    if fallback is None:
        return job
    spec = replace(job.spec, render_duration=fallback.render_duration)
    return replace(job, provider=fallback.provider, spec=spec, fallbacks=job.fallbacks[1:])


def _create(event: Created) -> Job:
    return Job(
        job_id=event.job_id,
        account_id=event.account_id,
        key_id=event.key_id,
        request=event.request,
        spec=event.spec,
        quote=event.quote,
        billing=event.billing,
        ambiguous_submit=event.ambiguous_submit,
        provider=event.provider,
        fallbacks=event.fallbacks,
        is_simulated=event.is_simulated,
        idempotency_key=event.idempotency_key,
        create_time=event.event_time,
        expire_time=event.expire_time,
        state=JobState.PENDING,
        sequence=1,
        update_time=event.event_time,
    )
