"""`reelgate up`: the whole product on one machine, in the foreground."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from types import FrameType
from typing import Annotated, Final
from urllib.parse import urlsplit

import httpx
import typer
from rich.console import Console

from reelgate_server import envoy
from reelgate_server.cli import children, development, lock, log_file
from reelgate_server.cli.operations import Operations
from reelgate_server.cli.refusals import Refusal, told_plainly
from reelgate_server.config import LocalRendererSettings, MediaSettings, Settings, StoreSettings
from reelgate_server.domain.catalogue import Catalogue

CHECKOUT: Final = Path(__file__).parents[3]
"""Where the proxy's configuration and the descriptor set lie, beside `src`."""
LOOPBACK: Final = "127.0.0.1"
"""Where the server itself listens, whatever Envoy listens on: plain gRPC is not for other machines."""
READY_LIMIT_S: Final = 60.0
"""How long the two processes may take to serve. They need two seconds on an idle machine."""
STOP_LIMIT_S: Final = 8.0
"""How long stopping may take; `make run` promises 10 s."""
LOOK_INTERVAL_S: Final = 0.1

_console = Console()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one instance lives."""

    data_dir: Path
    host: IPv4Address | IPv6Address
    """Where Envoy listens. The server itself always listens on `LOOPBACK`."""
    port: int
    grpc_port: int
    public_url: str | None = None
    """Where clients reach Envoy, without a slash at the end; None if that is `own_url`."""

    @property
    def own_url(self) -> str:
        """Where this machine reaches Envoy."""
        # Nobody can connect to "every interface"; an address of one interface is the only one that answers.
        host = self.host
        if host.is_unspecified:
            host = ip_address(LOOPBACK if host.version == 4 else "::1")  # noqa: PLR2004 (of the Internet Protocol)
        return f"http://{host}:{self.port}" if host.version == 4 else f"http://[{host}]:{self.port}"  # noqa: PLR2004

    @property
    def url(self) -> str:
        """What clients are told, and what the addresses of videos begin with."""
        return self.public_url or self.own_url

    @property
    def grpc_address(self) -> str:
        """Where this machine reaches the server itself."""
        return f"{LOOPBACK}:{self.grpc_port}"


def add_command(app: typer.Typer, operations: Operations) -> None:
    """Add the command."""

    @app.command()
    @told_plainly
    def up(
        data_dir: Annotated[Path, typer.Option(envvar="DATA_DIR", help="Where everything is kept.")] = Path("var"),
        host: Annotated[
            str,
            typer.Option(
                help="The IP address that Envoy listens on; 0.0.0.0 for every interface. "
                "It speaks plain HTTP, and the server behind it stays on 127.0.0.1."
            ),
        ] = LOOPBACK,
        port: Annotated[
            int, typer.Option(min=1, max=65535, envvar="PORT", help="HTTP, gRPC-Web and gRPC, through Envoy.")
        ] = 8080,
        grpc_port: Annotated[
            int, typer.Option(min=1, max=65535, envvar="GRPC_PORT", help="gRPC, directly, on 127.0.0.1.")
        ] = 50051,
        public_url: Annotated[
            str | None,
            typer.Option(
                help="What clients elsewhere reach Envoy as, such as https://video.example.com; "
                "the addresses of videos begin with it. This machine's own address if absent.",
                show_default=False,
            ),
        ] = None,
        die_with_parent: Annotated[bool, typer.Option(help="Stop when the process that started this ends.")] = False,  # noqa: FBT002
    ) -> None:
        """Run the server and Envoy together, with development accounts, until Ctrl-C."""
        place = Place(
            data_dir=data_dir.absolute(),
            host=_address(host),
            port=port,
            grpc_port=grpc_port,
            public_url=None if public_url is None else _base_url(public_url),
        )
        parent = os.getppid() if die_with_parent else None
        _Supervisor(place, operations, parent).run()


class _Supervisor:
    """Starts the two processes, waits, and stops them."""

    def __init__(self, place: Place, operations: Operations, parent: int | None) -> None:
        self._place = place
        self._operations = operations
        self._parent = parent
        self._is_asked_to_stop = False
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self) -> None:
        """Serve until a signal, the end of a process, or the end of the parent."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        self._place.data_dir.mkdir(parents=True, exist_ok=True)
        with lock.hold_alone(self._place.data_dir):
            self._run_alone()

    def _run_alone(self) -> None:
        _require_free(str(self._place.host), self._place.port)
        _require_free(LOOPBACK, self._place.grpc_port)
        settings = _settings(self._place)
        self._operations.migrate_store(settings)
        catalogue = self._operations.load_catalogue(settings)
        keys = asyncio.run(self._ensure_keys(settings, catalogue))
        try:
            self._start(settings)
            if self._wait_until_ready():
                self._announce(catalogue, keys)
                self._wait()
        finally:
            children.stop(self._processes, limit_s=STOP_LIMIT_S)

    def _start(self, settings: Settings) -> None:
        place = self._place
        server = [sys.executable, "-m", "reelgate_server", "serve"]
        environment = {
            **os.environ,
            "REELGATE_GRPC_SERVER__HOST": LOOPBACK,
            "REELGATE_GRPC_SERVER__PORT": str(place.grpc_port),
            "REELGATE_STORE__PATH": str(settings.store.path),
            "REELGATE_MEDIA__DIRECTORY": str(settings.media.directory),
            "REELGATE_MEDIA__BASE_URL": settings.media.base_url,
            "REELGATE_LOCAL_RENDERER__DIRECTORY": str(settings.local_renderer.directory),
            "REELGATE_LOCAL_RENDERER__IS_STAND_IN": "true",
        }
        config = place.data_dir / "envoy.yaml"
        config.write_text(
            envoy.render_config(
                CHECKOUT / "envoy" / "envoy.yaml",
                listen=(str(place.host), place.port),
                upstream=(LOOPBACK, place.grpc_port),
                # The system chooses: nothing here needs it, and two instances must not meet on it.
                admin_port=0,
                descriptor=CHECKOUT / "gen" / "descriptor" / "reelgate.binpb",
                lua=CHECKOUT / "envoy" / "response.lua",
            ),
            encoding="utf-8",
        )
        proxy = envoy.command(envoy.envoy_binary(), config)
        for name, command, variables in (("server", server, environment), ("envoy", proxy, None)):
            log = place.data_dir / f"{name}.log"
            log_file.rotate(log)
            self._processes.append(children.start(command, log=log, environment=variables))

    async def _ensure_keys(self, settings: Settings, catalogue: Catalogue) -> dict[str, str]:
        earlier = development.read_environment_file(self._place.data_dir / "dev.env")
        async with self._operations.open_accounts(settings) as accounts:
            return await development.ensure_keys(accounts, catalogue, earlier)

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + READY_LIMIT_S
        while not self._is_over():
            if time.monotonic() > deadline:
                raise Refusal(f"not ready after {READY_LIMIT_S:.0f} s; see {self._place.data_dir}/*.log")
            try:
                if httpx.get(f"{self._place.own_url}/healthz", timeout=1, trust_env=False).is_success:
                    return True
            except httpx.HTTPError:
                pass
            time.sleep(LOOK_INTERVAL_S)
        return False

    def _announce(self, catalogue: Catalogue, keys: dict[str, str]) -> None:
        place = self._place
        variables = {"REELGATE_URL": place.url, "REELGATE_GRPC": place.grpc_address, **keys}
        path = place.data_dir / "dev.env"
        development.write_environment_file(path, variables)
        simulated = sum(model.provider != "local" for model in catalogue.all())
        _console.print(f"Reelgate serves at {place.url} (gRPC {place.grpc_address})", highlight=False)
        _console.print(
            f"SIMULATED: {simulated} models have no provider credentials; the local renderer stands in for them.",
            highlight=False,
            soft_wrap=True,
        )
        _console.print(f"Keys: source {path}", highlight=False, soft_wrap=True)
        _console.print(
            f"Logs: {place.data_dir}/server.log and envoy.log. Ctrl-C stops.", highlight=False, soft_wrap=True
        )

    def _wait(self) -> None:
        while not self._is_over():
            time.sleep(LOOK_INTERVAL_S)

    def _is_over(self) -> bool:
        """Tell whether a stop was asked for.

        Raises:
            Refusal: One of the processes ended by itself.
        """
        if self._is_asked_to_stop or (self._parent is not None and os.getppid() != self._parent):
            return True
        for process, name in zip(self._processes, ("server", "envoy"), strict=True):
            if process.poll() is not None and not self._is_asked_to_stop:
                log = self._place.data_dir / f"{name}.log"
                last = log_file.last_line(log)[:500]
                raise Refusal(f"{name} ended with code {process.returncode}: {last}")
        return False

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._is_asked_to_stop = True


def _settings(place: Place) -> Settings:
    """What the environment and the file say, with everything kept in one folder and the stand-in on."""
    return Settings(
        store=StoreSettings(path=place.data_dir / "reelgate.sqlite3"),
        media=MediaSettings(directory=place.data_dir / "media", base_url=f"{place.url}/media"),
        local_renderer=LocalRendererSettings(directory=place.data_dir / "render", is_stand_in=True),
    )


def _address(host: str) -> IPv4Address | IPv6Address:
    """Refuse what Envoy would: it does not resolve names."""
    try:
        return ip_address(host)
    except ValueError:
        raise Refusal(f"--host is an IP address, such as 127.0.0.1 or 0.0.0.0, and not '{host}'") from None


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise Refusal(f"--public-url is an http or https address, and not '{url}'")
    return url.rstrip("/")


def _require_free(host: str, port: int) -> None:
    """Refuse a port that another process listens on, before anything is started."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the servers do: what a killed instance left in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refusal(f"port {port} on {host} is not free: {error.strerror}") from error
