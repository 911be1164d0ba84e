"""What the SQLite store can change: plain functions that run inside a transaction of the group writer."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from reelgate_server.adapters.store.queries import SQL
from reelgate_server.adapters.store.rows import (
    Parameters,
    from_changes,
    from_transfer,
    to_balance,
    to_transfer,
)
from reelgate_server.adapters.store.rules import LedgerRuleBroken, is_repeated
from reelgate_server.domain.errors import InsufficientBalance
from reelgate_server.domain.ledger import Transfer
from reelgate_server.domain.money import Money
from reelgate_server.ports.accounts import AccountNameTaken
from reelgate_server.ports.store import SequenceConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """Everything that one step of a job writes, converted before the transaction so that it stays short."""

    job: Parameters
    events: Sequence[Parameters]
    transfers: Sequence[Transfer]


def create_job(connection: sqlite3.Connection, creation: JobChange, available_min: Money | None) -> str | None:
    """Record a new job, unless its idempotency key has one; then return that one's document instead.

    Raises:
        InsufficientBalance: Less than `available_min` is available.
        SequenceConflict: There is a job of that id.
    """
    job = creation.job
    earlier = connection.execute(SQL["find_replay"], job).fetchone() if job["idempotency_key"] is not None else None
    if earlier is not None:
        document: str = earlier[0]
        return document
    if available_min is not None:
        balance_of = {"account_id": job["account_id"], "currency": available_min.currency}
        row = connection.execute(SQL["load_balance"], balance_of).fetchone()
        available = to_balance(row, available_min.currency).available
        if available < available_min:
            raise InsufficientBalance(required=available_min, available=available)
    try:
        connection.execute(SQL["insert_job"], job)
    except sqlite3.IntegrityError as error:
        if _is_duplicate(error, "jobs.job_id"):
            raise SequenceConflict from error
        raise
    _insert_events(connection, creation.events)
    _insert_transfers(connection, creation.transfers)
    return None


def append(connection: sqlite3.Connection, step: JobChange, expected_sequence: int) -> None:
    """Append to a log.

    Raises:
        SequenceConflict: The log is not of the expected length, or there is none.
    """
    parameters = {**step.job, "expected_sequence": expected_sequence}
    if connection.execute(SQL["update_job"], parameters).rowcount == 0:
        raise SequenceConflict
    _insert_events(connection, step.events)
    _insert_transfers(connection, step.transfers)


def create_account(connection: sqlite3.Connection, row: Parameters) -> None:
    """Record a new account.

    Raises:
        AccountNameTaken: There is one of that name.
    """
    try:
        connection.execute(SQL["insert_account"], row)
    except sqlite3.IntegrityError as error:
        if _is_duplicate(error, "accounts.name"):
            raise AccountNameTaken from error
        raise


def record_transfer(connection: sqlite3.Connection, transfer: Transfer) -> None:
    """Add a transfer, unless it is there already.

    Raises:
        LedgerRuleBroken: Another transfer has its id, the hold it names cannot be resolved by it, or its amount or a
            balance after it is beyond what a column holds.
    """
    row = connection.execute(SQL["find_transfer"], {"transfer_id": transfer.transfer_id}).fetchone()
    if row is None or not is_repeated(transfer, to_transfer(row)):
        _insert_transfers(connection, [transfer])


def run(connection: sqlite3.Connection, name: str, parameters: Parameters) -> int:
    """Run one statement by its name; return how many rows it changed."""
    return connection.execute(SQL[name], parameters).rowcount


def _insert_events(connection: sqlite3.Connection, events: Sequence[Parameters]) -> None:
    try:
        connection.executemany(SQL["insert_event"], events)
    except sqlite3.IntegrityError as error:
        if _is_duplicate(error, "events.job_id, events.sequence"):
            raise SequenceConflict from error
        raise


def _insert_transfers(connection: sqlite3.Connection, transfers: Sequence[Transfer]) -> None:
    for transfer in transfers:
        try:
            connection.execute(SQL["insert_transfer"], from_transfer(transfer))
        except (sqlite3.IntegrityError, OverflowError) as error:
            message = f"transfer {transfer.transfer_id} is taken, too large, or cannot resolve {transfer.hold_id}"
            raise LedgerRuleBroken(message) from error
        try:
            connection.executemany(SQL["add_to_balance"], from_changes(transfer))
        except sqlite3.IntegrityError as error:
            # A sum beyond 64 bits becomes a floating-point number, which a STRICT table refuses.
            message = f"transfer {transfer.transfer_id} makes a balance too large"
            raise LedgerRuleBroken(message) from error


def _is_duplicate(error: sqlite3.IntegrityError, columns: str) -> bool:
    # The engine has no finer code than "a constraint"; this text is part of its interface and tested against it.
    return str(error) == f"UNIQUE constraint failed: {columns}"
