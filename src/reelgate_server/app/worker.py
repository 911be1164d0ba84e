"""Claims due jobs and drives them, a bounded number at once, until it is told to stop.

There is no separate recovery: what a crash left behind is a due job whose lease has run out, and `DriveJob` knows from
its state what to do.

Every claim is made under a name of its own, and a lease is renewed only while its job is driven under that name. A
claim that the store did not answer may have been made all the same: nobody drives its jobs, so their leases run out. A
job that is still driven here may be claimed once more, because its lease ran out while the process or the machine stood
still: it is left to the drive under way, and the second lease runs out in its turn.

No provider may take all the places, so that one provider's bad day, on which every call lasts as long as it may, is not
everybody's. A job whose provider has its share of them is not claimed: it keeps its turn. A drive takes a place of one
provider: a job that moves on to the next is given back, and claimed again when that one has a place.

After `stop` no step is begun, whatever it is: the next might be a submit, which costs money and has to be waited for.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from reelgate_server.app.drive_job import DriveJob
from reelgate_server.domain.errors import StoreUnavailable
from reelgate_server.domain.ids import JobId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.feed import JobFeed
from reelgate_server.ports.metrics import Metrics
from reelgate_server.ports.store import JobStore

IDLE_INTERVAL = timedelta(milliseconds=250)
"""How long a job that became due without a hint may wait. A claim that finds nothing costs no write."""
FAULT_INTERVAL = timedelta(seconds=1)
"""Pause after the store could not answer."""
BUG_INTERVAL = timedelta(seconds=30)
"""Pause before a job whose drive met a bug is tried again."""
MEASURE_INTERVAL = timedelta(seconds=5)
"""How often the lag is measured; one look into an index."""
LAG_WARNING = timedelta(seconds=30)
"""From this lag on, each measurement is logged."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Drive:
    """One drive under way, and the name under which its job was claimed."""

    job_id: JobId
    provider: ProviderName
    """Whose place it takes."""
    owner: str


@dataclass(slots=True, kw_only=True)
class Worker:
    """The loop."""

    store: JobStore
    feed: JobFeed
    clock: Clock
    drive: DriveJob
    owner: str
    """Unique per process; leases carry it, and the number of the claim."""
    concurrency: int
    """Jobs driven at once; > 0."""
    provider_concurrency: int
    """Jobs of one provider driven at once; > 0."""
    metrics: Metrics
    lease: timedelta
    """How long a job stays claimed after its driver died; renewed three times as often."""
    _is_stopping: bool = False
    _claim_count: int = 0
    _running: dict[asyncio.Task[None], _Drive] = field(default_factory=dict)

    def stop(self) -> None:
        """Begin no more steps; `run` returns when those under way have ended and their jobs have been given back."""
        self._is_stopping = True
        self.feed.wake_all()

    def abandon(self) -> None:
        """Interrupt every drive but those whose submit is under way; leases run out. Call it after `stop`.

        An interrupted look or copy is repeated by whoever claims the job next. An interrupted submit could not be:
        nobody would know whether the provider took the task.
        """
        for task, drive in self._running.items():
            if drive.job_id not in self.drive.submit.under_way:
                task.cancel()

    async def run(self) -> None:
        """Drive jobs until `stop`. Cancelling it leaves leases to run out."""
        with self.feed.subscribe_due() as hints:
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(self._renew_leases()), group.create_task(self._measure())]
                while not self._is_stopping:
                    free = self.concurrency - len(self._running)
                    if free <= 0:
                        await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                        continue
                    self._claim_count += 1
                    owner = f"{self.owner}.{self._claim_count}"
                    claimed = await self._claim(owner, free)
                    driven = {drive.job_id for drive in self._running.values()}
                    fresh = [job for job in claimed if job.job_id not in driven]
                    if self._is_stopping:
                        await asyncio.gather(*(self._undo_claim(job, owner) for job in fresh))
                        break
                    for job in fresh:
                        self._start(group, job, owner)
                    if len(claimed) < free:
                        await hints.wait(IDLE_INTERVAL)
                if self._running:
                    await asyncio.wait(self._running)
                for task in background:
                    task.cancel()

    def _start(self, group: asyncio.TaskGroup, job: Job, owner: str) -> None:
        task = group.create_task(self._drive_one(job, owner))
        self._running[task] = _Drive(job.job_id, job.provider, owner)
        task.add_done_callback(self._ended)
        self.metrics.set_drives(job.provider, self._driven()[job.provider])

    def _ended(self, task: asyncio.Task[None]) -> None:
        drive = self._running.pop(task)
        count = self._driven()[drive.provider]
        self.metrics.set_drives(drive.provider, count)
        if count == self.provider_concurrency - 1:
            # Another job of this provider may be waiting for the place.
            self.feed.publish(drive.job_id, is_due=True)

    def _driven(self) -> Counter[ProviderName]:
        return Counter(drive.provider for drive in self._running.values())

    async def _claim(self, owner: str, limit: int) -> list[Job]:
        now = self.clock.now()
        try:
            return await self.store.claim(
                owner,
                now=now,
                lease_until=now + self.lease,
                limit=limit,
                provider_limit=self.provider_concurrency,
                driven=self._driven(),
            )
        except Exception:
            # Whatever it was, the next claim may succeed; a worker that ends takes the whole server with it.
            log.exception("claim failed")
            await self.clock.sleep(FAULT_INTERVAL)
            return []

    async def _undo_claim(self, job: Job, owner: str) -> None:
        try:
            await self.store.undo_claim(job.job_id, owner)
        except Exception:
            log.exception("claim not undone", job=job.job_id)

    async def _drive_one(self, job: Job, owner: str) -> None:
        def goes_on(present: Job) -> bool:
            return not self._is_stopping and present.provider == job.provider

        try:
            await self.drive(job, owner, goes_on=goes_on)
        except StoreUnavailable:
            log.warning("drive interrupted by the store", job=job.job_id)
            await self._give_back(job, owner, FAULT_INTERVAL)
        except Exception:
            # A bug met by one job must not stop the others. The job is tried again, and its deadline ends it.
            log.exception("drive failed", job=job.job_id)
            await self._give_back(job, owner, BUG_INTERVAL)

    async def _give_back(self, job: Job, owner: str, delay: timedelta) -> None:
        """Release a job whose drive broke off; if that fails too, its lease runs out, as nobody renews it any more."""
        try:
            await self.store.release(job.job_id, owner, due_time=self.clock.now() + delay)
        except Exception:
            log.exception("job not given back", job=job.job_id)

    async def _renew_leases(self) -> None:
        while True:
            await self.clock.sleep(self.lease / 3)
            held = {drive.job_id: drive.owner for drive in self._running.values()}
            if not held:
                continue
            try:
                await self.store.renew(held, lease_until=self.clock.now() + self.lease)
            except Exception:
                log.exception("lease renewal failed")

    async def _measure(self) -> None:
        while True:
            try:
                lag = await self.store.lag(self.clock.now())
            except Exception:
                log.exception("lag not measured")
            else:
                self.metrics.set_lag(lag)
                if lag >= LAG_WARNING:
                    log.warning(
                        "jobs wait for a driver", lag_s=round(lag.total_seconds(), 1), drives=len(self._running)
                    )
            await self.clock.sleep(MEASURE_INTERVAL)
