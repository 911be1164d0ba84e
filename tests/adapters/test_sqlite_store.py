"""What is special to the SQLite store: its guards in the file, its plans, its connections, its end."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import aiosqlite
import pytest
from structlog.testing import capture_logs

from reelgate_server.adapters.store.claims import Claim, take
from reelgate_server.adapters.store.connection import connect
from reelgate_server.adapters.store.group_writer import GroupWriter
from reelgate_server.adapters.store.migrate import migrate
from reelgate_server.adapters.store.queries import SQL
from reelgate_server.adapters.store.sqlite import SqliteStore
from reelgate_server.domain.errors import StoreUnavailable
from reelgate_server.domain.events import Cancelled
from reelgate_server.domain.ids import ProviderName
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.store import JobFilter
from tests.support.builders import (
    NOON,
    account_id,
    after_noon,
    job_id,
    key_id,
    make_account,
    make_credit,
    make_job,
    make_key,
    make_spec,
    usd,
)
from tests.support.store_steps import append, create, create_unpaid

SHORT = timedelta(milliseconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # A name that means something in a URI.
    path = tmp_path / "reel gate?#100%.db"
    migrate(path)
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(path, busy_timeout=SHORT) as store:
        yield store


@pytest.fixture
def bare(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody with the file and a SQL prompt, connected as the server is."""
    with closing(connect(path, busy_timeout=SHORT)) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET document = '{}'",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT * FROM events",
        "UPDATE transfers SET amount_micros = 0",
        "DELETE FROM transfers",
        "INSERT OR REPLACE INTO transfers SELECT * FROM transfers",
    ],
)
async def test_the_log_and_the_ledger_only_grow(store: SqliteStore, bare: sqlite3.Connection, statement: str) -> None:
    await store.record_transfer(make_credit())
    await create(store)
    with pytest.raises(sqlite3.IntegrityError, match="are append-only"):
        bare.execute(statement)


async def test_a_sequence_is_used_once(store: SqliteStore, bare: sqlite3.Connection) -> None:
    await create_unpaid(store)
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE .* events\.job_id, events\.sequence"):
        bare.execute(
            SQL["insert_event"],
            {"job_id": job_id(1), "sequence": 1, "kind": "Cancelled", "event_time": 0, "document": "{}"},
        )


def test_an_event_belongs_to_a_job(bare: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        bare.execute(
            SQL["insert_event"],
            {"job_id": job_id(1), "sequence": 1, "kind": "Cancelled", "event_time": 0, "document": "{}"},
        )


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("recursive_triggers", 1),
        ("busy_timeout", 1),
        ("query_only", 0),
    ],
)
def test_a_writers_settings_are_in_force(bare: sqlite3.Connection, pragma: str, value: int | str) -> None:
    assert bare.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_a_reader_cannot_write(path: Path) -> None:
    with closing(connect(path, busy_timeout=SHORT, is_reader=True)) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
            reader.execute("DELETE FROM jobs")


@pytest.mark.parametrize("name", [name for name in SQL if not name.startswith("insert_")])
def test_no_statement_reads_a_whole_table(bare: sqlite3.Connection, name: str) -> None:
    # A derived table, which a LIMIT bounds, and a list of parameters may be scanned; a table may not.
    tables = [name for (name,) in bare.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert len(tables) == 6
    assert not [step for step in _plan(bare, name) if step.startswith(tuple(f"SCAN {table}" for table in tables))]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("list_providers", "SEARCH jobs USING COVERING INDEX jobs_by_provider_and_due_time"),
        ("list_providers", "SEARCH jobs USING COVERING INDEX jobs_by_provider_and_due_time (provider>?)"),
        (
            "list_waiting",
            "SEARCH jobs USING COVERING INDEX jobs_by_provider_and_due_time (provider=? AND due_time<?)",
        ),
        ("lease", "SEARCH jobs USING COVERING INDEX sqlite_autoindex_jobs_1 (job_id=?)"),
        ("events_after", "SEARCH events USING INDEX sqlite_autoindex_events_1 (job_id=? AND sequence>?)"),
        ("list_jobs", "SEARCH jobs USING INDEX jobs_by_account (account_id=? AND job_id<?)"),
        (
            "list_jobs_of_model",
            "SEARCH jobs USING INDEX jobs_by_account_and_model (account_id=? AND model=? AND job_id<?)",
        ),
        ("renew", "SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (job_id=?)"),
        ("list_transfers", "SEARCH transfers USING INTEGER PRIMARY KEY (rowid<?)"),
    ],
)
def test_what_must_be_fast_walks_an_index_in_order(bare: sqlite3.Connection, name: str, step: str) -> None:
    plan = _plan(bare, name)
    assert step in plan
    assert not [each for each in plan if "TEMP B-TREE" in each]


