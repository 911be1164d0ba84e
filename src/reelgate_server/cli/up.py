"""`reelgate up`: the whole product on one machine, in the foreground."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, TypeVar

import httpx
import typer
from rich.console import Console

from reelgate_server import envoy
from reelgate_server.cli import children, development, lock, log_file, simulated
from reelgate_server.cli.operations import Operations
from reelgate_server.cli.place import LOOPBACK, Place, read_address, read_base_url, require_free
from reelgate_server.cli.refusals import Refusal, told_plainly
from reelgate_server.config import LocalRendererSettings, MediaSettings, Settings, StoreSettings
from reelgate_server.domain.catalogue import Catalogue

CHECKOUT: Final = Path(__file__).parents[3]
"""Where the proxy's configuration and the descriptor set lie, beside `src`."""
READY_LIMIT_S: Final = 60.0
"""How long the processes may take to serve. They need two seconds on an idle machine."""
STOP_LIMIT_S: Final = 45.0
"""How long stopping may take. Without a submit under way it takes less than 10 s; with one the server waits for up to
35 s more, because to cut it off would leave open whether the provider has taken the task."""
STOP_ORDER: Final = ("server", "envoy", "simulators")
"""Each needs those after it until its end."""
LOOK_INTERVAL_S: Final = 0.1

T = TypeVar("T")

_console = Console()


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
                "the addresses of videos begin with it, and providers send their webhooks there. "
                "If absent, videos are at this machine's own address.",
                show_default=False,
            ),
        ] = None,
        simulate: Annotated[  # noqa: FBT002
            bool,
            typer.Option(
                "--simulate", help="Run simulated providers too and use no others, whatever keys are configured."
            ),
        ] = False,
        simulator_options: Annotated[
            str,
            typer.Option(
                help="For the simulators, such as '--render-seconds 10 --faults 0.05'; "
                "`python -m reelgate_simulators --help` lists them.",
                show_default=False,
            ),
        ] = "",
        die_with_parent: Annotated[bool, typer.Option(help="Stop when the process that started this ends.")] = False,  # noqa: FBT002
    ) -> None:
        """Run the server and Envoy together, with development accounts, until Ctrl-C.

        Stopping waits, for half a minute at most, for what the server is just sending to a provider; a second Ctrl-C
        stops at once.
        """
        if simulator_options and not simulate:
            raise Refusal("--simulator-options are for --simulate")
        place = Place(
            data_dir=data_dir.absolute(),
            host=read_address(host),
            port=port,
            grpc_port=grpc_port,
            public_url=None if public_url is None else read_base_url(public_url),
        )
        parent = os.getppid() if die_with_parent else None
        options = shlex.split(simulator_options) if simulate else None
        _Supervisor(place, operations, parent, options).run()


