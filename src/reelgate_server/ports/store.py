"""Where jobs, their logs and the ledger are kept. These docstrings are what `tests/contract` checks.

Every method may raise `StoreUnavailable`; a change that raised it is made whole or not at all. Every change is
durable when its method returns. Methods are safe to call concurrently, from several processes too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from reelgate_server.domain.events import JobEvent, LoggedEvent
from reelgate_server.domain.ids import AccountId, JobId, KeyId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import Transfer
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.money import Money


class SequenceConflict(Exception):
    """Somebody else appended to the log since it was read; nothing was changed. Reload and decide again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows; None means any."""

    states: frozenset[JobState] | None = None
    model: str | None = None


class JobStore(Protocol):
    """Jobs, their logs, and who is driving them."""

    async def create_job(
        self, job: Job, event: JobEvent, transfers: Sequence[Transfer], *, available_min: Money | None
    ) -> Job:
        """Record a new job, its first event and its transfers, and make it due at once.

        The idempotency key is looked at first: if `(job.key_id, job.idempotency_key)` has a job already, nothing is
        changed and that job is returned in its present state, whatever its content.

        Args:
            job: What `event` adds up to.
            event: `Created`.
            transfers: The job's opening transfers, at most one hold.
            available_min: What the account must have available before the transfers; None skips the check. The check
                and the transfers are one step: concurrent creates cannot both use the same money.

        Returns:
            `job` itself, or the earlier job that holds its idempotency key.

        Raises:
            InsufficientBalance: Carries `available_min` and what there was; nothing was changed.
            SequenceConflict: There is a job of this id, and it is no replay; nothing was changed.
        """
        ...

    async def append(
        self,
        job: Job,
        events: Sequence[JobEvent],
        transfers: Sequence[Transfer],
        *,
        expected_sequence: int,
        due_time: datetime | None,
    ) -> None:
        """Append events to a log, with what follows from them, in one step.

        Keeps the job's lease as it is.

        Args:
            job: The log's sum after `events`.
            events: At least one, in order.
            transfers: What settles the job, if the events end it.
            expected_sequence: The length of the log before `events`.
            due_time: When a driver should look next; None for never.

        Raises:
            SequenceConflict: The log is not of that length, or the job does not exist.
        """
        ...

    async def load_job(self, job_id: JobId) -> Job:
        """Read one job.

        Raises:
            JobNotFound: There is none.
        """
        ...

    async def find_replay(self, key_id: KeyId, idempotency_key: str) -> Job | None:
        """Read the job that holds this idempotency key; None if there is none."""
        ...

    async def list_jobs(
        self, account_id: AccountId, job_filter: JobFilter, *, before: JobId | None, limit: int
    ) -> list[Job]:
        """Read an account's jobs, newest first: by `job_id`, descending.

        Args:
            account_id: Whose.
            job_filter: Which of them.
            before: Only jobs whose id sorts before this one; None starts at the newest.
            limit: At most this many; > 0.
        """
        ...

    async def events_after(self, job_id: JobId, sequence: int) -> list[LoggedEvent]:
        """Read the part of a log that follows `sequence`, in order; empty if there is nothing, or no such job."""
        ...

    async def claim(
        self,
        owner: str,
        *,
        now: datetime,
        lease_until: datetime,
        limit: int,
        provider_limit: int | None = None,
        driven: Mapping[ProviderName, int] | None = None,
    ) -> list[Job]:
        """Take jobs to drive: those due by `now` that nobody holds, or whose holder's lease has run out by `now`.

        Takes the longest due first. A job whose provider has no place left is passed over: it keeps its due time, and
        with it its turn, and does not stand in the way of other providers' jobs. No two claims return the same job
        while a lease lasts. A job that this version cannot read is logged, left to its lease, and not returned. A lease
        that would last more than an hour beyond `now` was made before the clock was set back, and counts as run out.

        Args:
            owner: Whose leases they will be.
            now: By when a job must be due.
            lease_until: When the leases run out.
            limit: At most this many jobs; > 0.
            provider_limit: How many places each provider has: what is claimed of its jobs and what is driven of them
                already are no more together; > 0. None: as many as it likes.
            driven: How many jobs of each provider the caller drives already; none of a provider that is not named.
        """
        ...

    async def lag(self, now: datetime) -> timedelta:
        """Tell how long the job that has been due longest has been waiting for a claim; zero if none waits.

        A job waits from its due time until it is claimed, whatever it waits for: a driver, or a place of its provider.
        Under a lease it does not, unless that has run out by `now`.
        """
        ...

    async def renew(self, held: Mapping[JobId, str], *, lease_until: datetime) -> None:
        """Extend leases, each only as long as its owner still holds it; never shorten one.

        Args:
            held: Jobs, and who claimed each. Other jobs of the same claim are left to their leases.
            lease_until: When the leases run out.
        """
        ...

    async def undo_claim(self, job_id: JobId, owner: str) -> None:
        """Give a job back as it was found: due since when it was due. Without effect unless `owner` holds it."""
        ...

    async def release(
        self, job_id: JobId, owner: str, *, due_time: datetime | None, expected_sequence: int | None = None
    ) -> None:
        """Give a job back. Without effect unless `owner` holds it.

        Args:
            job_id: The job.
            owner: Who claimed it.
            due_time: When it is due again; None for never.
            expected_sequence: The length of the log that `due_time` was chosen by. If another writer has appended
                since, the due time stays as that writer set it. None chooses whatever the log.
        """
        ...
