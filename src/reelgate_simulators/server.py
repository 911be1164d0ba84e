"""A simulator's HTTP server: a table of operations on loopback, in the running event loop or in a thread."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from reelgate_simulators.clock import Clock, SystemClock
from reelgate_simulators.endpoint import Endpoint, Operation, World, respond
from reelgate_simulators.faults import FaultPlan
from reelgate_simulators.recording import RecordedRequest

HOST = "127.0.0.1"
START_S_MAX = 5.0
STOP_S_MAX = 5.0
"""Bounds on starting and stopping. Both take milliseconds: nothing is waited for once connections are cut."""
UNKNOWN = "unknown"
"""Operation under which a request is recorded that no row of the table fits."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

P = ParamSpec("P")
R = TypeVar("R")


class SimulatorServer(ABC):
    """Serves a table of operations, records every request and applies the fault plan.

    As an async context manager it runs in the loop that enters it; `in_thread` is for callers that block. It can be
    started again after it stopped; requests and whatever the simulator keeps stay.
    """

    def __init__(self, *, clock: Clock | None = None, faults: FaultPlan | None = None, port: int = 0) -> None:
        """Prepare; nothing listens yet.

        Args:
            clock: What renders, delays and dates go by; the machine's if absent.
            faults: The plan; an empty one if absent.
            port: 0 lets the system choose, and `port` tells which once it runs.
        """
        self.clock: Clock = clock or SystemClock()
        self.faults = faults or FaultPlan()
        self.requests: list[RecordedRequest] = []
        """Everything received, in order, faulted or not."""
        self.port = port
        self._state = ServerState()
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def operations(self) -> Sequence[Operation]:
        """List the table. The first row that fits a request answers it."""

    async def answer_unknown(self, request: RecordedRequest) -> Response:
        """Answer a request that no row fits."""
        return respond(404, {"detail": f"No such path: {request.method} {request.path}"})

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:{port}`, no slash at its end; valid once the server runs."""
        return f"http://{HOST}:{self.port}"

    def requests_of(self, operation: str) -> list[RecordedRequest]:
        """Select what one operation received, in order."""
        return [request for request in self.requests if request.operation == operation]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background until the server stops. What it raises ends the server's context."""
        task = self._background.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in the server's loop and wait for it, from whatever thread.

        Raises:
            TimeoutError: The loop did not come to it within `STOP_S_MAX`.
        """
        if self._loop is None or self._loop is _running_loop():
            return function(*args, **kwargs)

        async def called() -> R:
            return function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(STOP_S_MAX)

    async def __aenter__(self) -> Self:
        rows = [*self.operations(), *(_unknown(self, method) for method in METHODS)]
        self._world = world = World(
            clock=self.clock, faults=self.faults, requests=self.requests, connections=self._state.connections
        )
        routes = [Route(row.path, Endpoint(row, world), methods=[row.method]) for row in rows]
        # A forwarded-for header must not rename the connection that a fault has to find.
        config = Config(Starlette(routes=routes), log_config=None, access_log=False, ws="none", proxy_headers=False)
        config.load()
        self._loop = asyncio.get_running_loop()
        # uvicorn's own Server would take over the process's signals and stop only at its next tick.
        self._listener = await self._loop.create_server(lambda: H11Protocol(config, self._state, {}), HOST, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        self._background = asyncio.TaskGroup()
        await self._background.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._world.is_stopping = True
        for connection in list(self._state.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()
        for task in (*self._tasks, *self._state.tasks):
            task.cancel()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=STOP_S_MAX)
        self._loop = None
        # Only a cancellation may be the group's own doing; what a test raised goes on as it is.
        if isinstance(error, asyncio.CancelledError):
            await self._background.__aexit__(kind, error, trace)
        else:
            await self._background.__aexit__(None, None, None)

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run in a thread with a loop of its own.

        Raises:
            OSError: The port is taken.
            TimeoutError: It did not start within `START_S_MAX`.
        """
        started: Future[Callable[[], object]] = Future()
        with ThreadPoolExecutor(1, thread_name_prefix=type(self).__name__) as threads:
            running = threads.submit(lambda: asyncio.run(self._serve(started)))
            stop = started.result(START_S_MAX)
            try:
                yield self
            finally:
                stop()
                running.result(STOP_S_MAX)

    async def _serve(self, started: "Future[Callable[[], object]]") -> None:
        loop, is_over = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self:
                started.set_result(lambda: loop.call_soon_threadsafe(is_over.set))
                await is_over.wait()
        except OSError as error:
            started.set_exception(error)


def _unknown(server: SimulatorServer, method: str) -> Operation:
    return Operation(name=UNKNOWN, method=method, path="/{path:path}", handler=server.answer_unknown)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
