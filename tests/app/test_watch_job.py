"""A watch tells every event once, in order, from wherever it begins, and never falls silent for long."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.feed.local import LocalFeed
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.app.watch_job import JobUpdate, UpdateKind, WatchJob
from reelgate_server.domain.decide import Cancel, IntendSubmit, RecordProgress, RecordSubmitted
from reelgate_server.domain.errors import JobNotFound, SequenceOutOfRange, ServerStopping, StoreUnavailable
from reelgate_server.domain.events import Task
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.feed import Subscription
from tests.support.clock import ManualClock, settle
from tests.support.interpose import Trouble, interpose
from tests.support.world import Customer, World


class Watcher:
    """Collects what a watch yields until it ends."""

    def __init__(self) -> None:
        self.updates: list[JobUpdate] = []
        self.error: Exception | None = None
        self.is_done = False

    async def run(self, watch: WatchJob, job: Job, after: int = 0) -> None:
        try:
            async with aclosing(watch(job.account_id, job.job_id, after=after)) as updates:
                async for update in updates:
                    self.updates.append(update)
        except (ServerStopping, StoreUnavailable) as error:
            self.error = error
        self.is_done = True

    @property
    def kinds(self) -> str:
        """One letter for each update: snapshot, event, heartbeat."""
        return "".join(update.kind.value[0] for update in self.updates)

    @property
    def sequences(self) -> list[int]:
        """Those of the events."""
        return [update.sequence for update in self.updates if update.kind is UpdateKind.EVENT]


@asynccontextmanager
async def watching(world: World, job: Job, after: int = 0, watch: WatchJob | None = None) -> AsyncIterator[Watcher]:
    """Watch beside the body; a watch that has not ended then is left."""
    watcher = Watcher()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run(watch or world.watch, job, after))
        await settle()
        yield watcher
        await settle()
        task.cancel()


async def _processing(world: World, customer: Customer) -> Job:
    """A job with three events, whose render goes on."""
    job = await world.create(customer)
    job = await world.recorder.record(job, IntendSubmit())
    return await world.recorder.record(job, RecordSubmitted(Task(task_id="fal-task-1")))


class TestEvents:
    async def test_the_snapshot_comes_first_and_at_once(self, world: World, ada: Customer) -> None:
        job = await _processing(world, ada)
        async with watching(world, job, after=2) as watcher:
            first = watcher.updates[0]
            assert (first.kind, first.sequence, first.logged) == (UpdateKind.SNAPSHOT, 2, None)
            assert first.job == job

    @pytest.mark.parametrize("steps_before", range(6))
    @pytest.mark.parametrize("after", range(6))
    async def test_wherever_it_begins_it_sees_the_same_events(
        self, *, world: World, ada: Customer, steps_before: int, after: int
    ) -> None:
        world.fal.progress_steps = [30, 60]
        job = await world.create(ada)
        steps: list[Callable[[], Any]] = [
            world.run_due,
            *[lambda: world.clock.advance(timedelta(minutes=2)), world.run_due] * 2,
        ]
        for step in steps[:steps_before]:
            await step()
        after = min(after, (await world.load(job)).sequence)
        async with watching(world, job, after) as watcher:
            for step in steps[steps_before:]:
                await step()
        log = await world.store.events_after(job.job_id, 0)
        assert await world.history(job.job_id) == [
            "Created",
            "SubmitIntended",
            "Submitted",
            "Progressed",
            "Progressed",
            "Rendered",
            "Stored",
        ]
        assert watcher.sequences == list(range(after + 1, 8))
        assert watcher.is_done
        for update in watcher.updates[1:]:
            if update.logged is not None:
                assert update.logged == log[update.sequence - 1]
                # The job as that event left it.
                assert update.job == fold(each.event for each in log[: update.sequence])

    async def test_a_watch_of_an_ended_job_ends(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        await world.run_due()
        async with watching(world, job, after=5) as watcher:
            assert (watcher.kinds, watcher.is_done) == ("s", True)

    async def test_an_event_between_the_snapshot_and_the_first_read_is_not_lost(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.create(ada)
        async with aclosing(world.watch(job.account_id, job.job_id)) as updates:
            snapshot = await anext(updates)
            await cancel_job(world.recorder, ada.caller, job.job_id)
            rest = [update async for update in updates]
        assert snapshot.job.state is JobState.PENDING
        assert [update.sequence for update in rest] == [1, 2]

    async def test_an_event_during_any_read_is_told_once(self, world: World, ada: Customer) -> None:
        job = await _processing(world, ada)
        percents = iter((10, 20, 30))

        async def around(name: str, call: Callable[[], Any]) -> Any:
            answer = await call()
            if name == "events_after":
                percent = next(percents, None)
                command = RecordProgress(percent) if percent is not None else Cancel()
                await world.recorder.record_latest(job.job_id, command)
            return answer

        watch = World(store=interpose(world.store, around), feed=world.feed, clock=world.clock).watch
        async with watching(world, job, watch=watch) as watcher:
            pass
        assert watcher.sequences == [1, 2, 3, 4, 5, 6, 7]
        assert watcher.is_done

    async def test_many_watchers_see_the_same(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        watchers = [Watcher() for _ in range(50)]
        async with asyncio.TaskGroup() as group:
            for watcher in watchers:
                group.create_task(watcher.run(world.watch, job))
            await settle()
            await world.run_due()
        assert {tuple(watcher.sequences) for watcher in watchers} == {(1, 2, 3, 4, 5)}

    async def test_a_watch_that_is_left_leaves_nothing_behind(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        for _ in range(3):
            async with watching(world, job):
                assert world.clock.alarm_count == 1
            assert world.clock.alarm_count == 0


class TestRefusals:
    async def test_a_stranger_and_a_job_that_does_not_exist_are_refused_before_the_first_update(
        self, world: World, ada: Customer, bob: Customer
    ) -> None:
        job = await world.create(ada)
        for account, asked in (
            (bob, job.job_id),
            (ada, JobId("01940000-0000-7000-8000-00000000ffff")),
            (ada, JobId("nonsense")),
        ):
            with pytest.raises(JobNotFound):
                await anext(world.watch(account.account.account_id, asked))

    @pytest.mark.parametrize("after", [-1, 2, 10**9])
    async def test_what_is_not_in_the_log_is_out_of_range_before_the_first_update(
        self, world: World, ada: Customer, after: int
    ) -> None:
        job = await world.create(ada)
        with pytest.raises(SequenceOutOfRange) as raised:
            await anext(world.watch(job.account_id, job.job_id, after=after))
        assert (raised.value.asked, raised.value.last) == (after, 1)


class TestHeartbeats:
    async def test_one_comes_after_each_interval_of_silence(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with watching(world, job) as watcher:
            assert watcher.kinds == "se"
            await world.clock.advance(timedelta(seconds=14.999999))
            assert watcher.kinds == "se"
            await world.clock.advance(timedelta(microseconds=1))
            assert watcher.kinds == "seh"
            await world.clock.advance(timedelta(seconds=60))
            assert watcher.kinds == "sehhhhh"
        heartbeat = watcher.updates[-1]
        assert (heartbeat.sequence, heartbeat.job, heartbeat.logged) == (1, job, None)

    async def test_an_event_begins_the_silence_anew(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with watching(world, job) as watcher:
            await world.clock.advance(timedelta(seconds=10))
            await world.recorder.record(job, IntendSubmit())
            await world.clock.advance(timedelta(seconds=14.9))
            assert watcher.kinds == "see"
            await world.clock.advance(timedelta(seconds=0.1))
            assert watcher.kinds == "seeh"

    async def test_hints_of_nothing_do_not_put_it_off(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with watching(world, job) as watcher:
            for _ in range(15):
                await world.clock.advance(timedelta(seconds=1))
                world.feed.publish(job.job_id)
                await settle()
            await world.clock.advance(timedelta(seconds=1))
            assert watcher.kinds == "seh"

    async def test_a_heartbeat_shows_the_job_as_it_stands(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with watching(world, job, after=1) as watcher:
            grown = await world.recorder.record(job, IntendSubmit())
            await world.clock.advance(timedelta(seconds=15))
        assert watcher.updates[-1].kind is UpdateKind.HEARTBEAT
        assert watcher.updates[-1].job == grown


class TestLostHints:
    async def test_polling_heals_a_lost_hint(self, ada: Customer, world: World) -> None:
        deaf = World(store=world.store, feed=_DeafFeed(world.clock), clock=world.clock)
        job = await world.create(ada)
        async with watching(world, job, watch=deaf.watch) as watcher:
            await world.recorder.record(job, IntendSubmit())
            await world.clock.advance(timedelta(seconds=1.9))
            assert watcher.sequences == [1]
            await world.clock.advance(timedelta(seconds=0.1))
            assert watcher.sequences == [1, 2]
            await cancel_job(world.recorder, ada.caller, job.job_id)
            await world.clock.advance(timedelta(seconds=2))
            assert watcher.sequences == [1, 2, 3]
            assert watcher.is_done


class _DeafFeed(LocalFeed):
    """Loses every hint."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self._other = LocalFeed(clock)

    @contextmanager
    def subscribe(self, job_id: JobId) -> Iterator[Any]:
        with self._other.subscribe(job_id) as hints:
            never: Subscription = hints
            yield never


