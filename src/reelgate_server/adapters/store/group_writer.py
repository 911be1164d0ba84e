"""The one writer of a SQLite file in this process: concurrent changes share a commit.

Theory of operation
===================

A commit costs a sync of the disk whatever is in it. So a change does not commit by itself: it waits in a queue, and
whenever the writer's thread is free it takes all that wait, up to a bound, and runs them in one transaction. Each runs
in a savepoint of its own, so a change that is refused undoes only itself. Callers hear of their changes after the
commit, never before.

There is no background task to own, start or lose. The first change that finds nobody driving schedules a group; the
end of each group, which arrives as a callback on the event loop, starts the next. A caller that is cancelled only
stops listening: a change that has not started by then is dropped, one that has is committed with its group.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Self, TypeVar

from reelgate_server.adapters.store.connection import engine_faults, is_engine_fault
from reelgate_server.domain.errors import StoreUnavailable

GROUP_CHANGE_COUNT_MAX: Final = 128
"""Changes in one commit. By 32 the sync is no longer what costs; the rest bounds the wait."""
WAITING_CHANGE_COUNT_MAX: Final = 16_384
"""Changes that may wait; about half a second's work. More are refused at once rather than answered too late."""

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]
"""A part of a transaction: runs on the writer's thread, and neither begins nor commits."""


@dataclass(frozen=True, slots=True)
class _Applied(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _Refused:
    error: Exception


_Outcome = _Applied[T] | _Refused


@dataclass(frozen=True, slots=True)
class _Pending(Generic[T]):
    change: Change[T]
    outcome: asyncio.Future[_Outcome[T]]
    """Never holds an exception, which a cancelled caller would leave unread."""


class GroupWriter:
    """Runs changes in groups, in the order in which they were given, on one thread of its own."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        """Take a connection that was opened on `thread`, which has one worker; use `open`."""
        self._connection = connection
        self._thread = thread
        self._waiting: deque[_Pending[Any]] = deque()
        self._is_open = True
        self._is_driving = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @classmethod
    async def open(cls, connect: Callable[[], sqlite3.Connection]) -> Self:
        """Connect, on the writer's own thread.

        Args:
            connect: Opens the connection, in autocommit mode (`isolation_level=None`).

        Raises:
            StoreUnavailable: The file cannot be opened now.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-writer")
        try:
            with engine_faults():
                connection = await asyncio.get_running_loop().run_in_executor(thread, connect)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(connection, thread)

    async def write(self, change: Change[T]) -> T:
        """Run a change and return what it returns, once it is durable.

        If the caller is cancelled, the change is made whole or not at all.

        Raises:
            StoreUnavailable: The group could not be committed, too much is waiting, or the writer is closed.
            Exception: What the change itself raised; then it changed nothing.
        """
        if not self._is_open or len(self._waiting) >= WAITING_CHANGE_COUNT_MAX:
            raise StoreUnavailable
        loop = asyncio.get_running_loop()
        pending: _Pending[T] = _Pending(change, loop.create_future())
        self._waiting.append(pending)
        if not self._is_driving:
            self._is_driving = True
            self._is_idle.clear()
            # One turn later, so that what the other tasks of this turn write is in the same group.
            loop.call_soon(self._start_group)
        match await pending.outcome:
            case _Applied(value):
                return value
            case _Refused(error):
                raise error

    async def close(self) -> None:
        """Finish the changes that wait, then disconnect; later ones are refused. Once only."""
        self._is_open = False
        await self._is_idle.wait()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    def _start_group(self) -> None:
        group: list[_Pending[Any]] = []
        while self._waiting and len(group) < GROUP_CHANGE_COUNT_MAX:
            pending = self._waiting.popleft()
            if not pending.outcome.done():
                group.append(pending)
        if not group:
            self._is_driving = False
            self._is_idle.set()
            return
        changes = [pending.change for pending in group]
        finished = asyncio.get_running_loop().run_in_executor(self._thread, _commit, self._connection, changes)
        finished.add_done_callback(partial(self._finish_group, group))

    def _finish_group(self, group: Sequence[_Pending[Any]], finished: asyncio.Future[list[_Outcome[Any]]]) -> None:
        for pending, outcome in zip(group, finished.result(), strict=True):
            if not pending.outcome.done():
                pending.outcome.set_result(outcome)
        self._start_group()


def _commit(connection: sqlite3.Connection, changes: Sequence[Change[Any]]) -> list[_Outcome[Any]]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_apply(connection, change) for change in changes]
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 (whatever it is, the callers must hear of it)
        _abandon(connection)
        return [_refused(error) for _ in changes]
    return outcomes


def _apply(connection: sqlite3.Connection, change: Change[T]) -> _Outcome[T]:
    connection.execute("SAVEPOINT change")
    try:
        value = change(connection)
    except Exception as error:
        # Some errors, such as a full disk, undo the whole transaction; then the others are lost too.
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return _refused(error)
    connection.execute("RELEASE change")
    return _Applied(value)


def _abandon(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:
        return
    try:
        connection.execute("ROLLBACK")
    except sqlite3.Error:
        # The engine rolled back by itself, or the file is beyond use and the next group will find that out.
        return


def _refused(error: Exception) -> _Refused:
    if not is_engine_fault(error):
        return _Refused(error)
    unavailable = StoreUnavailable()
    unavailable.__cause__ = error
    return _Refused(unavailable)
