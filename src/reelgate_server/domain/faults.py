"""What can go wrong at a provider: a closed set, from which alone `retry.py` decides."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class FaultKind(StrEnum):
    """Why a call to a provider did not do what was asked."""

    REJECTED = "rejected"
    """The provider's rules forbid this content; repeating it is useless."""
    INVALID = "invalid"
    """Our request was wrong; repeating it is useless, and an operator should look."""
    IMAGE_UNUSABLE = "image_unusable"
    """The first frame cannot be fetched, or is none that the provider takes; only the customer can mend it."""
    UNAUTHORIZED = "unauthorized"
    """Our credentials were refused, or our account is locked."""
    THROTTLED = "throttled"
    """Too many requests; `retry_after` says when, if the provider did."""
    UNAVAILABLE = "unavailable"
    """The provider is down, or answered that it cannot now."""
    TIMEOUT = "timeout"
    """No answer within our limit."""
    UNINTELLIGIBLE = "unintelligible"
    """An answer that we cannot read."""
    TASK_UNKNOWN = "task_unknown"
    """The provider says definitely that it has no such task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One failed call to a provider."""

    kind: FaultKind
    is_maybe_accepted: bool = False
    """The provider may have taken the task although we got no good answer; only a submit can be so."""
    retry_after: timedelta | None = None
    """The provider's own word on when to try again; >= 0."""
    detail: str = ""
    """The provider's text for the operator, without secrets; never shown to a customer."""


class ProviderFault(Exception):
    """Carries a `Fault` out of a provider adapter; the driver turns it into events."""

    def __init__(self, fault: Fault) -> None:
        """Wrap the fault."""
        self.fault = fault
        super().__init__(f"{fault.kind}: {fault.detail}")
