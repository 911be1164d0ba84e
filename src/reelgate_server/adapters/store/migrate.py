"""Brings a SQLite file to the schema that this version of the code needs.

Migrations are numbered files, applied forward only, each in one transaction together with the record of it: the last
statement of each sets SQLite's `user_version`, which is part of the file and of the transaction.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

from reelgate_server.adapters.store.connection import connect

_LOCK_TIMEOUT: Final = timedelta(minutes=1)
"""How long a migration waits for another one that runs on the same file."""


class SchemaMismatch(RuntimeError):
    """The file's schema is not the one this code needs; carries both versions."""

    def __init__(self, path: Path, *, found: int | None, needed: int) -> None:
        """Say what to do about it; `found` is None for a file that is no database."""
        self.found = found
        self.needed = needed
        if found is None:
            super().__init__(f"{path} is not a database")
            return
        remedy = "migrate it first" if found < needed else "it was written by a later version of Reelgate"
        super().__init__(f"{path} has schema version {found}, this version of Reelgate needs {needed}: {remedy}")


def migrations() -> dict[int, str]:
    """Read every migration: the script by its number, ascending from 1 without gaps."""
    scripts = sorted(files(f"{__package__}.migrations").iterdir(), key=lambda script: script.name)
    return {int(script.name[:4]): script.read_text("utf-8") for script in scripts if script.name.endswith(".sql")}


def schema_version(path: Path) -> int:
    """Read the version of a file's schema; 0 for an empty file or none at all.

    Raises:
        sqlite3.Error: The file cannot be read, or is no database.
    """
    if not path.exists():
        return 0
    with closing(connect(path, busy_timeout=_LOCK_TIMEOUT, is_reader=True)) as connection:
        return _version(connection)


def require_current_schema(path: Path) -> None:
    """Check that a file can be opened by this version of the code.

    Raises:
        SchemaMismatch: It cannot.
        sqlite3.Error: It cannot be read now, or is damaged.
    """
    needed = max(migrations())
    try:
        found = schema_version(path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise SchemaMismatch(path, found=None, needed=needed) from error
        raise
    if found != needed:
        raise SchemaMismatch(path, found=found, needed=needed)


def migrate(path: Path, *, target: int | None = None) -> list[int]:
    """Apply the migrations that a file lacks; make the file if there is none. Blocks; harmless to repeat.

    Args:
        path: The database. Its folder exists.
        target: The last migration to apply; None for all there are.

    Returns:
        The versions that were applied now, ascending.

    Raises:
        SchemaMismatch: The file is from a later version of the code.
        sqlite3.Error: A migration failed; the file is at the version before it.
    """
    scripts = migrations()
    needed = max(scripts) if target is None else target
    found = schema_version(path)
    if found > max(scripts):
        raise SchemaMismatch(path, found=found, needed=max(scripts))
    # Prompts and hashes of keys are nobody else's business; SQLite gives its side files the same mode.
    path.touch(mode=0o600)
    with closing(connect(path, busy_timeout=_LOCK_TIMEOUT)) as connection:
        return [version for version in range(1, needed + 1) if _apply(connection, version, scripts[version])]


def _apply(connection: sqlite3.Connection, version: int, script: str) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked at under the lock: another process may be migrating the same file.
        is_missing = _version(connection) < version
        if is_missing:
            _run(connection, version, script)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return is_missing


def _run(connection: sqlite3.Connection, version: int, script: str) -> None:
    for statement in _statements(script):
        connection.execute(statement)
    if _version(connection) != version:
        message = f"migration {version} does not set user_version to {version}"
        raise RuntimeError(message)


def _statements(script: str) -> Iterator[str]:
    # `executescript` would commit the open transaction before it began.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
