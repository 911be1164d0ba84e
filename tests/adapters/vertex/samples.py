"""What the Vertex tests share: orders as the catalogue makes them, and a provider in front of a simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.adapters.providers.vertex.credentials import FixedToken, TokenSource
from reelgate_server.adapters.providers.vertex.provider import VertexProvider
from reelgate_server.domain.events import Task
from reelgate_server.ports.provider import FirstFrame, ImageBytes, RenderOrder
from reelgate_simulators.vertex import TOKEN, VertexSimulator
from tests.support.render_orders import make_order

MODEL = "veo-3.1-generate-001"
PLACE = "projects/film/locations/us-central1/publishers/google/models"
OPERATION = f"{PLACE}/{MODEL}/operations/7a0c1fd5-3f6e-4a44-8f5c-5b2f6d0f4c11"
PROMPT = "A kite over the sea, filmed from the dunes"
PNG = ImageBytes(content=b"\x89PNG\r\n\x1a\n", content_type="image/png")


def veo_order(
    number: int = 1,
    *,
    seconds: int = 8,
    has_audio: bool = True,
    image: FirstFrame | None = None,
    endpoint: str = MODEL,
    **spec_changes: Any,
) -> RenderOrder:
    """An order that Veo can render; keywords change its spec."""
    fields = {"prompt": PROMPT, "resolution": "720p", "render_duration": timedelta(seconds=seconds), **spec_changes}
    order = make_order(number, seconds=seconds, has_audio=has_audio, **fields)
    return replace(order, endpoint=endpoint, image=image)


@asynccontextmanager
async def provider_of(
    simulator: VertexSimulator, *, limit_s: float | None = None, **changes: Any
) -> AsyncIterator[VertexProvider]:
    """A provider in front of a running simulator.

    Args:
        simulator: Running.
        limit_s: Seconds for one call and for one wait; the usual ones if absent.
        changes: Other arguments of the provider.
    """
    credentials: dict[str, TokenSource] = {"studio": FixedToken(TOKEN)}
    arguments: dict[str, Any] = {"project": "film", "credentials": credentials} | changes
    http = ProviderHttp() if limit_s is None else ProviderHttp(call_limit_s=limit_s, read_limit_s=limit_s)
    async with VertexProvider(
        **arguments, base_url=simulator.base_url, storage_url=simulator.base_url, http=http
    ) as provider:
        yield provider


@asynccontextmanager
async def simulated(
    simulator: VertexSimulator | None = None, **changes: Any
) -> AsyncIterator[tuple[VertexProvider, VertexSimulator]]:
    """A simulator, started, and a provider in front of it; `changes` as for `provider_of`."""
    async with simulator or VertexSimulator() as running, provider_of(running, **changes) as provider:
        yield provider, running


def task_at(simulator: VertexSimulator, operation: str = OPERATION, credential: str | None = "studio") -> Task:
    """A task that was made long ago."""
    model = operation.partition("/operations/")[0]
    return Task(
        task_id=operation,
        urls={"poll": f"{simulator.base_url}/v1/{model}:fetchPredictOperation"},
        credential=credential,
    )


async def read_all(chunks: AsyncIterator[bytes]) -> bytes:
    """A whole video."""
    return b"".join([chunk async for chunk in chunks])
