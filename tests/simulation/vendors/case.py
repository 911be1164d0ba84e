"""One job, and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from reelgate_server.domain.events import Failed, JobEvent, SubmitRefused, Submitted, SubmitUnanswered
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_simulators.base import Render
from tests.simulation.vendors.wishes import Wish


@dataclass(frozen=True, kw_only=True)
class Case:
    """A job, and what is known of it inside and outside."""

    wish: Wish
    job: Job
    log: tuple[JobEvent, ...]
    renders: tuple[tuple[str, Render[Any]], ...]
    """What was accepted for it, and by which provider."""
    submit_count: int
    """Requests to make something for it, accepted or not."""

    @property
    def was_cancelled(self) -> bool:
        """Its customer ended it."""
        return self.job.state is JobState.CANCELLED

    @property
    def own_render(self) -> Render[Any] | None:
        """The render that it follows."""
        task = self.job.task
        return next((each for _, each in self.renders if task is not None and each.id == task.task_id), None)

    def count(self, kind: type[JobEvent]) -> int:
        """How often something happened."""
        return sum(isinstance(event, kind) for event in self.log)


def outcomes_of(case: Case) -> Iterator[str]:
    """What happened to a job, in words that a run can be asked for."""
    yield case.job.state.value
    if case.job.failure is not None:
        yield f"failed: {case.job.failure.code}"
    names = [type(event) for event in case.log]
    has_refusal = any(isinstance(event, SubmitRefused) and event.next is not None for event in case.log)
    if has_refusal and case.job.state is JobState.SUCCEEDED:
        yield "failed over"
    if (SubmitUnanswered, Submitted) in pairwise(names):
        yield "recovered by webhook"
    if len(case.renders) > 1:
        yield "made twice"
    if SubmitUnanswered in names and case.job.state is JobState.SUCCEEDED:
        yield "succeeded in spite of a lost answer"
    if Failed in names and case.renders and case.job.task is None:
        yield "made for nobody"
