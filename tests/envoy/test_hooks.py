"""Webhooks from a socket to the store, through a real Envoy and server; nothing that a stranger sends is a 500."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.webhooks import Webhook
from tests.envoy.conftest import Gateway, run_envoy
from tests.support.fake_provider import FakeProvider
from tests.support.fake_webhooks import FakeWebhooks
from tests.support.rpc import serving
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY_BYTES_MAX = 1_048_576
REJECTED = {
    "error": {"code": "webhook_rejected", "message": "The webhook is not signed by its provider, or not lately."}
}
NOT_FOUND = {"error": {"code": "not_found", "message": "Job not found."}}
NO_PATH = {"error": {"code": "not_found", "message": "There is no such path or method."}}
TOO_LARGE = {"error": {"code": "invalid_request", "message": "The body is larger than 1 MiB."}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A server whose provider sends webhooks, behind Envoy."""

    world: World
    fal: FakeProvider
    webhooks: FakeWebhooks
    client: httpx.AsyncClient
    gateway: Gateway

    async def job(self) -> Job:
        """A job that fal is rendering."""
        job = await self.world.create(await self.world.join())
        await self.world.run_due()
        return await self.world.load(job)

    async def send(self, job_id: str, webhook: Webhook) -> httpx.Response:
        """Send a webhook as fal does."""
        return await self.client.post(f"/hooks/fal/{job_id}", content=webhook.body, headers=dict(webhook.headers))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    fal = FakeProvider("fal", is_held=True, first_poll_after=None, announces_tasks=True)
    webhooks = FakeWebhooks(fal)
    world = World(providers=[fal], receivers={fal.name: webhooks})
    with capture_logs():
        async with (
            serving(world) as api,
            run_envoy(tmp_path_factory.mktemp("hooks"), api.port) as gateway,
            httpx.AsyncClient(base_url=gateway.base_url, trust_env=False, timeout=15) as client,
        ):
            yield Product(world=world, fal=fal, webhooks=webhooks, client=client, gateway=gateway)


async def test_a_webhook_makes_its_job_due(product: Product) -> None:
    job = await product.job()
    assert job.task is not None
    product.fal.finish(job.task.task_id)
    response = await product.send(job.job_id, product.webhooks.webhook(job.task.task_id))
    assert (response.status_code, response.json()) == (200, {})
    await product.world.run_due()
    assert (await product.world.load(job)).state is JobState.SUCCEEDED


async def test_a_lost_submit_is_recovered(product: Product) -> None:
    product.fal.submit_faults = [Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)]
    job = await product.job()
    assert (job.state, job.task) == (JobState.PENDING, None)
    task_id = list(product.fal.tasks)[-1]
    product.fal.finish(task_id)
    product.webhooks.find_faults = [Fault(kind=FaultKind.UNAVAILABLE)]
    response = await product.send(job.job_id, product.webhooks.webhook(task_id))
    assert (response.status_code, response.headers["retry-after"]) == (503, "60")
    assert response.json()["error"]["code"] == "unavailable"
    assert (await product.send(job.job_id, product.webhooks.webhook(task_id))).status_code == 200
    await product.world.run_due()
    assert (await product.world.load(job)).state is JobState.SUCCEEDED


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(
    ("size", "status", "body"), [(BODY_BYTES_MAX, 401, REJECTED), (BODY_BYTES_MAX + 1, 413, TOO_LARGE)]
)
async def test_a_body_of_a_mebibyte_is_the_largest(
    *, product: Product, framing: str, size: int, status: int, body: Any
) -> None:
    product.webhooks.received.clear()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * (size - 1)
        yield b"x"

    content = b"x" * size if framing == "length" else chunks()
    response = await product.client.post("/hooks/fal/01940000-0000-7000-8000-00000000ffff", content=content)
    assert (response.status_code, response.json()) == (status, body)
    assert [len(each.body) for each in product.webhooks.received] == ([size] if status == 401 else [])


