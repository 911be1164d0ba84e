"""Create a job: recorded, priced and paid for in one transaction, or refused with nothing left behind."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from hashlib import sha256

import structlog

from reelgate_server.app.order import image_name
from reelgate_server.app.providers import Providers
from reelgate_server.domain.accounts import Caller, Surface
from reelgate_server.domain.catalogue import Catalogue, Model
from reelgate_server.domain.errors import (
    DomainError,
    FieldViolation,
    IdempotencyKeyReused,
    InvalidRequest,
    InvalidSpec,
    MediaUnavailable,
    StoreUnavailable,
)
from reelgate_server.domain.events import Created, Fallback
from reelgate_server.domain.ids import UUID_RANDOM_BYTES, JobId, uuid7
from reelgate_server.domain.image_data import ImageDataRefused, is_data_url, parse_data_url
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.ledger import available_min, opening
from reelgate_server.domain.pricing import quote
from reelgate_server.domain.routing import able_routes
from reelgate_server.domain.spec import InlineImage, JobRequest, first_difference, resolve
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.entropy import Entropy
from reelgate_server.ports.feed import JobFeed
from reelgate_server.ports.media import MediaStore
from reelgate_server.ports.provider import ImageBytes
from reelgate_server.ports.store import JobStore

IDEMPOTENCY_KEY_CHARACTERS_MAX = 128
"""Kyma's documented limit, taken for every surface."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CreateOutcome:
    """What a create led to."""

    job: Job
    is_replay: bool
    """The job was made by an earlier call with the same idempotency key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """The use case."""

    store: JobStore
    catalogue: Catalogue
    providers: Providers
    feed: JobFeed
    clock: Clock
    entropy: Entropy
    media: MediaStore
    """Keeps first frames that come with a request."""

    async def __call__(
        self,
        caller: Caller,
        surface: Surface,
        request: JobRequest,
        *,
        idempotency_key: str | None = None,
        is_reuse_refused: bool = True,
    ) -> CreateOutcome:
        """Create a job, or answer with the one that the same idempotency key made.

        Idempotency comes first, before any other rule but that a `data:` URL can be read; then the model, the spec, and
        last the balance.

        Args:
            caller: Who asks and pays.
            surface: Which models are offered.
            request: What is asked for.
            idempotency_key: Unique per API key; None makes a new job each time.
            is_reuse_refused: Whether the same key with other content is an error, or answers with the first job.

        Raises:
            InvalidRequest: The idempotency key breaks its rule.
            IdempotencyKeyReused: The key was used with other content, and that is refused.
            ModelNotFound: The surface offers no such model.
            ModelUnavailable: Nobody renders it here.
            InvalidSpec: The model makes no such video.
            InsufficientBalance: The balance does not cover it; nothing was recorded.
            MediaUnavailable: An image that came with the request could not be kept; nothing was recorded.
        """
        request, image = take_inline_image(request, surface)
        earlier = await self.find_replay(caller, idempotency_key)
        if earlier is None:
            model = self.find_model(request.model, surface)
            job, event = self._draft(caller, model, request, idempotency_key)
            stored = await self._store(job, event, image)
            if stored.job_id == job.job_id:
                self.feed.publish(job.job_id, is_due=True)
                log.info("job", job=job.job_id, sequence=job.sequence, state=job.state, provider=job.provider)
                return CreateOutcome(job, is_replay=False)
            earlier = stored
        difference = first_difference(earlier.request, request)
        if is_reuse_refused and difference is not None:
            raise IdempotencyKeyReused(earlier.job_id, difference)
        return CreateOutcome(earlier, is_replay=True)

    def find_model(self, model_id: str, surface: Surface) -> Model:
        """The model that a request names, if jobs of it can be created here.

        Raises:
            ModelNotFound: The surface offers no such model.
            ModelUnavailable: Nobody renders it here.
        """
        model = self.catalogue.get(model_id, surface)
        self.providers.routes(model)
        return model

    async def find_replay(self, caller: Caller, idempotency_key: str | None) -> Job | None:
        """The job that this caller's key made with this idempotency key, if any.

        Raises:
            InvalidRequest: The idempotency key breaks its rule.
        """
        if idempotency_key is None:
            return None
        if not 1 <= len(idempotency_key) <= IDEMPOTENCY_KEY_CHARACTERS_MAX or "\0" in idempotency_key:
            description = f"must be 1 to {IDEMPOTENCY_KEY_CHARACTERS_MAX} characters, none of them U+0000"
            raise InvalidRequest([FieldViolation("idempotency_key", description)])
        return await self.store.find_replay(caller.key_id, idempotency_key)

    def _draft(
        self, caller: Caller, model: Model, request: JobRequest, idempotency_key: str | None
    ) -> tuple[Job, Created]:
        spec = resolve(request, model)
        routes = able_routes(spec, self.providers.routes(model))
        # Without routes of its own the model is rendered by the stand-in, as its first provider would.
        first = Fallback(provider=self.providers.stand_in or model.provider, render_duration=spec.render_duration)
        provider, *fallbacks = routes or (first,)
        now = self.clock.now()
        event = Created(
            event_time=now,
            job_id=JobId(uuid7(now, self.entropy.token_bytes(UUID_RANDOM_BYTES))),
            account_id=caller.account.account_id,
            key_id=caller.key_id,
            request=request,
            spec=replace(spec, render_duration=provider.render_duration),
            quote=quote(spec, model, caller.plan),
            billing=caller.plan.billing,
            ambiguous_submit=caller.plan.ambiguous_submit,
            provider=provider.provider,
            fallbacks=tuple(fallbacks),
            is_simulated=not routes,
            expire_time=now + model.deadline,
            idempotency_key=idempotency_key,
        )
        return fold([event]), event

    async def _store(self, job: Job, event: Created, image: ImageBytes | None) -> Job:
        """Record the job; what came with it is kept first, and not at all if the job is refused."""
        if image is None or job.spec.image is None:
            return await self.store.create_job(job, event, opening(job), available_min=available_min(job))
        name = image_name(job, job.spec.image)
        await self.media.put(name, _once(image.content), image.content_type)
        try:
            stored = await self.store.create_job(job, event, opening(job), available_min=available_min(job))
        except DomainError as error:
            # Only a refusal is sure: where the store gave no answer, or nobody waited for it, there may be a job.
            if not isinstance(error, StoreUnavailable):
                await self._forget(name)
            raise
        if stored.job_id != job.job_id:
            await self._forget(name)
        return stored

    async def _forget(self, name: str) -> None:
        try:
            await self.media.delete(name)
        except MediaUnavailable:
            log.warning("image of a refused job not removed", object_name=name)


def take_inline_image(request: JobRequest, surface: Surface) -> tuple[JobRequest, ImageBytes | None]:
    """Take the bytes out of a request whose image is a `data:` URL, and leave their digest in it.

    Raises:
        InvalidSpec: The `data:` URL is malformed, too large, or not of an image that we take.
    """
    # The documented surfaces take addresses only; the rule for those refuses a `data:` URL.
    if surface is not Surface.NATIVE or request.image_url is None or not is_data_url(request.image_url):
        return request, None
    try:
        parsed = parse_data_url(request.image_url)
    except ImageDataRefused as error:
        raise InvalidSpec([FieldViolation("image_url", str(error))]) from None
    image = InlineImage(sha256=sha256(parsed.content).hexdigest(), content_type=parsed.content_type)
    return replace(request, image_url=None, image=image), ImageBytes(parsed.content, parsed.content_type)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
