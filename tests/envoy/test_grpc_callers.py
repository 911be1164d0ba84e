"""gRPC and gRPC-Web callers share the port, and get what the server said."""

import base64
import struct
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import httpx
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from reelgate.v1 import job_pb2, video_service_pb2, video_service_pb2_grpc
from tests.envoy.conftest import Gateway
from tests.envoy.scripted_upstream import Reply, ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="session")

GET_JOB = "reelgate.v1.VideoService/GetJob"
WATCH_JOB = "reelgate.v1.VideoService/WatchJob"


def make_status(code: int, message: str) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="JOB_NOT_FOUND", domain="reelgate"))
    return status


@pytest_asyncio.fixture(loop_scope="session")
async def channel(gateway: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as each:
        yield each


async def test_a_grpc_caller_gets_the_message_and_the_metadata_untouched(
    upstream: ScriptedUpstream, channel: grpc.aio.Channel
) -> None:
    upstream.replies[GET_JOB] = Reply(
        messages=[job_pb2.Job(job_id="a")], initial=[("x-http-status", "202")], trailing=[("x-more", "1")]
    )
    call = video_service_pb2_grpc.VideoServiceStub(channel).GetJob(video_service_pb2.GetJobRequest(job_id="a"))
    assert (await call).job_id == "a"
    assert dict(await call.initial_metadata())["x-http-status"] == "202"
    assert dict(await call.trailing_metadata())["x-more"] == "1"


async def test_a_grpc_caller_gets_the_status_and_its_details_untouched(
    upstream: ScriptedUpstream, channel: grpc.aio.Channel
) -> None:
    status = make_status(5, "no such jób")
    upstream.replies[GET_JOB] = Reply(
        status=status, trailing=[("x-http-status", "402"), ("x-error-body", '{"error":{}}')]
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await video_service_pb2_grpc.VideoServiceStub(channel).GetJob(video_service_pb2.GetJobRequest())
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert rpc_status.from_call(cast("Any", caught.value)) == status
    assert dict(caught.value.trailing_metadata())["x-error-body"] == '{"error":{}}'


async def test_a_grpc_caller_sees_a_late_error_of_a_stream(
    upstream: ScriptedUpstream, channel: grpc.aio.Channel
) -> None:
    upstream.replies[WATCH_JOB] = Reply(
        messages=[video_service_pb2.WatchJobResponse(sequence=1)], status=make_status(14, "stopping")
    )
    call = video_service_pb2_grpc.VideoServiceStub(channel).WatchJob(video_service_pb2.WatchJobRequest(job_id="a"))
    update: Any = await call.read()
    assert update.sequence == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "stopping")


@pytest.mark.parametrize("method", ["/reelgate.admin.v1.AdminService/CreateAccount", "/nothing.v1.Nothing/Get"])
async def test_a_method_that_is_not_public_is_unimplemented(
    upstream: ScriptedUpstream, channel: grpc.aio.Channel, method: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(method, bytes, bytes)(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert upstream.calls == []


async def test_health_passes(upstream: ScriptedUpstream, channel: grpc.aio.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_passes_both_ways_on_one_stream(upstream: ScriptedUpstream, channel: grpc.aio.Channel) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast("Any", channel))
    call = stub.ServerReflectionInfo()
    for _ in range(2):
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        services = (await call.read()).list_services_response.service
        assert "reelgate.v1.VideoService" in [each.name for each in services]
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF


async def call_web(client: httpx.AsyncClient) -> httpx.Response:
    message = video_service_pb2.GetJobRequest(job_id="a").SerializeToString()
    return await client.post(
        f"/{GET_JOB}",
        content=b"\0" + struct.pack(">I", len(message)) + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "origin": "https://page.example"},
    )


async def test_a_grpc_web_caller_gets_the_message(upstream: ScriptedUpstream, client: httpx.AsyncClient) -> None:
    upstream.replies[GET_JOB] = Reply(messages=[job_pb2.Job(job_id="a")], initial=[("x-http-status", "202")])
    response = await call_web(client)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/grpc-web+proto"
    assert response.headers["access-control-allow-origin"] == "https://page.example"
    assert response.content.startswith(b"\0\0\0\0\x03\n\x01a\x80")
    assert b"grpc-status:0\r\n" in response.content


async def test_a_grpc_web_caller_gets_the_status_and_its_details(
    upstream: ScriptedUpstream, client: httpx.AsyncClient
) -> None:
    status = make_status(5, "no such job")
    upstream.replies[GET_JOB] = Reply(status=status, trailing=[("x-http-status", "402"), ("x-error-body", "{}")])
    response = await call_web(client)
    assert (response.status_code, response.content) == (200, b"")
    assert (response.headers["grpc-status"], response.headers["grpc-message"]) == ("5", "no such job")
    details = base64.b64decode(response.headers["grpc-status-details-bin"] + "==")
    assert status_pb2.Status.FromString(details) == status
