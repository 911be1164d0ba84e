"""A job is what its log adds up to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy
from reelgate_server.domain.errors import IllegalTransition
from reelgate_server.domain.events import (
    Announced,
    Cancelled,
    Expired,
    Failed,
    Fallback,
    JobEvent,
    Progressed,
    Rendered,
    Stored,
    SubmitIntended,
    SubmitRefused,
    Submitted,
    SubmitUnanswered,
)
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import ProviderName
from reelgate_server.domain.job import Job, apply, extend, fold
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.spec import InlineImage
from tests.domain.builders import (
    ACCOUNT_ID,
    EVENTS,
    FAILURE,
    JOB_ID,
    LATER,
    LOST,
    MEDIA,
    NOW,
    SOURCE_URL,
    TASK,
    THROTTLED,
    a_job,
    a_request,
    a_spec,
    created,
)

FALLBACKS = (
    Fallback(provider=ProviderName("vertex"), render_duration=timedelta(seconds=8)),
    Fallback(provider=ProviderName("minimax"), render_duration=timedelta(seconds=10)),
)


def test_created_fills_everything_that_is_frozen_and_nothing_else() -> None:
    event = created(idempotency_key="key-1", is_simulated=True, fallbacks=FALLBACKS)
    assert fold([event]) == Job(
        job_id=JOB_ID,
        account_id=ACCOUNT_ID,
        key_id=event.key_id,
        request=a_request(),
        spec=a_spec(),
        quote=event.quote,
        billing=BillingPolicy.HOLD,
        ambiguous_submit=AmbiguousSubmit.FAIL,
        provider=event.provider,
        is_simulated=True,
        idempotency_key="key-1",
        create_time=NOW,
        expire_time=NOW + timedelta(minutes=10),
        state=JobState.PENDING,
        sequence=1,
        update_time=NOW,
        fallbacks=FALLBACKS,
        attempt_count=0,
        throttled_count=0,
        unanswered_count=0,
        retry_time=None,
        task=None,
        submit_time=None,
        is_announced=False,
        progress_percent=0,
        source_url=None,
        media=None,
        failure=None,
    )


def test_a_whole_log_folds_to_a_stored_video() -> None:
    times = [NOW + timedelta(seconds=each) for each in range(9)]
    job = fold(
        [
            created(event_time=times[0]),
            SubmitIntended(event_time=times[1], attempt=1),
            SubmitRefused(event_time=times[2], fault=THROTTLED, retry_time=times[3]),
            SubmitIntended(event_time=times[3], attempt=2),
            Submitted(event_time=times[4], task=TASK),
            Progressed(event_time=times[5], progress_percent=40),
            Progressed(event_time=times[6], progress_percent=99),
            Rendered(event_time=times[7], source_url=SOURCE_URL),
            Stored(event_time=times[8], media=MEDIA),
        ]
    )
    assert (job.state, job.sequence, job.progress_percent) == (JobState.SUCCEEDED, 9, 100)
    assert (job.create_time, job.update_time, job.end_time) == (NOW, times[8], times[8])
    assert (job.attempt_count, job.unanswered_count, job.retry_time) == (2, 0, None)
    assert (job.task, job.source_url, job.media, job.failure) == (TASK, SOURCE_URL, MEDIA, None)


def test_each_event_changes_its_own_fields_besides_state_sequence_and_time() -> None:
    pending, submitting = a_job(JobState.PENDING), a_job(JobState.SUBMITTING)
    processing, storing = a_job(JobState.PROCESSING), a_job(JobState.STORING)
    cases: list[tuple[Job, JobEvent, JobState, dict[str, Any]]] = [
        (pending, SubmitIntended(event_time=LATER, attempt=1), JobState.SUBMITTING, {"attempt_count": 1}),
        (
            submitting,
            Submitted(event_time=LATER, task=TASK),
            JobState.PROCESSING,
            {"task": TASK, "submit_time": LATER},
        ),
        (
            submitting,
            SubmitRefused(event_time=LATER, fault=THROTTLED, retry_time=LATER),
            JobState.PENDING,
            {"retry_time": LATER, "throttled_count": 1},
        ),
        (
            submitting,
            SubmitRefused(event_time=LATER, fault=Fault(kind=FaultKind.UNAVAILABLE), retry_time=LATER),
            JobState.PENDING,
            {"retry_time": LATER},
        ),
        (
            submitting,
            SubmitUnanswered(event_time=LATER, fault=LOST, retry_time=LATER),
            JobState.PENDING,
            {"retry_time": LATER, "unanswered_count": 1},
        ),
        (processing, Announced(event_time=LATER), JobState.PROCESSING, {"is_announced": True}),
        (
            processing,
            Progressed(event_time=LATER, progress_percent=7),
            JobState.PROCESSING,
            {"progress_percent": 7},
        ),
        (
            processing,
            Rendered(event_time=LATER, source_url=SOURCE_URL),
            JobState.STORING,
            {"source_url": SOURCE_URL},
        ),
        (
            storing,
            Stored(event_time=LATER, media=MEDIA),
            JobState.SUCCEEDED,
            {"media": MEDIA, "progress_percent": 100},
        ),
        (storing, Failed(event_time=LATER, failure=FAILURE), JobState.FAILED, {"failure": FAILURE}),
        (storing, Expired(event_time=LATER), JobState.EXPIRED, {}),
    ]
    for job, event, state, changes in cases:
        assert apply(job, event) == replace(job, state=state, sequence=job.sequence + 1, update_time=LATER, **changes)


def test_beginning_a_submit_clears_the_time_of_the_next_one() -> None:
    waiting = apply(a_job(JobState.SUBMITTING), SubmitRefused(event_time=NOW, fault=THROTTLED, retry_time=LATER))
    assert waiting.retry_time == LATER
    again = apply(waiting, SubmitIntended(event_time=LATER, attempt=2))
    assert (again.retry_time, again.attempt_count) == (None, 2)


def test_a_task_that_became_known_only_later_clears_the_time_of_the_next_submit() -> None:
    waiting = apply(a_job(JobState.SUBMITTING), SubmitUnanswered(event_time=NOW, fault=LOST, retry_time=LATER))
    found = apply(waiting, Submitted(event_time=LATER, task=TASK))
    assert (found.state, found.task, found.submit_time) == (JobState.PROCESSING, TASK, LATER)
    assert (found.retry_time, found.attempt_count, found.unanswered_count) == (None, 1, 1)


def test_the_next_provider_is_asked_for_its_own_length_at_the_same_price() -> None:
    job = a_job(JobState.SUBMITTING, fallbacks=FALLBACKS)
    assert (job.provider, job.fallbacks) == ("fal", FALLBACKS)
    moved = apply(job, SubmitRefused(event_time=NOW, fault=THROTTLED, retry_time=NOW, next=FALLBACKS[0]))
    assert (moved.state, moved.provider, moved.fallbacks) == (JobState.PENDING, "vertex", FALLBACKS[1:])
    assert moved.spec == a_spec(render_duration=timedelta(seconds=8))
    assert (moved.quote, moved.request, moved.attempt_count) == (job.quote, job.request, 1)


def test_a_refusal_that_names_nobody_leaves_the_job_with_its_provider() -> None:
    job = a_job(JobState.SUBMITTING, fallbacks=FALLBACKS)
    left = apply(job, SubmitRefused(event_time=NOW, fault=THROTTLED, retry_time=LATER))
    assert (left.provider, left.fallbacks, left.spec) == ("fal", FALLBACKS, a_spec())


def test_a_job_has_ended_in_the_four_ends_only() -> None:
    ended = {state for state in JobState if a_job(state).is_terminal}
    assert ended == {"succeeded", "failed", "cancelled", "expired"}
    assert {state for state in JobState if a_job(state).end_time == NOW} == ended
    assert {state for state in JobState if a_job(state).end_time is None} == set(JobState) - ended


def test_every_end_without_a_video_says_why_and_nothing_else_does() -> None:
    assert {state.value: text for state in JobState if (text := a_job(state).failure_text) is not None} == {
        "failed": "The provider refused to render this content.",
        "cancelled": "The job was cancelled.",
        "expired": "The job did not end before its deadline.",
    }


def test_a_job_begins_with_an_image_at_an_address_or_with_one_that_came_along() -> None:
    image = InlineImage(sha256="ab" * 32, content_type="image/png")
    assert not a_spec().has_image
    assert a_spec(image_url="https://images.test/a.png").has_image
    assert a_spec(image=image).has_image


@pytest.mark.parametrize("end", [Cancelled, Expired])
def test_an_abandoned_task_is_still_worth_driving(end: type[JobEvent]) -> None:
    with_task = apply(a_job(JobState.PROCESSING), EVENTS[end])
    assert (with_task.is_terminal, with_task.wants_driving) == (True, True)
    assert with_task.is_abandoned
    without_task = apply(a_job(JobState.PENDING), EVENTS[end])
    assert (without_task.is_terminal, without_task.wants_driving) == (True, False)
    assert not without_task.is_abandoned


def test_a_job_is_driven_until_it_ends() -> None:
    driven = {state for state in JobState if a_job(state).wants_driving}
    assert driven == {"pending", "submitting", "processing", "storing"}


def test_a_job_that_came_with_an_image_is_driven_on_when_it_has_ended() -> None:
    image = InlineImage(sha256="ab" * 32, content_type="image/png")
    assert all(a_job(state, spec=a_spec(image=image)).wants_driving for state in JobState)
    addressed = a_spec(image_url="https://images.test/a.png")
    assert not a_job(JobState.SUCCEEDED, spec=addressed).wants_driving


def test_a_task_is_abandoned_only_by_an_end_that_its_provider_does_not_know_of() -> None:
    assert [state for state in JobState if a_job(state).is_abandoned] == []
    with_task = a_job(JobState.PROCESSING)
    assert apply(with_task, EVENTS[Cancelled]).is_abandoned
    assert apply(with_task, EVENTS[Expired]).is_abandoned
    assert not apply(with_task, EVENTS[Failed]).is_abandoned


def test_applying_an_event_does_not_change_its_argument() -> None:
    job = a_job(JobState.PROCESSING)
    apply(job, Progressed(event_time=LATER, progress_percent=50))
    assert job == a_job(JobState.PROCESSING)


def test_a_log_can_be_folded_in_pieces() -> None:
    log = [created(), *(EVENTS[each] for each in (SubmitIntended, Submitted, Rendered, Stored))]
    for cut in range(1, len(log) + 1):
        assert extend(fold(log[:cut]), log[cut:]) == fold(log)


def test_a_log_without_events_is_no_job() -> None:
    with pytest.raises(ValueError, match=r"^not enough values to unpack"):
        fold([])


def test_a_log_begins_with_created_and_holds_it_once() -> None:
    with pytest.raises(IllegalTransition, match=r"^Expired is not possible in state None\.$"):
        fold([EVENTS[Expired]])
    with pytest.raises(IllegalTransition, match=r"^Created is not possible in state pending\.$"):
        fold([created(), created()])
