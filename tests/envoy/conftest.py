"""One real Envoy and one scripted server for the whole session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

# Registers the messages of the contract, which the scripted server finds by name.
from reelgate.concurred.v1 import concurred_service_pb2  # noqa: F401
from reelgate.geekhub.v1 import geekhub_service_pb2  # noqa: F401
from reelgate.hooks.v1 import hooks_service_pb2  # noqa: F401
from reelgate.kyma.v1 import kyma_service_pb2  # noqa: F401
from reelgate.shared.v1 import shared_service_pb2  # noqa: F401
from reelgate.v1 import account_service_pb2, media_service_pb2, model_service_pb2, video_service_pb2  # noqa: F401
from reelgate_server.envoy import command, envoy_binary, render_config
from tests.envoy.scripted_upstream import ScriptedUpstream, load_methods

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "envoy" / "envoy.yaml"
LUA = ROOT / "envoy" / "response.lua"
DESCRIPTOR = ROOT / "gen" / "descriptor" / "reelgate.binpb"

READY_WITHIN_S = 15
POLL_INTERVAL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running Envoy."""

    port: int
    """Where clients come in, on 127.0.0.1."""
    log: Path
    """What it wrote."""

    @property
    def base_url(self) -> str:
        """For REST."""
        return f"http://127.0.0.1:{self.port}"

    async def until_health(self, status: int) -> None:
        """Wait until `/healthz` answers with a status."""
        async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(base_url=self.base_url) as client:
            while await _get_health(client) != status:  # noqa: ASYNC110 - only the answer tells.
                await asyncio.sleep(POLL_INTERVAL_S)


@asynccontextmanager
async def run_envoy(folder: Path, upstream_port: int, **overrides: str) -> AsyncIterator[Gateway]:
    """Run Envoy on ports that the system chooses, until the block ends.

    Args:
        folder: For its configuration, its log and its address.
        upstream_port: Of the scripted server.
        overrides: Fields of the connection manager, to make timeouts short.
    """
    config_path, log, admin = folder / "envoy.yaml", folder / "envoy.log", folder / "admin"
    _write_config(config_path, upstream_port, overrides)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command(envoy_binary(), config_path, concurrency=1, admin_address_path=admin), stdout=output, stderr=output
        )
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            gateway = Gateway(port=await _find_port(process, admin, log), log=log)
            await gateway.until_health(200)
        yield gateway
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _write_config(path: Path, upstream_port: int, overrides: dict[str, str]) -> None:
    rendered = render_config(
        CONFIG,
        listen=("127.0.0.1", 0),
        upstream=("127.0.0.1", upstream_port),
        admin_port=0,
        descriptor=DESCRIPTOR,
        lua=LUA,
    )
    config: dict[str, Any] = yaml.safe_load(rendered)
    config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"].update(overrides)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


async def _get_health(client: httpx.AsyncClient) -> int:
    try:
        return (await client.get("/healthz")).status_code
    except httpx.ConnectError:
        # The port is bound before it is listened on.
        return 0


async def _find_port(process: asyncio.subprocess.Process, admin: Path, log: Path) -> int:
    while not (address := _read(admin)):
        assert process.returncode is None, _read(log)
        await asyncio.sleep(POLL_INTERVAL_S)
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        while True:
            listeners = (await client.get("/listeners?format=json")).json().get("listener_statuses")
            if listeners:
                port: int = listeners[0]["local_address"]["socket_address"]["port_value"]
                return port
            await asyncio.sleep(POLL_INTERVAL_S)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scripted_upstream() -> AsyncIterator[ScriptedUpstream]:
    """The server behind Envoy; ask for `upstream` to use it."""
    server = ScriptedUpstream(methods=load_methods(DESCRIPTOR))
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateway(
    scripted_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    """The Envoy that most tests share."""
    async with run_envoy(tmp_path_factory.mktemp("envoy"), scripted_upstream.port) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hasty_gateway(
    scripted_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    """An Envoy that takes 0.3 s of silence for a dead stream, unless the route says otherwise."""
    folder = tmp_path_factory.mktemp("hasty")
    async with run_envoy(folder, scripted_upstream.port, stream_idle_timeout="0.3s") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def upstream(scripted_upstream: ScriptedUpstream, gateway: Gateway) -> AsyncIterator[ScriptedUpstream]:
    """The server behind Envoy, healthy, with nothing scripted and nothing remembered."""
    # While tests that are not coroutines run, it answers no health checks.
    await gateway.until_health(200)
    scripted_upstream.reset()
    yield scripted_upstream
    scripted_upstream.reset()


@pytest_asyncio.fixture(loop_scope="session")
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A REST client of the shared Envoy."""
    async with httpx.AsyncClient(base_url=gateway.base_url, trust_env=False, timeout=15) as each:
        yield each
