"""What Envoy answers by itself when there is no server, or when a request does not get as far as one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio

from reelgate.v1 import video_service_pb2, video_service_pb2_grpc
from tests.envoy.conftest import Gateway
from tests.envoy.scripted_upstream import Reply, ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY_BYTES_MAX = 26_214_400

UNAVAILABLE = "The service is unavailable. Try again later."
REFUSED = "The request was refused."
TOO_LARGE = "The body is larger than 25 MiB."


def geekhub(code: str, message: str, request_id: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": code, "code": code, "request_id": request_id}}


def too_large(surface: str, request_id: str) -> dict[str, Any]:
    return {
        "native": {
            "code": 8,
            "message": TOO_LARGE,
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "INVALID_REQUEST",
                    "domain": "reelgate",
                    "metadata": {"field": "body"},
                }
            ],
        },
        "geekhub": geekhub("invalid_request_error", TOO_LARGE, request_id),
        "kyma": {"error": {"message": TOO_LARGE, "type": "invalid_request_error", "code": "invalid_request"}},
        "concurred": {"error": {"code": "BAD_REQUEST", "message": TOO_LARGE, "details": {}}},
    }[surface]


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/reelgate/v1/jobs", "native"),
        ("/geekhub/v1/videos/generations", "geekhub"),
        ("/v1/videos/generations", "geekhub"),
        ("/kyma/v1/videos/generations", "kyma"),
        ("/api/v1/video/generate", "concurred"),
    ],
)
async def test_a_body_of_one_byte_too_many_is_413(
    upstream: ScriptedUpstream, client: httpx.AsyncClient, path: str, surface: str, framing: str
) -> None:
    body = b'{"prompt":"' + b"x" * (BODY_BYTES_MAX + 1 - 13) + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    response = await client.post(path, content=body if framing == "length" else chunks())
    assert response.status_code == 413
    assert response.json() == too_large(surface, response.headers["x-request-id"])
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/reelgate/v1/jobs", "reelgate.v1.VideoService/CreateJob"),
        ("/v1/videos/generations", "reelgate.shared.v1.SharedService/CreateVideo"),
    ],
)
async def test_a_body_of_the_largest_size_arrives_whole(
    upstream: ScriptedUpstream, client: httpx.AsyncClient, path: str, method: str
) -> None:
    upstream.replies[method] = Reply(messages=[upstream.make(method)])
    body = b'{"prompt":"' + b"x" * (BODY_BYTES_MAX - 13) + b'"}'
    response = await client.post(path, content=body)
    assert response.status_code == 200
    (call,) = upstream.calls
    text = getattr(call.request, "prompt", "") or getattr(call.request, "data", b"")
    assert len(text) in (BODY_BYTES_MAX, BODY_BYTES_MAX - 13)


@pytest.mark.parametrize(
    ("path", "surface", "count"),
    [
        ("/kyma/v1/videos/generations", "kyma", 4_000_000),
        ("/reelgate/v1/jobs", "native", 4_000_000),
        ("/reelgate/v1/jobs", "native", 12_000_000),
    ],
    ids=["Kyma, for the server", "native, for the server", "native, for Envoy"],
)
async def test_a_body_that_grows_too_large_in_translation_is_refused_too(
    upstream: ScriptedUpstream, client: httpx.AsyncClient, path: str, surface: str, count: int
) -> None:
    response = await client.post(path, content=b'{"extra":{"a":[' + b"1," * count + b"1]}}")
    assert response.status_code == 413
    assert response.json() == too_large(surface, "")


@pytest_asyncio.fixture(loop_scope="session", params=["draining", "stopped", "just stopped"])
async def unavailable(
    request: pytest.FixtureRequest, upstream: ScriptedUpstream, gateway: Gateway
) -> AsyncIterator[None]:
    """A server that does not serve, in each way that Envoy tells apart."""
    if request.param == "draining":
        await upstream.set_healthy(healthy=False)
    else:
        await upstream.stop()
    if request.param != "just stopped":
        await gateway.until_health(503)
    yield
    if request.param == "draining":
        await upstream.set_healthy(healthy=True)
    else:
        await upstream.start()
    await gateway.until_health(200)


async def test_a_server_that_does_not_serve_is_503_in_each_shape(
    unavailable: None, client: httpx.AsyncClient, gateway: Gateway
) -> None:
    native = {"code": 14, "message": UNAVAILABLE, "details": []}
    kyma = {"error": {"message": UNAVAILABLE, "type": "server_error", "code": "provider_error"}}
    concurred = {"error": {"code": "INTERNAL_ERROR", "message": UNAVAILABLE, "details": {}}}
    for path, shape in [
        ("/reelgate/v1/jobs/a", native),
        ("/reelgate/v1/jobs/a:watch", native),
        ("/media/generated-videos/a/b/video.mp4", native),
        ("/v1/models", None),
        ("/geekhub/v1/models", None),
        ("/v1/videos/a", None),
        ("/v1/jobs/a", kyma),
        ("/kyma/v1/models", kyma),
        ("/api/v1/video/status", concurred),
    ]:
        response = await client.get(path)
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/json"
        expected = shape or geekhub("internal_error", UNAVAILABLE, response.headers["x-request-id"])
        assert response.json() == expected, path
    response = await client.post("/hooks/fal/a", json={})
    assert response.status_code == 503
    assert response.json() == {"error": {"code": "unavailable", "message": UNAVAILABLE}}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await video_service_pb2_grpc.VideoServiceStub(channel).GetJob(video_service_pb2.GetJobRequest())
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, UNAVAILABLE)


async def test_healthz_follows_the_server(
    upstream: ScriptedUpstream, gateway: Gateway, client: httpx.AsyncClient
) -> None:
    response = await client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"")
    assert [name for name in response.headers if name.startswith("x-envoy")] == []
    assert (await client.head("/healthz")).status_code == 200
    await upstream.set_healthy(healthy=False)
    await gateway.until_health(503)
    assert (await client.get("/healthz")).json() == {"code": 14, "message": UNAVAILABLE, "details": []}
    await upstream.set_healthy(healthy=True)
    await gateway.until_health(200)


@pytest.mark.parametrize(
    ("request_head", "status", "message"),
    [
        (b"GET /v1/models HTTP/1.1\r\n", 400, REFUSED),
        (b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n", 404, "There is no such path or method."),
        (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n", 404, "There is no such path or method."),
        (b"GET / HTTP/1.1\r\nhost: a\r\nlong: " + b"x" * 40_000 + b"\r\n", 431, REFUSED),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"".join(b"h%d: 1\r\n" % n for n in range(101)), 431, REFUSED),
        (b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n", 403, REFUSED),
    ],
    ids=["no host", "connect", "asterisk", "long header", "many headers", "upgrade"],
)
async def test_a_request_that_no_filter_sees_is_refused_in_json(
    gateway: Gateway, request_head: bytes, status: int, message: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request_head + b"connection: close\r\n\r\n")
    head, body = (await reader.read()).split(b"\r\n\r\n", 1)
    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/json" in head
    assert json.loads(body)["message"] == message


async def test_nothing_was_wrong_with_the_filter(gateway: Gateway) -> None:
    """A script that fails only says so in the log. Last in the file, though every test before it adds to the proof."""
    assert "lua" not in gateway.log.read_text(encoding="utf-8")
