"""What a `Clock` promises. `test_clock.py` runs it over the machine's and the manual one."""

import asyncio
from datetime import timedelta

import pytest

from reelgate_server.ports.clock import Clock

SHORT = timedelta(milliseconds=20)
LONG = timedelta(minutes=1)


class ClockContract:
    """Subclasses give a `clock` fixture, and say how time passes."""

    async def pass_time(self, clock: Clock, delta: timedelta) -> None:
        """Return when `delta` has passed."""
        await clock.sleep(delta)

    async def test_the_present_is_in_utc(self, clock: Clock) -> None:
        assert clock.now().utcoffset() == timedelta()

    async def test_a_sleep_returns_when_its_time_has_passed(self, clock: Clock) -> None:
        before = clock.now()
        async with asyncio.TaskGroup() as group:
            sleeping = group.create_task(clock.sleep(SHORT))
            await asyncio.sleep(0)
            assert not sleeping.done()
            await self.pass_time(clock, SHORT)
        # The machine's wall clock and its timers are two devices.
        assert clock.now() - before > timedelta(milliseconds=15)

    async def test_a_sleep_of_nothing_returns_at_once(self, clock: Clock) -> None:
        await clock.sleep(timedelta())

    async def test_a_body_that_takes_too_long_is_ended(self, clock: Clock) -> None:
        async def body() -> bool:
            try:
                async with clock.timeout(SHORT):
                    await asyncio.Event().wait()
            except TimeoutError:
                return True
            return False

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(body())
            await asyncio.sleep(0)
            assert not waiting.done()
            await self.pass_time(clock, SHORT)
            assert await waiting is True

    async def test_a_body_without_any_time_is_ended_where_it_waits(self, clock: Clock) -> None:
        with pytest.raises(TimeoutError):
            async with clock.timeout(timedelta()):
                await asyncio.Event().wait()

    async def test_a_body_that_ends_in_time_is_left_alone(self, clock: Clock) -> None:
        async with clock.timeout(SHORT):
            await asyncio.sleep(0)
        await self.pass_time(clock, 2 * SHORT)

    async def test_an_error_in_the_body_passes(self, clock: Clock) -> None:
        with pytest.raises(ZeroDivisionError):
            async with clock.timeout(LONG):
                raise ZeroDivisionError

    async def test_the_shorter_of_two_limits_ends_its_own_body(self, clock: Clock) -> None:
        ended = []

        async def body() -> None:
            async with clock.timeout(LONG):
                try:
                    async with clock.timeout(SHORT):
                        await asyncio.Event().wait()
                except TimeoutError:
                    ended.append("inner")
            ended.append("outer, in time")

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(body())
            await asyncio.sleep(0)
            await self.pass_time(clock, SHORT)
            await waiting
        assert ended == ["inner", "outer, in time"]

    async def test_cancelling_a_body_is_no_timeout(self, clock: Clock) -> None:
        async def body() -> None:
            async with clock.timeout(LONG):
                await asyncio.Event().wait()

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(body())
            await asyncio.sleep(0)
            waiting.cancel()
        assert waiting.cancelled()
