"""Kyma's video API. See `kyma_service.proto` and docs/surfaces.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from reelgate.kyma.v1 import kyma_service_pb2 as pb
from reelgate.kyma.v1 import kyma_service_pb2_grpc
from reelgate_server.api.auth import authenticate
from reelgate_server.api.convert import MediaUrl, to_value
from reelgate_server.api.dialects.fields import Fields
from reelgate_server.api.dialects.kyma_tiers import TIERS
from reelgate_server.api.http_error import INTERNAL_SERVER_ERROR, ErrorTable, HttpError, cut, sentence
from reelgate_server.api.metadata import HTTP_STATUS, Context
from reelgate_server.app.accounts import Accounts
from reelgate_server.app.create_job import CreateJob
from reelgate_server.app.read_jobs import get_job
from reelgate_server.domain.accounts import Plan, Surface
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
    ModelNotFound,
    ModelUnavailable,
    ServerBusy,
    ServerStopping,
    StoreUnavailable,
)
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import charged
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.pricing import price
from reelgate_server.domain.spec import JobRequest, resolve_durations, whole_seconds
from reelgate_server.ports.store import JobStore

STATUS: Final[Mapping[JobState, str]] = {
    JobState.PENDING: "pending",
    JobState.SUBMITTING: "pending",
    JobState.PROCESSING: "processing",
    JobState.STORING: "processing",
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "refunded",
    JobState.EXPIRED: "expired",
}
"""What Kyma calls each state."""

ERRORS: Final = ErrorTable(
    {
        CredentialMissing: (401, "auth_error"),
        CredentialUnknown: (401, "auth_error"),
        CredentialRevoked: (401, "auth_error"),
        InsufficientBalance: (402, "insufficient_balance"),
        InvalidRequest: (400, "invalid_request"),
        InvalidSpec: (400, "invalid_request"),
        JobNotFound: (404, "not_found"),
        ModelNotFound: (400, "invalid_model"),
        ModelUnavailable: (400, "invalid_model"),
        ServerBusy: (429, "rate_limited"),
        ServerStopping: (503, "provider_error"),
        StoreUnavailable: (500, "db_error"),
    },
    otherwise="provider_error",
)
"""HTTP status and code of each error this API documents; any other is a 500 `provider_error`."""

FAILURE_CODES: Final = {
    JobState.FAILED: "provider_error",
    JobState.CANCELLED: "cancelled",
    JobState.EXPIRED: "expired",
}
"""The code in a job's own error, for each end without a video."""
FIELD_CODES: Final = {"prompt": "invalid_prompt", "clip_duration": "invalid_duration", "model": "invalid_model"}
"""Fields whose violation has a code of its own."""
FIELD_NAMES: Final = {"clip_duration": "duration", "aspect_ratio": "extra.aspect_ratio"}
"""What Kyma calls our fields, where it differs."""
FIELDS_OF_THE_MODEL: Final = frozenset({"resolution"})
"""Our fields that Kyma has not: its models differ in them."""
USE: Final = re.compile(r"\buse `(\w+)`$")
"""How a violation ends that names the field to use instead, by our name."""
BILLING_URL: Final = "https://kymaapi.com/billing"
"""Where Kyma's clients send a customer whose balance is too small."""
LOW_BALANCE_MICROS: Final = 1_000_000
"""Below one dollar a balance is low; the documentation gives no figure."""


def kyma_error(error: DomainError | None, request_id: str) -> HttpError:  # noqa: ARG001 (Kyma documents no request id)
    """Say an error as Kyma does."""
    status, code = ERRORS.find(error)
    message = "Internal error; nothing was charged. Try again." if status == INTERNAL_SERVER_ERROR else str(error)
    if isinstance(error, InvalidRequest):
        first = error.violations[0]
        code = FIELD_CODES.get(first.field, code)
        message = sentence(replace(first, description=USE.sub(_use, first.description)), FIELD_NAMES)
    kind = "invalid_request_error" if status < INTERNAL_SERVER_ERROR else "server_error"
    body = {"message": cut(message), "type": kind, "code": code}
    if isinstance(error, InsufficientBalance):
        body["cta_url"] = BILLING_URL
    return HttpError(status, {"error": body})


