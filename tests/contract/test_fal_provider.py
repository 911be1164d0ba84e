"""fal's adapter keeps the promises of `ports/provider.py`, over the simulator."""

from collections.abc import AsyncIterator

import pytest

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.domain.events import Task
from reelgate_server.ports.provider import RenderOrder
from reelgate_simulators.fal import FalSimulator
from tests.adapters.fal.samples import KEYS, make_order, make_task
from tests.contract.provider_contract import ProviderContract


class TestFalProvider(ProviderContract):
    @pytest.fixture
    async def fal(self) -> AsyncIterator[FalSimulator]:
        async with FalSimulator(keys=frozenset(KEYS.values())) as fal:
            yield fal

    @pytest.fixture
    async def provider(self, fal: FalSimulator) -> AsyncIterator[FalProvider]:
        self.queue_url = fal.base_url
        async with FalProvider(keys=KEYS, queue_url=fal.base_url) as provider:
            yield provider

    def order(self, number: int = 1) -> RenderOrder:
        return make_order(number)

    def long_order(self, number: int = 1) -> RenderOrder:
        return make_order(number, prompt="a fox [slow]")

    def unknown_task(self) -> Task:
        return make_task(self.queue_url)


class TestFalProviderWhoseRunnersGoOn(TestFalProvider):
    """Of a request that runs, fal says itself that to stop it is up to the runner."""

    stops_when_cancelled = False

    @pytest.fixture
    async def fal(self) -> AsyncIterator[FalSimulator]:
        async with FalSimulator(keys=frozenset(KEYS.values())) as fal:
            fal.honours_cancel = False
            yield fal
