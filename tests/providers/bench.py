"""The simulators, and the adapters that are pointed at them: one of each for all tests of this folder."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.minimax.provider import MinimaxProvider
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.provider import OpenAiProvider
from reelgate_server.adapters.providers.vertex.credentials import FixedToken
from reelgate_server.adapters.providers.vertex.provider import VertexProvider
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import Provider
from reelgate_simulators.base import SimulatedProvider
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.minimax import MinimaxSimulator
from reelgate_simulators.openai import API_KEY, OpenAiService, OpenAiSimulator
from reelgate_simulators.recording import RecordedRequest
from reelgate_simulators.vertex import TOKEN, VertexSimulator
from tests.domain.builders import CATALOGUE
from tests.providers.orders import FAL, MINIMAX, VERTEX
from tests.support.images import FakeImageSource
from tests.support.world import World

HOSTED: Final = (FAL, VERTEX, MINIMAX)
ACCENTS: Final = ("openai", "sglang", "vllm_omni", "litellm")
"""Servers that speak the OpenAI Videos shape; each provider is called as its dialect."""
AT_ONCE: Final[Mapping[str, Any]] = {"queue_s": 0, "render_s": 0}
FAL_KEY, MINIMAX_KEY = "fal-key-0123456789", "minimax-key-0123456789"
AUTHORIZATION: Final[Mapping[str, str]] = {
    FAL: f"Key {FAL_KEY}",
    VERTEX: f"Bearer {TOKEN}",
    MINIMAX: f"Bearer {MINIMAX_KEY}",
    **dict.fromkeys(ACCENTS, f"Bearer {API_KEY}"),
}


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A submit as a simulator received it."""

    provider: str
    path: str
    query: Mapping[str, str]
    body: Any
    """Parsed JSON, or the fields of a form."""
    content_type: str
    """Without parameters."""
    authorization: str


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything runs; `reset` makes it forget."""

    simulators: Mapping[str, SimulatedProvider[Any]]
    adapters: Mapping[str, Provider]
    """By the same names."""
    images: FakeImageSource
    """Where first frames are fetched for Vertex AI and the OpenAI shape."""

    def world(self, *names: str, catalogue: Catalogue = CATALOGUE) -> World:
        """An application with these providers configured, and nobody to stand in for others."""
        providers = [self.adapters[name] for name in names]
        return World(providers=providers, catalogue=catalogue, stand_in=None, images=self.images)

    def requests(self) -> list[RecordedRequest]:
        """Whatever any simulator received."""
        return [request for simulator in self.simulators.values() for request in simulator.requests]

    def submits(self) -> list[Arrived]:
        """The submits among it, answered or not."""
        return [
            Arrived(
                provider=name,
                path=request.path,
                query=request.query,
                body=request.body,
                content_type=request.headers["content-type"].partition(";")[0],
                authorization=request.headers["authorization"],
            )
            for name, simulator in self.simulators.items()
            for request in simulator.requests
            if request.operation in {"submit", "create"}
        ]

    def reset(self) -> None:
        """Forget every request, render and fault."""
        for simulator in self.simulators.values():
            simulator.requests.clear()
            simulator.renders.clear()
            simulator.faults.clear()
        self.images.fetched.clear()


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    """Start all of it. The simulators render at once, and accept one credential each."""
    simulators: dict[str, SimulatedProvider[Any]] = {
        FAL: FalSimulator(keys=frozenset({FAL_KEY}), **AT_ONCE),
        VERTEX: VertexSimulator(**AT_ONCE),
        MINIMAX: MinimaxSimulator(keys=frozenset({MINIMAX_KEY}), **AT_ONCE),
        **{accent: OpenAiSimulator(service=OpenAiService(dialect=accent), **AT_ONCE) for accent in ACCENTS},
    }
    images = FakeImageSource()
    async with AsyncExitStack() as stack:
        for simulator in simulators.values():
            await stack.enter_async_context(simulator)
        addresses = {name: simulator.base_url for name, simulator in simulators.items()}
        adapters: dict[str, Provider] = {
            FAL: await stack.enter_async_context(FalProvider(keys={"main": FAL_KEY}, queue_url=addresses[FAL])),
            VERTEX: await stack.enter_async_context(
                VertexProvider(
                    project="film",
                    credentials={"default": FixedToken(TOKEN)},
                    base_url=addresses[VERTEX],
                    storage_url=addresses[VERTEX],
                )
            ),
            MINIMAX: await stack.enter_async_context(
                MinimaxProvider(keys={"main": MINIMAX_KEY}, base_url=addresses[MINIMAX])
            ),
        }
        for accent in ACCENTS:
            server = OpenAiProvider(
                name=ProviderName(accent),
                base_url=f"{addresses[accent]}/v1",
                dialect=Dialect(accent),
                keys={"main": API_KEY},
            )
            adapters[accent] = await stack.enter_async_context(server)
        yield Bench(simulators=simulators, adapters=adapters, images=images)
