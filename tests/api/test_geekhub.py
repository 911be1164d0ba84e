"""GeekHub's video API over gRPC: every field, null, status, error body, and the documented order of checks."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from reelgate.geekhub.v1.geekhub_service_pb2 import CreateVideoRequest, GetVideoRequest, ListModelsRequest
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.domain.decide import Cancel
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.ports.store import SequenceConflict
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, Refusal, from_json, initial_metadata, key, refusal, serving, to_json
from tests.support.waiting import wait_until
from tests.support.world import Customer, World, working

BODY = {"model": "fal/kling-2", "prompt": "an astronaut surfing"}
UNKNOWN_JOB = "01940000-0000-7000-8000-00000000ffff"
REQUEST_ID = ("x-request-id", "aacb6a7d-478c-2fde-a077-ca0900000000")


@pytest.fixture
async def ada(world: World) -> Customer:
    """A customer on GeekHub's plan, with ten pesos."""
    return await world.join("geekhub")


async def create(api: Api, customer: Customer, **body: Any) -> Any:
    request = from_json(CreateVideoRequest(), {**BODY, **body})
    return to_json(await api.geekhub.CreateVideo(request, metadata=key(customer, REQUEST_ID)))


async def get(api: Api, customer: Customer, job_id: str) -> Any:
    return to_json(await api.geekhub.GetVideo(GetVideoRequest(id=job_id), metadata=key(customer, REQUEST_ID)))


def told(refused: Refusal) -> tuple[str | None, str]:
    """The HTTP status and the code of an error, once its shape was found to be the documented one."""
    error = refused.body["error"]
    assert list(refused.body) == ["error"]
    assert list(error) == ["message", "type", "code", "request_id"]
    assert error["type"] == error["code"]
    assert re.fullmatch("req_[0-9a-f]{24}", error["request_id"])
    assert 0 < len(error["message"]) <= 300
    return refused.http_status, error["code"]


