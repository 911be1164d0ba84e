"""Concurred's video API over gRPC: every field, status and error body."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from reelgate.concurred.v1.concurred_service_pb2 import GenerateVideoRequest, GetVideoStatusRequest
from reelgate.v1.video_service_pb2 import CancelJobRequest, ListJobsRequest
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.domain.faults import Fault, FaultKind
from tests.support.clock import settle
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, Refusal, from_json, key, refusal, serving, to_json
from tests.support.world import Customer, World, working

UNKNOWN_JOB = "01940000-0000-7000-8000-00000000ffff"


@pytest.fixture
async def ada(world: World) -> Customer:
    """A customer on Concurred's plan, without any money."""
    return await world.join("concurred", micros=0)


async def generate(api: Api, customer: Customer, **body: Any) -> Any:
    request = from_json(GenerateVideoRequest(), {"prompt": "a sunset", **body})
    return to_json(await api.concurred.GenerateVideo(request, metadata=key(customer)))


async def status(api: Api, customer: Customer, **query: str) -> Any:
    request = GetVideoStatusRequest(**query)
    return to_json(await api.concurred.GetVideoStatus(request, metadata=key(customer)))


async def job_count(api: Api, customer: Customer) -> int:
    return len((await api.video.ListJobs(ListJobsRequest(), metadata=key(customer))).jobs)


def told(refused: Refusal) -> tuple[str | None, str]:
    """The HTTP status and the code of an error, once its shape was found to be the documented one."""
    error = refused.body["error"]
    assert list(refused.body) == ["error"]
    assert list(error) == ["code", "message", "details"]
    assert error["details"] == {}
    assert 0 < len(error["message"]) <= 300
    return refused.http_status, error["code"]


