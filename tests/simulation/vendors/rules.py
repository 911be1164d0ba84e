"""What must be true of one job, whatever went wrong."""

from datetime import timedelta
from typing import Final

from reelgate_server.domain.accounts import AmbiguousSubmit
from reelgate_server.domain.events import (
    Cancelled,
    FailureCode,
    JobEvent,
    SubmitIntended,
    SubmitRefused,
    Submitted,
    SubmitUnanswered,
)
from reelgate_server.domain.faults import FaultKind
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.retry import SUBMIT_ATTEMPT_COUNT_MAX
from reelgate_simulators.base import RenderState
from tests.simulation.vendors.case import Case
from tests.simulation.vendors.studio import end_of
from tests.simulation.vendors.wishes import MISSING_URL

SLACK: Final = timedelta(minutes=3)
"""Before its deadline, within which a job may lack the time for all the looks that its bad day costs."""


def check_submits(case: Case) -> None:
    """Nobody makes for a job twice, unless its plan says so and an answer was lost."""
    job, providers = case.job, {provider for provider, _ in case.renders}
    unanswered_count = case.count(SubmitUnanswered)
    allowed = 2 if job.ambiguous_submit is AmbiguousSubmit.RETRY and unanswered_count else 1
    assert len(case.renders) <= allowed, f"{job.job_id} was accepted {len(case.renders)} times: {case.log}"
    assert len(providers) <= 1 or unanswered_count, f"{job.job_id} was accepted by {providers}"
    intents = [event.attempt for event in case.log if isinstance(event, SubmitIntended)]
    assert intents == list(range(1, len(intents) + 1)), f"{job.job_id}: attempts {intents}"
    refused_count = case.count(SubmitRefused)
    assert len(case.renders) <= len(intents) - refused_count, f"{job.job_id}: what was refused was taken: {case.log}"
    throttled_count = sum(_is_throttling(event) for event in case.log)
    assert len(intents) <= SUBMIT_ATTEMPT_COUNT_MAX + throttled_count, f"{job.job_id}: {case.log}"
    assert case.submit_count <= len(intents), f"{job.job_id} was sent {case.submit_count} times, {case.log}"
    assert unanswered_count <= allowed
    outcomes = refused_count + unanswered_count + case.count(Submitted)
    # The last may be under way, or was broken off by an end; and a webhook may tell of one that was not answered.
    assert len(intents) - 1 <= outcomes <= len(intents) + 1, f"{job.job_id}: {case.log}"


def _is_throttling(event: JobEvent) -> bool:
    return isinstance(event, SubmitRefused) and event.fault.kind is FaultKind.THROTTLED


def check_outcome(case: Case) -> None:
    """A job ended as its render did, or for a reason of its own."""
    job, render, prompt = case.job, case.own_render, case.wish.prompt
    is_harmless = "[" not in prompt or "[slow]" in prompt
    if job.state is JobState.SUCCEEDED:
        assert render is not None
        assert render.state is RenderState.SUCCEEDED
        assert is_harmless
    if job.task is not None:
        assert render is not None, f"{job.job_id} follows a task that nobody made for it"
        is_early = render.is_ended and end_of(render) <= job.expire_time - SLACK
        is_followed = job.submit_time is not None and job.submit_time <= job.expire_time - SLACK
        if render.state is RenderState.SUCCEEDED:
            lost = job.state not in {JobState.SUCCEEDED, JobState.CANCELLED}
            assert job.state is not JobState.FAILED, f"{job.job_id} failed though its render did not: {job.failure}"
            assert not (lost and is_early and is_followed), f"{job.job_id} is {job.state}: {case.log}"
        if job.state in {JobState.CANCELLED, JobState.EXPIRED} and job.provider in {"fal", "vllm_omni"}:
            assert render.is_ended, f"{job.job_id} renders for nobody"
    if job.state is JobState.FAILED:
        _check_failure(case)
    assert (job.state is JobState.CANCELLED) == (case.count(Cancelled) == 1)


def _check_failure(case: Case) -> None:
    """A customer is not told of a bad day what is not true of what they asked for."""
    job, failure = case.job, case.job.failure
    assert failure is not None
    prompt, image_url = case.wish.prompt, case.wish.fields.get("image_url")
    match failure.code:
        case FailureCode.REJECTED:
            assert "[reject]" in prompt or "[filter]" in prompt, f"{job.job_id}: {failure}"
        case FailureCode.IMAGE_UNUSABLE:
            assert image_url == MISSING_URL, f"{job.job_id}: {case.log[1:]}"
        case FailureCode.SUBMIT_UNANSWERED:
            assert isinstance(case.log[-2], SubmitUnanswered), f"{job.job_id}: {case.log}"
        case FailureCode.PROVIDER_ERROR if job.task is None:
            assert isinstance(case.log[-2], SubmitRefused | SubmitUnanswered), f"{job.job_id}: {case.log}"
        case FailureCode.PROVIDER_ERROR:
            assert case.own_render is not None
            assert case.own_render.state is RenderState.FAILED, f"{job.job_id}: {failure}"
        case _:
            raise AssertionError(f"{job.job_id}: {failure}")
