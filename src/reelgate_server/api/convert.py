"""Between the native messages and the domain. Pure; each field is converted in one place."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, assert_never

import grpc
from google.protobuf import json_format, struct_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2

from reelgate.v1 import account_service_pb2, job_pb2, model_service_pb2, video_service_pb2
from reelgate.v1.error_reason_pb2 import ErrorReason
from reelgate_server.api.status import error_info, make_status
from reelgate_server.app.providers import Availability
from reelgate_server.app.watch_job import JobUpdate, UpdateKind
from reelgate_server.domain import events as event
from reelgate_server.domain.accounts import Caller, Plan
from reelgate_server.domain.catalogue import ImageInput, Model
from reelgate_server.domain.events import FailureCode, LoggedEvent
from reelgate_server.domain.ids import AccountId
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import Balance, Transfer, TransferKind, changes, charged
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.pricing import price
from reelgate_server.domain.spec import JobRequest

MediaUrl = Callable[[str], str]
"""Makes the public address of a stored object from its name."""

STATE: Final[Mapping[JobState, "job_pb2.JobState"]] = MappingProxyType(
    {
        JobState.PENDING: job_pb2.JOB_STATE_PENDING,
        JobState.SUBMITTING: job_pb2.JOB_STATE_PENDING,
        JobState.PROCESSING: job_pb2.JOB_STATE_PROCESSING,
        JobState.STORING: job_pb2.JOB_STATE_PROCESSING,
        JobState.SUCCEEDED: job_pb2.JOB_STATE_SUCCEEDED,
        JobState.FAILED: job_pb2.JOB_STATE_FAILED,
        JobState.CANCELLED: job_pb2.JOB_STATE_CANCELLED,
        JobState.EXPIRED: job_pb2.JOB_STATE_EXPIRED,
    }
)
"""What customers see of each state."""

EVENT_TYPE: Final[Mapping[type[event.JobEvent], "job_pb2.JobEventType"]] = MappingProxyType(
    {
        event.Created: job_pb2.JOB_EVENT_TYPE_CREATED,
        event.SubmitIntended: job_pb2.JOB_EVENT_TYPE_SUBMIT_INTENDED,
        event.Submitted: job_pb2.JOB_EVENT_TYPE_SUBMITTED,
        event.SubmitRefused: job_pb2.JOB_EVENT_TYPE_SUBMIT_REFUSED,
        event.SubmitUnanswered: job_pb2.JOB_EVENT_TYPE_SUBMIT_UNANSWERED,
        event.Announced: job_pb2.JOB_EVENT_TYPE_ANNOUNCED,
        event.Progressed: job_pb2.JOB_EVENT_TYPE_PROGRESSED,
        event.Rendered: job_pb2.JOB_EVENT_TYPE_RENDERED,
        event.Stored: job_pb2.JOB_EVENT_TYPE_STORED,
        event.Failed: job_pb2.JOB_EVENT_TYPE_FAILED,
        event.Cancelled: job_pb2.JOB_EVENT_TYPE_CANCELLED,
        event.Expired: job_pb2.JOB_EVENT_TYPE_EXPIRED,
    }
)
"""What customers see of each event."""

_END: Final = {
    JobState.CANCELLED: (grpc.StatusCode.CANCELLED, ErrorReason.ERROR_REASON_JOB_CANCELLED),
    JobState.EXPIRED: (grpc.StatusCode.DEADLINE_EXCEEDED, ErrorReason.ERROR_REASON_JOB_EXPIRED),
}
"""How gRPC calls the ends that no provider caused."""
_UPDATE_KIND: Final = {
    UpdateKind.SNAPSHOT: video_service_pb2.WATCH_JOB_RESPONSE_KIND_SNAPSHOT,
    UpdateKind.EVENT: video_service_pb2.WATCH_JOB_RESPONSE_KIND_EVENT,
    UpdateKind.HEARTBEAT: video_service_pb2.WATCH_JOB_RESPONSE_KIND_HEARTBEAT,
}
_IMAGE_INPUT: Final = {
    ImageInput.NONE: model_service_pb2.IMAGE_INPUT_NONE,
    ImageInput.OPTIONAL: model_service_pb2.IMAGE_INPUT_OPTIONAL,
    ImageInput.REQUIRED: model_service_pb2.IMAGE_INPUT_REQUIRED,
}
_AVAILABILITY: Final = {
    Availability.AVAILABLE: model_service_pb2.AVAILABILITY_AVAILABLE,
    Availability.SIMULATED: model_service_pb2.AVAILABILITY_SIMULATED,
    Availability.UNAVAILABLE: model_service_pb2.AVAILABILITY_UNAVAILABLE,
}
_TRANSFER_KIND: Final = {
    TransferKind.CREDIT: account_service_pb2.LEDGER_ENTRY_KIND_CREDIT,
    TransferKind.HOLD: account_service_pb2.LEDGER_ENTRY_KIND_HOLD,
    TransferKind.POST: account_service_pb2.LEDGER_ENTRY_KIND_POST,
    TransferKind.VOID: account_service_pb2.LEDGER_ENTRY_KIND_VOID,
}


def from_create_request(request: video_service_pb2.CreateJobRequest) -> JobRequest:
    """What a native create asks for; empty strings are gaps."""
    return JobRequest(
        model=request.model,
        prompt=request.prompt,
        clip_duration=from_duration(request.clip_duration) if request.HasField("clip_duration") else None,
        aspect_ratio=request.aspect_ratio or None,
        resolution=request.resolution or None,
        image_url=request.image_url or None,
        extra=from_struct(request.extra),
    )


def from_duration(duration: Duration) -> timedelta:
    """A length, to the microsecond; what is finer is rounded up, so that it does not pass for a whole second."""
    return timedelta(seconds=duration.seconds, microseconds=math.ceil(duration.nanos / 1000))


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A JSON object as Python values; whole numbers become integers, as they were in the JSON."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: struct_pb2.Value) -> Any:
    """A JSON value as a Python value; whole numbers become integers."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [from_value(each) for each in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def to_value(plain: Any) -> struct_pb2.Value:
    """A Python value as a JSON value; None becomes `null`."""
    return json_format.ParseDict(plain, struct_pb2.Value())


