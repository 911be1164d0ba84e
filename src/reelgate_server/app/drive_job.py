"""Move one job forward: record the intent, act, record the outcome.

A driver holds the job's lease. If it dies, another claims the job when the lease has run out, and finds in the log how
far the first one came. Found in `PENDING`, nothing was sent. Found in `SUBMITTING`, a call was interrupted: a provider
that is idempotent is asked again, any other may have the task already. Found in `PROCESSING`, the task is asked about;
found in `STORING`, the file is copied again, which replaces what was there.
"""

from collections.abc import Awaitable
from contextlib import aclosing
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
from reelgate_server.domain.errors import MediaUnavailable, StoreUnavailable
from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.retry import poll_interval
from reelgate_server.ports.entropy import Entropy
from reelgate_server.ports.media import BUCKET, MediaStore
from reelgate_server.ports.provider import Provider, RenderOrder, TaskDone, TaskFailed, TaskRunning
from reelgate_server.ports.store import SequenceConflict

RETRY_INTERVAL = timedelta(seconds=5)
"""How long to wait after a copy or a clean-up that failed. The job's deadline bounds the number of tries."""
CLEAN_UP_LIMIT = timedelta(minutes=10)
"""How long after its deadline a job's leftovers are still tried to be removed."""
POLL_WISH_MIN = timedelta(milliseconds=100)
"""No provider is asked again sooner, whatever it wishes; a wish of zero is none, or it would be a busy loop."""
RECORD_ATTEMPT_COUNT_MAX = 60
"""Tries to record an accepted task: a minute of store outage, after which the submit counts as unanswered."""
RECORD_RETRY_INTERVAL = timedelta(seconds=1)
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
            return job, await self._clean_up(job, provider)
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
            return await self._record_submitted(job, task)
        except SequenceConflict:
            latest = await self.recorder.store.load_job(job.job_id)
            if not _is_wanted(task, latest, provider):
                # The job ended while the provider took it; nobody will ask for this task again.
                await self._ignoring_faults(job, provider.cancel(task))
            raise

    async def _record_submitted(self, job: Job, task: Task) -> Job:
        """Record an accepted task, waiting for a store that cannot answer now: nothing else remembers the task."""
        for _ in range(RECORD_ATTEMPT_COUNT_MAX - 1):
            try:
                return await self.recorder.record(job, RecordSubmitted(task))
            except StoreUnavailable:
                log.warning("accepted task not recorded yet", job=job.job_id, provider=job.provider, task=task.task_id)
                await self.recorder.clock.sleep(RECORD_RETRY_INTERVAL)
        return await self.recorder.record(job, RecordSubmitted(task))

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
            if _is_lost(error) and provider.is_idempotent:
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
        now = self.recorder.clock.now()
        try:
            async with (
                self.recorder.clock.timeout(job.expire_time - now),
                aclosing(provider.open(_task_of(job), job.source_url or "")) as chunks,
            ):
                media = await self.media.put(_object_name(job), chunks, CONTENT_TYPE)
        except (ProviderFault, MediaUnavailable, TimeoutError) as error:
            log.warning("copy failed", job=job.job_id, provider=job.provider, error=str(error) or "timeout")
            if _is_lost(error) and provider.is_idempotent:
                await self._ignoring_faults(job, provider.submit(self._order(job)))
            return job, min(self.recorder.clock.now() + RETRY_INTERVAL, job.expire_time)
        return await self.recorder.record(job, RecordStored(media)), None

    async def _clean_up(self, job: Job, provider: Provider | None) -> datetime | None:
        """Leave nothing behind for a job that ended without a video. Return when to try again; None if it is done."""
        if not job.wants_driving:
            return None
        is_done = provider is None or await self._ignoring_faults(job, provider.cancel(_task_of(job)))
        if job.source_url is not None:
            # A copy may have been published just before the deadline; nobody has paid for it.
            try:
                await self.media.delete(_object_name(job))
            except MediaUnavailable:
                is_done = False
        now = self.recorder.clock.now()
        return None if is_done or now >= job.expire_time + CLEAN_UP_LIMIT else now + RETRY_INTERVAL

    async def _ignoring_faults(self, job: Job, call: Awaitable[object]) -> bool:
        """Await a call whose failure changes nothing for the job; log the failure, and tell whether there was none."""
        try:
            await call
        except ProviderFault as error:
            log.warning("provider call failed", job=job.job_id, provider=job.provider, fault=error.fault.kind)
            return False
        return True

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


def _object_name(job: Job) -> str:
    return f"{BUCKET}/{job.account_id}/{job.job_id}/video.mp4"


def _is_lost(error: Exception) -> bool:
    """The provider says that it has no such task."""
    return isinstance(error, ProviderFault) and error.fault.kind is FaultKind.TASK_UNKNOWN


def _task_of(job: Job) -> Task:
    if job.task is None:
        message = f"a job in {job.state} without a task"
        raise ValueError(message)
    return job.task
