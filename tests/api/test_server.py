"""The server around the services: health, reflection, limits, and an end that loses nobody."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from reelgate.v1.video_service_pb2 import CreateJobRequest, GetJobRequest, ListJobsRequest, WatchJobRequest
from reelgate_server.api.server import REQUEST_BYTES_MAX, SERVICES
from tests.support.clock import settle
from tests.support.rpc import Api, key, read_refusal, refusal, serving
from tests.support.world import Customer, World

ALL_SERVICES = [
    "reelgate.v1.VideoService",
    "reelgate.v1.ModelService",
    "reelgate.v1.MediaService",
    "reelgate.v1.AccountService",
    "reelgate.shared.v1.SharedService",
    "reelgate.geekhub.v1.GeekHubService",
    "reelgate.kyma.v1.KymaService",
    "reelgate.concurred.v1.ConcurredService",
    "reelgate.hooks.v1.HooksService",
]


async def _health(api: Api, service: str) -> int:
    return int((await api.health.Check(health_pb2.HealthCheckRequest(service=service))).status)


def test_every_service_is_listed() -> None:
    assert list(SERVICES) == ALL_SERVICES


@pytest.mark.parametrize("service", ["", *ALL_SERVICES])
async def test_a_service_is_healthy_until_the_server_drains(api: Api, service: str) -> None:
    assert await _health(api, service) == health_pb2.HealthCheckResponse.SERVING
    await api.server.drain()
    assert await _health(api, service) == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_draining_server_still_answers(api: Api, world: World, ada: Customer) -> None:
    job = await world.create(ada)
    await api.server.drain()
    assert (await api.video.GetJob(GetJobRequest(job_id=job.job_id), metadata=key(ada))).sequence == 1


async def test_a_health_check_needs_no_key_and_an_unknown_service_is_not_found(api: Api) -> None:
    assert (await refusal(_health(api, "reelgate.v1.NoService"))).code == "NOT_FOUND"


async def test_reflection_lists_the_services(api: Api) -> None:
    call = api.reflection.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    listed = (await call.read()).list_services_response.service
    await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="reelgate.v1.VideoService"))
    assert (await call.read()).file_descriptor_response.file_descriptor_proto
    await call.done_writing()
    expected = {*ALL_SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert {service.name for service in listed} == expected


async def test_watchers_leave_at_once_when_told_and_the_stop_does_not_wait_for_its_grace(
    api: Api, world: World, ada: Customer
) -> None:
    jobs = [await world.create(ada) for _ in range(3)]
    calls = [api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada)) for job in jobs]
    for call in calls:
        assert [(await call.read()).sequence for _ in range(2)] == [0, 1]
    await api.server.drain()
    world.watch.stop()
    async with asyncio.timeout(5):
        await api.server.stop(timedelta(minutes=5))
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        refused = read_refusal(raised.value)
        assert (refused.code, refused.reason) == ("UNAVAILABLE", "SERVER_STOPPING")
    world.watch = world.another_watch()
    async with serving(world) as other:
        for job in jobs:
            resumed = other.video.WatchJob(WatchJobRequest(job_id=job.job_id, after_sequence=1), metadata=key(ada))
            assert (await resumed.read()).sequence == 1
            resumed.cancel()


async def test_a_call_that_outlasts_the_grace_is_cut(api: Api, world: World, ada: Customer) -> None:
    job = await world.create(ada)
    call = api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada))
    for _ in range(2):
        await call.read()
    async with asyncio.timeout(5):
        await api.server.stop(timedelta(milliseconds=10))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_stopped_server_takes_no_calls(api: Api, ada: Customer) -> None:
    await api.server.stop(timedelta())
    refused = await refusal(api.video.GetJob(GetJobRequest(), metadata=key(ada)))
    assert refused.code == "UNAVAILABLE"


async def test_a_message_beyond_the_limit_is_refused_unread(api: Api, world: World, ada: Customer) -> None:
    request = CreateJobRequest(model="fal/kling-2", prompt="p" * REQUEST_BYTES_MAX)
    refused = await refusal(api.video.CreateJob(request, metadata=key(ada)))
    assert refused.code == "RESOURCE_EXHAUSTED"
    assert await world.ledger(ada) == ["credit"]


async def test_a_message_below_the_limit_is_read_and_refused_by_its_rule(api: Api, ada: Customer) -> None:
    request = CreateJobRequest(model="fal/kling-2", prompt="p" * (26 * 1024 * 1024))
    refused = await refusal(api.video.CreateJob(request, metadata=key(ada)))
    assert (refused.code, refused.info) == ("INVALID_ARGUMENT", {"field": "prompt"})


async def test_an_answer_may_be_larger_than_grpcs_own_limit(api: Api, world: World) -> None:
    customer = await world.join("concurred")
    for _ in range(300):
        await world.create(customer, prompt="🎬" * 4000)
    page = await api.video.ListJobs(ListJobsRequest(page_size=1000), metadata=key(customer))
    assert len(page.jobs) == 300
    assert page.ByteSize() > 4 * 1024 * 1024


async def test_headers_of_many_kilobytes_are_read(api: Api, world: World, ada: Customer) -> None:
    job = await world.create(ada)
    for _ in range(20):
        # Between gRPC's soft and hard limits, where it refuses at random unless told otherwise.
        metadata = key(ada, ("x-long", "h" * 12_000))
        assert await api.video.GetJob(GetJobRequest(job_id=job.job_id), metadata=metadata)


async def test_a_second_server_on_the_same_port_is_refused(api: Api, world: World) -> None:
    second: Any = world.server()
    with pytest.raises(RuntimeError):
        await second.start("127.0.0.1", api.port)
    await second.stop(timedelta())


async def test_more_calls_than_allowed_at_once_are_refused(world: World) -> None:
    ada = await world.join()
    job = await world.create(ada)
    async with serving(world, concurrent_call_count_max=1) as api:
        watch = api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada))
        await watch.read()
        refused = await refusal(api.video.GetJob(GetJobRequest(job_id=job.job_id), metadata=key(ada)))
        assert refused.code == "RESOURCE_EXHAUSTED"
        watch.cancel()
        await settle()