@dataclass(frozen=True, slots=True, kw_only=True)
class KymaServicer(kyma_service_pb2_grpc.KymaServiceServicer):
    """The documented endpoints that concern videos."""

    accounts: Accounts
    store: JobStore
    catalogue: Catalogue
    create: CreateJob
    price_plan: Plan
    """The plan whose prices the public catalogue shows."""
    media_url: MediaUrl

    async def CreateVideo(self, request: pb.CreateVideoRequest, context: Context) -> pb.VideoJob:
        """Create a job: key, replay, model, prompt, duration, the rest, balance."""
        caller = await authenticate(self.accounts, context)
        key = _read_idempotency_key(request)
        job = await self.create.find_replay(caller, key)
        if job is None:
            model = self.create.find_model(_read_model(request), Surface.KYMA)
            outcome = await self.create(
                caller, Surface.KYMA, _read_create(request, model), idempotency_key=key, is_reuse_refused=False
            )
            job = outcome.job
            if not outcome.is_replay:
                await context.send_initial_metadata(((HTTP_STATUS, "202"),))
        return _to_video_job(job, self.media_url)

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.VideoJob:
        """Get a job."""
        caller = await authenticate(self.accounts, context)
        job = await get_job(self.store, caller.account.account_id, request.id)
        return _to_video_job(job, self.media_url)

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """List Kyma's models."""
        await authenticate(self.accounts, context)
        models = self.catalogue.offered(Surface.KYMA)
        data = [pb.Model(id=model.model_id, object="model", name=model.name) for model in models]
        return pb.ListModelsResponse(object="list", data=data)

    async def GetPricing(self, request: pb.GetPricingRequest, context: Context) -> pb.GetPricingResponse:
        """Show the public price catalogue."""
        await context.send_initial_metadata((("cache-control", "public, max-age=60"),))
        models = sorted(self.catalogue.offered(Surface.KYMA), key=lambda model: model.model_id)
        media = [_to_media_price(model, self.price_plan) for model in models]
        return pb.GetPricingResponse(object="pricing.catalog", text_count=0, media_count=len(media), media=media)

    async def ListTiers(self, request: pb.ListTiersRequest, context: Context) -> pb.ListTiersResponse:
        """Show the public table of tiers."""
        await context.send_initial_metadata((("cache-control", "public, max-age=300"),))
        return pb.ListTiersResponse(object="tier.matrix", tiers=TIERS)

    async def GetBalance(self, request: pb.GetBalanceRequest, context: Context) -> pb.GetBalanceResponse:
        """Show the account's balance."""
        balance = await self.accounts.balance(await authenticate(self.accounts, context))
        return pb.GetBalanceResponse(
            balance=float(balance.available.units()),
            low_balance=balance.available.amount_micros < LOW_BALANCE_MICROS,
            held=float(balance.held.units()),
        )


def _read_idempotency_key(request: pb.CreateVideoRequest) -> str | None:
    fields = Fields(request)
    key = fields.text("idempotency_key")
    fields.check()
    return key


def _read_model(request: pb.CreateVideoRequest) -> str:
    fields = Fields(request)
    model = fields.required_text("model")
    fields.check()
    return model


def _read_create(request: pb.CreateVideoRequest, model: Model) -> JobRequest:
    fields = Fields(request)
    prompt = fields.prompt()
    duration = fields.whole_seconds("duration")
    fields.check()
    # What the model allows is a part of the check of the duration, which comes before the rest.
    resolve_durations(duration, model)
    image_url = fields.text("image_url")
    extra = fields.json_object("extra")
    # Kyma documents the ratio in here. To the provider it goes as a field, if it has one for it.
    aspect_ratio = extra.pop("aspect_ratio", None)
    if aspect_ratio is not None and not isinstance(aspect_ratio, str):
        fields.add(FieldViolation("aspect_ratio", "must be a string"))
    fields.check()
    return JobRequest(
        model=model.model_id,
        prompt=prompt,
        clip_duration=duration,
        aspect_ratio=aspect_ratio,
        image_url=image_url,
        extra=extra,
    )


def _use(match: re.Match[str]) -> str:
    name = match[1]
    return "the model decides it" if name in FIELDS_OF_THE_MODEL else f"use `{FIELD_NAMES.get(name, name)}`"


def _to_video_job(job: Job, media_url: MediaUrl) -> pb.VideoJob:
    return pb.VideoJob(
        id=job.job_id,
        object="video.job",
        status=STATUS[job.state],
        model=job.spec.model,
        created_at=_to_iso(job.create_time),
        completed_at=to_value(_to_iso(job.end_time) if job.end_time else None),
        output=to_value(_output(job, media_url)),
        error=to_value(_failure(job)),
        estimated_cost=float(job.quote.price.units()),
        charged_amount=to_value(_charged_amount(job)),
    )


def _output(job: Job, media_url: MediaUrl) -> dict[str, Any] | None:
    if job.media is None:
        return None
    metadata = {"duration": whole_seconds(job.spec.clip_duration)}
    return {"url": media_url(job.media.object_name), "metadata": metadata}


def _failure(job: Job) -> dict[str, str] | None:
    if job.failure_text is None:
        return None
    return {"message": job.failure_text, "code": FAILURE_CODES[job.state]}


def _charged_amount(job: Job) -> float | None:
    if job.state is not JobState.SUCCEEDED:
        return None
    paid = charged(job)
    return float(paid.units()) if paid else 0.0


def _to_iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _to_media_price(model: Model, plan: Plan) -> pb.MediaPrice:
    return pb.MediaPrice(
        id=model.model_id,
        name=model.name,
        modality="video",
        pricing_mode="per-second",
        usd_per_call=float(price(timedelta(seconds=1), model, plan).units()),
        detail=pb.MediaPriceDetail(
            provider_cost_per_sec=float(model.cost_per_second),
            min_duration_sec=model.durations_s[0],
            max_duration_sec=model.durations_s[-1],
            allowed_durations=model.durations_s,
        ),
    )
