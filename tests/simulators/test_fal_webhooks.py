"""fal's webhooks, verified by a library that is not ours over the text that the documents give."""

import base64
import hashlib
import math
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from reelgate_simulators.clock import MANUAL_START_UNIX_S, ManualClock
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.fal_failures import infrastructure_failure
from reelgate_simulators.fal_webhooks import Delivery
from reelgate_simulators.recording import RecordedRequest
from tests.simulators.receiver import Receiver, wait_until

KLING = "/fal-ai/kling-video/v2/master/text-to-video"


async def submit(fal: FalSimulator, receiver: Receiver, prompt: str = "a fox") -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=fal.base_url, headers={"Authorization": "Key k"}) as client:
        response = await client.post(KLING, json={"prompt": prompt}, params={"fal_webhook": receiver.url("job")})
        answer: dict[str, Any] = response.json()
        return answer


async def keys_of(fal: FalSimulator) -> list[Ed25519PublicKey]:
    """Read the published keys as a receiver has to: whatever the padding."""
    async with httpx.AsyncClient() as client:
        keys = (await client.get(f"{fal.base_url}/.well-known/jwks.json")).json()["keys"]
    return [Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"].rstrip("=") + "=")) for key in keys]


def is_signed(notice: RecordedRequest, keys: list[Ed25519PublicKey]) -> bool:
    headers = notice.headers
    lines = [headers[f"x-fal-webhook-{name}"] for name in ("request-id", "user-id", "timestamp")]
    text = "\n".join([*lines, hashlib.sha256(notice.content).hexdigest()]).encode()
    for key in keys:
        try:
            key.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), text)
        except InvalidSignature:
            continue
        return True
    return False


async def test_an_end_is_told_and_signed() -> None:
    async with Receiver() as receiver, FalSimulator(clock=(clock := ManualClock()), render_s=60) as fal:
        answer = await submit(fal, receiver)
        assert receiver.notices == []
        clock.advance(60)
        [notice] = await receiver.wait_for(1)
        keys = await keys_of(fal)
        assert is_signed(notice, keys)
        assert not is_signed(notice, keys[:1])
    assert notice.headers["x-fal-webhook-timestamp"] == str(int(MANUAL_START_UNIX_S + 60))
    assert notice.headers["x-fal-webhook-request-id"] == answer["request_id"]
    assert notice.body["request_id"] == notice.body["gateway_request_id"] == answer["request_id"]
    assert notice.body["status"] == "OK"
    assert notice.body["payload"]["video"]["url"].startswith(fal.base_url)


async def test_an_answer_to_a_submit_with_a_webhook_has_both_documented_shapes() -> None:
    async with Receiver() as receiver, FalSimulator() as fal:
        answer = await submit(fal, receiver)
    assert answer["gateway_request_id"] == answer["request_id"]
    assert answer["status_url"]


async def test_a_failure_is_told_with_its_body() -> None:
    async with Receiver() as receiver, FalSimulator(render_s=0) as fal:
        await submit(fal, receiver, "[filter]")
        [filtered] = await receiver.wait_for(1)
        answer = await submit(fal, receiver, "[stuck]")
        fal.fail(answer["request_id"], infrastructure_failure("runner_server_error", "It broke"))
        broken = (await receiver.wait_for(2))[1]
    assert (filtered.body["status"], filtered.body["error"]) == ("ERROR", "Invalid status code: 422")
    assert filtered.body["payload"]["detail"][0]["type"] == "no_media_generated"
    assert broken.body["error"] == "Invalid status code: 500"
    assert broken.body["payload"] == {"detail": "It broke", "error_type": "runner_server_error"}


async def test_a_refused_notice_is_sent_again() -> None:
    clock = ManualClock()
    async with Receiver(500, 503) as receiver, FalSimulator(clock=clock, render_s=0) as fal:
        await submit(fal, receiver)
        for count in (1, 2):
            await wait_until(lambda count=count: len(fal.webhooks.attempts) == count)  # type: ignore[misc]
            clock.advance(720)
        notices = await receiver.wait_for(3)
        await wait_until(lambda: len(fal.webhooks.attempts) == 3)
        keys = await keys_of(fal)
    assert [attempt.code for attempt in fal.webhooks.attempts] == [500, 503, 200]
    assert all(is_signed(notice, keys) for notice in notices)
    assert len({notice.headers["x-fal-webhook-timestamp"] for notice in notices}) == 3