class TestCreate:
    async def test_a_created_job_has_exactly_the_documented_fields(self, api: Api, world: World, ada: Customer) -> None:
        job = await create(api, ada)
        assert job == {
            "id": job["id"],
            "object": "video.job",
            "status": "pending",
            "model": "fal/kling-2",
            "prompt": "an astronaut surfing",
            "video_url": None,
            "duration": 5,
            "error": None,
            "created": 1767268800,
            "completed": None,
        }
        assert re.fullmatch("[0-9a-f-]{36}", job["id"])
        # Nothing is charged or held.
        assert await world.ledger(ada) == ["credit"]

    async def test_the_status_is_plain_200(self, api: Api, ada: Customer) -> None:
        call = api.geekhub.CreateVideo(from_json(CreateVideoRequest(), BODY), metadata=key(ada))
        assert "x-http-status" not in await initial_metadata(call)
        await call

    async def test_fields_that_are_null_are_absent_and_unknown_ones_are_ignored(self, api: Api, ada: Customer) -> None:
        job = await create(api, ada, duration=None, aspect_ratio=None, seed=7, image_url="nonsense", n=[{}])
        assert job["duration"] == 5

    @pytest.mark.parametrize(
        ("model", "duration"),
        [("google/veo-3.1", 8), ("fal/kling-2", 5), ("fal/luma-ray-2", 5), ("fal/hailuo-02", 6)],
    )
    async def test_the_models_default_length_is_filled_in(
        self, api: Api, ada: Customer, model: str, duration: int
    ) -> None:
        assert (await create(api, ada, model=model))["duration"] == duration

    @pytest.mark.parametrize(
        ("model", "duration", "charge"),
        [
            # The worked examples of the documentation, in millionths of a peso.
            ("fal/kling-2", 5, -4_200_000),
            ("fal/hailuo-02", 5, -4_200_000),
            ("fal/luma-ray-2", 5, -21_000_000),
            ("google/veo-3", 5, -21_000_000),
            ("google/veo-3.1", 5, -42_000_000),
            ("google/veo-3.1", None, -67_200_000),
            ("fal/hailuo-02", None, -5_040_000),
        ],
    )
    async def test_the_price_is_charged_once_at_success_and_may_lead_into_debt(
        self, *, api: Api, world: World, ada: Customer, model: str, duration: int | None, charge: int
    ) -> None:
        job = await create(api, ada, model=model, duration=duration)
        await world.run_due()
        for _ in range(3):
            assert (await get(api, ada, job["id"]))["status"] == "completed"
        assert await world.ledger(ada) == ["credit", "post"]
        assert await world.money(ada) == (10_000_000 + charge, 0)

    @pytest.mark.parametrize("prompt", ["p", "p" * 4000, "🎬" * 4000, "l'été\n\t"])
    async def test_a_prompt_of_1_to_4000_code_points_is_taken_as_it_is(
        self, api: Api, ada: Customer, prompt: str
    ) -> None:
        assert (await create(api, ada, prompt=prompt))["prompt"] == prompt

    async def test_create_answers_with_the_state_after_the_submit_was_tried(self) -> None:
        world = World(geekhub_submit_wait=timedelta(milliseconds=100))
        world.fal.is_held = True
        ada = await world.join("geekhub")
        async with serving(world) as api, working(world):
            assert (await create(api, ada))["status"] == "processing"
            world.fal.is_held = False
            assert (await create(api, ada))["status"] == "processing"
            world.fal.submit_faults = [Fault(kind=FaultKind.REJECTED, detail="nsfw classifier 0.98")]
            failed = await create(api, ada)
        assert failed["status"] == "failed"
        assert failed["error"] == "The provider refused to render this content."
        assert (failed["completed"], failed["video_url"]) == (1767268800, None)

    async def test_a_slow_submit_answers_pending_after_a_short_while(self) -> None:
        world = World(geekhub_submit_wait=timedelta(milliseconds=100))
        ada = await world.join("geekhub")
        async with serving(world) as api, asyncio.TaskGroup() as group:
            creating = group.create_task(create(api, ada))
            await wait_until(lambda: world.clock.alarm_count > 0)
            await world.clock.advance(timedelta(milliseconds=99))
            assert not creating.done()
            await world.clock.advance(timedelta(milliseconds=1))
        assert creating.result()["status"] == "pending"


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "status", "code", "message"),
        [
            ({"model": None}, "400", "invalid_request_error", "model is required"),
            ({"model": ""}, "400", "invalid_request_error", "model is required"),
            ({"model": 7}, "400", "invalid_request_error", "model must be a string"),
            ({"model": ["fal/kling-2"]}, "400", "invalid_request_error", "model must be a string"),
            ({"prompt": None}, "400", "invalid_request_error", "prompt is required"),
            ({"prompt": ""}, "400", "invalid_request_error", "prompt is required"),
            ({"prompt": 7}, "400", "invalid_request_error", "prompt must be a string"),
            ({"prompt": True}, "400", "invalid_request_error", "prompt must be a string"),
            ({"prompt": {"text": "p"}}, "400", "invalid_request_error", "prompt must be a string"),
            (
                {"prompt": "p" * 4001},
                "400",
                "invalid_request_error",
                "prompt must be at most 4000 characters, not 4001",
            ),
            (
                {"prompt": "🎬" * 4001},
                "400",
                "invalid_request_error",
                "prompt must be at most 4000 characters, not 4001",
            ),
            ({"prompt": "a\0b"}, "400", "invalid_request_error", "prompt must not contain the character U+0000"),
            ({"duration": "5"}, "400", "invalid_request_error", "duration must be a whole number of seconds"),
            ({"duration": 2.5}, "400", "invalid_request_error", "duration must be a whole number of seconds"),
            ({"duration": True}, "400", "invalid_request_error", "duration must be a whole number of seconds"),
            ({"duration": [5]}, "400", "invalid_request_error", "duration must be a whole number of seconds"),
            (
                {"duration": 0},
                "400",
                "invalid_request_error",
                "duration must be 1 to 10 seconds for model 'fal/kling-2'",
            ),
            (
                {"duration": -5},
                "400",
                "invalid_request_error",
                "duration must be 1 to 10 seconds for model 'fal/kling-2'",
            ),
            (
                {"duration": 11},
                "400",
                "invalid_request_error",
                "duration must be 1 to 10 seconds for model 'fal/kling-2'",
            ),
            (
                {"duration": 1e300},
                "400",
                "invalid_request_error",
                "duration must be 1 to 10 seconds for model 'fal/kling-2'",
            ),
            (
                {"model": "fal/luma-ray-2", "duration": 10},
                "400",
                "invalid_request_error",
                "duration must be 1 to 9 seconds for model 'fal/luma-ray-2'",
            ),
            ({"aspect_ratio": 7}, "400", "invalid_request_error", "aspect_ratio must be a string"),
            ({"aspect_ratio": "4:5"}, "400", "invalid_request_error", "aspect_ratio must be one of 16:9, 9:16, 1:1"),
            ({"aspect_ratio": ""}, "400", "invalid_request_error", "aspect_ratio must be one of 16:9, 9:16, 1:1"),
            ({"model": "fal/ñ"}, "404", "model_not_found", "Model 'fal/ñ' does not exist."),
            ({"model": "kling-3-pro"}, "404", "model_not_found", "Model 'kling-3-pro' does not exist."),
            ({"model": "local/storyboard"}, "404", "model_not_found", "Model 'local/storyboard' does not exist."),
            ({"model": "m" * 100_000}, "404", "model_not_found", f"Model '{'m' * 100}' does not exist."),
        ],
        ids=lambda value: f"{value}"[:40],
    )
    async def test_a_bad_body_is_told_as_documented_and_leaves_nothing(
        self, *, api: Api, world: World, ada: Customer, body: dict[str, Any], status: str, code: str, message: str
    ) -> None:
        refused = await refusal(create(api, ada, **body))
        assert told(refused) == (status, code)
        assert refused.body["error"]["message"] == message
        assert refused.body["error"]["request_id"] == "req_aacb6a7d478c2fdea077ca09"
        assert await world.ledger(ada) == ["credit"]
        assert not await world.store.claim("x", now=world.clock.now(), lease_until=world.clock.now(), limit=9)

    async def test_every_field_that_breaks_its_rule_is_named(self, api: Api, ada: Customer) -> None:
        refused = await refusal(create(api, ada, model=1, prompt="", duration="x", aspect_ratio=[]))
        assert refused.body["error"]["message"] == (
            "model must be a string; prompt is required; duration must be a whole number of seconds; "
            "aspect_ratio must be a string"
        )
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")

    async def test_the_checks_run_in_the_order_key_body_model_limits_balance(self, world: World, api: Api) -> None:
        poor = await world.join("geekhub", micros=0)
        everything_wrong = {"model": "no/model", "prompt": "", "aspect_ratio": "4:5", "duration": 99}
        stranger = Customer(account=poor.account, caller=poor.caller, secret="ghub_sk_live_wrong")
        steps = [
            (stranger, everything_wrong, ("401", "invalid_api_key")),
            (poor, everything_wrong, ("400", "invalid_request_error")),
            (poor, {**everything_wrong, "prompt": "p"}, ("404", "model_not_found")),
            (poor, {"aspect_ratio": "4:5", "duration": 99}, ("400", "invalid_request_error")),
            (poor, {}, ("402", "insufficient_balance")),
        ]
        for customer, body, expected in steps:
            assert told(await refusal(create(api, customer, **body))) == expected

    @pytest.mark.parametrize(
        ("metadata", "code"),
        [
            ((), "missing_api_key"),
            ((("authorization", "Bearer ghub_sk_live_wrong"),), "invalid_api_key"),
            ((("authorization", "Basic YTpi"),), "invalid_api_key"),
        ],
    )
    async def test_a_missing_and_a_wrong_key_are_told_apart(self, api: Api, metadata: Any, code: str) -> None:
        calls = (
            api.geekhub.CreateVideo(CreateVideoRequest(), metadata=metadata),
            api.geekhub.GetVideo(GetVideoRequest(id="x"), metadata=metadata),
            api.geekhub.ListModels(ListModelsRequest(), metadata=metadata),
        )
        for call in calls:
            refused = await refusal(call)
            assert told(refused) == ("401", code)
            assert refused.code == "UNAUTHENTICATED"
            assert refused.body["error"]["request_id"] == "req_000000000000000000000000"

    async def test_a_revoked_key_is_told_so(self, api: Api, world: World, ada: Customer) -> None:
        await world.store.revoke_key(ada.caller.key_id, world.clock.now())
        assert told(await refusal(create(api, ada))) == ("401", "key_revoked")

    async def test_a_balance_of_nothing_is_refused_with_the_documented_text(self, api: Api, world: World) -> None:
        poor = await world.join("geekhub", micros=0)
        refused = await refusal(create(api, poor))
        assert told(refused) == ("402", "insufficient_balance")
        assert refused.body["error"]["message"] == (
            "Insufficient balance. Recharge at https://app.geekhub.mx/dashboard/billing."
        )
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "INSUFFICIENT_BALANCE")
        assert await world.ledger(poor) == []

    async def test_the_smallest_balance_is_enough_and_a_debt_is_not(self, api: Api, world: World) -> None:
        customer = await world.join("geekhub", micros=1)
        await create(api, customer)
        await world.run_due()
        assert await world.money(customer) == (-4_199_999, 0)
        assert told(await refusal(create(api, customer))) == ("402", "insufficient_balance")

    async def test_a_model_whose_provider_is_missing_is_unavailable_whatever_its_limits(self) -> None:
        world = World(providers=[FakeProvider("fal")])
        ada = await world.join("geekhub")
        async with serving(world) as api:
            for body in ({}, {"duration": 99}):
                refused = await refusal(create(api, ada, model="google/veo-3", **body))
                assert told(refused) == ("502", "provider_unavailable")
                assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "MODEL_UNAVAILABLE")

    @pytest.mark.parametrize(
        ("method", "error", "expected"),
        [
            ("outage", None, ("500", "internal_error")),
            ("*", ValueError("secret"), ("500", "internal_error")),
            ("*", SequenceConflict(), ("500", "internal_error")),
            ("*", asyncio.CancelledError(), ("503", "internal_error")),
        ],
    )
    async def test_what_is_our_fault_says_nothing_but_the_request_id(
        self, method: str, error: Any, expected: tuple[str, str]
    ) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join("geekhub")
        if error is None:
            trouble.begin_outage()
        else:
            trouble.by_method[method] = error
        async with serving(world) as api:
            refused = await refusal(get(api, ada, UNKNOWN_JOB))
        assert told(refused) == expected
        assert "secret" not in repr(refused)
        assert refused.body["error"]["request_id"] == "req_aacb6a7d478c2fdea077ca09"


