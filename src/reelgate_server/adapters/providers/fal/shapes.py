"""What fal sends, and what each of its error types means here.

Sources, read 2026-11-20: fal.ai/docs/api-reference/inference-api (submit, status, result), docs.fal.ai/errors (a
model's errors), docs.fal.ai/documentation/model-apis/request-errors (the platform's), fal-js `libs/client/src` at
381105e of 2026-08-02 (status bodies, a video model's result).

    submit   {"request_id", "response_url", "status_url", "cancel_url", "status": "IN_QUEUE", "queue_position"}
             With a webhook the documents show {"request_id", "gateway_request_id"} alone.
    status   {"status": "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED"[, "error", "error_type"]}, HTTP 202 until COMPLETED
    result   {"video": {"url", ...}, ...}, or the model's own error with its own HTTP status
    cancel   {"status": "OK" | "CANCELLATION_REQUESTED" | "ALREADY_COMPLETED" | "NOT_FOUND"}
    error    {"detail": [{"loc", "msg", "type", "url"[, "ctx", "input"]}]} from a model, with `X-Fal-Retryable`
             {"detail": "<text>", "error_type"} from the platform, with `X-Fal-Error-Type`
             {"detail": "<text>"} from older models and from the gateway
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from reelgate_server.domain.faults import FaultKind


class QueueState(StrEnum):
    """Where a request is. COMPLETED says only that it has ended; there is no state for a failure."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The answer to a look at a request."""

    state: QueueState
    error: str
    """Why it ended without a result; empty if the answer names nothing, which does not make it a success."""
    error_type: str
    """One of `PLATFORM_KINDS`, or something newer; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error body in one of fal's forms."""

    types: tuple[str, ...]
    """Machine-readable, in the order given; empty for a body that has only text."""
    is_of_model: bool
    """One of the types stands in a row, and rows are a model's."""
    text: str
    """For the operator: types, places and messages, without the input that fal repeats beside them."""


PLATFORM_KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "request_timeout": FaultKind.TIMEOUT,
        "startup_timeout": FaultKind.TIMEOUT,
        "runner_scheduling_failure": FaultKind.UNAVAILABLE,
        "runner_connection_timeout": FaultKind.UNAVAILABLE,
        "runner_disconnected": FaultKind.UNAVAILABLE,
        "runner_connection_refused": FaultKind.UNAVAILABLE,
        "runner_connection_error": FaultKind.UNAVAILABLE,
        "runner_incomplete_response": FaultKind.UNAVAILABLE,
        "runner_server_error": FaultKind.UNAVAILABLE,
        "client_disconnected": FaultKind.UNAVAILABLE,
        # Seen on a job that we did not cancel, it was withdrawn in fal's dashboard.
        "client_cancelled": FaultKind.UNAVAILABLE,
        "bad_request": FaultKind.INVALID,
        "internal_error": FaultKind.UNAVAILABLE,
    }
)
"""Error types of the platform."""

MODEL_KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "content_policy_violation": FaultKind.REJECTED,
        # What the video models answer when their own filter has left nothing to give.
        "no_media_generated": FaultKind.REJECTED,
        "image_load_error": FaultKind.IMAGE_UNUSABLE,
        "file_download_error": FaultKind.IMAGE_UNUSABLE,
        "image_too_small": FaultKind.IMAGE_UNUSABLE,
        "image_too_large": FaultKind.IMAGE_UNUSABLE,
        "file_too_large": FaultKind.IMAGE_UNUSABLE,
        "unsupported_image_format": FaultKind.IMAGE_UNUSABLE,
        "face_detection_error": FaultKind.IMAGE_UNUSABLE,
        "unsupported_audio_format": FaultKind.INVALID,
        "unsupported_video_format": FaultKind.INVALID,
        "greater_than": FaultKind.INVALID,
        "greater_than_equal": FaultKind.INVALID,
        "less_than": FaultKind.INVALID,
        "less_than_equal": FaultKind.INVALID,
        "multiple_of": FaultKind.INVALID,
        "sequence_too_short": FaultKind.INVALID,
        "sequence_too_long": FaultKind.INVALID,
        "one_of": FaultKind.INVALID,
        "feature_not_supported": FaultKind.INVALID,
        "internal_server_error": FaultKind.UNAVAILABLE,
        "downstream_service_error": FaultKind.UNAVAILABLE,
        "downstream_service_unavailable": FaultKind.UNAVAILABLE,
        "generation_timeout": FaultKind.TIMEOUT,
    }
)
"""Error types of the models. FastAPI's own, such as `missing`, are not listed: the HTTP status says what they mean."""

GRAVITY = (FaultKind.REJECTED, FaultKind.IMAGE_UNUSABLE, FaultKind.INVALID, FaultKind.TIMEOUT, FaultKind.UNAVAILABLE)
"""Of several errors in one body the first of these counts: what only the customer can mend comes first."""
