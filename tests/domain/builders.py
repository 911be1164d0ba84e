"""Small valid things to start from; each test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy, Plan, Surface
from reelgate_server.domain.catalogue import ImageInput, Model, Route
from reelgate_server.domain.catalogue_toml import parse_catalogue
from reelgate_server.domain.events import (
    Announced,
    Cancelled,
    Created,
    Expired,
    Failed,
    FailureCode,
    JobEvent,
    JobFailure,
    Progressed,
    Rendered,
    Stored,
    StoredMedia,
    SubmitIntended,
    SubmitRefused,
    Submitted,
    SubmitUnanswered,
    Task,
)
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import AccountId, JobId, KeyId, ModelId, PlanName, ProviderName
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.money import Money
from reelgate_server.domain.pricing import Quote
from reelgate_server.domain.spec import JobRequest, Spec

NOW = datetime(2026, 6, 25, 12, 0, tzinfo=UTC)
"""When every event of a built job happens."""
LATER = NOW + timedelta(minutes=1)
"""When a test does something to a built job; before its deadline."""

JOB_ID = JobId("01980000-0000-7000-8000-000000000001")
ACCOUNT_ID = AccountId("01980000-0000-7000-8000-0000000000aa")

CATALOGUE_TEXT = (files("reelgate_server") / "catalogue.toml").read_text(encoding="utf-8")
CATALOGUE = parse_catalogue(CATALOGUE_TEXT, "catalogue.toml")
"""The file that ships with the package."""


def a_model(**changes: Any) -> Model:
    """Five to ten seconds of three ratios and two resolutions, an image if wanted."""
    model = Model(
        model_id=ModelId("test/model"),
        name="Test",
        routes=(a_route(),),
        surfaces=frozenset({Surface.KYMA}),
        cost_per_second=Decimal("0.10"),
        durations_s=(5, 6, 7, 8, 9, 10),
        duration_default_s=5,
        aspect_ratios=("16:9", "9:16", "1:1"),
        resolutions=("720p", "1080p"),
        has_audio=False,
        image_input=ImageInput.OPTIONAL,
        deadline=timedelta(minutes=10),
        typical_render_time=timedelta(minutes=2),
    )
    return replace(model, **changes)


def a_route(**changes: Any) -> Route:
    """Of fal, six or ten seconds, from text or an image."""
    route = Route(
        provider=ProviderName("fal"),
        text_endpoint="owner/app/text",
        image_endpoint="owner/app/image",
        render_durations_s=(6, 10),
    )
    return replace(route, **changes)


def a_request(**changes: Any) -> JobRequest:
    """A prompt for `a_model`, and nothing else."""
    return replace(JobRequest(model="test/model", prompt="a red kite"), **changes)


def a_plan(**changes: Any) -> Plan:
    """Dollars without markup, paid by hold."""
    plan = Plan(
        name=PlanName("test"),
        currency="USD",
        markup=Decimal(1),
        fx=Decimal(1),
        billing=BillingPolicy.HOLD,
        surface=Surface.NATIVE,
    )
    return replace(plan, **changes)


def a_spec(**changes: Any) -> Spec:
    """Five seconds, rendered as six."""
    spec = Spec(
        model=ModelId("test/model"),
        prompt="a red kite",
        clip_duration=timedelta(seconds=5),
        render_duration=timedelta(seconds=6),
        aspect_ratio="16:9",
        resolution="720p",
        image_url=None,
        extra={},
    )
    return replace(spec, **changes)


def created(**changes: Any) -> Created:
    """A job of half a dollar on hold, ten minutes before its deadline."""
    event = Created(
        event_time=NOW,
        job_id=JOB_ID,
        account_id=ACCOUNT_ID,
        key_id=KeyId("01980000-0000-7000-8000-0000000000bb"),
        request=a_request(),
        spec=a_spec(),
        quote=Quote(price=Money(500_000, "USD"), cost_per_second=Decimal("0.10"), markup=Decimal(1), fx=Decimal(1)),
        billing=BillingPolicy.HOLD,
        ambiguous_submit=AmbiguousSubmit.FAIL,
        provider=ProviderName("fal"),
        is_simulated=False,
        expire_time=NOW + timedelta(minutes=10),
    )
    return replace(event, **changes)


THROTTLED = Fault(kind=FaultKind.THROTTLED)
LOST = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)
TASK = Task(task_id="task-1", urls={"status": "https://queue.example/task-1/status"})
MEDIA = StoredMedia(
    object_name=f"generated-videos/{ACCOUNT_ID}/{JOB_ID}/video.mp4",
    content_type="video/mp4",
    size_bytes=1000,
    sha256="ab" * 32,
)
FAILURE = JobFailure(code=FailureCode.REJECTED, message="The provider refused to render this content.")
SOURCE_URL = "https://media.example/task-1.mp4"

EVENTS: dict[type[JobEvent], JobEvent] = {
    Created: created(),
    SubmitIntended: SubmitIntended(event_time=NOW, attempt=1),
    Submitted: Submitted(event_time=NOW, task=TASK),
    SubmitRefused: SubmitRefused(event_time=NOW, fault=THROTTLED, retry_time=LATER),
    SubmitUnanswered: SubmitUnanswered(event_time=NOW, fault=LOST, retry_time=LATER),
    Announced: Announced(event_time=NOW),
    Progressed: Progressed(event_time=NOW, progress_percent=40),
    Rendered: Rendered(event_time=NOW, source_url=SOURCE_URL),
    Stored: Stored(event_time=NOW, media=MEDIA),
    Failed: Failed(event_time=NOW, failure=FAILURE),
    Cancelled: Cancelled(event_time=NOW),
    Expired: Expired(event_time=NOW),
}
"""One event of every kind."""

SHORTEST_LOG: dict[JobState, tuple[type[JobEvent], ...]] = {
    JobState.PENDING: (Created,),
    JobState.SUBMITTING: (Created, SubmitIntended),
    JobState.PROCESSING: (Created, SubmitIntended, Submitted),
    JobState.STORING: (Created, SubmitIntended, Submitted, Rendered),
    JobState.SUCCEEDED: (Created, SubmitIntended, Submitted, Rendered, Stored),
    JobState.FAILED: (Created, SubmitIntended, Submitted, Failed),
    JobState.CANCELLED: (Created, Cancelled),
    JobState.EXPIRED: (Created, Expired),
}
"""The fewest events that lead to each state."""


def a_job(state: JobState = JobState.PENDING, **changes: Any) -> Job:
    """A job in a state, by the shortest log that leads there; `changes` are those of `Created`."""
    return fold([created(**changes), *(EVENTS[each] for each in SHORTEST_LOG[state][1:])])
