"""Watch a job to its end.

Subscribe, then read, then send, then wait for a hint or for the poll interval, then read on from the last sequence.
Subscribing before reading is what closes the gap: an event appended after the read raises the hint that makes the
next read. The feed may lie or be late; the store may not.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reelgate_server.app.read_jobs import get_job
from reelgate_server.domain.errors import DomainError, SequenceOutOfRange, ServerStopping
from reelgate_server.domain.events import LoggedEvent
from reelgate_server.domain.ids import AccountId
from reelgate_server.domain.job import Job, apply
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.feed import JobFeed
from reelgate_server.ports.store import JobStore


class UpdateKind(StrEnum):
    """What an update is."""

    SNAPSHOT = "snapshot"
    EVENT = "event"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdate:
    """One thing to tell a watcher."""

    kind: UpdateKind
    sequence: int
    """Where to resume: the next event follows this one."""
    job: Job
    """For an event, the job as it left it; otherwise as it stands."""
    logged: LoggedEvent | None = None
    """Set for an event."""


@dataclass(slots=True, kw_only=True)
class WatchJob:
    """The use case."""

    store: JobStore
    feed: JobFeed
    clock: Clock
    heartbeat_interval: timedelta
    """The longest silence of a stream; > 0."""
    poll_interval: timedelta
    """How long a change made by another process may go unseen; > 0."""
    is_stopping: bool = False

    def stop(self) -> None:
        """Make every watch, new ones too, end with `ServerStopping` once it has sent what there is."""
        self.is_stopping = True
        self.feed.wake_all()

    async def __call__(self, account_id: AccountId, job_id: str, *, after: int = 0) -> AsyncGenerator[JobUpdate, None]:
        """Yield the present, then every event after `after`, then end with the job.

        Yields:
            First a snapshot, at once. Then events in order, no gap, no repeat; the last is the one that ends the job.
            Between them a heartbeat whenever `heartbeat_interval` passes without anything else.

        Raises:
            JobNotFound: Before the first update: no such job of this account.
            SequenceOutOfRange: Before the first update: `after` is negative or beyond the log.
            ServerStopping: At any point: the server is draining.

        Cancellation: safe at any point; holds no lock and no connection between updates.
        """
        job = await get_job(self.store, account_id, job_id)
        with self.feed.subscribe(job.job_id) as hints:
            job = await self.store.load_job(job.job_id)
            if not 0 <= after <= job.sequence:
                raise SequenceOutOfRange(after, job.sequence)
            yield JobUpdate(kind=UpdateKind.SNAPSHOT, sequence=after, job=job)
            present: Job | None = None
            sequence, silence = 0, timedelta()
            while True:
                for logged in await self.store.events_after(job.job_id, sequence):
                    present = apply(present, logged.event)
                    sequence = logged.sequence
                    if sequence > after:
                        yield JobUpdate(kind=UpdateKind.EVENT, sequence=sequence, job=present, logged=logged)
                        silence = timedelta()
                if present is not None and present.is_terminal:
                    return
                if self.is_stopping:
                    raise ServerStopping
                limit = min(self.poll_interval, self.heartbeat_interval - silence)
                before = self.clock.now()
                is_hinted = await hints.wait(limit)
                # A hint may come of nothing, so the wait before it is silence too; setting the wall clock is no wait.
                silence += min(max(self.clock.now() - before, timedelta()), limit) if is_hinted else limit
                if silence >= self.heartbeat_interval and present is not None:
                    yield JobUpdate(kind=UpdateKind.HEARTBEAT, sequence=sequence, job=present)
                    silence = timedelta()

    async def wait_briefly(self, job: Job, is_reached: Callable[[Job], bool], limit: timedelta) -> Job:
        """Return the job once `is_reached` holds, it has ended, or `limit` has passed, whichever comes first.

        For a job that was just accepted: whatever goes wrong while waiting, the caller gets the job.
        """
        latest = job
        try:
            async with (
                self.clock.timeout(limit),
                aclosing(self(job.account_id, job.job_id, after=job.sequence)) as updates,
            ):
                async for update in updates:
                    latest = update.job
                    if is_reached(latest):
                        break
        except (TimeoutError, DomainError):
            pass
        return latest

    async def wait_for_end(self, job: Job) -> Job:
        """Return the job once it has ended; its deadline bounds the wait.

        Raises:
            ServerStopping: The server is draining; the job goes on.
            StoreUnavailable: The store could not answer; the job goes on.
        """
        async with aclosing(self(job.account_id, job.job_id, after=job.sequence)) as updates:
            async for update in updates:
                job = update.job
        return job
