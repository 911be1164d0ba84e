"""Kyma's video API over gRPC: every field, null, number, status, error body, and the documented order of checks."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from reelgate.kyma.v1.kyma_service_pb2 import (
    CreateVideoRequest,
    GetBalanceRequest,
    GetJobRequest,
    GetPricingRequest,
    ListModelsRequest,
    ListTiersRequest,
)
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.domain.decide import Cancel
from reelgate_server.domain.events import FailureCode, JobFailure
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, Refusal, from_json, initial_metadata, key, refusal, serving, to_json
from tests.support.world import Customer, World

BODY = {"model": "kling-3-pro", "prompt": "a lighthouse"}
UNKNOWN_JOB = "01940000-0000-7000-8000-00000000ffff"


@pytest.fixture
async def ada(world: World) -> Customer:
    """A customer on Kyma's plan, with ten dollars."""
    return await world.join("kyma")


async def post(api: Api, customer: Customer, **body: Any) -> tuple[str, Any]:
    """Create, and return the HTTP status with the job."""
    call = api.kyma.CreateVideo(from_json(CreateVideoRequest(), {**BODY, **body}), metadata=key(customer))
    job = to_json(await call)
    return (await initial_metadata(call)).get("x-http-status", "200"), job


async def create(api: Api, customer: Customer, **body: Any) -> Any:
    return (await post(api, customer, **body))[1]


async def get(api: Api, customer: Customer, job_id: str) -> Any:
    return to_json(await api.kyma.GetJob(GetJobRequest(id=job_id), metadata=key(customer)))


def told(refused: Refusal) -> tuple[str | None, str]:
    """The HTTP status and the code of an error, once its shape was found to be the documented one."""
    error = refused.body["error"]
    assert list(refused.body) == ["error"]
    assert list(error)[:3] == ["message", "type", "code"]
    assert set(error) - {"message", "type", "code"} <= {"cta_url"}
    assert error["type"] == ("server_error" if str(refused.http_status) >= "500" else "invalid_request_error")
    assert 0 < len(error["message"]) <= 300
    return refused.http_status, error["code"]


