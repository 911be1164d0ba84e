"""What the application does with a store, in one call each."""

from datetime import datetime
from typing import Any, Protocol

from reelgate_server.domain.accounts import BillingPolicy
from reelgate_server.domain.events import JobEvent
from reelgate_server.domain.job import Job, apply, fold
from reelgate_server.domain.ledger import available_min, opening, settlement
from reelgate_server.ports.accounts import AccountStore
from reelgate_server.ports.store import JobStore
from tests.support.builders import NOON, make_created


class Store(JobStore, AccountStore, Protocol):
    """What every store adapter is."""


async def create(store: JobStore, number: int = 1, *, of: int = 1, **changes: Any) -> Job:
    """Create job `number` of account `of` by the rules of its billing; see `make_created` for the rest."""
    event = make_created(number, of=of, **changes)
    job = fold([event])
    return await store.create_job(job, event, opening(job), available_min=available_min(job))


async def create_unpaid(store: JobStore, number: int = 1, *, of: int = 1, **changes: Any) -> Job:
    """Create a job that moves no money and needs none."""
    return await create(store, number, of=of, billing=BillingPolicy.UNMETERED, **changes)


async def append(store: JobStore, job: Job, *events: JobEvent, due_time: datetime | None = NOON) -> Job:
    """Append events to the log of `job`, settle it if they end it, and return what it is then."""
    grown = job
    for event in events:
        grown = apply(grown, event)
    transfers = settlement(grown)
    await store.append(grown, events, transfers, expected_sequence=job.sequence, due_time=due_time)
    return grown
