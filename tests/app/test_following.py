"""When a driver looks at a task, and what it makes of what it sees."""

from dataclasses import replace
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import pytest

from reelgate_server.app.following import OBSERVED_COUNT_MAX, TROUBLED_COUNT_MAX, Following
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.decide import RecordAnnounced
from reelgate_server.domain.events import Announced, FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import JobId, ModelId, ProviderName
from reelgate_server.domain.job import Job, apply
from reelgate_server.domain.lifecycle import JobState
from tests.domain.builders import CATALOGUE, EVENTS, NOW, a_job
from tests.support.builders import after_noon
from tests.support.driving import due_in, run, run_when_due
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
        job = await submitted(world, ada)
        assert Following(Catalogue([])).next_look(job, after_noon(0), 0.5) == after_noon(1)
        later = World(store=world.store, clock=world.clock, catalogue=Catalogue([]), providers=[fal])
        await world.clock.advance(timedelta(seconds=20))
        await later.drive(job, "driver")
        assert fal.call_count("poll") == 1
        assert Following(Catalogue([])).next_look(job, after_noon(20), 0.5) == after_noon(21.6)

    def test_those_of_a_task_that_became_known_by_its_announcement_are_not_observed(self) -> None:
        following = Following(CATALOGUE)
        recovered = replace(_processing(), unanswered_count=1)
        for _ in range(9):
            following.note_end(recovered, NOW + 40 * SECOND)
        assert following.next_look(_processing(), NOW, 0.5) == NOW + timedelta(seconds=105)


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
        ("retry_after_s", "expected_s"),
        [(None, 105), (0, 105), (5, 105), (300, 300), (899, 899), (901, 900), (32_400, 900)],
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

    async def test_but_however_long_it_is_there_is_one_more_look_before_the_deadline(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        fal.poll_faults = [Fault(kind=FaultKind.THROTTLED, retry_after=timedelta(hours=9))] * 2
        fal.first_poll_after = timedelta()
        job = await submitted(world, ada)
        fal.finish_all()
        for delay_s, poll_count in ((900, 2), (450, 3)):
            assert await due_in(world, job) == timedelta(seconds=delay_s)
            await world.clock.advance(timedelta(seconds=delay_s))
            await world.run_due()
            assert fal.call_count("poll") == poll_count
        assert (await world.load(job)).state is JobState.SUCCEEDED

    def test_they_are_spread_further_and_further_and_an_answer_begins_anew(self) -> None:
        following, job, now = Following(CATALOGUE), _processing(), NOW + timedelta(seconds=105)
        intervals_s = []
        for _ in range(7):
            following.note_failure(job, now, is_unknown=False)
            intervals_s.append((following.next_look(job, now, 0.5) - now).total_seconds())
        assert intervals_s == [8.4, 8.4, 8.4, 8.4, 16, 30, 30]
        following.note_answer(job.job_id)
        assert following.next_look(job, now, 0.5) - now == timedelta(seconds=8.4)

    def test_the_trouble_of_one_job_is_not_anothers(self) -> None:
        following, now = Following(CATALOGUE), NOW + timedelta(seconds=105)
        for _ in range(9):
            following.note_failure(_processing(), now, is_unknown=True)
        other = _processing("01980000-0000-7000-8000-000000000002")
        assert following.next_look(other, now, 0.5) - now == timedelta(seconds=8.4)
        assert following.note_failure(other, now, is_unknown=True) == 1

    def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(self) -> None:
        following, job = Following(CATALOGUE), _processing()
        for number in range(TROUBLED_COUNT_MAX + 1):
            following.note_failure(replace(job, job_id=JobId(str(number))), NOW, is_unknown=True)
        assert following.note_failure(replace(job, job_id=JobId("1")), NOW, is_unknown=True) == 2
        assert following.note_failure(replace(job, job_id=JobId("0")), NOW, is_unknown=True) == 1

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
        job = await run_when_due(world, await world.create(ada))
        assert (job.state, job.failure) == (JobState.FAILED, LOST)
        assert (fal.call_count("poll"), fal.call_count("submit")) == (3, 1)
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_twice_does_not(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.poll_faults = [UNKNOWN] * 2
        fal.is_held = False
        job = await run_when_due(world, await world.create(ada))
        assert await world.history(job.job_id) == HAPPY
        assert fal.call_count("poll") == 3

    async def test_an_answer_in_between_begins_the_count_anew(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await submitted(world, ada)
        for count in (2, 2):
            fal.poll_faults = [UNKNOWN] * count
            for _ in range(count + 1):
                await advance_to_look(world, job)
                await world.run_due()
        assert fal.call_count("poll") == 6
        assert (await world.load(job)).state is JobState.PROCESSING
        fal.finish_all()
        assert (await run_when_due(world, job)).state is JobState.SUCCEEDED

    async def test_a_failed_look_in_between_does_too(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        fal.poll_faults = [UNKNOWN, UNKNOWN, DOWN, UNKNOWN, UNKNOWN]
        fal.is_held = False
        job = await run_when_due(world, await world.create(ada))
        assert await world.history(job.job_id) == HAPPY
        assert fal.call_count("poll") == 6

    async def test_a_restart_begins_the_count_anew(self, world: World, fal: FakeProvider, ada: Customer) -> None:
        job = await submitted(world, ada)
        fal.poll_faults = [UNKNOWN] * 4
        for again in (world, another(world, fal)):
            for _ in range(2):
                await advance_to_look(world, job)
                await again.run_due()
        assert fal.call_count("poll") == 4
        assert (await world.load(job)).state is JobState.PROCESSING

    async def test_a_look_that_comes_late_begins_the_count_anew(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await submitted(world, ada)
        fal.poll_faults = [UNKNOWN] * 20
        for _ in range(6):
            await advance_to_look(world, job)
            await world.clock.advance(timedelta(seconds=20))
            await world.run_due()
        assert fal.call_count("poll") == 6
        assert (await world.load(job)).state is JobState.PROCESSING
        # Three that come in time are believed; the first of them counts with the last that came late.
        for _ in range(2):
            await advance_to_look(world, job)
            await world.run_due()
        assert (await world.load(job)).failure == LOST

    @pytest.mark.parametrize(("delay_s", "count"), [(-1e-6, 1), (0, 2), (3.675, 2), (3.675001, 1), (60, 1)])
    def test_what_counts_as_in_a_row_came_at_the_chosen_time_or_soon_after(self, delay_s: float, count: int) -> None:
        following, job, now = Following(CATALOGUE), _processing(), NOW + timedelta(seconds=105)
        assert following.note_failure(job, now, is_unknown=True) == 1
        look_time = following.next_look(job, now, 0.5)
        assert look_time == now + timedelta(seconds=8.4)
        # Half of the shortest interval that another process could have chosen: 7 % of the time that has passed.
        assert following.note_failure(job, look_time + timedelta(seconds=delay_s), is_unknown=True) == count

    def test_what_was_recorded_in_between_shows_that_somebody_else_was_there(self) -> None:
        following, job, now = Following(CATALOGUE), _processing(), NOW + timedelta(seconds=105)
        following.note_failure(job, now, is_unknown=True)
        look_time = following.next_look(job, now, 0.5)
        assert following.note_failure(apply(job, EVENTS[Announced]), look_time, is_unknown=True) == 1

    def test_a_long_interval_of_ones_own_is_no_reason_to_be_more_patient(self) -> None:
        following, job, now = Following(CATALOGUE), _processing(), NOW + timedelta(seconds=105)
        following.note_failure(job, now, is_unknown=True)
        look_time = following.next_look(job, now, 0.5, wish=timedelta(minutes=2))
        assert look_time == now + timedelta(minutes=2)
        # Another process may have looked then, and again after eight seconds.
        late = look_time + timedelta(seconds=8)
        assert following.note_failure(job, late, is_unknown=True) == 1

    def test_where_a_provider_wishes_for_short_intervals_there_is_little_patience(self) -> None:
        following, job, now = Following(CATALOGUE), _processing(), NOW + timedelta(seconds=105)
        for wish_s in (60, 2, 10):
            following.next_look(job, now, 0.5, wish=timedelta(seconds=wish_s))
        for late_s, count in ((1, 2), (1.1, 1)):
            following.note_answer(job.job_id)
            following.note_failure(job, now, is_unknown=True)
            look_time = following.next_look(job, now, 0.5)
            late = look_time + timedelta(seconds=late_s)
            assert following.note_failure(job, late, is_unknown=True) == count

    async def test_an_idempotent_provider_is_given_the_task_again_however_often_it_loses_it(self) -> None:
        local = FakeProvider("local", is_idempotent=True)
        world = World(providers=[local])
        local.poll_faults = [UNKNOWN] * 9
        job = await world.create(await world.join(), model="local/storyboard")
        job = await run(world, job, step=timedelta(seconds=31))
        assert await world.history(job.job_id) == HAPPY
        assert local.call_count("submit") == 10


class TestTwoProcesses:
    """They take turns at one job, and neither knows what the other was answered."""

    @pytest.mark.parametrize("turns", ["AB", "AAB", "ABB", "AABB", "AABAB", "ABBAAB"])
    @pytest.mark.parametrize("wish", [None, 2 * SECOND, 20 * SECOND])
    async def test_a_live_task_of_which_one_of_them_is_told_that_there_is_none_is_never_ended(
        self, *, world: World, fal: FakeProvider, ada: Customer, turns: str, wish: timedelta | None
    ) -> None:
        fal.poll_after = wish
        fal.first_poll_after = timedelta()
        job = await submitted(world, ada)
        other = another(world, fal)
        # Each has seen what the provider wishes for.
        await advance_to_look(world, job)
        await other.run_due()
        for turn in islice(cycle(turns), 60):
            await advance_to_look(world, job)
            if (await world.load(job)).expire_time <= world.clock.now():
                break
            fal.poll_faults = [UNKNOWN] if turn == "A" else []
            await (world if turn == "A" else other).run_due()
            assert fal.poll_faults == []
            assert (await world.load(job)).state is JobState.PROCESSING
        fal.finish_all()
        await advance_to_look(world, job)
        await other.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    @pytest.mark.parametrize("turns", ["AAA", "BBB", "ABBB", "ABABAAA", "AABBABBB"])
    async def test_a_lost_task_is_given_up_by_the_one_who_sees_it_thrice_with_no_other_look_in_between(
        self, *, world: World, fal: FakeProvider, ada: Customer, turns: str
    ) -> None:
        job = await submitted(world, ada)
        other = another(world, fal)
        fal.poll_faults = [UNKNOWN] * len(turns)
        for turn in turns:
            assert (await world.load(job)).state is JobState.PROCESSING
            await advance_to_look(world, job)
            await (world if turn == "A" else other).run_due()
        assert fal.poll_faults == []
        assert (await world.load(job)).failure == LOST

    async def test_strictly_in_turns_they_leave_a_lost_task_to_its_deadline(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await submitted(world, ada)
        fal.forget("fal-task-1")
        other = another(world, fal)
        for process in islice(cycle((world, other)), 200):
            delay = await due_in(world, job)
            if delay is None:
                break
            await world.clock.advance(delay)
            await process.run_due()
        job = await world.load(job)
        assert (job.state, job.update_time) == (JobState.EXPIRED, after_noon(1800))

    async def test_a_webhook_between_two_looks_begins_the_count_anew(
        self, world: World, fal: FakeProvider, ada: Customer
    ) -> None:
        job = await submitted(world, ada)
        fal.poll_faults = [UNKNOWN] * 2
        for _ in range(2):
            await advance_to_look(world, job)
            await world.run_due()
        await world.recorder.record_latest(job.job_id, RecordAnnounced("fal-task-1"))
        # The other was told first, and got an answer.
        await another(world, fal).run_due()
        fal.poll_faults = [UNKNOWN]
        await advance_to_look(world, job)
        await world.run_due()
        assert fal.poll_faults == []
        assert (await world.load(job)).state is JobState.PROCESSING


def another(world: World, fal: FakeProvider) -> World:
    """One more server process on the same store."""
    return World(store=world.store, clock=world.clock, media=world.media, providers=[fal], seed=2)


async def advance_to_look(world: World, job: Job) -> None:
    """Wait until the job's task is to be looked at."""
    delay = await due_in(world, job)
    assert delay is not None
    await world.clock.advance(delay)


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
