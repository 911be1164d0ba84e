"""A clock that a test moves by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.support.builders import NOON

TURN_COUNT_MAX = 100_000
"""Turns of the event loop after which tasks that keep each other busy are taken for a mistake."""


async def settle() -> None:
    """Let every task of this event loop run until it waits for something that has not happened.

    Threads, processes and sockets are not waited for.
    """
    # The queue of callbacks that are ready; asyncio has no public name for "nothing left to do".
    loop: Any = asyncio.get_running_loop()
    for _ in range(TURN_COUNT_MAX):
        await asyncio.sleep(0)
        if not loop._ready:
            return
    message = f"still busy after {TURN_COUNT_MAX} turns"
    raise AssertionError(message)


@dataclass(eq=False, slots=True)
class _Alarm:
    time: datetime
    ring: Callable[[], object]


class ManualClock:
    """Stands still until a test moves it; whoever waits is then woken at the right time, in order."""

    def __init__(self, now: datetime = NOON) -> None:
        """Start at `now`."""
        self._now = now
        self._alarms: list[_Alarm] = []

    def now(self) -> datetime:
        return self._now

    @property
    def alarm_count(self) -> int:
        """How many sleeps and limits there are whose time has not come."""
        return len(self._alarms)

    async def sleep(self, delay: timedelta) -> None:
        if delay <= timedelta():
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        with self._alarm(delay, woken.set):
            await woken.wait()

    @asynccontextmanager
    async def timeout(self, delay: timedelta) -> AsyncIterator[object]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:
            with self._alarm(delay, lambda: timeout.reschedule(loop.time())):
                yield timeout

    def call_at(self, time: datetime, callback: Callable[[], object]) -> None:
        """Call once when that time comes; at the next move of the clock if it has passed."""
        self._alarms.append(_Alarm(time, callback))

    def jump(self, delta: timedelta) -> None:
        """Set the wall clock forward, as a machine does that has slept; timers go on as if nothing had been."""
        self._now += delta
        for alarm in self._alarms:
            alarm.time += delta

    async def advance(self, delta: timedelta) -> None:
        """Move time on. Everyone whose time comes is woken then, and runs until it waits again, before time goes on."""
        end = self._now + delta
        await settle()
        while due := [alarm for alarm in self._alarms if alarm.time <= end]:
            first = min(due, key=lambda alarm: alarm.time)
            self._now = max(self._now, first.time)
            self._alarms.remove(first)
            first.ring()
            await settle()
        self._now = end
        await settle()

    @contextmanager
    def _alarm(self, delay: timedelta, ring: Callable[[], object]) -> Iterator[None]:
        if delay <= timedelta():
            ring()
            yield
            return
        alarm = _Alarm(self._now + delay, ring)
        self._alarms.append(alarm)
        try:
            yield
        finally:
            if alarm in self._alarms:
                self._alarms.remove(alarm)
