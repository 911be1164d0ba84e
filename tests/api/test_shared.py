"""The paths that two dialects share: the key first, then the plan, then the body."""

import json
from typing import Any

import pytest
from google.api.httpbody_pb2 import HttpBody

from tests.support.rpc import Api, Refusal, initial_metadata, key, refusal
from tests.support.world import Customer, World

GEEKHUB_BODY = {"model": "fal/kling-2", "prompt": "a red kite"}
KYMA_BODY = {"model": "kling-3-pro", "prompt": "a red kite"}


@pytest.fixture
async def geek(world: World) -> Customer:
    """A customer on GeekHub's plan."""
    return await world.join("geekhub")


@pytest.fixture
async def kyma(world: World) -> Customer:
    """A customer on Kyma's plan."""
    return await world.join("kyma")


async def create(api: Api, customer: Customer, body: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = HttpBody(content_type="application/json", data=data)
    answer = await api.shared.CreateVideo(request, metadata=key(customer))
    assert answer.content_type == "application/json"
    return json.loads(answer.data)


def code_of(refused: Refusal) -> tuple[str | None, str]:
    return refused.http_status, refused.body["error"]["code"]


async def test_a_customer_on_kymas_plan_gets_kymas_body_and_202(api: Api, world: World, kyma: Customer) -> None:
    call = api.shared.CreateVideo(HttpBody(data=json.dumps(KYMA_BODY).encode()), metadata=key(kyma))
    job = json.loads((await call).data)
    assert (await initial_metadata(call))["x-http-status"] == "202"
    assert job == {
        "id": job["id"],
        "object": "video.job",
        "status": "pending",
        "model": "kling-3-pro",
        "created_at": "2026-01-01T12:00:00.000Z",
        "completed_at": None,
        "output": None,
        "error": None,
        "estimated_cost": 0.756,
        "charged_amount": None,
    }
    assert await world.money(kyma) == (9_244_000, 756_000)


async def test_a_replay_of_kymas_is_200_with_whole_numbers_as_such(api: Api, world: World, kyma: Customer) -> None:
    body = {**KYMA_BODY, "idempotency_key": "k"}
    first = await create(api, kyma, body)
    await world.run_due()
    call = api.shared.CreateVideo(HttpBody(data=json.dumps(body).encode()), metadata=key(kyma))
    data = (await call).data
    assert "x-http-status" not in await initial_metadata(call)
    assert json.loads(data)["id"] == first["id"]
    assert b'"metadata": {"duration": 5}' in data


@pytest.mark.parametrize("plan", ["geekhub", "default", "concurred"])
async def test_a_customer_on_any_other_plan_gets_geekhubs_body(api: Api, world: World, plan: str) -> None:
    job = await create(api, await world.join(plan), GEEKHUB_BODY)
    assert job == {
        "id": job["id"],
        "object": "video.job",
        "status": "pending",
        "model": "fal/kling-2",
        "prompt": "a red kite",
        "video_url": None,
        "duration": 5,
        "error": None,
        "created": 1767268800,
        "completed": None,
    }


@pytest.mark.parametrize(
    ("metadata", "code"),
    [((), "missing_api_key"), ((("authorization", "Bearer ky-wrong"),), "invalid_api_key")],
)
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xff", json.dumps(KYMA_BODY).encode()])
async def test_the_key_comes_first_and_a_stranger_is_told_as_geekhub_does(
    api: Api, metadata: Any, code: str, data: bytes
) -> None:
    for call in (
        api.shared.CreateVideo(HttpBody(data=data), metadata=metadata),
        api.shared.ListModels(HttpBody(), metadata=metadata),
    ):
        assert code_of(await refusal(call)) == ("401", code)


async def test_a_revoked_key_is_told_as_geekhub_does(api: Api, world: World, kyma: Customer) -> None:
    await world.store.revoke_key(kyma.caller.key_id, world.clock.now())
    assert code_of(await refusal(create(api, kyma, KYMA_BODY))) == ("401", "key_revoked")


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"nonsense",
        b'{"model": "x",}',
        b"{'model': 'x'}",
        b"[]",
        b'["model"]',
        b"null",
        b"7",
        b'"text"',
        b"true",
        b" ",
        b"\xff\xff",
        b'{"prompt": "\xed\xa0\x80"}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": NaN}',
        b'{"duration": Infinity}',
        b'{"duration": -Infinity}',
        b'{"duration": ' + b"9" * 400 + b"}",
        b'{"duration": ' + b"9" * 5000 + b"}",
        b'{"duration": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"duration": ' + b"[" * 200 + b"]" * 200 + b"}",
        b"\xef\xbb\xbf{}",
        b'{"model": "x"} trailing',
    ],
    ids=lambda value: repr(value[:25]),
)
async def test_what_is_no_json_object_is_told_by_the_plans_dialect(
    api: Api, world: World, geek: Customer, kyma: Customer, data: bytes
) -> None:
    refused = await refusal(create(api, geek, data))
    assert code_of(refused) == ("400", "invalid_request_error")
    assert refused.body["error"]["message"] == "body must be a JSON object"
    assert (refused.code, refused.info) == ("INVALID_ARGUMENT", {"field": "body"})
    refused = await refusal(create(api, kyma, data))
    assert code_of(refused) == ("400", "invalid_request")
    assert refused.body["error"]["message"] == "body must be a JSON object"
    assert await world.ledger(kyma) == ["credit"]


