"""Every state with every event: allowed exactly as this table says."""

from copy import deepcopy
from typing import get_args

import pytest
from _pytest.mark import ParameterSet

from reelgate_server.domain.errors import IllegalTransition
from reelgate_server.domain.events import JobEvent
from reelgate_server.domain.job import apply
from reelgate_server.domain.lifecycle import TERMINAL, TRANSITIONS, JobState, next_state
from tests.domain.builders import EVENTS, a_job

EXPECTED = {
    "None": {"Created": "pending"},
    "pending": {
        "SubmitIntended": "submitting",
        "Submitted": "processing",
        "Failed": "failed",
        "Cancelled": "cancelled",
        "Expired": "expired",
    },
    "submitting": {
        "Submitted": "processing",
        "SubmitRefused": "pending",
        "SubmitUnanswered": "pending",
        "Failed": "failed",
        "Cancelled": "cancelled",
        "Expired": "expired",
    },
    "processing": {
        "Announced": "processing",
        "Progressed": "processing",
        "Rendered": "storing",
        "Failed": "failed",
        "Cancelled": "cancelled",
        "Expired": "expired",
    },
    "storing": {"Stored": "succeeded", "Failed": "failed", "Expired": "expired"},
    "succeeded": {},
    "failed": {},
    "cancelled": {},
    "expired": {},
}

STATES: tuple[JobState | None, ...] = (None, *JobState)
KINDS: tuple[type[JobEvent], ...] = get_args(JobEvent)


def _pairs(*, are_allowed: bool) -> list[ParameterSet]:
    return [
        pytest.param(state, kind, id=f"{state}-{kind.__name__}")
        for state in STATES
        for kind in KINDS
        if (kind.__name__ in EXPECTED[str(state)]) is are_allowed
    ]


def test_the_expected_table_names_every_state() -> None:
    assert list(EXPECTED) == [str(state) for state in STATES]
    assert set(EVENTS) == set(KINDS)


@pytest.mark.parametrize(("state", "kind"), _pairs(are_allowed=True))
def test_an_allowed_event_leads_where_the_table_says(state: JobState | None, kind: type[JobEvent]) -> None:
    expected = EXPECTED[str(state)][kind.__name__]
    assert next_state(state, kind) == expected
    job = None if state is None else a_job(state)
    assert apply(job, EVENTS[kind]).state == expected


@pytest.mark.parametrize(("state", "kind"), _pairs(are_allowed=False))
def test_any_other_event_is_refused_and_leaves_the_job_equal(state: JobState | None, kind: type[JobEvent]) -> None:
    job = None if state is None else a_job(state)
    before = deepcopy(job)
    with pytest.raises(IllegalTransition, match=rf"^{kind.__name__} is not possible in state {state}\.$"):
        next_state(state, kind)
    with pytest.raises(IllegalTransition):
        apply(job, EVENTS[kind])
    assert job == before


def test_nothing_leaves_an_end() -> None:
    assert set(TERMINAL) == {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}
    assert not [state for state, _ in TRANSITIONS if state in TERMINAL]


def test_every_state_that_is_no_end_can_expire_and_fail() -> None:
    can = {kind.__name__: {state for state, each in TRANSITIONS if each is kind} for kind in KINDS}
    assert can["Expired"] == can["Failed"] == {"pending", "submitting", "processing", "storing"}


def test_every_state_can_be_reached_from_nothing() -> None:
    reached: set[JobState | None] = {None}
    while found := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= found
    assert reached == set(STATES)


def test_an_end_can_be_reached_from_every_state() -> None:
    ending: set[JobState | None] = set(TERMINAL)
    while found := {before for (before, _), after in TRANSITIONS.items() if after in ending} - ending:
        ending |= found
    assert ending == set(STATES)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[JobState.FAILED, KINDS[0]] = JobState.PENDING  # type: ignore[index]
