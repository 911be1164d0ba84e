"""The MiniMax adapter keeps the promises of `ports/provider.py`, over the simulator."""

from collections.abc import AsyncIterator

import pytest

from reelgate_server.adapters.providers.minimax.provider import MinimaxProvider
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import ProviderFault
from reelgate_server.ports.provider import Provider, RenderOrder, TaskDone
from reelgate_simulators.minimax import MinimaxSimulator
from tests.adapters.minimax.samples import make_order
from tests.contract.provider_contract import ProviderContract
from tests.support.waiting import wait_for_end


class TestMinimaxProvider(ProviderContract):
    stops_when_cancelled = False

    @pytest.fixture
    async def provider(self) -> AsyncIterator[MinimaxProvider]:
        keys = {"main": "key-of-main", "old": "key-of-old"}
        async with (
            MinimaxSimulator(keys=frozenset(keys.values())) as simulator,
            MinimaxProvider(keys=keys, base_url=simulator.base_url) as provider,
        ):
            yield provider

    def order(self, number: int = 1) -> RenderOrder:
        return make_order(number)

    def long_order(self, number: int = 1) -> RenderOrder:
        return make_order(number, prompt="a fox [slow]")

    def unknown_task(self) -> Task:
        return Task(task_id="106916112212032", credential="main")

    async def test_opening_a_video_that_was_never_made_is_a_fault(self, provider: Provider) -> None:
        """MiniMax gives a file an id of its own, so that this is the id to have been never made."""
        task = (await provider.submit(self.order())).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskDone)
        reference, _, _ = end.source_url.partition("=")
        with pytest.raises(ProviderFault):
            await anext(provider.open(task, f"{reference}=176844028768320"))
