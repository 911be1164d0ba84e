"""fal's webhooks: the signature, the keys and how long they are kept, and whose a task is."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.fal.webhooks import FalWebhooks
from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.webhooks import Webhook, WebhookRefused
from reelgate_simulators.fal_webhooks import Delivery
from reelgate_simulators.faults import Fault as SimulatedFault
from reelgate_simulators.faults import Hang, Html, HugeJson, Reset, RetryAfter, Status, TruncatedJson, WrongTypes
from tests.adapters.fal.samples import KEYS, KLING, LIMIT_S, REQUEST_ID, make_order, make_provider, make_task
from tests.adapters.fal.signing import HEADERS, START, FalSender, SigningFal, public_jwk, received
from tests.simulators.receiver import Receiver
from tests.support.builders import job_id
from tests.support.clock import ManualClock

BODY = f'{{"request_id": "{REQUEST_ID}"}}'.encode()
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def fal() -> AsyncIterator[SigningFal]:
    async with SigningFal(keys=frozenset(KEYS.values())) as fal:
        yield fal


@pytest.fixture
async def provider(fal: SigningFal) -> AsyncIterator[FalProvider]:
    async with make_provider(fal.base_url) as provider:
        yield provider


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def webhooks(fal: SigningFal, provider: FalProvider, clock: ManualClock) -> AsyncIterator[FalWebhooks]:
    http = ProviderHttp(call_limit_s=LIMIT_S, read_limit_s=LIMIT_S)
    async with FalWebhooks(provider, jwks_url=fal.jwks_url, clock=clock, http=http) as webhooks:
        yield webhooks


@pytest.fixture
async def sender(fal: SigningFal, provider: FalProvider) -> AsyncIterator[FalSender]:
    async with Receiver() as mailbox:
        yield FalSender(fal, mailbox, provider)


def fetch_count(fal: SigningFal) -> int:
    return len(fal.requests_of("jwks"))


async def test_a_webhook_that_a_submit_asked_for_comes_to_the_job_and_is_genuine(
    fal: SigningFal, webhooks: FalWebhooks
) -> None:
    async with Receiver() as mailbox, make_provider(fal.base_url, webhook_base_url=f"{mailbox.base_url}/hook") as fals:
        task = (await fals.submit(make_order(7))).task
        [notice] = await mailbox.wait_for(1)
        assert notice.path == f"/hook/hooks/fal/{job_id(7)}"
        assert await webhooks.verify(received(mailbox)) == task.task_id


@pytest.mark.parametrize(
    ("notice", "delivery"),
    [
        ({"status": "ERROR", "error": "Invalid status code: 422", "payload": {"detail": []}}, Delivery()),
        ({"status": "OK", "payload": {}}, Delivery(has_payload_error=True)),
        ({"status": "OK", "payload": {}}, Delivery(is_of_other_attempt=True)),
    ],
)
async def test_a_notice_of_any_kind_is_about_its_request(
    sender: FalSender, webhooks: FalWebhooks, notice: dict[str, Any], delivery: Delivery
) -> None:
    webhook = await sender.deliver({"request_id": REQUEST_ID, **notice}, delivery)
    assert await webhooks.verify(webhook) == REQUEST_ID


async def test_an_altered_notice_is_refused(sender: FalSender, webhooks: FalWebhooks) -> None:
    with pytest.raises(WebhookRefused, match="no key fits"):
        await webhooks.verify(
            await sender.deliver({"request_id": REQUEST_ID, "status": "OK"}, Delivery(is_altered=True))
        )


@pytest.mark.parametrize("age_s", [300, -300, 0])
async def test_five_minutes_either_way_are_allowed(fal: SigningFal, webhooks: FalWebhooks, age_s: int) -> None:
    webhook = fal.sign(BODY, REQUEST_ID, at=START - timedelta(seconds=age_s))
    assert await webhooks.verify(webhook) == REQUEST_ID


@pytest.mark.parametrize("age_s", [301, -301])
async def test_more_than_five_minutes_are_refused_before_any_key_is_fetched(
    fal: SigningFal, webhooks: FalWebhooks, age_s: int
) -> None:
    with pytest.raises(WebhookRefused, match="signed at 20"):
        await webhooks.verify(fal.sign(BODY, REQUEST_ID, at=START - timedelta(seconds=age_s)))
    assert fetch_count(fal) == 0


async def test_a_body_about_another_request_than_the_header_is_refused(fal: SigningFal, webhooks: FalWebhooks) -> None:
    with pytest.raises(WebhookRefused, match="another request"):
        await webhooks.verify(fal.sign(BODY, "another"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request-id", "a b"),
        ("request-id", "a/b"),
        ("request-id", f"{REQUEST_ID}\nuser-1"),
        ("user-id", "user-1\n1790000000"),
        ("timestamp", "soon"),
        ("timestamp", "-1"),
        ("timestamp", "1790000000.5"),
        ("timestamp", "9" * 12),
        ("timestamp", "\u0661\u0667\u0669"),
        ("signature", "zz"),
        ("signature", "00"),
        ("signature", "0" * 130),
        ("signature", "\u00e9" * 128),
    ],
)
async def test_a_header_that_makes_no_sense_is_refused_unasked(
    fal: SigningFal, webhooks: FalWebhooks, name: str, value: str
) -> None:
    webhook = fal.sign(BODY, REQUEST_ID)
    headers = {**webhook.headers, f"x-fal-webhook-{name}": value}
    with pytest.raises(WebhookRefused, match="in the headers"):
        await webhooks.verify(replace(webhook, headers=headers))
    assert fetch_count(fal) == 0


@pytest.mark.parametrize("name", sorted(HEADERS - {"x-fal-webhook-signature"}))
async def test_every_signed_header_is_covered_by_the_signature(
    fal: SigningFal, webhooks: FalWebhooks, name: str
) -> None:
    webhook = fal.sign(BODY, REQUEST_ID)
    changed = {"x-fal-webhook-timestamp": "1790000001"}.get(name, "somebody-else")
    with pytest.raises(WebhookRefused, match="no key fits"):
        await webhooks.verify(replace(webhook, headers={**webhook.headers, name: changed}))


async def test_keys_are_fetched_once_and_kept_for_a_day(
    fal: SigningFal, webhooks: FalWebhooks, clock: ManualClock
) -> None:
    for _ in range(3):
        await webhooks.verify(fal.sign(BODY, REQUEST_ID, at=clock.now()))
    assert fetch_count(fal) == 1
    await clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    await webhooks.verify(fal.sign(BODY, REQUEST_ID, at=clock.now()))
    assert fetch_count(fal) == 1
    await clock.advance(timedelta(seconds=1))
    await webhooks.verify(fal.sign(BODY, REQUEST_ID, at=clock.now()))
    assert fetch_count(fal) == 2


async def test_a_key_that_was_withdrawn_is_not_trusted_after_a_day(
    fal: SigningFal, webhooks: FalWebhooks, clock: ManualClock
) -> None:
    await webhooks.verify(fal.sign(BODY, REQUEST_ID))
    fal.key_set = {"keys": [public_jwk(Ed25519PrivateKey.generate())]}
    await clock.advance(timedelta(hours=24))
    with pytest.raises(WebhookRefused):
        await webhooks.verify(fal.sign(BODY, REQUEST_ID, at=clock.now()))


async def test_a_new_key_is_fetched_at_once(fal: SigningFal, webhooks: FalWebhooks, clock: ManualClock) -> None:
    await webhooks.verify(fal.sign(BODY, REQUEST_ID))
    await clock.advance(MINUTE)
    fal.key = Ed25519PrivateKey.generate()
    assert await webhooks.verify(fal.sign(BODY, REQUEST_ID)) == REQUEST_ID
    assert fetch_count(fal) == 2


async def test_a_flood_that_no_key_fits_fetches_once_a_minute(
    fal: SigningFal, webhooks: FalWebhooks, clock: ManualClock
) -> None:
    genuine = fal.sign(BODY, REQUEST_ID)
    forged = replace(genuine, headers={**genuine.headers, "x-fal-webhook-signature": "0" * 128})
    for _ in range(3):
        await asyncio.gather(*(refused(webhooks, forged) for _ in range(10)))
        await clock.advance(MINUTE)
    assert fetch_count(fal) == 3
    assert await webhooks.verify(genuine) == REQUEST_ID


async def refused(webhooks: FalWebhooks, webhook: Webhook) -> None:
    with pytest.raises(WebhookRefused):
        await webhooks.verify(webhook)


BAD_DAYS: list[tuple[SimulatedFault, FaultKind]] = [
    (Hang(), FaultKind.TIMEOUT),
    (Reset(), FaultKind.UNAVAILABLE),
    (Html(502), FaultKind.UNAVAILABLE),
    (Html(200), FaultKind.UNINTELLIGIBLE),
    (TruncatedJson(), FaultKind.UNINTELLIGIBLE),
    (HugeJson(2 << 20), FaultKind.UNINTELLIGIBLE),
    (WrongTypes(), FaultKind.UNINTELLIGIBLE),
    (RetryAfter(30), FaultKind.THROTTLED),
    (Status(404, {"detail": "Not found"}), FaultKind.INVALID),
]


@pytest.mark.parametrize(("fault", "kind"), BAD_DAYS)
async def test_keys_that_cannot_be_had_are_a_fault_and_are_asked_for_again_a_minute_later(
    fal: SigningFal, webhooks: FalWebhooks, clock: ManualClock, *, fault: SimulatedFault, kind: FaultKind
) -> None:
    fal.faults.queue("jwks", fault)
    for _ in range(3):
        with pytest.raises(ProviderFault) as raised:
            await webhooks.verify(fal.sign(BODY, REQUEST_ID))
        assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (kind, False)
    assert fetch_count(fal) == 1
    await clock.advance(MINUTE)
    assert await webhooks.verify(fal.sign(BODY, REQUEST_ID)) == REQUEST_ID


async def test_kept_keys_serve_while_newer_ones_cannot_be_had(
    fal: SigningFal, webhooks: FalWebhooks, clock: ManualClock
) -> None:
    await webhooks.verify(fal.sign(BODY, REQUEST_ID))
    await clock.advance(MINUTE)
    fal.faults.queue("jwks", Html(503))
    genuine, key = fal.sign(BODY, REQUEST_ID), fal.key
    fal.key = Ed25519PrivateKey.generate()
    with pytest.raises(ProviderFault):
        await webhooks.verify(fal.sign(BODY, REQUEST_ID))
    fal.key = key
    assert await webhooks.verify(genuine) == REQUEST_ID


async def test_a_fetch_that_was_cancelled_counts_for_nothing(fal: SigningFal, webhooks: FalWebhooks) -> None:
    fal.faults.queue("jwks", Hang())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await webhooks.verify(fal.sign(BODY, REQUEST_ID))
    assert await webhooks.verify(fal.sign(BODY, REQUEST_ID)) == REQUEST_ID


@pytest.mark.parametrize(
    "key_set",
    [
        {"keys": []},
        {"keys": {"x": "y"}},
        {},
        {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{"kty": "OKP", "crv": "X25519", "x": "A" * 43}]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, {"kty": "OKP", "crv": "Ed25519", "x": 7}, 7, None]},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "\u00e9" * 43}]},
    ],
)
async def test_a_key_set_without_a_usable_key_is_unintelligible(
    fal: SigningFal, webhooks: FalWebhooks, key_set: Any
) -> None:
    fal.key_set = key_set
    with pytest.raises(ProviderFault) as raised:
        await webhooks.verify(fal.sign(BODY, REQUEST_ID))
    assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE


@pytest.mark.parametrize("padding", ["", "=", "=="])
async def test_a_key_is_read_among_others_whatever_its_padding(
    fal: SigningFal, webhooks: FalWebhooks, padding: str
) -> None:
    own = public_jwk(fal.key)
    fal.key_set = {"keys": [{"kty": "RSA"}, {**own, "x": own["x"] + padding, "kid": "1", "use": "sig"}]}
    assert await webhooks.verify(fal.sign(BODY, REQUEST_ID)) == REQUEST_ID


async def test_a_task_is_found_with_the_key_that_made_it(
    fal: SigningFal, provider: FalProvider, webhooks: FalWebhooks
) -> None:
    async with make_provider(fal.base_url, keys={"old": KEYS["old"]}) as before:
        made = (await before.submit(make_order())).task
    assert await webhooks.find_task(make_order(), made.task_id) == made
    made = (await provider.submit(make_order())).task
    assert await webhooks.find_task(make_order(), made.task_id) == made == make_task(fal.base_url, made.task_id)


async def test_a_task_of_another_account_is_unknown(fal: SigningFal, webhooks: FalWebhooks) -> None:
    fal.keys = None
    async with make_provider(fal.base_url, keys={"main": "key-of-somebody-else"}) as other:
        task = (await other.submit(make_order())).task
    await unknown(webhooks, task)


async def test_a_task_of_another_app_is_unknown(fal: SigningFal, provider: FalProvider, webhooks: FalWebhooks) -> None:
    await unknown(webhooks, (await provider.submit(make_order(endpoint="fal-ai/veo3.1", seconds=8))).task)


async def unknown(webhooks: FalWebhooks, task: Task) -> None:
    with pytest.raises(ProviderFault) as raised:
        await webhooks.find_task(make_order(endpoint=KLING), task.task_id)
    assert raised.value.fault.kind is FaultKind.TASK_UNKNOWN


async def test_a_key_that_fails_does_not_hide_what_the_next_one_knows(
    fal: SigningFal, provider: FalProvider, webhooks: FalWebhooks
) -> None:
    async with make_provider(fal.base_url, keys={"old": KEYS["old"]}) as before:
        made = (await before.submit(make_order())).task
    fal.faults.queue("status", Status(401, {"detail": "No such key"}))
    assert await webhooks.find_task(make_order(), made.task_id) == made


async def test_a_task_that_could_not_be_asked_for_with_every_key_is_not_said_to_be_unknown(
    fal: SigningFal, webhooks: FalWebhooks
) -> None:
    fal.faults.queue("status", Html(502))
    with pytest.raises(ProviderFault) as raised:
        await webhooks.find_task(make_order(), REQUEST_ID)
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE
    assert [request.headers["authorization"] for request in fal.requests_of("status")] == [
        f"Key {KEYS['main']}",
        f"Key {KEYS['old']}",
    ]


async def test_keys_are_fetched_without_a_credential(fal: SigningFal, webhooks: FalWebhooks) -> None:
    await webhooks.verify(fal.sign(BODY, REQUEST_ID))
    assert "authorization" not in fal.requests_of("jwks")[0].headers
