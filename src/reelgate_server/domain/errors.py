"""What can be wrong, as a closed tree. `api/status.py` has one row for each leaf.

```
DomainError
├── InvalidRequest            a field breaks its rule; carries every violation found
│   └── InvalidSpec           the same, for what a video may be
├── ModelNotFound             no such model on this surface
├── ModelUnavailable          the model exists, but no provider of it is configured here, or it was withdrawn
├── JobNotFound               unknown, or another account's: the two look the same
├── JobNotCancellable         it has ended, or its video is already being stored
├── JobUnsuccessful           a create that waits for the video: the job ended without one
├── IdempotencyKeyReused      same key, other content
├── SequenceOutOfRange        a watch asked to continue beyond the log
├── InsufficientBalance       the balance does not cover the job
├── CredentialMissing         no API key was sent
├── CredentialUnknown         no such API key
├── CredentialRevoked         the key was revoked
├── MediaNotFound             no such file
├── RangeNotSatisfiable       the byte range lies beyond the file
├── MediaUnavailable          the media store cannot answer now
├── WebhookRejected           a webhook that its provider did not sign, or not lately
├── ProviderUnavailable       a call that needs a provider's word cannot have it now
├── StoreUnavailable          the store cannot answer now
├── StoreContended            another writer kept winning
├── ServerBusy                too many calls are open
├── ServerStopping            this server is draining
└── IllegalTransition         a bug: the lifecycle table has no such entry
```

A provider's failures with a job are not here: they are facts in the job's log (`faults.py`, `JobFailure`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reelgate_server.domain.ids import JobId, ModelId
from reelgate_server.domain.money import Money


class DomainError(Exception):
    """The root; raised only through its leaves. The message is safe to show to a customer."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that breaks its rule."""

    field: str
    """The name in the native contract, such as `clip_duration`; a dialect translates it."""
    description: str
    """What the field must be; a sentence fragment without the field's name, safe to show."""
    is_missing: bool = False
    """The field is required and absent."""


class InvalidRequest(DomainError):
    """One or more fields break their rules."""

    def __init__(self, violations: Iterable[FieldViolation]) -> None:
        """Take every violation found, in the order of the checks; at least one."""
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{each.field}: {each.description}" for each in self.violations))


class InvalidSpec(InvalidRequest):
    """What was asked for is no video this model makes."""


class ModelNotFound(DomainError):
    """No such model on this surface."""

    def __init__(self, model_id: str) -> None:
        """Keep at most 100 characters of what was asked."""
        self.model_id = model_id[:100]
        super().__init__(f"Model '{self.model_id}' does not exist.")


class ModelUnavailable(DomainError):
    """The model is in the catalogue, but nobody renders it here: no provider is configured, or it was withdrawn."""

    def __init__(self, model_id: ModelId, reason: str | None = None) -> None:
        """Name the model, and why it is not available, as a sentence that is safe to show."""
        self.model_id = model_id
        super().__init__(" ".join(filter(None, (f"Model '{model_id}' is not available on this server.", reason))))


class JobNotFound(DomainError):
    """No such job for this caller."""

    def __init__(self, job_id: str) -> None:
        """Keep at most 100 characters of what was asked."""
        self.job_id = job_id[:100]
        super().__init__("Job not found.")


class JobNotCancellable(DomainError):
    """The job has ended otherwise, or its video is already being stored."""

    def __init__(self, job_id: JobId, state: str) -> None:
        """Name the state that stands in the way."""
        self.job_id = job_id
        self.state = state
        super().__init__(f"A job that is {state} cannot be cancelled.")


class JobUnsuccessful(DomainError):
    """A caller waited for a video, and its job ended without one."""

    def __init__(
        self, job_id: JobId, state: str, reason: str, *, is_rejected: bool, is_image_unusable: bool = False
    ) -> None:
        """Carry how the job ended and a sentence that is safe to show.

        Args:
            job_id: The job.
            state: Its end.
            reason: Why, for the customer.
            is_rejected: The provider refused the content, so that trying again is useless.
            is_image_unusable: The provider cannot use the first frame, so that trying again with it is useless.
        """
        self.job_id = job_id
        self.state = state
        self.is_rejected = is_rejected
        self.is_image_unusable = is_image_unusable
        super().__init__(reason)


