"""Claims due jobs and drives them, a bounded number at once, until it is told to stop.

There is no separate recovery: what a crash left behind is a due job whose lease has run out, and `DriveJob` knows from
its state what to do.

A claim that the store did not answer may have been made all the same. Nobody drives its jobs, so nobody may renew their
leases either: after such a claim the worker goes on under another name, and renews a name only as long as it drives a
job under it.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from reelgate_server.app.drive_job import DriveJob
from reelgate_server.domain.errors import StoreUnavailable
from reelgate_server.domain.job import Job
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.feed import JobFeed
from reelgate_server.ports.store import JobStore

IDLE_INTERVAL = timedelta(milliseconds=250)
"""How long a job that became due without a hint may wait. A claim that finds nothing costs no write."""
FAULT_INTERVAL = timedelta(seconds=1)
"""Pause after the store could not answer."""
BUG_INTERVAL = timedelta(seconds=30)
"""Pause before a job whose drive met a bug is tried again."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Worker:
    """The loop."""

    store: JobStore
    feed: JobFeed
    clock: Clock
    drive: DriveJob
    owner: str
    """Unique per process; leases carry it, and a number."""
    concurrency: int
    """Jobs driven at once; > 0."""
    lease: timedelta
    """How long a job stays claimed after its driver died; renewed three times as often."""
    _is_stopping: bool = False
    _lost_claim_count: int = 0
    _running: dict[asyncio.Task[None], str] = field(default_factory=dict)
    """Every drive under way, and the name under which its job was claimed."""

    def stop(self) -> None:
        """Claim no more; `run` returns when the jobs at hand have been given back."""
        self._is_stopping = True
        self.feed.wake_all()

    async def run(self) -> None:
        """Drive jobs until `stop`. Cancelling it leaves leases to run out."""
        with self.feed.subscribe_due() as hints:
            async with asyncio.TaskGroup() as group:
                renewal = group.create_task(self._renew_leases())
                while not self._is_stopping:
                    free = self.concurrency - len(self._running)
                    if free <= 0:
                        await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                        continue
                    owner = f"{self.owner}.{self._lost_claim_count}"
                    claimed = await self._claim(owner, free)
                    for job in claimed:
                        task = group.create_task(self._drive_one(job, owner))
                        self._running[task] = owner
                        task.add_done_callback(self._running.pop)
                    if len(claimed) < free:
                        await hints.wait(IDLE_INTERVAL)
                if self._running:
                    await asyncio.wait(self._running)
                renewal.cancel()

    async def _claim(self, owner: str, limit: int) -> list[Job]:
        now = self.clock.now()
        try:
            return await self.store.claim(owner, now=now, lease_until=now + self.lease, limit=limit)
        except StoreUnavailable:
            self._lost_claim_count += 1
            log.warning("claim failed", exc_info=True)
            await self.clock.sleep(FAULT_INTERVAL)
            return []

    async def _drive_one(self, job: Job, owner: str) -> None:
        try:
            await self.drive(job, owner)
        except StoreUnavailable:
            log.warning("drive interrupted by the store", job=job.job_id)
            await self._give_back(job, owner, FAULT_INTERVAL)
        except Exception:
            # A bug met by one job must not stop the others. The job is tried again, and its deadline ends it.
            log.exception("drive failed", job=job.job_id)
            await self._give_back(job, owner, BUG_INTERVAL)

    async def _give_back(self, job: Job, owner: str, delay: timedelta) -> None:
        """Release a job whose drive broke off; until the store answers, or its lease would be renewed for ever."""
        while not self._is_stopping:
            try:
                await self.store.release(job.job_id, owner, due_time=self.clock.now() + delay)
            except StoreUnavailable:
                await self.clock.sleep(FAULT_INTERVAL)
            else:
                return

    async def _renew_leases(self) -> None:
        while True:
            await self.clock.sleep(self.lease / 3)
            try:
                for owner in sorted(set(self._running.values())):
                    await self.store.renew(owner, lease_until=self.clock.now() + self.lease)
            except StoreUnavailable:
                log.warning("lease renewal failed", exc_info=True)
