"""Between the native messages and the domain, both ways."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.rpc import error_details_pb2

from reelgate.v1 import job_pb2, video_service_pb2
from reelgate_server.api import convert
from reelgate_server.app.providers import Availability
from reelgate_server.app.watch_job import JobUpdate, UpdateKind
from reelgate_server.domain.accounts import BillingPolicy, Surface
from reelgate_server.domain.catalogue import ImageInput
from reelgate_server.domain.events import Cancelled, Expired, Failed, FailureCode, JobFailure, LoggedEvent
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.ledger import TransferKind
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.spec import InlineImage, JobRequest
from tests.domain.builders import EVENTS, LATER, a_job, a_model, a_plan, a_spec, created
from tests.support.builders import account_id, job_id, make_credit, make_transfer
from tests.support.rpc import to_json


def media_url(object_name: str) -> str:
    return f"https://media.test/{object_name}"


class TestRequests:
    def test_a_bare_create_leaves_every_choice_open(self) -> None:
        request = video_service_pb2.CreateJobRequest(model="m", prompt="p")
        assert convert.from_create_request(request) == JobRequest(model="m", prompt="p")

    def test_a_full_create_keeps_everything(self) -> None:
        request = video_service_pb2.CreateJobRequest(
            model="m",
            prompt="p",
            clip_duration=Duration(seconds=5),
            aspect_ratio="9:16",
            resolution="1080p",
            image_url="https://images.test/a.png",
            extra={"seed": 7},
            idempotency_key="not part of the content",
        )
        assert convert.from_create_request(request) == JobRequest(
            model="m",
            prompt="p",
            clip_duration=timedelta(seconds=5),
            aspect_ratio="9:16",
            resolution="1080p",
            image_url="https://images.test/a.png",
            extra={"seed": 7},
        )

    @pytest.mark.parametrize(
        ("duration", "expected"),
        [
            (Duration(), timedelta()),
            (Duration(seconds=5), timedelta(seconds=5)),
            (Duration(seconds=5, nanos=500_000_000), timedelta(seconds=5, milliseconds=500)),
            (Duration(seconds=5, nanos=1), timedelta(seconds=5, microseconds=1)),
            (Duration(seconds=4, nanos=999_999_999), timedelta(seconds=5)),
        ],
    )
    def test_a_duration_is_kept_to_the_microsecond(self, duration: Duration, expected: timedelta) -> None:
        assert convert.from_duration(duration) == expected

    @pytest.mark.parametrize(
        "plain",
        [
            {},
            {"a": 1, "b": 2.5, "c": "text", "d": True, "e": False, "f": None, "g": [], "h": {}},
            {"deep": {"list": [1, [2, {"three": [None]}]]}},
            {"big": 2**53, "small": -(2**53), "zero": 0},
            {"ключ": "🎬"},
        ],
    )
    def test_a_json_object_makes_the_round_trip(self, plain: dict[str, Any]) -> None:
        struct = Struct()
        struct.update(plain)
        assert convert.from_struct(struct) == plain
        assert convert.from_value(convert.to_value(plain)) == plain

    def test_whole_numbers_become_integers_again(self) -> None:
        back = convert.from_value(convert.to_value([7, 7.0, 7.5, True]))
        assert [type(each) for each in back] == [int, int, float, bool]

    def test_a_value_of_no_kind_is_null(self) -> None:
        assert convert.from_value(convert.to_value(None)) is None
        assert convert.from_value(type(convert.to_value(None))()) is None

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (0, None),
            (1, {JobState.PENDING, JobState.SUBMITTING}),
            (2, {JobState.PROCESSING, JobState.STORING}),
            (3, {JobState.SUCCEEDED}),
            (4, {JobState.FAILED}),
            (5, {JobState.CANCELLED}),
            (6, {JobState.EXPIRED}),
        ],
    )
    def test_a_customers_state_stands_for_ours(self, state: int, expected: set[JobState] | None) -> None:
        assert convert.from_state(state) == expected


class TestJobs:
    @pytest.mark.parametrize(
        ("state", "seen"),
        [
            (JobState.PENDING, "JOB_STATE_PENDING"),
            (JobState.SUBMITTING, "JOB_STATE_PENDING"),
            (JobState.PROCESSING, "JOB_STATE_PROCESSING"),
            (JobState.STORING, "JOB_STATE_PROCESSING"),
            (JobState.SUCCEEDED, "JOB_STATE_SUCCEEDED"),
            (JobState.FAILED, "JOB_STATE_FAILED"),
            (JobState.CANCELLED, "JOB_STATE_CANCELLED"),
            (JobState.EXPIRED, "JOB_STATE_EXPIRED"),
        ],
    )
    def test_a_state_is_shown_as_the_contract_says(self, state: JobState, seen: str) -> None:
        message = convert.to_job(a_job(state), media_url)
        assert job_pb2.JobState.Name(message.state) == seen
        is_end = state in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}
        assert message.HasField("end_time") is is_end
        assert message.HasField("video") is (state is JobState.SUCCEEDED)
        assert message.HasField("error") is (is_end and state is not JobState.SUCCEEDED)
        assert message.HasField("charged_micros") is (state is JobState.SUCCEEDED)

    def test_every_state_has_a_view(self) -> None:
        assert set(convert.STATE) == set(JobState)

    def test_a_job_is_shown_whole(self) -> None:
        spec = a_spec(image_url="https://images.test/a.png", extra={"seed": 7})
        shown = to_json(convert.to_job(a_job(JobState.SUCCEEDED, spec=spec, is_simulated=True), media_url))
        folder = "generated-videos/01980000-0000-7000-8000-0000000000aa/01980000-0000-7000-8000-000000000001"
        assert shown == {
            "job_id": "01980000-0000-7000-8000-000000000001",
            "model": "test/model",
            "prompt": "a red kite",
            "clip_duration": "5s",
            "render_duration": "6s",
            "aspect_ratio": "16:9",
            "resolution": "720p",
            "image_url": "https://images.test/a.png",
            "extra": {"seed": 7.0},
            "state": "JOB_STATE_SUCCEEDED",
            "progress_percent": 100,
            "sequence": 5,
            "simulated": True,
            "create_time": "2026-06-25T12:00:00Z",
            "update_time": "2026-06-25T12:00:00Z",
            "end_time": "2026-06-25T12:00:00Z",
            "expire_time": "2026-06-25T12:10:00Z",
            "video": {
                "uri": f"https://media.test/{folder}/video.mp4",
                "content_type": "video/mp4",
                "size_bytes": "1000",
                "sha256": "abababababababababababababababababababababababababababababababab",
            },
            "price_micros": "500000",
            "currency": "USD",
            "charged_micros": "500000",
        }

    def test_an_image_that_came_inside_the_request_is_not_shown(self) -> None:
        spec = a_spec(image=InlineImage(sha256="ab" * 32, content_type="image/png"))
        assert convert.to_job(a_job(JobState.PROCESSING, spec=spec), media_url).image_url == ""

    def test_a_job_that_nobody_pays_for_shows_no_charge(self) -> None:
        message = convert.to_job(a_job(JobState.SUCCEEDED, billing=BillingPolicy.UNMETERED), media_url)
        assert not message.HasField("charged_micros")

    @pytest.mark.parametrize(
        ("event", "code", "reason", "text"),
        [
            (Cancelled(event_time=LATER), 1, "JOB_CANCELLED", "The job was cancelled."),
            (Expired(event_time=LATER), 4, "JOB_EXPIRED", "The job did not end before its deadline."),
            (FailureCode.REJECTED, 9, "JOB_REJECTED", "No."),
            (FailureCode.IMAGE_UNUSABLE, 9, "IMAGE_UNUSABLE", "No."),
            (FailureCode.PROVIDER_ERROR, 14, "PROVIDER_ERROR", "No."),
            (FailureCode.SUBMIT_UNANSWERED, 2, "SUBMIT_UNANSWERED", "No."),
            (FailureCode.INTERNAL, 13, "INTERNAL", "No."),
        ],
        ids=lambda value: f"{value}"[:30],
    )
    def test_an_end_without_a_video_says_why(self, event: Any, code: int, reason: str, text: str) -> None:
        if isinstance(event, FailureCode):
            event = Failed(event_time=LATER, failure=JobFailure(code=event, message="No."))
        error = convert.to_job(fold([created(), event]), media_url).error
        info = error_details_pb2.ErrorInfo()
        assert error.details[0].Unpack(info)
        assert (error.code, error.message, info.reason, info.domain) == (code, text, reason, "reelgate")
        assert not info.metadata

    def test_a_job_that_has_not_ended_badly_has_no_error(self) -> None:
        assert convert.to_error(a_job(JobState.SUCCEEDED)) is None
        assert convert.to_error(a_job(JobState.PROCESSING)) is None


class TestUpdates:
    def test_every_event_has_a_view_of_its_own(self) -> None:
        assert set(convert.EVENT_TYPE) == set(EVENTS)
        assert len(set(convert.EVENT_TYPE.values())) == len(EVENTS)

    @pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
    def test_an_event_is_shown_by_its_name(self, kind: type[Any]) -> None:
        shown = convert.to_event(LoggedEvent(sequence=3, event=EVENTS[kind]))
        name = "".join(f"_{letter}" if letter.isupper() else letter for letter in kind.__name__).upper()
        assert job_pb2.JobEventType.Name(shown.type) == f"JOB_EVENT_TYPE{name}"
        assert (shown.sequence, shown.event_time.ToJsonString()) == (3, "2026-06-25T12:00:00Z")

    @pytest.mark.parametrize(
        ("kind", "shown"), [(UpdateKind.SNAPSHOT, 1), (UpdateKind.EVENT, 2), (UpdateKind.HEARTBEAT, 3)]
    )
    def test_an_update_is_shown_with_its_job(self, kind: UpdateKind, shown: int) -> None:
        job: Job = a_job(JobState.PROCESSING)
        logged = LoggedEvent(sequence=3, event=EVENTS[Cancelled]) if kind is UpdateKind.EVENT else None
        message = convert.to_update(JobUpdate(kind=kind, sequence=3, job=job, logged=logged), media_url)
        assert (message.kind, message.sequence, message.job.job_id) == (shown, 3, job.job_id)
        assert message.HasField("event") is (kind is UpdateKind.EVENT)


class TestCatalogue:
    def test_a_model_is_shown_with_the_plans_price(self) -> None:
        shown = to_json(
            convert.to_model(
                a_model(surfaces=frozenset({Surface.KYMA}), has_audio=True),
                a_plan(markup=Decimal("1.35"), fx=Decimal(20), currency="MXN"),
                Availability.AVAILABLE,
                ("16:9", "1:1"),
            )
        )
        assert shown == {
            "model": "test/model",
            "display_name": "Test",
            "provider": "fal",
            "clip_durations": ["5s", "6s", "7s", "8s", "9s", "10s"],
            "default_clip_duration": "5s",
            "aspect_ratios": ["16:9", "1:1"],
            "resolutions": ["720p", "1080p"],
            "audio": True,
            "image_input": "IMAGE_INPUT_OPTIONAL",
            "price_per_second_micros": "2700000",
            "currency": "MXN",
            "availability": "AVAILABILITY_AVAILABLE",
        }

    @pytest.mark.parametrize("image_input", ImageInput)
    @pytest.mark.parametrize("availability", Availability)
    def test_every_kind_of_model_has_a_view(self, image_input: ImageInput, availability: Availability) -> None:
        shown = to_json(convert.to_model(a_model(image_input=image_input), a_plan(), availability, ("16:9",)))
        assert shown["image_input"] == f"IMAGE_INPUT_{image_input.name}"
        assert shown["availability"] == f"AVAILABILITY_{availability.name}"


class TestLedger:
    @pytest.mark.parametrize(
        ("kind", "has_hold", "change", "shown"),
        [
            (TransferKind.HOLD, False, -1_000_000, "LEDGER_ENTRY_KIND_HOLD"),
            (TransferKind.POST, False, -1_000_000, "LEDGER_ENTRY_KIND_POST"),
            (TransferKind.POST, True, 0, "LEDGER_ENTRY_KIND_POST"),
            (TransferKind.VOID, True, 1_000_000, "LEDGER_ENTRY_KIND_VOID"),
        ],
    )
    def test_a_transfer_is_shown_as_it_changes_what_is_available(
        self, kind: TransferKind, *, has_hold: bool, change: int, shown: str
    ) -> None:
        transfer = make_transfer("t", kind, hold_id="hold-1" if has_hold else None, job_id=job_id(1))
        assert to_json(convert.to_ledger_entry(transfer, account_id())) == {
            "transfer_id": "t",
            "kind": shown,
            "available_change_micros": str(change),
            "amount_micros": "1000000",
            "currency": "USD",
            "job_id": "01940000-0000-7000-8000-000000000001",
            "hold_id": "hold-1" if has_hold else "",
            "create_time": "2026-01-01T12:00:00Z",
        }

    def test_a_credit_is_shown_without_a_job(self) -> None:
        shown = to_json(convert.to_ledger_entry(make_credit(), account_id()))
        assert (shown["kind"], shown["available_change_micros"]) == ("LEDGER_ENTRY_KIND_CREDIT", "1000000")
        assert (shown["job_id"], shown["hold_id"]) == ("", "")
