"""The worker drives what is due, a bounded number at once, and outlives bugs and outages."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.feed.local import LocalFeed
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.errors import StoreUnavailable
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId, ModelId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.provider import RenderOrder, TaskAccepted, TaskState
from tests.domain.builders import a_model, a_route
from tests.support.clock import settle
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.world import LEASE, Customer, World, working


class _Buggy(FakeProvider):
    """Has a bug that one prompt brings out, until it is mended."""

    def __init__(self, name: str) -> None:
        super().__init__(name, is_idempotent=True)
        self.is_mended = False

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        if order.spec.prompt == "bad" and not self.is_mended:
            self.calls.append(("submit", order.job_id))
            message = "division by zero"
            raise ZeroDivisionError(message)
        return await super().submit(order)


class _SlowToRefuse(FakeProvider):
    """Refuses its first order, once it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.gate = asyncio.Event()

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        if self.gate.is_set():
            return await super().submit(order)
        self.calls.append(("submit", order.job_id))
        await self.gate.wait()
        raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE))


class _SlowToClaim(Trouble):
    """Answers claims once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def __call__(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        answer = await super().__call__(name, call)
        if name == "claim":
            await self.gate.wait()
        return answer


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def shaky(trouble: Trouble) -> World:
    """A world whose store can be made to fail."""
    return World(store=interpose(MemoryStore(), trouble))


async def _is_claimable(world: World, owner: str = "other") -> bool:
    now = world.clock.now()
    claimed = await world.store.claim(owner, now=now, lease_until=now, limit=9)
    for job in claimed:
        await world.store.release(job.job_id, owner, due_time=now)
    return bool(claimed)


class TestClaiming:
    async def test_a_new_job_is_driven_without_any_delay(self, world: World, ada: Customer) -> None:
        async with working(world):
            job = await world.create(ada)
            await settle()
            assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_jobs_that_were_there_before_the_worker_are_driven(self, world: World, ada: Customer) -> None:
        jobs = [await world.create(ada) for _ in range(10)]
        async with working(world):
            assert {(await world.load(job)).state for job in jobs} == {JobState.SUCCEEDED}

    async def test_a_job_that_became_due_without_a_hint_waits_a_quarter_of_a_second(
        self, world: World, ada: Customer
    ) -> None:
        elsewhere = World(store=world.store, feed=LocalFeed(world.clock), clock=world.clock, seed=2)
        async with working(world):
            job = await elsewhere.create(ada)
            await world.clock.advance(timedelta(milliseconds=249))
            assert (await world.load(job)).state is JobState.PENDING
            await world.clock.advance(timedelta(milliseconds=1))
            assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_render_is_polled_when_its_time_comes(self, world: World, ada: Customer) -> None:
        world.fal.progress_steps = [10, 50]
        world.fal.poll_after = timedelta(seconds=4)
        async with working(world):
            job = await world.create(ada)
            await world.clock.advance(timedelta(seconds=3.9))
            assert world.fal.call_count("poll") == 1
            await world.clock.advance(timedelta(seconds=4.6))
            assert world.fal.call_count("poll") == 3
            assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_two_workers_drive_each_job_once(self, world: World, ada: Customer) -> None:
        async with working(world, "one"), working(world, "two"):
            jobs = [await world.create(ada) for _ in range(20)]
            await settle()
        assert {(await world.load(job)).state for job in jobs} == {JobState.SUCCEEDED}
        assert world.fal.call_count("submit") == 20


class TestConcurrency:
    async def test_no_more_jobs_than_allowed_are_driven_at_once(self, world: World, ada: Customer) -> None:
        world.fal.submit_gate.clear()
        worker = world.worker(concurrency=3)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            jobs = [await world.create(ada) for _ in range(10)]
            await world.clock.advance(timedelta(seconds=5))
            assert world.fal.call_count("submit") == 3
            world.fal.submit_gate.set()
            await settle()
            assert {(await world.load(job)).state for job in jobs} == {JobState.SUCCEEDED}
            worker.stop()

    async def test_a_job_that_waits_for_its_render_takes_no_place(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        worker = world.worker(concurrency=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            jobs = [await world.create(ada) for _ in range(5)]
            await settle()
            assert {(await world.load(job)).state for job in jobs} == {JobState.PROCESSING}
            worker.stop()


class TestCrowding:
    async def test_no_provider_takes_more_than_its_places_while_the_others_go_on(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.submit_gate.clear()
        worker = world.worker(concurrency=8, provider_concurrency=2)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            crowd = [await world.create(ada) for _ in range(9)]
            await settle()
            others = [await world.create(ada, model="google/veo-3") for _ in range(5)]
            await world.clock.advance(timedelta(seconds=10))
            assert world.fal.call_count("submit") == 2
            assert {(await world.load(job)).state for job in others} == {JobState.SUCCEEDED}
            world.fal.submit_gate.set()
            await settle()
            assert {(await world.load(job)).state for job in crowd} == {JobState.SUCCEEDED}
            worker.stop()
        assert world.metrics.drives_max == {"fal": 2, "vertex": 2}
        assert (world.fal.call_count("submit"), world.vertex.call_count("submit")) == (9, 5)

    async def test_the_first_to_come_is_the_first_to_get_a_place(self, world: World, ada: Customer) -> None:
        world.fal.first_poll_after = timedelta(minutes=1)
        world.fal.submit_gate.clear()
        worker = world.worker(concurrency=8, provider_concurrency=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            jobs = []
            for _ in range(5):
                jobs.append(await world.create(ada))
                await world.clock.advance(timedelta(seconds=3))
            world.fal.submit_gate.set()
            await settle()
            assert [job_id for _, job_id in world.fal.calls] == [job.job_id for job in jobs]
            worker.stop()

    async def test_jobs_that_wait_for_a_place_cost_no_writes_and_the_store_is_asked_four_times_a_second(
        self, shaky: World, trouble: Trouble
    ) -> None:
        ada = await shaky.join()
        shaky.fal.submit_gate.clear()
        worker = shaky.worker(concurrency=8, provider_concurrency=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            jobs = [await shaky.create(ada) for _ in range(6)]
            await settle()
            before = Counter(trouble.calls)
            await shaky.clock.advance(timedelta(seconds=60))
            assert Counter(trouble.calls) - before == {"claim": 240, "lag": 12, "renew": 18}
            states = [(await shaky.load(job)).state for job in jobs]
            assert (states.count(JobState.SUBMITTING), states.count(JobState.PENDING)) == (1, 5)
            shaky.fal.submit_gate.set()
            worker.stop()

    async def test_the_lag_includes_jobs_that_wait_for_a_place_of_their_provider(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.submit_gate.clear()
        worker = world.worker(concurrency=8, provider_concurrency=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            for _ in range(2):
                await world.create(ada)
                await settle()
            await world.clock.advance(timedelta(seconds=60))
            assert world.metrics.lag == timedelta(seconds=60)
            world.fal.submit_gate.set()
            await world.clock.advance(timedelta(seconds=5))
            assert world.metrics.lag == timedelta()
            worker.stop()

    async def test_a_job_that_moves_on_waits_for_a_place_of_its_next_provider(self) -> None:
        first = a_route(provider=ProviderName("vertex"), text_endpoint="veo", image_endpoint="veo")
        two_routes = a_model(model_id=ModelId("two/routes"), routes=(first, a_route()))
        fal_alone = a_model(model_id=ModelId("fal/alone"), routes=(a_route(),))
        world = World(catalogue=Catalogue([two_routes, fal_alone]))
        ada = await world.join()
        world.fal.submit_gate.clear()
        worker = world.worker(concurrency=8, provider_concurrency=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            await world.create(ada, model="fal/alone")
            await settle()
            world.vertex.submit_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
            moved = await world.create(ada, model="two/routes")
            await settle()
            next_one = await world.create(ada, model="two/routes")
            await settle()
            assert ((await world.load(moved)).provider, world.fal.call_count("submit")) == ("fal", 1)
            assert (await world.load(next_one)).state is JobState.SUCCEEDED
            world.fal.submit_gate.set()
            await settle()
            assert (await world.load(moved)).state is JobState.SUCCEEDED
            worker.stop()
        assert world.metrics.drives_max == {"fal": 1, "vertex": 1}


class TestMeasurements:
    async def test_the_lag_is_measured_every_five_seconds(self, world: World, ada: Customer) -> None:
        world.fal.submit_gate.clear()
        worker = world.worker(concurrency=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            await settle()
            assert world.metrics.lag == timedelta()
            await world.create(ada)
            await settle()
            await world.create(ada)
            await world.clock.advance(timedelta(seconds=9.9))
            assert world.metrics.lag == timedelta(seconds=5)
            await world.clock.advance(timedelta(seconds=0.1))
            assert world.metrics.lag == timedelta(seconds=10)
            world.fal.submit_gate.set()
            await world.clock.advance(timedelta(seconds=5))
            assert world.metrics.lag == timedelta()
            worker.stop()

    async def test_a_lag_of_half_a_minute_is_logged(self, world: World, ada: Customer, logs: list[Any]) -> None:
        world.fal.submit_gate.clear()
        worker = world.worker(concurrency=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            await world.create(ada)
            await settle()
            await world.create(ada)
            await world.clock.advance(timedelta(seconds=29.9))
            assert "jobs wait for a driver" not in [entry["event"] for entry in logs]
            await world.clock.advance(timedelta(seconds=5))
            world.fal.submit_gate.set()
            worker.stop()
        (entry,) = [entry for entry in logs if entry["event"] == "jobs wait for a driver"]
        assert (entry["lag_s"], entry["drives"], entry["log_level"]) == (30.0, 1, "warning")

    @pytest.mark.parametrize("error", [StoreUnavailable(), ZeroDivisionError("a bug")])
    async def test_a_lag_that_cannot_be_measured_is_outlived(
        self, *, shaky: World, trouble: Trouble, logs: list[Any], error: Exception
    ) -> None:
        ada = await shaky.join()
        trouble.by_method["lag"] = error
        async with working(shaky):
            job = await shaky.create(ada)
            await settle()
            assert (await shaky.load(job)).state is JobState.SUCCEEDED
            trouble.end()
            await shaky.clock.advance(timedelta(seconds=5))
            assert shaky.metrics.lag == timedelta()
        assert [entry["event"] for entry in logs].count("lag not measured") == 1

    async def test_the_drives_of_each_provider_are_measured(self, world: World, ada: Customer) -> None:
        world.fal.submit_gate.clear()
        async with working(world):
            for model in ("fal/kling-2", "fal/kling-2", "google/veo-3"):
                await world.create(ada, model=model)
            await settle()
            assert world.metrics.drives == {"fal": 2, "vertex": 0}
            world.fal.submit_gate.set()
            await settle()
            assert world.metrics.drives == {"fal": 0, "vertex": 0}

    async def test_every_call_is_counted_with_how_it_went(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.THROTTLED)]
        world.fal.open_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
        world.media.put_fault_count = 1
        async with working(world):
            await world.create(ada)
            await world.clock.advance(timedelta(minutes=1))
        assert world.metrics.calls == {
            ("fal", "submit", "throttled"): 1,
            ("fal", "submit", "ok"): 1,
            ("fal", "poll", "ok"): 1,
            ("fal", "copy", "unavailable"): 1,
            ("fal", "copy", "storage"): 1,
            ("fal", "copy", "ok"): 1,
        }


class TestBugs:
    async def test_a_bug_in_one_drive_does_not_stop_the_others_and_the_job_is_tried_again(
        self, logs: list[Any]
    ) -> None:
        provider = _Buggy("fal")
        world = World(providers=[provider])
        ada = await world.join()
        async with working(world):
            bad = await world.create(ada, prompt="bad")
            good = [await world.create(ada) for _ in range(5)]
            await settle()
            assert {(await world.load(job)).state for job in good} == {JobState.SUCCEEDED}
            assert (await world.load(bad)).state is JobState.SUBMITTING
            provider.is_mended = True
            await world.clock.advance(timedelta(seconds=29.9))
            assert (await world.load(bad)).state is JobState.SUBMITTING
            await world.clock.advance(timedelta(seconds=0.5))
            assert (await world.load(bad)).state is JobState.SUCCEEDED
        (entry,) = [entry for entry in logs if entry["event"] == "drive failed"]
        assert (entry["job"], entry["log_level"], entry["exc_info"]) == (bad.job_id, "error", True)

    async def test_a_bug_that_stays_ends_with_the_deadline(self) -> None:
        world = World(providers=[_Buggy("fal")])
        ada = await world.join()
        async with working(world):
            bad = await world.create(ada, prompt="bad")
            await world.clock.advance(timedelta(minutes=30, seconds=31))
            assert (await world.load(bad)).state is JobState.EXPIRED
        assert await world.ledger(ada) == ["credit", "hold", "void"]
        assert world.fal.calls == []


async def _interrupt(world: World, trouble: Trouble, customer: Customer) -> Job:
    """Let an outage begin while a drive waits for its provider; the provider takes the task."""
    world.local.submit_gate.clear()
    job = await world.create(customer, model="local/storyboard")
    await settle()
    assert world.local.call_count("submit") == 1
    trouble.begin_outage()
    world.local.submit_gate.set()
    await settle()
    return job


class TestAcceptedTasks:
    @pytest.mark.parametrize("is_made", [False, True])
    async def test_an_accepted_task_is_recorded_when_the_store_answers_again(
        self, shaky: World, trouble: Trouble, *, is_made: bool
    ) -> None:
        ada = await shaky.join()
        shaky.fal.submit_gate.clear()
        async with working(shaky):
            job = await shaky.create(ada)
            await settle()
            if is_made:
                trouble.after_method["append"] = StoreUnavailable()
            else:
                trouble.by_method["append"] = StoreUnavailable()
            shaky.fal.submit_gate.set()
            await settle()
            await shaky.clock.advance(timedelta(seconds=30))
            trouble.end()
            await shaky.clock.advance(timedelta(seconds=2))
            assert (await shaky.load(job)).state is JobState.SUCCEEDED
        assert [name for name, _ in shaky.fal.calls].count("submit") == 1
        assert "cancel" not in [name for name, _ in shaky.fal.calls]


class TestStandstill:
    async def test_a_job_whose_lease_ran_out_while_the_machine_slept_is_driven_once(self, world: World) -> None:
        ada = await world.join()
        world.fal.submit_gate.clear()
        async with working(world):
            job = await world.create(ada)
            await settle()
            # The clock jumps past the lease before any renewal, as it does when a lid is opened.
            world.clock.jump(timedelta(minutes=5))
            await world.clock.advance(timedelta(seconds=1))
            world.fal.submit_gate.set()
            await settle()
            assert (await world.load(job)).state is JobState.SUCCEEDED
        assert [name for name, _ in world.fal.calls].count("submit") == 1


class TestOutages:
    async def test_claiming_goes_on_when_the_store_answers_again(
        self, shaky: World, trouble: Trouble, logs: list[Any]
    ) -> None:
        ada = await shaky.join()
        job = await shaky.create(ada)
        trouble.begin_outage()
        async with working(shaky):
            await shaky.clock.advance(timedelta(seconds=10))
            # At its own pace, not as fast as it can.
            assert 5 <= trouble.calls.count("claim") <= 12
            trouble.end()
            await shaky.clock.advance(timedelta(seconds=2))
            assert (await shaky.load(job)).state is JobState.SUCCEEDED
        assert any(entry["event"] == "claim failed" for entry in logs)

    async def test_a_drive_that_the_store_broke_off_is_given_back_and_goes_on_soon(
        self, shaky: World, trouble: Trouble
    ) -> None:
        ada = await shaky.join()
        async with working(shaky):
            trouble.by_method["append"] = StoreUnavailable()
            job = await shaky.create(ada)
            await settle()
            trouble.end()
            await shaky.clock.advance(timedelta(seconds=0.9))
            assert (await shaky.load(job)).state is JobState.PENDING
            await shaky.clock.advance(timedelta(seconds=0.5))
            assert (await shaky.load(job)).state is JobState.SUCCEEDED
        assert await shaky.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_job_is_given_back_when_the_store_answers_again(self, shaky: World, trouble: Trouble) -> None:
        ada = await shaky.join()
        async with working(shaky):
            job = await _interrupt(shaky, trouble, ada)
            await shaky.clock.advance(timedelta(minutes=2))
            trouble.end()
            # A claim during the outage may have taken it; at the latest it is due when that lease has run out.
            await shaky.clock.advance(timedelta(seconds=12))
            assert (await shaky.load(job)).state is JobState.SUCCEEDED

    async def test_a_bug_of_the_store_ends_neither_the_worker_nor_the_job(
        self, shaky: World, trouble: Trouble, logs: list[Any]
    ) -> None:
        ada = await shaky.join()
        async with working(shaky):
            job = await shaky.create(ada)
            for method in ("append", "release", "renew", "lag"):
                trouble.by_method[method] = ZeroDivisionError("a bug")
            await shaky.clock.advance(timedelta(seconds=5))
            trouble.by_method["claim"] = ZeroDivisionError("a bug")
            await shaky.clock.advance(timedelta(seconds=5))
            trouble.end()
            # Nobody renews the lease of a job that could not be given back.
            await shaky.clock.advance(LEASE)
            assert (await shaky.load(job)).state is JobState.SUCCEEDED
        events = {entry["event"] for entry in logs}
        assert events >= {"drive failed", "job not given back", "lag not measured", "claim failed"}

    async def test_an_outage_while_leases_are_renewed_is_outlived(
        self, shaky: World, trouble: Trouble, logs: list[Any]
    ) -> None:
        ada = await shaky.join()
        shaky.fal.submit_gate.clear()
        async with working(shaky):
            job = await shaky.create(ada)
            await settle()
            trouble.by_method["renew"] = StoreUnavailable()
            await shaky.clock.advance(timedelta(seconds=4))
            trouble.end()
            await shaky.clock.advance(timedelta(seconds=20))
            assert not await _is_claimable(shaky)
            shaky.fal.submit_gate.set()
            await settle()
            assert (await shaky.load(job)).state is JobState.SUCCEEDED
        assert [entry["event"] for entry in logs].count("lease renewal failed") == 1


class TestLeases:
    async def test_a_lease_is_renewed_as_long_as_the_drive_lasts(self, world: World, ada: Customer) -> None:
        world.fal.submit_gate.clear()
        async with working(world):
            await world.create(ada)
            for _ in range(10):
                await world.clock.advance(timedelta(seconds=9))
                assert not await _is_claimable(world)
            world.fal.submit_gate.set()
        assert world.fal.call_count("submit") == 1

    async def test_another_worker_takes_over_when_a_dead_ones_lease_has_run_out(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.create(ada, model="local/storyboard")
        world.local.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            dying = group.create_task(world.worker("dying").run())
            await settle()
            dying.cancel()
        world.local.submit_gate.set()
        async with working(world, "heir"):
            await world.clock.advance(timedelta(seconds=9.5))
            assert (await world.load(job)).state is JobState.SUBMITTING
            await world.clock.advance(timedelta(seconds=1))
            assert (await world.load(job)).state is JobState.SUCCEEDED
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_claim_whose_answer_was_lost_is_made_anew_when_its_lease_has_run_out(
        self, shaky: World, trouble: Trouble
    ) -> None:
        ada = await shaky.join()
        shaky.fal.submit_gate.clear()
        async with working(shaky):
            # A drive that lasts, so that there is a lease to renew.
            await shaky.create(ada)
            await settle()
            trouble.after_method["claim"] = StoreUnavailable()
            job = await shaky.create(ada, model="local/storyboard")
            await shaky.clock.advance(timedelta(seconds=5))
            assert (await shaky.load(job)).state is JobState.PENDING
            shaky.fal.submit_gate.set()
            await shaky.clock.advance(timedelta(seconds=11))
            assert (await shaky.load(job)).state is JobState.SUCCEEDED

    async def test_a_second_lease_on_a_job_under_way_runs_out_though_others_of_its_claim_are_driven(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.submit_gate.clear()
        world.vertex.submit_gate.clear()
        async with working(world):
            job = await world.create(ada)
            await settle()
            # Its lease runs out before any renewal; the next claim takes it once more, with another that lasts.
            world.clock.jump(timedelta(minutes=1))
            await world.create(ada, model="google/veo-3")
            await settle()
            world.fal.submit_gate.set()
            world.fal.first_poll_after = timedelta(seconds=1)
            await settle()
            assert (await world.load(job)).state is JobState.PROCESSING
            await world.clock.advance(LEASE)
            assert (await world.load(job)).state is JobState.SUCCEEDED
            world.vertex.submit_gate.set()

    async def test_an_idle_worker_renews_nothing(self, shaky: World, trouble: Trouble) -> None:
        async with working(shaky):
            await shaky.clock.advance(timedelta(minutes=1))
        assert "renew" not in trouble.calls


class TestStopping:
    async def test_an_idle_worker_stops_at_once(self, world: World) -> None:
        async with working(world):
            await world.clock.advance(timedelta(seconds=1))
        assert world.clock.alarm_count == 0

    async def test_a_worker_that_was_told_before_it_began_claims_nothing(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        worker = world.worker()
        worker.stop()
        await worker.run()
        assert (await world.load(job)).state is JobState.PENDING

    async def test_the_steps_under_way_are_finished_and_no_more_jobs_are_claimed(
        self, world: World, ada: Customer
    ) -> None:
        at_hand = await world.create(ada)
        world.fal.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            worker = world.worker()
            running = group.create_task(worker.run())
            await settle()
            worker.stop()
            late = await world.create(ada)
            await world.clock.advance(timedelta(seconds=5))
            assert not running.done()
            world.fal.submit_gate.set()
        assert await world.history(at_hand.job_id) == ["Created", "SubmitIntended", "Submitted"]
        assert (await world.load(late)).state is JobState.PENDING
        await world.run_due("heir")
        assert {(await world.load(job)).state for job in (at_hand, late)} == {JobState.SUCCEEDED}

    async def test_a_job_that_may_be_sent_to_the_next_provider_is_given_back_instead(self) -> None:
        first = a_route(provider=ProviderName("vertex"), text_endpoint="veo", image_endpoint="veo")
        slow = _SlowToRefuse("vertex")
        fal = FakeProvider("fal")
        model = a_model(model_id=ModelId("two/routes"), routes=(first, a_route()))
        world = World(providers=[slow, fal], catalogue=Catalogue([model]))
        ada = await world.join()
        async with asyncio.TaskGroup() as group:
            worker = world.worker()
            group.create_task(worker.run())
            job = await world.create(ada, model="two/routes")
            await settle()
            worker.stop()
            slow.gate.set()
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitRefused"]
        assert fal.calls == []
        await world.run_due("heir")
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_claim_that_is_answered_after_the_stop_is_undone(self) -> None:
        slow = _SlowToClaim()
        world = World(store=interpose(MemoryStore(), slow))
        ada = await world.join()
        worker = world.worker()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run())
            jobs = [await world.create(ada) for _ in range(3)]
            await world.clock.advance(timedelta(seconds=7))
            worker.stop()
            await settle()
            assert not running.done()
            slow.gate.set()
        assert world.fal.calls == []
        assert await world.store.lag(world.clock.now()) == timedelta(seconds=7)
        await world.run_due("heir")
        assert {(await world.load(job)).state for job in jobs} == {JobState.SUCCEEDED}

    @pytest.mark.parametrize("error", [StoreUnavailable(), ZeroDivisionError("a bug")])
    async def test_a_claim_that_cannot_be_undone_is_left_to_its_lease(self, logs: list[Any], error: Exception) -> None:
        slow = _SlowToClaim()
        slow.by_method["undo_claim"] = error
        world = World(store=interpose(MemoryStore(), slow))
        ada = await world.join()
        job = await world.create(ada)
        worker = world.worker()
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            await settle()
            worker.stop()
            slow.gate.set()
        assert [entry["job"] for entry in logs if entry["event"] == "claim not undone"] == [job.job_id]
        assert not await _is_claimable(world)
        await world.clock.advance(LEASE)
        await world.run_due("heir")
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_worker_whose_places_are_all_taken_stops_too(self, world: World, ada: Customer) -> None:
        jobs = [await world.create(ada) for _ in range(4)]
        world.fal.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            worker = world.worker(concurrency=2)
            group.create_task(worker.run())
            await settle()
            worker.stop()
            world.fal.submit_gate.set()
        states = [(await world.load(job)).state for job in jobs]
        assert states.count(JobState.PROCESSING) == 2
        assert states.count(JobState.PENDING) == 2

    async def test_a_stopped_workers_jobs_can_be_taken_over_at_once(self, world: World, ada: Customer) -> None:
        world.fal.progress_steps = [50]
        world.fal.poll_after = timedelta(seconds=1)
        async with working(world, "one"):
            job = await world.create(ada)
            await settle()
        await world.clock.advance(timedelta(seconds=1))
        async with working(world, "two"):
            assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_worker_that_stops_during_an_outage_leaves_its_leases_to_run_out(
        self, shaky: World, trouble: Trouble
    ) -> None:
        ada = await shaky.join()
        async with asyncio.TaskGroup() as group:
            worker = shaky.worker()
            group.create_task(worker.run())
            await settle()
            job = await _interrupt(shaky, trouble, ada)
            await shaky.clock.advance(timedelta(seconds=5))
            worker.stop()
            # It gives up on recording the accepted task after a minute of outage.
            await shaky.clock.advance(timedelta(seconds=60))
        trouble.end()
        assert (await shaky.load(job)).state is JobState.SUBMITTING
        await shaky.run_due("other")
        assert (await shaky.load(job)).state is JobState.SUCCEEDED


class _Slow(FakeProvider):
    """Thinks about polls and copies until it is let."""

    def __init__(self) -> None:
        super().__init__("fal")
        self.gates = {"poll": asyncio.Event(), "open": asyncio.Event()}

    def let(self, *methods: str) -> None:
        for method in methods:
            self.gates[method].set()

    async def poll(self, task: Task) -> TaskState:
        await self.gates["poll"].wait()
        return await super().poll(task)

    async def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        await self.gates["open"].wait()
        async for chunk in super().open(task, source_url):
            yield chunk


class TestAbandoning:
    @pytest.mark.parametrize("let", [(), ("poll",)])
    async def test_a_look_or_a_copy_is_interrupted_and_made_again_by_another(self, *, let: tuple[str, ...]) -> None:
        slow = _Slow()
        world = World(providers=[slow])
        ada = await world.join()
        slow.let(*let)
        worker = world.worker()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run())
            job = await world.create(ada)
            await settle()
            worker.stop()
            await settle()
            assert not running.done()
            worker.abandon()
            await settle()
            assert running.done()
        assert (await world.load(job)).state is (JobState.STORING if let else JobState.PROCESSING)
        assert not await _is_claimable(world)
        slow.let("poll", "open")
        await world.clock.advance(LEASE)
        async with working(world, "heir"):
            assert (await world.load(job)).state is JobState.SUCCEEDED
        assert slow.call_count("submit") == 1
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_submit_under_way_is_not_and_its_task_is_recorded(self, world: World, ada: Customer) -> None:
        world.fal.submit_gate.clear()
        world.fal.is_held = True
        worker = world.worker()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run())
            job = await world.create(ada)
            await settle()
            worker.stop()
            worker.abandon()
            await settle()
            assert not running.done()
            world.fal.submit_gate.set()
            await settle()
            assert running.done()
        job = await world.load(job)
        assert (job.state, job.task and job.task.task_id) == (JobState.PROCESSING, "fal-task-1")
        world.fal.finish_all()
        await world.clock.advance(timedelta(minutes=2))
        async with working(world, "heir"):
            assert (await world.load(job)).state is JobState.SUCCEEDED
        assert world.fal.call_count("submit") == 1

    async def test_a_task_that_the_store_cannot_record_yet_is_waited_for_too(
        self, shaky: World, trouble: Trouble
    ) -> None:
        ada = await shaky.join()
        worker = shaky.worker()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run())
            await settle()
            job = await _interrupt(shaky, trouble, ada)
            worker.stop()
            worker.abandon()
            await shaky.clock.advance(timedelta(seconds=10))
            assert not running.done()
            shaky.local.is_held = True
            trouble.end()
            await shaky.clock.advance(timedelta(seconds=1))
        assert (await shaky.load(job)).task is not None
        assert shaky.local.call_count("submit") == 1

    async def test_a_submit_whose_intent_is_being_recorded_is_not_interrupted(self) -> None:
        gate = asyncio.Event()

        async def around(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            answer = await call()
            if name == "append":
                await gate.wait()
            return answer

        world = World(store=interpose(MemoryStore(), around))
        ada = await world.join()
        worker = world.worker()
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            job = await world.create(ada)
            await settle()
            assert await world.history(job.job_id) == ["Created", "SubmitIntended"]
            assert world.fal.calls == []
            worker.stop()
            worker.abandon()
            gate.set()
        assert (await world.load(job)).state is JobState.PROCESSING

    async def test_other_drives_are_interrupted_meanwhile(self) -> None:
        slow, vertex = _Slow(), FakeProvider("vertex")
        world = World(providers=[slow, vertex])
        ada = await world.join()
        vertex.submit_gate.clear()
        worker = world.worker()
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            looked_at, submitted = await world.create(ada), await world.create(ada, model="google/veo-3")
            await settle()
            worker.stop()
            worker.abandon()
            await settle()
            assert world.metrics.drives == {"fal": 0, "vertex": 1}
            vertex.submit_gate.set()
        assert [(await world.load(job)).state for job in (looked_at, submitted)] == [JobState.PROCESSING] * 2


class TestCancelledJobs:
    async def test_a_cancelled_job_is_stopped_upstream_by_whoever_works(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        async with working(world):
            job = await world.create(ada)
            await settle()
            await cancel_job(world.recorder, ada.caller, JobId(job.job_id))
            await settle()
        assert [name for name, _ in world.fal.calls] == ["submit", "poll", "cancel"]
