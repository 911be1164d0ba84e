"""The time that a simulator goes by: the machine's, or a test's."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

MANUAL_START_UNIX_S = 1_790_000_000.0
"""Unix time at which a manual clock starts: 2026-09-21, arbitrary but the same in every run."""


class Clock(Protocol):
    """Now, and a call at a moment to come. Used on one event loop."""

    def monotonic_s(self) -> float:
        """Seconds since some start; never goes back."""
        ...

    def unix_s(self) -> float:
        """Seconds since 1970 UTC."""
        ...

    def call_at(self, moment_s: float, callback: Callable[[], object]) -> None:
        """Call once at or after `moment_s` on this clock's monotonic scale; at once if that is past."""
        ...


class SystemClock:
    """The machine's time. Calls to come are made by the running event loop."""

    def monotonic_s(self) -> float:
        """Read the monotonic clock."""
        return time.monotonic()

    def unix_s(self) -> float:
        """Read the wall clock."""
        return time.time()

    def call_at(self, moment_s: float, callback: Callable[[], object]) -> None:
        """Leave the call to the running loop, whose scale may have another start."""
        asyncio.get_running_loop().call_later(max(0.0, moment_s - time.monotonic()), callback)


class ManualClock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        """Start at zero."""
        self._now_s = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def monotonic_s(self) -> float:
        """Sum of what was advanced."""
        return self._now_s

    def unix_s(self) -> float:
        """Fixed start plus what was advanced."""
        return MANUAL_START_UNIX_S + self._now_s

    def call_at(self, moment_s: float, callback: Callable[[], object]) -> None:
        """Keep the call for `advance`, or make it now if its moment is past."""
        if moment_s <= self._now_s:
            callback()
        else:
            heapq.heappush(self._due, (moment_s, next(self._order), callback))

    def advance(self, seconds: float) -> None:
        """Let time pass, making the calls that fall due, each at its own moment.

        Args:
            seconds: >= 0.
        """
        end_s = self._now_s + seconds
        while self._due and self._due[0][0] <= end_s:
            self._now_s, _, callback = heapq.heappop(self._due)
            callback()
        self._now_s = end_s


async def sleep(clock: Clock, seconds: float) -> None:
    """Wait on this clock."""
    is_over = asyncio.Event()
    clock.call_at(clock.monotonic_s() + seconds, is_over.set)
    await is_over.wait()
