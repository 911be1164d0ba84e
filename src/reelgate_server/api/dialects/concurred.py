"""Concurred's video API. See `concurred_service.proto` and docs/surfaces.md."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import unquote

from reelgate.concurred.v1 import concurred_service_pb2 as pb
from reelgate.concurred.v1 import concurred_service_pb2_grpc
from reelgate_server.api.auth import authenticate
from reelgate_server.api.convert import MediaUrl
from reelgate_server.api.dialects.fields import SECONDS_MAX, Fields
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
    FieldViolation,
    InsufficientBalance,
    InvalidRequest,
    InvalidSpec,
    JobNotFound,
    JobUnsuccessful,
    ModelNotFound,
    ModelUnavailable,
    ServerBusy,
    ServerStopping,
)
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.ids import ModelId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.spec import JobRequest
from reelgate_server.ports.store import JobStore

ERRORS: Final = ErrorTable(
    {
        CredentialMissing: (401, "UNAUTHORIZED"),
        CredentialUnknown: (401, "INVALID_API_KEY"),
        CredentialRevoked: (401, "INVALID_API_KEY"),
        InsufficientBalance: (402, "BAD_REQUEST"),
        InvalidRequest: (400, "BAD_REQUEST"),
        InvalidSpec: (400, "BAD_REQUEST"),
        JobNotFound: (404, "NOT_FOUND"),
        JobUnsuccessful: (503, "MODEL_UNAVAILABLE"),
        ModelNotFound: (400, "INVALID_MODEL"),
        ModelUnavailable: (503, "MODEL_UNAVAILABLE"),
        ServerBusy: (429, "RATE_LIMIT_EXCEEDED"),
        ServerStopping: (503, "INTERNAL_ERROR"),
    },
    otherwise="INTERNAL_ERROR",
)
"""HTTP status and code of each error this API documents; any other is a 500 `INTERNAL_ERROR`."""

MODEL_DEFAULT: Final = "veo-3.1"
IMAGE_SUFFIX: Final = "-i2v"
"""What turns a model's id into that of its variant for image input."""
VERTEX: Final = ProviderName("vertex")
"""The provider that this API calls `google`; its models answer with an operation instead of blocking."""
GOOGLE: Final = "google"
OPERATION_PREFIX: Final = "operations/"
ASPECT_RATIOS: Final = ("16:9", "9:16")
"""What this API documents; a model that another surface offers too may render more."""
FIELD_NAMES: Final = {"clip_duration": "duration"}
"""What Concurred calls our fields, where it differs."""


