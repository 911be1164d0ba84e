"""How a fal request goes wrong: the two documented error bodies, and where each shows.

Sources: docs.fal.ai/errors (model errors), docs.fal.ai/documentation/model-apis/request-errors (infrastructure).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reelgate_simulators.fal_inputs import problem

RETRYABLE_TYPES = frozenset(
    {"internal_server_error", "generation_timeout", "downstream_service_error", "downstream_service_unavailable"}
)
"""Model errors worth another try; `X-Fal-Retryable` says the same."""

INFRASTRUCTURE_CODES: Mapping[str, int] = {
    "request_timeout": 504,
    "startup_timeout": 504,
    "runner_scheduling_failure": 503,
    "runner_connection_timeout": 503,
    "runner_disconnected": 503,
    "runner_connection_refused": 503,
    "runner_connection_error": 503,
    "runner_incomplete_response": 502,
    "runner_server_error": 500,
    "client_disconnected": 499,
    "client_cancelled": 499,
    "bad_request": 400,
    "internal_error": 500,
}
"""Documented error types and their codes; the code of `internal_error` is not documented."""


@dataclass(frozen=True, kw_only=True)
class FalFailure:
    """The end of a request that did not succeed."""

    code: int
    """Of the result, or of the submit where it is refused at once."""
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    """Text in the status; absent for model errors, which only the result shows."""
    error_type: str | None = None


def model_failure(
    kind: str, message: str, *, loc: tuple[str, ...] = ("body", "prompt"), code: int = 422, value: Any = None
) -> FalFailure:
    """Build an error that the model raised."""
    return model_failure_of([problem(list(loc), message, kind, value)], code=code)


def model_failure_of(detail: list[dict[str, Any]], *, code: int = 422) -> FalFailure:
    """Build a model error of several rows."""
    is_retryable = all(row["type"] in RETRYABLE_TYPES for row in detail)
    return FalFailure(
        code=code, body={"detail": detail}, headers={"X-Fal-Retryable": "true" if is_retryable else "false"}
    )


def infrastructure_failure(error_type: str, message: str, headers: Mapping[str, str] | None = None) -> FalFailure:
    """Build an error of the platform; its code follows from the type.

    Raises:
        KeyError: Not a documented type.
    """
    return FalFailure(
        code=INFRASTRUCTURE_CODES[error_type],
        body={"detail": message, "error_type": error_type},
        headers={"X-Fal-Error-Type": error_type} | dict(headers or {}),
        error=message,
        error_type=error_type,
    )


CONTENT_POLICY = model_failure(
    "content_policy_violation", "The content could not be processed because it was flagged by a content checker."
)
NO_MEDIA = model_failure("no_media_generated", "No media was generated; the output was filtered.", loc=("body",))
RUNNER_LOST = infrastructure_failure("runner_disconnected", "Runner disconnected unexpectedly")
CANCELLED = infrastructure_failure("client_cancelled", "Request was cancelled by the client")
START_TIMEOUT = infrastructure_failure("request_timeout", "Request timed out", {"X-Fal-Request-Timeout-Type": "user"})
