"""Rows of the SQLite store, both ways, pure. A column is named here and in `queries.sql`, nowhere else.

Jobs and events are stored as JSON documents beside the columns that queries need. The JSON is pydantic's over the
domain's own dataclasses: decimals as strings, times as RFC 3339 with microseconds, durations as ISO 8601 (in which
pydantic writes and reads 365 days as a year). A field that a later version adds has a default and one that it drops is
ignored, so documents of earlier versions stay readable.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, get_args

from pydantic import TypeAdapter

from reelgate_server.domain.accounts import Account, ApiKey
from reelgate_server.domain.events import JobEvent, LoggedEvent
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import Balance, Transfer, TransferKind, changes
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.money import Money

Row = tuple[Any, ...]
"""What a SELECT gives, in the order of its columns."""
Parameters = dict[str, str | int | None]
"""What a statement takes, by name."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_JOBS: Final[TypeAdapter[Job]] = TypeAdapter(Job)
_EVENTS: Final[Mapping[str, TypeAdapter[JobEvent]]] = MappingProxyType(
    {kind.__name__: TypeAdapter(kind) for kind in get_args(JobEvent)}
)


def to_microseconds(time: datetime) -> int:
    """Count the microseconds from 1970 to an aware time, exactly; negative before."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Undo `to_microseconds`; the time is in UTC."""
    return _EPOCH + microseconds * _MICROSECOND


def to_microseconds_or_null(time: datetime | None) -> int | None:
    """Convert a time that may be absent."""
    return None if time is None else to_microseconds(time)


def from_job(job: Job, due_time: datetime | None) -> Parameters:
    """Make the whole row of a job without a lease."""
    return {
        "job_id": job.job_id,
        "account_id": job.account_id,
        "key_id": job.key_id,
        "idempotency_key": job.idempotency_key,
        "model": job.spec.model,
        "provider": job.provider,
        "state": job.state.value,
        "sequence": job.sequence,
        "create_time": to_microseconds(job.create_time),
        "due_time": to_microseconds_or_null(due_time),
        "document": _JOBS.dump_json(job).decode(),
    }


def to_job(document: str | bytes) -> Job:
    """Read a job's document.

    Raises:
        ValueError: It is none that this version can read.
    """
    return _JOBS.validate_json(document)


def from_states(states: frozenset[JobState]) -> str:
    """Make the JSON list that `list_jobs_of_states` takes."""
    return json.dumps(sorted(states))


def from_held(held: Mapping[JobId, str]) -> str:
    """Make the JSON object that `renew` takes."""
    return json.dumps(held)


def from_logged_event(job_id: JobId, logged: LoggedEvent) -> Parameters:
    """Make the row of an event."""
    kind = type(logged.event).__name__
    return {
        "job_id": job_id,
        "sequence": logged.sequence,
        "kind": kind,
        "event_time": to_microseconds(logged.event.event_time),
        "document": _EVENTS[kind].dump_json(logged.event).decode(),
    }


def to_logged_event(row: Row) -> LoggedEvent:
    """Read (sequence, kind, document)."""
    sequence, kind, document = row
    return LoggedEvent(sequence=sequence, event=_EVENTS[kind].validate_json(document))


def from_account(account: Account) -> Parameters:
    """Make the row of an account."""
    return {
        "account_id": account.account_id,
        "name": account.name,
        "plan": account.plan,
        "create_time": to_microseconds(account.create_time),
    }


def to_account(row: Row) -> Account:
    """Read the columns of `accounts`."""
    account_id, name, plan, create_time = row
    return Account(account_id=account_id, name=name, plan=plan, create_time=from_microseconds(create_time))


def from_key(key: ApiKey) -> Parameters:
    """Make the row of a key."""
    return {
        "key_id": key.key_id,
        "account_id": key.account_id,
        "name": key.name,
        "sha256": key.sha256,
        "create_time": to_microseconds(key.create_time),
        "revoke_time": to_microseconds_or_null(key.revoke_time),
    }


def to_key_and_account(row: Row) -> tuple[ApiKey, Account]:
    """Read the columns of `keys`, then those of `accounts`."""
    key_id, account_id, name, sha256, create_time, revoke_time, *account = row
    key = ApiKey(
        key_id=key_id,
        account_id=account_id,
        name=name,
        sha256=sha256,
        create_time=from_microseconds(create_time),
        revoke_time=None if revoke_time is None else from_microseconds(revoke_time),
    )
    return key, to_account(tuple(account))


def from_transfer(transfer: Transfer) -> Parameters:
    """Make the row of a transfer."""
    return {
        "transfer_id": transfer.transfer_id,
        "kind": transfer.kind.value,
        "debit_account_id": transfer.debit_account_id,
        "credit_account_id": transfer.credit_account_id,
        "amount_micros": transfer.amount.amount_micros,
        "currency": transfer.amount.currency,
        "create_time": to_microseconds(transfer.create_time),
        "job_id": transfer.job_id,
        "hold_id": transfer.hold_id,
    }


def to_transfer(row: Row) -> Transfer:
    """Read the columns of `transfers`, without `position`."""
    transfer_id, kind, debit_account_id, credit_account_id, amount_micros, currency, create_time, job_id, hold_id = row
    return Transfer(
        transfer_id=transfer_id,
        kind=TransferKind(kind),
        debit_account_id=debit_account_id,
        credit_account_id=credit_account_id,
        amount=Money(amount_micros, currency),
        create_time=from_microseconds(create_time),
        job_id=job_id,
        hold_id=hold_id,
    )


def from_changes(transfer: Transfer) -> list[Parameters]:
    """Make what a transfer adds to the rows of `balances`."""
    return [
        {
            "account_id": change.account_id,
            "currency": transfer.amount.currency,
            "posted_micros": change.posted_micros,
            "held_micros": change.held_micros,
        }
        for change in changes(transfer)
    ]


def to_balance(row: Row | None, currency: str) -> Balance:
    """Read (posted, held); an account without a row has nothing."""
    posted_micros, held_micros = row or (0, 0)
    return Balance(posted=Money(posted_micros, currency), held=Money(held_micros, currency))
