"""Submit one job: fetch its first frame if need be, record the intent, ask the provider, record the outcome.

Whatever sends the provider nothing comes before the intent, so that a crash in the middle of it leaves a job that can
simply be taken up again. The job's deadline bounds it.

A crash between the intent and the outcome leaves a job in `SUBMITTING`, of which nobody knows whether the provider has
the task. Only a provider that is idempotent is then asked again. For any other that counts as a lost answer, which the
plan's policy deals with, or the provider's own webhook.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from reelgate_server.app.calls import ProviderCalls
from reelgate_server.app.following import Following
from reelgate_server.app.order import load_image, order_of
from reelgate_server.app.record import Recorder
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.decide import Fail, IntendSubmit, RecordSubmitFault, RecordSubmitted
from reelgate_server.domain.errors import MediaNotFound, MediaUnavailable, StoreUnavailable
from reelgate_server.domain.events import Task
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.entropy import Entropy
from reelgate_server.ports.images import ImageSource, ImageUnavailable
from reelgate_server.ports.media import MediaStore
from reelgate_server.ports.provider import FirstFrame, ImageUrl, Provider
from reelgate_server.ports.store import SequenceConflict

IMAGE_INTERVAL = timedelta(seconds=5)
"""How long to wait for a media store that cannot give the first frame now."""
RECORD_ATTEMPT_COUNT_MAX = 60
"""Tries to record an accepted task: a minute of store outage, after which the submit counts as unanswered."""
STOP_ATTEMPT_COUNT_MAX = 3
STOP_INTERVAL = timedelta(seconds=2)
"""How often, and how far apart, an unwanted task is told to stop that was taken while its job ended."""
RECORD_RETRY_INTERVAL = timedelta(seconds=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitJob:
    """The step that costs money."""

    recorder: Recorder
    media: MediaStore
    images: ImageSource
    catalogue: Catalogue
    entropy: Entropy
    following: Following
    calls: ProviderCalls
    under_way: set[JobId] = field(default_factory=set)
    """Jobs whose submit is under way. To interrupt one would leave it open whether the provider took the task."""

    async def __call__(self, job: Job, provider: Provider | None) -> tuple[Job, datetime | None]:
        """Submit a job that is `PENDING`, or take up an interrupted submit of one that is `SUBMITTING`.

        Args:
            job: In one of these states.
            provider: The job's; None if it is not configured here, which is as if it were down.

        Returns:
            The job after it, and when it wants driving again.

        Raises:
            SequenceConflict: Another writer was first; a task made meanwhile is stopped unless it is wanted.
            StoreUnavailable: The outcome could not be recorded.
        """
        if job.state is JobState.SUBMITTING and (provider is None or not provider.is_idempotent):
            fault = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True, detail="interrupted while submitting")
            return await self._record_fault(job, provider, fault)
        if provider is None:
            fault = Fault(kind=FaultKind.UNAVAILABLE, detail="the provider is not configured on this server")
            return await self._record_fault(await self.recorder.record(job, IntendSubmit()), provider, fault)
        if not job.is_simulated and not order_of(job, self.catalogue).endpoint:
            fault = Fault(
                kind=FaultKind.INVALID, detail="the catalogue no longer says what the provider calls the model"
            )
            return await self.recorder.record(job, Fail(failure_of(fault))), self.recorder.clock.now()
        try:
            image = await self._first_frame(job, provider)
        except (MediaUnavailable, TimeoutError):
            log.warning("first frame not readable now", job=job.job_id)
            return job, min(self.recorder.clock.now() + IMAGE_INTERVAL, job.expire_time)
        except (MediaNotFound, ImageUnavailable) as error:
            fault = Fault(kind=FaultKind.IMAGE_UNUSABLE, detail=_why_unusable(job, error))
            log.warning("first frame unusable", job=job.job_id, detail=fault.detail)
            return await self.recorder.record(job, Fail(failure_of(fault))), self.recorder.clock.now()
        # From the intent on: once that is recorded, nobody can tell any more that nothing was sent.
        self.under_way.add(job.job_id)
        try:
            if job.state is JobState.PENDING:
                job = await self.recorder.record(job, IntendSubmit())
            return await self._submit(job, provider, image)
        finally:
            self.under_way.discard(job.job_id)

    async def again(self, job: Job, provider: Provider) -> None:
        """Give a task back to an idempotent provider that has lost it. If that fails, the next look is another try."""
        with suppress(ProviderFault, MediaNotFound, MediaUnavailable, ImageUnavailable, TimeoutError):
            image = await self._first_frame(job, provider)
            await self.calls.make(job, "submit", provider.submit(order_of(job, self.catalogue, image)))

    async def _first_frame(self, job: Job, provider: Provider) -> FirstFrame | None:
        """The first frame of a job, in a form that its provider takes; fetched here if need be.

        Raises:
            ImageUnavailable: What the customer's address leads to is no image that we take.
            MediaNotFound: The bytes that came with the request are gone.
            MediaUnavailable: The media store cannot read now.
            TimeoutError: The job's deadline has come.
        """
        clock = self.recorder.clock
        # This bounds the wait for one of the fetcher's places too.
        async with clock.timeout(job.expire_time - clock.now()):
            image = await load_image(job, self.media)
            if isinstance(image, ImageUrl) and provider.takes_image_bytes:
                image = await self.images.fetch(image.url)
        if clock.now() >= job.expire_time:
            # The limit does not count while a machine sleeps.
            raise TimeoutError
        return image

    async def _submit(self, job: Job, provider: Provider, image: FirstFrame | None) -> tuple[Job, datetime | None]:
        order = order_of(job, self.catalogue, image)
        try:
            accepted = await self.calls.make(job, "submit", provider.submit(order))
        except ProviderFault as error:
            return await self._record_fault(job, provider, error.fault)
        try:
            job = await self._record_accepted(job, accepted.task)
        except SequenceConflict:
            latest = await self.recorder.store.load_job(job.job_id)
            if not _is_wanted(accepted.task, latest, provider):
                # The job ended while the provider took it; nobody will ask for this task again.
                await self._stop(job, accepted.task, provider)
            raise
        now = self.recorder.clock.now()
        if accepted.poll_after is not None:
            return job, min(now + accepted.poll_after, job.expire_time)
        return job, self.following.next_look(job, now, self.entropy.draw())

    async def _stop(self, job: Job, task: Task, provider: Provider) -> None:
        """Stop a task that no log names; only here is anything known of it."""
        for _ in range(STOP_ATTEMPT_COUNT_MAX):
            if await self.calls.cancel(job, task, provider):
                return
            await self.recorder.clock.sleep(STOP_INTERVAL)

    async def _record_fault(self, job: Job, provider: Provider | None, fault: Fault) -> tuple[Job, datetime | None]:
        is_announced = provider is not None and provider.announces_tasks
        command = RecordSubmitFault(fault, self.entropy.draw(), is_announced=is_announced)
        return await self.recorder.record(job, command), self.recorder.clock.now()

    async def _record_accepted(self, job: Job, task: Task) -> Job:
        """Record an accepted task, waiting for a store that cannot answer now: nothing else remembers the task."""
        for _ in range(RECORD_ATTEMPT_COUNT_MAX - 1):
            try:
                return await self.recorder.record(job, RecordSubmitted(task))
            except StoreUnavailable:
                log.warning("accepted task not recorded yet", job=job.job_id, provider=job.provider, task=task.task_id)
                await self.recorder.clock.sleep(RECORD_RETRY_INTERVAL)
        return await self.recorder.record(job, RecordSubmitted(task))


def _why_unusable(job: Job, error: MediaNotFound | ImageUnavailable) -> str:
    if isinstance(error, MediaNotFound):
        return "the image that came with the request is gone"
    reason = str(error)
    if job.spec.image_url:
        # An address may carry a right to what is there.
        reason = reason.replace(job.spec.image_url, "[address]")
    return f"the image was not fetched: {reason}"


def _is_wanted(task: Task, latest: Job, provider: Provider) -> bool:
    """Whether another driver, who was first, follows this very task or is about to."""
    if latest.task is not None:
        return latest.task.task_id == task.task_id
    return provider.is_idempotent and not latest.is_terminal