@pytest.mark.parametrize(
    "extra",
    [b'{"\\udfff": 1}', b'{"a": "\\ud800"}', b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200],
    ids=["key", "value", "5000 deep", "200 deep"],
)
async def test_what_no_message_can_hold_is_refused_where_it_is_read(
    api: Api, world: World, geek: Customer, kyma: Customer, extra: bytes
) -> None:
    # Kyma's request has a field `extra`, GeekHub's has not.
    data = b'{"model": "kling-3-pro", "prompt": "p", "extra": ' + extra + b"}"
    assert code_of(await refusal(create(api, kyma, data))) == ("400", "invalid_request")
    assert code_of(await refusal(create(api, geek, data))) in {
        ("404", "model_not_found"),
        ("400", "invalid_request_error"),
    }
    assert await world.ledger(kyma) == ["credit"]


async def test_no_body_is_an_empty_object(api: Api, geek: Customer, kyma: Customer) -> None:
    for data in (b"", b"{}", b" {} "):
        refused = await refusal(create(api, geek, data))
        assert refused.body["error"]["message"] == "model is required; prompt is required"
        assert code_of(await refusal(create(api, kyma, data))) == ("400", "invalid_model")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"model": "fal/kling-2", "prompt": 7}', "prompt must be a string"),
        (b'{"model": "fal/kling-2", "prompt": "p", "duration": "5"}', "duration must be a whole number of seconds"),
        (b'{"model": "fal/kling-2", "prompt": "p", "duration": 2.5}', "duration must be a whole number of seconds"),
        (
            b'{"model": "fal/kling-2", "prompt": "p", "duration": 1e308}',
            "duration must be 1 to 10 seconds for model 'fal/kling-2'",
        ),
        (b'{"model": "fal/kling-2", "prompt": "a\\u0000b"}', "prompt must not contain the character U+0000"),
    ],
)
async def test_the_plans_dialect_checks_the_fields(
    api: Api, world: World, geek: Customer, data: bytes, message: str
) -> None:
    refused = await refusal(create(api, geek, data))
    assert code_of(refused) == ("400", "invalid_request_error")
    assert refused.body["error"]["message"] == message
    assert await world.ledger(geek) == ["credit"]


async def test_a_number_too_large_for_json_numbers_is_refused(api: Api, geek: Customer, kyma: Customer) -> None:
    data = b'{"model": "fal/kling-2", "prompt": "p", "duration": 1e999}'
    assert code_of(await refusal(create(api, geek, data))) == ("400", "invalid_request_error")
    assert code_of(await refusal(create(api, kyma, data.replace(b"fal/kling-2", b"kling-3-pro")))) in {
        ("400", "invalid_duration"),
        ("400", "invalid_request"),
    }


async def test_of_two_equal_keys_the_last_counts(api: Api, geek: Customer) -> None:
    data = b'{"model": "no/model", "model": "fal/kling-2", "prompt": "first", "prompt": "second"}'
    job = await create(api, geek, data)
    assert (job["model"], job["prompt"]) == ("fal/kling-2", "second")


async def test_unknown_fields_are_ignored_and_nulls_are_absent(api: Api, geek: Customer) -> None:
    job = await create(api, geek, {**GEEKHUB_BODY, "duration": None, "unknown": {"deep": [1]}, "idempotency_key": 7})
    assert job["duration"] == 5


async def test_text_beyond_ascii_comes_back_as_it_was(api: Api, geek: Customer) -> None:
    job = await create(api, geek, {**GEEKHUB_BODY, "prompt": "l'été 🎬 \u2028"})
    assert job["prompt"] == "l'été 🎬 \u2028"


async def test_a_surrogate_pair_written_with_escapes_is_one_character(api: Api, geek: Customer) -> None:
    data = b'{"model": "fal/kling-2", "prompt": "\\ud83c\\udfac"}'
    assert (await create(api, geek, data))["prompt"] == "🎬"


async def test_the_models_are_those_of_the_plans_dialect(api: Api, geek: Customer, kyma: Customer) -> None:
    listed = json.loads((await api.shared.ListModels(HttpBody(), metadata=key(geek))).data)
    assert [row["id"] for row in listed["data"]][:2] == ["google/veo-3.1", "google/veo-3"]
    assert listed["data"][0]["kind"] == "video"
    listed = json.loads((await api.shared.ListModels(HttpBody(), metadata=key(kyma))).data)
    assert listed["data"][0] == {"id": "kling-2.5-pro", "object": "model", "name": "Kling 2.5 Pro"}


async def test_a_dialect_offers_its_own_models_only(api: Api, geek: Customer, kyma: Customer) -> None:
    assert code_of(await refusal(create(api, geek, KYMA_BODY))) == ("404", "model_not_found")
    assert code_of(await refusal(create(api, kyma, GEEKHUB_BODY))) == ("400", "invalid_model")


async def test_one_calls_dialect_does_not_colour_the_next(api: Api, geek: Customer, kyma: Customer) -> None:
    for _ in range(3):
        assert code_of(await refusal(create(api, kyma, b"{"))) == ("400", "invalid_request")
        assert code_of(await refusal(create(api, geek, b"{"))) == ("400", "invalid_request_error")
        assert code_of(await refusal(api.shared.ListModels(HttpBody()))) == ("401", "missing_api_key")