class TestVeo:
    async def test_veo_answers_at_once_with_an_operation_to_poll(self, api: Api, world: World, ada: Customer) -> None:
        answer = await generate(api, ada)
        operation_id = answer["data"]["operation_id"]
        assert answer == {
            "success": True,
            "data": {
                "model": "veo-3.1",
                "provider": "google",
                "status": "processing",
                "operation_id": operation_id,
                "poll_url": f"/api/v1/video/status?provider=google&operation_id={operation_id}",
            },
        }
        assert operation_id.startswith("operations/")
        assert await world.ledger(ada) == []

    async def test_what_was_asked_is_ordered(self, api: Api, world: World, ada: Customer) -> None:
        await generate(
            api,
            ada,
            model="veo-3.1-fast",
            duration="6",
            aspect_ratio="9:16",
            resolution="1080p",
            image_url="https://images.test/a.png",
        )
        await generate(api, ada, duration=None, resolution=None, model=None, aspect_ratio=None, image_url=None)
        await world.run_due()
        asked, plain = sorted((order.spec for order in world.vertex.orders), key=lambda spec: spec.clip_duration)
        assert (asked.model, asked.clip_duration, asked.aspect_ratio, asked.resolution, asked.image_url) == (
            "veo-3.1-fast",
            timedelta(seconds=6),
            "9:16",
            "1080p",
            "https://images.test/a.png",
        )
        assert (plain.model, plain.clip_duration, plain.aspect_ratio, plain.resolution, plain.image_url) == (
            "veo-3.1",
            timedelta(seconds=8),
            "16:9",
            "720p",
            None,
        )

    async def test_an_operation_is_done_when_its_video_is_there(self, api: Api, world: World, ada: Customer) -> None:
        operation_id = (await generate(api, ada))["data"]["operation_id"]
        query = {"provider": "google", "operation_id": operation_id}
        assert await status(api, ada, **query) == {
            "success": True,
            "data": {"done": False, "status": "processing", "operation_id": operation_id},
        }
        await world.run_due()
        job_id = operation_id.removeprefix("operations/")
        folder = f"https://reelgate.test/media/generated-videos/{ada.account.account_id}/{job_id}"
        assert await status(api, ada, **query) == {
            "success": True,
            "data": {
                "done": True,
                "status": "completed",
                "operation_id": operation_id,
                "video_url": f"{folder}/video.mp4",
            },
        }

    @pytest.mark.parametrize(
        ("end", "text"),
        [
            ("fail", "The provider refused to render this content."),
            ("cancel", "The job was cancelled."),
            ("expire", "The job did not end before its deadline."),
        ],
    )
    async def test_an_operation_that_failed_is_done_and_says_why(
        self, api: Api, world: World, ada: Customer, end: str, text: str
    ) -> None:
        operation_id = (await generate(api, ada))["data"]["operation_id"]
        if end == "fail":
            world.vertex.submit_faults = [Fault(kind=FaultKind.REJECTED)]
        elif end == "cancel":
            job_id = operation_id.removeprefix("operations/")
            await api.video.CancelJob(CancelJobRequest(job_id=job_id), metadata=key(ada))
        else:
            await world.clock.advance(timedelta(minutes=10))
        await world.run_due()
        assert await status(api, ada, provider="google", operation_id=operation_id) == {
            "success": True,
            "data": {"done": True, "status": "failed", "operation_id": operation_id, "error": text},
        }

    async def test_an_operation_may_be_asked_for_raw_or_encoded(self, api: Api, ada: Customer) -> None:
        operation_id = (await generate(api, ada))["data"]["operation_id"]
        for asked in (operation_id, operation_id.replace("/", "%2F"), operation_id.replace("/", "%2f")):
            answer = await status(api, ada, provider="google", operation_id=asked)
            assert answer["data"]["operation_id"] == operation_id

    @pytest.mark.parametrize(
        ("query", "http_status", "code", "message"),
        [
            ({}, "400", "MISSING_REQUIRED_FIELD", "provider is required"),
            ({"provider": "google"}, "400", "MISSING_REQUIRED_FIELD", "operation_id is required"),
            ({"operation_id": "operations/x"}, "400", "MISSING_REQUIRED_FIELD", "provider is required"),
            (
                {"provider": "google", "operation_id": ""},
                "400",
                "MISSING_REQUIRED_FIELD",
                "operation_id is required",
            ),
            ({"provider": "fal", "operation_id": "operations/x"}, "400", "BAD_REQUEST", "provider must be 'google'"),
            ({"provider": "google", "operation_id": "operations/abc123"}, "404", "NOT_FOUND", "Job not found."),
            ({"provider": "google", "operation_id": UNKNOWN_JOB}, "404", "NOT_FOUND", "Job not found."),
            ({"provider": "google", "operation_id": "%ff%00"}, "404", "NOT_FOUND", "Job not found."),
            ({"provider": "google", "operation_id": "x" * 100_000}, "404", "NOT_FOUND", "Job not found."),
        ],
        ids=lambda value: f"{value}"[:40],
    )
    async def test_a_bad_poll_is_told_as_documented(
        self, *, api: Api, ada: Customer, query: dict[str, str], http_status: str, code: str, message: str
    ) -> None:
        refused = await refusal(status(api, ada, **query))
        assert told(refused) == (http_status, code)
        assert refused.body["error"]["message"] == message

    async def test_anothers_operation_is_not_found(self, api: Api, world: World, ada: Customer) -> None:
        other = await world.join("concurred")
        operation_id = (await generate(api, ada))["data"]["operation_id"]
        refused = await refusal(status(api, other, provider="google", operation_id=operation_id))
        assert told(refused) == ("404", "NOT_FOUND")