def to_job(job: Job, media_url: MediaUrl) -> job_pb2.Job:
    """A job as customers see it."""
    message = job_pb2.Job(
        job_id=job.job_id,
        model=job.spec.model,
        prompt=job.spec.prompt,
        clip_duration=job.spec.clip_duration,
        render_duration=job.spec.render_duration,
        aspect_ratio=job.spec.aspect_ratio,
        resolution=job.spec.resolution,
        image_url=job.spec.image_url or "",
        extra=dict(job.spec.extra),
        state=STATE[job.state],
        progress_percent=job.progress_percent,
        sequence=job.sequence,
        simulated=job.is_simulated,
        create_time=job.create_time,
        update_time=job.update_time,
        end_time=job.end_time,
        expire_time=job.expire_time,
        error=to_error(job),
        price_micros=job.quote.price.amount_micros,
        currency=job.quote.price.currency,
    )
    if job.media is not None:
        message.video.uri = media_url(job.media.object_name)
        message.video.content_type = job.media.content_type
        message.video.size_bytes = job.media.size_bytes
        message.video.sha256 = job.media.sha256
    paid = charged(job)
    if paid is not None:
        message.charged_micros = paid.amount_micros
    return message


def to_error(job: Job) -> status_pb2.Status | None:
    """Why a job ended without a video; None if it did not."""
    if job.failure_text is None:
        return None
    code, reason = _end_of(job)
    return make_status(code, job.failure_text, [error_info(reason, {})])


def to_update(update: JobUpdate, media_url: MediaUrl) -> video_service_pb2.WatchJobResponse:
    """One message of a watch."""
    return video_service_pb2.WatchJobResponse(
        kind=_UPDATE_KIND[update.kind],
        sequence=update.sequence,
        job=to_job(update.job, media_url),
        event=to_event(update.logged) if update.logged is not None else None,
    )


def to_event(logged: LoggedEvent) -> job_pb2.JobEvent:
    """One event as customers see it."""
    return job_pb2.JobEvent(
        sequence=logged.sequence, event_time=logged.event.event_time, type=EVENT_TYPE[type(logged.event)]
    )


def from_state(state: int) -> frozenset[JobState] | None:
    """The states that a customer's state stands for; None (any) for the unspecified one."""
    if state == job_pb2.JOB_STATE_UNSPECIFIED:
        return None
    return frozenset(each for each, seen in STATE.items() if seen == state)


def to_model(
    model: Model, plan: Plan, availability: Availability, aspect_ratios: Sequence[str]
) -> model_service_pb2.Model:
    """A model, priced for an account, with the ratios that somebody renders here."""
    per_second = price(timedelta(seconds=1), model, plan)
    return model_service_pb2.Model(
        model=model.model_id,
        display_name=model.name,
        provider=model.provider,
        clip_durations=[Duration(seconds=each) for each in model.durations_s],
        default_clip_duration=Duration(seconds=model.duration_default_s),
        aspect_ratios=aspect_ratios,
        resolutions=model.resolutions,
        audio=model.has_audio,
        image_input=_IMAGE_INPUT[model.image_input],
        price_per_second_micros=per_second.amount_micros,
        currency=per_second.currency,
        availability=_AVAILABILITY[availability],
    )


def to_balance(balance: Balance, caller: Caller) -> account_service_pb2.Balance:
    """What an account has."""
    return account_service_pb2.Balance(
        account_id=caller.account.account_id,
        plan=caller.plan.name,
        currency=balance.available.currency,
        available_micros=balance.available.amount_micros,
        held_micros=balance.held.amount_micros,
    )


def to_ledger_entry(transfer: Transfer, account_id: AccountId) -> account_service_pb2.LedgerEntry:
    """A transfer as it touches one of its accounts."""
    change = next(each for each in changes(transfer) if each.account_id == account_id)
    return account_service_pb2.LedgerEntry(
        transfer_id=transfer.transfer_id,
        kind=_TRANSFER_KIND[transfer.kind],
        available_change_micros=change.posted_micros - change.held_micros,
        amount_micros=transfer.amount.amount_micros,
        currency=transfer.amount.currency,
        job_id=transfer.job_id or "",
        hold_id=transfer.hold_id or "",
        create_time=transfer.create_time,
    )


def _end_of(job: Job) -> "tuple[grpc.StatusCode, ErrorReason]":
    if job.failure is None:
        return _END[job.state]
    match job.failure.code:
        case FailureCode.REJECTED:
            return grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_JOB_REJECTED
        case FailureCode.IMAGE_UNUSABLE:
            return grpc.StatusCode.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_IMAGE_UNUSABLE
        case FailureCode.PROVIDER_ERROR:
            return grpc.StatusCode.UNAVAILABLE, ErrorReason.ERROR_REASON_PROVIDER_ERROR
        case FailureCode.SUBMIT_UNANSWERED:
            return grpc.StatusCode.UNKNOWN, ErrorReason.ERROR_REASON_SUBMIT_UNANSWERED
        case FailureCode.INTERNAL:
            return grpc.StatusCode.INTERNAL, ErrorReason.ERROR_REASON_INTERNAL
        case _:
            assert_never(job.failure.code)
