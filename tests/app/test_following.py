"""When a driver looks at a task, and what it makes of what it sees."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.app.following import OBSERVED_COUNT_MAX, TROUBLED_COUNT_MAX, Following
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import JobId, ModelId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from tests.domain.builders import CATALOGUE, NOW, a_job
from tests.support.builders import after_noon
from tests.support.driving import due_in, run
from tests.support.fake_provider import FakeProvider
from tests.support.world import Customer, World

UNKNOWN = Fault(kind=FaultKind.TASK_UNKNOWN, detail="never heard of it")
DOWN = Fault(kind=FaultKind.UNAVAILABLE)
LOST = JobFailure(code=FailureCode.PROVIDER_ERROR, message="The provider has lost the job.", fault=UNKNOWN)
HAPPY = ["Created", "SubmitIntended", "Submitted", "Rendered", "Stored"]
SECOND = timedelta(seconds=1)


@pytest.fixture
def fal() -> FakeProvider:
    """One without wishes; nothing ends before the test says so."""
    return FakeProvider("fal", is_held=True, first_poll_after=None)


@pytest.fixture
def world(fal: FakeProvider) -> World:
    return World(providers=[fal])


async def submitted(world: World, customer: Customer, **fields: Any) -> Job:
    """A job that was just submitted; the typical time of its model is three and a half minutes."""
    job = await world.create(customer, **fields)
    await world.run_due()
    return await world.load(job)


async def render(world: World, fal: FakeProvider, customer: Customer, *times: timedelta, **fields: Any) -> None:
    """Let as many renders be seen to have taken these times."""
    for time in times:
        fal.first_poll_after = time
        await submitted(world, customer, **fields)
        fal.finish_all()
        await world.clock.advance(time)
        await world.run_due()
    fal.first_poll_after = None


class TestFirstLook:
    async def test_it_is_at_half_the_typical_time(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        job = await submitted(world, ada)
        assert fal.call_count("poll") == 0
        assert await due_in(world, job) == timedelta(seconds=105)
        await world.clock.advance(timedelta(seconds=105))
        await world.run_due()
        assert fal.call_count("poll") == 1

    async def test_observed_times_replace_the_catalogues(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        await render(world, fal, ada, *[40 * SECOND] * 4)
        assert await due_in(world, await submitted(world, ada)) == timedelta(seconds=105)
        await render(world, fal, ada, 40 * SECOND)
        assert await due_in(world, await submitted(world, ada)) == timedelta(seconds=36)

    async def test_they_are_those_of_the_model(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        await render(world, fal, ada, *[40 * SECOND] * 5)
        # Two minutes by the catalogue.
        assert await due_in(world, await submitted(world, ada, model="kling-3-pro")) == timedelta(minutes=1)

    async def test_old_ones_are_forgotten(self, world: World, fal: FakeProvider) -> None:
        rich = await world.join(micros=1_000_000_000)
        await render(world, fal, rich, *[40 * SECOND] * 5, *[100 * SECOND] * OBSERVED_COUNT_MAX)
        assert await due_in(world, await submitted(world, rich)) == timedelta(seconds=90)

    async def test_those_of_another_provider_say_nothing(self) -> None:
        following = Following(CATALOGUE)
        for _ in range(5):
            following.note_end(_processing(), NOW + 40 * SECOND)
        assert following.next_look(_processing(), NOW, 0.5) == NOW + 36 * SECOND
        elsewhere = replace(_processing(), provider=ProviderName("vertex"))
        assert following.next_look(elsewhere, NOW, 0.5) == NOW + timedelta(seconds=105)

    async def test_a_provider_may_wish_for_another(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.first_poll_after = timedelta(seconds=7)
        assert await due_in(world, await submitted(world, ada)) == timedelta(seconds=7)

    async def test_a_model_that_left_the_catalogue_is_looked_at_soon(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await world.create(ada)
        later = World(store=world.store, clock=world.clock, catalogue=Catalogue([]), providers=[fal])
        await later.run_due()
        assert await due_in(later, job) == timedelta(seconds=1)


def _processing(job_id: str = "01980000-0000-7000-8000-000000000001") -> Job:
    """A job of Kling 2, submitted at `NOW`; its deadline is ten minutes later."""
    return replace(
        a_job(JobState.PROCESSING),
        job_id=JobId(job_id),
        spec=replace(a_job().spec, model=ModelId("fal/kling-2")),
    )


class TestLaterLooks:
    async def test_each_waits_about_a_twelfth_of_what_has_passed(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await submitted(world, ada)
        for elapsed_s, least_s, most_s in ((110, 7.7, 9.9), (200, 14, 18), (360, 25.2, 30), (1700, 30, 30)):
            await world.clock.advance(after_noon(elapsed_s) - world.clock.now())
            await world.run_due()
            interval = await due_in(world, job)
            assert interval is not None
            # To the tenth of a second in which it was found.
            assert timedelta(seconds=least_s) <= interval <= timedelta(seconds=most_s + 0.1)
        assert fal.call_count("poll") == 4

    async def test_jobs_that_were_made_together_are_not_looked_at_together(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        for _ in range(10):
            await world.create(ada)
        await world.run_due()
        await world.clock.advance(timedelta(seconds=200))
        await world.run_due()
        start, moments = world.clock.now(), []
        for tenths in range(200):
            now = start + timedelta(seconds=tenths / 10)
            due = await world.store.claim("probe", now=now, lease_until=now + timedelta(minutes=1), limit=10)
            moments += [tenths for _ in due]
        assert len(moments) == 10
        assert len(set(moments)) > 5

    async def test_a_providers_wish_is_granted(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.poll_after = timedelta(seconds=42)
        fal.first_poll_after = timedelta()
        assert await due_in(world, await submitted(world, ada)) == timedelta(seconds=42)

    @pytest.mark.parametrize(("wish_us", "expected_s"), [(0, 105), (1, 0.1)])
    async def test_a_wish_for_a_look_at_once_is_no_busy_loop(
        self, *, world: World, fal: FakeProvider, ada: Customer, wish_us: int, expected_s: float
    ) -> None:
        fal.poll_after = timedelta(microseconds=wish_us)
        fal.first_poll_after = timedelta()
        job = await submitted(world, ada)
        assert fal.call_count("poll") == 1
        assert await due_in(world, job) == timedelta(seconds=expected_s)

    async def test_a_wish_that_would_try_the_customers_patience_is_not_granted(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        fal.poll_after = timedelta(hours=9)
        fal.first_poll_after = timedelta()
        assert await due_in(world, await submitted(world, ada)) == timedelta(minutes=1)

    async def test_none_is_put_off_beyond_the_deadline(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.poll_after = timedelta(seconds=50)
        fal.first_poll_after = timedelta(minutes=29, seconds=30)
        job = await submitted(world, ada)
        await world.clock.advance(timedelta(minutes=29, seconds=30))
        await world.run_due()
        assert await due_in(world, job) == timedelta(seconds=30)


class TestFailedLooks:
    @pytest.mark.parametrize(
        ("retry_after_s", "expected_s"), [(None, 105), (0, 105), (5, 105), (300, 300), (32_400, 1800)]
    )
    async def test_the_providers_own_word_on_when_to_ask_again_is_the_least(
        self, *, world: World, fal: FakeProvider, ada: Customer, retry_after_s: int | None, expected_s: int
    ) -> None:
        retry_after = None if retry_after_s is None else timedelta(seconds=retry_after_s)
        fal.poll_faults = [Fault(kind=FaultKind.THROTTLED, retry_after=retry_after)]
        fal.first_poll_after = timedelta()
        job = await submitted(world, ada)
        assert fal.call_count("poll") == 1
        assert await due_in(world, job) == timedelta(seconds=expected_s)

    def test_they_are_spread_further_and_further_and_an_answer_begins_anew(self) -> None:
        following, job, now = Following(CATALOGUE), _processing(), NOW + timedelta(seconds=105)
        intervals_s = []
        for _ in range(7):
            following.note_failure(job.job_id, is_unknown=False)
            intervals_s.append((following.next_look(job, now, 0.5) - now).total_seconds())
        assert intervals_s == [8.4, 8.4, 8.4, 8.4, 16, 30, 30]
        following.note_answer(job.job_id)
        assert following.next_look(job, now, 0.5) - now == timedelta(seconds=8.4)

    def test_the_trouble_of_one_job_is_not_anothers(self) -> None:
        following, now = Following(CATALOGUE), NOW + timedelta(seconds=105)
        for _ in range(9):
            following.note_failure(_processing().job_id, is_unknown=True)
        other = _processing("01980000-0000-7000-8000-000000000002")
        assert following.next_look(other, now, 0.5) - now == timedelta(seconds=8.4)
        assert following.note_failure(other.job_id, is_unknown=True) == 1

    def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(self) -> None:
        following = Following(CATALOGUE)
        for number in range(TROUBLED_COUNT_MAX + 1):
            following.note_failure(JobId(str(number)), is_unknown=True)
        assert following.note_failure(JobId("1"), is_unknown=True) == 2
        assert following.note_failure(JobId("0"), is_unknown=True) == 1

    async def test_a_hundred_do_not_fail_a_job_before_its_deadline(self, fal: FakeProvider) -> None:
        patient = Catalogue(replace(model, deadline=timedelta(hours=9)) for model in CATALOGUE.all())
        world = World(providers=[fal], catalogue=patient)
        ada = await world.join()
        fal.poll_faults = [DOWN] * 100
        fal.is_held = False
        job = await run(world, await world.create(ada), times=200)
        assert await world.history(job.job_id) == HAPPY
        assert fal.call_count("poll") == 101
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_provider_that_never_answers_again_lets_the_job_expire(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        fal.poll_faults = [DOWN] * 1000
        job = await run(world, await world.create(ada))
        assert (job.state, job.update_time) == (JobState.EXPIRED, after_noon(1800))
        assert await world.ledger(ada) == ["credit", "hold", "void"]


class TestLostTasks:
    async def test_three_times_in_a_row_ends_the_job(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.poll_faults = [UNKNOWN] * 3
        job = await run(world, await world.create(ada))
        assert (job.state, job.failure) == (JobState.FAILED, LOST)
        assert (fal.call_count("poll"), fal.call_count("submit")) == (3, 1)
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_twice_does_not(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.poll_faults = [UNKNOWN] * 2
        fal.is_held = False
        job = await run(world, await world.create(ada))
        assert await world.history(job.job_id) == HAPPY

    async def test_an_answer_in_between_begins_the_count_anew(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await submitted(world, ada)
        for count in (2, 2):
            fal.poll_faults = [UNKNOWN] * count
            for _ in range(count + 1):
                await world.clock.advance(timedelta(minutes=2))
                await world.run_due()
        assert (await world.load(job)).state is JobState.PROCESSING
        fal.finish_all()
        assert (await run(world, job)).state is JobState.SUCCEEDED

    async def test_a_failed_look_in_between_does_too(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.poll_faults = [UNKNOWN, UNKNOWN, DOWN, UNKNOWN, UNKNOWN]
        fal.is_held = False
        job = await run(world, await world.create(ada))
        assert await world.history(job.job_id) == HAPPY
        assert fal.call_count("poll") == 6

    async def test_a_restart_begins_the_count_anew(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        job = await submitted(world, ada)
        fal.poll_faults = [UNKNOWN] * 4
        for again in (world, World(store=world.store, clock=world.clock, providers=[fal])):
            for _ in range(2):
                await world.clock.advance(timedelta(minutes=2))
                await again.run_due()
        assert (await world.load(job)).state is JobState.PROCESSING

    async def test_an_idempotent_provider_is_given_the_task_again_however_often_it_loses_it(self) -> None:
        local = FakeProvider("local", is_idempotent=True)
        world = World(providers=[local])
        local.poll_faults = [UNKNOWN] * 9
        job = await world.create(await world.join(), model="local/storyboard")
        job = await run(world, job, step=timedelta(seconds=31))
        assert await world.history(job.job_id) == HAPPY
        assert local.call_count("submit") == 10


class TestJobsOfTheVersionBefore:
    async def test_one_that_was_submitted_then_is_followed_from_its_creation(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await submitted(world, ada)
        old = replace(await world.load(job), submit_time=None)
        following = Following(CATALOGUE)
        assert following.next_look(old, after_noon(5), 0.5) == after_noon(105)
        assert following.next_look(old, after_noon(200), 0.5) == after_noon(216)
        # Nobody knows what its render took.
        for _ in range(9):
            following.note_end(old, after_noon(40))
        assert following.next_look(old, after_noon(0), 0.5) == after_noon(105)
