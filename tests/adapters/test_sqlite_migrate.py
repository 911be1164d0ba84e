"""The schema of the SQLite store, and how a file gets it."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from reelgate_server.adapters.store.migrate import SchemaMismatch, migrate, migrations, schema_version
from reelgate_server.adapters.store.sqlite import SqliteStore

TABLES = ("accounts", "balances", "events", "jobs", "keys", "transfers")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reelgate.db"


@pytest.fixture
def bare(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the file that knows nothing of our schema."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_migrations_are_numbered_without_gaps() -> None:
    assert list(migrations()) == list(range(1, len(migrations()) + 1))


def test_migrating_makes_the_expected_schema(path: Path, bare: sqlite3.Connection) -> None:
    assert migrate(path) == [1]
    named = bare.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    assert named.fetchall() == [
        ("index", "jobs_by_account"),
        ("index", "jobs_by_account_and_model"),
        ("index", "jobs_by_account_and_state"),
        ("index", "jobs_by_due_time"),
        ("index", "jobs_by_idempotency_key"),
        ("index", "jobs_by_lease_owner"),
        ("index", "transfers_by_credit_account"),
        ("index", "transfers_by_debit_account"),
        ("index", "transfers_by_hold"),
        *(("table", table) for table in TABLES),
        ("trigger", "events_refuse_delete"),
        ("trigger", "events_refuse_update"),
        ("trigger", "transfers_refuse_delete"),
        ("trigger", "transfers_refuse_update"),
        ("trigger", "transfers_resolve_like_their_hold"),
    ]
    columns = bare.execute("SELECT name, type FROM pragma_table_info('jobs')")
    assert columns.fetchall() == [
        ("job_id", "TEXT"),
        ("account_id", "TEXT"),
        ("key_id", "TEXT"),
        ("idempotency_key", "TEXT"),
        ("model", "TEXT"),
        ("state", "TEXT"),
        ("sequence", "INTEGER"),
        ("create_time", "INTEGER"),
        ("due_time", "INTEGER"),
        ("lease_owner", "TEXT"),
        ("lease_until", "INTEGER"),
        ("document", "TEXT"),
    ]


def test_every_table_is_strict(path: Path, bare: sqlite3.Connection) -> None:
    migrate(path)
    strict = bare.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict ORDER BY name")
    assert tuple(name for (name,) in strict) == TABLES


def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    migrate(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_migrated_stays_as_it_is(path: Path) -> None:
    migrate(path)
    assert migrate(path) == []
    assert schema_version(path) == 1


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, bare: sqlite3.Connection) -> None:
    bare.execute("CREATE TABLE transfers (in_the_way TEXT)")
    with pytest.raises(sqlite3.OperationalError, match="transfers already exists"):
        migrate(path)
    assert schema_version(path) == 0
    assert bare.execute("SELECT name FROM sqlite_schema").fetchall() == [("transfers",)]


def test_two_processes_may_migrate_one_file(path: Path) -> None:
    with ThreadPoolExecutor(max_workers=4) as threads:
        applied = list(threads.map(migrate, [path] * 4))
    assert sorted(applied) == [[], [], [], [1]]
    assert schema_version(path) == 1


def test_a_file_of_a_later_version_is_not_migrated(path: Path, bare: sqlite3.Connection) -> None:
    bare.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaMismatch, match="later version"):
        migrate(path)


async def test_a_file_that_does_not_exist_is_not_opened(path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"schema version 0.* needs 1: migrate it first"):
        await SqliteStore.open(path)
    assert not path.exists()  # noqa: ASYNC240 (a stat of a local file)


async def test_a_file_that_is_no_database_is_not_opened(path: Path) -> None:
    path.write_bytes(b"A kite over the sea. " * 500)  # noqa: ASYNC240 (a small local file)
    with pytest.raises(SchemaMismatch, match=r"reelgate\.db is not a database"):
        await SqliteStore.open(path)


async def test_a_file_of_an_earlier_version_is_not_opened(path: Path) -> None:
    migrate(path, target=0)
    with pytest.raises(SchemaMismatch) as mismatch:
        await SqliteStore.open(path)
    assert (mismatch.value.found, mismatch.value.needed) == (0, 1)


async def test_a_file_of_a_later_version_is_not_opened(path: Path, bare: sqlite3.Connection) -> None:
    migrate(path)
    bare.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaMismatch, match=r"has schema version 99.*later version of Reelgate"):
        await SqliteStore.open(path)
