"""Which provider adapters the settings ask for."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, Self, TypeVar

from pydantic import SecretStr

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.fal.webhooks import FalWebhooks
from reelgate_server.adapters.providers.local.provider import LocalProvider
from reelgate_server.adapters.providers.minimax.provider import MinimaxProvider
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.provider import OpenAiProvider
from reelgate_server.adapters.providers.vertex.credentials import FixedToken, GoogleTokens, TokenSource
from reelgate_server.adapters.providers.vertex.provider import VertexProvider
from reelgate_server.config import OpenAiSettings, Settings
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.provider import Provider
from reelgate_server.ports.webhooks import WebhookReceiver

T = TypeVar("T")

DEFAULT_CREDENTIAL: Final = "default"
"""The name of Google's Application Default Credentials."""
FIXED_CREDENTIAL: Final = "access_token"
"""The name of a fixed token: a job that it made is not asked for with other credentials."""


class OpenableProvider(Provider, Protocol):
    """A provider that must be entered before its first call, and is closed by leaving it."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...


@dataclass(frozen=True, slots=True)
class OpenProviders:
    """The configured providers, ready for calls."""

    by_name: Mapping[ProviderName, Provider]
    webhook_receivers: Mapping[ProviderName, WebhookReceiver]
    """Of those that send webhooks, if they are told where."""


async def open_providers(settings: Settings, clock: Clock, stack: AsyncExitStack) -> OpenProviders:
    """Open every configured provider; `stack` closes them.

    The local renderer comes first: its processes are spawned before anything starts threads.
    """
    providers: dict[ProviderName, Provider] = {}
    receivers: dict[ProviderName, WebhookReceiver] = {}
    for name, build in provider_builders(settings).items():
        provider = await stack.enter_async_context(build())
        providers[name] = provider
        if isinstance(provider, FalProvider) and provider.announces_tasks:
            webhooks = FalWebhooks(provider, jwks_url=settings.fal.jwks_url, clock=clock)
            receivers[name] = await stack.enter_async_context(webhooks)
    return OpenProviders(providers, receivers)


def provider_builders(settings: Settings) -> Mapping[ProviderName, Callable[[], OpenableProvider]]:
    """How to make the adapter of each configured provider; nothing is made, started or connected yet.

    A builder raises `OSError` or `ValueError` if what its settings name cannot be used.
    """
    builders: dict[str, Callable[[], OpenableProvider]] = {"local": partial(_local, settings)}
    if settings.fal.keys:
        builders["fal"] = partial(_fal, settings)
    if settings.minimax.keys:
        builders["minimax"] = partial(_minimax, settings)
    if settings.vertex.project is not None:
        builders["vertex"] = partial(_vertex, settings, settings.vertex.project)
    for name, server in settings.openai.items():
        builders[name] = partial(_openai, ProviderName(name), server)
    return {ProviderName(name): build for name, build in builders.items()}


def _local(settings: Settings) -> LocalProvider:
    return LocalProvider(settings.local_renderer.directory, worker_count=settings.local_renderer.worker_count)


def _fal(settings: Settings) -> FalProvider:
    return FalProvider(
        keys=_secrets(settings.fal.keys, settings.fal.submit_key),
        queue_url=settings.fal.queue_url,
        webhook_base_url=settings.public_url,
    )


def _minimax(settings: Settings) -> MinimaxProvider:
    keys = _secrets(settings.minimax.keys, settings.minimax.submit_key)
    return MinimaxProvider(keys=keys, base_url=settings.minimax.base_url)


def _vertex(settings: Settings, project: str) -> VertexProvider:
    return VertexProvider(
        project=project,
        location=settings.vertex.location,
        credentials=_google_credentials(settings),
        storage_uri=settings.vertex.storage_uri,
        base_url=settings.vertex.base_url,
        storage_url=settings.vertex.storage_url,
    )


def _openai(name: ProviderName, server: OpenAiSettings) -> OpenAiProvider:
    return OpenAiProvider(
        name=name,
        base_url=server.base_url,
        dialect=Dialect(server.dialect),
        keys=_secrets(server.keys, server.submit_key),
        passes_image_urls=server.passes_image_urls,
    )


def _google_credentials(settings: Settings) -> Mapping[str, TokenSource]:
    vertex = settings.vertex
    if vertex.access_token is not None:
        return {FIXED_CREDENTIAL: FixedToken(vertex.access_token.get_secret_value())}
    if not vertex.credential_files:
        return {DEFAULT_CREDENTIAL: GoogleTokens()}
    files = _chosen_first(vertex.credential_files, vertex.submit_credential)
    return {name: GoogleTokens(path) for name, path in files.items()}


def _secrets(keys: Mapping[str, SecretStr], chosen: str | None) -> Mapping[str, str]:
    return {name: key.get_secret_value() for name, key in _chosen_first(keys, chosen).items()}


def _chosen_first(named: Mapping[str, T], chosen: str | None) -> Mapping[str, T]:
    """The same, with the one that makes new tasks in front."""
    return dict(sorted(named.items(), key=lambda pair: pair[0] != chosen))
