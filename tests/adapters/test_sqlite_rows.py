"""Rows of the SQLite store: what goes in comes out."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.adapters.store.rows import (
    from_job,
    from_logged_event,
    from_microseconds,
    to_job,
    to_logged_event,
    to_microseconds,
)
from reelgate_server.domain.events import (
    Announced,
    Cancelled,
    Expired,
    Failed,
    FailureCode,
    Fallback,
    JobEvent,
    JobFailure,
    LoggedEvent,
    Progressed,
    Rendered,
    Stored,
    SubmitIntended,
    SubmitRefused,
    Submitted,
    SubmitUnanswered,
    Task,
)
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import ProviderName
from reelgate_server.domain.job import extend, fold
from reelgate_server.domain.spec import InlineImage
from tests.support.builders import (
    NOON,
    after_noon,
    job_id,
    make_created,
    make_job,
    make_media,
    make_quote,
    make_request,
    make_spec,
    steps_to_success,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=8,
)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
FAULT = Fault(
    kind=FaultKind.UNAVAILABLE, is_maybe_accepted=True, retry_after=timedelta(microseconds=1_500_001), detail="später"
)
NEXT = Fallback(provider=ProviderName("vertex"), render_duration=timedelta(seconds=8))
IMAGE = InlineImage(sha256="ab" * 32, content_type="image/png")
EVENTS: tuple[JobEvent, ...] = (
    make_created(idempotency_key="clé"),
    make_created(request=make_request(image=IMAGE), spec=make_spec(image=IMAGE), fallbacks=(NEXT, NEXT)),
    *steps_to_success(),
    Submitted(event_time=NOON, task=Task(task_id="task-1", credential="main")),
    Announced(event_time=NOON),
    SubmitRefused(event_time=NOON, fault=FAULT, retry_time=after_noon(1.5)),
    SubmitRefused(event_time=NOON, fault=FAULT, retry_time=NOON, next=NEXT),
    SubmitUnanswered(event_time=NOON, fault=FAULT, retry_time=after_noon(1.5)),
    Failed(event_time=NOON, failure=JobFailure(code=FailureCode.REJECTED, message="No.", fault=FAULT)),
    Cancelled(event_time=NOON),
    Expired(event_time=NOON),
)


@given(
    prompt=st.text(),
    extra=st.dictionaries(st.text(), JSON_VALUES, max_size=4),
    decimals=st.tuples(DECIMALS, DECIMALS),
    duration=st.timedeltas(),
    time=st.datetimes(timezones=st.just(UTC)),
)
def test_a_job_survives_its_document(
    prompt: str, extra: Mapping[str, Any], decimals: tuple[Decimal, Decimal], duration: timedelta, time: datetime
) -> None:
    job = make_job(
        event_time=time,
        request=make_request(prompt=prompt, extra=extra),
        spec=make_spec(prompt=prompt, extra=extra, render_duration=duration),
        quote=make_quote(markup=decimals[0], fx=decimals[1]),
    )
    copy = to_job(str(from_job(job, None)["document"]))
    assert copy == job
    assert (repr(copy.quote.markup), repr(copy.quote.fx)) == (repr(decimals[0]), repr(decimals[1]))
    assert repr(copy.spec.extra) == repr(extra)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_its_document(event: JobEvent) -> None:
    row = from_logged_event(job_id(1), LoggedEvent(sequence=7, event=event))
    copy = to_logged_event((row["sequence"], row["kind"], row["document"]))
    assert copy == LoggedEvent(sequence=7, event=event)


def test_a_job_that_has_ended_survives_its_document() -> None:
    job = extend(make_job(), steps_to_success())
    assert job is not None
    assert to_job(str(from_job(job, None)["document"])) == job


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_its_column(time: datetime) -> None:
    assert from_microseconds(to_microseconds(time)) == time


def test_a_column_holds_microseconds_since_1970_in_utc() -> None:
    paris_summer = timezone(timedelta(hours=2))
    assert to_microseconds(datetime(1970, 1, 1, 2, 0, 1, 5, tzinfo=paris_summer)) == 1_000_005
    assert to_microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    assert from_microseconds(1_000_005) == datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        to_microseconds(datetime(2026, 1, 1))  # noqa: DTZ001 (the point of the test)


def documents(kind: str) -> list[str]:
    """What the first version wrote of a kind, byte for byte: before routes, images in requests, and announcements."""
    lines = Path(__file__).with_name("documents_of_the_foundation.tsv").read_text("utf-8").splitlines()
    return [document for name, document in (line.split("\t") for line in lines) if name == kind]


def test_the_first_versions_events_are_read_as_they_were_meant() -> None:
    request = make_request(image_url="https://images.test/a.png", extra={"seed": 1})
    spec = make_spec(image_url="https://images.test/a.png", extra={"seed": 1})
    slow = Fault(kind=FaultKind.THROTTLED, retry_after=timedelta(seconds=2), detail="slow")
    lost = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)
    task = Task(task_id="task-1", urls={"poll": "https://example.test/p"}, credential=None)
    log: list[JobEvent] = [
        make_created(request=request, spec=spec, idempotency_key="k", fallbacks=()),
        SubmitIntended(event_time=after_noon(1), attempt=1),
        SubmitRefused(event_time=after_noon(2), fault=slow, retry_time=after_noon(4), next=None),
        SubmitIntended(event_time=after_noon(4), attempt=2),
        SubmitUnanswered(event_time=after_noon(5), fault=lost, retry_time=after_noon(6)),
        SubmitIntended(event_time=after_noon(6), attempt=3),
        Submitted(event_time=after_noon(7), task=task),
        Progressed(event_time=after_noon(8), progress_percent=40),
        Rendered(event_time=after_noon(9), source_url="https://example.test/video.mp4"),
        Stored(event_time=after_noon(10), media=make_media()),
        Failed(event_time=NOON, failure=JobFailure(code=FailureCode.SUBMIT_UNANSWERED, message="No.", fault=lost)),
        Cancelled(event_time=NOON),
        Expired(event_time=NOON),
    ]
    for kind in {type(event).__name__ for event in log}:
        read = [to_logged_event((1, kind, document)).event for document in documents(kind)]
        assert read == [event for event in log if type(event).__name__ == kind]


def test_the_first_versions_job_is_read_and_goes_on() -> None:
    (document,) = documents("Job")
    job = to_job(document)
    assert (job.state, job.sequence, job.attempt_count, job.progress_percent) == ("processing", 8, 3, 40)
    assert job.task == Task(task_id="task-1", urls={"poll": "https://example.test/p"})
    assert (job.fallbacks, job.submit_time, job.is_announced) == ((), None, False)
    assert (job.request.image, job.spec.image, job.spec.has_image) == (None, None, True)
    ended = extend(job, steps_to_success()[-2:])
    assert (ended.state, ended.progress_percent) == ("succeeded", 100)


def test_the_first_versions_log_adds_up_to_its_job_but_for_what_that_did_not_hold() -> None:
    kinds = ("Created", "SubmitRefused", "SubmitUnanswered", "Submitted", "Progressed")
    created, refused, unanswered, submitted, progressed = (
        to_logged_event((1, kind, documents(kind)[0])).event for kind in kinds
    )
    intents = [to_logged_event((1, "SubmitIntended", each)).event for each in documents("SubmitIntended")]
    log = [created, intents[0], refused, intents[1], unanswered, intents[2], submitted, progressed]
    (document,) = documents("Job")
    assert fold(log) == replace(to_job(document), submit_time=after_noon(7), throttled_count=1)


def test_a_document_of_an_earlier_version_lacks_fields_that_have_defaults() -> None:
    document = json.loads(str(from_job(make_job(), None)["document"]))
    for name in (
        "fallbacks",
        "attempt_count",
        "unanswered_count",
        "throttled_count",
        "retry_time",
        "task",
        "submit_time",
        "is_announced",
        "progress_percent",
        "media",
        "failure",
    ):
        del document[name]
    assert to_job(json.dumps(document)) == make_job()


def test_a_document_may_have_fields_that_this_version_does_not_know() -> None:
    document = json.loads(str(from_job(make_job(), None)["document"]))
    document["mood"] = "sunny"
    document["spec"]["seed"] = 7
    assert to_job(json.dumps(document)) == make_job()
