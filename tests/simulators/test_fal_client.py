"""The fal simulator before its judge: fal's own client, fal-client 1.0.3."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import fal_client
import httpx
import pytest
from fal_client import client as fal_client_module

from reelgate_simulators.fal import EXHAUSTED, FalSimulator
from reelgate_simulators.fal_failures import infrastructure_failure
from reelgate_simulators.faults import CutBody, Html, Reset, RetryAfter, Status, accepted_but_lost
from reelgate_simulators.video import tiny_mp4
from tests.simulators.receiver import Receiver

KLING = "fal-ai/kling-video/v2/master/text-to-video"
INPUT = {"prompt": "a red fox in the snow", "duration": "5", "aspect_ratio": "16:9"}


@pytest.fixture
def fal() -> FalSimulator:
    return FalSimulator(keys=frozenset({"id:secret"}))


@asynccontextmanager
async def client_of(
    fal: FalSimulator, monkeypatch: pytest.MonkeyPatch, key: str = "id:secret"
) -> AsyncIterator[fal_client.AsyncClient]:
    """Run the simulator, point the client at it, and close its connections in the end."""
    async with fal:
        monkeypatch.setattr(fal_client_module, "QUEUE_URL_FORMAT", f"{fal.base_url}/")
        client = fal_client.AsyncClient(key=key)
        try:
            yield client
        finally:
            await (await client._client).aclose()


async def test_from_submit_to_download(fal: FalSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT, priority="low", start_timeout=30)
        assert handle.status_url == f"{fal.base_url}/fal-ai/kling-video/requests/{handle.request_id}/status"
        result = await handle.get(interval=0.01)
        async with httpx.AsyncClient() as cdn:
            video = (await cdn.get(result["video"]["url"])).content
    assert video == tiny_mp4(5)
    assert result["video"]["content_type"] == "video/mp4"
    assert result["video"]["file_size"] == len(video)
    [submit] = fal.requests_of("submit")
    assert (submit.path, submit.body) == (f"/{KLING}", INPUT)
    assert submit.headers["authorization"] == "Key id:secret"
    assert submit.headers["x-fal-queue-priority"] == "low"
    assert submit.headers["x-fal-request-timeout"] == "30.0"


async def test_a_webhook_is_named_and_told(fal: FalSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver, client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT, webhook_url=receiver.url())
        [notice] = await receiver.wait_for(1)
        assert await handle.get() == notice.body["payload"]
    assert (notice.path, notice.query) == ("/hook/job-1", {"token": "a", "b": "c d"})
    assert (notice.body["request_id"], notice.body["status"]) == (handle.request_id, "OK")


async def test_every_status_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    fal = FalSimulator(queue_s=math.inf, render_s=math.inf)
    async with client_of(fal, monkeypatch) as client:
        first, second = await client.submit(KLING, INPUT), await client.submit(KLING, INPUT)
        assert await first.status() == fal_client.Queued(position=0)
        assert await second.status() == fal_client.Queued(position=1)
        fal.start(first.request_id)
        assert await first.status() == fal_client.InProgress(logs=None)
        running = await first.status(with_logs=True)
        assert isinstance(running, fal_client.InProgress)
        assert running.logs is not None
        assert running.logs[0]["level"] == "INFO"
        fal.finish(first.request_id)
        completed = await first.status()
        assert isinstance(completed, fal_client.Completed)
        assert (completed.logs, completed.error) == (None, None)
        assert completed.metrics["inference_time"] >= 0
        assert await second.status() == fal_client.Queued(position=0)


async def test_completed_is_not_success(fal: FalSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT | {"prompt": "[fail]"})
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await handle.get(interval=0.01)
        completed = await handle.status()
    assert (caught.value.status_code, caught.value.error_type) == (503, "runner_disconnected")
    assert caught.value.response_headers["x-fal-error-type"] == "runner_disconnected"
    assert isinstance(completed, fal_client.Completed)
    assert completed.error == "Runner disconnected unexpectedly"
    assert completed.error_type == "runner_disconnected"


async def test_a_filtered_result_is_an_error_of_the_model(fal: FalSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT | {"prompt": "[filter]"})
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await handle.get(interval=0.01)
        completed = await handle.status()
    assert caught.value.status_code == 422
    assert caught.value.response.json()["detail"][0]["type"] == "no_media_generated"
    assert caught.value.response_headers["x-fal-retryable"] == "false"
    assert isinstance(completed, fal_client.Completed)
    assert completed.error is None


@pytest.mark.parametrize(
    ("change", "loc", "kind"),
    [
        ({"duration": "7"}, ["body", "duration"], "one_of"),
        ({"duration": 5}, ["body", "duration"], "string_type"),
        ({"prompt": "[reject] this"}, ["body", "prompt"], "content_policy_violation"),
    ],
)
async def test_a_bad_input_is_refused_with_its_place_and_type(
    fal: FalSimulator, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], loc: list[str], kind: str
) -> None:
    async with client_of(fal, monkeypatch) as client:
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await client.submit(KLING, INPUT | change)
    [problem] = caught.value.response.json()["detail"]
    assert caught.value.status_code == 422
    assert (problem["loc"], problem["type"]) == (loc, kind)
    assert problem["url"] == f"https://docs.fal.ai/errors#{kind}"
    assert fal.renders == {}


async def test_a_refusal_may_come_with_the_result(fal: FalSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    fal.refuses_at = "result"
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT | {"duration": "7"})
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await handle.get(interval=0.01)
    assert caught.value.response.json()["detail"][0]["type"] == "one_of"


async def test_a_wrong_key_is_refused(fal: FalSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(fal, monkeypatch, key="other") as client:
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await client.submit(KLING, INPUT)
    assert caught.value.status_code == 401


async def test_a_locked_account_may_still_look(fal: FalSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT)
        fal.locked_reason = EXHAUSTED
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await client.submit(KLING, INPUT)
        assert (await handle.get(interval=0.01))["video"]["url"]
    assert caught.value.status_code == 403
    assert caught.value.message == (
        "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
    )


async def test_a_queued_request_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    fal = FalSimulator(queue_s=math.inf)
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT)
        await client.cancel(KLING, handle.request_id)
        completed = await handle.status()
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await handle.get()
    assert isinstance(completed, fal_client.Completed)
    assert completed.error_type == "client_cancelled"
    assert (caught.value.status_code, caught.value.error_type) == (499, "client_cancelled")


async def test_the_client_repeats_a_submit_whose_answer_was_lost(
    fal: FalSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fal.faults.queue("submit", accepted_but_lost())
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT)
    assert len(fal.requests_of("submit")) == 2
    assert list(fal.renders)[1] == handle.request_id


@pytest.mark.parametrize("fault", [Reset(), Html(502), RetryAfter(1), Status(408), CutBody(10)])
async def test_the_client_tries_again_after_a_fault(
    fal: FalSimulator, monkeypatch: pytest.MonkeyPatch, fault: Reset | Html | RetryAfter | Status | CutBody
) -> None:
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT)
        fal.faults.queue("result", fault)
        assert (await handle.get(interval=0.01))["video"]["url"]
    assert len(fal.requests_of("result")) == 2


async def test_a_user_timeout_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fal = FalSimulator(queue_s=math.inf)
    async with client_of(fal, monkeypatch) as client:
        handle = await client.submit(KLING, INPUT, start_timeout=1.01)
        fal.fail(
            handle.request_id,
            infrastructure_failure("request_timeout", "Request timed out", {"X-Fal-Request-Timeout-Type": "user"}),
        )
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            await handle.get(interval=0.01)
    assert (caught.value.status_code, caught.value.error_type) == (504, "request_timeout")
    assert len(fal.requests_of("result")) == 1


def test_the_blocking_client_is_content_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with FalSimulator().in_thread() as fal:
        monkeypatch.setattr(fal_client_module, "QUEUE_URL_FORMAT", f"{fal.base_url}/")
        client = fal_client.SyncClient(key="any")
        updates: list[fal_client.Status] = []
        result = client.subscribe(
            "workflows/somebody/something", {"prompt": "x"}, on_queue_update=updates.append, with_logs=True
        )
        client._client.close()
    assert result["video"]["file_name"] == "output.mp4"
    assert isinstance(updates[-1], fal_client.Completed)
    [submit] = fal.requests_of("submit")
    assert submit.path == "/workflows/somebody/something"
    assert fal.requests_of("result")[0].path.startswith("/workflows/somebody/something/requests/")
