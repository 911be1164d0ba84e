"""Hints within one process. What other processes change is found by the subscribers' own slow polling."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from reelgate_server.domain.ids import JobId
from reelgate_server.ports.clock import Clock


class LocalSubscription:
    """One subscriber's end: a flag that hints raise and `wait` lowers."""

    def __init__(self, clock: Clock) -> None:
        """Start without a hint."""
        self._clock = clock
        self._hinted = asyncio.Event()

    def hint(self) -> None:
        """Raise the flag."""
        self._hinted.set()

    async def wait(self, limit: timedelta) -> bool:
        """Wait for the flag, at most `limit`, and lower it."""
        if not self._hinted.is_set():
            try:
                async with self._clock.timeout(limit):
                    await self._hinted.wait()
            except TimeoutError:
                return False
        self._hinted.clear()
        return True


class LocalFeed:
    """Hands hints to subscribers on the same event loop."""

    def __init__(self, clock: Clock) -> None:
        """Start without subscribers."""
        self._clock = clock
        self._by_job: dict[JobId, set[LocalSubscription]] = {}
        self._due: set[LocalSubscription] = set()

    def publish(self, job_id: JobId, *, is_due: bool = False) -> None:
        """Hint everyone who subscribed to this job and, if `is_due`, the drivers."""
        for subscription in self._by_job.get(job_id, ()):
            subscription.hint()
        if is_due:
            for subscription in self._due:
                subscription.hint()

    def wake_all(self) -> None:
        """Hint every subscriber."""
        for subscriptions in (*self._by_job.values(), self._due):
            for subscription in subscriptions:
                subscription.hint()

    @contextmanager
    def subscribe(self, job_id: JobId) -> Iterator[LocalSubscription]:
        """Hear of one job until the context ends."""
        subscription = LocalSubscription(self._clock)
        self._by_job.setdefault(job_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            subscribers = self._by_job[job_id]
            subscribers.discard(subscription)
            if not subscribers:
                del self._by_job[job_id]

    @contextmanager
    def subscribe_due(self) -> Iterator[LocalSubscription]:
        """Hear that some job wants driving until the context ends."""
        subscription = LocalSubscription(self._clock)
        self._due.add(subscription)
        try:
            yield subscription
        finally:
            self._due.discard(subscription)
