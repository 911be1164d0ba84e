"""Append what follows from a command to a job's log, with the money that goes with it."""

from dataclasses import dataclass

import structlog

from reelgate_server.domain.decide import Command, decide
from reelgate_server.domain.errors import StoreContended
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job, extend
from reelgate_server.domain.ledger import settlement
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.feed import JobFeed
from reelgate_server.ports.store import JobStore, SequenceConflict

ATTEMPT_COUNT_MAX = 8
"""Times a command is decided anew after another writer won. A job has one driver and rarely a second writer."""


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Decides, appends, and tells the watchers."""

    store: JobStore
    feed: JobFeed
    clock: Clock

    async def record(self, job: Job, command: Command) -> Job:
        """Append the events of a command, and what settles the job if they end it, in one transaction.

        Returns:
            The job after the events; `job` itself if there were none.

        Raises:
            SequenceConflict: Another writer was first; nothing was changed.
            JobNotCancellable: As `decide` says.
        """
        events = decide(job, command, self.clock.now())
        if not events:
            return job
        after = extend(job, events)
        await self.store.append(
            after,
            events,
            settlement(after),
            expected_sequence=job.sequence,
            due_time=self.clock.now() if after.wants_driving else None,
        )
        self.feed.publish(job.job_id)
        log.info("job", job=after.job_id, sequence=after.sequence, state=after.state, provider=after.provider)
        return after

    async def record_latest(self, job_id: JobId, command: Command) -> Job:
        """Load the job and record, anew whenever another writer was first.

        Raises:
            StoreContended: Another writer was first each time.
            JobNotFound: There is no such job.
            JobNotCancellable: As `decide` says.
        """
        for _ in range(ATTEMPT_COUNT_MAX):
            job = await self.store.load_job(job_id)
            try:
                return await self.record(job, command)
            except SequenceConflict:
                continue
        raise StoreContended