class TestCreate:
    async def test_a_new_job_is_202_with_exactly_the_documented_fields(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        await world.clock.advance(timedelta(milliseconds=7.9))
        status, job = await post(api, ada)
        assert status == "202"
        assert job == {
            "id": job["id"],
            "object": "video.job",
            "status": "pending",
            "model": "kling-3-pro",
            "created_at": "2026-01-01T12:00:00.007Z",
            "completed_at": None,
            "output": None,
            "error": None,
            "estimated_cost": 0.756,
            "charged_amount": None,
        }
        assert await world.money(ada) == (9_244_000, 756_000)

    @pytest.mark.parametrize(
        ("model", "duration", "cost"),
        [
            ("kling-2.5-pro", 5, 0.4725),
            ("kling-3-pro", 5, 0.756),
            ("kling-3-pro-audio", 5, 1.134),
            ("seedance-2-pro", 5, 2.04795),
            ("seedance-2-fast", 5, 1.632825),
            ("veo-3-fast", 4, 0.54),
            ("veo-3", 6, 3.24),
            ("veo-3", None, 4.32),
            ("kling-3-pro", 1, 0.1512),
            ("kling-3-pro", 10, 1.512),
        ],
    )
    async def test_the_documented_prices_are_held(
        self, *, api: Api, world: World, ada: Customer, model: str, duration: int | None, cost: float
    ) -> None:
        job = await create(api, ada, model=model, duration=duration)
        assert job["estimated_cost"] == cost
        assert await world.money(ada) == (10_000_000 - round(cost * 1_000_000), round(cost * 1_000_000))

    async def test_a_replay_is_200_with_the_first_job_as_it_stands_whatever_its_content(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        status, first = await post(api, ada, idempotency_key="order-7")
        assert status == "202"
        await world.run_due()
        for body in ({}, {"prompt": "another"}, {"model": "no/model"}, {"prompt": 7, "duration": "x", "extra": 1}):
            status, again = await post(api, ada, idempotency_key="order-7", **body)
            assert (status, again["id"], again["status"]) == ("200", first["id"], "succeeded")
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_a_replay_needs_no_balance(self, api: Api, world: World) -> None:
        customer = await world.join("kyma", micros=756_000)
        _, first = await post(api, customer, idempotency_key="k")
        assert await world.money(customer) == (0, 756_000)
        assert (await post(api, customer, idempotency_key="k"))[0] == "200"
        assert told(await refusal(post(api, customer, idempotency_key="l"))) == ("402", "insufficient_balance")
        assert (await get(api, customer, first["id"]))["status"] == "pending"

    async def test_of_two_creates_at_the_same_moment_one_is_the_replay(self) -> None:
        store = MemoryStore()

        async def around(name: str, call: Any) -> Any:
            # As if the other create were not there yet when this one looked.
            return None if name == "find_replay" else await call()

        world = World(store=interpose(store, around))
        ada = await world.join("kyma")
        async with serving(world) as api:
            answers = [await post(api, ada, idempotency_key="k") for _ in range(2)]
        assert [status for status, _ in answers] == ["202", "200"]
        assert answers[0][1] == answers[1][1]
        assert await world.ledger(ada) == ["credit", "hold"]

    async def test_the_same_idempotency_key_under_another_api_key_is_another_job(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        first = await create(api, ada, idempotency_key="k")
        second_key = await world.accounts.create_key(ada.account, "second")
        second = Customer(account=ada.account, caller=ada.caller, secret=second_key.secret)
        status, other = await post(api, second, idempotency_key="k")
        assert status == "202"
        assert other["id"] != first["id"]

    @pytest.mark.parametrize("idempotency_key", ["x", "x" * 128, "🔑" * 128])
    async def test_an_idempotency_key_of_1_to_128_characters_is_taken(
        self, api: Api, ada: Customer, idempotency_key: str
    ) -> None:
        assert (await post(api, ada, idempotency_key=idempotency_key))[0] == "202"
        assert (await post(api, ada, idempotency_key=idempotency_key))[0] == "200"

    async def test_fields_that_are_null_are_absent_and_unknown_ones_are_ignored(self, api: Api, ada: Customer) -> None:
        body = {"duration": None, "image_url": None, "idempotency_key": None, "extra": None, "n": 3}
        assert (await post(api, ada, **body))[0] == "202"
        # A null key is no key.
        assert (await post(api, ada, **body))[0] == "202"

    async def test_extra_is_passed_on_and_sets_the_ratio(self, api: Api, world: World, ada: Customer) -> None:
        await create(api, ada, extra={"seed": 42, "aspect_ratio": "9:16", "nested": {"a": [1, None, 2.5]}})
        await world.run_due()
        spec = world.fal.orders[0].spec
        # The ratio is a field of ours from here on: not every model has such a parameter.
        assert (spec.aspect_ratio, spec.extra) == ("9:16", {"seed": 42, "nested": {"a": [1, None, 2.5]}})
        assert isinstance(spec.extra["seed"], int)

    async def test_a_ratio_of_null_is_the_models_own(self, api: Api, world: World, ada: Customer) -> None:
        await create(api, ada, extra={"aspect_ratio": None})
        await world.run_due()
        spec = world.fal.orders[0].spec
        assert (spec.aspect_ratio, spec.extra) == ("16:9", {})

    async def test_a_create_with_a_ratio_can_be_repeated_here_and_natively(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        extra = {"seed": 42, "aspect_ratio": "9:16"}
        first = await create(api, ada, idempotency_key="k", extra=extra)
        status, second = await post(api, ada, idempotency_key="k", extra=extra)
        assert (status, second["id"]) == ("200", first["id"])
        job = await world.create(ada, **BODY, aspect_ratio="9:16", extra={"seed": 42}, idempotency_key="k")
        assert job.job_id == first["id"]

    async def test_an_image_switches_to_the_image_endpoint(self, api: Api, world: World, ada: Customer) -> None:
        await create(api, ada, image_url="https://images.test/a.png?sig=1")
        await create(api, ada)
        await world.run_due()
        assert sorted(order.endpoint for order in world.fal.orders) == [
            "fal-ai/kling-video/v3/pro/image-to-video",
            "fal-ai/kling-video/v3/pro/text-to-video",
        ]

    @pytest.mark.parametrize("prompt", ["p", "p" * 4000, "🎬" * 4000])
    async def test_a_prompt_of_1_to_4000_code_points_is_taken(self, api: Api, ada: Customer, prompt: str) -> None:
        assert (await post(api, ada, prompt=prompt))[0] == "202"

    @pytest.mark.parametrize(("duration", "status"), [(5, "202"), (5.0, "202"), (10, "202")])
    async def test_a_whole_number_may_be_written_either_way(
        self, api: Api, ada: Customer, duration: float, status: str
    ) -> None:
        assert (await post(api, ada, duration=duration))[0] == status


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "status", "code", "message"),
        [
            ({"model": None}, "400", "invalid_model", "model is required"),
            ({"model": ""}, "400", "invalid_model", "model is required"),
            ({"model": 7}, "400", "invalid_model", "model must be a string"),
            ({"model": "fal/kling-2"}, "400", "invalid_model", "Model 'fal/kling-2' does not exist."),
            ({"model": "fal/ñ"}, "400", "invalid_model", "Model 'fal/ñ' does not exist."),
            ({"model": "m" * 100_000}, "400", "invalid_model", f"Model '{'m' * 100}' does not exist."),
            ({"prompt": None}, "400", "invalid_prompt", "prompt is required"),
            ({"prompt": ""}, "400", "invalid_prompt", "prompt is required"),
            ({"prompt": 7}, "400", "invalid_prompt", "prompt must be a string"),
            ({"prompt": False}, "400", "invalid_prompt", "prompt must be a string"),
            ({"prompt": "p" * 4001}, "400", "invalid_prompt", "prompt must be at most 4000 characters, not 4001"),
            ({"prompt": "🎬" * 4001}, "400", "invalid_prompt", "prompt must be at most 4000 characters, not 4001"),
            ({"prompt": "\0"}, "400", "invalid_prompt", "prompt must not contain the character U+0000"),
            ({"duration": "5"}, "400", "invalid_duration", "duration must be a whole number of seconds"),
            ({"duration": 2.5}, "400", "invalid_duration", "duration must be a whole number of seconds"),
            ({"duration": True}, "400", "invalid_duration", "duration must be a whole number of seconds"),
            ({"duration": {}}, "400", "invalid_duration", "duration must be a whole number of seconds"),
            (
                {"duration": 0},
                "400",
                "invalid_duration",
                "duration must be 1 to 10 seconds for model 'kling-3-pro'",
            ),
            (
                {"duration": 11},
                "400",
                "invalid_duration",
                "duration must be 1 to 10 seconds for model 'kling-3-pro'",
            ),
            (
                {"duration": -1e300},
                "400",
                "invalid_duration",
                "duration must be 1 to 10 seconds for model 'kling-3-pro'",
            ),
            (
                {"model": "veo-3", "duration": 5},
                "400",
                "invalid_duration",
                "duration must be 4 or 6 or 8 seconds for model 'veo-3'",
            ),
            ({"image_url": 7}, "400", "invalid_request", "image_url must be a string"),
            (
                {"image_url": "http://images.test/a.png"},
                "400",
                "invalid_request",
                "image_url must be an https:// URL of at most 2048 characters, without credentials",
            ),
            (
                {"image_url": ""},
                "400",
                "invalid_request",
                "image_url must be an https:// URL of at most 2048 characters, without credentials",
            ),
            (
                {"idempotency_key": ""},
                "400",
                "invalid_request",
                "idempotency_key must be 1 to 128 characters, none of them U+0000",
            ),
            (
                {"idempotency_key": "x" * 129},
                "400",
                "invalid_request",
                "idempotency_key must be 1 to 128 characters, none of them U+0000",
            ),
            ({"idempotency_key": 7}, "400", "invalid_request", "idempotency_key must be a string"),
            ({"extra": "seed=1"}, "400", "invalid_request", "extra must be an object"),
            ({"extra": [1]}, "400", "invalid_request", "extra must be an object"),
            ({"extra": {"blob": "x" * 16_384}}, "400", "invalid_request", "extra must be at most 16384 bytes of JSON"),
            ({"extra": {"a\0": 1}}, "400", "invalid_request", "extra must not contain the character U+0000"),
            ({"extra": {"aspect_ratio": 7}}, "400", "invalid_request", "extra.aspect_ratio must be a string"),
            (
                {"extra": {"aspect_ratio": "21:9"}},
                "400",
                "invalid_request",
                "extra.aspect_ratio must be one of 16:9, 9:16, 1:1",
            ),
            (
                {"extra": {"duration": 10}},
                "400",
                "invalid_request",
                "extra.duration must not be set here: use `duration`",
            ),
            (
                {"extra": {"aspectRatio": "9:16"}},
                "400",
                "invalid_request",
                "extra.aspectRatio must not be set here: use `extra.aspect_ratio`",
            ),
            (
                {"extra": {"aspect_ratio": "9:16", "resolution": "4k"}},
                "400",
                "invalid_request",
                "extra.resolution must not be set here: the model decides it",
            ),
            (
                {"extra": {"start_image_url": "https://images.test/a.png"}},
                "400",
                "invalid_request",
                "extra.start_image_url must not be set here: use `image_url`",
            ),
            (
                {"extra": {"webhook_url": "https://evil.test", "seed": 1}},
                "400",
                "invalid_request",
                "extra.webhook_url must not be set here: this service keeps the result and tells of it",
            ),
            (
                {"extra": {"extra_body": {"duration": 10}}},
                "400",
                "invalid_request",
                "extra.extra_body must not be set here: name its members in `extra` itself",
            ),
        ],
        ids=lambda value: f"{value}"[:40],
    )
    async def test_a_bad_body_is_told_as_documented_and_leaves_nothing(
        self, *, api: Api, world: World, ada: Customer, body: dict[str, Any], status: str, code: str, message: str
    ) -> None:
        refused = await refusal(create(api, ada, **body))
        assert told(refused) == (status, code)
        assert refused.body["error"]["message"] == message
        assert await world.ledger(ada) == ["credit"]
        assert await world.money(ada) == (10_000_000, 0)
        assert not await world.store.claim("x", now=world.clock.now(), lease_until=world.clock.now(), limit=9)

    async def test_very_many_refused_names_still_fit_the_answers_headers(self, api: Api, ada: Customer) -> None:
        extra = {f"falwebhook{'_' * (100 + count)}": 1 for count in range(80)}
        refused = await refusal(create(api, ada, extra=extra))
        assert told(refused) == ("400", "invalid_request")
        assert len(refused.fields) == 16

    async def test_a_model_whose_providers_are_missing_is_unavailable(self) -> None:
        world = World(providers=[FakeProvider("vertex")])
        async with serving(world) as api:
            refused = await refusal(create(api, await world.join("kyma", micros=0), model="hailuo-02-768p", prompt=""))
        assert told(refused) == ("400", "invalid_model")
        assert refused.body["error"]["message"] == "Model 'hailuo-02-768p' is not available on this server."

    async def test_the_checks_run_in_the_documented_order(self, api: Api, world: World) -> None:
        poor = await world.join("kyma", micros=0)
        stranger = Customer(account=poor.account, caller=poor.caller, secret="ky-wrong")
        body: dict[str, Any] = {
            "idempotency_key": 7,
            "model": "no-model",
            "prompt": "",
            "duration": 99,
            "image_url": 7,
        }
        assert told(await refusal(create(api, stranger, **body))) == ("401", "auth_error")
        assert told(await refusal(create(api, poor, **body))) == ("400", "invalid_request")
        del body["idempotency_key"]
        assert told(await refusal(create(api, poor, **body))) == ("400", "invalid_model")
        body["model"] = "kling-3-pro"
        assert told(await refusal(create(api, poor, **body))) == ("400", "invalid_prompt")
        assert told(await refusal(create(api, poor, **{**body, "duration": "5"}))) == ("400", "invalid_prompt")
        body["prompt"] = "p"
        assert told(await refusal(create(api, poor, **body))) == ("400", "invalid_duration")
        body["duration"] = 5
        assert told(await refusal(create(api, poor, **body))) == ("400", "invalid_request")
        del body["image_url"]
        assert told(await refusal(create(api, poor, **body))) == ("402", "insufficient_balance")

    @pytest.mark.parametrize(
        "metadata",
        [(), (("authorization", "Bearer ky-wrong"),), (("authorization", "Basic x"),), (("x-api-key", "ky-wrong"),)],
    )
    async def test_a_missing_and_a_wrong_key_look_the_same(self, api: Api, metadata: Any) -> None:
        for call in (
            api.kyma.CreateVideo(CreateVideoRequest(), metadata=metadata),
            api.kyma.GetJob(GetJobRequest(), metadata=metadata),
            api.kyma.ListModels(ListModelsRequest(), metadata=metadata),
            api.kyma.GetBalance(GetBalanceRequest(), metadata=metadata),
        ):
            refused = await refusal(call)
            assert told(refused) == ("401", "auth_error")
            assert refused.code == "UNAUTHENTICATED"

    async def test_a_revoked_key_is_refused(self, api: Api, world: World, ada: Customer) -> None:
        await world.store.revoke_key(ada.caller.key_id, world.clock.now())
        assert told(await refusal(create(api, ada))) == ("401", "auth_error")

    async def test_a_balance_one_micro_short_is_refused_with_where_to_pay(self, api: Api, world: World) -> None:
        customer = await world.join("kyma", micros=755_999)
        refused = await refusal(create(api, customer))
        assert told(refused) == ("402", "insufficient_balance")
        assert refused.body["error"]["cta_url"] == "https://kymaapi.com/billing"
        assert refused.info == {"required_micros": "756000", "available_micros": "755999", "currency": "USD"}
        assert await world.ledger(customer) == ["credit"]

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (None, ("500", "db_error")),
            (ValueError("secret"), ("500", "provider_error")),
            (asyncio.CancelledError(), ("503", "provider_error")),
        ],
    )
    async def test_what_is_our_fault_says_nothing(self, error: Any, expected: tuple[str, str]) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join("kyma")
        if error is None:
            trouble.begin_outage()
        else:
            trouble.by_method["*"] = error
        async with serving(world) as api:
            refused = await refusal(create(api, ada))
        assert told(refused) == expected
        assert "secret" not in repr(refused)


