"""How time passes where calls are real and hours are not.

While a call makes its way, time stands still, so that what a call takes does not depend on the machine. When all that
is under way makes no headway any more, it waits for time to pass, or hangs; then time moves on, by `STEP` for every
`PATIENCE_S` of the machine's. A call that hangs until its limit of `CALL_LIMIT_S` therefore takes half a minute of
simulated time, longer than a lease.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.http import ANSWER_BYTES_MAX, ProviderHttp
from tests.support.builders import NOON
from tests.support.clock import ManualClock, settle

STEP = timedelta(seconds=1)
RESOLUTION = timedelta(microseconds=1)
PATIENCE_S = 0.006
"""Without headway, after which what is under way is taken to wait."""
HEADWAY_COUNT_MAX = 20_000
"""Calls begun or ended without any time passing, after which somebody is taken to go in circles."""
CALL_LIMIT_S = 0.2
"""What an adapter waits for an answer."""


class SimulatorClock:
    """The application's time, as the simulators read it."""

    def __init__(self, clock: ManualClock) -> None:
        """Go by another clock."""
        self._clock = clock

    def monotonic_s(self) -> float:
        return (self._clock.now() - NOON).total_seconds()

    def unix_s(self) -> float:
        return self._clock.now().timestamp()

    def call_at(self, moment_s: float, callback: Callable[[], object]) -> None:
        if moment_s <= self.monotonic_s():
            callback()
        else:
            # Our times have whole microseconds, and a call must not come before its moment.
            self._clock.call_at(time_of(moment_s) + RESOLUTION, callback)


def time_of(moment_s: float) -> datetime:
    """The time of a moment on the simulators' monotonic scale."""
    return (NOON + timedelta(seconds=moment_s)).astimezone(UTC)


class Flow:
    """Moves the clock, and knows what is under way."""

    def __init__(self) -> None:
        """Start at noon, with nothing under way."""
        self.clock = ManualClock()
        self.simulator_clock = SimulatorClock(self.clock)
        self.count = 0
        """How much is under way."""
        self._has_moved = asyncio.Event()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Something leaves the process, and is over when this is left."""
        self.count += 1
        self._has_moved.set()
        try:
            yield
        finally:
            self.count -= 1
            self._has_moved.set()

    async def around(self, _name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Watch a store's call; see `tests/support/interpose.py`."""
        with self.under_way():
            return await call()

    async def pass_step(self) -> None:
        """Let everybody go as far as they come, then move the clock on by `STEP`."""
        await self._come_to_rest()
        await self.clock.advance(STEP)

    async def _come_to_rest(self) -> None:
        await settle()
        for _ in range(HEADWAY_COUNT_MAX):
            if not self.count:
                return
            self._has_moved.clear()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._has_moved.wait()
            except TimeoutError:
                return
            await settle()
        message = f"something is busy for ever at {self.clock.now()}"
        raise AssertionError(message)


class WatchedHttp(ProviderHttp):
    """The adapters' own client with a short patience, watched."""

    def __init__(self, flow: Flow, secrets: tuple[str, ...] = ()) -> None:
        """Strike `secrets` out of what is kept."""
        super().__init__(secrets=secrets, call_limit_s=CALL_LIMIT_S, read_limit_s=CALL_LIMIT_S)
        self._flow = flow

    async def call(
        self,
        method: str,
        url: str,
        *,
        is_submit: bool = False,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        **request: Any,
    ) -> Answer:
        with self._flow.under_way():
            return await super().call(method, url, is_submit=is_submit, answer_bytes_max=answer_bytes_max, **request)

    @asynccontextmanager
    async def streaming(
        self, method: str, url: str, *, is_bounded: bool = False, **request: Any
    ) -> AsyncGenerator[httpx.Response]:
        with self._flow.under_way():
            async with super().streaming(method, url, is_bounded=is_bounded, **request) as response:
                yield response
