"""`reelgate.v1.VideoService`: what each method answers, and every code it can answer with."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from reelgate.v1 import job_pb2
from reelgate.v1.video_service_pb2 import (
    CancelJobRequest,
    CreateJobRequest,
    GetJobRequest,
    ListJobsRequest,
    WatchJobRequest,
    WatchJobResponse,
)
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.ports.store import SequenceConflict
from tests.support.clock import settle
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, key, read_refusal, refusal, serving, to_json
from tests.support.world import HEARTBEAT_INTERVAL, Customer, World

UNKNOWN_JOB = "01940000-0000-7000-8000-00000000ffff"


def a_create(**fields: Any) -> CreateJobRequest:
    """Five seconds of Kling 2 for 0.20 dollars."""
    return CreateJobRequest(**{"model": "fal/kling-2", "prompt": "a red kite", **fields})


async def create(api: Api, customer: Customer, **fields: Any) -> job_pb2.Job:
    job: job_pb2.Job = await api.video.CreateJob(a_create(**fields), metadata=key(customer))
    return job


async def get(api: Api, customer: Customer, job_id: str) -> job_pb2.Job:
    job: job_pb2.Job = await api.video.GetJob(GetJobRequest(job_id=job_id), metadata=key(customer))
    return job


def reason_of(job: job_pb2.Job) -> str:
    """The reason in the error of a job."""
    info = error_details_pb2.ErrorInfo()
    assert job.error.details[0].Unpack(info)
    assert info.domain == "reelgate"
    return str(info.reason)


class TestCreateJob:
    async def test_a_created_job_tells_everything_that_was_resolved(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        job = await create(
            api,
            ada,
            clip_duration=Duration(seconds=4),
            aspect_ratio="9:16",
            image_url="https://images.test/kite.png",
            extra={"seed": 7, "nested": {"list": [1, "two", None, True, 2.5]}},
        )
        assert len(job.job_id) == 36
        assert (job.model, job.prompt) == ("fal/kling-2", "a red kite")
        assert job.clip_duration == Duration(seconds=4)
        assert job.render_duration == Duration(seconds=5)
        assert (job.aspect_ratio, job.resolution) == ("9:16", "720p")
        assert job.image_url == "https://images.test/kite.png"
        assert to_json(job.extra) == {"seed": 7, "nested": {"list": [1, "two", None, True, 2.5]}}
        assert (job.state, job.progress_percent, job.sequence) == (job_pb2.JOB_STATE_PENDING, 0, 1)
        assert not job.simulated
        assert job.create_time.ToJsonString() == "2026-01-01T12:00:00Z"
        assert job.update_time == job.create_time
        assert not job.HasField("end_time")
        assert job.expire_time.ToJsonString() == "2026-01-01T12:30:00Z"
        assert not job.HasField("video")
        assert not job.HasField("error")
        assert (job.price_micros, job.currency) == (160_000, "USD")
        assert not job.HasField("charged_micros")
        assert await world.money(ada) == (9_840_000, 160_000)

    async def test_what_is_left_out_is_the_models_default(self, api: Api, ada: Customer) -> None:
        job = await create(api, ada)
        assert job.clip_duration == Duration(seconds=5)
        assert (job.aspect_ratio, job.resolution, job.image_url) == ("16:9", "720p", "")
        assert len(job.extra) == 0

    async def test_the_same_key_and_content_answer_with_the_same_job_as_it_stands(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        first = await create(api, ada, idempotency_key="k")
        await world.run_due()
        second = await create(api, ada, idempotency_key="k")
        assert second.job_id == first.job_id
        assert second.state == job_pb2.JOB_STATE_SUCCEEDED
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_the_same_key_with_other_content_names_the_first_field_that_differs(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        first = await create(api, ada, idempotency_key="k")
        refused = await refusal(create(api, ada, idempotency_key="k", prompt="a blue kite", aspect_ratio="1:1"))
        assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")
        assert refused.info == {"field": "prompt", "job_id": first.job_id}
        assert await world.ledger(ada) == ["credit", "hold"]

    async def test_idempotency_is_looked_at_before_the_model_and_the_balance(
        self, api: Api, world: World, bob: Customer
    ) -> None:
        await create(api, bob, idempotency_key="k", model="google/veo-3.1", clip_duration=Duration(seconds=8))
        refused = await refusal(create(api, bob, idempotency_key="k", model="no/such-model"))
        assert (refused.reason, refused.info["field"]) == ("IDEMPOTENCY_KEY_REUSED", "model")

    @pytest.mark.parametrize("idempotency_key", ["x", "x" * 128, "ключ 🔑"])
    async def test_a_key_of_1_to_128_characters_is_taken(self, api: Api, ada: Customer, idempotency_key: str) -> None:
        first = await create(api, ada, idempotency_key=idempotency_key)
        assert (await create(api, ada, idempotency_key=idempotency_key)).job_id == first.job_id

    @pytest.mark.parametrize(
        ("fields", "code", "reason", "info"),
        [
            ({"model": ""}, "INVALID_ARGUMENT", "INVALID_REQUEST", {"field": "model"}),
            ({"model": "no/such-model"}, "NOT_FOUND", "MODEL_NOT_FOUND", {"model": "no/such-model"}),
            ({"model": "fal/ñ"}, "NOT_FOUND", "MODEL_NOT_FOUND", {"model": "fal/ñ"}),
            ({"model": "m" * 100_000}, "NOT_FOUND", "MODEL_NOT_FOUND", {"model": "m" * 100}),
            ({"model": "🎬" * 25_000}, "NOT_FOUND", "MODEL_NOT_FOUND", {"model": "🎬" * 100}),
            ({"model": "fal/runway-gen-4"}, "FAILED_PRECONDITION", "MODEL_UNAVAILABLE", {"model": "fal/runway-gen-4"}),
            ({"prompt": ""}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "prompt"}),
            ({"prompt": "p" * 4001}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "prompt"}),
            ({"prompt": "🎬" * 4001}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "prompt"}),
            ({"prompt": "a\0b"}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "prompt"}),
            ({"clip_duration": Duration(seconds=0)}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "clip_duration"}),
            ({"clip_duration": Duration(seconds=11)}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "clip_duration"}),
            (
                {"clip_duration": Duration(seconds=5, nanos=1)},
                "INVALID_ARGUMENT",
                "INVALID_SPEC",
                {"field": "clip_duration"},
            ),
            (
                {"clip_duration": Duration(seconds=-5)},
                "INVALID_ARGUMENT",
                "INVALID_REQUEST",
                {"field": "clip_duration"},
            ),
            (
                {"clip_duration": Duration(seconds=5, nanos=-1)},
                "INVALID_ARGUMENT",
                "INVALID_REQUEST",
                {"field": "clip_duration"},
            ),
            (
                {"clip_duration": Duration(seconds=315_576_000_000)},
                "INVALID_ARGUMENT",
                "INVALID_REQUEST",
                {"field": "clip_duration"},
            ),
            (
                {"model": "veo-3.1", "clip_duration": Duration(seconds=5)},
                "INVALID_ARGUMENT",
                "INVALID_SPEC",
                {"field": "clip_duration"},
            ),
            ({"aspect_ratio": "4:5"}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "aspect_ratio"}),
            ({"resolution": "4k"}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "resolution"}),
            ({"image_url": "http://images.test/a"}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "image_url"}),
            ({"image_url": "https://me:pw@images.test"}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "image_url"}),
            (
                {"model": "wan-2.6", "image_url": "https://images.test/a"},
                "INVALID_ARGUMENT",
                "INVALID_SPEC",
                {"field": "image_url"},
            ),
            ({"model": "wan-2.6-i2v"}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "image_url"}),
            ({"extra": {"blob": "x" * 16_384}}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "extra"}),
            ({"extra": {"n": float("nan")}}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "extra"}),
            ({"extra": {"text": "a\0b"}}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "extra"}),
            ({"extra": {"duration": 10}}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "extra.duration"}),
            ({"extra": {"aspect_ratio": "9:16"}}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "extra.aspect_ratio"}),
            ({"extra": {"extra_body": {}}}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "extra.extra_body"}),
            ({"extra": {"API-Key": "x"}}, "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "extra.API-Key"}),
            ({"idempotency_key": ""}, "INVALID_ARGUMENT", "INVALID_REQUEST", {"field": "idempotency_key"}),
            ({"idempotency_key": "x" * 129}, "INVALID_ARGUMENT", "INVALID_REQUEST", {"field": "idempotency_key"}),
            ({"idempotency_key": "a\0"}, "INVALID_ARGUMENT", "INVALID_REQUEST", {"field": "idempotency_key"}),
            (
                {"model": "google/veo-3.1", "prompt": "p" * 4000, "count": 4},
                "FAILED_PRECONDITION",
                "INSUFFICIENT_BALANCE",
                {"required_micros": "3200000", "available_micros": "400000", "currency": "USD"},
            ),
        ],
        ids=lambda value: f"{value}"[:50],
    )
    async def test_a_refusal_says_why_and_leaves_nothing(
        self,
        *,
        api: Api,
        world: World,
        ada: Customer,
        fields: dict[str, Any],
        code: str,
        reason: str,
        info: dict[str, str],
    ) -> None:
        fields = dict(fields)
        for _ in range(fields.pop("count", 1) - 1):
            await create(api, ada, model="google/veo-3.1")
        before = (await world.money(ada), await world.ledger(ada), await job_count(api, ada))
        refused = await refusal(create(api, ada, **fields))
        assert (refused.code, refused.reason, refused.info) == (code, reason, info)
        assert (await world.money(ada), await world.ledger(ada), await job_count(api, ada)) == before

    async def test_every_field_that_breaks_its_rule_is_named(self, api: Api, ada: Customer) -> None:
        refused = await refusal(
            create(api, ada, prompt="", clip_duration=Duration(seconds=99), aspect_ratio="x", image_url="x")
        )
        assert refused.fields == ("prompt", "clip_duration", "aspect_ratio", "image_url")
        refused = await refusal(create(api, ada, model="", clip_duration=Duration(seconds=-1)))
        assert refused.fields == ("model", "clip_duration")
        refused = await refusal(create(api, ada, prompt="", extra={"seed": 1, "webhook": "x", "n": 2, "size": "4k"}))
        assert refused.fields == ("prompt", "extra.n", "extra.size", "extra.webhook")

    async def test_an_extra_parameter_that_is_refused_is_told_with_the_field_to_use_instead(
        self, api: Api, ada: Customer
    ) -> None:
        refused = await refusal(create(api, ada, extra={"durationSeconds": 8, "aspectRatio": "9:16"}))
        assert refused.message == (
            "extra.aspectRatio: must not be set here: use `aspect_ratio`; "
            "extra.durationSeconds: must not be set here: use `clip_duration`"
        )

    async def test_very_many_refused_names_still_fit_the_answers_headers(self, api: Api, ada: Customer) -> None:
        extra = {f"falwebhook{'_' * (100 + count)}": 1 for count in range(80)}
        refused = await refusal(create(api, ada, extra=extra))
        assert (refused.code, refused.reason, len(refused.fields)) == ("INVALID_ARGUMENT", "INVALID_SPEC", 16)

    @pytest.mark.parametrize("prompt", ["p", "p" * 4000, "🎬" * 4000, "tab\tline\nend", "\u202e"])
    async def test_a_prompt_of_1_to_4000_code_points_is_taken_as_it_is(
        self, api: Api, ada: Customer, prompt: str
    ) -> None:
        assert (await create(api, ada, prompt=prompt)).prompt == prompt

    async def test_a_stand_in_renders_what_nobody_else_does(self) -> None:
        world = World(providers=[FakeProvider("local")], stand_in="local")
        ada = await world.join()
        async with serving(world) as api:
            job = await create(api, ada, model="hailuo-02-768p")
        assert job.simulated


async def job_count(api: Api, customer: Customer) -> int:
    response = await api.video.ListJobs(ListJobsRequest(), metadata=key(customer))
    return len(response.jobs)


class TestGetJob:
    async def test_a_succeeded_job_tells_its_video_and_its_charge(self, api: Api, world: World, ada: Customer) -> None:
        job_id = (await create(api, ada)).job_id
        await world.clock.advance(timedelta(seconds=2))
        await world.run_due()
        job = await get(api, ada, job_id)
        assert (job.state, job.progress_percent, job.sequence) == (job_pb2.JOB_STATE_SUCCEEDED, 100, 5)
        folder = f"https://reelgate.test/media/generated-videos/{ada.account.account_id}/{job_id}"
        assert job.video.uri == f"{folder}/video.mp4"
        assert (job.video.content_type, job.video.size_bytes) == ("video/mp4", 28)
        assert job.video.sha256 == "403de843a79caea613a1fd6885c2760c55b365d74cfdd104af82d669d4dae93b"
        assert job.end_time.ToJsonString() == "2026-01-01T12:00:02Z"
        assert job.HasField("charged_micros")
        assert job.charged_micros == 200_000
        assert not job.HasField("error")

    async def test_an_account_that_is_never_charged_has_no_charge(self, api: Api, world: World) -> None:
        unmetered = await world.join("concurred", micros=0)
        job_id = (await create(api, unmetered)).job_id
        await world.run_due()
        job = await get(api, unmetered, job_id)
        assert job.state == job_pb2.JOB_STATE_SUCCEEDED
        assert not job.HasField("charged_micros")
        assert job.price_micros == 200_000

    @pytest.mark.parametrize(
        ("code", "grpc_code", "reason"),
        [
            (FailureCode.REJECTED, grpc.StatusCode.FAILED_PRECONDITION, "JOB_REJECTED"),
            (FailureCode.PROVIDER_ERROR, grpc.StatusCode.UNAVAILABLE, "PROVIDER_ERROR"),
            (FailureCode.SUBMIT_UNANSWERED, grpc.StatusCode.UNKNOWN, "SUBMIT_UNANSWERED"),
            (FailureCode.INTERNAL, grpc.StatusCode.INTERNAL, "INTERNAL"),
        ],
    )
    async def test_a_failed_job_says_why(
        self,
        *,
        api: Api,
        world: World,
        ada: Customer,
        code: FailureCode,
        grpc_code: grpc.StatusCode,
        reason: str,
    ) -> None:
        world.fal.is_held = True
        job_id = (await create(api, ada)).job_id
        await world.run_due()
        secret = Fault(kind=FaultKind.UNAVAILABLE, detail="account 42 of key sk-1234 is locked")
        world.fal.fail("fal-task-1", JobFailure(code=code, message="It could not be.", fault=secret))
        await world.clock.advance(timedelta(minutes=2))
        await world.run_due()
        job = await get(api, ada, job_id)
        assert job.state == job_pb2.JOB_STATE_FAILED
        assert (job.error.code, job.error.message) == (grpc_code.value[0], "It could not be.")
        assert reason_of(job) == reason
        assert b"sk-1234" not in job.SerializeToString()
        assert not job.HasField("charged_micros")
        assert await world.money(ada) == (10_000_000, 0)

    async def test_a_cancelled_and_an_expired_job_say_so(self, api: Api, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        cancelled, expired = await create(api, ada), await create(api, ada)
        await api.video.CancelJob(CancelJobRequest(job_id=cancelled.job_id), metadata=key(ada))
        await world.clock.advance(timedelta(minutes=30))
        await world.run_due()
        job = await get(api, ada, cancelled.job_id)
        assert (job.state, job.error.code, reason_of(job)) == (job_pb2.JOB_STATE_CANCELLED, 1, "JOB_CANCELLED")
        job = await get(api, ada, expired.job_id)
        assert (job.state, job.error.code, reason_of(job)) == (job_pb2.JOB_STATE_EXPIRED, 4, "JOB_EXPIRED")

    async def test_an_unknown_job_and_anothers_job_look_the_same(self, api: Api, ada: Customer, bob: Customer) -> None:
        job_id = (await create(api, ada)).job_id
        for asked in (job_id, UNKNOWN_JOB):
            refused = await refusal(get(api, bob, asked))
            assert (refused.code, refused.reason) == ("NOT_FOUND", "JOB_NOT_FOUND")
            assert (refused.message, refused.info) == ("Job not found.", {"job_id": asked})
            assert refused.resource == asked

    @pytest.mark.parametrize(
        "job_id",
        ["", "1", UNKNOWN_JOB.upper(), UNKNOWN_JOB + "\n", f"{{{UNKNOWN_JOB}}}", "🎬", "x" * 100_000, "a\0b"],
        ids=lambda value: value[:40],
    )
    async def test_what_is_no_job_id_is_refused(self, api: Api, ada: Customer, job_id: str) -> None:
        refused = await refusal(get(api, ada, job_id))
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert (refused.info, refused.fields) == ({"field": "job_id"}, ("job_id",))


class TestListJobs:
    async def _list(self, api: Api, customer: Customer, **fields: Any) -> Any:
        return await api.video.ListJobs(ListJobsRequest(**fields), metadata=key(customer))

    async def _create_several(self, api: Api, world: World, customer: Customer, count: int) -> list[str]:
        job_ids = []
        for _ in range(count):
            await world.clock.advance(timedelta(milliseconds=1))
            job_ids.append((await create(api, customer)).job_id)
        return job_ids

    async def test_jobs_come_newest_first_in_pages_without_gap_or_repeat(
        self, api: Api, world: World, ada: Customer, bob: Customer
    ) -> None:
        job_ids = await self._create_several(api, world, ada, 5)
        await create(api, bob)
        seen, token, sizes = [], "", []
        while True:
            page = await self._list(api, ada, page_size=2, page_token=token)
            seen += [job.job_id for job in page.jobs]
            sizes.append(len(page.jobs))
            token = page.next_page_token
            if not token:
                break
            # What is created meanwhile comes before the first page.
            await self._create_several(api, world, ada, 1)
        assert seen == job_ids[::-1]
        assert sizes == [2, 2, 1]

    async def test_a_last_page_that_is_full_has_no_token(self, api: Api, world: World, ada: Customer) -> None:
        await self._create_several(api, world, ada, 2)
        page = await self._list(api, ada, page_size=2)
        assert (len(page.jobs), page.next_page_token) == (2, "")

    async def test_a_page_has_50_jobs_unless_told_otherwise(self, api: Api, world: World) -> None:
        unmetered = await world.join("concurred")
        await self._create_several(api, world, unmetered, 51)
        assert len((await self._list(api, unmetered)).jobs) == 50
        assert len((await self._list(api, unmetered, page_size=2_147_483_647)).jobs) == 51

    async def test_jobs_can_be_chosen_by_state_and_by_model(self, api: Api, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        first = await create(api, ada)
        await world.run_due()
        second = await create(api, ada, model="local/storyboard")

        async def listed(**fields: Any) -> list[str]:
            return [job.job_id for job in (await self._list(api, ada, **fields)).jobs]

        assert await listed(state=job_pb2.JOB_STATE_PROCESSING) == [first.job_id]
        assert await listed(state=job_pb2.JOB_STATE_PENDING) == [second.job_id]
        assert await listed(state=job_pb2.JOB_STATE_SUCCEEDED) == []
        assert await listed(model="fal/kling-2") == [first.job_id]
        assert await listed(model="fal/kling-2", state=job_pb2.JOB_STATE_PENDING) == []
        assert await listed(model="no such model 🎬") == []

    async def test_a_token_is_good_for_its_own_query_only(
        self, api: Api, world: World, ada: Customer, bob: Customer
    ) -> None:
        await self._create_several(api, world, ada, 2)
        token = (await self._list(api, ada, page_size=1, model="fal/kling-2")).next_page_token
        assert len((await self._list(api, ada, page_token=token, model="fal/kling-2")).jobs) == 1
        for customer, fields in (
            (ada, {}),
            (ada, {"model": "veo-3"}),
            (ada, {"model": "fal/kling-2", "state": job_pb2.JOB_STATE_PENDING}),
            (bob, {"model": "fal/kling-2"}),
        ):
            refused = await refusal(self._list(api, customer, page_token=token, **fields))
            assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
            assert refused.info == {"field": "page_token"}

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"page_size": -1}, "page_size"),
            ({"page_size": -2_147_483_648}, "page_size"),
            ({"state": 7}, "state"),
            ({"state": -1}, "state"),
            ({"page_token": "x"}, "page_token"),
            ({"page_token": "🎬"}, "page_token"),
            ({"page_token": "AAAA" * 10_000}, "page_token"),
            ({"page_token": "a\0b"}, "page_token"),
        ],
        ids=lambda value: f"{value}"[:40],
    )
    async def test_a_field_that_breaks_its_rule_is_named(
        self, api: Api, ada: Customer, fields: dict[str, Any], field: str
    ) -> None:
        refused = await refusal(self._list(api, ada, **fields))
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert (refused.info, refused.fields) == ({"field": field}, (field,))


class TestCancelJob:
    async def _cancel(self, api: Api, customer: Customer, job_id: str) -> job_pb2.Job:
        job: job_pb2.Job = await api.video.CancelJob(CancelJobRequest(job_id=job_id), metadata=key(customer))
        return job

    async def test_a_cancelled_job_is_not_charged_and_can_be_cancelled_again(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        job_id = (await create(api, ada)).job_id
        assert (await self._cancel(api, ada, job_id)).state == job_pb2.JOB_STATE_CANCELLED
        assert (await self._cancel(api, ada, job_id)).state == job_pb2.JOB_STATE_CANCELLED
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_job_that_has_ended_otherwise_is_not_cancellable(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        job_id = (await create(api, ada)).job_id
        await world.run_due()
        refused = await refusal(self._cancel(api, ada, job_id))
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "JOB_NOT_CANCELLABLE")
        assert refused.info == {"job_id": job_id}
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_an_unknown_job_and_anothers_job_look_the_same(
        self, api: Api, world: World, ada: Customer, bob: Customer
    ) -> None:
        job_id = (await create(api, ada)).job_id
        for asked in (job_id, UNKNOWN_JOB):
            refused = await refusal(self._cancel(api, bob, asked))
            assert (refused.code, refused.reason, refused.resource) == ("NOT_FOUND", "JOB_NOT_FOUND", asked)
        assert (await get(api, ada, job_id)).state == job_pb2.JOB_STATE_PENDING

    async def test_what_is_no_job_id_is_refused(self, api: Api, ada: Customer) -> None:
        refused = await refusal(self._cancel(api, ada, "nonsense"))
        assert (refused.code, refused.reason, refused.fields) == ("INVALID_ARGUMENT", "INVALID_REQUEST", ("job_id",))

    async def test_a_job_that_keeps_changing_answers_aborted(self) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join()
        async with serving(world) as api:
            job_id = (await create(api, ada)).job_id
            trouble.by_method["append"] = SequenceConflict()
            refused = await refusal(self._cancel(api, ada, job_id))
        assert (refused.code, refused.reason) == ("ABORTED", "STORE_CONTENDED")


class TestWatchJob:
    def _watch(self, api: Api, customer: Customer, job_id: str, after: int = 0) -> Any:
        return api.video.WatchJob(WatchJobRequest(job_id=job_id, after_sequence=after), metadata=key(customer))

    async def _read_all(self, call: AsyncIterator[WatchJobResponse]) -> list[WatchJobResponse]:
        return [message async for message in call]

    async def test_a_watch_tells_the_present_then_every_event_then_closes(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        job_id = (await create(api, ada)).job_id
        call = self._watch(api, ada, job_id)
        snapshot = await call.read()
        assert snapshot.kind == 1
        assert (snapshot.sequence, snapshot.job.sequence, snapshot.job.job_id) == (0, 1, job_id)
        assert not snapshot.HasField("event")
        await world.run_due()
        messages = []
        while (message := await call.read()) is not grpc.aio.EOF:
            messages.append(message)
        assert [message.kind for message in messages] == [2] * 5
        assert [message.sequence for message in messages] == [1, 2, 3, 4, 5]
        assert [message.event.sequence for message in messages] == [1, 2, 3, 4, 5]
        assert [message.job.sequence for message in messages] == [1, 2, 3, 4, 5]
        assert [message.job.state for message in messages] == [1, 1, 2, 2, 3]
        assert [job_pb2.JobEventType.Name(message.event.type) for message in messages] == [
            "JOB_EVENT_TYPE_CREATED",
            "JOB_EVENT_TYPE_SUBMIT_INTENDED",
            "JOB_EVENT_TYPE_SUBMITTED",
            "JOB_EVENT_TYPE_RENDERED",
            "JOB_EVENT_TYPE_STORED",
        ]
        assert messages[-1].job.video.size_bytes == 28
        assert await call.code() == grpc.StatusCode.OK

    @pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5])
    async def test_an_ended_job_can_be_watched_from_each_sequence(
        self, api: Api, world: World, ada: Customer, after: int
    ) -> None:
        job_id = (await create(api, ada)).job_id
        await world.run_due()
        snapshot, *events = await self._read_all(self._watch(api, ada, job_id, after))
        assert (snapshot.kind, snapshot.sequence, snapshot.job.sequence) == (1, after, 5)
        assert [message.sequence for message in events] == list(range(after + 1, 6))

    async def test_a_heartbeat_comes_when_nothing_else_does(self, api: Api, world: World, ada: Customer) -> None:
        job_id = (await create(api, ada)).job_id
        call = self._watch(api, ada, job_id)
        assert [(await call.read()).kind for _ in range(2)] == [1, 2]
        await settle()
        await world.clock.advance(HEARTBEAT_INTERVAL)
        heartbeat = await call.read()
        assert (heartbeat.kind, heartbeat.sequence, heartbeat.job.sequence) == (3, 1, 1)
        call.cancel()

    async def test_the_plain_iterator_sees_the_same(self, api: Api, world: World, ada: Customer) -> None:
        job_id = (await create(api, ada)).job_id
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read_all(self._watch(api, ada, job_id)))
            await world.run_due()
        assert [message.sequence for message in reading.result()] == [0, 1, 2, 3, 4, 5]

    @pytest.mark.parametrize(("after", "asked"), [(2, "2"), (2_147_483_647, "2147483647")])
    async def test_what_lies_beyond_the_log_is_out_of_range(
        self, api: Api, ada: Customer, after: int, asked: str
    ) -> None:
        job_id = (await create(api, ada)).job_id
        refused = await refusal(self._read_all(self._watch(api, ada, job_id, after)))
        assert (refused.code, refused.reason) == ("OUT_OF_RANGE", "SEQUENCE_OUT_OF_RANGE")
        assert refused.info == {"asked": asked, "last": "1"}

    async def test_a_negative_sequence_is_refused(self, api: Api, ada: Customer) -> None:
        job_id = (await create(api, ada)).job_id
        refused = await refusal(self._read_all(self._watch(api, ada, job_id, -1)))
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert refused.info == {"field": "after_sequence"}

    async def test_an_unknown_job_and_anothers_job_look_the_same(self, api: Api, ada: Customer, bob: Customer) -> None:
        job_id = (await create(api, ada)).job_id
        for asked in (job_id, UNKNOWN_JOB):
            refused = await refusal(self._read_all(self._watch(api, bob, asked)))
            assert (refused.code, refused.reason, refused.info) == ("NOT_FOUND", "JOB_NOT_FOUND", {"job_id": asked})

    async def test_a_watcher_leaves_when_the_server_stops_and_resumes_at_another(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        job_id = (await create(api, ada)).job_id
        call = self._watch(api, ada, job_id)
        seen = [(await call.read()).sequence for _ in range(2)]
        world.watch.stop()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        refused = read_refusal(raised.value)
        assert (refused.code, refused.reason, refused.retry_s) == ("UNAVAILABLE", "SERVER_STOPPING", 0.0)
        world.watch = world.another_watch()
        async with serving(world) as other:
            resumed = self._watch(other, ada, job_id, seen[-1])
            await world.run_due()
            assert [message.sequence for message in await self._read_all(resumed)] == [1, 2, 3, 4, 5]
        assert seen == [0, 1]

    async def test_a_server_that_is_stopping_still_tells_what_there_is(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        job_id = (await create(api, ada)).job_id
        world.watch.stop()
        call = self._watch(api, ada, job_id)
        assert [(await call.read()).sequence for _ in range(2)] == [0, 1]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        assert read_refusal(raised.value).reason == "SERVER_STOPPING"
        await world.run_due()
        assert len(await self._read_all(self._watch(api, ada, job_id))) == 6


class TestEveryMethod:
    CALLS = (
        ("CreateJob", CreateJobRequest(model="fal/kling-2", prompt="a red kite")),
        ("GetJob", GetJobRequest(job_id=UNKNOWN_JOB)),
        ("ListJobs", ListJobsRequest()),
        ("CancelJob", CancelJobRequest(job_id=UNKNOWN_JOB)),
        ("WatchJob", WatchJobRequest(job_id=UNKNOWN_JOB)),
    )

    async def _call(self, api: Api, method: str, request: Any, **options: Any) -> None:
        call = getattr(api.video, method)(request, **options)
        if method == "WatchJob":
            async for _ in call:
                pass
        else:
            await call

    @pytest.mark.parametrize(("method", "request_"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
    async def test_a_key_is_needed_before_anything_else(self, api: Api, method: str, request_: Any) -> None:
        refused = await refusal(self._call(api, method, type(request_)()))
        assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_MISSING")
        refused = await refusal(self._call(api, method, request_, metadata=(("x-api-key", "rg_live_wrong"),)))
        assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_UNKNOWN")

    @pytest.mark.parametrize(("method", "request_"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
    async def test_a_revoked_key_is_told_from_an_unknown_one(
        self, api: Api, world: World, ada: Customer, method: str, request_: Any
    ) -> None:
        await world.store.revoke_key(ada.caller.key_id, world.clock.now())
        refused = await refusal(self._call(api, method, request_, metadata=key(ada)))
        assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_REVOKED")

    @pytest.mark.parametrize(("method", "request_"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
    async def test_a_store_that_cannot_answer_is_unavailable_for_now(self, method: str, request_: Any) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join()
        trouble.begin_outage()
        async with serving(world) as api:
            refused = await refusal(self._call(api, method, request_, metadata=key(ada)))
        assert (refused.code, refused.reason, refused.retry_s) == ("UNAVAILABLE", "STORE_UNAVAILABLE", 1.0)

    @pytest.mark.parametrize(("method", "request_"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
    async def test_a_bug_says_nothing_but_its_id(self, logs: list[Any], method: str, request_: Any) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join()
        trouble.by_method["*"] = ValueError("postgres://user:hunter2@db")
        async with serving(world) as api:
            refused = await refusal(self._call(api, method, request_, metadata=key(ada)))
        error_id = refused.info["error_id"]
        assert (refused.code, refused.reason) == ("INTERNAL", "INTERNAL")
        assert refused.message == f"Internal error {error_id}."
        assert len(error_id) == 16
        assert "hunter2" not in repr(refused)
        logged = next(entry for entry in logs if entry["event"] == "unexpected error")
        assert (logged["error_id"], str(logged["exc_info"])) == (error_id, "postgres://user:hunter2@db")
