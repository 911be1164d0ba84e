"""Hints that something changed. A hint may be lost, late or wrong; the store is the truth."""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from reelgate_server.domain.ids import JobId


class Subscription(Protocol):
    """One subscriber's end of the feed. Hints that come while nobody waits are kept, as one."""

    async def wait(self, limit: timedelta) -> bool:
        """Wait for a hint, at most `limit`. Return whether one came; it is then used up."""
        ...


class JobFeed(Protocol):
    """Carries hints from whoever changes jobs to whoever watches or drives them."""

    def publish(self, job_id: JobId, *, is_due: bool = False) -> None:
        """Tell the watchers of a job that its log has grown and, if `is_due`, the drivers that it wants driving."""
        ...

    def wake_all(self) -> None:
        """Hint every subscriber, because something changed that concerns all, such as a shutdown."""
        ...

    def subscribe(self, job_id: JobId) -> AbstractContextManager[Subscription]:
        """Hear of one job, from now until the context ends."""
        ...

    def subscribe_due(self) -> AbstractContextManager[Subscription]:
        """Hear that some job wants driving, from now until the context ends."""
        ...
