"""`reelgate.v1.ModelService`: what each method answers, and every code it can answer with."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelgate.v1.model_service_pb2 import EstimateCostRequest, ListModelsRequest
from reelgate_server.adapters.store.memory import MemoryStore
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, key, refusal, serving
from tests.support.world import Customer, World

METHODS = [("ListModels", ListModelsRequest()), ("EstimateCost", EstimateCostRequest(model="fal/kling-2"))]


async def _models(api: Api, customer: Customer) -> dict[str, Any]:
    response = await api.models.ListModels(ListModelsRequest(), metadata=key(customer))
    return {model.model: model for model in response.models}


async def _estimate(api: Api, customer: Customer, **fields: Any) -> Any:
    return await api.models.EstimateCost(EstimateCostRequest(**fields), metadata=key(customer))


class TestListModels:
    async def test_a_model_tells_all_that_a_request_may_say(self, api: Api, ada: Customer) -> None:
        model = (await _models(api, ada))["fal/kling-2"]
        assert model.provider == "fal"
        assert model.display_name
        assert [duration.seconds for duration in model.clip_durations] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        assert model.default_clip_duration == Duration(seconds=5)
        assert list(model.aspect_ratios) == ["16:9", "9:16", "1:1"]
        assert list(model.resolutions) == ["720p"]
        assert not model.audio
        assert (model.price_per_second_micros, model.currency) == (40_000, "USD")
        assert model.availability == 1

    async def test_the_whole_catalogue_comes_in_its_own_order(self, api: Api, world: World, ada: Customer) -> None:
        models = await _models(api, ada)
        assert list(models) == [model.model_id for model in world.catalogue.all()]
        assert len(models) == 23
        assert [models[name].image_input for name in ("wan-2.6", "veo-3.1", "wan-2.6-i2v")] == [1, 2, 3]
        assert models["veo-3.1"].audio

    async def test_prices_are_those_of_the_callers_plan(self, api: Api, world: World) -> None:
        geekhub, kyma = await world.join("geekhub"), await world.join("kyma")
        model = (await _models(api, geekhub))["fal/kling-2"]
        assert (model.price_per_second_micros, model.currency) == (840_000, "MXN")
        model = (await _models(api, kyma))["seedance-2-pro"]
        assert (model.price_per_second_micros, model.currency) == (409_590, "USD")

    async def test_ratios_that_nobody_renders_here_are_left_out(self, api: Api, ada: Customer) -> None:
        assert (await _models(api, ada))["fal/luma-ray-2"].aspect_ratios == ["16:9", "9:16"]
        world = World(providers=[FakeProvider("local")], stand_in="local")
        ada = await world.join()
        async with serving(world) as simulated:
            assert (await _models(simulated, ada))["fal/luma-ray-2"].aspect_ratios == ["16:9", "9:16", "1:1"]

    async def test_a_model_that_its_provider_has_withdrawn_is_unavailable(self, api: Api, ada: Customer) -> None:
        assert (await _models(api, ada))["fal/runway-gen-4"].availability == 3

    async def test_a_stand_in_makes_it_simulated(self) -> None:
        world = World(providers=[FakeProvider("vertex"), FakeProvider("local")], stand_in="local")
        ada = await world.join()
        async with serving(world) as api:
            models = await _models(api, ada)
        assert models["fal/kling-2"].availability == 2
        assert models["fal/runway-gen-4"].availability == 2
        assert models["google/veo-3.1"].availability == 1

    async def test_a_model_whose_provider_is_missing_is_unavailable(self) -> None:
        world = World(providers=[FakeProvider("vertex")])
        ada = await world.join()
        async with serving(world) as api:
            models = await _models(api, ada)
        assert models["fal/kling-2"].availability == 3


class TestEstimateCost:
    async def test_an_estimate_is_what_a_job_costs(self, api: Api, world: World, ada: Customer) -> None:
        estimate = await _estimate(api, ada, model="fal/kling-2", clip_duration=Duration(seconds=7))
        assert (estimate.price_micros, estimate.currency) == (280_000, "USD")
        assert estimate.clip_duration == Duration(seconds=7)
        assert estimate.render_duration == Duration(seconds=10)
        assert estimate.affordable
        assert await world.ledger(ada) == ["credit"]

    async def test_the_models_default_length_is_priced_if_none_is_given(self, api: Api, world: World) -> None:
        kyma = await world.join("kyma")
        estimate = await _estimate(api, kyma, model="kling-3-pro")
        assert (estimate.price_micros, estimate.clip_duration.seconds) == (756_000, 5)

    @pytest.mark.parametrize(
        ("plan", "micros", "is_affordable"),
        [
            ("default", 200_000, True),
            ("default", 199_999, False),
            ("geekhub", 1, True),
            ("geekhub", 0, False),
            ("concurred", 0, True),
        ],
    )
    async def test_an_estimate_tells_whether_create_would_be_refused(
        self, api: Api, world: World, plan: str, micros: int, *, is_affordable: bool
    ) -> None:
        customer = await world.join(plan, micros=micros)
        assert (await _estimate(api, customer, model="fal/kling-2")).affordable is is_affordable

    @pytest.mark.parametrize(
        ("fields", "code", "reason", "info"),
        [
            ({}, "INVALID_ARGUMENT", "INVALID_REQUEST", {"field": "model"}),
            ({"model": "fal/ñ"}, "NOT_FOUND", "MODEL_NOT_FOUND", {"model": "fal/ñ"}),
            ({"model": "m" * 100_000}, "NOT_FOUND", "MODEL_NOT_FOUND", {"model": "m" * 100}),
            (
                {"model": "fal/kling-2", "clip_duration": Duration(seconds=11)},
                "INVALID_ARGUMENT",
                "INVALID_SPEC",
                {"field": "clip_duration"},
            ),
            (
                {"model": "veo-3", "clip_duration": Duration(seconds=5)},
                "INVALID_ARGUMENT",
                "INVALID_SPEC",
                {"field": "clip_duration"},
            ),
            (
                {"model": "fal/kling-2", "clip_duration": Duration(nanos=500_000_000)},
                "INVALID_ARGUMENT",
                "INVALID_SPEC",
                {"field": "clip_duration"},
            ),
            (
                {"model": "fal/kling-2", "clip_duration": Duration(seconds=86_401)},
                "INVALID_ARGUMENT",
                "INVALID_REQUEST",
                {"field": "clip_duration"},
            ),
        ],
        ids=lambda value: f"{value}"[:40],
    )
    async def test_a_refusal_says_why(
        self, *, api: Api, ada: Customer, fields: dict[str, Any], code: str, reason: str, info: dict[str, str]
    ) -> None:
        refused = await refusal(_estimate(api, ada, **fields))
        assert (refused.code, refused.reason, refused.info) == (code, reason, info)


@pytest.mark.parametrize(("method", "request_"), METHODS)
async def test_a_key_is_needed(api: Api, world: World, ada: Customer, method: str, request_: Any) -> None:
    call = getattr(api.models, method)
    assert (await refusal(call(request_))).reason == "CREDENTIAL_MISSING"
    assert (await refusal(call(request_, metadata=(("x-api-key", "wrong"),)))).reason == "CREDENTIAL_UNKNOWN"
    await world.store.revoke_key(ada.caller.key_id, world.clock.now())
    refused = await refusal(call(request_, metadata=key(ada)))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_REVOKED")


@pytest.mark.parametrize(("method", "request_"), METHODS)
async def test_a_store_that_cannot_answer_is_unavailable_for_now(method: str, request_: Any) -> None:
    trouble = Trouble()
    world = World(store=interpose(MemoryStore(), trouble))
    ada = await world.join()
    async with serving(world) as api:
        call = getattr(api.models, method)
        trouble.begin_outage()
        refused = await refusal(call(request_, metadata=key(ada)))
        assert (refused.code, refused.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        trouble.end()
        trouble.by_method["*"] = ValueError("secret")
        refused = await refusal(call(request_, metadata=key(ada)))
        assert (refused.code, refused.reason) == ("INTERNAL", "INTERNAL")
