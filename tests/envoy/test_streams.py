"""Streams: that they flow, that silence is allowed where it is normal, and that a cut is seen."""

import asyncio
import json

import httpx
import pytest
from google.api import httpbody_pb2
from google.rpc import status_pb2

from reelgate.v1 import video_service_pb2
from tests.envoy.conftest import Gateway
from tests.envoy.scripted_upstream import Reply, ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="session")

WATCH_JOB = "reelgate.v1.VideoService/WatchJob"
GET_BALANCE = "reelgate.v1.AccountService/GetBalance"
GENERATE = "reelgate.concurred.v1.ConcurredService/GenerateVideo"
DOWNLOAD = "reelgate.v1.MediaService/Download"
MEDIA = "/media/generated-videos/a/b/video.mp4"


def make_update(sequence: int) -> video_service_pb2.WatchJobResponse:
    return video_service_pb2.WatchJobResponse(kind="WATCH_JOB_RESPONSE_KIND_EVENT", sequence=sequence)


def make_body(data: bytes) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="video/mp4", data=data)


async def test_an_event_arrives_while_the_stream_is_open(upstream: ScriptedUpstream, client: httpx.AsyncClient) -> None:
    end = asyncio.Event()
    upstream.replies[WATCH_JOB] = Reply(messages=[make_update(1)], then_wait_for=end)
    async with client.stream("GET", "/reelgate/v1/jobs/a:watch") as response:
        lines = response.aiter_lines()
        event = json.loads((await anext(lines)).removeprefix("data: "))
        assert event == {"kind": "WATCH_JOB_RESPONSE_KIND_EVENT", "sequence": 1}
        end.set()
        assert [line async for line in lines] == [""]


async def test_a_download_arrives_while_the_stream_is_open(
    upstream: ScriptedUpstream, client: httpx.AsyncClient
) -> None:
    end = asyncio.Event()
    upstream.replies[DOWNLOAD] = Reply(
        messages=[make_body(b"hello")], initial=[("x-content-length", "5")], then_wait_for=end
    )
    async with client.stream("GET", MEDIA) as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"hello"
        end.set()


async def test_a_long_download_is_not_limited_by_what_a_connection_may_buffer(
    upstream: ScriptedUpstream, client: httpx.AsyncClient
) -> None:
    upstream.replies[DOWNLOAD] = Reply(
        messages=[make_body(bytes([each]) * 100_000) for each in range(100)], initial=[("x-content-length", "10000000")]
    )
    response = await client.get(MEDIA)
    assert response.headers["content-length"] == "10000000"
    assert response.content == b"".join(bytes([each]) * 100_000 for each in range(100))


async def test_a_long_list_is_not_limited_either(upstream: ScriptedUpstream, client: httpx.AsyncClient) -> None:
    jobs = [{"prompt": "x" * 10_000}] * 300
    upstream.replies["reelgate.v1.VideoService/ListJobs"] = Reply(
        messages=[video_service_pb2.ListJobsResponse(jobs=jobs)]
    )
    response = await client.get("/reelgate/v1/jobs?page_size=300")
    assert response.status_code == 200
    assert [len(job["prompt"]) for job in response.json()["jobs"]] == [10_000] * 300


async def test_a_download_that_fails_half_way_is_seen_to_be_cut(
    upstream: ScriptedUpstream, client: httpx.AsyncClient
) -> None:
    upstream.replies[DOWNLOAD] = Reply(
        messages=[make_body(b"hel")],
        initial=[("x-content-length", "5")],
        status=status_pb2.Status(code=14, message="storage"),
    )
    with pytest.raises(httpx.RemoteProtocolError, match="received 3 bytes, expected 5"):
        await client.get(MEDIA)


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("HEAD", Reply(messages=[make_body(b"hello")], initial=[("x-content-length", "5")])),
        ("HEAD", Reply(status=status_pb2.Status(code=5, message="no such file"))),
        ("GET", Reply(messages=[make_body(b"hello")], initial=[("x-http-status", "304"), ("x-content-length", "5")])),
    ],
)
async def test_no_byte_follows_headers_that_have_no_body(
    upstream: ScriptedUpstream, gateway: Gateway, verb: str, reply: Reply
) -> None:
    upstream.replies[DOWNLOAD] = reply
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    request = f"{verb} {MEDIA} HTTP/1.1\r\nhost: a\r\n\r\n".encode()
    # Whatever followed the first answer would come before the second.
    writer.write(request + request.replace(b"host: a", b"host: a\r\nconnection: close"))
    received = await reader.read()
    first, second, rest = received.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 ")
    assert second.startswith(b"HTTP/1.1 ")
    assert rest == b""
    writer.close()
    await writer.wait_closed()


async def test_silence_ends_a_call_but_not_a_watch_a_blocking_create_or_a_download(
    upstream: ScriptedUpstream, hasty_gateway: Gateway
) -> None:
    await hasty_gateway.until_health(200)
    end = asyncio.Event()
    upstream.replies[WATCH_JOB] = Reply(messages=[make_update(1)], then_wait_for=end)
    upstream.replies[DOWNLOAD] = Reply(messages=[make_body(b"hello")], then_wait_for=end)
    upstream.replies[GENERATE] = Reply(messages=[upstream.make(GENERATE, success=True)], before=end)
    upstream.replies[GET_BALANCE] = Reply(before=end)
    async with (
        httpx.AsyncClient(base_url=hasty_gateway.base_url, trust_env=False) as client,
        asyncio.TaskGroup() as tasks,
    ):
        watch = tasks.create_task(client.get("/reelgate/v1/jobs/a:watch"))
        download = tasks.create_task(client.get(MEDIA))
        generate = tasks.create_task(client.post("/api/v1/video/generate", json={"prompt": "p"}))
        await upstream.until_calls(3)
        # Sent last, so that the others have been silent for longer when it ends; twice, to be sure.
        for _ in range(2):
            timed_out = await client.get("/reelgate/v1/balance")
            assert timed_out.status_code == 504
            assert timed_out.json() == {"code": 4, "message": "The service did not answer in time.", "details": []}
        assert [each.done() for each in (watch, download, generate)] == [False, False, False]
        end.set()
    assert [each.result().status_code for each in (watch, download, generate)] == [200, 200, 200]
    assert generate.result().json() == {"success": True}