class _Supervisor:
    """Starts the processes, waits, and stops them."""

    def __init__(
        self, place: Place, operations: Operations, parent: int | None, simulator_options: Sequence[str] | None
    ) -> None:
        self._place = place
        self._operations = operations
        self._parent = parent
        self._simulator_options = simulator_options
        self._is_asked_to_stop = False
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._news: list[str] = []
        """Lines to be announced with the rest."""

    def run(self) -> None:
        """Serve until a signal, the end of a process, or the end of the parent."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        self._place.data_dir.mkdir(parents=True, exist_ok=True)
        with lock.hold_alone(self._place.data_dir):
            self._run_alone()

    def _run_alone(self) -> None:
        require_free(str(self._place.host), self._place.port)
        require_free(LOOPBACK, self._place.grpc_port)
        try:
            if self._simulator_options is None or self._simulate(self._simulator_options):
                self._serve()
        finally:
            children.stop(
                [self._processes[name] for name in STOP_ORDER if name in self._processes], limit_s=STOP_LIMIT_S
            )

    def _simulate(self, options: Sequence[str]) -> bool:
        """Start the simulated providers and make the environment theirs; False if a stop was asked for meanwhile."""
        simulated.require_installed(CHECKOUT / "constraints.txt")
        simulated.require_no_other_providers(os.environ)
        ready_file = self._place.data_dir / "simulators.json"
        ready_file.unlink(missing_ok=True)
        kept = simulated.without_providers(os.environ)
        self._start("simulators", simulated.command(ready_file, options), kept, is_shielded=True)
        addresses = self._wait_for(lambda: simulated.read_addresses(ready_file))
        if addresses is None:
            return False
        # In place of this process's own, because its settings are read from there as well.
        os.environ.clear()
        os.environ.update(kept, **simulated.variables(addresses, self._place.own_url))
        own_catalogue = Settings().catalogue_path
        if own_catalogue is None:
            path = self._place.data_dir / "simulated-catalogue.toml"
            path.write_text(simulated.catalogue_text(), encoding="utf-8")
            os.environ["REELGATE_CATALOGUE_PATH"] = str(path)
        self._news += simulated.announcement(own_catalogue)
        return True

    def _serve(self) -> None:
        settings = _settings(self._place)
        self._operations.migrate_store(settings)
        catalogue = self._operations.load_catalogue(settings)
        keys = asyncio.run(self._ensure_keys(settings, catalogue))
        self._start_server(settings)
        self._start_envoy()
        if self._wait_for(self._answers):
            self._announce(settings, catalogue, keys)
            while not self._is_over():
                time.sleep(LOOK_INTERVAL_S)

    def _start_server(self, settings: Settings) -> None:
        environment = {
            **os.environ,
            "REELGATE_GRPC_SERVER__HOST": LOOPBACK,
            "REELGATE_GRPC_SERVER__PORT": str(self._place.grpc_port),
            "REELGATE_STORE__PATH": str(settings.store.path),
            "REELGATE_MEDIA__DIRECTORY": str(settings.media.directory),
            "REELGATE_MEDIA__BASE_URL": settings.media.base_url,
            "REELGATE_LOCAL_RENDERER__DIRECTORY": str(settings.local_renderer.directory),
            "REELGATE_LOCAL_RENDERER__IS_STAND_IN": "true",
        }
        if self._place.public_url is not None and self._simulator_options is None:
            environment["REELGATE_PUBLIC_URL"] = self._place.public_url
        self._start("server", [sys.executable, "-m", "reelgate_server", "serve"], environment)

    def _start_envoy(self) -> None:
        place = self._place
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
        self._start("envoy", envoy.command(envoy.envoy_binary(), config))

    def _start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        is_shielded: bool = False,
    ) -> None:
        log = self._place.data_dir / f"{name}.log"
        log_file.rotate(log)
        self._processes[name] = children.start(command, log=log, environment=environment, is_shielded=is_shielded)

    async def _ensure_keys(self, settings: Settings, catalogue: Catalogue) -> dict[str, str]:
        earlier = development.read_environment_file(self._place.data_dir / "dev.env")
        async with self._operations.open_accounts(settings) as accounts:
            return await development.ensure_keys(accounts, catalogue, earlier)

    def _wait_for(self, look: Callable[[], T | None]) -> T | None:
        """Look again and again until there is something; None if a stop was asked for before.

        Raises:
            Refusal: It took too long, or a process ended by itself.
        """
        deadline = time.monotonic() + READY_LIMIT_S
        while not self._is_over():
            if seen := look():
                return seen
            if time.monotonic() > deadline:
                raise Refusal(f"not ready after {READY_LIMIT_S:.0f} s; see {self._place.data_dir}/*.log")
            time.sleep(LOOK_INTERVAL_S)
        return None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self._place.own_url}/healthz", timeout=1, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _announce(self, settings: Settings, catalogue: Catalogue, keys: dict[str, str]) -> None:
        place = self._place
        variables = {"REELGATE_URL": place.url, "REELGATE_GRPC": place.grpc_address, **keys}
        path = place.data_dir / "dev.env"
        development.write_environment_file(path, variables)
        logs = " and ".join(", ".join(f"{name}.log" for name in self._processes).rsplit(", ", 1))
        for line in (
            f"Reelgate serves at {place.url} (gRPC {place.grpc_address})",
            *self._news,
            *_stand_in_announcement(settings, catalogue),
            f"Keys: source {path}",
            f"Logs: {place.data_dir}/{logs}. Ctrl-C stops.",
        ):
            _console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _is_over(self) -> bool:
        """Tell whether a stop was asked for.

        Raises:
            Refusal: One of the processes ended by itself.
        """
        if self._is_asked_to_stop or (self._parent is not None and os.getppid() != self._parent):
            return True
        for name, process in self._processes.items():
            if process.poll() is not None and not self._is_asked_to_stop:
                log = self._place.data_dir / f"{name}.log"
                last = log_file.last_line(log)[:500]
                raise Refusal(f"{name} ended with code {process.returncode}: {last}")
        return False

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._is_asked_to_stop:
            for process in self._processes.values():
                process.kill()
        self._is_asked_to_stop = True


def _stand_in_announcement(settings: Settings, catalogue: Catalogue) -> Iterator[str]:
    """Say for how many models the local renderer stands in; nothing if for none."""
    configured = settings.configured_providers()
    count = sum(configured.isdisjoint(route.provider for route in model.routes) for model in catalogue.all())
    if count:
        models, them = ("models have", "them") if count > 1 else ("model has", "it")
        yield f"SIMULATED: {count} {models} no provider credentials; the local renderer stands in for {them}."


def _settings(place: Place) -> Settings:
    """What the environment and the file say, with everything kept in one folder and the stand-in on."""
    return Settings(
        store=StoreSettings(path=place.data_dir / "reelgate.sqlite3"),
        media=MediaSettings(directory=place.data_dir / "media", base_url=f"{place.url}/media"),
        local_renderer=LocalRendererSettings(directory=place.data_dir / "render", is_stand_in=True),
    )
