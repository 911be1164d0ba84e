"""The rules of native requests that the wire format cannot express, one row each.

Rules that depend on a model are the domain's (`domain/spec.py`). In `proto/` each field's comment states its bound.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import Message

from reelgate.v1 import job_pb2, model_service_pb2, video_service_pb2
from reelgate_server.domain.errors import FieldViolation, InvalidRequest
from reelgate_server.domain.ids import is_uuid

DURATION_S_MAX: Final = 86_400
"""No model makes a video of a day; a longer duration would not even fit every language's type."""


EXTRA_MESSAGE_BYTES_MAX: Final = 256 * 1024
"""16,384 bytes of JSON, which is the documented rule, are less than half of it as a message."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field must be."""

    field: str
    is_kept: Callable[[Any], bool]
    """Whether the message keeps the rule."""
    description: str
    is_missing: Callable[[Any], bool] = lambda _: False
    """Whether the message lacks the field altogether."""


_JOB_ID: Final = Rule(
    "job_id", lambda request: is_uuid(request.job_id), "must be a lower-case UUID", lambda request: not request.job_id
)
_MODEL: Final = Rule("model", lambda request: bool(request.model), "is required", lambda request: not request.model)
_CLIP_DURATION: Final = Rule(
    "clip_duration",
    lambda request: 0 <= request.clip_duration.seconds <= DURATION_S_MAX and request.clip_duration.nanos >= 0,
    f"must be 0 to {DURATION_S_MAX} seconds",
)

RULES: Final[Mapping[type[Message], tuple[Rule, ...]]] = MappingProxyType(
    {
        video_service_pb2.CreateJobRequest: (
            _MODEL,
            _CLIP_DURATION,
            # Refused unread: reading takes microseconds a member. What is smaller, the domain measures as JSON.
            Rule("extra", lambda request: request.extra.ByteSize() <= EXTRA_MESSAGE_BYTES_MAX, "is too large"),
        ),
        video_service_pb2.GetJobRequest: (_JOB_ID,),
        video_service_pb2.CancelJobRequest: (_JOB_ID,),
        video_service_pb2.ListJobsRequest: (
            Rule("state", lambda request: request.state in job_pb2.JobState.values(), "must be a known state"),
        ),
        video_service_pb2.WatchJobRequest: (
            _JOB_ID,
            Rule("after_sequence", lambda request: request.after_sequence >= 0, "must not be negative"),
        ),
        model_service_pb2.EstimateCostRequest: (_MODEL, _CLIP_DURATION),
    }
)


def validate(request: Message) -> None:
    """Check a native request against its rules.

    Raises:
        InvalidRequest: Carries every violation, in the order of the rules.
    """
    violations = [
        FieldViolation(rule.field, rule.description, rule.is_missing(request))
        for rule in RULES.get(type(request), ())
        if not rule.is_kept(request)
    ]
    if violations:
        raise InvalidRequest(violations)
