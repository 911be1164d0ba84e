"""The whole product as a user starts it: `reelgate up` in a session of its own, on free ports.

Everything waits with a bound, and `close` leaves no process behind, whatever a test did.
"""

import asyncio
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Self, TypeVar

import grpc
import grpc.aio
import httpx

from reelgate.v1 import job_pb2, video_service_pb2, video_service_pb2_grpc
from reelgate_server.app.accounts import NewKey
from reelgate_server.cli.development import read_environment_file
from reelgate_server.config import Settings, StoreSettings
from reelgate_server.domain.ids import PlanName
from reelgate_server.domain.money import to_micros
from reelgate_server.main import open_accounts

REELGATE = Path(sys.executable).parent / "reelgate"
"""The command, beside the running interpreter."""
READY_LIMIT_S = 45.0
"""How long a start may take on a busy machine; it takes three seconds on an idle one."""
STOP_LIMIT_S = 10.0
"""The promise of `make run`."""
KILL_LIMIT_S = 2.0
"""How long what was orphaned by a `kill -9` may live."""
END_LIMIT_S = 60.0
"""How long a short job may take on a busy machine."""
INTERVAL_S = 0.05
CALL_LIMIT_S = 30.0
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here speaks TLS, and reading the authorities takes every client 20 ms."""
CHANNEL_OPTIONS = (("grpc.enable_http_proxy", 0),)

T = TypeVar("T")


def eventually(look: Callable[[], T | None], *, limit_s: float, what: str) -> T:
    """Look again and again until there is something to return.

    Raises:
        AssertionError: There was nothing, or something false, for `limit_s` seconds.
    """
    deadline = time.monotonic() + limit_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"after {limit_s:.0f} s still not: {what}"
        time.sleep(INTERVAL_S)
    return seen


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that the system gives to outgoing connections.

    A restart on the same port would otherwise meet somebody's connection on it.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)  # noqa: S311 (no secret)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def clean_environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without anything of Reelgate's or a proxy's, and with some changes."""
    ours = {"PORT", "GRPC_PORT", "DATA_DIR"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("REELGATE_") and not name.lower().endswith("_proxy") and name not in ours
    }
    return {**kept, **(changes or {})}


@dataclass(frozen=True, slots=True)
class Process:
    """One living process."""

    pid: int
    parent_pid: int
    session: int
    command: str


def processes_of(session: int) -> list[Process]:
    """Every process of a session that has not ended; one that only waits to be reaped has."""
    return [process for process in map(_read_process, _pids()) if process is not None and process.session == session]


