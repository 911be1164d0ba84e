"""Webhooks over gRPC: what reaches the receiver, and every answer that a provider can get."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from reelgate.hooks.v1.hooks_service_pb2 import ReceiveWebhookRequest, ReceiveWebhookResponse
from reelgate.v1 import job_pb2
from reelgate.v1.video_service_pb2 import WatchJobRequest
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.store import SequenceConflict
from reelgate_server.ports.webhooks import Webhook
from tests.support.fake_provider import FakeProvider
from tests.support.fake_webhooks import FakeWebhooks
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, key, refusal, serving
from tests.support.world import Customer, World

UNKNOWN_JOB = "01940000-0000-7000-8000-00000000ffff"


@pytest.fixture
def fal() -> FakeProvider:
    """A provider that announces its tasks, which run until a test ends them."""
    return FakeProvider("fal", is_held=True, first_poll_after=None, announces_tasks=True)


@pytest.fixture
def webhooks(fal: FakeProvider) -> FakeWebhooks:
    return FakeWebhooks(fal)


@pytest.fixture
def trouble() -> Trouble:
    """Of the store."""
    return Trouble()


@pytest.fixture
def world(fal: FakeProvider, webhooks: FakeWebhooks, trouble: Trouble) -> World:
    return World(store=interpose(MemoryStore(), trouble), providers=[fal], receivers={fal.name: webhooks})


@pytest.fixture
async def job(world: World, ada: Customer) -> Job:
    """A job that fal is rendering."""
    job = await world.create(ada)
    await world.run_due()
    return await world.load(job)


def request(job_id: str, webhook: Webhook, provider: str = "fal") -> ReceiveWebhookRequest:
    body = HttpBody(content_type="application/json", data=webhook.body)
    return ReceiveWebhookRequest(provider=provider, job_id=job_id, body=body)


async def send(
    api: Api, job_id: str, webhook: Webhook, *more: tuple[str, str | bytes], provider: str = "fal"
) -> ReceiveWebhookResponse:
    """Send a webhook as Envoy hands it on."""
    metadata = (*webhook.headers.items(), *more)
    answer: ReceiveWebhookResponse = await api.hooks.ReceiveWebhook(
        request(job_id, webhook, provider), metadata=metadata
    )
    return answer


async def test_a_webhook_needs_no_key_and_its_watchers_see_what_it_said(
    *, api: Api, world: World, fal: FakeProvider, webhooks: FakeWebhooks, ada: Customer, job: Job
) -> None:
    fal.finish("fal-task-1")
    assert await send(api, job.job_id, webhooks.webhook("fal-task-1")) == ReceiveWebhookResponse()
    await world.run_due()
    seen = [
        job_pb2.JobEventType.Name(update.event.type)
        async for update in api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada))
        if update.HasField("event")
    ]
    assert seen == [
        "JOB_EVENT_TYPE_CREATED",
        "JOB_EVENT_TYPE_SUBMIT_INTENDED",
        "JOB_EVENT_TYPE_SUBMITTED",
        "JOB_EVENT_TYPE_ANNOUNCED",
        "JOB_EVENT_TYPE_RENDERED",
        "JOB_EVENT_TYPE_STORED",
    ]


@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe\n\r\n", b' {"task_id" :\t"a"}\n', b"x" * (1 << 20)])
async def test_the_receiver_gets_the_body_and_the_headers_as_they_came(
    api: Api, webhooks: FakeWebhooks, job: Job, body: bytes
) -> None:
    sent = Webhook(headers={"x-fal-webhook-signature": "ab01", "x-fal-webhook-user-id": "user"}, body=body)
    await refusal(send(api, job.job_id, sent))
    (received,) = webhooks.received
    assert received.body == body
    assert dict(sent.headers).items() <= dict(received.headers).items()


async def test_a_header_that_came_twice_is_one_list(api: Api, webhooks: FakeWebhooks, job: Job) -> None:
    webhook = webhooks.webhook("fal-task-1")
    refused = await refusal(send(api, job.job_id, webhook, ("x-fake-age", "0"), ("raw-bin", b"\x00\xff")))
    assert refused.http_status == "401"
    assert webhooks.received[0].headers["x-fake-age"] == "0, 0"


async def test_a_key_is_neither_needed_nor_looked_at(api: Api, webhooks: FakeWebhooks, job: Job) -> None:
    webhook = webhooks.webhook("fal-task-1")
    assert await send(api, job.job_id, webhook, ("authorization", "Bearer nonsense")) == ReceiveWebhookResponse()


async def test_every_webhook_that_is_not_genuine_gets_the_same_answer(
    api: Api, world: World, webhooks: FakeWebhooks, job: Job, logs: list[Any]
) -> None:
    bad = [
        Webhook(headers={}, body=b""),
        webhooks.webhook("fal-task-1", is_forged=True),
        webhooks.webhook("fal-task-1", age=timedelta(minutes=6)),
        webhooks.signed(b"not JSON"),
        webhooks.signed(b"{}"),
        webhooks.signed(b"x" * ((1 << 20) + 1)),
    ]
    for webhook in bad:
        refused = await refusal(send(api, job.job_id, webhook))
        assert (refused.code, refused.reason, refused.info) == ("UNAUTHENTICATED", "WEBHOOK_REJECTED", {})
        assert refused.http_status == "401"
        assert refused.body == {
            "error": {
                "code": "webhook_rejected",
                "message": "The webhook is not signed by its provider, or not lately.",
            }
        }
        assert "retry-after" not in refused.trailers
    assert await world.load(job) == job
    causes = [entry["cause"] for entry in logs if entry["event"] == "refused"]
    assert causes[0] == "WebhookRefused('not signed by the fake')"
    assert causes[2] == "WebhookRefused('360 seconds old')"


@pytest.mark.parametrize(
    ("provider", "job_id"),
    [("fal", UNKNOWN_JOB), ("fal", "not-a-job"), ("fal", ""), ("nobody", UNKNOWN_JOB), ("", ""), ("día", "🎬")],
)
async def test_a_webhook_without_a_job_is_not_found(
    api: Api, webhooks: FakeWebhooks, provider: str, job_id: str
) -> None:
    refused = await refusal(send(api, job_id, webhooks.webhook("fal-task-1"), provider=provider))
    assert (refused.code, refused.reason, refused.http_status) == ("NOT_FOUND", "JOB_NOT_FOUND", "404")
    assert refused.body == {"error": {"code": "not_found", "message": "Job not found."}}
    assert "retry-after" not in refused.trailers


async def test_a_provider_that_cannot_be_asked_is_told_when_to_send_again(
    api: Api, webhooks: FakeWebhooks, job: Job
) -> None:
    webhooks.verify_faults = [Fault(kind=FaultKind.UNAVAILABLE, detail="keys at https://secret.test")]
    refused = await refusal(send(api, job.job_id, webhooks.webhook("fal-task-1")))
    assert (refused.code, refused.reason, refused.retry_s) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE", 60)
    assert (refused.http_status, refused.trailers["retry-after"]) == ("503", "60")
    assert refused.body == {"error": {"code": "unavailable", "message": "The provider cannot be asked now; try again."}}
    assert "secret" not in repr(refused)


async def test_a_store_that_cannot_answer_is_told_when_to_send_again(
    api: Api, webhooks: FakeWebhooks, trouble: Trouble, job: Job
) -> None:
    trouble.begin_outage()
    refused = await refusal(send(api, job.job_id, webhooks.webhook("fal-task-1")))
    assert (refused.code, refused.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    assert (refused.http_status, refused.trailers["retry-after"]) == ("503", "1")
    assert refused.body == {"error": {"code": "unavailable", "message": "The store is not available; try again."}}


async def test_a_job_that_keeps_changing_is_told_to_send_again(
    api: Api, webhooks: FakeWebhooks, trouble: Trouble, job: Job
) -> None:
    trouble.by_method["append"] = SequenceConflict()
    refused = await refusal(send(api, job.job_id, webhooks.webhook("fal-task-1")))
    assert (refused.code, refused.reason, refused.http_status) == ("ABORTED", "STORE_CONTENDED", "503")
    assert refused.body["error"]["code"] == "unavailable"


async def test_a_bug_says_nothing_of_itself(api: Api, webhooks: FakeWebhooks, trouble: Trouble, job: Job) -> None:
    trouble.by_method["append"] = RuntimeError("secret")
    refused = await refusal(send(api, job.job_id, webhooks.webhook("fal-task-1")))
    assert (refused.code, refused.reason, refused.http_status) == ("INTERNAL", "INTERNAL", "500")
    assert refused.body == {"error": {"code": "internal_error", "message": "Internal error."}}
    assert "secret" not in repr(refused)


async def test_a_message_that_is_none_is_refused_in_the_same_shape(api: Api) -> None:
    call = api.channel.unary_unary("/reelgate.hooks.v1.HooksService/ReceiveWebhook", bytes, bytes)
    refused = await refusal(call(b"\xff"))
    assert (refused.code, refused.http_status) == ("INVALID_ARGUMENT", "400")
    assert refused.body["error"]["code"] == "invalid_request"


@pytest.fixture
async def busy(world: World, ada: Customer, job: Job) -> AsyncIterator[Api]:
    """A server that has as many calls open as it takes."""
    async with serving(world, concurrent_call_count_max=1) as api:
        watch = api.video.WatchJob(WatchJobRequest(job_id=job.job_id), metadata=key(ada))
        assert await watch.read() is not grpc.aio.EOF
        yield api
        watch.cancel()


async def test_a_busy_server_is_told_to_send_again(busy: Api, webhooks: FakeWebhooks, job: Job) -> None:
    refused = await refusal(send(busy, job.job_id, webhooks.webhook("fal-task-1")))
    assert (refused.code, refused.reason, refused.http_status) == ("RESOURCE_EXHAUSTED", "SERVER_BUSY", "503")
    assert refused.trailers["retry-after"] == "1"


async def test_a_job_that_was_submitted_without_an_answer_is_recovered(
    api: Api, world: World, fal: FakeProvider, webhooks: FakeWebhooks, ada: Customer
) -> None:
    fal.submit_faults = [Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)]
    job = await world.create(ada)
    await world.run_due()
    fal.finish("fal-task-1")
    await send(api, job.job_id, webhooks.webhook("fal-task-1"))
    await world.run_due()
    assert (await world.load(job)).state is JobState.SUCCEEDED
    assert await world.ledger(ada) == ["credit", "hold", "post"]
