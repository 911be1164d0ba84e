"""Cancel: the job ends at once, its hold is released once, and the provider is told."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.domain.decide import IntendSubmit, RecordAnnounced, RecordRendered, RecordSubmitted
from reelgate_server.domain.errors import JobNotCancellable, JobNotFound
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.provider import TaskState
from tests.support.clock import settle
from tests.support.fake_provider import FakeProvider
from tests.support.world import Customer, World, working


async def _job_in(world: World, customer: Customer, state: JobState) -> Job:
    """A job that its driver left in `state`."""
    job = await world.create(customer)
    match state:
        case JobState.PENDING:
            return job
        case JobState.SUBMITTING:
            return await world.recorder.record(job, IntendSubmit())
        case JobState.PROCESSING:
            world.fal.is_held = True
        case JobState.STORING:
            world.media.put_fault_count = 1
        case JobState.FAILED:
            world.fal.submit_faults = [Fault(kind=FaultKind.REJECTED)]
        case JobState.EXPIRED:
            await world.clock.advance(timedelta(minutes=30))
        case JobState.CANCELLED:
            await cancel_job(world.recorder, customer.caller, job.job_id)
        case _:
            pass
    await world.run_due()
    job = await world.load(job)
    assert job.state is state
    return job


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.SUBMITTING, JobState.PROCESSING])
async def test_a_job_that_is_not_yet_rendered_ends_at_once_and_costs_nothing(
    world: World, ada: Customer, state: JobState
) -> None:
    job = await _job_in(world, ada, state)
    cancelled = await cancel_job(world.recorder, ada.caller, job.job_id)
    assert cancelled.state is JobState.CANCELLED
    assert cancelled == await world.load(job)
    assert await world.ledger(ada) == ["credit", "hold", "void"]
    assert await world.money(ada) == (10_000_000, 0)


@pytest.mark.parametrize("state", [JobState.STORING, JobState.SUCCEEDED, JobState.FAILED, JobState.EXPIRED])
async def test_a_job_that_is_rendered_or_ended_is_left_as_it_is(world: World, ada: Customer, state: JobState) -> None:
    job = await _job_in(world, ada, state)
    ledger = await world.ledger(ada)
    with pytest.raises(JobNotCancellable) as raised:
        await cancel_job(world.recorder, ada.caller, job.job_id)
    assert (raised.value.job_id, raised.value.state) == (job.job_id, state)
    assert await world.load(job) == job
    assert await world.ledger(ada) == ledger


async def test_cancelling_again_answers_with_the_cancelled_job(world: World, ada: Customer) -> None:
    job = await _job_in(world, ada, JobState.CANCELLED)
    assert await cancel_job(world.recorder, ada.caller, job.job_id) == job
    assert await world.ledger(ada) == ["credit", "hold", "void"]


async def test_a_strangers_job_is_not_found(world: World, ada: Customer, bob: Customer) -> None:
    job = await world.create(ada)
    with pytest.raises(JobNotFound):
        await cancel_job(world.recorder, bob.caller, job.job_id)
    assert (await world.load(job)).state is JobState.PENDING


async def test_the_provider_is_told_once(world: World, ada: Customer) -> None:
    job = await _job_in(world, ada, JobState.PROCESSING)
    await cancel_job(world.recorder, ada.caller, job.job_id)
    for _ in range(3):
        await world.clock.advance(timedelta(minutes=1))
        await world.run_due()
    assert [call for call in world.fal.calls if call[0] == "cancel"] == [("cancel", "fal-task-1")]


@pytest.mark.parametrize(
    ("can_cancel", "end"), [(True, "told to stop"), (False, "cannot be stopped; its result is discarded")]
)
async def test_the_log_says_whether_the_provider_was_told(
    *, world: World, ada: Customer, logs: list[Any], can_cancel: bool, end: str
) -> None:
    world.fal.can_cancel = can_cancel
    job = await _job_in(world, ada, JobState.PROCESSING)
    await cancel_job(world.recorder, ada.caller, job.job_id)
    await world.run_due()
    assert [entry for entry in logs if entry["event"] == "unwanted task"] == [
        {
            "event": "unwanted task",
            "job": job.job_id,
            "provider": "fal",
            "task": "fal-task-1",
            "end": end,
            "log_level": "info",
        }
    ]


async def test_the_late_result_of_a_task_that_cannot_be_stopped_is_discarded(world: World, ada: Customer) -> None:
    world.fal.can_cancel = False
    job = await _job_in(world, ada, JobState.PROCESSING)
    cancelled = await cancel_job(world.recorder, ada.caller, job.job_id)
    await world.run_due()
    world.fal.finish_all()
    await world.recorder.record_latest(job.job_id, RecordAnnounced("fal-task-1"))
    for _ in range(5):
        await world.clock.advance(timedelta(minutes=10))
        await world.run_due()
    assert await world.load(job) == cancelled
    assert [name for name, _ in world.fal.calls] == ["submit", "poll", "cancel"]
    assert world.media.files == {}
    assert await world.ledger(ada) == ["credit", "hold", "void"]


async def test_a_provider_that_cannot_be_told_changes_nothing(world: World, ada: Customer) -> None:
    job = await _job_in(world, ada, JobState.PROCESSING)
    world.fal.cancel_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
    cancelled = await cancel_job(world.recorder, ada.caller, job.job_id)
    await world.run_due()
    assert await world.load(job) == cancelled


async def test_nobody_is_told_of_a_task_that_was_never_made(world: World, ada: Customer) -> None:
    job = await _job_in(world, ada, JobState.PENDING)
    await cancel_job(world.recorder, ada.caller, job.job_id)
    await world.run_due()
    assert world.fal.calls == []


async def test_a_running_worker_tells_the_provider_without_waiting_for_its_next_poll(
    world: World, ada: Customer
) -> None:
    world.fal.is_held = True
    async with working(world):
        job = await world.create(ada)
        await settle()
        assert (await world.load(job)).state is JobState.PROCESSING
        await cancel_job(world.recorder, ada.caller, job.job_id)
        await settle()
        assert world.fal.calls[-1] == ("cancel", "fal-task-1")


async def test_a_cancel_during_a_poll_is_not_put_off_until_the_next(world: World, ada: Customer) -> None:
    gate = asyncio.Event()

    class Slow(FakeProvider):
        """Thinks about a poll until it is let."""

        async def poll(self, task: Task) -> TaskState:
            await gate.wait()
            return await super().poll(task)

    slow = Slow("fal", is_held=True, poll_after=timedelta(minutes=20))
    world = World(store=world.store, clock=world.clock, providers=[slow])
    async with working(world):
        job = await world.create(ada)
        await settle()
        await cancel_job(world.recorder, ada.caller, job.job_id)
        gate.set()
        await world.clock.advance(timedelta(seconds=1))
        assert [name for name, _ in slow.calls] == ["submit", "poll", "cancel"]


async def test_a_cancel_during_the_submit_stops_the_task_that_comes_of_it(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    world.fal.is_held = True
    world.fal.submit_gate.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(world.run_due())
        await settle()
        assert (await world.load(job)).state is JobState.SUBMITTING
        await cancel_job(world.recorder, ada.caller, job.job_id)
        world.fal.submit_gate.set()
    assert (await world.load(job)).state is JobState.CANCELLED
    assert [name for name, _ in world.fal.calls] == ["submit", "cancel"]
    assert await world.ledger(ada) == ["credit", "hold", "void"]


async def test_a_cancel_during_a_submit_that_fails_changes_nothing_more(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    world.fal.submit_faults = [Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)]
    world.fal.submit_gate.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(world.run_due())
        await settle()
        await cancel_job(world.recorder, ada.caller, job.job_id)
        world.fal.submit_gate.set()
    assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Cancelled"]


async def test_of_a_cancel_and_a_driver_at_the_same_moment_one_wins_and_the_other_gives_way(
    world: World, ada: Customer
) -> None:
    job = await _job_in(world, ada, JobState.PROCESSING)
    # The driver read the job, then the customer cancelled it, then the driver acts.
    await cancel_job(world.recorder, ada.caller, job.job_id)
    world.fal.tasks["fal-task-1"].progress_steps = [50]
    await world.drive(job, "driver")
    assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Submitted", "Cancelled"]
    assert world.fal.calls[-1] == ("cancel", "fal-task-1")
    # The other way round: the driver was first.
    other = await world.create(ada)
    other = await world.recorder.record(await world.recorder.record(other, IntendSubmit()), RecordSubmitted(_task()))
    await world.recorder.record(other, RecordRendered("https://fake.test/videos/fal-task-1.mp4"))
    with pytest.raises(JobNotCancellable):
        await cancel_job(world.recorder, ada.caller, other.job_id)


async def test_many_cancels_at_once_release_the_hold_once(world: World, ada: Customer) -> None:
    job = await _job_in(world, ada, JobState.PROCESSING)
    cancelled = await asyncio.gather(*(cancel_job(world.recorder, ada.caller, job.job_id) for _ in range(10)))
    assert {each.state for each in cancelled} == {JobState.CANCELLED}
    assert await world.ledger(ada) == ["credit", "hold", "void"]


def _task() -> Task:
    return Task(task_id="fal-task-1")
