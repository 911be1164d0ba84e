"""Every receiver of webhooks keeps the promises of `ports/webhooks.py`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.fal.webhooks import FalWebhooks
from reelgate_server.ports.provider import RenderOrder
from reelgate_server.ports.webhooks import Webhook
from tests.adapters.fal.samples import KEYS
from tests.adapters.fal.signing import START, FalSender, SigningFal
from tests.contract.webhooks_contract import WebhooksContract
from tests.simulators.receiver import Receiver
from tests.support.clock import ManualClock
from tests.support.fake_provider import FakeProvider
from tests.support.fake_webhooks import AGE, SIGNATURE, FakeWebhooks
from tests.support.render_orders import make_order


class TestFalWebhooks(WebhooksContract):
    @pytest.fixture
    async def sender(self) -> AsyncIterator[FalSender]:
        async with (
            SigningFal(keys=frozenset(KEYS.values())) as fal,
            Receiver() as mailbox,
            FalProvider(keys=KEYS, queue_url=fal.base_url) as provider,
        ):
            yield FalSender(fal, mailbox, provider)

    @pytest.fixture
    async def receiver(self, sender: FalSender) -> AsyncIterator[FalWebhooks]:
        webhooks = FalWebhooks(sender.provider, jwks_url=sender.fal.jwks_url, clock=ManualClock(START))
        async with webhooks as receiver:
            yield receiver


@dataclass
class FakeSender:
    provider: FakeProvider
    webhooks: FakeWebhooks
    order: RenderOrder
    required_headers: frozenset[str] = frozenset({AGE, SIGNATURE})

    async def webhook(self, task_id: str, *, age: timedelta = timedelta(), is_forged: bool = False) -> Webhook:
        return self.webhooks.webhook(task_id, age=age, is_forged=is_forged)

    def signed(self, body: bytes, task_id: str) -> Webhook:
        return self.webhooks.signed(body)


class TestFakeWebhooks(WebhooksContract):
    @pytest.fixture
    def sender(self) -> FakeSender:
        provider = FakeProvider(announces_tasks=True)
        return FakeSender(provider, FakeWebhooks(provider), make_order())

    @pytest.fixture
    def receiver(self, sender: FakeSender) -> FakeWebhooks:
        return sender.webhooks
