"""Which jobs wait for a driver in the SQLite store, and how a claim takes them.

The index of due jobs begins with their provider. A claim walks down it once for each provider, as far as that has
places, and then takes the longest due of what it found. So it reads no more than it may take, however long the queue of
a provider that has no place left, and passes over leased jobs in the index.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reelgate_server.adapters.store.queries import SQL
from reelgate_server.adapters.store.rows import Parameters, Row, from_microseconds, to_microseconds
from reelgate_server.adapters.store.rules import LEASE_MAX
from reelgate_server.domain.ids import ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed; see `JobStore.claim`."""

    owner: str
    now: datetime
    lease_until: datetime
    limit: int
    provider_limit: int | None
    driven: Mapping[ProviderName, int]

    def room(self, provider: ProviderName) -> int:
        """How many jobs of a provider may be taken; never negative."""
        if self.provider_limit is None:
            return self.limit
        return max(0, min(self.limit, self.provider_limit - self.driven.get(provider, 0)))


def take(connection: sqlite3.Connection, claim: Claim) -> list[Row]:
    """Lease jobs that wait; return (due_time, job_id, document in bytes), the longest due first.

    Runs inside a transaction of the group writer, so that two claims cannot find the same jobs.
    """
    waiting: list[Row] = []
    for provider in _providers(connection):
        waiting += _waiting(connection, provider, now=claim.now, limit=claim.room(provider))
    job_ids = [job_id for _, job_id in sorted(waiting)[: claim.limit]]
    if not job_ids:
        return []
    parameters: Parameters = {
        "owner": claim.owner,
        "lease_until": to_microseconds(claim.lease_until),
        "job_ids": json.dumps(job_ids),
    }
    return sorted(connection.execute(SQL["lease"], parameters).fetchall())


def lag(connection: sqlite3.Connection, now: datetime) -> timedelta:
    """How long the job that has been due longest has been waiting; zero if none waits."""
    oldest = [
        from_microseconds(due_time)
        for provider in _providers(connection)
        for due_time, _ in _waiting(connection, provider, now=now, limit=1)
    ]
    return now - min(oldest, default=now)


def _providers(connection: sqlite3.Connection) -> list[ProviderName]:
    """The providers of the jobs that are or will be due."""
    return [ProviderName(provider) for (provider,) in connection.execute(SQL["list_providers"])]


def _waiting(connection: sqlite3.Connection, provider: ProviderName, *, now: datetime, limit: int) -> list[Row]:
    """A provider's jobs that nobody drives though they are due: (due_time, job_id), the longest due first."""
    parameters: Parameters = {
        "provider": provider,
        "now": to_microseconds(now),
        "lease_until_max": to_microseconds(now + LEASE_MAX),
        "limit": limit,
    }
    return connection.execute(SQL["list_waiting"], parameters).fetchall()
