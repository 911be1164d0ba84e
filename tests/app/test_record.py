"""Deciding, appending and telling in one step, with the money that goes with it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.record import Recorder
from reelgate_server.domain.decide import Cancel, Expire, IntendSubmit, RecordProgress, RecordSubmitted
from reelgate_server.domain.errors import JobNotCancellable, JobNotFound, StoreContended
from reelgate_server.domain.events import Task
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.store import SequenceConflict
from tests.support.interpose import interpose
from tests.support.world import Customer, World


async def test_a_command_without_events_writes_nothing_and_tells_nobody(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    with world.feed.subscribe(job.job_id) as hints:
        assert await world.recorder.record(job, Expire()) is job
        assert not await hints.wait(timedelta())
    assert await world.history(job.job_id) == ["Created"]


async def test_watchers_are_told(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    with world.feed.subscribe(job.job_id) as hints:
        await world.recorder.record(job, IntendSubmit())
        assert await hints.wait(timedelta())


async def test_an_end_settles_the_job_in_the_same_step(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    assert (await world.recorder.record(job, Cancel())).state is JobState.CANCELLED
    assert await world.ledger(ada) == ["credit", "hold", "void"]


async def test_a_job_that_grew_meanwhile_is_a_conflict_and_nothing_is_changed(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    await world.recorder.record(job, IntendSubmit())
    with pytest.raises(SequenceConflict):
        await world.recorder.record(job, Cancel())
    assert await world.history(job.job_id) == ["Created", "SubmitIntended"]
    assert await world.ledger(ada) == ["credit", "hold"]


async def test_a_refusal_changes_nothing(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    await world.run_due()
    with pytest.raises(JobNotCancellable):
        await world.recorder.record(await world.load(job), Cancel())
    assert await world.ledger(ada) == ["credit", "hold", "post"]


async def test_an_ended_job_is_due_only_if_its_task_may_still_run(world: World, ada: Customer) -> None:
    unsent, running = await world.create(ada), await world.create(ada)
    sent = await world.recorder.record(await world.recorder.record(running, IntendSubmit()), RecordSubmitted(_task()))
    await world.recorder.record(unsent, Cancel())
    await world.recorder.record(sent, Cancel())
    now = world.clock.now()
    due = await world.store.claim("one", now=now, lease_until=now, limit=9)
    assert [job.job_id for job in due] == [running.job_id]


async def test_recording_on_the_latest_decides_anew_after_each_conflict(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    job = await world.recorder.record(await world.recorder.record(job, IntendSubmit()), RecordSubmitted(_task()))
    progress = iter(range(10, 80, 10))

    async def around(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        # Somebody else is always a little faster, seven times.
        if name == "append" and (percent := next(progress, None)):
            await world.recorder.record(await world.load(job), RecordProgress(percent))
        return await call()

    recorder = Recorder(store=interpose(world.store, around), feed=world.feed, clock=world.clock)
    assert (await recorder.record_latest(job.job_id, Cancel())).state is JobState.CANCELLED
    assert await world.history(job.job_id) == [
        "Created",
        "SubmitIntended",
        "Submitted",
        *["Progressed"] * 7,
        "Cancelled",
    ]
    assert await world.ledger(ada) == ["credit", "hold", "void"]


async def test_recording_on_the_latest_gives_up_after_eight_conflicts(world: World, ada: Customer) -> None:
    job = await world.create(ada)
    calls = []

    async def around(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        calls.append(name)
        if name == "append":
            raise SequenceConflict
        return await call()

    recorder = Recorder(store=interpose(world.store, around), feed=world.feed, clock=world.clock)
    with pytest.raises(StoreContended):
        await recorder.record_latest(job.job_id, Cancel())
    assert calls == ["load_job", "append"] * 8
    assert await world.history(job.job_id) == ["Created"]


async def test_a_job_that_does_not_exist_is_not_found() -> None:
    world = World(store=MemoryStore())
    with pytest.raises(JobNotFound):
        await world.recorder.record_latest(JobId("01940000-0000-7000-8000-00000000ffff"), Cancel())


def _task() -> Task:
    return Task(task_id="fal-task-1")
