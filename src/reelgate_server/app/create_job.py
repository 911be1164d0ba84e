"""Create a job: recorded, priced and paid for in one transaction, or refused with nothing left behind."""

from dataclasses import dataclass

import structlog

from reelgate_server.app.providers import Providers
from reelgate_server.domain.accounts import Caller, Surface
from reelgate_server.domain.catalogue import Catalogue, Model
from reelgate_server.domain.errors import FieldViolation, IdempotencyKeyReused, InvalidRequest
from reelgate_server.domain.events import Created
from reelgate_server.domain.ids import UUID_RANDOM_BYTES, JobId, uuid7
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.ledger import available_min, opening
from reelgate_server.domain.pricing import quote
from reelgate_server.domain.spec import JobRequest, first_difference, resolve
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.entropy import Entropy
from reelgate_server.ports.feed import JobFeed
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

        Idempotency comes first, before any other rule; then the model, the spec, and last the balance.

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
        """
        earlier = await self.find_replay(caller, idempotency_key)
        if earlier is None:
            model = self.find_model(request.model, surface)
            job, event = self._draft(caller, model, request, idempotency_key)
            stored = await self.store.create_job(job, event, opening(job), available_min=available_min(job))
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
        self.providers.choose(model)
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
        provider, is_simulated = self.providers.choose(model)
        now = self.clock.now()
        event = Created(
            event_time=now,
            job_id=JobId(uuid7(now, self.entropy.token_bytes(UUID_RANDOM_BYTES))),
            account_id=caller.account.account_id,
            key_id=caller.key_id,
            request=request,
            spec=spec,
            quote=quote(spec, model, caller.plan),
            billing=caller.plan.billing,
            ambiguous_submit=caller.plan.ambiguous_submit,
            provider=provider,
            is_simulated=is_simulated,
            expire_time=now + model.deadline,
            idempotency_key=idempotency_key,
        )
        return fold([event]), event
