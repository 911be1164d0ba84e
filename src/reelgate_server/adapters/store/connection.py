"""How this store connects to a SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from reelgate_server.domain.errors import StoreUnavailable

_FOR_EVERYONE: Final = (
    # Off by default in SQLite, for each connection anew.
    "PRAGMA foreign_keys = ON",
    # Without it an INSERT OR REPLACE would delete a row of the append-only tables without asking their triggers.
    "PRAGMA recursive_triggers = ON",
)
_FOR_THE_WRITER: Final = (
    # Readers go on while a commit is under way, and the other way round. Stays with the file.
    "PRAGMA journal_mode = WAL",
    # In WAL the default of some builds, NORMAL, may lose the last commits with the power. We promise durability.
    "PRAGMA synchronous = FULL",
)
_FOR_READERS: Final = (
    # A statement that writes through a reader is a bug; it would also wait for the lock on the wrong thread.
    "PRAGMA query_only = ON",
)


def connect(path: Path, *, busy_timeout: timedelta, is_reader: bool = False) -> sqlite3.Connection:
    """Open a file that exists. The connection may be used on the calling thread only.

    Args:
        path: The database.
        busy_timeout: How long a statement waits for another connection's lock before it fails; whole milliseconds.
        is_reader: Refuse every change.

    Raises:
        sqlite3.OperationalError: There is no such file, or it cannot be opened.
    """
    connection = sqlite3.connect(
        # Without `mode=rw` a wrong path would make a new, empty database.
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        # Transactions begin where this code says, not where the driver guesses.
        isolation_level=None,
        # The driver's name for `PRAGMA busy_timeout`.
        timeout=busy_timeout.total_seconds(),
    )
    try:
        for pragma in (*_FOR_EVERYONE, *(_FOR_READERS if is_reader else _FOR_THE_WRITER)):
            connection.execute(pragma).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def is_engine_fault(error: Exception) -> bool:
    """Tell whether the engine cannot do its work: locked, full, a failing disk, a damaged file.

    Broken constraints and misuse of the driver are not that: they say something about who asked.
    """
    is_about_the_asker = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
    return isinstance(error, sqlite3.DatabaseError) and not is_about_the_asker


@contextmanager
def engine_faults() -> Iterator[None]:
    """Turn what the engine cannot do into `StoreUnavailable`. Other errors are bugs or broken constraints, and pass."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if is_engine_fault(error):
            raise StoreUnavailable from error
        raise
