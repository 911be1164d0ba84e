"""What can happen to a job, as facts in its log. The log is the truth; a job is what it adds up to.

A job's events are numbered from 1 without gaps; the number is the event's place in the log and not part of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy
from reelgate_server.domain.faults import Fault
from reelgate_server.domain.ids import AccountId, JobId, KeyId, ProviderName
from reelgate_server.domain.pricing import Quote
from reelgate_server.domain.spec import JobRequest, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The provider's side of a job: what it takes to ask for it again."""

    task_id: str
    """The provider's own name for it."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Addresses the provider gave at submit, by role; used as given, never built. Without credentials."""
    credential: str | None = None
    """The name of the credential that made it, never the credential; None for a provider that needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMedia:
    """A finished video in our own storage."""

    object_name: str
    """`generated-videos/{account}/{job}/video.mp4`; the media store makes the public URL from it."""
    content_type: str
    size_bytes: int
    """> 0."""
    sha256: str
    """Lower-case hex of the whole file, computed while copying."""


class FailureCode(StrEnum):
    """Why a job failed, as a customer may see it."""

    REJECTED = "rejected"
    """The provider refused the content."""
    IMAGE_UNUSABLE = "image_unusable"
    """The first frame could not be fetched, or is none that the provider takes."""
    PROVIDER_ERROR = "provider_error"
    """The provider could not render it."""
    SUBMIT_UNANSWERED = "submit_unanswered"
    """The provider may have taken the task, but its answer was lost."""
    INTERNAL = "internal"
    """Our own fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """Why a job failed."""

    code: FailureCode
    message: str
    """A sentence that is safe to show to a customer."""
    fault: Fault | None = None
    """The provider's own account, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """A provider that is asked when the one before it surely did not take the job."""

    provider: ProviderName
    render_duration: timedelta
    """What this provider is asked for; >= the clip's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The job was recorded and paid for; nothing has been sent."""

    event_time: datetime
    job_id: JobId
    account_id: AccountId
    key_id: KeyId
    request: JobRequest
    spec: Spec
    quote: Quote
    billing: BillingPolicy
    ambiguous_submit: AmbiguousSubmit
    provider: ProviderName
    """Who is asked first."""
    fallbacks: tuple[Fallback, ...] = ()
    """Who is asked next, in order. Once a provider has taken the task, nobody else is."""
    is_simulated: bool
    """The local renderer stands in for a provider that has no credentials."""
    expire_time: datetime
    """When the job ends if it has not by then."""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitIntended:
    """The provider is about to be called. A crash from here on leaves an ambiguous submit."""

    event_time: datetime
    attempt: int
    """1 for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The provider has accepted the task."""

    event_time: datetime
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRefused:
    """The provider surely did not accept the task; it is tried again at `retry_time`."""

    event_time: datetime
    fault: Fault
    retry_time: datetime
    next: Fallback | None = None
    """Who is asked from now on; None leaves it with the same provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitUnanswered:
    """The provider may have accepted the task; the plan's policy decides what follows."""

    event_time: datetime
    fault: Fault
    retry_time: datetime
    """When the next try is due, if the policy allows one. Otherwise `Failed` follows at once, or, from a provider that
    announces its tasks, this is the deadline: until then its webhook may still tell of the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The provider has told us that the task has ended; it is about to be asked how. Recorded once."""

    event_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The render has come further."""

    event_time: datetime
    progress_percent: int
    """0 to 99; more than the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The provider is done; the file is about to be copied."""

    event_time: datetime
    source_url: str
    """Where the provider keeps the file; without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The file is in our storage, complete and verified."""

    event_time: datetime
    media: StoredMedia


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job ended without a video."""

    event_time: datetime
    failure: JobFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The customer ended the job."""

    event_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """The job did not end before its deadline."""

    event_time: datetime


JobEvent = (
    Created
    | SubmitIntended
    | Submitted
    | SubmitRefused
    | SubmitUnanswered
    | Announced
    | Progressed
    | Rendered
    | Stored
    | Failed
    | Cancelled
    | Expired
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """An event in its place."""

    sequence: int
    """1-based position in the job's log."""
    event: JobEvent