def test_jobs_of_a_state_are_read_from_an_index_alone_until_a_page_is_full(bare: sqlite3.Connection) -> None:
    plan = _plan(bare, "list_jobs_of_states")
    assert [step for step in plan if " jobs " in step] == [
        "SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH jobs USING COVERING INDEX jobs_by_account_and_state (account_id=? AND state=? AND job_id<?)",
    ]
    # What is sorted is at most a page of each wanted state.
    assert [step for step in plan if "TEMP B-TREE" in step] == ["USE TEMP B-TREE FOR ORDER BY"]


@pytest.mark.parametrize(
    ("job_filter", "found"),
    [
        (JobFilter(model="veo-3"), 1),
        (JobFilter(states=frozenset({JobState.CANCELLED})), 2),
        (JobFilter(model="veo-3", states=frozenset({JobState.CANCELLED, JobState.FAILED})), 1),
    ],
)
async def test_a_rare_job_is_found_without_reading_the_others(
    path: Path, store: SqliteStore, job_filter: JobFilter, found: int
) -> None:
    for number, model in ((1, "veo-3"), (2, "kling-3-pro")):
        job = await create_unpaid(store, number, spec=make_spec(model=model))
        await append(store, job, Cancelled(event_time=NOON))
    await asyncio.gather(*(create_unpaid(store, number) for number in range(3, 2003)))
    step_count = 0

    def count() -> int:
        nonlocal step_count
        step_count += 1
        return 0

    async with _assembled(path) as (assembled, lists, _):
        await lists.set_progress_handler(count, 1)
        jobs = await assembled.list_jobs(account_id(), job_filter, before=None, limit=10)
    assert len(jobs) == found
    assert 0 < step_count < 500


@pytest.mark.parametrize("driven", [{}, {ProviderName("local"): 3}])
async def test_a_claim_does_not_read_the_queue_of_a_provider_beyond_its_places(
    store: SqliteStore, bare: sqlite3.Connection, driven: dict[ProviderName, int]
) -> None:
    await asyncio.gather(*(create_unpaid(store, number) for number in range(1, 2001)))
    await create_unpaid(store, 2001, provider=ProviderName("vertex"))
    claim = Claim(owner="one", now=NOON, lease_until=after_noon(30), limit=100, provider_limit=3, driven=driven)
    step_count = 0

    def count() -> int:
        nonlocal step_count
        step_count += 1
        return 0

    bare.set_progress_handler(count, 1)
    claimed = take(bare, claim)
    assert len(claimed) == (1 if driven else 4)
    # To walk the queue would take ten thousand.
    assert 0 < step_count < 1000


async def test_a_list_that_takes_long_does_not_hold_up_a_log(path: Path, store: SqliteStore) -> None:
    await create_unpaid(store)
    gate = Gate()
    async with _assembled(path) as (assembled, lists, _), asyncio.TaskGroup() as tasks:
        await lists.set_progress_handler(gate, 1)
        jobs = tasks.create_task(assembled.list_jobs(account_id(), JobFilter(), before=None, limit=1))
        transfers = tasks.create_task(assembled.list_transfers(None, before=None, limit=1))
        await gate.reached()
        assert len(await assembled.events_after(job_id(1), 0)) == 1
        assert not jobs.done()
        gate.open()
    assert len(jobs.result()) == 1
    assert transfers.result() == []


async def test_a_log_that_has_not_grown_is_not_read(path: Path, store: SqliteStore) -> None:
    job = await create_unpaid(store)
    gate = Gate()
    async with _assembled(path) as (assembled, _, logs), asyncio.TaskGroup() as tasks:
        await logs.set_progress_handler(gate, 1)
        under_way = tasks.create_task(assembled.events_after(job_id(1), 0))
        await gate.reached()
        assert await assembled.events_after(job_id(1), 1) == []
        assert await assembled.events_after(job_id(1), 2) == []
        assert await assembled.events_after(job_id(2), 0) == []
        assert not under_way.done()
        gate.open()
    assert len(under_way.result()) == 1
    await append(store, job, Cancelled(event_time=NOON))
    assert len(await store.events_after(job_id(1), 1)) == 1