async def test_a_receiver_that_is_gone_is_given_up_after_ten_retries() -> None:
    async with Receiver() as receiver:
        pass
    async with FalSimulator(render_s=0) as fal:
        assert len(fal.webhooks.retry_delays_s) == 10
        assert sum(fal.webhooks.retry_delays_s) == 7200
        fal.webhooks.retry_delays_s = (0.0,) * 10
        await submit(fal, receiver)
        await wait_until(lambda: len(fal.webhooks.attempts) == 11)
    assert {attempt.code for attempt in fal.webhooks.attempts} == {None}


async def test_notices_come_late_twice_or_never() -> None:
    clock = ManualClock()
    async with Receiver() as receiver, FalSimulator(clock=clock, render_s=0) as fal:
        fal.webhooks.queue(Delivery(delay_s=600), Delivery(copy_count=2), Delivery(copy_count=0))
        late, twice, _never = [await submit(fal, receiver) for _ in range(3)]
        await receiver.wait_for(2)
        clock.advance(600)
        notices = await receiver.wait_for(3)
    assert [notice.body["request_id"] for notice in notices] == [
        twice["request_id"],
        twice["request_id"],
        late["request_id"],
    ]


@pytest.mark.parametrize("delivery", [Delivery(is_forged=True), Delivery(is_altered=True)])
async def test_a_notice_may_be_false(delivery: Delivery) -> None:
    async with Receiver() as receiver, FalSimulator(render_s=0) as fal:
        fal.webhooks.queue(delivery)
        await submit(fal, receiver)
        [notice] = await receiver.wait_for(1)
        assert not is_signed(notice, await keys_of(fal))
    assert notice.body["status"] == "OK"


@pytest.mark.parametrize("age_s", [301, -301])
async def test_a_signature_may_be_of_another_time(age_s: int) -> None:
    async with Receiver() as receiver, FalSimulator(clock=ManualClock(), render_s=0) as fal:
        fal.webhooks.queue(Delivery(signature_age_s=age_s))
        await submit(fal, receiver)
        [notice] = await receiver.wait_for(1)
        assert is_signed(notice, await keys_of(fal))
    assert notice.headers["x-fal-webhook-timestamp"] == str(int(MANUAL_START_UNIX_S - age_s))


async def test_a_payload_may_be_missing_and_the_attempt_another() -> None:
    async with Receiver() as receiver, FalSimulator(render_s=0) as fal:
        fal.webhooks.queue(Delivery(has_payload_error=True, is_of_other_attempt=True))
        await submit(fal, receiver)
        [notice] = await receiver.wait_for(1)
        assert is_signed(notice, await keys_of(fal))
    assert (notice.body["payload"], notice.body["status"]) == (None, "OK")
    assert notice.body["payload_error"]
    assert notice.body["gateway_request_id"] != notice.body["request_id"]


async def test_a_new_key_is_published_beside_the_old_ones() -> None:
    async with Receiver() as receiver, FalSimulator(render_s=0) as fal:
        before = await keys_of(fal)
        fal.webhooks.rotate_key()
        await submit(fal, receiver)
        [notice] = await receiver.wait_for(1)
        assert not is_signed(notice, before)
        assert is_signed(notice, await keys_of(fal))


async def test_a_withdrawn_request_is_not_told() -> None:
    async with Receiver() as receiver, FalSimulator(queue_s=math.inf) as fal:
        answer = await submit(fal, receiver)
        async with httpx.AsyncClient(headers={"Authorization": "Key k"}) as client:
            assert (await client.put(answer["cancel_url"])).json() == {"status": "OK"}
    assert (fal.webhooks.attempts, receiver.notices) == ([], [])


async def test_keys_are_padded_as_the_live_ones_are() -> None:
    async with FalSimulator() as fal, httpx.AsyncClient() as client:
        keys = (await client.get(f"{fal.base_url}/.well-known/jwks.json")).json()["keys"]
    assert all(key["x"].endswith("=") and key["crv"] == "Ed25519" for key in keys)
