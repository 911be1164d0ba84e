"""GeekHub's video API, documentation V1. See `geekhub_service.proto` and docs/surfaces.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from reelgate.geekhub.v1 import geekhub_service_pb2 as pb
from reelgate.geekhub.v1 import geekhub_service_pb2_grpc
from reelgate_server.api.auth import authenticate
from reelgate_server.api.convert import MediaUrl, to_value
from reelgate_server.api.dialects.fields import Fields
from reelgate_server.api.http_error import INTERNAL_SERVER_ERROR, ErrorTable, HttpError, cut, sentence
from reelgate_server.api.metadata import Context
from reelgate_server.app.accounts import Accounts
from reelgate_server.app.create_job import CreateJob
from reelgate_server.app.read_jobs import get_job
from reelgate_server.app.watch_job import WatchJob
from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.catalogue import Catalogue, Model
from reelgate_server.domain.errors import (
    CredentialMissing,
    CredentialRevoked,
    CredentialUnknown,
    DomainError,
    InsufficientBalance,
    InvalidRequest,
    InvalidSpec,
    JobNotFound,
    ModelNotFound,
    ModelUnavailable,
    ServerBusy,
    ServerStopping,
)
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.spec import JobRequest, whole_seconds
from reelgate_server.ports.store import JobStore

STATUS: Final[Mapping[JobState, str]] = {
    JobState.PENDING: "pending",
    JobState.SUBMITTING: "pending",
    JobState.PROCESSING: "processing",
    JobState.STORING: "processing",
    JobState.SUCCEEDED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
    JobState.EXPIRED: "failed",
}
"""What GeekHub calls each state."""

ERRORS: Final = ErrorTable(
    {
        InvalidRequest: (400, "invalid_request_error"),
        InvalidSpec: (400, "invalid_request_error"),
        CredentialMissing: (401, "missing_api_key"),
        CredentialUnknown: (401, "invalid_api_key"),
        CredentialRevoked: (401, "key_revoked"),
        InsufficientBalance: (402, "insufficient_balance"),
        ModelNotFound: (404, "model_not_found"),
        JobNotFound: (404, "not_found"),
        ModelUnavailable: (502, "provider_unavailable"),
        ServerBusy: (429, "rate_limit_exceeded"),
        ServerStopping: (503, "internal_error"),
    },
    otherwise="internal_error",
)
"""HTTP status and code of each error this API documents; any other is a 500 `internal_error`."""

INSUFFICIENT_BALANCE_MESSAGE: Final = "Insufficient balance. Recharge at https://app.geekhub.mx/dashboard/billing."
"""The one message whose text is documented."""
FIELD_NAMES: Final = {"clip_duration": "duration"}
"""What GeekHub calls our fields, where it differs."""
SUBMIT_TRIED: Final = frozenset(JobState) - {JobState.PENDING, JobState.SUBMITTING}
"""States after which create need not wait longer."""


def geekhub_error(error: DomainError | None, request_id: str) -> HttpError:
    """Say an error as GeekHub does: `type` equal to `code`, and a traceable `request_id`."""
    status, code = ERRORS.find(error)
    match error:
        case InsufficientBalance():
            message = INSUFFICIENT_BALANCE_MESSAGE
        case InvalidRequest(violations=violations):
            message = "; ".join(sentence(each, FIELD_NAMES) for each in violations)
        case _ if error is None or status == INTERNAL_SERVER_ERROR:
            message = "Internal error. Retry, and report it with the request_id."
        case _:
            message = str(error)
    body = {"message": cut(message), "type": code, "code": code, "request_id": request_id}
    return HttpError(status, {"error": body})


@dataclass(frozen=True, slots=True, kw_only=True)
class GeekHubServicer(geekhub_service_pb2_grpc.GeekHubServiceServicer):
    """The documented endpoints that concern videos."""

    accounts: Accounts
    store: JobStore
    catalogue: Catalogue
    create: CreateJob
    watch: WatchJob
    submit_wait: timedelta
    """How long create waits for the submit to have been tried."""
    media_url: MediaUrl

    async def CreateVideo(self, request: pb.CreateVideoRequest, context: Context) -> pb.VideoJob:
        """Create a job: key, body, model, limits, balance."""
        caller = await authenticate(self.accounts, context)
        outcome = await self.create(caller, Surface.GEEKHUB, _read_create(request))
        job = await self.watch.wait_briefly(outcome.job, lambda job: job.state in SUBMIT_TRIED, self.submit_wait)
        return _to_video_job(job, self.media_url)

    async def GetVideo(self, request: pb.GetVideoRequest, context: Context) -> pb.VideoJob:
        """Get a job."""
        caller = await authenticate(self.accounts, context)
        job = await get_job(self.store, caller.account.account_id, request.id)
        return _to_video_job(job, self.media_url)

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """List GeekHub's models."""
        await authenticate(self.accounts, context)
        models = self.catalogue.offered(Surface.GEEKHUB)
        return pb.ListModelsResponse(object="list", data=[_to_model(model) for model in models])


def _read_create(request: pb.CreateVideoRequest) -> JobRequest:
    fields = Fields(request)
    model = fields.required_text("model")
    prompt = fields.prompt()
    duration = fields.whole_seconds("duration")
    aspect_ratio = fields.text("aspect_ratio")
    fields.check()
    return JobRequest(model=model, prompt=prompt, clip_duration=duration, aspect_ratio=aspect_ratio)


def _to_video_job(job: Job, media_url: MediaUrl) -> pb.VideoJob:
    return pb.VideoJob(
        id=job.job_id,
        object="video.job",
        status=STATUS[job.state],
        model=job.spec.model,
        prompt=job.spec.prompt,
        video_url=to_value(media_url(job.media.object_name) if job.media else None),
        duration=whole_seconds(job.spec.clip_duration),
        error=to_value(job.failure_text),
        created=int(job.create_time.timestamp()),
        completed=to_value(int(job.end_time.timestamp()) if job.end_time else None),
    )


def _to_model(model: Model) -> pb.Model:
    return pb.Model(
        id=model.model_id,
        object="model",
        kind="video",
        owned_by=model.model_id.partition("/")[0],
        pricing=pb.ModelPricing(per_second_usd=float(model.cost_per_second)),
        default_duration=model.duration_default_s,
        max_duration=model.durations_s[-1],
        aspect_ratios=model.aspect_ratios,
    )