@pytest.mark.parametrize(
    "document",
    [
        """replace(document, '"state":"pending"', '"state":"dreaming"')""",
        "json_remove(document, '$.spec')",
        "'A kite over the sea'",
        "''",
        "CAST(x'ff' AS TEXT)",
    ],
)
async def test_a_job_that_cannot_be_read_stays_leased_and_the_others_are_claimed(
    store: SqliteStore, bare: sqlite3.Connection, document: str
) -> None:
    for number in (1, 2, 3):
        await create_unpaid(store, number)
    (before,) = bare.execute("SELECT document FROM jobs WHERE job_id = ?", [job_id(2)]).fetchone()
    bare.execute(f"UPDATE jobs SET document = {document} WHERE job_id = ?", [job_id(2)])  # noqa: S608 (from the table above)
    assert bare.execute("SELECT document != ? FROM jobs WHERE job_id = ?", [before, job_id(2)]).fetchone() == (1,)
    with capture_logs() as lines:
        claimed = await store.claim("one", now=NOON, lease_until=after_noon(30), limit=10)
        assert [job.job_id for job in claimed] == [job_id(1), job_id(3)]
        assert await store.claim("two", now=after_noon(29), lease_until=after_noon(59), limit=10) == []
    assert lines == [{"event": "unreadable job", "job": job_id(2), "log_level": "error"}]
    claimed = await store.claim("two", now=after_noon(30), lease_until=after_noon(60), limit=10)
    assert [job.job_id for job in claimed] == [job_id(1), job_id(3)]


async def test_a_damaged_file_is_unavailable_and_what_is_whole_in_it_goes_on(path: Path) -> None:
    async with await SqliteStore.open(path) as store:
        await store.create_account(make_account())
        await create_unpaid(store)
    _damage(path, "jobs", "sqlite_autoindex_jobs_1", "jobs_by_account", "jobs_by_provider_and_due_time", "transfers")
    async with await SqliteStore.open(path) as store:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: store.load_job(job_id(1)),
            lambda: store.list_jobs(account_id(), JobFilter(), before=None, limit=1),
            lambda: store.list_transfers(None, before=None, limit=1),
            lambda: store.events_after(job_id(1), 0),
            lambda: store.claim("one", now=NOON, lease_until=NOON, limit=1),
            lambda: store.lag(NOON),
            lambda: create_unpaid(store, 2),
            lambda: store.record_transfer(make_credit()),
        ]
        for call in calls:
            with pytest.raises(StoreUnavailable) as unavailable:
                await call()
            assert str(unavailable.value.__cause__) == "database disk image is malformed"
        await store.create_key(make_key())
        assert await store.find_key(f"{1:064x}") == (make_key(), make_account())


async def test_while_another_process_writes_for_long_changes_are_unavailable_and_reads_go_on(
    store: SqliteStore, bare: sqlite3.Connection
) -> None:
    job = await create_unpaid(store)
    bare.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await append(store, job, Cancelled(event_time=NOON))
    assert await store.load_job(job_id(1)) == job
    assert len(await store.events_after(job_id(1), 0)) == 1
    bare.execute("ROLLBACK")
    await append(store, job, Cancelled(event_time=NOON))


async def test_a_read_that_the_engine_refuses_is_unavailable(store: SqliteStore, bare: sqlite3.Connection) -> None:
    bare.execute("ALTER TABLE jobs RENAME TO elsewhere")
    reads = (
        store.load_job(job_id(1)),
        store.list_jobs(account_id(), JobFilter(), before=None, limit=1),
        store.claim("one", now=NOON, lease_until=NOON, limit=1),
    )
    for read in reads:
        with pytest.raises(StoreUnavailable) as unavailable:
            await read
        assert str(unavailable.value) == "The store is not available; try again."


