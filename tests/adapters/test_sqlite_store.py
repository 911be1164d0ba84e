"""What is special to the SQLite store: its guards in the file, its plans, its connections, its end."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from reelgate_server.adapters.store.connection import connect
from reelgate_server.adapters.store.migrate import migrate
from reelgate_server.adapters.store.queries import SQL
from reelgate_server.adapters.store.sqlite import SqliteStore
from reelgate_server.domain.errors import StoreUnavailable
from reelgate_server.domain.events import Cancelled
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
        ("claim", "SEARCH jobs USING COVERING INDEX jobs_by_due_time (due_time<?)"),
        ("events_after", "SEARCH events USING INDEX sqlite_autoindex_events_1 (job_id=? AND sequence>?)"),
        ("list_jobs", "SEARCH jobs USING INDEX jobs_by_account (account_id=? AND job_id<?)"),
        ("renew", "SEARCH jobs USING INDEX jobs_by_lease_owner (lease_owner=?)"),
        ("list_transfers", "SEARCH transfers USING INTEGER PRIMARY KEY (rowid<?)"),
    ],
)
def test_what_must_be_fast_walks_an_index_in_order(bare: sqlite3.Connection, name: str, step: str) -> None:
    plan = _plan(bare, name)
    assert step in plan
    assert not [each for each in plan if "TEMP B-TREE" in each]


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
        lambda: store.renew("one", lease_until=NOON),
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
