"""Move one job forward: record the intent, act, record the outcome.

A driver holds the job's lease. If it dies, another claims the job when the lease has run out, and finds in the log how
far the first one came. Found in `PENDING`, nothing was sent. Found in `SUBMITTING`, a call was interrupted: a provider
that is idempotent is asked again, any other may have the task already. Found in `PROCESSING`, the task is asked about;
found in `STORING`, the file is copied again, which replaces what was there.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from reelgate_server.app.providers import Providers
from reelgate_server.app.record import Recorder
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.decide import (
    Expire,
    Fail,
    IntendSubmit,
    RecordProgress,
    RecordRendered,
    RecordStored,
    RecordSubmitFault,
    RecordSubmitted,
)
from reelgate_server.domain.errors import MediaUnavailable
from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.retry import poll_interval
from reelgate_server.ports.entropy import Entropy
from reelgate_server.ports.media import BUCKET, MediaStore
from reelgate_server.ports.provider import Provider, RenderOrder, TaskDone, TaskFailed, TaskRunning
from reelgate_server.ports.store import SequenceConflict

COPY_RETRY_INTERVAL = timedelta(seconds=5)
"""How long to wait after a copy that failed. The job's deadline bounds the number of tries."""
POLL_WISH_MIN = timedelta(milliseconds=100)
"""No provider is asked again sooner, whatever it wishes; a wish of zero is none, or it would be a busy loop."""
CONTENT_TYPE = "video/mp4"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveJob:
    """The use case."""

    recorder: Recorder
    providers: Providers
    media: MediaStore
    catalogue: Catalogue
    entropy: Entropy

    async def __call__(self, job: Job, owner: str) -> None:
        """Move a claimed job as far as it can go now, then give it back.

        Args:
            job: As the claim returned it.
            owner: Who claimed it.

        Raises:
            StoreUnavailable: The lease stays and runs out; another claim goes on.
        """
        due_time: datetime | None = self.recorder.clock.now()
        while due_time is not None and due_time <= self.recorder.clock.now():
            try:
                job, due_time = await self._step(job)
            except SequenceConflict:
                job = await self.recorder.store.load_job(job.job_id)
        await self.recorder.store.release(job.job_id, owner, due_time=due_time, expected_sequence=job.sequence)

    async def _step(self, job: Job) -> tuple[Job, datetime | None]:
        """Do the next thing. Return the job after it, and when it wants driving again (None: never)."""
        now = self.recorder.clock.now()
        provider = self.providers.find(job.provider)
        if job.is_terminal:
            await self._stop_upstream(job, provider)
            return job, None
        if now >= job.expire_time:
            return await self.recorder.record(job, Expire()), now
        if provider is None:
            message = "The provider is no longer configured on this server."
            failure = JobFailure(code=FailureCode.PROVIDER_ERROR, message=message)
            return await self.recorder.record(job, Fail(failure)), None
        match job.state:
            case JobState.PENDING:
                if job.retry_time is not None and job.retry_time > now:
                    return job, min(job.retry_time, job.expire_time)
                return await self._submit(await self.recorder.record(job, IntendSubmit()), provider), now
            case JobState.SUBMITTING:
                return await self._resume_submit(job, provider), now
            case JobState.PROCESSING:
                return await self._poll(job, provider)
            case JobState.STORING:
                return await self._copy(job, provider)
            case JobState.SUCCEEDED | JobState.FAILED | JobState.CANCELLED | JobState.EXPIRED:
                return job, None
            case _:
                assert_never(job.state)

    async def _submit(self, job: Job, provider: Provider) -> Job:
        try:
            task = await provider.submit(self._order(job))
        except ProviderFault as error:
            log.warning("submit failed", job=job.job_id, provider=job.provider, fault=error.fault.kind)
            return await self.recorder.record(job, RecordSubmitFault(error.fault, self.entropy.draw()))
        try:
            return await self.recorder.record(job, RecordSubmitted(task))
        except SequenceConflict:
            latest = await self.recorder.store.load_job(job.job_id)
            if not _is_wanted(task, latest, provider):
                # The job ended while the provider took it; nobody will ask for this task again.
                await self._ignoring_faults(job, provider.cancel(task))
            raise

    async def _resume_submit(self, job: Job, provider: Provider) -> Job:
        if provider.is_idempotent:
            return await self._submit(job, provider)
        fault = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True, detail="interrupted while submitting")
        return await self.recorder.record(job, RecordSubmitFault(fault, self.entropy.draw()))

    async def _poll(self, job: Job, provider: Provider) -> tuple[Job, datetime | None]:
        task = _task_of(job)
        try:
            state = await provider.poll(task)
        except ProviderFault as error:
            # One bad poll says nothing of the task; the deadline bounds how often this happens.
            log.warning("poll failed", job=job.job_id, provider=job.provider, fault=error.fault.kind)
            if error.fault.kind is FaultKind.TASK_UNKNOWN and provider.is_idempotent:
                await self._ignoring_faults(job, provider.submit(self._order(job)))
            return job, self._next_poll(job, error.fault.retry_after)
        match state:
            case TaskRunning():
                if state.progress_percent is not None:
                    job = await self.recorder.record(job, RecordProgress(state.progress_percent))
                return job, self._next_poll(job, state.poll_after)
            case TaskDone():
                return await self.recorder.record(job, RecordRendered(state.source_url)), self.recorder.clock.now()
            case TaskFailed():
                return await self.recorder.record(job, Fail(state.failure)), None
            case _:
                assert_never(state)

    async def _copy(self, job: Job, provider: Provider) -> tuple[Job, datetime | None]:
        object_name = f"{BUCKET}/{job.account_id}/{job.job_id}/video.mp4"
        chunks = provider.open(_task_of(job), job.source_url or "")
        try:
            media = await self.media.put(object_name, chunks, CONTENT_TYPE)
        except (ProviderFault, MediaUnavailable) as error:
            log.warning("copy failed", job=job.job_id, provider=job.provider, error=type(error).__name__)
            return job, min(self.recorder.clock.now() + COPY_RETRY_INTERVAL, job.expire_time)
        return await self.recorder.record(job, RecordStored(media)), None

    async def _stop_upstream(self, job: Job, provider: Provider | None) -> None:
        if job.wants_driving and provider is not None:
            await self._ignoring_faults(job, provider.cancel(_task_of(job)))

    async def _ignoring_faults(self, job: Job, call: Awaitable[object]) -> None:
        """Await a call whose failure changes nothing for the job, but is worth a line in the log."""
        try:
            await call
        except ProviderFault as error:
            log.warning("provider call failed", job=job.job_id, provider=job.provider, fault=error.fault.kind)

    def _next_poll(self, job: Job, wish: timedelta | None) -> datetime:
        now = self.recorder.clock.now()
        model = self.catalogue.row(job.spec.model)
        typical = model.typical_render_time if model else timedelta()
        interval = max(wish, POLL_WISH_MIN) if wish else poll_interval(typical, now - job.create_time)
        return min(now + interval, job.expire_time)

    def _order(self, job: Job) -> RenderOrder:
        model = self.catalogue.row(job.spec.model)
        endpoint = (model.image_endpoint if job.spec.image_url else model.text_endpoint) if model else None
        return RenderOrder(
            job_id=job.job_id,
            spec=job.spec,
            endpoint=endpoint or "",
            has_audio=model.has_audio if model else False,
            is_simulated=job.is_simulated,
        )


def _is_wanted(task: Task, latest: Job, provider: Provider) -> bool:
    """Whether another driver, who was first, follows this very task or is about to."""
    if latest.task is not None:
        return latest.task.task_id == task.task_id
    return provider.is_idempotent and not latest.is_terminal


def _task_of(job: Job) -> Task:
    if job.task is None:
        message = f"a job in {job.state} without a task"
        raise ValueError(message)
    return job.task
