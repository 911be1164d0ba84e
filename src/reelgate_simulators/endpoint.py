"""One operation of a simulator as an ASGI application: records, applies a fault, lets the handler act, answers."""

import asyncio
import fcntl
import json
import socket
import struct
import sys
import termios
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import assert_never

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from reelgate_simulators.clock import Clock, sleep
from reelgate_simulators.faults import (
    CutBody,
    Delay,
    FaultPlan,
    Hang,
    Html,
    HugeJson,
    Reset,
    RetryAfter,
    Status,
    TruncatedJson,
    WrongTypes,
    half,
    mistyped,
    padded,
    retry_after_text,
)
from reelgate_simulators.recording import RecordedRequest, record

Handler = Callable[[RecordedRequest], Awaitable[Response]]

REQUEST_COUNT_MAX = 100_000
"""Recorded requests kept; beyond it the older half is forgotten, so that a demo can run for days."""
NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST and not FIN, so the caller sees a reset and not an end."""
FLUSH_INTERVAL_S = 0.001
PROXY_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of a simulator's table: what is asked where, and who answers."""

    name: str
    """As fault plans and recordings call it."""
    method: str
    path: str
    """In Starlette's syntax, `{name}` and `{name:path}`."""
    handler: Handler


@dataclass(kw_only=True)
class World:
    """What every endpoint of one server shares."""

    clock: Clock
    faults: FaultPlan
    requests: list[RecordedRequest]
    connections: AbstractSet[object]
    """uvicorn's, alive at the moment."""
    is_stopping: bool = False
    """Connections are cut and requests cancelled because the server stops."""


class _Exchange:
    """One request and its answer on the wire."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, connections: AbstractSet[object]) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._connections = connections

    async def answer(self, response: Response) -> None:
        await response(self._scope, self._receive, self._send)

    async def cut(self, response: Response, after_bytes: int) -> None:
        """Send the head and a part of the body, make sure that it left, and reset."""
        body = bytes(response.body)
        await self._send(
            {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        )
        part = body[: max(0, min(after_bytes, len(body) - 1))]
        await self._send({"type": "http.response.body", "body": part, "more_body": True})
        transport = self._transport()
        # A reset discards what the other side has not acknowledged, and neither buffer tells when it is empty.
        while transport is not None and _is_sending(transport):  # noqa: ASYNC110 (see above)
            await asyncio.sleep(FLUSH_INTERVAL_S)
        await self.reset()

    async def reset(self) -> None:
        transport = self._transport()
        if transport is not None:
            connection = transport.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            transport.abort()
        await self.hang()

    async def hang(self) -> None:
        """Wait until the connection is gone, whoever ends it."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _transport(self) -> asyncio.Transport | None:
        """The connection; None if the caller has left."""
        client = tuple(self._scope["client"])
        transports = (
            connection.transport
            for connection in self._connections
            if isinstance(connection, H11Protocol) and connection.client == client
        )
        return next(transports, None)


def _is_sending(transport: asyncio.Transport) -> bool:
    return not transport.is_closing() and _unsent_bytes(transport) > 0


def _unsent_bytes(transport: asyncio.Transport) -> int:
    """Count what is still on this side: asyncio's buffer and, where it can be asked for, the kernel's."""
    unsent_bytes = transport.get_write_buffer_size()
    if sys.platform == "linux":
        count = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        unsent_bytes += int.from_bytes(count, sys.byteorder)
    return unsent_bytes


class Endpoint:
    """Serves one operation."""

    def __init__(self, operation: Operation, world: World) -> None:
        """Serve `operation` in `world`."""
        self._operation = operation
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; a fault is taken from the plan at its arrival."""
        try:
            await self._serve(scope, receive, send)
        except ClientDisconnect:
            # The caller left before the request was whole. There was none, and there is nobody to answer.
            return
        except asyncio.CancelledError:
            # A server that stops cancels what waits for a clock or a render; uvicorn would log each as an error.
            if not self._world.is_stopping:
                raise

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await record(self._operation.name, Request(scope, receive, send))
        requests = self._world.requests
        requests.append(request)
        if len(requests) > REQUEST_COUNT_MAX:
            del requests[: REQUEST_COUNT_MAX // 2]
        exchange = _Exchange(scope, receive, send, self._world.connections)
        match self._world.faults.take(self._operation.name):
            case None:
                await exchange.answer(await self._operation.handler(request))
            case Delay(seconds=seconds):
                await sleep(self._world.clock, seconds)
                await exchange.answer(await self._operation.handler(request))
            case CutBody() | TruncatedJson() | HugeJson() | WrongTypes() as fault:
                await self._spoil(exchange, await self._operation.handler(request), fault)
            case fault:
                await self._replace(exchange, request, fault)

    async def _replace(
        self, exchange: _Exchange, request: RecordedRequest, fault: Hang | Reset | Status | RetryAfter | Html
    ) -> None:
        """Give another answer than the true one, or none."""
        if not isinstance(fault, RetryAfter) and fault.takes_effect:
            await self._operation.handler(request)
        match fault:
            case Hang():
                await exchange.hang()
            case Reset():
                await exchange.reset()
            case Status(code=code, body=body, headers=headers):
                await exchange.answer(respond(code, body, headers))
            case RetryAfter(code=code, body=body):
                text = retry_after_text(fault, self._world.clock.unix_s())
                await exchange.answer(respond(code, body, {"Retry-After": text}))
            case Html(code=code):
                await exchange.answer(Response(PROXY_PAGE.format(code), code, media_type="text/html"))
            case _:
                assert_never(fault)

    async def _spoil(
        self, exchange: _Exchange, response: Response, fault: CutBody | TruncatedJson | HugeJson | WrongTypes
    ) -> None:
        """Give the true answer, damaged."""
        body = bytes(response.body)
        match fault:
            case CutBody(after_bytes=after_bytes):
                await exchange.cut(response, after_bytes)
            case TruncatedJson():
                await exchange.answer(_with_body(response, half(body)))
            case HugeJson(size_bytes=size_bytes):
                await exchange.answer(_with_body(response, padded(body, size_bytes)))
            case WrongTypes():
                await exchange.answer(_with_body(response, mistyped(body)))
            case _:
                assert_never(fault)


def respond(code: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    """Build an answer: bytes and text as they are, None as nothing, anything else as JSON."""
    if body is None or isinstance(body, bytes | str):
        return Response(body, code, dict(headers or {}))
    return Response(json.dumps(body).encode(), code, dict(headers or {}), media_type="application/json")


def _with_body(response: Response, body: bytes) -> Response:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, response.status_code, headers)
