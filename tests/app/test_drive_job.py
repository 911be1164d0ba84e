"""Driving a job: the intent is recorded, then the provider is called, then the outcome is recorded."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.domain.catalogue import Catalogue, Route
from reelgate_server.domain.decide import IntendSubmit
from reelgate_server.domain.errors import StoreUnavailable
from reelgate_server.domain.events import FailureCode, JobFailure, SubmitRefused
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import ModelId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from tests.domain.builders import CATALOGUE, a_route
from tests.support.builders import after_noon
from tests.support.clock import settle
from tests.support.driving import STEP, due_in, run, run_when_due
from tests.support.fake_provider import VIDEO, FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.world import LEASE, Customer, World

HAPPY = ["Created", "SubmitIntended", "Submitted", "Rendered", "Stored"]
ABSENT = Fault(kind=FaultKind.UNAVAILABLE, detail="the provider is not configured on this server")
VERTEX = ProviderName("vertex")
LOST = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)


class TestHappyPath:
    async def test_a_job_is_submitted_polled_copied_and_paid(self, world: World, ada: Customer) -> None:
        world.fal.progress_steps = [10, 10, 60, 250]
        job = await run(world, await world.create(ada))
        assert await world.history(job.job_id) == [
            "Created",
            "SubmitIntended",
            "Submitted",
            *["Progressed"] * 3,
            "Rendered",
            "Stored",
        ]
        assert (job.state, job.attempt_count, job.progress_percent) == (JobState.SUCCEEDED, 1, 100)
        assert job.source_url == "https://fake.test/videos/fal-task-1.mp4"
        assert job.media is not None
        name = f"generated-videos/{ada.account.account_id}/{job.job_id}/video.mp4"
        assert (job.media.object_name, job.media.size_bytes) == (name, 28)
        assert world.media.files == {name: (VIDEO, "video/mp4")}
        assert await world.ledger(ada) == ["credit", "hold", "post"]
        assert await world.money(ada) == (9_800_000, 0)

    async def test_an_ended_job_is_never_due_again(self, world: World, ada: Customer) -> None:
        job = await run(world, await world.create(ada))
        assert await due_in(world, job) is None

    async def test_the_order_says_what_to_make(self, world: World, ada: Customer) -> None:
        text = await world.create(ada, model="kling-3-pro-audio", clip_duration=timedelta(seconds=1))
        image = await world.create(ada, model="kling-3-pro", image_url="https://images.test/a.png", extra={"seed": 1})
        await world.run_due()
        orders = {order.job_id: order for order in world.fal.orders}
        order = orders[text.job_id]
        assert order.spec == text.spec
        assert order.spec.render_duration == timedelta(seconds=3)
        assert order.endpoint == "fal-ai/kling-video/v3/pro/text-to-video"
        assert (order.has_audio, order.is_simulated) == (True, False)
        order = orders[image.job_id]
        assert order.endpoint == "fal-ai/kling-video/v3/pro/image-to-video"
        assert (order.has_audio, order.spec.extra) == (False, {"seed": 1})

    async def test_a_stand_in_is_told_to_say_so(self) -> None:
        local = FakeProvider("local")
        world = World(providers=[local], stand_in="local")
        await world.create(await world.join(), model="hailuo-02-768p", clip_duration=timedelta(seconds=8))
        await world.run_due()
        (order,) = local.orders
        assert order.is_simulated
        # As its own provider would have been asked.
        assert (order.endpoint, order.spec.render_duration) == ("MiniMax-Hailuo-02", timedelta(seconds=10))

    async def test_the_intent_is_durable_before_the_provider_is_called(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        world.fal.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.run_due())
            await settle()
            assert world.fal.call_count("submit") == 1
            assert await world.history(job.job_id) == ["Created", "SubmitIntended"]
            world.fal.submit_gate.set()

    async def test_a_model_that_left_the_catalogue_is_finished_all_the_same(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        await world.run_due()
        later = World(store=world.store, clock=world.clock, catalogue=Catalogue([]), providers=[world.fal])
        world.fal.finish_all()
        assert (await run(later, job)).state is JobState.SUCCEEDED


def kling_by(routes: tuple[Route, ...] | None) -> Catalogue:
    """A catalogue of Kling 2 alone, by these routes; empty if there are none."""
    model = CATALOGUE.row(ModelId("fal/kling-2"))
    assert model is not None
    return Catalogue([replace(model, routes=routes)] if routes else [])


class TestModelsThatLeft:
    """Between the create and the submit; afterwards nobody needs the row."""

    @pytest.mark.parametrize(
        "routes",
        [
            pytest.param(None, id="the model"),
            pytest.param((a_route(provider=VERTEX),), id="the route"),
            pytest.param((a_route(text_endpoint=None),), id="the kind of input"),
        ],
    )
    async def test_a_job_whose_provider_cannot_be_told_what_to_render_fails_without_a_call(
        self, world: World, ada: Customer, routes: tuple[Route, ...] | None
    ) -> None:
        job = await world.create(ada)
        later = World(store=world.store, clock=world.clock, catalogue=kling_by(routes), providers=[world.fal])
        job = await run(later, job)
        assert await world.history(job.job_id) == ["Created", "Failed"]
        assert job.failure is not None
        assert job.failure == JobFailure(
            code=FailureCode.PROVIDER_ERROR,
            message="The provider could not render this request.",
            fault=Fault(
                kind=FaultKind.INVALID, detail="the catalogue no longer says what the provider calls the model"
            ),
        )
        assert world.fal.calls == []
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    @pytest.mark.parametrize(
        "routes",
        [
            pytest.param(None, id="the model"),
            pytest.param((a_route(provider=VERTEX, text_endpoint=None),), id="the kind of input"),
        ],
    )
    async def test_a_stand_in_renders_all_the_same(self, routes: tuple[Route, ...] | None) -> None:
        local = FakeProvider("local", is_idempotent=True)
        world = World(providers=[local], stand_in="local")
        job = await world.create(await world.join())
        later = World(store=world.store, clock=world.clock, catalogue=kling_by(routes), providers=[local])
        assert (await run(later, job)).state is JobState.SUCCEEDED
        assert (local.orders[0].endpoint, local.orders[0].is_simulated) == ("", True)


class TestSubmitFaults:
    @pytest.mark.parametrize(
        ("kind", "code", "message"),
        [
            (FaultKind.REJECTED, FailureCode.REJECTED, "The provider refused to render this content."),
            (
                FaultKind.IMAGE_UNUSABLE,
                FailureCode.IMAGE_UNUSABLE,
                "The image could not be fetched, or the provider cannot use it.",
            ),
            (FaultKind.INVALID, FailureCode.PROVIDER_ERROR, "The provider could not render this request."),
            (FaultKind.UNAUTHORIZED, FailureCode.PROVIDER_ERROR, "The provider is not available."),
        ],
    )
    async def test_what_is_useless_to_repeat_ends_the_job_at_once(
        self, *, world: World, ada: Customer, kind: FaultKind, code: FailureCode, message: str
    ) -> None:
        world.fal.submit_faults = [Fault(kind=kind, detail="for the operator")]
        job = await run(world, await world.create(ada))
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitRefused", "Failed"]
        assert job.failure is not None
        assert (job.failure.code, job.failure.message) == (code, message)
        assert job.failure.fault is not None
        assert job.failure.fault.detail == "for the operator"
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    @pytest.mark.parametrize(
        "kind",
        [
            FaultKind.THROTTLED,
            FaultKind.UNAVAILABLE,
            FaultKind.TIMEOUT,
            FaultKind.UNINTELLIGIBLE,
            FaultKind.TASK_UNKNOWN,
        ],
    )
    async def test_what_was_surely_not_accepted_is_tried_again(
        self, world: World, ada: Customer, kind: FaultKind
    ) -> None:
        world.fal.submit_faults = [Fault(kind=kind)] * 4
        job = await run(world, await world.create(ada))
        assert await world.history(job.job_id) == [
            "Created",
            *["SubmitIntended", "SubmitRefused"] * 4,
            "SubmitIntended",
            "Submitted",
            "Rendered",
            "Stored",
        ]
        assert job.attempt_count == 5
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_the_fifth_failure_ends_the_job(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.UNAVAILABLE)] * 9
        job = await run(world, await world.create(ada))
        assert (job.state, job.attempt_count, world.fal.call_count("submit")) == (JobState.FAILED, 5, 5)
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_try_waits_for_its_time(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
        job = await world.create(ada)
        await world.run_due()
        job = await world.load(job)
        assert job.state is JobState.PENDING
        assert job.retry_time is not None
        assert after_noon(0.5) <= job.retry_time <= after_noon(1.5)
        # Somebody who claims it too early does nothing.
        await world.drive(job, "driver")
        assert world.fal.call_count("submit") == 1
        await world.clock.advance(job.retry_time - world.clock.now() - timedelta(microseconds=1))
        await world.run_due()
        assert world.fal.call_count("submit") == 1
        await world.clock.advance(timedelta(microseconds=1))
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_the_providers_own_word_on_when_to_try_again_is_kept(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.THROTTLED, retry_after=timedelta(seconds=90))]
        job = await world.create(ada)
        await world.run_due()
        retry_time = (await world.load(job)).retry_time
        assert retry_time is not None
        # Not at the very second that everybody was told.
        assert after_noon(90.5) <= retry_time <= after_noon(91.5)
        await world.clock.advance(retry_time - world.clock.now() - timedelta(microseconds=1))
        await world.run_due()
        assert world.fal.call_count("submit") == 1
        await world.clock.advance(timedelta(microseconds=1))
        await world.run_due()
        assert world.fal.call_count("submit") == 2

    async def test_a_provider_that_throttles_without_saying_for_how_long_is_left_alone_for_20_seconds(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.THROTTLED)] * 3
        job = await world.create(ada)
        for attempt in (1, 2, 3):
            await world.run_due()
            job = await world.load(job)
            assert job.retry_time is not None
            waited = job.retry_time - world.clock.now()
            assert timedelta(seconds=20.5) <= waited <= timedelta(seconds=21.5)
            assert (job.attempt_count, job.throttled_count) == (attempt, attempt)
            await world.clock.advance(waited)
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_being_throttled_often_ends_no_job(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [
            *[Fault(kind=FaultKind.THROTTLED)] * 10,
            *[Fault(kind=FaultKind.UNAVAILABLE)] * 4,
            *[Fault(kind=FaultKind.THROTTLED)] * 10,
        ]
        job = await run(world, await world.create(ada), step=timedelta(seconds=40))
        assert (job.state, job.attempt_count, job.throttled_count) == (JobState.SUCCEEDED, 25, 20)
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_but_its_other_failures_do(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [
            *[Fault(kind=FaultKind.THROTTLED)] * 10,
            *[Fault(kind=FaultKind.UNAVAILABLE)] * 5,
        ]
        job = await run(world, await world.create(ada), step=timedelta(seconds=40))
        assert (job.state, job.attempt_count, job.throttled_count) == (JobState.FAILED, 15, 10)
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_provider_that_never_stops_throttling_lets_the_job_expire(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.THROTTLED)] * 1000
        job = await run_when_due(world, await world.create(ada), times=200)
        assert (job.state, job.update_time) == (JobState.EXPIRED, after_noon(1800))
        # Every 21 seconds of half an hour, more or less.
        assert 83 <= job.attempt_count <= 89
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_try_that_would_come_after_the_deadline_is_not_waited_for(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.THROTTLED, retry_after=timedelta(hours=9))]
        job = await world.create(ada)
        await world.run_due()
        await world.clock.advance(timedelta(minutes=30))
        await world.run_due()
        assert (await world.load(job)).state is JobState.EXPIRED


class TestLog:
    async def test_a_call_that_failed_is_told_with_the_providers_own_words_and_without_the_customers(
        self, world: World, ada: Customer, logs: list[Any]
    ) -> None:
        world.fal.submit_faults = [
            Fault(kind=FaultKind.THROTTLED, detail="concurrency limit reached"),
            Fault(kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=True, detail="<html>502</html>"),
        ]
        world.fal.poll_faults = [Fault(kind=FaultKind.TIMEOUT)]
        job = await run(world, await world.create(ada, prompt="my own words"))
        assert [entry for entry in logs if entry["event"] == "provider call failed"] == [
            {
                "event": "provider call failed",
                "log_level": "warning",
                "job": job.job_id,
                "sequence": sequence,
                "provider": "fal",
                "operation": "submit",
                "fault": fault,
                "is_maybe_accepted": is_maybe_accepted,
                "detail": detail,
            }
            for sequence, fault, is_maybe_accepted, detail in (
                (2, "throttled", False, "concurrency limit reached"),
                (4, "unintelligible", True, "<html>502</html>"),
            )
        ]
        assert "my own words" not in repr(logs)

    async def test_a_copy_that_failed_says_whose_fault_it_was(
        self, world: World, ada: Customer, logs: list[Any]
    ) -> None:
        world.fal.open_faults = [Fault(kind=FaultKind.UNAUTHORIZED, detail="the key is gone")]
        world.media.put_fault_count = 1
        await run(world, await world.create(ada))
        failures = [entry for entry in logs if entry["event"] == "provider call failed"]
        assert [(entry["operation"], entry["fault"], entry["detail"]) for entry in failures] == [
            ("copy", "unauthorized", "the key is gone"),
            ("copy", "storage", "The media store is not available; try again."),
        ]


class TestAmbiguousSubmits:
    async def test_by_default_a_lost_answer_ends_the_job_and_nothing_is_sent_again(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.submit_faults = [LOST]
        job = await run(world, await world.create(ada))
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitUnanswered", "Failed"]
        assert job.failure is not None
        assert job.failure.code is FailureCode.SUBMIT_UNANSWERED
        assert world.fal.call_count("submit") == 1
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_plan_may_have_it_sent_once_more(self, world: World) -> None:
        patient = await world.join("patient")
        world.fal.submit_faults = [LOST]
        job = await run(world, await world.create(patient))
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitUnanswered", *HAPPY[1:]]
        assert (job.attempt_count, job.unanswered_count, world.fal.call_count("submit")) == (2, 1, 2)
        assert await world.ledger(patient) == ["credit", "hold", "post"]

    async def test_but_not_twice(self, world: World) -> None:
        patient = await world.join("patient")
        world.fal.submit_faults = [LOST, LOST]
        job = await run(world, await world.create(patient))
        assert (job.state, job.unanswered_count, world.fal.call_count("submit")) == (JobState.FAILED, 2, 2)

    async def test_after_a_lost_answer_a_refusal_may_be_tried_again(self, world: World) -> None:
        patient = await world.join("patient")
        world.fal.submit_faults = [LOST, Fault(kind=FaultKind.UNAVAILABLE)]
        job = await run(world, await world.create(patient))
        assert (job.state, world.fal.call_count("submit")) == (JobState.SUCCEEDED, 3)

    async def test_a_rejection_that_may_have_been_taken_ends_the_job(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=True)]
        job = await run(world, await world.create(ada))
        assert job.failure is not None
        assert job.failure.code is FailureCode.SUBMIT_UNANSWERED


class TestInterruptedSubmits:
    async def _interrupted(self, world: World, customer: Customer, **fields: Any) -> Job:
        """A job whose driver died in the middle of the call."""
        return await world.recorder.record(await world.create(customer, **fields), IntendSubmit())

    async def test_a_provider_that_is_not_idempotent_is_not_asked_again(self, world: World, ada: Customer) -> None:
        job = await run(world, await self._interrupted(world, ada))
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitUnanswered", "Failed"]
        assert world.fal.calls == []
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_unless_the_plan_says_so(self, world: World) -> None:
        patient = await world.join("patient")
        job = await run(world, await self._interrupted(world, patient))
        assert (job.state, job.attempt_count, job.unanswered_count) == (JobState.SUCCEEDED, 2, 1)
        assert world.fal.call_count("submit") == 1

    async def test_an_idempotent_provider_is_asked_again(self, world: World, ada: Customer) -> None:
        job = await run(world, await self._interrupted(world, ada, model="local/storyboard"))
        assert await world.history(job.job_id) == HAPPY
        assert job.attempt_count == 1

    async def test_an_idempotent_providers_fault_is_a_fault_as_any(self, world: World, ada: Customer) -> None:
        world.local.submit_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
        job = await run(world, await self._interrupted(world, ada, model="local/storyboard"))
        assert job.state is JobState.SUCCEEDED
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitRefused", *HAPPY[1:]]

    async def test_a_driver_that_died_in_the_call_leaves_the_job_to_another_when_its_lease_has_run_out(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.create(ada, model="local/storyboard")
        world.local.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            dying = group.create_task(world.run_due("first"))
            await settle()
            dying.cancel()
        world.local.submit_gate.set()
        await world.run_due("second")
        assert (await world.load(job)).state is JobState.SUBMITTING
        await world.clock.advance(LEASE)
        await world.run_due("second")
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert len(world.local.tasks) == 1

    async def test_a_slow_driver_whose_job_was_given_up_stops_the_task_that_came_late(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.create(ada)
        world.fal.is_held = True
        world.fal.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.run_due("slow"))
            await world.clock.advance(LEASE)
            await world.run_due("other")
            world.fal.submit_gate.set()
        assert (await world.load(job)).state is JobState.FAILED
        assert [name for name, _ in world.fal.calls] == ["submit", "cancel"]
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_two_drivers_of_one_idempotent_task_do_not_stop_it(self, world: World, ada: Customer) -> None:
        job = await world.create(ada, model="local/storyboard")
        world.local.is_held = True
        world.local.submit_gate.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.run_due("slow"))
            await world.clock.advance(LEASE)
            group.create_task(world.run_due("other"))
            await settle()
            assert world.local.call_count("submit") == 2
            world.local.submit_gate.set()
        assert (await world.load(job)).state is JobState.PROCESSING
        assert world.local.call_count("cancel") == 0
        world.local.finish_all()
        assert (await run(world, job)).state is JobState.SUCCEEDED


class TestPolls:
    @pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.TASK_UNKNOWN])
    async def test_a_bad_poll_never_fails_a_job(self, world: World, ada: Customer, kind: FaultKind) -> None:
        world.fal.poll_faults = [Fault(kind=kind)] * 7
        job = await run(world, await world.create(ada))
        assert await world.history(job.job_id) == HAPPY
        assert world.fal.call_count("poll") == 8

    async def test_a_lost_task_of_an_idempotent_provider_is_ordered_again(self, world: World, ada: Customer) -> None:
        world.local.is_held = True
        job = await world.create(ada, model="local/storyboard")
        await world.run_due()
        world.local.forget(job.job_id)
        world.local.is_held = False
        assert (await run(world, job)).state is JobState.SUCCEEDED
        assert await world.history(job.job_id) == HAPPY
        assert world.local.call_count("submit") == 2

    async def test_ordering_a_lost_task_again_may_fail_too(self, world: World, ada: Customer) -> None:
        world.local.is_held = True
        job = await world.create(ada, model="local/storyboard")
        await world.run_due()
        world.local.forget(job.job_id)
        world.local.is_held = False
        world.local.submit_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
        assert (await run(world, job)).state is JobState.SUCCEEDED

    async def test_a_task_that_failed_fails_the_job_and_nothing_is_charged(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        await world.run_due()
        failure = JobFailure(code=FailureCode.REJECTED, message="Not this.", fault=Fault(kind=FaultKind.REJECTED))
        world.fal.fail("fal-task-1", failure)
        job = await run(world, job)
        assert (job.state, job.failure) == (JobState.FAILED, failure)
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_progress_is_told_only_when_it_has_grown(self, world: World, ada: Customer) -> None:
        world.fal.progress_steps = [20, 10, 20, 30]
        job = await run(world, await world.create(ada))
        assert (await world.history(job.job_id)).count("Progressed") == 2


class TestCopies:
    async def test_a_copy_that_fails_is_made_again(self, world: World, ada: Customer) -> None:
        world.media.put_fault_count = 2
        world.fal.open_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
        world.fal.midway_faults = [Fault(kind=FaultKind.TIMEOUT)]
        job = await run(world, await world.create(ada), step=timedelta(seconds=5))
        assert await world.history(job.job_id) == HAPPY
        assert world.fal.call_count("open") == 5
        assert world.clock.now() == after_noon(20)
        assert [content for content, _ in world.media.files.values()] == [VIDEO]
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_copy_that_keeps_failing_expires(self, world: World, ada: Customer) -> None:
        world.media.is_down = True
        job = await run(world, await world.create(ada), times=40)
        assert (job.state, world.media.files) == (JobState.EXPIRED, {})
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_video_that_an_idempotent_provider_has_lost_is_ordered_again(
        self, world: World, ada: Customer
    ) -> None:
        world.media.put_fault_count = 1
        job = await world.create(ada, model="local/storyboard")
        await world.run_due()
        assert (await world.load(job)).state is JobState.STORING
        world.local.forget(job.job_id)
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert world.local.call_count("submit") == 2
        world.local.finish_all()
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert await world.history(job.job_id) == HAPPY

    @pytest.mark.parametrize(("retry_after_s", "expected_s"), [(None, 5), (1, 5), (60, 60), (32_400, 1800)])
    async def test_the_providers_own_word_on_when_to_copy_again_is_the_least(
        self, world: World, ada: Customer, retry_after_s: int | None, expected_s: int
    ) -> None:
        retry_after = None if retry_after_s is None else timedelta(seconds=retry_after_s)
        world.fal.open_faults = [Fault(kind=FaultKind.THROTTLED, retry_after=retry_after)]
        job = await world.create(ada)
        await world.run_due()
        assert await due_in(world, job) == timedelta(seconds=expected_s)

    async def test_a_copy_that_was_made_but_not_recorded_is_made_anew(self, world: World, ada: Customer) -> None:
        async def around(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            if name == "append" and dying.media.files:
                raise StoreUnavailable
            return await call()

        dying = World(store=interpose(world.store, around), clock=world.clock, providers=[world.fal])
        job = await world.create(ada)
        with pytest.raises(StoreUnavailable):
            await dying.run_due("first")
        assert (await world.load(job)).state is JobState.STORING
        await world.clock.advance(LEASE)
        await world.run_due("second")
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert world.fal.call_count("open") == 2
        assert await world.ledger(ada) == ["credit", "hold", "post"]


class TestDeadlines:
    async def _expire(self, world: World, job: Job) -> Job:
        await world.clock.advance(timedelta(minutes=30))
        await world.run_due()
        return await world.load(job)

    async def test_a_job_that_was_never_sent_expires(self, world: World, ada: Customer) -> None:
        job = await self._expire(world, await world.create(ada))
        assert await world.history(job.job_id) == ["Created", "Expired"]
        assert world.fal.calls == []
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_job_whose_submit_was_interrupted_expires(self, world: World, ada: Customer) -> None:
        job = await world.recorder.record(await world.create(ada), IntendSubmit())
        job = await self._expire(world, job)
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Expired"]
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_job_that_is_rendering_expires_and_its_task_is_stopped(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        await world.run_due()
        job = await self._expire(world, job)
        assert job.state is JobState.EXPIRED
        assert world.fal.calls[-1] == ("cancel", "fal-task-1")
        assert await due_in(world, job) is None
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_job_that_is_being_copied_expires(self, world: World, ada: Customer) -> None:
        world.media.put_fault_count = 99
        job = await world.create(ada)
        await world.run_due()
        job = await self._expire(world, job)
        assert (await world.history(job.job_id))[-2:] == ["Rendered", "Expired"]
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_what_cannot_be_removed_after_the_end_is_tried_again_for_ten_minutes(
        self, world: World, ada: Customer
    ) -> None:
        world.media.put_fault_count = 99
        job = await world.create(ada)
        await world.run_due()
        world.media.is_down = True
        assert (await self._expire(world, job)).state is JobState.EXPIRED
        assert await due_in(world, job) == timedelta(seconds=5)
        await world.clock.advance(timedelta(minutes=9, seconds=59))
        await world.run_due()
        assert await due_in(world, job) == timedelta(seconds=5)
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert await due_in(world, job) is None

    async def test_an_ended_job_does_not_expire(self, world: World, ada: Customer) -> None:
        job = await run(world, await world.create(ada))
        assert await self._expire(world, job) == job

    async def test_a_job_ends_at_its_deadline_and_not_before(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        await world.clock.advance(timedelta(minutes=30) - timedelta(microseconds=1))
        await world.run_due()
        assert (await world.load(job)).state is JobState.PROCESSING
        await world.clock.advance(timedelta(microseconds=1))
        await world.run_due()
        assert (await world.load(job)).state is JobState.EXPIRED

    async def test_a_provider_that_cannot_be_told_of_the_end_is_told_again(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        world.fal.cancel_faults = [Fault(kind=FaultKind.TIMEOUT)]
        job = await world.create(ada)
        await world.run_due()
        assert (await self._expire(world, job)).state is JobState.EXPIRED
        assert world.fal.call_count("cancel") == 1
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert world.fal.call_count("cancel") == 2
        assert await due_in(world, job) is None


class TestRemovedProviders:
    """One that is not configured any more, or not on this server."""

    def _without_fal(self, world: World) -> World:
        """The same jobs after a restart without credentials for fal."""
        return World(store=world.store, clock=world.clock, providers=[FakeProvider("vertex")])

    async def test_counts_as_one_that_is_down_and_after_five_tries_the_job_fails(
        self, world: World, ada: Customer
    ) -> None:
        job = await run(self._without_fal(world), await world.create(ada))
        assert await world.history(job.job_id) == ["Created", *["SubmitIntended", "SubmitRefused"] * 5, "Failed"]
        assert job.failure == JobFailure(
            code=FailureCode.PROVIDER_ERROR, message="The provider is not available.", fault=ABSENT
        )
        refusal = (await world.store.events_after(job.job_id, 2))[0].event
        assert isinstance(refusal, SubmitRefused)
        assert refusal.fault == ABSENT
        assert world.fal.calls == []
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_that_is_back_before_the_last_try_renders_the_job(self, world: World, ada: Customer) -> None:
        job = await run_when_due(self._without_fal(world), await world.create(ada), times=4)
        assert (job.state, job.attempt_count) == (JobState.PENDING, 4)
        job = await run(world, job)
        assert (job.state, job.attempt_count, world.fal.call_count("submit")) == (JobState.SUCCEEDED, 5, 1)
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_job_whose_submit_was_interrupted_counts_as_never_answered(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.recorder.record(await world.create(ada), IntendSubmit())
        job = await run(self._without_fal(world), job)
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitUnanswered", "Failed"]
        assert job.failure is not None
        assert job.failure.code is FailureCode.SUBMIT_UNANSWERED
        assert job.failure.message == "The provider did not confirm that it took the job; it was not sent again."
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_the_same_of_an_idempotent_provider_that_cannot_be_asked_again(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.recorder.record(await world.create(ada, model="local/storyboard"), IntendSubmit())
        job = await run(World(store=world.store, clock=world.clock, providers=[world.fal]), job)
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitUnanswered", "Failed"]

    async def test_a_plan_that_submits_again_does_so_when_the_provider_is_back(self, world: World) -> None:
        patient = await world.join("patient")
        job = await world.recorder.record(await world.create(patient), IntendSubmit())
        job = await run_when_due(self._without_fal(world), job, times=3)
        assert (job.state, job.attempt_count, job.unanswered_count) == (JobState.PENDING, 3, 1)
        assert (await run(world, job)).state is JobState.SUCCEEDED
        assert world.fal.call_count("submit") == 1
        assert await world.ledger(patient) == ["credit", "hold", "post"]

    async def test_a_job_that_was_taken_waits_and_succeeds_when_the_provider_is_back(
        self, world: World, ada: Customer, logs: list[Any]
    ) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        await world.run_due()
        world.fal.finish_all()
        later = self._without_fal(world)
        for _ in range(10):
            await world.clock.advance(STEP)
            await later.run_due()
            assert await due_in(later, job) == timedelta(seconds=30)
        warning = {"event": "provider is not configured", "job": job.job_id, "provider": "fal", "log_level": "warning"}
        assert logs.count(warning) == 10
        back = World(store=world.store, clock=world.clock, providers=[world.fal])
        job = await run(back, job)
        assert await world.history(job.job_id) == HAPPY
        assert world.fal.call_count("submit") == 1
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_job_that_is_being_copied_waits_for_its_provider_too(self, world: World, ada: Customer) -> None:
        world.media.put_fault_count = 1
        job = await world.create(ada)
        await world.run_due()
        await world.clock.advance(STEP)
        await self._without_fal(world).run_due()
        assert (await world.load(job)).state is JobState.STORING
        await world.clock.advance(STEP)
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_but_no_longer_than_until_its_deadline(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        await world.run_due()
        later = self._without_fal(world)
        job = await run(later, job)
        assert (job.state, job.update_time) == (JobState.EXPIRED, after_noon(1800))
        assert await due_in(later, job) is None
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_cancelled_job_of_a_removed_provider_is_left_alone(self, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job = await world.create(ada)
        await world.run_due()
        await cancel_job(world.recorder, ada.caller, job.job_id)
        later = World(store=world.store, clock=world.clock, providers=[])
        await later.run_due()
        assert (await world.load(job)).state is JobState.CANCELLED
        assert await due_in(later, job) is None


class TestStoreOutage:
    async def test_an_outage_breaks_off_the_drive_and_the_lease_stays(self) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        job = await world.create(await world.join())
        trouble.by_method["append"] = StoreUnavailable()
        with pytest.raises(StoreUnavailable):
            await world.run_due("first")
        trouble.end()
        await world.run_due("second")
        assert world.fal.calls == []
        await world.clock.advance(LEASE)
        await world.run_due("second")
        assert (await world.load(job)).state is JobState.SUCCEEDED

    # `Submitted` is recorded again by the drive itself; see the worker's tests.
    @pytest.mark.parametrize("name", [name for name in HAPPY[1:] if name != "Submitted"])
    async def test_a_change_that_was_made_but_not_confirmed_is_found_in_the_log(
        self, world: World, ada: Customer, name: str
    ) -> None:
        job = await world.create(ada, model="local/storyboard")
        is_lost = False

        async def around(method: str, call: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal is_lost
            answer = await call()
            if method == "append" and not is_lost and (await world.history(job.job_id))[-1] == name:
                is_lost = True
                raise StoreUnavailable
            return answer

        shaky = World(store=interpose(world.store, around), clock=world.clock)
        with pytest.raises(StoreUnavailable):
            await shaky.run_due()
        await world.clock.advance(LEASE)
        await shaky.run_due()
        assert await world.history(job.job_id) == HAPPY
        assert await world.ledger(ada) == ["credit", "hold", "post"]
