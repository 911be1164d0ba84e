"""The Vertex adapter keeps the promises of `ports/provider.py`, over the simulator, with and without a bucket."""

from collections.abc import AsyncIterator

import pytest

from reelgate_server.adapters.providers.vertex.credentials import FixedToken
from reelgate_server.adapters.providers.vertex.provider import VertexProvider
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import ProviderFault
from reelgate_server.ports.provider import Provider, RenderOrder, TaskDone
from reelgate_simulators.vertex import TOKEN, VertexSimulator
from tests.adapters.vertex.samples import task_at, veo_order
from tests.contract.provider_contract import ProviderContract
from tests.support.waiting import wait_for_end


class TestVertexProvider(ProviderContract):
    stops_when_cancelled = False
    storage_uri: str | None = None

    @pytest.fixture
    async def simulator(self) -> AsyncIterator[VertexSimulator]:
        simulator = VertexSimulator()
        simulator.allow("token-of-another-account")
        async with simulator:
            yield simulator

    @pytest.fixture
    async def provider(self, simulator: VertexSimulator) -> AsyncIterator[VertexProvider]:
        self._unknown_task = task_at(simulator)
        async with VertexProvider(
            project="film",
            credentials={"studio": FixedToken(TOKEN), "another": FixedToken("token-of-another-account")},
            storage_uri=self.storage_uri,
            base_url=simulator.base_url,
            storage_url=simulator.base_url,
        ) as provider:
            yield provider

    def order(self, number: int = 1) -> RenderOrder:
        return veo_order(number)

    def long_order(self, number: int = 1) -> RenderOrder:
        return veo_order(number, prompt="A kite [slow]")

    def unknown_task(self) -> Task:
        return self._unknown_task


class TestVertexProviderWithBucket(TestVertexProvider):
    storage_uri = "gs://studio-results/veo"

    async def test_opening_a_video_that_was_never_made_is_a_fault(self, provider: Provider) -> None:
        """An object has a name of its own, so that this is the name to have been never made."""
        task = (await provider.submit(self.order())).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskDone)
        with pytest.raises(ProviderFault):
            await anext(provider.open(task, end.source_url.replace("sample_0", "sample_1")))
