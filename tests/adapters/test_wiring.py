"""Which provider adapters the settings ask for, and what each is given."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from reelgate_server.config import (
    FalSettings,
    LocalRendererSettings,
    MinimaxSettings,
    OpenAiSettings,
    Settings,
    VertexSettings,
)
from reelgate_server.domain.ids import ProviderName
from reelgate_server.wiring import OpenProviders, open_providers, provider_builders
from tests.support.clock import ManualClock

KEYS = {"old": SecretStr("old-secret"), "new": SecretStr("new-secret")}
NOWHERE = "http://127.0.0.1:9"
"""Nothing here calls anybody; if it did, nobody would answer."""


def settings_of(tmp_path: Path, **changes: Any) -> Settings:
    """Settings that name every provider, each at an address where nobody is."""
    fields: dict[str, Any] = {
        "local_renderer": LocalRendererSettings(directory=tmp_path, worker_count=1),
        "fal": FalSettings(keys=KEYS, submit_key="new", queue_url=NOWHERE, jwks_url=f"{NOWHERE}/jwks"),
        "minimax": MinimaxSettings(keys=KEYS, submit_key="old", base_url=NOWHERE),
        "vertex": VertexSettings(project="a-project", access_token=SecretStr("token"), base_url=NOWHERE),
        "openai": {"studio": OpenAiSettings(base_url=f"{NOWHERE}/v1", keys=KEYS, submit_key="new")},
        **changes,
    }
    return Settings(**fields)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def test_only_what_is_configured_is_built(tmp_path: Path) -> None:
    bare = Settings(local_renderer=LocalRendererSettings(directory=tmp_path))
    assert list(provider_builders(bare)) == ["local"]
    built = provider_builders(settings_of(tmp_path))
    assert list(built) == ["local", "fal", "minimax", "vertex", "studio"]
    assert set(built) == settings_of(tmp_path).configured_providers()


async def test_each_is_opened_under_its_name_with_its_credentials(tmp_path: Path, stack: AsyncExitStack) -> None:
    opened = await open_providers(settings_of(tmp_path), ManualClock(), stack)
    assert {name: list(provider.credentials) for name, provider in opened.by_name.items()} == {
        "local": [],
        "fal": ["new", "old"],
        "minimax": ["old", "new"],
        "vertex": ["access_token"],
        "studio": ["new", "old"],
    }
    assert all(provider.name == name for name, provider in opened.by_name.items())
    assert {name for name, provider in opened.by_name.items() if provider.is_idempotent} == {"local"}


async def test_webhooks_are_asked_for_only_where_the_internet_can_send_them(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    def announcing(opened: OpenProviders) -> set[str]:
        return {name for name, provider in opened.by_name.items() if provider.announces_tasks}

    unreachable = await open_providers(settings_of(tmp_path / "a"), ManualClock(), stack)
    assert (announcing(unreachable), set(unreachable.webhook_receivers)) == (set(), set())
    public = settings_of(tmp_path / "b", public_url="https://video.example.com")
    reachable = await open_providers(public, ManualClock(), stack)
    assert (announcing(reachable), set(reachable.webhook_receivers)) == ({"fal"}, {"fal"})


async def test_googles_credential_files_come_in_the_order_of_their_choice(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    files = {}
    for name in ("new", "old"):
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text("{}")
    vertex = VertexSettings(project="a-project", credential_files=files, submit_credential="old", base_url=NOWHERE)
    build = provider_builders(settings_of(tmp_path, vertex=vertex))
    provider = build[ProviderName("vertex")]()
    assert list(provider.credentials) == ["old", "new"]


def test_no_secret_is_shown_by_what_is_built(tmp_path: Path) -> None:
    build = provider_builders(settings_of(tmp_path))
    for name, builder in build.items():
        shown = repr(builder())
        assert "secret" not in shown, name
        assert "token" not in shown.lower(), name
