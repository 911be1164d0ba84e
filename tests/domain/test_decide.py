"""What each command does to a job, state by state."""

from datetime import timedelta

import pytest

from reelgate_server.domain.accounts import AmbiguousSubmit
from reelgate_server.domain.decide import (
    Cancel,
    Command,
    Expire,
    Fail,
    IntendSubmit,
    RecordAnnounced,
    RecordProgress,
    RecordRendered,
    RecordStored,
    RecordSubmitFault,
    RecordSubmitted,
    decide,
)
from reelgate_server.domain.errors import IllegalTransition, JobNotCancellable
from reelgate_server.domain.events import (
    Announced,
    Cancelled,
    Expired,
    Failed,
    FailureCode,
    Fallback,
    JobFailure,
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
from reelgate_server.domain.job import Job, apply, extend
from reelgate_server.domain.lifecycle import JobState
from tests.domain.builders import EVENTS, FAILURE, LATER, LOST, MEDIA, NOW, SOURCE_URL, TASK, THROTTLED, a_job

DEADLINE = NOW + timedelta(minutes=10)
LIVE = [JobState.PENDING, JobState.SUBMITTING, JobState.PROCESSING, JobState.STORING]
ENDING = {JobState.CANCELLED: EVENTS[Cancelled], JobState.EXPIRED: EVENTS[Expired]}
ENDS = [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED]


DOWN = Fault(kind=FaultKind.UNAVAILABLE)
NEXT = Fallback(provider=ProviderName("vertex"), render_duration=timedelta(seconds=8))


def submitting(
    *,
    attempt: int = 1,
    unanswered_count: int = 0,
    throttled_count: int = 0,
    policy: AmbiguousSubmit = AmbiguousSubmit.FAIL,
) -> Job:
    """A job in its nth submit: the first ones were never answered, the next throttled, the others failed."""
    job = a_job(JobState.PENDING, ambiguous_submit=policy)
    for number in range(1, attempt):
        is_throttled = number <= unanswered_count + throttled_count
        refused = SubmitRefused(event_time=NOW, fault=THROTTLED if is_throttled else DOWN, retry_time=LATER)
        end = EVENTS[SubmitUnanswered] if number <= unanswered_count else refused
        job = apply(apply(job, SubmitIntended(event_time=NOW, attempt=number)), end)
    return apply(job, SubmitIntended(event_time=NOW, attempt=attempt))


def test_intending_a_submit_counts_the_attempts() -> None:
    first = a_job(JobState.PENDING)
    assert decide(first, IntendSubmit(), LATER) == (SubmitIntended(event_time=LATER, attempt=1),)
    second = apply(submitting(), EVENTS[SubmitRefused])
    assert decide(second, IntendSubmit(), LATER) == (SubmitIntended(event_time=LATER, attempt=2),)


def test_what_the_provider_said_is_recorded_as_it_is() -> None:
    assert decide(a_job(JobState.SUBMITTING), RecordSubmitted(TASK), LATER) == (Submitted(event_time=LATER, task=TASK),)
    assert decide(a_job(JobState.PROCESSING), RecordRendered(SOURCE_URL), LATER) == (
        Rendered(event_time=LATER, source_url=SOURCE_URL),
    )
    assert decide(a_job(JobState.STORING), RecordStored(MEDIA), LATER) == (Stored(event_time=LATER, media=MEDIA),)


@pytest.mark.parametrize("state", LIVE)
def test_a_failure_ends_a_job_in_every_state_that_is_no_end(state: JobState) -> None:
    events = decide(a_job(state), Fail(FAILURE), LATER)
    assert events == (Failed(event_time=LATER, failure=FAILURE),)
    ended = extend(a_job(state), events)
    assert (ended.state, ended.failure) == (JobState.FAILED, FAILURE)


@pytest.mark.parametrize(
    ("before", "reported", "told"),
    [(0, 1, 1), (40, 41, 41), (40, 99, 99), (40, 100, 99), (0, 1000, 99)],
)
def test_progress_that_has_grown_is_told_up_to_99(before: int, reported: int, told: int) -> None:
    job = extend(a_job(JobState.PROCESSING), [Progressed(event_time=NOW, progress_percent=before)])
    assert decide(job, RecordProgress(reported), LATER) == (Progressed(event_time=LATER, progress_percent=told),)


@pytest.mark.parametrize(("before", "reported"), [(0, 0), (0, -5), (40, 40), (40, 39), (99, 99), (99, 100)])
def test_progress_that_has_not_grown_says_nothing(before: int, reported: int) -> None:
    job = extend(a_job(JobState.PROCESSING), [Progressed(event_time=NOW, progress_percent=before)])
    assert decide(job, RecordProgress(reported), LATER) == ()


@pytest.mark.parametrize(("fault", "delay_s"), [(DOWN, 1), (THROTTLED, 21)])
def test_a_submit_that_was_surely_not_accepted_is_tried_again_later(fault: Fault, delay_s: int) -> None:
    events = decide(submitting(), RecordSubmitFault(fault, draw=0.5), LATER)
    assert events == (SubmitRefused(event_time=LATER, fault=fault, retry_time=LATER + timedelta(seconds=delay_s)),)
    job = extend(submitting(), events)
    assert job.state is JobState.PENDING


def test_a_submit_that_is_useless_to_repeat_fails_in_the_same_append() -> None:
    fault = Fault(kind=FaultKind.REJECTED)
    assert decide(submitting(), RecordSubmitFault(fault, draw=0.5), LATER) == (
        SubmitRefused(event_time=LATER, fault=fault, retry_time=LATER),
        Failed(
            event_time=LATER,
            failure=JobFailure(
                code=FailureCode.REJECTED, message="The provider refused to render this content.", fault=fault
            ),
        ),
    )


def test_the_fifth_refused_submit_is_the_last() -> None:
    fourth = decide(submitting(attempt=4), RecordSubmitFault(DOWN, draw=0.0), LATER)
    assert [type(event) for event in fourth] == [SubmitRefused]
    fifth = decide(submitting(attempt=5), RecordSubmitFault(DOWN, draw=0.0), LATER)
    assert [type(event) for event in fifth] == [SubmitRefused, Failed]


@pytest.mark.parametrize("throttled_count", [1, 4, 50])
def test_submits_that_were_throttled_are_not_among_the_five(throttled_count: int) -> None:
    throttled = submitting(attempt=throttled_count + 1, throttled_count=throttled_count)
    once_more = decide(throttled, RecordSubmitFault(THROTTLED, draw=0.0), LATER)
    assert [type(event) for event in once_more] == [SubmitRefused]
    for attempt, expected in ((4, [SubmitRefused]), (5, [SubmitRefused, Failed])):
        job = submitting(attempt=throttled_count + attempt, throttled_count=throttled_count)
        events = decide(job, RecordSubmitFault(DOWN, draw=0.0), LATER)
        assert [type(event) for event in events] == expected


def test_a_throttled_submit_waits_no_longer_for_those_that_were_throttled_before() -> None:
    job = submitting(attempt=10, throttled_count=9)
    (event,) = decide(job, RecordSubmitFault(THROTTLED, draw=0.5), LATER)
    assert event == SubmitRefused(event_time=LATER, fault=THROTTLED, retry_time=LATER + timedelta(seconds=21))


def test_a_lost_answer_fails_the_job_where_the_plan_says_so() -> None:
    job = submitting(policy=AmbiguousSubmit.FAIL)
    events = decide(job, RecordSubmitFault(LOST, draw=0.5), LATER)
    assert events == (
        SubmitUnanswered(event_time=LATER, fault=LOST, retry_time=LATER),
        Failed(
            event_time=LATER,
            failure=JobFailure(
                code=FailureCode.SUBMIT_UNANSWERED,
                message="The provider did not confirm that it took the job; it was not sent again.",
                fault=LOST,
            ),
        ),
    )
    ended = extend(job, events)
    assert (ended.state, ended.unanswered_count) == (JobState.FAILED, 1)


def test_a_lost_answer_is_tried_once_more_where_the_plan_says_so() -> None:
    first = submitting(policy=AmbiguousSubmit.RETRY)
    assert decide(first, RecordSubmitFault(LOST, draw=0.5), LATER) == (
        SubmitUnanswered(event_time=LATER, fault=LOST, retry_time=LATER + timedelta(seconds=1)),
    )
    second = submitting(attempt=2, unanswered_count=1, policy=AmbiguousSubmit.RETRY)
    events = decide(second, RecordSubmitFault(LOST, draw=0.5), LATER)
    assert [type(event) for event in events] == [SubmitUnanswered, Failed]


def test_a_submit_that_was_surely_not_accepted_goes_to_the_next_provider_at_once() -> None:
    job = apply(a_job(JobState.PENDING, fallbacks=(NEXT,)), SubmitIntended(event_time=NOW, attempt=1))
    events = decide(job, RecordSubmitFault(THROTTLED, draw=0.5), LATER)
    assert events == (SubmitRefused(event_time=LATER, fault=THROTTLED, retry_time=LATER, next=NEXT),)
    moved = extend(job, events)
    assert (moved.state, moved.provider, moved.fallbacks) == (JobState.PENDING, "vertex", ())


@pytest.mark.parametrize("fault", [Fault(kind=FaultKind.REJECTED), Fault(kind=FaultKind.IMAGE_UNUSABLE), LOST])
def test_what_is_forbidden_or_may_have_been_accepted_ends_with_the_first_provider(fault: Fault) -> None:
    job = apply(a_job(JobState.PENDING, fallbacks=(NEXT,)), SubmitIntended(event_time=NOW, attempt=1))
    events = decide(job, RecordSubmitFault(fault, draw=0.5), LATER)
    assert type(events[-1]) is Failed
    assert extend(job, events).provider == "fal"


def test_a_lost_answer_that_will_be_announced_is_waited_for_until_the_deadline() -> None:
    job = submitting()
    events = decide(job, RecordSubmitFault(LOST, draw=0.5, is_announced=True), LATER)
    assert events == (SubmitUnanswered(event_time=LATER, fault=LOST, retry_time=DEADLINE),)
    assert extend(job, events).state is JobState.PENDING


@pytest.mark.parametrize("fault", [Fault(kind=FaultKind.REJECTED), Fault(kind=FaultKind.UNAUTHORIZED)])
def test_a_refusal_after_a_lost_answer_is_recorded_as_one_and_the_lost_one_is_waited_for(fault: Fault) -> None:
    job = submitting(attempt=2, unanswered_count=1, policy=AmbiguousSubmit.RETRY)
    events = decide(job, RecordSubmitFault(fault, draw=0.5, is_announced=True), LATER)
    assert events == (SubmitRefused(event_time=LATER, fault=fault, retry_time=DEADLINE),)
    waiting = extend(job, events)
    assert (waiting.state, waiting.unanswered_count) == (JobState.PENDING, 1)


def test_an_announced_task_is_recorded_once() -> None:
    job = a_job(JobState.PROCESSING)
    events = decide(job, RecordAnnounced("task-1"), LATER)
    assert events == (Announced(event_time=LATER),)
    assert decide(extend(job, events), RecordAnnounced("task-1"), LATER) == ()


def test_an_announcement_of_another_task_says_nothing() -> None:
    assert decide(a_job(JobState.PROCESSING), RecordAnnounced("task-2"), LATER) == ()


@pytest.mark.parametrize("state", sorted(set(JobState) - {JobState.PROCESSING}))
def test_an_announcement_says_nothing_but_of_a_job_that_is_rendering(state: JobState) -> None:
    assert decide(a_job(state), RecordAnnounced("task-1"), LATER) == ()


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.SUBMITTING, JobState.PROCESSING])
def test_a_job_can_be_cancelled_until_it_is_rendered(state: JobState) -> None:
    assert decide(a_job(state), Cancel(), LATER) == (Cancelled(event_time=LATER),)


