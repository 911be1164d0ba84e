"""The writer that shares commits: grouping, refusals, failures, cancelled callers, closing."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from reelgate_server.adapters.store.connection import connect
from reelgate_server.adapters.store.group_writer import WAITING_CHANGE_COUNT_MAX, GroupWriter
from reelgate_server.domain.errors import StoreUnavailable


class Refusal(Exception):
    """What a change of these tests may raise."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT)")
    return path


@pytest.fixture
def statements() -> list[str]:
    """Every statement that the writer ran."""
    return []


@pytest.fixture
async def writer(path: Path, statements: list[str]) -> AsyncIterator[GroupWriter]:
    def connect_traced() -> sqlite3.Connection:
        connection = connect(path, busy_timeout=timedelta(milliseconds=1))
        connection.set_trace_callback(statements.append)
        return connection

    writer = await GroupWriter.open(connect_traced)
    yield writer
    await writer.close()


def insert(connection: sqlite3.Connection, number: int, text: str = "") -> int:
    connection.execute("INSERT INTO numbers VALUES (?, ?)", (number, text))
    return number


def insert_and_refuse(connection: sqlite3.Connection, number: int) -> int:
    insert(connection, number)
    raise Refusal


def numbers(path: Path) -> list[int]:
    """What a reader of the file sees."""
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


class Gate:
    """A change that stays in the middle of its transaction until it is let go."""

    def __init__(self) -> None:
        """Begin closed."""
        self._reached = threading.Event()
        self._opened = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> int:
        """Wait, then insert 0."""
        self._reached.set()
        assert self._opened.wait(timeout=10)
        return insert(connection, 0)

    async def reached(self) -> None:
        """Return when the change is running."""
        assert await asyncio.to_thread(self._reached.wait, 10)

    def open(self) -> None:
        """Let it go on."""
        self._opened.set()


async def test_a_change_returns_its_value_once_others_can_see_it(writer: GroupWriter, path: Path) -> None:
    assert await writer.write(partial(insert, number=7)) == 7
    assert numbers(path) == [7]


async def test_concurrent_changes_share_commits(writer: GroupWriter, path: Path, statements: list[str]) -> None:
    results = await asyncio.gather(*(writer.write(partial(insert, number=number)) for number in range(100)))
    assert results == list(range(100))
    assert numbers(path) == list(range(100))
    assert statements.count("COMMIT") == 1


async def test_a_group_is_bounded(writer: GroupWriter, statements: list[str]) -> None:
    await asyncio.gather(*(writer.write(partial(insert, number=number)) for number in range(300)))
    assert statements.count("COMMIT") == 3


async def test_changes_run_in_the_order_in_which_they_were_given(writer: GroupWriter) -> None:
    order: list[int] = []

    def note(_connection: sqlite3.Connection, number: int) -> None:
        order.append(number)

    await asyncio.gather(*(writer.write(partial(note, number=number)) for number in range(300)))
    assert order == list(range(300))


