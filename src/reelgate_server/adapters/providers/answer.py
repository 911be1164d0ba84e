"""What a provider answered: read without trust, and turned into a `Fault` where it makes no sense."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

import httpx

from reelgate_server.adapters.redact import redact
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault

RETRY_AFTER_MAX = timedelta(hours=1)
"""A provider that asks for more is asked again after this; a job's deadline comes sooner anyway."""
CLIENT_CLOSED_REQUEST: Final = 499
"""No standard's. nginx notes by it, and gateways answer by it, that they hold the asker to be gone; what stands behind
them may have worked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer, whatever its status code."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes
    is_submit: bool
    """It answers a submit, so that not understanding it is ambiguous."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Struck out of what is kept of it."""

    @property
    def is_success(self) -> bool:
        """2xx."""
        return httpx.codes.is_success(self.status)

    @property
    def retry_after(self) -> timedelta | None:
        """What `Retry-After` says, in either of its forms, bounded; None without a header that can be read."""
        return read_retry_after(self.headers)

    def object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ProviderFault: `UNINTELLIGIBLE`; it is something else.
        """
        value = self.json()
        if not isinstance(value, dict):
            self.refuse(f"not a JSON object ({self.description()})")
        return value

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ProviderFault: `UNINTELLIGIBLE`; it is something else.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            self.refuse(f"not JSON ({self.description()})")

    def description(self) -> str:
        """What came, without its words: they may repeat what was asked."""
        return f"{self.headers.get('content-type', 'no content type')}, {len(self.body)} bytes"

    def refuse(self, why: str) -> NoReturn:
        """Say that the answer makes no sense.

        Raises:
            ProviderFault: `UNINTELLIGIBLE`, and maybe accepted if this answers a submit with success.
        """
        detail = f"HTTP {self.status}: {why}"
        is_maybe_accepted = self.is_submit and is_maybe_accepted_status(self.status)
        raise ProviderFault(
            Fault(
                kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=is_maybe_accepted, detail=redact(detail, self.secrets)
            )
        )

    def fault(self, kind: FaultKind, detail: str) -> ProviderFault:
        """A fault that this answer states; maybe accepted if it answers a submit and leaves that open."""
        return ProviderFault(
            Fault(
                kind=kind,
                is_maybe_accepted=self.is_submit and is_maybe_accepted_status(self.status),
                retry_after=self.retry_after,
                detail=redact(f"HTTP {self.status}: {detail}", self.secrets),
            )
        )


def is_maybe_accepted_status(status: int) -> bool:
    """Tell whether a submit that was answered so may have been taken.

    A redirect may follow on success (303: RFC 9110, 15.4.4). Surely refused is what the server finds wrong (4xx), among
    it what did not arrive whole (408: 15.5.9), and what it says it could not handle (503: 15.6.4).
    """
    if status == CLIENT_CLOSED_REQUEST:
        return True
    return not httpx.codes.is_client_error(status) and status != httpx.codes.SERVICE_UNAVAILABLE


def kind_of_status(status: int) -> FaultKind:
    """What an HTTP status means where the provider says no more."""
    match status:
        case httpx.codes.UNAUTHORIZED | httpx.codes.FORBIDDEN | httpx.codes.PAYMENT_REQUIRED:
            return FaultKind.UNAUTHORIZED
        case httpx.codes.TOO_MANY_REQUESTS:
            return FaultKind.THROTTLED
        case httpx.codes.REQUEST_TIMEOUT | httpx.codes.GATEWAY_TIMEOUT:
            return FaultKind.TIMEOUT
        case _ if status == CLIENT_CLOSED_REQUEST:
            return FaultKind.UNAVAILABLE
        case _ if httpx.codes.is_client_error(status):
            return FaultKind.INVALID
        case _ if httpx.codes.is_server_error(status):
            return FaultKind.UNAVAILABLE
        case _:
            return FaultKind.UNINTELLIGIBLE


def read_retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read `Retry-After`: seconds, or a date, which is taken against the answer's own `Date`."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        if value.isascii() and value.replace(".", "", 1).isdigit():
            wish = timedelta(seconds=min(float(value), RETRY_AFTER_MAX.total_seconds()))
        else:
            wish = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wish, timedelta()), RETRY_AFTER_MAX)
