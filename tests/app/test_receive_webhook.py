"""A provider's word is a reason to look, and nothing more; what the provider then says is the truth."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.app.order import order_of
from reelgate_server.domain.decide import Expire, IntendSubmit
from reelgate_server.domain.errors import (
    JobNotFound,
    ProviderUnavailable,
    StoreContended,
    StoreUnavailable,
    WebhookRejected,
)
from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.provider import RenderOrder, TaskState
from reelgate_server.ports.store import SequenceConflict
from reelgate_server.ports.webhooks import Webhook, WebhookRefused
from tests.support.clock import settle
from tests.support.driving import due_in
from tests.support.fake_provider import FakeProvider
from tests.support.fake_webhooks import FakeWebhooks
from tests.support.interpose import Trouble, interpose
from tests.support.world import LEASE, Customer, World, working

LOST = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)
UNANSWERED = ["Created", "SubmitIntended", "SubmitUnanswered"]
LIMIT = timedelta(minutes=30)
"""Beyond every deadline of these tests."""


class SlowProvider(FakeProvider):
    """Its answers to polls are on their way for as long as a test likes."""

    def __init__(self, name: str) -> None:
        super().__init__(name, is_held=True, first_poll_after=None, announces_tasks=True)
        self.poll_gate = asyncio.Event()
        self.poll_gate.set()

    async def poll(self, task: Task) -> TaskState:
        answer = await super().poll(task)
        await self.poll_gate.wait()
        return answer


class SlowWebhooks(FakeWebhooks):
    """What it finds is on its way for as long as a test likes."""

    def __init__(self, provider: FakeProvider) -> None:
        super().__init__(provider)
        self.find_gate = asyncio.Event()
        self.find_gate.set()

    async def find_task(self, order: RenderOrder, task_id: str) -> Task:
        task = await super().find_task(order, task_id)
        await self.find_gate.wait()
        return task


@pytest.fixture
def fal() -> SlowProvider:
    """A provider that announces its tasks, which run until a test ends them."""
    return SlowProvider("fal")


@pytest.fixture
def webhooks(fal: SlowProvider) -> SlowWebhooks:
    return SlowWebhooks(fal)


@pytest.fixture
def world(fal: SlowProvider, webhooks: SlowWebhooks) -> World:
    return World(providers=[fal, FakeProvider("vertex", is_held=True)], receivers={fal.name: webhooks})


async def announce(world: World, webhooks: SlowWebhooks, job: Job, task_id: str = "fal-task-1") -> None:
    """Let the provider send the webhook of a task to a job's address."""
    await world.receive_webhook("fal", job.job_id, webhooks.webhook(task_id))


async def started(world: World, customer: Customer, **fields: Any) -> Job:
    """A job that its provider is rendering, and that nobody will look at for a while."""
    job = await world.create(customer, **fields)
    await world.run_due()
    job = await world.load(job)
    assert job.state is JobState.PROCESSING
    return job


async def unanswered(world: World, fal: FakeProvider, customer: Customer) -> Job:
    """A job whose provider has the task, but whose submit was never answered."""
    fal.submit_faults = [LOST]
    job = await world.create(customer)
    await world.run_due()
    return await world.load(job)


async def interrupted(world: World, fal: FakeProvider, customer: Customer) -> Job:
    """A job whose driver died in the middle of the submit, after the provider had taken the task."""
    job = await world.create(customer)
    now = world.clock.now()
    await world.store.claim("driver that dies", now=now, lease_until=now + LEASE, limit=1)
    job = await world.recorder.record(job, IntendSubmit())
    await fal.submit(order_of(job, world.catalogue))
    return job


