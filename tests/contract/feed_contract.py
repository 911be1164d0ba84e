"""What a `JobFeed` promises. `test_feed.py` runs it over every adapter.

A hint may be lost, late or wrong, so what is promised is little: where nobody else publishes, the hints come.
"""

import asyncio
from datetime import timedelta

import pytest

from reelgate_server.ports.feed import JobFeed
from tests.support.builders import job_id
from tests.support.clock import ManualClock, settle

LIMIT = timedelta(seconds=10)


class FeedContract:
    """Subclasses give a `feed` fixture whose waits are timed by the `clock` fixture."""

    async def test_a_hint_wakes_whoever_waits(self, feed: JobFeed, clock: ManualClock) -> None:
        with feed.subscribe(job_id(1)) as hints:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(hints.wait(LIMIT))
                await settle()
                assert not waiting.done()
                feed.publish(job_id(1))
            assert waiting.result() is True

    async def test_a_wait_without_a_hint_ends_after_its_limit(self, feed: JobFeed, clock: ManualClock) -> None:
        with feed.subscribe(job_id(1)) as hints:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(hints.wait(LIMIT))
                await clock.advance(timedelta(seconds=9.999999))
                assert not waiting.done()
                await clock.advance(timedelta(microseconds=1))
                assert waiting.result() is False

    async def test_a_hint_that_comes_while_nobody_waits_is_kept(self, feed: JobFeed) -> None:
        with feed.subscribe(job_id(1)) as hints:
            feed.publish(job_id(1))
            await settle()
            assert await hints.wait(LIMIT) is True

    async def test_hints_that_come_while_nobody_waits_are_kept_as_one(self, feed: JobFeed) -> None:
        with feed.subscribe(job_id(1)) as hints:
            for _ in range(3):
                feed.publish(job_id(1))
            await settle()
            assert await hints.wait(LIMIT) is True
            assert await hints.wait(timedelta()) is False

    async def test_a_hint_reaches_every_subscriber_of_the_job(self, feed: JobFeed) -> None:
        with feed.subscribe(job_id(1)) as one, feed.subscribe(job_id(1)) as other:
            feed.publish(job_id(1))
            assert await one.wait(LIMIT) is True
            assert await other.wait(LIMIT) is True

    async def test_a_due_job_is_hinted_to_its_watchers_and_to_the_drivers(self, feed: JobFeed) -> None:
        with feed.subscribe(job_id(1)) as watcher, feed.subscribe_due() as driver:
            feed.publish(job_id(1), is_due=True)
            assert await watcher.wait(LIMIT) is True
            assert await driver.wait(LIMIT) is True

    async def test_waking_all_hints_every_subscriber(self, feed: JobFeed) -> None:
        with feed.subscribe(job_id(1)) as one, feed.subscribe(job_id(2)) as other, feed.subscribe_due() as driver:
            feed.wake_all()
            for hints in (one, other, driver):
                assert await hints.wait(LIMIT) is True

    async def test_publishing_to_nobody_is_no_error(self, feed: JobFeed) -> None:
        with feed.subscribe(job_id(1)), feed.subscribe_due():
            pass
        feed.publish(job_id(1), is_due=True)
        feed.wake_all()

    async def test_a_new_subscription_begins_without_a_hint(self, feed: JobFeed) -> None:
        feed.publish(job_id(1), is_due=True)
        await settle()
        with feed.subscribe(job_id(1)) as hints, feed.subscribe_due() as driver:
            assert await hints.wait(timedelta()) is False
            assert await driver.wait(timedelta()) is False

    async def test_a_subscription_ends_with_its_context_even_when_that_fails(self, feed: JobFeed) -> None:
        with pytest.raises(RuntimeError), feed.subscribe(job_id(1)), feed.subscribe_due():
            raise RuntimeError
        feed.publish(job_id(1), is_due=True)