async def test_a_refused_change_undoes_itself_and_nothing_else(
    writer: GroupWriter, path: Path, statements: list[str]
) -> None:
    outcomes = await asyncio.gather(
        writer.write(partial(insert, number=1)),
        writer.write(partial(insert_and_refuse, number=2)),
        writer.write(partial(insert, number=1)),
        writer.write(partial(insert, number=3)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [int, Refusal, sqlite3.IntegrityError, int]
    assert numbers(path) == [1, 3]
    assert statements.count("COMMIT") == 1


async def test_a_group_that_cannot_begin_is_unavailable_and_the_next_one_is_tried(
    writer: GroupWriter, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        outcomes = await asyncio.gather(
            *(writer.write(partial(insert, number=number)) for number in (1, 2)), return_exceptions=True
        )
        other.execute("ROLLBACK")
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert await writer.write(partial(insert, number=3)) == 3
    assert numbers(path) == [3]


async def test_the_drivers_words_stay_inside(writer: GroupWriter, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as unavailable:
            await writer.write(partial(insert, number=1))
    assert str(unavailable.value) == "The store is not available; try again."
    assert str(unavailable.value.__cause__) == "database is locked"


async def test_a_full_disk_is_unavailable_and_leaves_nothing_half_done(writer: GroupWriter, path: Path) -> None:
    await writer.write(partial(insert, number=1))
    full = await writer.write(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await writer.write(lambda connection: connection.execute(f"PRAGMA max_page_count = {full}").fetchall())
    outcomes = await asyncio.gather(
        writer.write(partial(insert, number=2, text="x" * 100_000)),
        writer.write(partial(insert, number=3, text="x" * 100_000)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert await writer.write(partial(insert, number=4)) == 4
    assert numbers(path) == [1, 4]


async def test_a_commit_that_fails_fails_its_whole_group_and_no_other(writer: GroupWriter, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE children (number REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)")
    outcomes = await asyncio.gather(
        writer.write(partial(insert, number=1)),
        writer.write(lambda connection: connection.execute("INSERT INTO children VALUES (99)").rowcount),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError, sqlite3.IntegrityError]
    assert await writer.write(partial(insert, number=2)) == 2
    assert numbers(path) == [2]


async def test_when_the_engine_undoes_a_transaction_the_whole_group_hears_of_it(
    writer: GroupWriter, path: Path
) -> None:
    def undo_everything(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR ROLLBACK INTO numbers VALUES (1, '')")

    outcomes = await asyncio.gather(
        writer.write(partial(insert, number=1)),
        writer.write(undo_everything),
        writer.write(partial(insert, number=2)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError] * 3
    assert await writer.write(partial(insert, number=3)) == 3
    assert numbers(path) == [3]


async def test_a_caller_cancelled_before_its_change_started_drops_it(writer: GroupWriter, path: Path) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(writer.write(gate))
        await gate.reached()
        waiting = [tasks.create_task(writer.write(partial(insert, number=number))) for number in (1, 2, 3)]
        # One turn of the loop, in which all three join the queue.
        await asyncio.sleep(0)
        waiting[1].cancel()
        gate.open()
    assert (first.result(), waiting[0].result(), waiting[2].result()) == (0, 1, 3)
    assert waiting[1].cancelled()
    assert numbers(path) == [0, 1, 3]


async def test_a_caller_cancelled_after_its_change_started_leaves_it_whole(writer: GroupWriter, path: Path) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(writer.write(gate))
        second = tasks.create_task(writer.write(partial(insert, number=1)))
        await gate.reached()
        first.cancel()
        await asyncio.wait([first])
        gate.open()
        assert await second == 1
    assert first.cancelled()
    assert numbers(path) == [0, 1]


async def test_when_every_caller_is_cancelled_the_writer_goes_on(writer: GroupWriter, path: Path) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        cancelled = [tasks.create_task(writer.write(gate))]
        await gate.reached()
        cancelled += [tasks.create_task(writer.write(partial(insert, number=number))) for number in (1, 2)]
        await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        await asyncio.wait(cancelled)
        gate.open()
    assert await writer.write(partial(insert, number=3)) == 3
    assert numbers(path) == [0, 3]


async def test_what_waits_is_bounded(writer: GroupWriter) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.write(gate))
        await gate.reached()
        change: Callable[[sqlite3.Connection], int] = lambda _connection: 1  # noqa: E731 (shorter than a function)
        waiting = [tasks.create_task(writer.write(change)) for _ in range(WAITING_CHANGE_COUNT_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await writer.write(change)
        gate.open()
    assert sum(task.result() for task in waiting) == 16_384


async def test_closing_finishes_what_waits_and_refuses_what_comes_later(path: Path) -> None:
    writer = await GroupWriter.open(partial(connect, path, busy_timeout=timedelta(milliseconds=1)))
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(writer.write(gate))
        await gate.reached()
        second = tasks.create_task(writer.write(partial(insert, number=1)))
        closing_writer = tasks.create_task(writer.close())
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await writer.write(partial(insert, number=2))
        gate.open()
    assert (first.result(), second.result(), closing_writer.result()) == (0, 1, None)
    assert numbers(path) == [0, 1]


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await GroupWriter.open(partial(connect, tmp_path / "none.db", busy_timeout=timedelta(milliseconds=1)))
