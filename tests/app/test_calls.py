"""What is noted of a call to a provider, and what is not: nothing that a customer said."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.app.calls import ProviderCalls
from reelgate_server.domain.errors import MediaUnavailable
from reelgate_server.domain.events import Failed, FailureCode, JobFailure, SubmitRefused, SubmitUnanswered
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from tests.domain.builders import a_job, a_spec
from tests.support.driving import run, run_when_due
from tests.support.metrics import MemoryMetrics
from tests.support.world import Customer, World

PROMPT = 'My neighbour Rosalind\nwhispers "farewell" to the lighthouse'
PIECE = 'whispers "farewell" to the lighthouse'
ECHOES = [
    PROMPT,
    'My neighbour Rosalind whispers "farewell" to the lighthouse',
    r"My neighbour Rosalind\nwhispers \"farewell\" to the lighthouse",
    "My neighbour Rosalind whispers",
]
"""As it is, in one line, as JSON escapes it, and cut short."""


def pieces_of(prompt: str) -> Sequence[str]:
    """Words that only the customer can have said."""
    return [word.strip('"') for word in prompt.split() if len(word) > 6]


def assert_says_nothing(seen: object) -> None:
    """Nothing of the prompt stands in it."""
    assert [word for word in pieces_of(PROMPT) if word in repr(seen)] == []


def assert_tells(logs: list[Any], operation: str, detail: str) -> None:
    """The failed calls of this operation were logged with this detail, and nothing of the prompt anywhere."""
    failures = [entry for entry in logs if entry["event"] == "provider call failed" and entry["operation"] == operation]
    assert {entry["detail"] for entry in failures} == {detail}
    assert_says_nothing(logs)


class TestMaking:
    def _job(self) -> Job:
        return a_job(JobState.PROCESSING, spec=a_spec(prompt=PROMPT))

    async def _fails(self, fault: Fault) -> Any:
        raise ProviderFault(fault)

    async def test_an_answer_is_passed_on_and_counted(self, logs: list[Any]) -> None:
        async def answer() -> int:
            return 7

        metrics = MemoryMetrics()
        assert await ProviderCalls(metrics).make(self._job(), "poll", answer()) == 7
        assert metrics.calls == {("fal", "poll", "ok"): 1}
        assert logs == []

    @pytest.mark.parametrize("echo", ECHOES)
    async def test_a_fault_is_passed_on_without_the_prompt(self, logs: list[Any], echo: str) -> None:
        metrics = MemoryMetrics()
        fault = Fault(
            kind=FaultKind.THROTTLED,
            is_maybe_accepted=True,
            retry_after=timedelta(seconds=3),
            detail=f"no room for <{echo}>, try later",
        )
        with pytest.raises(ProviderFault) as raised:
            await ProviderCalls(metrics).make(self._job(), "submit", self._fails(fault))
        assert raised.value.fault == Fault(
            kind=FaultKind.THROTTLED,
            is_maybe_accepted=True,
            retry_after=timedelta(seconds=3),
            detail="no room for <[prompt]",
        )
        assert_says_nothing(raised.value)
        assert metrics.calls == {("fal", "submit", "throttled"): 1}
        assert_says_nothing(metrics.calls)
        assert_tells(logs, "submit", "no room for <[prompt]")

    async def test_a_fault_that_repeats_nothing_is_passed_on_as_it_is(self, logs: list[Any]) -> None:
        fault = Fault(kind=FaultKind.UNAVAILABLE, detail="503: maintenance")
        with pytest.raises(ProviderFault) as raised:
            await ProviderCalls(MemoryMetrics()).make(self._job(), "poll", self._fails(fault))
        assert raised.value.fault == fault
        assert_tells(logs, "poll", "503: maintenance")

    async def test_any_other_error_is_no_providers_and_is_neither_counted_nor_logged_here(
        self, logs: list[Any]
    ) -> None:
        async def breaks() -> int:
            raise ZeroDivisionError

        metrics = MemoryMetrics()
        with pytest.raises(ZeroDivisionError):
            await ProviderCalls(metrics).make(self._job(), "poll", breaks())
        assert (metrics.calls, logs) == ({}, [])

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (ProviderFault(Fault(kind=FaultKind.UNAUTHORIZED)), "unauthorized"),
            (TimeoutError(), "deadline"),
            (MediaUnavailable(), "storage"),
        ],
    )
    def test_a_copy_fails_by_the_provider_by_the_clock_or_by_our_own_storage(
        self, logs: list[Any], error: Exception, kind: str
    ) -> None:
        metrics = MemoryMetrics()
        ProviderCalls(metrics).note_failure(self._job(), "copy", error)
        assert metrics.calls == {("fal", "copy", kind): 1}
        assert [entry["fault"] for entry in logs] == [kind]


class TestJobs:
    """The same, from end to end: log, metrics, events, and what the customer is shown."""

    async def _check(self, world: World, job: Job) -> None:
        events = [logged.event for logged in await world.store.events_after(job.job_id, 1)]
        assert len(events) > 1
        # But for `Created`, which holds the request itself.
        assert_says_nothing(events)
        assert_says_nothing(world.metrics.calls)
        assert_says_nothing(job.failure)
        assert_says_nothing(job.failure_text)

    @pytest.mark.parametrize("echo", ECHOES)
    @pytest.mark.parametrize("is_maybe_accepted", [False, True])
    async def test_a_submit_that_was_refused_or_never_answered(
        self, *, world: World, ada: Customer, logs: list[Any], echo: str, is_maybe_accepted: bool
    ) -> None:
        kind = FaultKind.UNINTELLIGIBLE if is_maybe_accepted else FaultKind.REJECTED
        world.fal.submit_faults = [Fault(kind=kind, is_maybe_accepted=is_maybe_accepted, detail=f"bad: <{echo}>")]
        job = await run(world, await world.create(ada, prompt=PROMPT))
        event = (await world.store.events_after(job.job_id, 2))[0].event
        assert isinstance(event, SubmitUnanswered if is_maybe_accepted else SubmitRefused)
        assert event.fault.detail == "bad: <[prompt]"
        assert job.failure is not None
        assert job.failure.fault == event.fault
        assert_tells(logs, "submit", "bad: <[prompt]")
        await self._check(world, job)

    @pytest.mark.parametrize("echo", ECHOES)
    async def test_a_task_that_ended_without_a_video(
        self, world: World, ada: Customer, logs: list[Any], echo: str
    ) -> None:
        world.fal.is_held = True
        job = await world.create(ada, prompt=PROMPT)
        await world.run_due()
        fault = Fault(kind=FaultKind.REJECTED, detail=f"flagged: <{echo}>")
        world.fal.fail("fal-task-1", JobFailure(code=FailureCode.REJECTED, message="Not this.", fault=fault))
        job = await run(world, job)
        assert job.failure == JobFailure(
            code=FailureCode.REJECTED,
            message="Not this.",
            fault=Fault(kind=FaultKind.REJECTED, detail="flagged: <[prompt]"),
        )
        assert_says_nothing(logs)
        await self._check(world, job)

    async def test_a_task_that_was_lost(self, world: World, ada: Customer, logs: list[Any]) -> None:
        world.fal.is_held = True
        world.fal.poll_faults = [Fault(kind=FaultKind.TASK_UNKNOWN, detail=f"no task for <{PROMPT}>")] * 3
        job = await run_when_due(world, await world.create(ada, prompt=PROMPT))
        event = (await world.store.events_after(job.job_id, 3))[0].event
        assert isinstance(event, Failed)
        assert event.failure.fault == Fault(kind=FaultKind.TASK_UNKNOWN, detail="no task for <[prompt]")
        assert_tells(logs, "poll", "no task for <[prompt]")
        await self._check(world, job)

    async def test_a_look_a_copy_and_a_cancel_that_failed(self, world: World, ada: Customer, logs: list[Any]) -> None:
        echo = Fault(kind=FaultKind.UNAVAILABLE, detail=f"503 for <{PIECE}>")
        world.fal.poll_faults, world.fal.open_faults, world.fal.cancel_faults = [echo], [echo], [echo]
        world.media.put_fault_count = 99
        job = await run(world, await world.create(ada, prompt=PROMPT))
        assert job.state is JobState.EXPIRED
        await self._check(world, job)
        assert_says_nothing(logs)
        told = [(entry["operation"], entry["detail"]) for entry in logs if entry.get("fault") == "unavailable"]
        assert told == [(operation, "503 for <[prompt]") for operation in ("poll", "copy", "cancel")]

    async def test_a_lost_task_that_could_not_be_given_back(self, world: World, ada: Customer, logs: list[Any]) -> None:
        world.local.is_held = True
        job = await world.create(ada, model="local/storyboard", prompt=PROMPT)
        await world.run_due()
        world.local.forget(job.job_id)
        world.local.submit_faults = [Fault(kind=FaultKind.UNAVAILABLE, detail=f"busy with <{PROMPT}>")]
        world.local.is_held = False
        job = await run(world, job)
        assert job.state is JobState.SUCCEEDED
        assert_tells(logs, "submit", "busy with <[prompt]")
        await self._check(world, job)
