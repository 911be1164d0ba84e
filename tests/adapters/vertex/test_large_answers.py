"""Answers too large or too slow for a simulator that builds them first: written to the socket as they are made."""

import asyncio
import base64
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.adapters.providers.vertex.credentials import FixedToken
from reelgate_server.adapters.providers.vertex.provider import VertexProvider
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone
from tests.adapters.vertex.samples import OPERATION
from tests.support.waiting import wait_until

MIB = 1 << 20
BLOCK = bytes(range(256)) * 192
"""48 KiB of video; its base64 is 64 KiB without padding."""
HEAD, _, TAIL = (
    json.dumps({"name": OPERATION, "done": True, "response": {"videos": [{"bytesBase64Encoded": "@"}]}})
    .encode()
    .partition(b"@")
)


@dataclass
class Server:
    """Answers every request with the same parts."""

    parts: Callable[[], AsyncIterator[bytes]]
    url: str = ""
    sent_bytes: list[int] = field(default_factory=list)
    """For each request, what was written before the end or before the reader left."""
    open_count: int = 0
    """Connections that are still written to."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.sent_bytes.append(0)
        self.open_count += 1
        with suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
            async for part in self.parts():
                writer.write(part)
                await writer.drain()
                self.sent_bytes[-1] += len(part)
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()
        self.open_count -= 1


@asynccontextmanager
async def serving(parts: Callable[[], AsyncIterator[bytes]]) -> AsyncIterator[Server]:
    server = Server(parts)
    listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    async with listener:
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server
        await wait_until(lambda: server.open_count == 0)


@asynccontextmanager
async def asking(server: Server, *, limit_s: float = 15.0) -> AsyncIterator[tuple[VertexProvider, Task]]:
    task = Task(task_id=OPERATION, urls={"poll": f"{server.url}/v1/poll"}, credential="studio")
    async with VertexProvider(
        project="film",
        credentials={"studio": FixedToken("token")},
        http=ProviderHttp(call_limit_s=limit_s),
    ) as provider:
        yield provider, task


async def a_large_video() -> AsyncIterator[bytes]:
    block = base64.b64encode(BLOCK)
    yield HEAD
    for _ in range(1024):
        yield block
    yield TAIL


async def test_a_64_mib_answer_is_streamed_through_a_few_mib() -> None:
    async with serving(a_large_video) as server, asking(server) as (provider, task):
        video_bytes = 0
        tracemalloc.start()
        try:
            async for chunk in provider.open(task, f"vertex:{OPERATION}"):
                assert 0 < len(chunk) <= MIB
                video_bytes += len(chunk)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert video_bytes == 48 * MIB
    assert peak < 4 * MIB


async def test_a_poll_of_a_64_mib_answer_leaves_where_the_video_begins() -> None:
    async with serving(a_large_video) as server, asking(server) as (provider, task):
        assert await provider.poll(task) == TaskDone(source_url=f"vertex:{OPERATION}")
    # What the buffers of both sockets hold is on its way before the reader can leave.
    assert server.sent_bytes[0] < 32 * MIB


async def done_at_the_end() -> AsyncIterator[bytes]:
    yield b'{"response":{"videos":[{"bytesBase64Encoded":"'
    for _ in range(64):
        yield base64.b64encode(BLOCK)
    yield b'"}]},"done":true}'


async def test_a_poll_reads_on_where_it_is_not_said_yet_that_the_video_is_done() -> None:
    async with serving(done_at_the_end) as server, asking(server) as (provider, task):
        assert await provider.poll(task) == TaskDone(source_url=f"vertex:{OPERATION}")
    assert server.sent_bytes == [4_194_367]


async def without_end() -> AsyncIterator[bytes]:
    yield b'{"name":"'
    while True:
        yield b"x" * 65_536


async def test_an_answer_without_end_is_left() -> None:
    async with serving(without_end) as server, asking(server) as (provider, task):
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(task)
    assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE
    assert "longer than 65536 bytes beside its videos" in raised.value.fault.detail


async def drip() -> AsyncIterator[bytes]:
    for each in json.dumps({"name": OPERATION}).encode() * 1000:
        yield bytes([each])
        await asyncio.sleep(0.01)


async def test_an_answer_that_drips_is_left_when_the_time_for_a_call_is_up() -> None:
    async with serving(drip) as server, asking(server, limit_s=0.3) as (provider, task):
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(task)
    assert raised.value.fault.kind is FaultKind.TIMEOUT
    assert not raised.value.fault.is_maybe_accepted
