"""The adapter in front of a simulator, over real HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.provider import OpenAiProvider
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, ProviderFault
from reelgate_server.domain.ids import ProviderName
from reelgate_simulators.openai import API_KEY, OpenAiService, OpenAiSimulator

KEYS = {"main": API_KEY}
SHORT_S = 0.3
"""Limit on calls and silence in tests of what never comes."""
DIALECTS = {
    "openai": Dialect.OPENAI,
    "sglang": Dialect.SGLANG,
    "sglang_older": Dialect.SGLANG,
    "vllm_omni": Dialect.VLLM_OMNI,
    "litellm": Dialect.LITELLM,
    "litellm_vertex_ai": Dialect.LITELLM,
    "litellm_gemini": Dialect.LITELLM,
    "litellm_minimax": Dialect.LITELLM,
}
"""Every accent of the simulator, and how its operator configures it."""


@dataclass
class Bench:
    """A simulator, and the adapter that is pointed at it."""

    simulator: OpenAiSimulator
    provider: OpenAiProvider

    def body(self) -> dict[str, Any]:
        """What the last create carried."""
        return dict(self.simulator.requests_of("create")[-1].members)


@asynccontextmanager
async def bench(
    accent: str = "sglang",
    *,
    keys: Mapping[str, str] = KEYS,
    limit_s: float = 10,
    passes_image_urls: bool = False,
    render_s: float = 0.0,
    service: Mapping[str, Any] | None = None,
) -> AsyncIterator[Bench]:
    """Run both; the simulator renders at once unless told."""
    settings = OpenAiService(dialect=accent, **{"api_key": keys.get("main"), **(service or {})})
    simulator = OpenAiSimulator(render_s=render_s, service=settings)
    async with simulator:
        http = ProviderHttp(secrets=keys.values(), call_limit_s=limit_s, read_limit_s=limit_s)
        async with OpenAiProvider(
            name=ProviderName("studio"),
            base_url=f"{simulator.base_url}/v1/",
            dialect=DIALECTS[accent],
            keys=keys,
            passes_image_urls=passes_image_urls,
            http=http,
        ) as provider:
            yield Bench(simulator, provider)


def provider_at(base_url: str, **keys: str) -> OpenAiProvider:
    """The adapter alone, as it would be configured for an SGLang."""
    return OpenAiProvider(name=ProviderName("studio"), base_url=base_url, dialect=Dialect.SGLANG, keys=keys)


async def read_all(provider: OpenAiProvider, task: Task, source_url: str) -> bytes:
    """Download a file to its end."""
    return b"".join([chunk async for chunk in provider.open(task, source_url)])


async def fault_of(call: Any) -> Fault:
    """Await what fails, and return how."""
    try:
        await call
    except ProviderFault as error:
        return error.fault
    message = "it did not fail"
    raise AssertionError(message)