async def raw(product: Product, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are. Return the status and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", product.gateway.port)
    writer.write(request)
    head, body = (await reader.read()).split(b"\r\n\r\n", 1)
    writer.close()
    await writer.wait_closed()
    return int(head.split(b" ")[1]), body


def post(target: bytes, headers: bytes = b"", body: bytes = b"{}") -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return b"POST " + target + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + length + headers + b"\r\n" + body


JOB = b"01940000-0000-7000-8000-00000000ffff"


@pytest.mark.parametrize(
    ("request_bytes", "status", "expected"),
    [
        (post(b"/hooks/fal/" + JOB), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, body=b""), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, body=b"\xff\x00{"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, body=b"[" * 200_000), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, body=gzip.compress(b"{}"), headers=b"content-encoding: gzip\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"content-type: multipart/form-data\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"x-fake-age: \xff\xf1\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"x-fake-age: a\r\nx-fake-age: b\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"x-fake-bin: not base64!\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"x-fake-age: " + b"9" * 20_000 + b"\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"grpc-timeout: soon\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"grpc-timeout: 1n\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"grpc-encoding: gzip\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB, headers=b"x-http-status: 200\r\nx-error-body: {}\r\n"), 401, REJECTED),
        (post(b"/hooks/fal/" + JOB.upper()), 404, NOT_FOUND),
        (post(b"/hooks/fal/a%2Fb"), 404, NOT_FOUND),
        (post(b"/hooks/fal/%C3%B1"), 404, NOT_FOUND),
        (post(b"/hooks/f%20l/%"), 404, NOT_FOUND),
        (post(b"/hooks/fal/" + b"a" * 20_000), 404, NOT_FOUND),
        (post(b"/hooks/nobody/" + JOB), 404, NOT_FOUND),
        (post(b"/hooks/fal"), 404, NO_PATH),
        (post(b"/hooks/fal/"), 404, NO_PATH),
        (post(b"/hooks//"), 404, NO_PATH),
        (post(b"/hooks"), 404, NO_PATH),
        (post(b"/hooks/fal/" + JOB + b"/more"), 404, NO_PATH),
        (post(b"//hooks/fal/" + JOB), 404, None),
    ],
)
async def test_nothing_that_a_stranger_sends_is_more_than_refused(
    product: Product, request_bytes: bytes, status: int, expected: Any
) -> None:
    answered, body = await raw(product, request_bytes)
    assert answered == status, body
    if expected is not None:
        assert json.loads(body) == expected


@pytest.mark.parametrize("target", [b"/hooks/fal/%ff", b"/hooks/%C3%28/" + JOB])
async def test_an_address_that_is_no_text_is_refused_by_the_server(product: Product, target: bytes) -> None:
    status, body = await raw(product, post(target))
    assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_request")


async def test_an_address_with_a_nul_is_refused_before_its_surface_is_known(product: Product) -> None:
    status, body = await raw(product, post(b"/hooks/fal/%00"))
    assert (status, json.loads(body)["message"]) == (400, "The request was refused.")


@pytest.mark.parametrize(
    "query", ["provider=vertex", "job_id=a", "body.data=e30", "body.content_type=a", "signature=a"]
)
async def test_a_query_cannot_stand_for_what_was_signed(product: Product, query: str) -> None:
    product.webhooks.received.clear()
    response = await product.client.post(f"/hooks/fal/{JOB.decode()}?{query}", content=b"as it came")
    assert response.status_code in {400, 401, 404}
    assert [each.body for each in product.webhooks.received] in ([], [b"as it came"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_only_post_is_taken(product: Product, method: str) -> None:
    response = await product.client.request(method, f"/hooks/fal/{JOB.decode()}")
    assert response.status_code == 404
    assert method == "HEAD" or response.json() == NO_PATH


async def test_a_grpc_call_of_such_a_path_is_unimplemented(product: Product) -> None:
    response = await product.client.post("/hooks/fal/a", headers={"content-type": "application/grpc"})
    assert (response.status_code, response.headers["grpc-status"]) == (200, "12")