def test_cancelling_a_cancelled_job_says_nothing() -> None:
    assert decide(a_job(JobState.CANCELLED), Cancel(), LATER) == ()


@pytest.mark.parametrize("state", [JobState.STORING, JobState.SUCCEEDED, JobState.FAILED, JobState.EXPIRED])
def test_a_job_that_is_stored_or_ended_cannot_be_cancelled(state: JobState) -> None:
    job = a_job(state)
    with pytest.raises(JobNotCancellable, match=rf"^A job that is {state} cannot be cancelled\.$"):
        decide(job, Cancel(), LATER)
    assert job == a_job(state)


@pytest.mark.parametrize("state", LIVE)
def test_a_job_expires_at_its_deadline_and_not_before(state: JobState) -> None:
    assert decide(a_job(state), Expire(), DEADLINE - timedelta(microseconds=1)) == ()
    assert decide(a_job(state), Expire(), DEADLINE) == (Expired(event_time=DEADLINE),)


@pytest.mark.parametrize("state", ENDS)
def test_a_job_that_has_ended_does_not_expire(state: JobState) -> None:
    assert decide(a_job(state), Expire(), DEADLINE + timedelta(days=1)) == ()


@pytest.mark.parametrize("state", ENDS)
@pytest.mark.parametrize(
    "command",
    [
        IntendSubmit(),
        RecordSubmitted(TASK),
        RecordSubmitFault(THROTTLED, draw=0.5),
        RecordRendered(SOURCE_URL),
        RecordStored(MEDIA),
        Fail(FAILURE),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_a_driver_says_too_late_cannot_be_applied_to_an_ended_job(state: JobState, command: Command) -> None:
    # The driver had begun a submit when the job ended under it.
    job = a_job(state) if state in {JobState.SUCCEEDED, JobState.FAILED} else apply(submitting(), ENDING[state])
    assert job.state is state
    with pytest.raises(IllegalTransition):
        extend(job, decide(job, command, LATER))
