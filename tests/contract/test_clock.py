"""Every clock keeps the promises of `ports/clock.py`."""

import asyncio
from datetime import timedelta

import pytest

from reelgate_server.adapters.clock import SystemClock
from reelgate_server.ports.clock import Clock
from tests.contract.clock_contract import ClockContract
from tests.support.builders import NOON, after_noon
from tests.support.clock import ManualClock


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class TestManualClock(ClockContract):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    async def pass_time(self, clock: Clock, delta: timedelta) -> None:
        assert isinstance(clock, ManualClock)
        await clock.advance(delta)

    async def test_time_stands_still_until_it_is_moved(self, clock: ManualClock) -> None:
        assert clock.now() == NOON
        await clock.advance(timedelta(seconds=1.5))
        assert clock.now() == after_noon(1.5)

    async def test_sleepers_wake_in_the_order_of_their_times_and_see_them(self, clock: ManualClock) -> None:
        woken = []

        async def sleep_twice(first_s: int, then_s: int) -> None:
            for delay_s in (first_s, then_s):
                await clock.sleep(timedelta(seconds=delay_s))
                woken.append((first_s, clock.now()))

        async with asyncio.TaskGroup() as group:
            group.create_task(sleep_twice(3, 1))
            group.create_task(sleep_twice(1, 4))
            await clock.advance(timedelta(seconds=10))
        assert woken == [(1, after_noon(1)), (3, after_noon(3)), (3, after_noon(4)), (1, after_noon(5))]
        assert clock.now() == after_noon(10)