class TestGet:
    async def _create(self, api: Api, customer: Customer, **body: Any) -> str:
        return str((await create(api, customer, **body))["id"])

    async def test_a_completed_job_has_its_video(self, api: Api, world: World, ada: Customer) -> None:
        job_id = await self._create(api, ada)
        await world.clock.advance(timedelta(seconds=788.9))
        await world.run_due()
        job = await get(api, ada, job_id)
        folder = f"https://reelgate.test/media/generated-videos/{ada.account.account_id}/{job_id}"
        assert job == {
            "id": job_id,
            "object": "video.job",
            "status": "completed",
            "model": "fal/kling-2",
            "prompt": "an astronaut surfing",
            "video_url": f"{folder}/video.mp4",
            "duration": 5,
            "error": None,
            "created": 1767268800,
            "completed": 1767269588,
        }

    async def test_each_state_has_its_documented_name(self, api: Api, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job_id = await self._create(api, ada)
        assert (await get(api, ada, job_id))["status"] == "pending"
        await world.run_due()
        assert (await get(api, ada, job_id))["status"] == "processing"
        world.fal.fail("fal-task-1", JobFailure(code=FailureCode.PROVIDER_ERROR, message="fal status: ERROR"))
        await world.clock.advance(timedelta(minutes=2))
        await world.run_due()
        job = await get(api, ada, job_id)
        assert (job["status"], job["error"], job["video_url"]) == ("failed", "fal status: ERROR", None)
        assert job["completed"] == 1767268920
        assert len(job) == 10
        assert await world.ledger(ada) == ["credit"]

    async def test_a_job_whose_file_is_being_copied_is_processing(self, api: Api, world: World, ada: Customer) -> None:
        world.media.put_fault_count = 1
        job_id = await self._create(api, ada)
        await world.run_due()
        job = await get(api, ada, job_id)
        assert (job["status"], job["video_url"], job["completed"]) == ("processing", None, None)

    async def test_an_expired_and_a_cancelled_job_have_failed(self, api: Api, world: World, ada: Customer) -> None:
        expired, cancelled = await self._create(api, ada), await world.create(ada)
        await world.recorder.record_latest(cancelled.job_id, Cancel())
        await world.clock.advance(timedelta(minutes=30))
        await world.run_due()
        job = await get(api, ada, expired)
        assert (job["status"], job["error"]) == ("failed", "The job did not end before its deadline.")
        job = await get(api, ada, cancelled.job_id)
        assert (job["status"], job["error"]) == ("failed", "The job was cancelled.")

    async def test_reading_moves_neither_the_job_nor_money(self, api: Api, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job_id = await self._create(api, ada)
        await world.run_due()
        world.fal.finish_all()
        polls = world.fal.call_count("poll")
        for _ in range(5):
            assert (await get(api, ada, job_id))["status"] == "processing"
        assert world.fal.call_count("poll") == polls
        assert await world.ledger(ada) == ["credit"]

    @pytest.mark.parametrize(
        "job_id",
        [UNKNOWN_JOB, "", "1", "not-a-uuid", UNKNOWN_JOB.upper(), "🎬", "x" * 100_000, "a\0b"],
        ids=lambda value: value[:20],
    )
    async def test_an_unknown_or_malformed_id_is_not_found(self, api: Api, ada: Customer, job_id: str) -> None:
        refused = await refusal(get(api, ada, job_id))
        assert told(refused) == ("404", "not_found")
        assert (refused.code, refused.reason) == ("NOT_FOUND", "JOB_NOT_FOUND")

    async def test_anothers_job_is_not_found(self, api: Api, world: World, ada: Customer) -> None:
        other = await world.join("geekhub")
        job_id = await self._create(api, ada)
        assert told(await refusal(get(api, other, job_id))) == ("404", "not_found")

    async def test_a_job_made_on_another_surface_can_be_read(self, api: Api, world: World, ada: Customer) -> None:
        job = await world.create(ada, model="kling-3-pro")
        assert (await get(api, ada, job.job_id))["model"] == "kling-3-pro"


class TestListModels:
    async def test_the_seven_models_are_listed_in_openais_style(self, api: Api, ada: Customer) -> None:
        listed = to_json(await api.geekhub.ListModels(ListModelsRequest(), metadata=key(ada)))
        assert listed["object"] == "list"
        rows = {row["id"]: row for row in listed["data"]}
        assert rows["fal/kling-2"] == {
            "id": "fal/kling-2",
            "object": "model",
            "kind": "video",
            "owned_by": "fal",
            "pricing": {"per_second_usd": 0.04},
            "default_duration": 5,
            "max_duration": 10,
            "aspect_ratios": ["16:9", "9:16", "1:1"],
        }
        assert {
            name: (row["pricing"]["per_second_usd"], row["default_duration"], row["max_duration"])
            for name, row in rows.items()
        } == {
            "google/veo-3.1": (0.40, 8, 8),
            "google/veo-3": (0.20, 8, 8),
            "fal/veo-3.1": (0.40, 8, 8),
            "fal/runway-gen-4": (0.05, 5, 10),
            "fal/luma-ray-2": (0.20, 5, 9),
            "fal/kling-2": (0.04, 5, 10),
            "fal/hailuo-02": (0.04, 6, 10),
        }
        assert {name: row["owned_by"] for name, row in rows.items()}["google/veo-3"] == "google"