class TestBlocking:
    @pytest.mark.parametrize(
        ("body", "model"),
        [
            ({"model": "kling-3-pro"}, "kling-3-pro"),
            ({"model": "wan-2.6"}, "wan-2.6"),
            # Documented for Veo only.
            ({"model": "kling-3-pro", "duration": "nonsense", "resolution": 7}, "kling-3-pro"),
            ({"model": "kling-3-pro", "image_url": "https://images.test/a"}, "kling-3-pro-i2v"),
            ({"model": "wan-2.6", "image_url": "https://images.test/a"}, "wan-2.6-i2v"),
            ({"model": "wan-2.6-i2v", "image_url": "https://images.test/a"}, "wan-2.6-i2v"),
            # A null image is none.
            ({"model": "wan-2.6", "image_url": None}, "wan-2.6"),
        ],
        ids=lambda value: f"{value}"[:60],
    )
    async def test_the_other_models_answer_when_the_video_is_there(
        self, *, api: Api, world: World, ada: Customer, body: dict[str, Any], model: str
    ) -> None:
        async with working(world):
            answer = await generate(api, ada, **body)
        assert answer == {
            "success": True,
            "data": {
                "model": model,
                "provider": "fal",
                "status": "completed",
                "video_url": answer["data"]["video_url"],
            },
        }
        assert answer["data"]["video_url"].endswith("/video.mp4")

    @pytest.mark.parametrize(
        ("kind", "expected", "message"),
        [
            (FaultKind.REJECTED, ("400", "GUARDRAIL_BLOCKED"), "The provider refused to render this content."),
            (
                FaultKind.IMAGE_UNUSABLE,
                ("400", "BAD_REQUEST"),
                "The image could not be fetched, or the provider cannot use it.",
            ),
            (FaultKind.UNAUTHORIZED, ("503", "MODEL_UNAVAILABLE"), "The provider is not available."),
            (FaultKind.INVALID, ("503", "MODEL_UNAVAILABLE"), "The provider could not render this request."),
        ],
    )
    async def test_a_video_that_did_not_come_is_told_as_an_error(
        self, *, api: Api, world: World, ada: Customer, kind: FaultKind, expected: tuple[str, str], message: str
    ) -> None:
        world.fal.submit_faults = [Fault(kind=kind, detail="secret")]
        async with working(world):
            refused = await refusal(generate(api, ada, model="wan-2.6"))
        assert told(refused) == expected
        assert refused.body["error"]["message"] == message
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "JOB_UNSUCCESSFUL")
        assert refused.info["state"] == "failed"
        assert "secret" not in repr(refused)

    async def test_a_job_that_is_cancelled_meanwhile_is_told_so(self, api: Api, world: World, ada: Customer) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(refusal(generate(api, ada, model="wan-2.6")))
            while not (jobs := (await api.video.ListJobs(ListJobsRequest(), metadata=key(ada))).jobs):
                await settle()
            await api.video.CancelJob(CancelJobRequest(job_id=jobs[0].job_id), metadata=key(ada))
        refused = waiting.result()
        assert told(refused) == ("503", "MODEL_UNAVAILABLE")
        assert refused.info == {"job_id": jobs[0].job_id, "state": "cancelled"}

    async def test_a_server_that_stops_meanwhile_says_so_and_the_job_goes_on(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(refusal(generate(api, ada, model="wan-2.6")))
            while not await job_count(api, ada):
                await settle()
            world.watch.stop()
        assert told(waiting.result()) == ("503", "INTERNAL_ERROR")
        assert waiting.result().reason == "SERVER_STOPPING"
        await world.run_due()
        jobs = (await api.video.ListJobs(ListJobsRequest(), metadata=key(ada))).jobs
        assert [job.state for job in jobs] == [3]

    async def test_a_client_that_leaves_does_not_stop_the_job(self, api: Api, world: World, ada: Customer) -> None:
        request = from_json(GenerateVideoRequest(), {"model": "wan-2.6", "prompt": "p"})
        call = api.concurred.GenerateVideo(request, metadata=key(ada))
        while not await job_count(api, ada):
            await settle()
        call.cancel()
        await world.run_due()
        jobs = (await api.video.ListJobs(ListJobsRequest(), metadata=key(ada))).jobs
        assert [job.state for job in jobs] == [3]


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "http_status", "code", "message"),
        [
            ({"prompt": None}, "400", "MISSING_REQUIRED_FIELD", "prompt is required"),
            ({"prompt": ""}, "400", "MISSING_REQUIRED_FIELD", "prompt is required"),
            ({"prompt": 7}, "400", "BAD_REQUEST", "prompt must be a string"),
            ({"prompt": "p" * 4001}, "400", "BAD_REQUEST", "prompt must be at most 4000 characters, not 4001"),
            ({"prompt": "🎬" * 4001}, "400", "BAD_REQUEST", "prompt must be at most 4000 characters, not 4001"),
            ({"prompt": "\0"}, "400", "BAD_REQUEST", "prompt must not contain the character U+0000"),
            ({"model": 7}, "400", "BAD_REQUEST", "model must be a string"),
            ({"model": ""}, "400", "INVALID_MODEL", "Model '' does not exist."),
            ({"model": "veo-3"}, "400", "INVALID_MODEL", "Model 'veo-3' does not exist."),
            ({"model": "fal/ñ"}, "400", "INVALID_MODEL", "Model 'fal/ñ' does not exist."),
            ({"model": "m" * 100_000}, "400", "INVALID_MODEL", f"Model '{'m' * 100}' does not exist."),
            ({"model": "veo-3.1-i2v"}, "400", "INVALID_MODEL", "Model 'veo-3.1-i2v' does not exist."),
            ({"duration": 8}, "400", "BAD_REQUEST", "duration must be a string"),
            ({"duration": True}, "400", "BAD_REQUEST", "duration must be a string"),
            ({"duration": ""}, "400", "BAD_REQUEST", "duration must be a string of digits"),
            ({"duration": "eight"}, "400", "BAD_REQUEST", "duration must be a string of digits"),
            ({"duration": "8.0"}, "400", "BAD_REQUEST", "duration must be a string of digits"),
            ({"duration": "-8"}, "400", "BAD_REQUEST", "duration must be a string of digits"),
            ({"duration": "\u0668"}, "400", "BAD_REQUEST", "duration must be a string of digits"),
            (
                {"duration": "5"},
                "400",
                "BAD_REQUEST",
                "duration must be 4 or 6 or 8 seconds for model 'veo-3.1'",
            ),
            (
                {"duration": "8" * 5000},
                "400",
                "BAD_REQUEST",
                "duration must be 4 or 6 or 8 seconds for model 'veo-3.1'",
            ),
            ({"aspect_ratio": "1:1"}, "400", "BAD_REQUEST", "aspect_ratio must be one of 16:9, 9:16"),
            (
                {"model": "kling-3-pro", "aspect_ratio": "1:1"},
                "400",
                "BAD_REQUEST",
                "aspect_ratio must be one of 16:9, 9:16",
            ),
            ({"aspect_ratio": 7}, "400", "BAD_REQUEST", "aspect_ratio must be a string"),
            ({"resolution": "480p"}, "400", "BAD_REQUEST", "resolution must be one of 720p, 1080p, 4k"),
            ({"resolution": 720}, "400", "BAD_REQUEST", "resolution must be a string"),
            ({"image_url": 7}, "400", "BAD_REQUEST", "image_url must be a string"),
            (
                {"image_url": "http://images.test/a"},
                "400",
                "BAD_REQUEST",
                "image_url must be an https:// URL of at most 2048 characters, without credentials",
            ),
            (
                {"model": "kling-3-pro-i2v"},
                "400",
                "MISSING_REQUIRED_FIELD",
                "image_url is required by model 'kling-3-pro-i2v'",
            ),
        ],
        ids=lambda value: f"{value}"[:40],
    )
    async def test_a_bad_body_is_told_as_documented_and_leaves_nothing(
        self, *, api: Api, ada: Customer, body: dict[str, Any], http_status: str, code: str, message: str
    ) -> None:
        refused = await refusal(generate(api, ada, **body))
        assert told(refused) == (http_status, code)
        assert refused.body["error"]["message"] == message
        assert await job_count(api, ada) == 0

    @pytest.mark.parametrize(
        ("metadata", "code"),
        [
            ((), "UNAUTHORIZED"),
            ((("authorization", "Bearer ck_wrong"),), "INVALID_API_KEY"),
            ((("x-api-key", "ck_wrong"),), "INVALID_API_KEY"),
        ],
    )
    async def test_a_missing_and_a_wrong_key_are_told_apart_before_the_body(
        self, api: Api, metadata: Any, code: str
    ) -> None:
        for call in (
            api.concurred.GenerateVideo(GenerateVideoRequest(), metadata=metadata),
            api.concurred.GetVideoStatus(GetVideoStatusRequest(), metadata=metadata),
        ):
            assert told(await refusal(call)) == ("401", code)

    async def test_either_header_brings_the_key(self, api: Api, ada: Customer) -> None:
        request = from_json(GenerateVideoRequest(), {"prompt": "p"})
        assert (await api.concurred.GenerateVideo(request, metadata=(("x-api-key", ada.secret),))).success

    async def test_a_revoked_key_is_an_invalid_one(self, api: Api, world: World, ada: Customer) -> None:
        await world.store.revoke_key(ada.caller.key_id, world.clock.now())
        assert told(await refusal(generate(api, ada))) == ("401", "INVALID_API_KEY")

    async def test_an_account_whose_plan_charges_needs_a_balance(self, api: Api, world: World) -> None:
        poor = await world.join("default", micros=100)
        refused = await refusal(generate(api, poor))
        assert told(refused) == ("402", "BAD_REQUEST")
        assert refused.reason == "INSUFFICIENT_BALANCE"
        assert await world.ledger(poor) == ["credit"]

    async def test_a_model_whose_provider_is_missing_is_unavailable(self) -> None:
        world = World(providers=[FakeProvider("minimax")])
        ada = await world.join("concurred")
        async with serving(world) as api:
            assert told(await refusal(generate(api, ada))) == ("503", "MODEL_UNAVAILABLE")

    @pytest.mark.parametrize("error", [None, ValueError("secret")])
    async def test_what_is_our_fault_says_nothing(self, error: Any) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join("concurred")
        if error is None:
            trouble.begin_outage()
        else:
            trouble.by_method["*"] = error
        async with serving(world) as api:
            refused = await refusal(generate(api, ada))
        assert told(refused) == ("500", "INTERNAL_ERROR")
        assert refused.body["error"]["message"] == "Internal error. Try again."