class TestGet:
    async def test_a_succeeded_job_has_its_output_and_its_charge(self, api: Api, world: World, ada: Customer) -> None:
        job_id = (await create(api, ada, duration=10))["id"]
        await world.clock.advance(timedelta(seconds=138.84))
        await world.run_due()
        job = await get(api, ada, job_id)
        folder = f"https://reelgate.test/media/generated-videos/{ada.account.account_id}/{job_id}"
        assert job == {
            "id": job_id,
            "object": "video.job",
            "status": "succeeded",
            "model": "kling-3-pro",
            "created_at": "2026-01-01T12:00:00.000Z",
            "completed_at": "2026-01-01T12:02:18.840Z",
            "output": {"url": f"{folder}/video.mp4", "metadata": {"duration": 10}},
            "error": None,
            "estimated_cost": 1.512,
            "charged_amount": 1.512,
        }
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_each_state_has_its_documented_name(self, api: Api, world: World, ada: Customer) -> None:
        world.fal.is_held = True
        job_id = (await create(api, ada))["id"]
        assert (await get(api, ada, job_id))["status"] == "pending"
        await world.run_due()
        assert (await get(api, ada, job_id))["status"] == "processing"
        world.fal.fail("fal-task-1", JobFailure(code=FailureCode.REJECTED, message="Refused."))
        await world.clock.advance(timedelta(minutes=1))
        await world.run_due()
        job = await get(api, ada, job_id)
        assert (job["status"], job["output"], job["charged_amount"]) == ("failed", None, None)
        assert job["error"] == {"message": "Refused.", "code": "provider_error"}
        assert job["estimated_cost"] == 0.756
        assert job["completed_at"] == "2026-01-01T12:01:00.000Z"
        assert await world.money(ada) == (10_000_000, 0)

    async def test_a_job_whose_file_is_being_copied_is_processing(self, api: Api, world: World, ada: Customer) -> None:
        world.media.put_fault_count = 1
        job_id = (await create(api, ada))["id"]
        await world.run_due()
        job = await get(api, ada, job_id)
        assert (job["status"], job["output"]) == ("processing", None)

    async def test_a_cancelled_job_is_refunded_and_a_late_one_expired(
        self, api: Api, world: World, ada: Customer
    ) -> None:
        cancelled, expired = (await create(api, ada))["id"], (await create(api, ada))["id"]
        await world.recorder.record_latest(cancelled, Cancel())
        await world.clock.advance(timedelta(minutes=10))
        await world.run_due()
        job = await get(api, ada, cancelled)
        assert (job["status"], job["error"]["code"], job["charged_amount"]) == ("refunded", "cancelled", None)
        job = await get(api, ada, expired)
        assert (job["status"], job["error"]["code"], job["charged_amount"]) == ("expired", "expired", None)
        assert await world.money(ada) == (10_000_000, 0)

    async def test_an_account_that_is_never_charged_shows_a_charge_of_nothing(self, api: Api, world: World) -> None:
        unmetered = await world.join("concurred", micros=0)
        job_id = (await create(api, unmetered))["id"]
        await world.run_due()
        assert (await get(api, unmetered, job_id))["charged_amount"] == 0

    @pytest.mark.parametrize(
        "job_id", [UNKNOWN_JOB, "", "v3a9c8b2e1d0a4b6c7d8e9f0", "🎬", "x" * 100_000, "\0"], ids=lambda value: value[:20]
    )
    async def test_an_unknown_or_malformed_id_is_not_found(self, api: Api, ada: Customer, job_id: str) -> None:
        refused = await refusal(get(api, ada, job_id))
        assert told(refused) == ("404", "not_found")
        assert refused.body["error"] == {
            "message": "Job not found.",
            "type": "invalid_request_error",
            "code": "not_found",
        }

    async def test_anothers_job_is_not_found(self, api: Api, world: World, ada: Customer) -> None:
        other = await world.join("kyma")
        job_id = (await create(api, ada))["id"]
        assert told(await refusal(get(api, other, job_id))) == ("404", "not_found")