def concurred_error(error: DomainError | None, request_id: str) -> HttpError:  # noqa: ARG001 (it documents no request id)
    """Say an error as Concurred does: bare, in upper case."""
    status, code = ERRORS.find(error)
    message = "Internal error. Try again." if status == INTERNAL_SERVER_ERROR else str(error)
    match error:
        case InvalidRequest(violations=violations):
            first = violations[0]
            code = "MISSING_REQUIRED_FIELD" if first.is_missing else code
            message = sentence(first, FIELD_NAMES)
        case JobUnsuccessful(is_rejected=True):
            status, code = 400, "GUARDRAIL_BLOCKED"
        case JobUnsuccessful(is_image_unusable=True):
            status, code = 400, "BAD_REQUEST"
    return HttpError(status, {"error": {"code": code, "message": cut(message), "details": {}}})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurredServicer(concurred_service_pb2_grpc.ConcurredServiceServicer):
    """The documented endpoints that concern videos."""

    accounts: Accounts
    store: JobStore
    catalogue: Catalogue
    create: CreateJob
    watch: WatchJob
    media_url: MediaUrl

    async def GenerateVideo(self, request: pb.GenerateVideoRequest, context: Context) -> pb.GenerateVideoResponse:
        """Make a video: at once an operation for Veo, otherwise wait for the video."""
        caller = await authenticate(self.accounts, context)
        model = self._choose_model(request)
        outcome = await self.create(caller, Surface.CONCURRED, _read_generate(request, model))
        data = pb.GenerateVideoData(model=model.model_id, provider=_provider_label(model))
        if _is_asynchronous(model):
            operation_id = OPERATION_PREFIX + outcome.job.job_id
            data.status = "processing"
            data.operation_id = operation_id
            data.poll_url = f"/api/v1/video/status?provider={GOOGLE}&operation_id={operation_id}"
        else:
            # The client may leave while this waits; the job does not depend on it.
            job = _require_success(await self.watch.wait_for_end(outcome.job))
            data.status = "completed"
            data.video_url = _video_url(job, self.media_url)
        return pb.GenerateVideoResponse(success=True, data=data)

    async def GetVideoStatus(self, request: pb.GetVideoStatusRequest, context: Context) -> pb.GetVideoStatusResponse:
        """Poll an operation."""
        caller = await authenticate(self.accounts, context)
        operation_id = _read_operation_id(request)
        job = await get_job(self.store, caller.account.account_id, operation_id.removeprefix(OPERATION_PREFIX))
        status = pb.VideoStatus(done=job.is_terminal, status="processing", operation_id=operation_id)
        if job.media is not None:
            status.status = "completed"
            status.video_url = _video_url(job, self.media_url)
        elif job.is_terminal:
            status.status = "failed"
            status.error = job.failure_text or ""
        return pb.GetVideoStatusResponse(success=True, data=status)

    def _choose_model(self, request: pb.GenerateVideoRequest) -> Model:
        fields = Fields(request)
        name = fields.text("model")
        fields.check()
        model = self.catalogue.get(MODEL_DEFAULT if name is None else name, Surface.CONCURRED)
        variant = self.catalogue.row(ModelId(model.model_id + IMAGE_SUFFIX))
        has_image = request.image_url.WhichOneof("kind") not in {None, "null_value"}
        if has_image and variant is not None and Surface.CONCURRED in variant.surfaces:
            return variant
        return model


def _read_generate(request: pb.GenerateVideoRequest, model: Model) -> JobRequest:
    fields = Fields(request)
    prompt = fields.text("prompt")
    image_url = fields.text("image_url")
    aspect_ratio = fields.text("aspect_ratio")
    if aspect_ratio is not None and aspect_ratio not in ASPECT_RATIOS:
        fields.add(FieldViolation("aspect_ratio", f"must be one of {', '.join(ASPECT_RATIOS)}"))
    duration, resolution = None, None
    if _is_asynchronous(model):
        # Documented for Veo only; the other models ignore them.
        duration = _read_duration(fields)
        resolution = fields.text("resolution")
    fields.check()
    return JobRequest(
        model=model.model_id,
        prompt=prompt or "",
        clip_duration=duration,
        aspect_ratio=aspect_ratio,
        resolution=resolution,
        image_url=image_url,
    )


def _read_duration(fields: Fields) -> timedelta | None:
    text = fields.text("duration", violation_name="clip_duration")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        fields.add(FieldViolation("clip_duration", "must be a string of digits"))
        return None
    # Only the last digits of a number that long matter: it is refused either way.
    return timedelta(seconds=min(int(text[:9]), SECONDS_MAX))


def _read_operation_id(request: pb.GetVideoStatusRequest) -> str:
    missing = [
        FieldViolation(name, "is required", is_missing=True)
        for name in ("provider", "operation_id")
        if not getattr(request, name)
    ]
    if missing:
        raise InvalidRequest(missing)
    if request.provider != GOOGLE:
        raise InvalidRequest([FieldViolation("provider", f"must be '{GOOGLE}'")])
    return unquote(request.operation_id)


def _require_success(job: Job) -> Job:
    if job.state is JobState.SUCCEEDED:
        return job
    code = job.failure.code if job.failure is not None else None
    raise JobUnsuccessful(
        job.job_id,
        job.state,
        job.failure_text or "",
        is_rejected=code is FailureCode.REJECTED,
        is_image_unusable=code is FailureCode.IMAGE_UNUSABLE,
    )


def _video_url(job: Job, media_url: MediaUrl) -> str:
    return media_url(job.media.object_name) if job.media is not None else ""


def _is_asynchronous(model: Model) -> bool:
    return model.provider == VERTEX


def _provider_label(model: Model) -> str:
    return GOOGLE if _is_asynchronous(model) else model.provider