@dataclass(kw_only=True)
class Product:
    """One instance, which may be started and ended many times at the same place."""

    data_dir: Path
    port: int
    grpc_port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to a clean one."""
    _process: subprocess.Popen[bytes] | None = None
    _sessions: list[int] = field(default_factory=list)

    @classmethod
    def at(cls, data_dir: Path, environment: Mapping[str, str] | None = None) -> Self:
        """An instance on free ports; not started."""
        port, grpc_port = free_ports(2)
        return cls(data_dir=data_dir, port=port, grpc_port=grpc_port, environment=environment or {})

    # Its life.

    def start(self, *options: str) -> Self:
        """Start it and wait until it is ready."""
        self.launch(*options)
        self.wait_until_ready()
        return self

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it without waiting, with options for `reelgate up`."""
        return self.launch_command([str(REELGATE), "up", *options])

    def launch_command(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start it through another command, such as make's or a shell's, without waiting.

        The environment says where it is to be, as for `make run`.
        """
        assert self._process is None or self._process.poll() is not None, "it runs already"
        self.console_path.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "GRPC_PORT": str(self.grpc_port),
            **self.environment,
        }
        with self.console_path.open("wb") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=clean_environment(environment),
                start_new_session=True,
            )
        self._sessions.append(self._process.pid)
        return self._process

    def wait_until_ready(self) -> None:
        """Return once it has said that it serves.

        Raises:
            AssertionError: It ended, or did not within `READY_LIMIT_S`.
        """

        def is_ready() -> bool:
            assert self.process.poll() is None, f"it ended with code {self.process.returncode}:\n{self.console}"
            return "Ctrl-C stops" in self.console

        eventually(is_ready, limit_s=READY_LIMIT_S, what="ready")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Ask it to stop as a user does, and return how many seconds that took; it must leave no process."""
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(STOP_LIMIT_S + 5)
        took_s = time.monotonic() - begin
        assert self.processes() == []
        return took_s

    def kill_group(self) -> None:
        """`kill -9` of its process group; nothing of it may live for longer than `KILL_LIMIT_S`."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(KILL_LIMIT_S)
        self.wait_until_gone()

    def wait_until_gone(self, limit_s: float = KILL_LIMIT_S) -> None:
        """Return once it has no process any more."""
        eventually(lambda: not self.processes(), limit_s=limit_s, what=f"gone: {self.processes()}")

    def close(self) -> None:
        """End whatever is left of it."""
        for session in self._sessions:
            for process in processes_of(session):
                os.kill(process.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_LIMIT_S)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """What `launch` started last."""
        assert self._process is not None, "it was never started"
        return self._process

    def processes(self) -> list[Process]:
        """Every living process of its last life."""
        return processes_of(self.process.pid)

    # What it says.

    @property
    def console_path(self) -> Path:
        """Where its output goes."""
        return self.data_dir.parent / f"{self.data_dir.name}.console"

    @property
    def console(self) -> str:
        """What it has printed in its last life."""
        return self.console_path.read_text("utf-8")

    @property
    def server_log(self) -> str:
        """What its server has logged in all its lives."""
        return (self.data_dir / "server.log").read_text("utf-8")

    @property
    def variables(self) -> dict[str, str]:
        """What it tells clients in `dev.env`."""
        return read_environment_file(self.data_dir / "dev.env")

    @property
    def store_path(self) -> Path:
        """Its SQLite file."""
        return self.data_dir / "reelgate.sqlite3"

    # How to talk to it.

    @property
    def url(self) -> str:
        """Where everything that speaks HTTP is, as `dev.env` says."""
        return self.variables["REELGATE_URL"]

    @property
    def native_key(self) -> str:
        """Of the default plan: holds, in US dollars, no markup."""
        return self.variables["REELGATE_API_KEY"]

    @property
    def geekhub_key(self) -> str:
        """Charges on completion, in Mexican pesos."""
        return self.variables["REELGATE_GEEKHUB_KEY"]

    @property
    def kyma_key(self) -> str:
        """Holds, in US dollars, with Kyma's markup."""
        return self.variables["REELGATE_KYMA_KEY"]

    @property
    def concurred_key(self) -> str:
        """Not metered."""
        return self.variables["REELGATE_CONCURRED_KEY"]

    def http(self, key: str | None = None, *, limit_s: float = CALL_LIMIT_S) -> httpx.Client:
        """An HTTP client with a key as documented; close it."""
        return httpx.Client(
            base_url=self.url, headers=bearer(key), timeout=limit_s, trust_env=False, verify=NO_AUTHORITIES
        )

    def channel(self, *, through_envoy: bool = False) -> grpc.Channel:
        """A channel to the server itself, or to Envoy's port; close it."""
        target = f"127.0.0.1:{self.port}" if through_envoy else self.variables["REELGATE_GRPC"]
        return grpc.insecure_channel(target, options=CHANNEL_OPTIONS)

    def reelgate(self, *arguments: str, limit_s: float = END_LIMIT_S) -> subprocess.CompletedProcess[str]:
        """Run the command line as an operator does who has sourced `dev.env` and set the store's path."""
        changes = {**self.variables, "REELGATE_STORE__PATH": str(self.store_path)}
        return run_reelgate(*arguments, environment=changes, limit_s=limit_s)

    def make_account(self, name: str, plan: str, amount: str | None) -> NewKey:
        """Make an account, with credit if any, and a key for it, beside the running server."""

        async def make() -> NewKey:
            settings = Settings(store=StoreSettings(path=self.store_path))
            async with open_accounts(settings) as accounts:
                account = await accounts.create_account(name, PlanName(plan))
                if amount is not None:
                    await accounts.credit(account, to_micros(Decimal(amount)))
                return await accounts.create_key(account, "tests")

        return asyncio.run(make())


def run_reelgate(
    *arguments: str, environment: Mapping[str, str] | None = None, limit_s: float = END_LIMIT_S
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [str(REELGATE), *arguments],
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def bearer(key: str | None) -> dict[str, str]:
    """The documented header, or none."""
    return {} if key is None else {"authorization": f"Bearer {key}"}


def auth(key: str) -> tuple[tuple[str, str], ...]:
    """The same as gRPC metadata."""
    return (("authorization", f"Bearer {key}"),)


def small_job(prompt: str = "A paper boat in a puddle", *, seconds: int = 1, **fields: str) -> dict[str, object]:
    """The body of a native create that takes about a second to render."""
    return {
        "model": "local/storyboard",
        "prompt": prompt,
        "clip_duration": f"{seconds}s",
        "resolution": "480p",
        **fields,
    }


def create(http: httpx.Client, body: Mapping[str, object] | None = None) -> str:
    """Create a job natively and return its id."""
    response = http.post("/reelgate/v1/jobs", json=body or small_job())
    assert response.status_code == 200, response.text
    return str(response.json()["job_id"])


def follow(product: Product, key: str, job_id: str, *, limit_s: float = END_LIMIT_S) -> job_pb2.Job:
    """Watch a job to its end, over gRPC, and return it."""
    request = video_service_pb2.WatchJobRequest(job_id=job_id)
    with product.channel() as channel:
        stub = video_service_pb2_grpc.VideoServiceStub(channel)
        job = job_pb2.Job()
        for message in stub.WatchJob(request, metadata=auth(key), timeout=limit_s):
            job = message.job
    assert job.HasField("end_time"), job
    return job


def balance(http: httpx.Client) -> tuple[int, int]:
    """Available and held micros of the client's account."""
    response = http.get("/reelgate/v1/balance")
    assert response.status_code == 200, response.text
    document = response.json()
    return int(document["available_micros"]), int(document["held_micros"])


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _read_process(pid: int) -> Process | None:
    """What Linux tells of a process; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        command = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").replace("\0", " ")
    except OSError:
        return None
    # The name, in parentheses, may hold anything.
    state, parent_pid, _, session = text.rpartition(")")[2].split()[:4]
    return None if state in "ZX" else Process(pid, int(parent_pid), int(session), command)
