"""One process of ours: the real adapters and the application over a store that outlives it, until it is killed."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from reelgate_server.adapters.providers.api_keys import ApiKeys
from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.fal.webhooks import FalWebhooks
from reelgate_server.adapters.providers.minimax.provider import MinimaxProvider
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.provider import OpenAiProvider
from reelgate_server.adapters.providers.vertex.credentials import FixedToken
from reelgate_server.adapters.providers.vertex.provider import VertexProvider
from reelgate_server.adapters.store.sqlite import SqliteStore
from reelgate_server.api.hooks import ERRORS
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.errors import DomainError
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import ImageBytes, Provider
from reelgate_server.ports.webhooks import Webhook
from tests.simulation.vendors.flow import Flow, WatchedHttp
from tests.simulation.vendors.studio import (
    DIALECTS,
    FAL_KEYS,
    MINIMAX_KEYS,
    PROJECT,
    SERVER_KEY,
    VERTEX_TOKEN,
    Studio,
)
from tests.support.images import FakeImageSource
from tests.support.interpose import interpose
from tests.support.media import MemoryMediaStore
from tests.support.world import World

CONCURRENCY: Final = 24
PROVIDER_CONCURRENCY: Final = 8
BUCKET: Final = "gs://studio-results/veo"

FETCH_TIME: Final = timedelta(seconds=3)
"""What it takes to fetch a first frame."""

T = TypeVar("T")


class Gallery:
    """Has one image, and takes its time."""

    def __init__(self, flow: Flow) -> None:
        """Take time."""
        self._flow = flow
        self._images = FakeImageSource()

    async def fetch(self, url: str) -> ImageBytes:
        await self._flow.clock.sleep(FETCH_TIME)
        return await self._images.fetch(url)


class ReplicaDied(Exception):
    """Nobody answers any more; what was asked may have been done."""


class Replica:
    """What of the application lives in one process."""

    def __init__(
        self, number: int, *, flow: Flow, studio: Studio, catalogue: Catalogue, path: Path, media: MemoryMediaStore
    ) -> None:
        """Prepare; `run` starts it.

        Args:
            number: Unique, also among those that have died. Those with an even one make tasks with other keys; one in
                three has no bucket for Vertex AI's results.
            flow: Time.
            studio: Everybody outside.
            catalogue: The models.
            path: The store's file.
            media: Where videos are kept.
        """
        self._number = number
        self._flow = flow
        self._studio = studio
        self._catalogue = catalogue
        self._path = path
        self._media = media
        self._calls: asyncio.TaskGroup | None = None
        self._world: World | None = None

    @property
    def is_up(self) -> bool:
        """It answers."""
        return self._calls is not None

    @property
    def world(self) -> World:
        """The application, once it is up."""
        assert self._world is not None
        return self._world

    async def run(self) -> None:
        """Live until cancelled. What is under way then breaks off wherever it is."""
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(await SqliteStore.open(self._path))
            providers = [await stack.enter_async_context(each) for each in self._adapters()]
            fal = providers[0]
            assert isinstance(fal, FalProvider)
            jwks_url = f"{self._studio.fal.base_url}/.well-known/jwks.json"
            webhooks = FalWebhooks(fal, jwks_url=jwks_url, clock=self._flow.clock, http=WatchedHttp(self._flow))
            await stack.enter_async_context(webhooks)
            self._world = World(
                store=interpose(store, self._flow.around),
                clock=self._flow.clock,
                providers=providers,
                receivers={ProviderName("fal"): webhooks},
                catalogue=self._catalogue,
                media=self._media,
                images=Gallery(self._flow),
                seed=self._number,
            )
            worker = self._world.worker(
                f"replica-{self._number}", concurrency=CONCURRENCY, provider_concurrency=PROVIDER_CONCURRENCY
            )
            try:
                async with asyncio.TaskGroup() as calls:
                    self._calls = calls
                    await worker.run()
            finally:
                self._calls = None

    async def do(self, call: Coroutine[Any, Any, T]) -> T:
        """Have the process do something for somebody outside.

        Raises:
            ReplicaDied: It died meanwhile.
        """
        if self._calls is None:
            call.close()
            raise ReplicaDied
        task = self._calls.create_task(_outcome_of(call))
        await asyncio.wait([task])
        if task.cancelled():
            raise ReplicaDied
        outcome = task.result()
        if isinstance(outcome, _Failed):
            raise outcome.error
        return outcome

    async def receive(self, provider: str, job_id: str, webhook: Webhook) -> int:
        """Take a webhook, and answer with the HTTP status that it would get."""
        try:
            await self.do(self.world.receive_webhook(provider, job_id, webhook))
        except ReplicaDied:
            return 502
        except DomainError as error:
            return ERRORS.find(error)[0]
        return 200

    def _adapters(self) -> list[Any]:
        studio = self._studio
        fal_keys, minimax_keys = self._ordered(FAL_KEYS), self._ordered(MINIMAX_KEYS)
        server_keys = {"main": SERVER_KEY}
        adapters: list[Provider] = [
            FalProvider(
                keys=fal_keys,
                queue_url=studio.fal.base_url,
                webhook_base_url=studio.doorstep.base_url,
                http=WatchedHttp(self._flow, ApiKeys("fal", fal_keys).secrets),
            ),
            MinimaxProvider(
                keys=minimax_keys,
                base_url=studio.minimax.base_url,
                http=WatchedHttp(self._flow, tuple(minimax_keys.values())),
            ),
            VertexProvider(
                project=PROJECT,
                credentials={"default": FixedToken(VERTEX_TOKEN)},
                storage_uri=BUCKET if self._number % 3 else None,
                base_url=studio.vertex.base_url,
                storage_url=studio.vertex.base_url,
                http=WatchedHttp(self._flow),
            ),
            *(
                OpenAiProvider(
                    name=ProviderName(name),
                    base_url=f"{studio.servers[name].base_url}/v1",
                    dialect=Dialect(name),
                    keys=server_keys,
                    http=WatchedHttp(self._flow, (SERVER_KEY,)),
                )
                for name in DIALECTS
            ),
        ]
        return adapters

    def _ordered(self, keys: Mapping[str, str]) -> Mapping[str, str]:
        """The keys, the one that makes new tasks first."""
        return dict(sorted(keys.items(), reverse=self._number % 2 == 0))


class _Failed:
    def __init__(self, error: Exception) -> None:
        self.error = error


async def _outcome_of(call: Coroutine[Any, Any, T]) -> T | _Failed:
    try:
        return await call
    except Exception as error:  # noqa: BLE001 (one failed call does not end a process)
        return _Failed(error)