class TestTables:
    async def test_the_models_are_listed(self, api: Api, ada: Customer) -> None:
        listed = to_json(await api.kyma.ListModels(ListModelsRequest(), metadata=key(ada)))
        assert listed["object"] == "list"
        assert [row["id"] for row in listed["data"]] == [
            "kling-2.5-pro",
            "kling-3-pro",
            "kling-3-pro-audio",
            "seedance-2-pro",
            "seedance-2-fast",
            "hailuo-02-512p",
            "hailuo-02-768p",
            "hailuo-02-1080p",
            "veo-3-fast",
            "veo-3",
        ]
        assert listed["data"][1] == {"id": "kling-3-pro", "object": "model", "name": "Kling 3 Pro"}

    async def test_prices_are_public_sorted_and_may_be_cached_for_a_minute(self, api: Api) -> None:
        call = api.kyma.GetPricing(GetPricingRequest())
        priced = to_json(await call)
        assert (await initial_metadata(call))["cache-control"] == "public, max-age=60"
        assert (priced["object"], priced["text"]) == ("pricing.catalog", [])
        assert (priced["text_count"], priced["media_count"]) == (0, 10)
        rows = {row["id"]: row for row in priced["media"]}
        assert list(rows) == sorted(rows)
        assert rows["veo-3"] == {
            "id": "veo-3",
            "name": "Veo 3",
            "modality": "video",
            "pricing_mode": "per-second",
            "usd_per_call": 0.54,
            "detail": {
                "provider_cost_per_sec": 0.4,
                "min_duration_sec": 4,
                "max_duration_sec": 8,
                "allowed_durations": [4, 6, 8],
            },
        }
        assert {name: row["usd_per_call"] for name, row in rows.items()} == {
            "kling-2.5-pro": 0.0945,
            "kling-3-pro": 0.1512,
            "kling-3-pro-audio": 0.2268,
            "seedance-2-pro": 0.40959,
            "seedance-2-fast": 0.326565,
            "veo-3-fast": 0.135,
            "veo-3": 0.54,
            "hailuo-02-512p": 0.02295,
            "hailuo-02-768p": 0.06075,
            "hailuo-02-1080p": 0.108,
        }

    async def test_tiers_are_public_and_may_be_cached_for_five_minutes(self, api: Api) -> None:
        call = api.kyma.ListTiers(ListTiersRequest())
        table = to_json(await call)
        assert (await initial_metadata(call))["cache-control"] == "public, max-age=300"
        assert table["object"] == "tier.matrix"
        assert table["tiers"][0] == {
            "tier": 0,
            "name": "Tier 0",
            "min_deposit": 0,
            "rpm": 30,
            "per_model_rpm": 25,
            "tpm": 200000,
            "max_single_request": 200000,
            "image_concurrent": 2,
            "image_queue_depth_cap": 6,
            "video_concurrent": 0,
            "video_queue_depth_cap": 0,
            "audio_concurrent": 2,
            "audio_concurrent_per_provider": {"groq": 1, "vertex": 2, "elevenlabs": 1, "minimax": 1, "openai": 1},
        }
        assert [
            (
                tier["tier"],
                tier["min_deposit"],
                tier["rpm"],
                tier["per_model_rpm"],
                tier["video_concurrent"],
                tier["video_queue_depth_cap"],
            )
            for tier in table["tiers"]
        ] == [
            (0, 0, 30, 25, 0, 0),
            (1, 5, 60, 40, 4, 12),
            (2, 50, 120, 80, 8, 24),
            (3, 250, 200, 150, 10, 30),
            (4, 1000, 300, 200, 38, 114),
        ]
        assert table["tiers"][4]["combined_media_concurrent"] == 38
        assert "combined_media_concurrent" not in table["tiers"][3]

    @pytest.mark.parametrize(
        ("micros", "is_low"), [(10_000_000, False), (1_756_000, False), (1_755_999, True), (756_000, True)]
    )
    async def test_a_balance_excludes_what_is_held_and_is_low_below_a_dollar(
        self, api: Api, world: World, micros: int, *, is_low: bool
    ) -> None:
        customer = await world.join("kyma", micros=micros)
        await create(api, customer)
        balance = to_json(await api.kyma.GetBalance(GetBalanceRequest(), metadata=key(customer)))
        assert balance == {"balance": (micros - 756_000) / 1_000_000, "low_balance": is_low, "held": 0.756}
