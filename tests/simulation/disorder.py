"""Chance, and what it does to calls and hints."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from reelgate_server.adapters.feed.local import LocalSubscription
from reelgate_server.domain.errors import StoreUnavailable
from reelgate_server.domain.ids import JobId
from tests.support.clock import ManualClock


class Disorder:
    """Chance. It rests when it is told to."""

    def __init__(self, seed: int) -> None:
        """Begin the sequence of `seed`."""
        self.random = Random(seed)  # noqa: S311 (repeatable on purpose)
        self.is_calm = False

    def happens(self, probability: float) -> bool:
        """Draw; never while it is calm."""
        return not self.is_calm and self.random.random() < probability

    async def dawdle(self) -> None:
        """Let others run for some turns of the event loop."""
        for _ in range(0 if self.is_calm else self.random.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)

    async def around(self, _name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """A store's call: late, failing before it is done, or done and failing all the same."""
        await self.dawdle()
        if self.happens(0.03):
            raise StoreUnavailable
        answer = await call()
        await self.dawdle()
        if self.happens(0.03):
            raise StoreUnavailable
        return answer


class UnreliableFeed:
    """Hints come, or come later, or never, and some come of nothing; always in the order of subscribing."""

    def __init__(self, clock: ManualClock, disorder: Disorder) -> None:
        """Start without subscribers."""
        self._clock = clock
        self._disorder = disorder
        self._by_job: defaultdict[JobId, list[LocalSubscription]] = defaultdict(list)
        self._due: list[LocalSubscription] = []
        self._late: list[LocalSubscription] = []

    def publish(self, job_id: JobId, *, is_due: bool = False) -> None:
        for subscription in [*self._by_job[job_id], *(self._due if is_due else [])]:
            if self._disorder.happens(0.2):
                continue
            if self._disorder.happens(0.3):
                self._late.append(subscription)
            else:
                subscription.hint()

    def deliver_late(self) -> None:
        """Let what was held back come now."""
        for subscription in self._late:
            subscription.hint()
        self._late.clear()

    def wake_all(self) -> None:
        for subscriptions in (*self._by_job.values(), self._due):
            for subscription in subscriptions:
                subscription.hint()

    @contextmanager
    def subscribe(self, job_id: JobId) -> Iterator[LocalSubscription]:
        with self._member(self._by_job[job_id]) as subscription:
            yield subscription

    @contextmanager
    def subscribe_due(self) -> Iterator[LocalSubscription]:
        with self._member(self._due) as subscription:
            yield subscription

    @contextmanager
    def _member(self, subscribers: list[LocalSubscription]) -> Iterator[LocalSubscription]:
        subscription = LocalSubscription(self._clock)
        subscribers.append(subscription)
        try:
            yield subscription
        finally:
            subscribers.remove(subscription)
