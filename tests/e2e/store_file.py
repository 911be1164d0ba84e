"""Reads a product's SQLite file beside it, and does its sums again."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One transfer."""

    transfer_id: str
    kind: str
    debit_account_id: str
    credit_account_id: str
    amount_micros: int
    currency: str
    job_id: str | None
    hold_id: str | None


@contextmanager
def open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as it is, for reading; what a crash left in its log counts."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        yield connection


def job_states(path: Path, job_ids: Sequence[str]) -> Counter[str]:
    """How many of the jobs are in each internal state."""
    with open_read_only(path) as connection:
        states = dict(connection.execute("SELECT job_id, state FROM jobs").fetchall())
    return Counter(states[job_id] for job_id in job_ids)


def read_transfers(path: Path) -> list[Row]:
    """Every transfer, oldest first."""
    columns = ", ".join(Row.__slots__)
    with open_read_only(path) as connection:
        rows = connection.execute(f"SELECT {columns} FROM transfers ORDER BY position").fetchall()  # noqa: S608 (ours)
    return [Row(*row) for row in rows]


def require_sound(path: Path) -> list[Row]:
    """Check what must hold of every store when no job is under way; return the transfers.

    Every log is gapless and ends once. Every job was charged at most once, and a hold is resolved exactly once. The
    balances are what the transfers add up to, nothing is held, and they sum to zero in each currency.
    """
    transfers = read_transfers(path)
    with open_read_only(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        logs = connection.execute(
            "SELECT job_id, count(*), min(sequence), max(sequence),"
            " sum(kind IN ('Stored', 'Failed', 'Cancelled', 'Expired')) FROM events GROUP BY job_id"
        ).fetchall()
        balances = {
            (account_id, currency): (posted, held)
            for account_id, currency, posted, held in connection.execute("SELECT * FROM balances")
        }
    assert [log for log in logs if log[1:] != (log[3], 1, log[3], 1)] == []

    posts = Counter(row.job_id for row in transfers if row.kind == "post")
    assert [job_id for job_id, count in posts.items() if count != 1] == []
    resolved = Counter(row.hold_id for row in transfers if row.hold_id is not None)
    assert resolved == Counter(row.transfer_id for row in transfers if row.kind == "hold")

    posted: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in transfers:
        if row.kind in {"credit", "post"}:
            posted[row.debit_account_id, row.currency] -= row.amount_micros
            posted[row.credit_account_id, row.currency] += row.amount_micros
    assert {place: amount for place, (amount, _) in balances.items() if amount} == {
        place: amount for place, amount in posted.items() if amount
    }
    assert [place for place, (_, held) in balances.items() if held] == []
    for currency in {currency for _, currency in balances}:
        assert sum(amount for (_, each), (amount, _) in balances.items() if each == currency) == 0
    return transfers
