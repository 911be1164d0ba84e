"""Rows of the SQLite store: what goes in comes out."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
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
    Cancelled,
    Expired,
    Failed,
    FailureCode,
    JobEvent,
    JobFailure,
    LoggedEvent,
    SubmitRefused,
    SubmitUnanswered,
)
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.job import extend
from tests.support.builders import (
    NOON,
    after_noon,
    job_id,
    make_created,
    make_job,
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
EVENTS: tuple[JobEvent, ...] = (
    make_created(idempotency_key="clé"),
    *steps_to_success(),
    SubmitRefused(event_time=NOON, fault=FAULT, retry_time=after_noon(1.5)),
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


def test_a_document_of_an_earlier_version_lacks_fields_that_have_defaults() -> None:
    document = json.loads(str(from_job(make_job(), None)["document"]))
    for name in ("attempt_count", "unanswered_count", "retry_time", "task", "progress_percent", "media", "failure"):
        del document[name]
    assert to_job(json.dumps(document)) == make_job()


def test_a_document_may_have_fields_that_this_version_does_not_know() -> None:
    document = json.loads(str(from_job(make_job(), None)["document"]))
    document["mood"] = "sunny"
    document["spec"]["seed"] = 7
    assert to_job(json.dumps(document)) == make_job()
