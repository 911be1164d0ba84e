"""Move one job forward: record the intent, act, record the outcome.

A driver holds the job's lease. If it dies, another claims the job when the lease has run out, and finds in the log how
far the first one came. Found in `PENDING`, nothing was sent, or the last try is over. Found in `SUBMITTING`, a call was
interrupted; `submit_job.py` knows what to do. Found in `PROCESSING`, the task is asked about; found in `STORING`, the
file is copied again, which replaces what was there.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from reelgate_server.app.calls import ProviderCalls
from reelgate_server.app.following import Following
from reelgate_server.app.order import image_name, video_name
from reelgate_server.app.providers import Providers
from reelgate_server.app.record import Recorder
from reelgate_server.app.submit_job import SubmitJob
from reelgate_server.domain.decide import Expire, Fail, RecordProgress, RecordRendered, RecordStored
from reelgate_server.domain.errors import MediaUnavailable
from reelgate_server.domain.events import Task
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.quotation import failure_without_quotations
from reelgate_server.ports.entropy import Entropy
from reelgate_server.ports.media import MediaStore
from reelgate_server.ports.provider import Provider, TaskDone, TaskFailed, TaskRunning
from reelgate_server.ports.store import SequenceConflict

RETRY_INTERVAL = timedelta(seconds=5)
"""How long to wait after a copy or a clean-up that failed. The job's deadline bounds the number of tries."""
CLEAN_UP_LIMIT = timedelta(minutes=10)
"""How long after its deadline a job's leftovers are still tried to be removed."""
UNKNOWN_COUNT_MAX = 3
"""Looks in a row at which the provider says that it has no such task; then the job is lost."""
ABSENCE_INTERVAL = timedelta(seconds=30)
"""How long to wait for a provider that is not configured, but has a task of ours."""
CONTENT_TYPE = "video/mp4"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveJob:
    """The use case."""

    recorder: Recorder
    providers: Providers
    media: MediaStore
    entropy: Entropy
    following: Following
    calls: ProviderCalls
    submit: SubmitJob

    async def __call__(self, job: Job, owner: str, *, goes_on: Callable[[Job], bool] = lambda _: True) -> None:
        """Move a claimed job as far as it can go now, then give it back.

        Args:
            job: As the claim returned it.
            owner: Who claimed it.
            goes_on: Asked before each step, of the job as it is then. Once it says no, the job is given back as it is,
                due at once for whoever may go on.

        Raises:
            StoreUnavailable: The lease stays and runs out; another claim goes on.
        """
        clock, store = self.recorder.clock, self.recorder.store
        due_time: datetime | None = clock.now()
        while (is_due := due_time is not None and due_time <= clock.now()) and goes_on(job):
            try:
                job, due_time = await self._step(job)
            except SequenceConflict:
                job = await store.load_job(job.job_id)
        await store.release(job.job_id, owner, due_time=due_time, expected_sequence=job.sequence)
        if is_due:
            self.recorder.feed.publish(job.job_id, is_due=True)

    async def _step(self, job: Job) -> tuple[Job, datetime | None]:
        """Do the next thing. Return the job after it, and when it wants driving again (None: never)."""
        now = self.recorder.clock.now()
        provider = self.providers.find(job.provider)
        if job.is_terminal:
            return job, await self._clean_up(job, provider)
        if now >= job.expire_time:
            return await self.recorder.record(job, Expire()), now
        match job.state:
            case JobState.PENDING if job.retry_time is not None and job.retry_time > now:
                return job, min(job.retry_time, job.expire_time)
            case JobState.PENDING | JobState.SUBMITTING:
                return await self.submit(job, provider)
            case JobState.PROCESSING | JobState.STORING:
                return await self._follow(job, provider)
            case JobState.SUCCEEDED | JobState.FAILED | JobState.CANCELLED | JobState.EXPIRED:
                return job, None
            case _:
                assert_never(job.state)

    async def _follow(self, job: Job, provider: Provider | None) -> tuple[Job, datetime | None]:
        if provider is None:
            # What it has taken may be had once it is configured again.
            log.warning("provider is not configured", job=job.job_id, provider=job.provider)
            return job, min(self.recorder.clock.now() + ABSENCE_INTERVAL, job.expire_time)
        return await (self._copy(job, provider) if job.state is JobState.STORING else self._poll(job, provider))

    async def _poll(self, job: Job, provider: Provider) -> tuple[Job, datetime | None]:
        task = _task_of(job)
        try:
            state = await self.calls.make(job, "poll", provider.poll(task))
        except ProviderFault as error:
            return await self._after_poll_fault(job, provider, error)
        now = self.recorder.clock.now()
        match state:
            case TaskRunning():
                self.following.note_answer(job.job_id)
                if state.progress_percent is not None:
                    job = await self.recorder.record(job, RecordProgress(state.progress_percent))
                return job, self.following.next_look(job, now, self.entropy.draw(), wish=state.poll_after)
            case TaskDone():
                self.following.note_end(job, now)
                return await self.recorder.record(job, RecordRendered(state.source_url)), now
            case TaskFailed():
                self.following.note_answer(job.job_id)
                failure = failure_without_quotations(state.failure, job.spec)
                return await self.recorder.record(job, Fail(failure)), now
            case _:
                assert_never(state)

    async def _after_poll_fault(
        self, job: Job, provider: Provider, error: ProviderFault
    ) -> tuple[Job, datetime | None]:
        """No bad poll says anything of the task; that there is no such task, said thrice in a row, does."""
        now = self.recorder.clock.now()
        unknown_count = self.following.note_failure(job, now, is_unknown=_is_lost(error))
        if _is_lost(error) and provider.is_idempotent:
            await self.submit.again(job, provider)
        elif unknown_count >= UNKNOWN_COUNT_MAX:
            self.following.note_answer(job.job_id)
            return await self.recorder.record(job, Fail(failure_of(error.fault))), now
        return job, self.following.next_look(job, now, self.entropy.draw(), wish=error.fault.retry_after)

    async def _copy(self, job: Job, provider: Provider) -> tuple[Job, datetime | None]:
        now = self.recorder.clock.now()
        try:
            async with (
                self.recorder.clock.timeout(job.expire_time - now),
                aclosing(provider.open(_task_of(job), job.source_url or "")) as chunks,
            ):
                media = await self.media.put(video_name(job), chunks, CONTENT_TYPE)
        except (ProviderFault, MediaUnavailable, TimeoutError) as error:
            self.calls.note_failure(job, "copy", error)
            if _is_lost(error) and provider.is_idempotent:
                await self.submit.again(job, provider)
            wish = error.fault.retry_after if isinstance(error, ProviderFault) else None
            return job, min(self.recorder.clock.now() + max(RETRY_INTERVAL, wish or RETRY_INTERVAL), job.expire_time)
        self.calls.note_success(job, "copy")
        return await self.recorder.record(job, RecordStored(media)), self.recorder.clock.now()

    async def _clean_up(self, job: Job, provider: Provider | None) -> datetime | None:
        """Leave nothing behind that nobody wants. Return when to try again; None if it is done."""
        if not job.wants_driving:
            return None
        names = [image_name(job, job.spec.image)] if job.spec.image is not None else []
        is_done = True
        if job.is_abandoned:
            is_done = provider is None or await self.calls.cancel(job, _task_of(job), provider)
            # A copy may have been published just before the deadline; nobody has paid for it.
            names += [video_name(job)] if job.source_url is not None else []
        for name in names:
            try:
                await self.media.delete(name)
            except MediaUnavailable:
                is_done = False
        now = self.recorder.clock.now()
        return None if is_done or now >= job.expire_time + CLEAN_UP_LIMIT else now + RETRY_INTERVAL


def _is_lost(error: Exception) -> bool:
    """The provider says that it has no such task."""
    return isinstance(error, ProviderFault) and error.fault.kind is FaultKind.TASK_UNKNOWN


def _task_of(job: Job) -> Task:
    if job.task is None:
        message = f"a job in {job.state} without a task"
        raise ValueError(message)
    return job.task
