"""One table from domain errors to gRPC statuses. A test walks the error tree and fails if a leaf has no row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from reelgate.v1.error_reason_pb2 import ErrorReason
from reelgate_server.domain.errors import (
    CredentialMissing,
    CredentialRevoked,
    CredentialUnknown,
    DomainError,
    IdempotencyKeyReused,
    IllegalTransition,
    InsufficientBalance,
    InvalidRequest,
    InvalidSpec,
    JobNotCancellable,
    JobNotFound,
    JobUnsuccessful,
    MediaNotFound,
    MediaUnavailable,
    ModelNotFound,
    ModelUnavailable,
    ProviderUnavailable,
    RangeNotSatisfiable,
    SequenceOutOfRange,
    ServerBusy,
    ServerStopping,
    StoreContended,
    StoreUnavailable,
    WebhookRejected,
)

ERROR_DOMAIN: Final = "reelgate"
"""The `domain` of every `ErrorInfo`."""
MESSAGE_CHARACTERS_MAX: Final = 1000
"""A status message travels as a header, of which peers accept about 8 kB in all."""


@dataclass(frozen=True, slots=True)
class Row:
    """How one domain error is told to gRPC callers."""

    code: grpc.StatusCode
    reason: "ErrorReason"
    metadata: Callable[[Any], Mapping[str, str]] = lambda _: {}
    """The `ErrorInfo` metadata of an error of this type; the keys are documented in `error_reason.proto`."""
    retry_delay: timedelta | None = None
    """Sent as `RetryInfo`."""


def _fields(error: InvalidRequest) -> Mapping[str, str]:
    return {"field": error.violations[0].field}


STATUS: Final[Mapping[type[DomainError], Row]] = {
    InvalidRequest: Row(grpc.StatusCode.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_INVALID_REQUEST, _fields),
    InvalidSpec: Row(grpc.StatusCode.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_INVALID_SPEC, _fields),
    ModelNotFound: Row(
        grpc.StatusCode.NOT_FOUND,
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        lambda error: {"model": error.model_id},
    ),
    ModelUnavailable: Row(
        grpc.StatusCode.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE,
        lambda error: {"model": error.model_id},
    ),
    JobNotFound: Row(
        grpc.StatusCode.NOT_FOUND,
        ErrorReason.ERROR_REASON_JOB_NOT_FOUND,
        lambda error: {"job_id": error.job_id},
    ),
    JobNotCancellable: Row(
        grpc.StatusCode.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_JOB_NOT_CANCELLABLE,
        lambda error: {"job_id": error.job_id},
    ),
    JobUnsuccessful: Row(
        grpc.StatusCode.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_JOB_UNSUCCESSFUL,
        lambda error: {"job_id": error.job_id, "state": error.state},
    ),
    IdempotencyKeyReused: Row(
        grpc.StatusCode.ALREADY_EXISTS,
        ErrorReason.ERROR_REASON_IDEMPOTENCY_KEY_REUSED,
        lambda error: {"field": error.field, "job_id": error.job_id},
    ),
    SequenceOutOfRange: Row(
        grpc.StatusCode.OUT_OF_RANGE,
        ErrorReason.ERROR_REASON_SEQUENCE_OUT_OF_RANGE,
        lambda error: {"asked": str(error.asked), "last": str(error.last)},
    ),
    InsufficientBalance: Row(
        grpc.StatusCode.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_INSUFFICIENT_BALANCE,
        lambda error: {
            "required_micros": str(error.required.amount_micros),
            "available_micros": str(error.available.amount_micros),
            "currency": error.required.currency,
        },
    ),
    CredentialMissing: Row(grpc.StatusCode.UNAUTHENTICATED, ErrorReason.ERROR_REASON_CREDENTIAL_MISSING),
    CredentialUnknown: Row(grpc.StatusCode.UNAUTHENTICATED, ErrorReason.ERROR_REASON_CREDENTIAL_UNKNOWN),
    CredentialRevoked: Row(grpc.StatusCode.UNAUTHENTICATED, ErrorReason.ERROR_REASON_CREDENTIAL_REVOKED),
    MediaNotFound: Row(grpc.StatusCode.NOT_FOUND, ErrorReason.ERROR_REASON_MEDIA_NOT_FOUND),
    RangeNotSatisfiable: Row(
        grpc.StatusCode.OUT_OF_RANGE,
        ErrorReason.ERROR_REASON_RANGE_NOT_SATISFIABLE,
        lambda error: {"size_bytes": str(error.size_bytes)},
    ),
    MediaUnavailable: Row(
        grpc.StatusCode.UNAVAILABLE,
        ErrorReason.ERROR_REASON_MEDIA_UNAVAILABLE,
        retry_delay=timedelta(seconds=1),
    ),
    WebhookRejected: Row(grpc.StatusCode.UNAUTHENTICATED, ErrorReason.ERROR_REASON_WEBHOOK_REJECTED),
    ProviderUnavailable: Row(
        grpc.StatusCode.UNAVAILABLE,
        ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        retry_delay=timedelta(minutes=1),
    ),
    StoreUnavailable: Row(
        grpc.StatusCode.UNAVAILABLE,
        ErrorReason.ERROR_REASON_STORE_UNAVAILABLE,
        retry_delay=timedelta(seconds=1),
    ),
    StoreContended: Row(grpc.StatusCode.ABORTED, ErrorReason.ERROR_REASON_STORE_CONTENDED),
    ServerBusy: Row(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_SERVER_BUSY,
        retry_delay=timedelta(seconds=1),
    ),
    ServerStopping: Row(
        grpc.StatusCode.UNAVAILABLE,
        ErrorReason.ERROR_REASON_SERVER_STOPPING,
        retry_delay=timedelta(),
    ),
    # A bug; the boundary tells it as it tells every other bug.
    IllegalTransition: Row(grpc.StatusCode.INTERNAL, ErrorReason.ERROR_REASON_INTERNAL),
}


def to_status(error: DomainError) -> status_pb2.Status:
    """The rich status of a domain error."""
    row = STATUS[type(error)]
    details: list[Message] = [error_info(row.reason, row.metadata(error))]
    if isinstance(error, InvalidRequest):
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=each.field, description=each.description)
                    for each in error.violations
                ]
            )
        )
    if isinstance(error, JobNotFound):
        details.append(error_details_pb2.ResourceInfo(resource_type="reelgate.v1.Job", resource_name=error.job_id))
    if row.retry_delay is not None:
        retry_info = error_details_pb2.RetryInfo()
        retry_info.retry_delay.FromTimedelta(row.retry_delay)
        details.append(retry_info)
    return make_status(row.code, str(error), details)


def make_status(code: grpc.StatusCode, message: str, details: list[Message]) -> status_pb2.Status:
    """A rich status; the message is cut to what a header can carry."""
    return status_pb2.Status(
        code=code.value[0], message=message[:MESSAGE_CHARACTERS_MAX], details=[_pack(each) for each in details]
    )


def error_info(reason: "ErrorReason", metadata: Mapping[str, str]) -> error_details_pb2.ErrorInfo:
    """The `ErrorInfo` of a reason, named without its prefix."""
    name = ErrorReason.Name(reason).removeprefix("ERROR_REASON_")
    return error_details_pb2.ErrorInfo(reason=name, domain=ERROR_DOMAIN, metadata=metadata)


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
