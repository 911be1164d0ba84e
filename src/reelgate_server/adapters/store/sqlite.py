"""The SQLite store: one file, shared by any number of server processes on one machine.

Four connections, each for what it does best. Changes go to the group writer's thread. Point reads by a unique key
take about 15 microseconds and run where they are asked for, because a hop to a thread and back costs ten times that.
Reads that scan go through aiosqlite, so that a long one does not hold up the event loop: logs by one connection, lists
by another, so that a long list does not hold up a watch.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import aiosqlite
import structlog

from reelgate_server.adapters.store import changes, claims, rows
from reelgate_server.adapters.store.connection import connect, engine_faults
from reelgate_server.adapters.store.group_writer import Change, GroupWriter
from reelgate_server.adapters.store.migrate import require_current_schema
from reelgate_server.adapters.store.queries import SQL
from reelgate_server.adapters.store.rows import Parameters, Row
from reelgate_server.adapters.store.rules import INTEGER_MAX, logged
from reelgate_server.domain.accounts import Account, ApiKey
from reelgate_server.domain.errors import JobNotFound, StoreUnavailable
from reelgate_server.domain.events import JobEvent, LoggedEvent
from reelgate_server.domain.ids import AccountId, JobId, KeyId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import Balance, Transfer
from reelgate_server.domain.money import Money
from reelgate_server.ports.accounts import LedgerEntry
from reelgate_server.ports.store import JobFilter

WRITER_BUSY_TIMEOUT: Final = timedelta(seconds=5)
"""How long a group waits for another process's commit; hundreds of commits."""
POINT_READ_BUSY_TIMEOUT: Final = timedelta(milliseconds=50)
"""In WAL a reader waits only while another process recovers the file after a crash. The event loop waits with it."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class SqliteStore:
    """`JobStore` and `AccountStore` over one file. Belongs to the event loop that opened it."""

    def __init__(
        self,
        writer: GroupWriter,
        *,
        points: sqlite3.Connection,
        lists: aiosqlite.Connection,
        logs: aiosqlite.Connection,
        resources: AsyncExitStack,
    ) -> None:
        """Take what `open` has opened; `resources` closes it."""
        self._writer = writer
        self._points = points
        self._lists = lists
        self._logs = logs
        self._resources = resources
        self._is_open = True

    @classmethod
    async def open(cls, path: Path, *, busy_timeout: timedelta = WRITER_BUSY_TIMEOUT) -> Self:
        """Open a file that `migrate` has brought to the present schema. Close the store before the loop ends.

        Args:
            path: The database, on a local disk.
            busy_timeout: How long a change waits for other processes before it raises `StoreUnavailable`.

        Raises:
            SchemaMismatch: There is no such file, it is no database, or its schema is older or newer than this code.
            StoreUnavailable: The file cannot be opened now.
        """
        opening = AsyncExitStack()
        try:
            with engine_faults():
                require_current_schema(path)
                # Opened first and so closed last: the last connection to close folds the log into the file.
                writer = await GroupWriter.open(partial(connect, path, busy_timeout=busy_timeout))
                opening.push_async_callback(writer.close)
                reader = partial(connect, path, busy_timeout=busy_timeout, is_reader=True)
                lists = await opening.enter_async_context(aiosqlite.Connection(reader, iter_chunk_size=64))
                logs = await opening.enter_async_context(aiosqlite.Connection(reader, iter_chunk_size=64))
                points = connect(path, busy_timeout=POINT_READ_BUSY_TIMEOUT, is_reader=True)
                opening.callback(points.close)
        except BaseException:
            await opening.aclose()
            raise
        return cls(writer, points=points, lists=lists, logs=logs, resources=opening)

    async def close(self) -> None:
        """Finish the changes that wait, then let go of the file. Later calls of any method raise `StoreUnavailable`."""
        self._is_open = False
        await self._resources.aclose()

    async def __aenter__(self) -> Self:
        """Return the store itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the store."""
        await self.close()

    async def create_job(
        self, job: Job, event: JobEvent, transfers: Sequence[Transfer], *, available_min: Money | None
    ) -> Job:
        """See `JobStore.create_job`."""
        creation = _job_change(job, [event], transfers, expected_sequence=0, due_time=job.create_time)
        earlier = await self._write(partial(changes.create_job, creation=creation, available_min=available_min))
        return job if earlier is None else rows.to_job(earlier)

    async def append(
        self,
        job: Job,
        events: Sequence[JobEvent],
        transfers: Sequence[Transfer],
        *,
        expected_sequence: int,
        due_time: datetime | None,
    ) -> None:
        """See `JobStore.append`."""
        step = _job_change(job, events, transfers, expected_sequence=expected_sequence, due_time=due_time)
        await self._write(partial(changes.append, step=step, expected_sequence=expected_sequence))

    async def load_job(self, job_id: JobId) -> Job:
        """See `JobStore.load_job`."""
        row = self._point("load_job", {"job_id": job_id})
        if row is None:
            raise JobNotFound(job_id)
        return rows.to_job(row[0])

    async def find_replay(self, key_id: KeyId, idempotency_key: str) -> Job | None:
        """See `JobStore.find_replay`."""
        row = self._point("find_replay", {"key_id": key_id, "idempotency_key": idempotency_key})
        return None if row is None else rows.to_job(row[0])

    async def list_jobs(
        self, account_id: AccountId, job_filter: JobFilter, *, before: JobId | None, limit: int
    ) -> list[Job]:
        """See `JobStore.list_jobs`."""
        parameters: Parameters = {"account_id": account_id, "before": before, "model": job_filter.model, "limit": limit}
        if job_filter.states is not None:
            parameters["states"] = rows.from_states(job_filter.states)
            found = await self._scan(self._lists, "list_jobs_of_states", parameters)
        elif job_filter.model is not None:
            found = await self._scan(self._lists, "list_jobs_of_model", parameters)
        else:
            found = await self._scan(self._lists, "list_jobs", parameters)
        return [rows.to_job(row[0]) for row in found]

    async def events_after(self, job_id: JobId, sequence: int) -> list[LoggedEvent]:
        """See `JobStore.events_after`."""
        present = self._point("load_sequence", {"job_id": job_id})
        if present is None or present[0] <= sequence:
            # Most calls are those of watchers of a job that has not moved.
            return []
        found = await self._scan(self._logs, "events_after", {"job_id": job_id, "sequence": sequence})
        return [rows.to_logged_event(row) for row in found]

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
        """See `JobStore.claim`. A job that cannot be read is logged and left to its lease, so that no loop is hot."""
        claim = claims.Claim(
            owner=owner,
            now=now,
            lease_until=lease_until,
            limit=limit,
            provider_limit=provider_limit,
            driven=driven or {},
        )
        claimed = await self._write(partial(claims.take, claim=claim))
        jobs = (_readable(job_id, document) for _, job_id, document in claimed)
        return [job for job in jobs if job is not None]

    async def lag(self, now: datetime) -> timedelta:
        """See `JobStore.lag`."""
        self._require_open()
        with engine_faults():
            return claims.lag(self._points, now)

    async def renew(self, held: Mapping[JobId, str], *, lease_until: datetime) -> None:
        """See `JobStore.renew`."""
        await self._run("renew", {"held": rows.from_held(held), "lease_until": rows.to_microseconds(lease_until)})

    async def undo_claim(self, job_id: JobId, owner: str) -> None:
        """See `JobStore.undo_claim`."""
        await self._run("undo_claim", {"job_id": job_id, "owner": owner})

    async def release(
        self, job_id: JobId, owner: str, *, due_time: datetime | None, expected_sequence: int | None = None
    ) -> None:
        """See `JobStore.release`."""
        due = rows.to_microseconds_or_null(due_time)
        await self._run(
            "release", {"job_id": job_id, "owner": owner, "due_time": due, "expected_sequence": expected_sequence}
        )

    async def create_account(self, account: Account) -> None:
        """See `AccountStore.create_account`."""
        await self._write(partial(changes.create_account, row=rows.from_account(account)))

    async def find_account(self, name: str) -> Account | None:
        """See `AccountStore.find_account`."""
        row = self._point("find_account", {"name": name})
        return None if row is None else rows.to_account(row)

    async def create_key(self, key: ApiKey) -> None:
        """See `AccountStore.create_key`."""
        await self._run("insert_key", rows.from_key(key))

    async def revoke_key(self, key_id: KeyId, now: datetime) -> bool:
        """See `AccountStore.revoke_key`."""
        return await self._run("revoke_key", {"key_id": key_id, "revoke_time": rows.to_microseconds(now)}) > 0

    async def find_key(self, sha256: str) -> tuple[ApiKey, Account] | None:
        """See `AccountStore.find_key`."""
        row = self._point("find_key", {"sha256": sha256})
        return None if row is None else rows.to_key_and_account(row)

    async def record_transfer(self, transfer: Transfer) -> None:
        """See `AccountStore.record_transfer`."""
        await self._write(partial(changes.record_transfer, transfer=transfer))

    async def load_balance(self, account_id: AccountId, currency: str) -> Balance:
        """See `AccountStore.load_balance`."""
        row = self._point("load_balance", {"account_id": account_id, "currency": currency})
        return rows.to_balance(row, currency)

    async def list_transfers(
        self, account_id: AccountId | None, *, before: int | None, limit: int
    ) -> list[LedgerEntry]:
        """See `AccountStore.list_transfers`."""
        parameters: Parameters = {"before": INTEGER_MAX if before is None else before, "limit": limit}
        if account_id is None:
            found = await self._scan(self._lists, "list_transfers", parameters)
        else:
            parameters["account_id"] = account_id
            found = await self._scan(self._lists, "list_transfers_of_account", parameters)
        return [LedgerEntry(position=row[0], transfer=rows.to_transfer(row[1:])) for row in found]

    async def _write(self, change: Change[T]) -> T:
        self._require_open()
        return await self._writer.write(change)

    async def _run(self, name: str, parameters: Parameters) -> int:
        return await self._write(partial(changes.run, name=name, parameters=parameters))

    def _point(self, name: str, parameters: Parameters) -> Row | None:
        self._require_open()
        with engine_faults():
            row: Row | None = self._points.execute(SQL[name], parameters).fetchone()
        return row

    async def _scan(self, connection: aiosqlite.Connection, name: str, parameters: Parameters) -> list[Row]:
        self._require_open()
        with engine_faults():
            return [tuple(row) for row in await connection.execute_fetchall(SQL[name], parameters)]

    def _require_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailable


def _readable(job_id: JobId, document: bytes) -> Job | None:
    try:
        return rows.to_job(document)
    except ValueError:
        # Without the traceback, which would quote the document: a prompt is in it.
        log.error("unreadable job", job=job_id)  # noqa: TRY400
        return None


def _job_change(
    job: Job,
    events: Sequence[JobEvent],
    transfers: Sequence[Transfer],
    *,
    expected_sequence: int,
    due_time: datetime | None,
) -> changes.JobChange:
    return changes.JobChange(
        job=rows.from_job(job, due_time),
        events=[
            rows.from_logged_event(job.job_id, each)
            for each in logged(job, events, expected_sequence=expected_sequence)
        ],
        transfers=transfers,
    )
