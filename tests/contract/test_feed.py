"""Every feed keeps the promises of `ports/feed.py`."""

from datetime import timedelta

import pytest

from reelgate_server.adapters.feed.local import LocalFeed
from tests.contract.feed_contract import FeedContract
from tests.support.builders import job_id
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestLocalFeed(FeedContract):
    @pytest.fixture
    def feed(self, clock: ManualClock) -> LocalFeed:
        return LocalFeed(clock)

    async def test_a_subscriber_hears_nothing_of_other_jobs(self, feed: LocalFeed) -> None:
        with feed.subscribe(job_id(1)) as hints:
            feed.publish(job_id(2), is_due=True)
            assert await hints.wait(timedelta()) is False

    async def test_drivers_hear_nothing_of_jobs_that_are_not_due(self, feed: LocalFeed) -> None:
        with feed.subscribe_due() as driver:
            feed.publish(job_id(1))
            assert await driver.wait(timedelta()) is False
