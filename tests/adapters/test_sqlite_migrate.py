"""The schema of the SQLite store, and how a file gets it."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reelgate_server.adapters.store.migrate import SchemaMismatch, migrate, migrations, schema_version
from reelgate_server.adapters.store.rows import to_microseconds
from reelgate_server.adapters.store.sqlite import SqliteStore
from reelgate_server.domain.events import Task
from tests.support.builders import NOON, account_id, after_noon, job_id, key_id

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
    assert migrate(path) == [1, 2]
    named = bare.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    assert named.fetchall() == [
        ("index", "jobs_by_account"),
        ("index", "jobs_by_account_and_model"),
        ("index", "jobs_by_account_and_state"),
        ("index", "jobs_by_idempotency_key"),
        ("index", "jobs_by_provider_and_due_time"),
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
        ("provider", "TEXT"),
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
    assert schema_version(path) == 2


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, bare: sqlite3.Connection) -> None:
    bare.execute("CREATE TABLE transfers (in_the_way TEXT)")
    with pytest.raises(sqlite3.OperationalError, match="transfers already exists"):
        migrate(path)
    assert schema_version(path) == 0
    assert bare.execute("SELECT name FROM sqlite_schema").fetchall() == [("transfers",)]


def test_two_processes_may_migrate_one_file(path: Path) -> None:
    with ThreadPoolExecutor(max_workers=4) as threads:
        applied = list(threads.map(migrate, [path] * 4))
    assert sorted(version for versions in applied for version in versions) == [1, 2]
    assert schema_version(path) == 2


def test_a_file_of_a_later_version_is_not_migrated(path: Path, bare: sqlite3.Connection) -> None:
    bare.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaMismatch, match="later version"):
        migrate(path)


async def test_a_file_that_does_not_exist_is_not_opened(path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"schema version 0.* needs 2: migrate it first"):
        await SqliteStore.open(path)
    assert not path.exists()  # noqa: ASYNC240 (a stat of a local file)


async def test_a_file_that_is_no_database_is_not_opened(path: Path) -> None:
    path.write_bytes(b"A kite over the sea. " * 500)  # noqa: ASYNC240 (a small local file)
    with pytest.raises(SchemaMismatch, match=r"reelgate\.db is not a database"):
        await SqliteStore.open(path)


async def test_a_file_of_an_earlier_version_is_not_opened(path: Path) -> None:
    migrate(path, target=1)
    with pytest.raises(SchemaMismatch) as mismatch:
        await SqliteStore.open(path)
    assert (mismatch.value.found, mismatch.value.needed) == (1, 2)


def _write_job_of_version_1(
    bare: sqlite3.Connection, number: int, document: str, *, due: float | None, owner: str | None = None
) -> None:
    """A row as version 1 had it; a lease lasts until half a minute after noon."""
    row = {
        "job_id": job_id(number),
        "account_id": account_id(),
        "key_id": key_id(),
        "create_time": to_microseconds(NOON),
        "due_time": None if due is None else to_microseconds(after_noon(due)),
        "lease_owner": owner,
        "lease_until": to_microseconds(after_noon(30)) if owner else None,
        "document": document,
    }
    bare.execute(
        "INSERT INTO jobs VALUES (:job_id, :account_id, :key_id, NULL, 'kling-3-pro', 'processing', 8, :create_time,"
        " :due_time, :lease_owner, :lease_until, :document)",
        row,
    )


async def test_jobs_of_version_1_are_claimed_as_their_providers_have_places(
    path: Path, bare: sqlite3.Connection
) -> None:
    migrate(path, target=1)
    lines = Path(__file__).with_name("documents_of_the_foundation.tsv").read_text("utf-8").splitlines()
    (document,) = [line.removeprefix("Job\t") for line in lines if line.startswith("Job\t")]
    documents = {number: document.replace(job_id(1), job_id(number)) for number in range(1, 6)}
    fal = documents[2].replace('"provider":"local"', '"provider":"fal"')
    _write_job_of_version_1(bare, 1, documents[1], due=3)
    _write_job_of_version_1(bare, 2, fal, due=2)
    _write_job_of_version_1(bare, 3, documents[3], due=1)
    _write_job_of_version_1(bare, 4, documents[4], due=0, owner="driver")
    _write_job_of_version_1(bare, 5, documents[5], due=None)
    assert migrate(path) == [2]
    assert bare.execute("SELECT job_id, provider FROM jobs ORDER BY job_id").fetchall() == [
        (job_id(1), "local"),
        (job_id(2), "fal"),
        (job_id(3), "local"),
        (job_id(4), "local"),
        (job_id(5), "local"),
    ]
    async with await SqliteStore.open(path) as store:
        assert await store.lag(after_noon(10)) == timedelta(seconds=9)
        claims = [
            await store.claim("one", now=after_noon(at), lease_until=after_noon(90), limit=9, provider_limit=1)
            for at in (10, 10, 10, 30)
        ]
    assert [[job.job_id for job in claim] for claim in claims] == [[job_id(3), job_id(2)], [job_id(1)], [], [job_id(4)]]
    assert claims[0][0].task == Task(task_id="task-1", urls={"poll": "https://example.test/p"})


@pytest.mark.parametrize(
    "document",
    [
        "A kite over the sea",
        "",
        "{}",
        "[]",
        '{"provider": null}',
        b"\xff",
        b"\xff\0",
    ],
)
async def test_a_job_of_version_1_that_cannot_be_read_does_not_stop_the_migration(
    path: Path, bare: sqlite3.Connection, document: str | bytes
) -> None:
    migrate(path, target=1)
    _write_job_of_version_1(bare, 1, "", due=0)
    bare.execute("UPDATE jobs SET document = CAST(? AS TEXT)", [document])
    (before,) = bare.execute("SELECT CAST(document AS BLOB) FROM jobs").fetchone()
    assert migrate(path) == [2]
    assert bare.execute("SELECT provider, CAST(document AS BLOB) FROM jobs").fetchall() == [("", before)]
    async with await SqliteStore.open(path) as store:
        with capture_logs() as lines:
            assert await store.claim("one", now=NOON, lease_until=after_noon(30), limit=1) == []
    assert lines == [{"event": "unreadable job", "job": job_id(1), "log_level": "error"}]


async def test_a_file_of_a_later_version_is_not_opened(path: Path, bare: sqlite3.Connection) -> None:
    migrate(path)
    bare.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaMismatch, match=r"has schema version 99.*later version of Reelgate"):
        await SqliteStore.open(path)
