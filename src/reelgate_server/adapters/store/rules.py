"""What every store enforces beside the port's own refusals, so that a bug above it cannot harm a log or the ledger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from reelgate_server.domain.events import JobEvent, LoggedEvent
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import Transfer, TransferKind

LEASE_MAX: Final = timedelta(hours=1)
"""A lease that would last longer was made before the clock was set back; it has run out. Drivers ask for minutes."""
INTEGER_MAX: Final = (1 << 63) - 1
"""The largest integer of a column, in SQLite and in PostgreSQL. The least is one further from zero."""


class LedgerRuleBroken(Exception):
    """A transfer breaks a rule of the ledger; nothing was changed. A bug above the store, never a user's mistake.

    The rules: an id is used once, a hold is resolved once, and what resolves a hold repeats its accounts and its
    amount, because `ledger.changes` releases the amount of the resolving transfer. No amount and no balance is beyond
    what a column holds.
    """


def logged(job: Job, events: Sequence[JobEvent], *, expected_sequence: int) -> tuple[LoggedEvent, ...]:
    """Give events their places in the log, after the `expected_sequence` that are there.

    Raises:
        ValueError: There are no events, or `job` is not the sum of a log of the length they make.
    """
    if not events or job.sequence != expected_sequence + len(events):
        message = f"{len(events)} events after {expected_sequence} do not make a job at sequence {job.sequence}"
        raise ValueError(message)
    return tuple(
        LoggedEvent(sequence=sequence, event=event) for sequence, event in enumerate(events, expected_sequence + 1)
    )


def is_repeated(transfer: Transfer, earlier: Transfer) -> bool:
    """Tell whether a transfer of an id that is taken is the same one again.

    The time may differ: whoever repeats a request does so later.
    """
    return replace(transfer, create_time=earlier.create_time) == earlier


def is_storable(micros: int) -> bool:
    """Tell whether a column can hold an amount or a balance."""
    return -INTEGER_MAX - 1 <= micros <= INTEGER_MAX


def is_resolution(transfer: Transfer, hold: Transfer) -> bool:
    """Tell whether `transfer`, which names `hold`, may resolve it if nothing has yet."""
    return hold.kind is TransferKind.HOLD and (
        (transfer.debit_account_id, transfer.credit_account_id, transfer.amount)
        == (hold.debit_account_id, hold.credit_account_id, hold.amount)
    )
