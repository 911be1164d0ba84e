"""Nothing leaves a handler but a status: no exception text, no silence."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from reelgate.geekhub.v1 import geekhub_service_pb2
from reelgate.v1.account_service_pb2 import GetBalanceRequest
from reelgate.v1.media_service_pb2 import DownloadRequest
from reelgate.v1.video_service_pb2 import CreateJobRequest, GetJobRequest, WatchJobRequest
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.domain.errors import IllegalTransition, StoreUnavailable
from tests.support.clock import settle
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, from_json, key, read_refusal, refusal
from tests.support.waiting import wait_until
from tests.support.world import Customer, World

SECRET = "postgres://reelgate:hunter2@10.0.0.7/jobs"
VIDEO_SERVICE = "/reelgate.v1.VideoService"


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def world(trouble: Trouble) -> World:
    return World(store=interpose(MemoryStore(), trouble))


async def _watch(api: Api, customer: Customer, job_id: str) -> None:
    async for _ in api.video.WatchJob(WatchJobRequest(job_id=job_id), metadata=key(customer)):
        pass


class TestBugs:
    @pytest.mark.parametrize(
        "bug",
        [
            ValueError(SECRET),
            RuntimeError(SECRET),
            KeyError(SECRET),
            AssertionError(SECRET),
            ExceptionGroup(SECRET, [ValueError(SECRET)]),
            StopAsyncIteration(SECRET),
            TimeoutError(SECRET),
            IllegalTransition("failed", SECRET),
        ],
        ids=lambda value: type(value).__name__,
    )
    async def test_the_text_of_an_exception_never_leaves(
        self, api: Api, trouble: Trouble, ada: Customer, bug: Exception
    ) -> None:
        trouble.by_method["*"] = bug
        for call in (
            api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada)),
            _watch(api, ada, "01940000-0000-7000-8000-000000000001"),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == ("INTERNAL", "INTERNAL")
            assert "hunter2" not in repr(refused)
            assert refused.message == f"Internal error {refused.info['error_id']}."

    async def test_each_bug_has_an_id_of_its_own_that_the_log_knows(
        self, api: Api, trouble: Trouble, ada: Customer, logs: list[Any]
    ) -> None:
        trouble.by_method["*"] = ValueError(SECRET)
        first = await refusal(api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada)))
        second = await refusal(api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada)))
        told = [first.info["error_id"], second.info["error_id"]]
        assert told[0] != told[1]
        entries = [entry for entry in logs if entry["event"] == "unexpected error"]
        assert [entry["error_id"] for entry in entries] == told
        assert all(SECRET in str(entry["exc_info"]) for entry in entries)
        assert entries[0]["method"] == "/reelgate.v1.AccountService/GetBalance"

    async def test_a_bug_after_the_first_message_ends_the_stream_with_a_status(
        self, api: Api, world: World, trouble: Trouble, ada: Customer
    ) -> None:
        job = await world.create(ada)
        call = api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada))
        for _ in range(2):
            await call.read()
        await settle()
        trouble.by_method["events_after"] = ValueError(SECRET)
        world.feed.publish(job.job_id)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        refused = read_refusal(raised.value)
        assert (refused.code, refused.reason) == ("INTERNAL", "INTERNAL")
        assert "hunter2" not in repr(refused)

    async def test_a_dialect_tells_a_rest_caller_no_more(self, api: Api, trouble: Trouble, ada: Customer) -> None:
        trouble.by_method["*"] = ValueError(SECRET)
        refused = await refusal(api.geekhub.ListModels(geekhub_service_pb2.ListModelsRequest(), metadata=key(ada)))
        assert refused.http_status == "500"
        assert refused.body["error"]["message"] == "Internal error. Retry, and report it with the request_id."
        assert "hunter2" not in repr(refused)


class TestCancellation:
    async def test_a_stray_cancellation_answers_unavailable_instead_of_silence(
        self, api: Api, trouble: Trouble, ada: Customer
    ) -> None:
        trouble.by_method["find_key"] = asyncio.CancelledError()
        for call in (
            api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada)),
            _watch(api, ada, "01940000-0000-7000-8000-000000000001"),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == ("UNAVAILABLE", "SERVER_STOPPING")

    async def test_a_client_that_cancels_is_not_answered_and_leaves_nothing_running(
        self, api: Api, world: World, ada: Customer, logs: list[Any]
    ) -> None:
        job = await world.create(ada)
        call = api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada))
        for _ in range(2):
            await call.read()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()
        await wait_until(lambda: any(entry["event"] == "call" for entry in logs))
        assert [entry["code"] for entry in logs if entry["event"] == "call"] == ["CANCELLED"]
        assert not any(entry["event"] == "unexpected error" for entry in logs)

    async def test_a_client_whose_deadline_passes_is_told_so(
        self, api: Api, world: World, ada: Customer, logs: list[Any]
    ) -> None:
        job = await world.create(ada)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async for _ in api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada), timeout=0.05):
                pass
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert not any(entry["event"] == "unexpected error" for entry in logs)


class TestUndecodable:
    @pytest.mark.parametrize(
        ("method", "data"),
        [
            ("CreateJob", b"\xff\xff\xff"),
            ("CreateJob", b"\x0a\x03abc\x12\x05trunc"[:-2]),
            # Field 2, prompt: half of a surrogate pair, which no UTF-8 holds.
            ("CreateJob", b"\x12\x03\xed\xa0\x80"),
            ("GetJob", b"\x0a\x02\xc3\x28"),
            ("WatchJob", b"\xff\xff\xff"),
        ],
    )
    async def test_what_is_no_message_is_an_invalid_request(
        self, api: Api, ada: Customer, method: str, data: bytes
    ) -> None:
        kind = api.channel.unary_stream if method == "WatchJob" else api.channel.unary_unary
        call: Any = kind(f"{VIDEO_SERVICE}/{method}", request_serializer=bytes)(data, metadata=key(ada))

        async def read() -> None:
            if method == "WatchJob":
                async for _ in call:
                    pass
            else:
                await call

        refused = await refusal(read())
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert (refused.info, refused.fields) == ({"field": "body"}, ("body",))
        assert "DecodeError" not in refused.message

    async def test_fields_that_are_not_known_are_ignored(self, api: Api, ada: Customer) -> None:
        # Field 99, a string.
        data = CreateJobRequest(model="fal/kling-2", prompt="p").SerializeToString() + b"\x9a\x06\x03new"
        call: Any = api.channel.unary_unary(f"{VIDEO_SERVICE}/CreateJob", request_serializer=bytes)
        assert await call(data, metadata=key(ada))

    async def test_a_method_that_does_not_exist_is_unimplemented(self, api: Api) -> None:
        call: Any = api.channel.unary_unary(f"{VIDEO_SERVICE}/DeleteJob", request_serializer=bytes)
        assert (await refusal(call(b""))).code == "UNIMPLEMENTED"


class TestCauses:
    async def test_what_an_adapter_met_is_for_the_log_alone(
        self, api: Api, trouble: Trouble, ada: Customer, logs: list[Any]
    ) -> None:
        error = StoreUnavailable()
        error.__cause__ = OSError(28, "No space left on /var/lib/reelgate")
        trouble.by_method["*"] = error
        refused = await refusal(api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada)))
        assert refused.reason == "STORE_UNAVAILABLE"
        assert "/var/lib" not in repr(refused)
        (entry,) = [entry for entry in logs if entry["event"] == "refused"]
        assert (entry["error"], entry["method"]) == ("StoreUnavailable", "/reelgate.v1.AccountService/GetBalance")
        assert "No space left" in entry["cause"]


class TestPassing:
    async def test_an_abort_of_the_library_passes_as_it_is(self, api: Api, logs: list[Any]) -> None:
        refused = await refusal(api.health.Check(health_pb2.HealthCheckRequest(service="no.such.Service")))
        assert (refused.code, refused.reason) == ("NOT_FOUND", "")
        assert not any(entry["event"] == "unexpected error" for entry in logs)

    async def test_a_stream_that_writes_for_itself_is_served(self, api: Api) -> None:
        call = api.health.Watch(health_pb2.HealthCheckRequest(service="reelgate.v1.VideoService"))
        async with asyncio.timeout(5):
            assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
            await api.server.drain()
            assert (await call.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        call.cancel()

    async def test_every_call_is_logged_with_its_code_and_its_request_id(
        self, api: Api, ada: Customer, logs: list[Any]
    ) -> None:
        request_id = ("x-request-id", "0F0e7d6c-1111-4222-8333-444455556666")
        await api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada, request_id))
        await refusal(api.video.GetJob(GetJobRequest(job_id="x"), metadata=key(ada)))
        # The answer is on its way before the line is written.
        await wait_until(lambda: sum(entry["event"] == "call" for entry in logs) == 2)
        calls = [entry for entry in logs if entry["event"] == "call"]
        assert [(entry["method"], entry["code"]) for entry in calls] == [
            ("/reelgate.v1.AccountService/GetBalance", "OK"),
            ("/reelgate.v1.VideoService/GetJob", "INVALID_ARGUMENT"),
        ]
        assert [entry["request_id"] for entry in calls] == [
            "req_0f0e7d6c1111422283334444",
            "req_000000000000000000000000",
        ]
        assert all(entry["latency_ms"] >= 0 for entry in calls)

    async def test_no_secret_is_logged(self, api: Api, ada: Customer, logs: list[Any]) -> None:
        await api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada))
        assert ada.secret not in repr(logs)

    async def test_dialect_errors_carry_ascii_only(self, api: Api, world: World) -> None:
        customer = await world.join("geekhub")
        body = from_json(geekhub_service_pb2.CreateVideoRequest(), {"model": "fal/ñ🎬" * 100, "prompt": "p"})
        refused = await refusal(api.geekhub.CreateVideo(body, metadata=key(customer)))
        assert refused.trailers["x-error-body"].isascii()
        assert len(refused.trailers["x-error-body"]) < 4096
        assert refused.body["error"]["message"].startswith("Model 'fal/ñ🎬fal/ñ🎬")

    async def test_a_download_that_fails_half_way_ends_with_a_status(self, api: Api, world: World) -> None:
        world.media.files["generated-videos/a/b/video.mp4"] = (b"x" * 100, "video/mp4")
        world.media.read_fault_count = 1
        call = api.media.Download(DownloadRequest(account_id="a", job_id="b", file="video.mp4"))
        assert len((await call.read()).data) == 8
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        refused = read_refusal(raised.value)
        assert (refused.code, refused.reason, refused.retry_s) == ("UNAVAILABLE", "MEDIA_UNAVAILABLE", 1.0)