async def test_creates_that_come_together_share_a_commit(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        before = _commit_count(other, path)
        await asyncio.gather(*(create_unpaid(store, number) for number in range(1, 101)))
        assert _commit_count(other, path) == before + 1


async def test_a_store_that_is_closed_is_unavailable(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.close()
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: create_unpaid(store),
        lambda: append(store, make_job(), Cancelled(event_time=NOON)),
        lambda: store.load_job(job_id(1)),
        lambda: store.find_replay(key_id(), "key"),
        lambda: store.list_jobs(account_id(), JobFilter(), before=None, limit=1),
        lambda: store.events_after(job_id(1), 0),
        lambda: store.claim("one", now=NOON, lease_until=NOON, limit=1),
        lambda: store.lag(NOON),
        lambda: store.renew({job_id(1): "one"}, lease_until=NOON),
        lambda: store.undo_claim(job_id(1), "one"),
        lambda: store.release(job_id(1), "one", due_time=None),
        lambda: store.create_account(make_account()),
        lambda: store.find_account("account 1"),
        lambda: store.create_key(make_key()),
        lambda: store.revoke_key(key_id(), NOON),
        lambda: store.find_key("00"),
        lambda: store.record_transfer(make_credit()),
        lambda: store.load_balance(account_id(), "USD"),
        lambda: store.list_transfers(None, before=None, limit=1),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            await call()


async def test_closing_finishes_the_changes_that_wait(path: Path) -> None:
    store = await SqliteStore.open(path)
    async with asyncio.TaskGroup() as tasks:
        for number in range(1, 301):
            tasks.create_task(create_unpaid(store, number))
        # One turn of the loop, in which all of them join the queue.
        await asyncio.sleep(0)
        await store.close()
    async with await SqliteStore.open(path) as again:
        assert len(await again.list_jobs(account_id(), JobFilter(), before=None, limit=1000)) == 300


async def test_closing_twice_is_harmless(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.close()
    await store.close()


async def test_the_last_to_close_leaves_one_file(path: Path) -> None:
    async with await SqliteStore.open(path) as store:
        await create_unpaid(store)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
from reelgate_server.adapters.store.sqlite import SqliteStore
from tests.support.builders import make_credit
from tests.support.store_steps import create

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    await store.record_transfer(make_credit(amount_micros=10_000_000))
    await asyncio.gather(*(create(store, number, price_micros=100_000) for number in range(1, 41)))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_committed_survives_a_kill(path: Path) -> None:
    command = [sys.executable, "-c", VICTIM, str(path)]
    victim = await asyncio.to_thread(
        subprocess.run, command, cwd=Path(__file__).parents[2], capture_output=True, check=False
    )
    assert (victim.returncode, victim.stderr) == (-signal.SIGKILL, b"")
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    async with await SqliteStore.open(path) as store:
        assert len(await store.list_jobs(account_id(), JobFilter(), before=None, limit=100)) == 40
        assert len(await store.claim("one", now=after_noon(1), lease_until=after_noon(2), limit=100)) == 40
        balance = await store.load_balance(account_id(), "USD")
        assert (balance.posted, balance.held) == (usd(10_000_000), usd(4_000_000))


class Gate:
    """A progress handler that keeps its connection in the middle of a statement until it is let go."""

    def __init__(self) -> None:
        """Begin closed."""
        self._reached = threading.Event()
        self._opened = threading.Event()

    def __call__(self) -> int:
        """Wait, then let the statement go on."""
        self._reached.set()
        return 0 if self._opened.wait(timeout=10) else 1

    async def reached(self) -> None:
        """Return when a statement is under way."""
        assert await asyncio.to_thread(self._reached.wait, 10)

    def open(self) -> None:
        """Let it go on."""
        self._opened.set()


@asynccontextmanager
async def _assembled(path: Path) -> AsyncIterator[tuple[SqliteStore, aiosqlite.Connection, aiosqlite.Connection]]:
    """A store, with its connections for lists and for logs within reach."""
    async with AsyncExitStack() as resources:
        writer = await GroupWriter.open(partial(connect, path, busy_timeout=SHORT))
        resources.push_async_callback(writer.close)
        reader = partial(connect, path, busy_timeout=SHORT, is_reader=True)
        lists = await resources.enter_async_context(aiosqlite.Connection(reader, iter_chunk_size=64))
        logs = await resources.enter_async_context(aiosqlite.Connection(reader, iter_chunk_size=64))
        points = resources.enter_context(closing(reader()))
        yield SqliteStore(writer, points=points, lists=lists, logs=logs, resources=resources), lists, logs


def _damage(path: Path, *names: str) -> None:
    """Overwrite the first page of some tables and indexes."""
    with closing(sqlite3.connect(path)) as connection:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_schema"))
    with path.open("r+b") as file:
        for name in names:
            file.seek((roots[name] - 1) * page_size)
            file.write(b"\xff" * page_size)


def _plan(connection: sqlite3.Connection, name: str) -> list[str]:
    """The steps in which the engine would run a statement."""
    parameters = dict.fromkeys(_parameters(SQL[name]))
    return [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", parameters)]


def _parameters(statement: str) -> list[str]:
    return [word.strip(":(),;") for word in statement.replace(":", " :").split() if word.startswith(":")]


def _commit_count(connection: sqlite3.Connection, path: Path) -> int:
    """How many commits the write-ahead log holds: frames that carry the size of the file after them."""
    connection.execute("SELECT count(*) FROM jobs").fetchone()
    log = path.with_name(path.name + "-wal").read_bytes()
    page_size = int.from_bytes(log[8:12])
    return sum(log[at + 4 : at + 8] != b"\0\0\0\0" for at in range(32, len(log), page_size + 24))