class IdempotencyKeyReused(DomainError):
    """The same idempotency key was sent with other content."""

    def __init__(self, job_id: JobId, field: str) -> None:
        """Name the job that holds the key and the first field that differs."""
        self.job_id = job_id
        self.field = field
        super().__init__(f"The idempotency key was used before with another {field}.")


class SequenceOutOfRange(DomainError):
    """A watch asked to continue after an event that has not happened."""

    def __init__(self, asked: int, last: int) -> None:
        """Carry the sequence asked for and the last one in the log."""
        self.asked = asked
        self.last = last
        super().__init__(f"The log ends at sequence {last}; {asked} is beyond it.")


class InsufficientBalance(DomainError):
    """The account's available balance does not cover the job."""

    def __init__(self, *, required: Money, available: Money) -> None:
        """Carry what create needed and what there was."""
        self.required = required
        self.available = available
        super().__init__("The available balance does not cover this job.")


class CredentialMissing(DomainError):
    """No API key was sent."""

    def __init__(self) -> None:
        """Say how to send one."""
        super().__init__("An API key is required: send it as 'Authorization: Bearer KEY'.")


class CredentialUnknown(DomainError):
    """The API key is not known, or not in the form of one."""

    def __init__(self) -> None:
        """Say no more than that."""
        super().__init__("The API key is not valid.")


class CredentialRevoked(DomainError):
    """The API key was known and has been revoked."""

    def __init__(self) -> None:
        """Say no more than that."""
        super().__init__("The API key has been revoked.")


class MediaNotFound(DomainError):
    """No such file in the media store."""

    def __init__(self) -> None:
        """Say no more than that."""
        super().__init__("No such file.")


class RangeNotSatisfiable(DomainError):
    """The byte range lies beyond the end of the file."""

    def __init__(self, size_bytes: int) -> None:
        """Carry the length of the file."""
        self.size_bytes = size_bytes
        super().__init__(f"The file has {size_bytes} bytes; the range lies beyond it.")


class MediaUnavailable(DomainError):
    """The media store cannot read or write now; a file is stored whole or not at all."""

    def __init__(self) -> None:
        """Say nothing of the technology."""
        super().__init__("The media store is not available; try again.")


class WebhookRejected(DomainError):
    """A webhook is not what it claims to be."""

    def __init__(self) -> None:
        """Never say which check failed: that is for the operator, who finds it as the cause."""
        super().__init__("The webhook is not signed by its provider, or not lately.")


class ProviderUnavailable(DomainError):
    """A provider whose word a call needs cannot be asked now; nothing was changed."""

    def __init__(self) -> None:
        """Say nothing of what went wrong, which the operator finds as the cause."""
        super().__init__("The provider cannot be asked now; try again.")


class StoreUnavailable(DomainError):
    """The store cannot answer now; nothing was changed, or the change is unknown and safe to repeat."""

    def __init__(self) -> None:
        """Say nothing of the driver."""
        super().__init__("The store is not available; try again.")


class StoreContended(DomainError):
    """Another writer changed the job each time this one tried; nothing was changed."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("The job changed while this was tried; try again.")


class ServerBusy(DomainError):
    """This server has as many calls open as it takes."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("The server is busy; try again.")


class ServerStopping(DomainError):
    """This server is draining; another, or the next one, continues."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("The server is stopping; continue on another connection.")


class IllegalTransition(DomainError):
    """An event that the lifecycle table does not allow in this state: a bug, never a user's mistake."""

    def __init__(self, state: str, event: str) -> None:
        """Name the missing entry."""
        super().__init__(f"{event} is not possible in state {state}.")