class TestStopping:
    async def test_every_watch_ends_at_once_after_telling_what_there_is(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with watching(world, job) as one, watching(world, job, after=1) as other:
            await world.recorder.record(job, IntendSubmit())
            world.watch.stop()
            await settle()
            assert (one.kinds, other.kinds) == ("see", "se")
            assert isinstance(one.error, ServerStopping)
            assert isinstance(other.error, ServerStopping)

    async def test_a_new_watch_of_a_stopping_server_tells_what_there_is_and_ends(
        self, world: World, ada: Customer
    ) -> None:
        job = await _processing(world, ada)
        world.watch.stop()
        async with watching(world, job, after=1) as watcher:
            assert (watcher.kinds, watcher.sequences) == ("see", [2, 3])
            assert isinstance(watcher.error, ServerStopping)

    async def test_a_watch_of_an_ended_job_ends_well_even_then(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        await world.run_due()
        world.watch.stop()
        async with watching(world, job) as watcher:
            assert (watcher.is_done, watcher.error) == (True, None)

    async def test_a_watcher_resumes_at_another_server_without_gap_or_repeat(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with watching(world, job) as first:
            await world.recorder.record(job, IntendSubmit())
            await settle()
            world.watch.stop()
        await world.recorder.record_latest(job.job_id, RecordSubmitted(Task(task_id="t")))
        async with watching(world, job, first.updates[-1].sequence, world.another_watch()) as second:
            await cancel_job(world.recorder, ada.caller, job.job_id)
        assert first.sequences + second.sequences == [1, 2, 3, 4]


class TestStoreOutage:
    async def test_a_store_that_cannot_answer_ends_the_watch(self) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        job = await world.create(await world.join())
        async with watching(world, job) as watcher:
            trouble.begin_outage()
            await world.clock.advance(timedelta(seconds=2))
            assert isinstance(watcher.error, StoreUnavailable)


class TestWaitBriefly:
    async def _wait(self, world: World, job: Job, states: set[JobState]) -> Job:
        return await world.watch.wait_briefly(job, lambda each: each.state in states, timedelta(milliseconds=100))

    async def test_it_returns_as_soon_as_it_is_so(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._wait(world, job, {JobState.PROCESSING}))
            await settle()
            assert not waiting.done()
            await world.run_due()
        assert waiting.result().state is JobState.PROCESSING

    async def test_it_returns_at_once_if_it_is_so_already(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        assert await self._wait(world, job, {JobState.PENDING}) == job

    async def test_it_returns_when_the_job_has_ended_otherwise(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._wait(world, job, {JobState.STORING}))
            await settle()
            await cancel_job(world.recorder, ada.caller, job.job_id)
        assert waiting.result().state is JobState.CANCELLED

    async def test_it_returns_the_latest_when_its_time_has_passed(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._wait(world, job, {JobState.PROCESSING}))
            await settle()
            await world.recorder.record(job, IntendSubmit())
            await world.clock.advance(timedelta(milliseconds=99))
            assert not waiting.done()
            await world.clock.advance(timedelta(milliseconds=1))
        assert waiting.result().state is JobState.SUBMITTING

    async def test_without_any_time_it_returns_the_job(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        waited = await world.watch.wait_briefly(job, lambda each: each.is_terminal, timedelta())
        assert waited == job

    async def test_whatever_goes_wrong_the_caller_gets_the_job(self) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        job = await world.create(await world.join())
        trouble.begin_outage()
        assert await self._wait(world, job, {JobState.PROCESSING}) == job
        trouble.end()
        world.watch.stop()
        assert await self._wait(world, job, {JobState.PROCESSING}) == job

    async def test_cancelling_the_caller_is_not_swallowed(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._wait(world, job, {JobState.PROCESSING}))
            await settle()
            waiting.cancel()
        assert waiting.cancelled()


class TestWaitForEnd:
    async def test_it_returns_the_ended_job(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(world.watch.wait_for_end(job))
            await world.clock.advance(timedelta(minutes=5))
            assert not waiting.done()
            await world.run_due()
        assert waiting.result() == await world.load(job)
        assert waiting.result().state is JobState.SUCCEEDED

    async def test_the_jobs_deadline_bounds_it(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(world.watch.wait_for_end(job))
            await world.clock.advance(timedelta(minutes=30))
            await world.run_due()
        assert waiting.result().state is JobState.EXPIRED

    async def test_an_ended_job_is_returned_at_once(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        ended = await cancel_job(world.recorder, ada.caller, job.job_id)
        assert await world.watch.wait_for_end(job) == await world.watch.wait_for_end(ended) == ended

    async def test_a_server_that_stops_says_so(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_outcome(world.watch.wait_for_end(job)))
            await settle()
            world.watch.stop()
        assert isinstance(waiting.result(), ServerStopping)


async def _outcome(waiting: Any) -> Any:
    try:
        return await waiting
    except ServerStopping as error:
        return error