class TestAnnouncements:
    async def test_a_webhook_makes_a_job_due_at_once(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        fal.finish("fal-task-1")
        await world.run_due()
        assert (await world.load(job)).state is JobState.PROCESSING
        await announce(world, webhooks, job)
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert await world.history(job.job_id) == [
            "Created",
            "SubmitIntended",
            "Submitted",
            "Announced",
            "Rendered",
            "Stored",
        ]
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_worker_is_told_and_need_not_look_by_itself(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await world.create(ada)
        async with working(world):
            fal.finish("fal-task-1")
            await announce(world, webhooks, job)
            await settle()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert world.clock.now() == job.create_time

    async def test_a_webhook_that_lies_costs_one_look(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        await announce(world, webhooks, job)
        await world.run_due()
        await world.run_due()
        job = await world.load(job)
        assert (job.state, job.is_announced, fal.call_count("poll")) == (JobState.PROCESSING, True, 1)
        assert await world.money(ada) == (9_800_000, 200_000)
        fal.finish("fal-task-1")
        await world.clock.advance(timedelta(minutes=2))
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_how_the_task_ended_comes_from_the_provider(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        fal.fail("fal-task-1", JobFailure(code=FailureCode.REJECTED, message="Not this."))
        await announce(world, webhooks, job)
        await world.run_due()
        assert (await world.load(job)).state is JobState.FAILED
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_webhook_that_comes_twice_is_recorded_once(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        for _ in range(2):
            await announce(world, webhooks, job)
        await asyncio.gather(*(announce(world, webhooks, job) for _ in range(3)))
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Submitted", "Announced"]

    async def test_a_webhook_during_a_look_brings_another_at_once(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        await world.clock.advance(timedelta(minutes=2))
        fal.poll_gate.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.run_due())
            await settle()
            assert fal.call_count("poll") == 1
            fal.finish("fal-task-1")
            await announce(world, webhooks, job)
            fal.poll_gate.set()
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_webhook_about_another_task_changes_nothing(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        other = await started(world, ada)
        fal.finish_all()
        await announce(world, webhooks, job, "fal-task-2")
        await announce(world, webhooks, job, "fal-task-9")
        await world.run_due()
        assert await world.load(job) == job
        assert await world.load(other) == other

    async def test_a_webhook_about_a_job_that_was_never_submitted_changes_nothing(
        self, world: World, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await world.create(ada)
        await announce(world, webhooks, job)
        assert await world.load(job) == job

    @pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "expired"])
    async def test_a_webhook_about_a_job_that_has_ended_changes_nothing(
        self, *, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer, end: str
    ) -> None:
        job = await started(world, ada)
        if end == "succeeded":
            fal.finish("fal-task-1")
        elif end == "failed":
            fal.fail("fal-task-1", JobFailure(code=FailureCode.REJECTED, message="Not this."))
        elif end == "cancelled":
            await cancel_job(world.recorder, ada.caller, job.job_id)
        await world.clock.advance(LIMIT if end == "expired" else timedelta(minutes=2))
        await world.run_due()
        job = await world.load(job)
        assert job.state.value == end
        await announce(world, webhooks, job)
        await world.run_due()
        assert await world.load(job) == job

    async def test_a_webhook_about_a_job_whose_file_is_being_copied_changes_nothing(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        fal.finish("fal-task-1")
        fal.open_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
        await announce(world, webhooks, job)
        await world.run_due()
        job = await world.load(job)
        assert job.state is JobState.STORING
        await announce(world, webhooks, job)
        assert await world.load(job) == job


class TestRefusals:
    async def test_a_forged_webhook_is_rejected_and_the_operator_finds_why(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        fal.finish("fal-task-1")
        with pytest.raises(WebhookRejected) as raised:
            await world.receive_webhook("fal", job.job_id, webhooks.webhook("fal-task-1", is_forged=True))
        assert isinstance(raised.value.__cause__, WebhookRefused)
        await world.run_due()
        assert await world.load(job) == job

    async def test_a_body_of_more_than_a_mebibyte_is_rejected_unread(
        self, world: World, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        with pytest.raises(WebhookRejected) as raised:
            await world.receive_webhook("fal", job.job_id, Webhook(headers={}, body=b"x" * ((1 << 20) + 1)))
        assert raised.value.__cause__ is None
        with pytest.raises(WebhookRejected) as raised:
            await world.receive_webhook("fal", job.job_id, Webhook(headers={}, body=b"x" * (1 << 20)))
        assert raised.value.__cause__ is not None

    @pytest.mark.parametrize(
        ("provider", "job_id"),
        [
            ("fal", "01940000-0000-7000-8000-00000000ffff"),
            ("fal", "not-a-job"),
            ("fal", ""),
            ("vertex", "01940000-0000-7000-8000-00000000ffff"),
            ("", ""),
            ("f\0l", "\udcff"),
        ],
    )
    async def test_what_names_no_job_of_a_receiver_is_not_found(
        self, *, world: World, webhooks: SlowWebhooks, provider: str, job_id: str
    ) -> None:
        with pytest.raises(JobNotFound):
            await world.receive_webhook(provider, job_id, webhooks.webhook("fal-task-1"))

    async def test_a_job_of_another_provider_is_not_found(
        self, world: World, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada, model="veo-3.1", clip_duration=timedelta(seconds=8))
        assert job.provider == "vertex"
        for name in ("fal", "vertex"):
            with pytest.raises(JobNotFound):
                await world.receive_webhook(name, job.job_id, webhooks.webhook("vertex-task-1"))
        assert await world.load(job) == job

    async def test_whether_a_job_exists_is_told_only_to_its_provider(
        self, world: World, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        for job_id in (job.job_id, "01940000-0000-7000-8000-00000000ffff"):
            with pytest.raises(WebhookRejected):
                await world.receive_webhook("fal", job_id, webhooks.webhook("fal-task-1", is_forged=True))

    async def test_a_webhook_that_cannot_be_checked_now_is_to_be_sent_again(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await started(world, ada)
        fal.finish("fal-task-1")
        webhooks.verify_faults = [Fault(kind=FaultKind.UNAVAILABLE, detail="no keys")]
        with pytest.raises(ProviderUnavailable) as raised:
            await announce(world, webhooks, job)
        assert isinstance(raised.value.__cause__, ProviderFault)
        assert await world.load(job) == job
        await announce(world, webhooks, job)
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_webhook_that_the_store_cannot_take_now_is_to_be_sent_again(
        self, fal: SlowProvider, webhooks: SlowWebhooks
    ) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble), providers=[fal], receivers={fal.name: webhooks})
        job = await started(world, await world.join())
        fal.finish("fal-task-1")
        trouble.begin_outage()
        with pytest.raises(StoreUnavailable):
            await announce(world, webhooks, job)
        trouble.end()
        trouble.by_method["append"] = SequenceConflict()
        with pytest.raises(StoreContended):
            await announce(world, webhooks, job)
        trouble.end()
        await announce(world, webhooks, job)
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED


class TestRecovery:
    async def test_a_job_whose_submit_was_never_answered_is_recovered_and_paid_once(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer, logs: list[Any]
    ) -> None:
        job = await unanswered(world, fal, ada)
        assert (job.state, job.retry_time) == (JobState.PENDING, job.expire_time)
        await world.clock.advance(timedelta(minutes=5))
        await world.run_due()
        assert await world.history(job.job_id) == UNANSWERED
        fal.finish("fal-task-1")
        await announce(world, webhooks, job)
        await world.run_due()
        job = await world.load(job)
        assert job.state is JobState.SUCCEEDED
        assert job.task is not None
        assert job.task.task_id == "fal-task-1"
        assert await world.history(job.job_id) == [*UNANSWERED, "Submitted", "Rendered", "Stored"]
        assert fal.call_count("submit") == 1
        assert await world.ledger(ada) == ["credit", "hold", "post"]
        assert "task recovered by webhook" in [entry["event"] for entry in logs]

    async def test_without_a_webhook_it_waits_until_its_deadline_and_is_not_paid(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await unanswered(world, fal, ada)
        await world.clock.advance(LIMIT)
        await world.run_due()
        job = await world.load(job)
        assert (job.state, fal.call_count("submit")) == (JobState.EXPIRED, 1)
        assert await world.ledger(ada) == ["credit", "hold", "void"]
        fal.finish("fal-task-1")
        await announce(world, webhooks, job)
        assert await world.load(job) == job

    async def test_a_crash_in_the_middle_of_a_submit_is_recovered_before_anybody_takes_it_up(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await interrupted(world, fal, ada)
        fal.finish("fal-task-1")
        await announce(world, webhooks, job)
        await world.clock.advance(LEASE)
        await world.run_due()
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Submitted", "Rendered", "Stored"]
        assert fal.call_count("submit") == 1
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_crash_in_the_middle_of_a_submit_is_recovered_after_somebody_took_it_up(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await interrupted(world, fal, ada)
        await world.clock.advance(LEASE)
        await world.run_due()
        assert await world.history(job.job_id) == UNANSWERED
        fal.finish("fal-task-1")
        await announce(world, webhooks, job)
        await world.run_due()
        assert await world.history(job.job_id) == [*UNANSWERED, "Submitted", "Rendered", "Stored"]
        assert fal.call_count("submit") == 1
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_webhook_may_overtake_the_answer_to_the_submit(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await world.create(ada)
        fal.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.run_due())
            await settle()
            fal.finish("fal-task-1")
            await announce(world, webhooks, job)
            assert (await world.load(job)).state is JobState.PROCESSING
            fal.submit_gate.set()
        await world.run_due()
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Submitted", "Rendered", "Stored"]
        assert (fal.call_count("submit"), fal.call_count("cancel")) == (1, 0)
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_the_answer_to_the_submit_may_overtake_the_recovery(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await world.create(ada)
        fal.submit_gate.clear()
        webhooks.find_gate.clear()
        async with asyncio.TaskGroup() as group:
            driving = group.create_task(world.run_due())
            await settle()
            fal.finish("fal-task-1")
            group.create_task(announce(world, webhooks, job))
            await settle()
            fal.submit_gate.set()
            await driving
            assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Submitted"]
            webhooks.find_gate.set()
        await world.run_due()
        assert await world.history(job.job_id) == [
            "Created",
            "SubmitIntended",
            "Submitted",
            "Announced",
            "Rendered",
            "Stored",
        ]

    async def test_a_job_that_ends_while_the_provider_is_asked_stays_as_it_is(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await unanswered(world, fal, ada)
        webhooks.find_gate.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(announce(world, webhooks, job))
            await settle()
            world.clock.jump(LIMIT)
            job = await world.recorder.record(job, Expire())
            webhooks.find_gate.set()
        assert await world.load(job) == job
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_webhooks_that_come_together_record_the_task_once(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await unanswered(world, fal, ada)
        await asyncio.gather(*(announce(world, webhooks, job) for _ in range(3)))
        history = await world.history(job.job_id)
        assert history[:4] == [*UNANSWERED, "Submitted"]
        assert history[4:] in ([], ["Announced"])

    async def test_a_task_that_is_not_ours_is_not_recorded(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer, logs: list[Any]
    ) -> None:
        job = await unanswered(world, fal, ada)
        await announce(world, webhooks, job, "somebody-elses-task")
        await world.run_due()
        assert await world.load(job) == job
        assert "webhook about a task that is not ours" in [entry["event"] for entry in logs]
        await announce(world, webhooks, job)
        assert (await world.load(job)).state is JobState.PROCESSING

    async def test_a_provider_that_cannot_be_asked_leaves_the_job_to_the_next_webhook(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await unanswered(world, fal, ada)
        for kind in (FaultKind.TIMEOUT, FaultKind.UNAVAILABLE, FaultKind.UNAUTHORIZED, FaultKind.UNINTELLIGIBLE):
            webhooks.find_faults = [Fault(kind=kind)]
            with pytest.raises(ProviderUnavailable):
                await announce(world, webhooks, job)
            assert await world.load(job) == job
        await announce(world, webhooks, job)
        assert (await world.load(job)).state is JobState.PROCESSING

    async def test_what_a_provider_repeats_of_the_prompt_is_not_told_to_the_operator(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer, logs: list[Any]
    ) -> None:
        job = await unanswered(world, fal, ada)
        webhooks.find_faults = [Fault(kind=FaultKind.UNAVAILABLE, detail="500: {'prompt': 'a red kite'}")]
        with pytest.raises(ProviderUnavailable) as raised:
            await announce(world, webhooks, job)
        # The cause is what the boundary logs.
        assert repr(raised.value.__cause__) == "ProviderFault(\"unavailable: 500: {'prompt': '[prompt]\")"
        assert "a red kite" not in repr(logs)

    async def test_a_job_that_waits_for_its_webhook_goes_on_waiting_without_its_provider(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        job = await unanswered(world, fal, ada)
        without = World(store=world.store, clock=world.clock, providers=[])
        for _ in range(5):
            await world.clock.advance(timedelta(minutes=2))
            await without.run_due()
        assert await world.load(job) == job
        fal.finish("fal-task-1")
        await announce(world, webhooks, job)
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_refusal_after_a_lost_answer_leaves_the_job_to_the_webhook_of_the_first_task(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks
    ) -> None:
        patient = await world.join("patient")
        job = await unanswered(world, fal, patient)
        fal.submit_faults = [Fault(kind=FaultKind.REJECTED)]
        await world.clock.advance(timedelta(minutes=1))
        await world.run_due()
        job = await world.load(job)
        assert await world.history(job.job_id) == [*UNANSWERED, "SubmitIntended", "SubmitRefused"]
        assert (job.state, job.retry_time) == (JobState.PENDING, job.expire_time)
        fal.finish("fal-task-1")
        await announce(world, webhooks, job)
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert fal.call_count("submit") == 2
        assert await world.ledger(patient) == ["credit", "hold", "post"]

    async def test_a_job_whose_submits_were_all_refused_is_not_recovered(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        fal.submit_faults = [Fault(kind=FaultKind.THROTTLED)]
        job = await world.create(ada)
        await world.run_due()
        job = await world.load(job)
        assert (job.state, job.attempt_count, job.unanswered_count) == (JobState.PENDING, 1, 0)
        await announce(world, webhooks, job)
        assert webhooks.searches == []
        assert await world.load(job) == job

    async def test_how_long_a_recovered_task_took_is_not_believed(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks, ada: Customer
    ) -> None:
        for number in range(1, 7):
            job = await unanswered(world, fal, ada)
            await world.clock.advance(timedelta(minutes=1))
            fal.finish(f"fal-task-{number}")
            await announce(world, webhooks, job, f"fal-task-{number}")
            await world.run_due()
            assert (await world.load(job)).state is JobState.SUCCEEDED
        # Half of what the catalogue says; those six were seen to end in no time.
        assert await due_in(world, await started(world, ada)) == timedelta(seconds=105)

    async def test_a_plan_that_submits_again_does_not_if_the_webhook_comes_first(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks
    ) -> None:
        patient = await world.join("patient")
        job = await unanswered(world, fal, patient)
        assert job.retry_time is not None
        assert job.retry_time < job.expire_time
        fal.finish("fal-task-1")
        await announce(world, webhooks, job)
        await world.clock.advance(timedelta(minutes=1))
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert fal.call_count("submit") == 1

    async def test_once_it_has_submitted_again_the_first_tasks_webhook_changes_nothing(
        self, world: World, fal: SlowProvider, webhooks: SlowWebhooks
    ) -> None:
        patient = await world.join("patient")
        job = await unanswered(world, fal, patient)
        await world.clock.advance(timedelta(minutes=1))
        await world.run_due()
        job = await world.load(job)
        assert job.task is not None
        assert job.task.task_id == "fal-task-2"
        await announce(world, webhooks, job, "fal-task-1")
        assert await world.load(job) == job

    @pytest.mark.parametrize("prepare", [unanswered, interrupted], ids=["unanswered", "interrupted"])
    async def test_a_cancelled_job_is_not_recovered(
        self,
        *,
        world: World,
        fal: SlowProvider,
        webhooks: SlowWebhooks,
        ada: Customer,
        prepare: Callable[[World, FakeProvider, Customer], Awaitable[Job]],
    ) -> None:
        job = await prepare(world, fal, ada)
        job = await cancel_job(world.recorder, ada.caller, job.job_id)
        await announce(world, webhooks, job)
        assert await world.load(job) == job
        assert await world.ledger(ada) == ["credit", "hold", "void"]
