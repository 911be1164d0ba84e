"""The adapter against the simulator: what it sends, to whom and with which key, and what it makes of the answers."""

import json
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.http import CHUNK_BYTES
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.fal_failures import NO_MEDIA, model_failure
from reelgate_simulators.faults import Fault as SimulatedFault
from reelgate_simulators.faults import Html, Status
from tests.adapters.fal.samples import KEYS, REQUEST_ID, SECRET, make_order, make_provider, make_task, row
from tests.support.builders import job_id
from tests.support.waiting import wait_for_end

VIDEO = bytes(range(256)) * 4096
"""1 MiB: several chunks."""
XML = {"Content-Type": "application/xml"}


@pytest.fixture
async def fal() -> AsyncIterator[FalSimulator]:
    """Renders end only when a test ends them."""
    async with FalSimulator(keys=frozenset(KEYS.values()), render_s=math.inf, video=VIDEO) as simulator:
        yield simulator


@pytest.fixture
async def provider(fal: FalSimulator) -> AsyncIterator[FalProvider]:
    async with make_provider(fal.base_url) as provider:
        yield provider


async def submit(provider: FalProvider, **changes: Any) -> Task:
    return (await provider.submit(make_order(**changes))).task


async def finish(fal: FalSimulator, provider: FalProvider) -> tuple[Task, str]:
    """Render a video; the task and the address of its file."""
    task = await submit(provider)
    fal.finish(task.task_id)
    state = await provider.poll(task)
    assert isinstance(state, TaskDone)
    return task, state.source_url


async def read_all(provider: FalProvider, task: Task, source_url: str) -> bytes:
    content = bytearray()
    async for chunk in provider.open(task, source_url):
        assert 0 < len(chunk) <= CHUNK_BYTES
        content += chunk
    return bytes(content)


async def test_a_submit_carries_the_key_and_the_headers_that_bound_wait_and_file(
    fal: FalSimulator, provider: FalProvider
) -> None:
    await submit(provider)
    [request] = fal.requests_of("submit")
    sent = {name: request.headers.get(name) for name in ("authorization", "content-type", "x-fal-request-timeout")}
    assert sent == {
        "authorization": f"Key {SECRET}",
        "content-type": "application/json",
        "x-fal-request-timeout": "1800",
    }
    assert json.loads(request.headers["x-fal-object-lifecycle-preference"]) == {"expiration_duration_seconds": 604_800}
    assert request.headers["x-app-fal-disable-fallback"] == "true"
    assert not {"x-fal-no-retry", "x-fal-store-io", "x-fal-queue-priority"} & set(request.headers)
    assert request.query == {}


async def test_the_addresses_of_the_answer_are_kept_and_used_as_they_are(fal: FalSimulator) -> None:
    async with make_provider(fal.base_url) as provider:
        given = {
            "request_id": REQUEST_ID,
            "status_url": f"{fal.base_url}/elsewhere/status?a=1",
            "response_url": f"{fal.base_url}/elsewhere",
            "cancel_url": f"{fal.base_url}/elsewhere/cancel",
        }
        fal.faults.queue("submit", Status(200, given))
        task = await submit(provider)
        with pytest.raises(ProviderFault):
            await provider.poll(task)
        assert await provider.cancel(task)
    assert task == Task(
        task_id=REQUEST_ID,
        urls={
            "status": f"{fal.base_url}/elsewhere/status?a=1",
            "response": f"{fal.base_url}/elsewhere",
            "cancel": f"{fal.base_url}/elsewhere/cancel",
        },
        credential="main",
    )
    asked = [(request.method, request.path, request.query) for request in fal.requests[1:]]
    assert asked == [("GET", "/elsewhere/status", {"a": "1"}), ("PUT", "/elsewhere/cancel", {})]


@pytest.mark.parametrize(
    ("endpoint", "app"),
    [
        ("fal-ai/kling-video/v2/master/text-to-video", "fal-ai/kling-video"),
        ("wan/v2.6/text-to-video", "wan/v2.6"),
        ("bytedance/seedance-2.0/fast/text-to-video", "bytedance/seedance-2.0"),
        ("fal-ai/veo3.1", "fal-ai/veo3.1"),
        ("workflows/somebody/something/more", "workflows/somebody/something"),
        ("comfy/somebody/something", "comfy/somebody/something"),
    ],
)
async def test_an_answer_without_addresses_as_documented_with_a_webhook_gets_the_documented_ones(
    fal: FalSimulator, endpoint: str, app: str
) -> None:
    async with make_provider(fal.base_url, webhook_base_url="https://reelgate.example.com/") as provider:
        fal.faults.queue("submit", Status(200, {"request_id": REQUEST_ID, "gateway_request_id": REQUEST_ID}))
        task = await submit(provider, endpoint=endpoint)
    address = f"{fal.base_url}/{app}/requests/{REQUEST_ID}"
    assert task.urls == {"status": f"{address}/status", "response": address, "cancel": f"{address}/cancel"}


@pytest.mark.parametrize(
    "foreign",
    [
        "https://queue.fal.run.example.com/requests/1",
        "https://127.0.0.1:{port}/requests/1",
        "http://127.0.0.1:1/requests/1",
        "http://localhost:{port}/requests/1",
        "http://user@127.0.0.1:{port}/requests/1",
        "http://user:word@127.0.0.1:{port}/requests/1",
        "http://127.0.0.1:{port}\\@example.com/requests/1",
        "http://127.0.0.1:{port} /requests/1",
        "http://127.0.0.1:{port}/requests/1\n",
        "//127.0.0.1:{port}/requests/1",
        "/requests/1",
        "ftp://127.0.0.1:{port}/requests/1",
        "http://[127.0.0.1:{port}/requests/1",
        "http://xn--a:{port}/requests/1",
        "http://127.0.0.1:99999/requests/1",
        "",
        7,
        None,
        ["http://127.0.0.1:{port}/requests/1"],
    ],
)
async def test_an_address_elsewhere_is_not_used_and_the_request_is_not_lost(fal: FalSimulator, foreign: Any) -> None:
    address = foreign.format(port=fal.port) if isinstance(foreign, str) else foreign
    given = {f"{role}_url": address for role in ("status", "response", "cancel")}
    async with make_provider(fal.base_url) as provider:
        fal.faults.queue("submit", Status(200, {"request_id": REQUEST_ID, **given}))
        task = await submit(provider)
    assert task == make_task(fal.base_url)


async def test_a_webhook_names_the_job(fal: FalSimulator) -> None:
    async with make_provider(fal.base_url, webhook_base_url="https://reelgate.example.com/base/") as provider:
        assert provider.announces_tasks
        await submit(provider, number=7)
    [request] = fal.requests_of("submit")
    assert request.query == {"fal_webhook": f"https://reelgate.example.com/base/hooks/fal/{job_id(7)}"}


async def test_without_a_public_address_no_webhook_is_asked_for(fal: FalSimulator, provider: FalProvider) -> None:
    await submit(provider)
    assert not provider.announces_tasks
    assert "fal_webhook" not in fal.requests_of("submit")[0].query


@pytest.mark.parametrize("endpoint", ["", "fal-ai", "fal-ai/", "/veo", "workflows/somebody"])
async def test_what_is_no_endpoint_is_not_sent(fal: FalSimulator, provider: FalProvider, endpoint: str) -> None:
    with pytest.raises(ProviderFault) as raised:
        await submit(provider, endpoint=endpoint)
    assert raised.value.fault == Fault(kind=FaultKind.INVALID, detail=f"not an endpoint of fal: {endpoint!r}")
    assert fal.requests == []


async def test_a_prompt_arrives_to_the_letter(fal: FalSimulator, provider: FalProvider) -> None:
    prompt = 'ein "Fuchs" \\ 狐狸 \U0001f98a\nim Schnee'
    await submit(provider, prompt=prompt)
    assert fal.requests_of("submit")[0].body["prompt"] == prompt


async def test_half_a_surrogate_pair_does_no_harm(fal: FalSimulator, provider: FalProvider) -> None:
    await submit(provider, prompt="a fox \ud83e in the snow")
    assert fal.requests_of("submit")[0].body["prompt"] == "a fox \ud83e in the snow"


async def test_a_task_is_followed_with_the_key_that_made_it(fal: FalSimulator, provider: FalProvider) -> None:
    async with make_provider(fal.base_url, keys={"old": KEYS["old"]}) as before:
        task = await submit(before)
    assert task.credential == "old"
    assert isinstance(await provider.poll(task), TaskRunning)
    fal.finish(task.task_id)
    assert isinstance(await provider.poll(task), TaskDone)
    await provider.cancel(task)
    keys = {request.headers["authorization"] for request in fal.requests}
    assert keys == {"Key key-of-old-0123456789"}


@pytest.mark.parametrize("credential", ["gone", None])
async def test_a_task_whose_key_is_gone_from_the_configuration_is_not_asked_for(
    fal: FalSimulator, provider: FalProvider, credential: str | None
) -> None:
    task = make_task(fal.base_url, credential=credential)
    for ask in (provider.poll, provider.cancel):
        with pytest.raises(ProviderFault) as raised:
            await ask(task)
        assert raised.value.fault == Fault(
            kind=FaultKind.UNAUTHORIZED, detail=f"no key named {credential!r} is configured for provider 'fal'"
        )
    with pytest.raises(ProviderFault):
        await provider.check(credential)
    assert fal.requests == []


async def test_a_task_without_addresses_is_our_mistake(provider: FalProvider) -> None:
    with pytest.raises(ProviderFault) as raised:
        await provider.poll(Task(task_id=REQUEST_ID, credential="main"))
    assert raised.value.fault.kind is FaultKind.INVALID


async def test_a_request_waits_runs_and_ends(fal: FalSimulator) -> None:
    fal.queue_s = math.inf
    async with make_provider(fal.base_url) as provider:
        task = await submit(provider)
        assert await provider.poll(task) == TaskRunning()
        fal.start(task.task_id)
        assert await provider.poll(task) == TaskRunning()
        fal.finish(task.task_id)
        end = await provider.poll(task)
    assert end == TaskDone(source_url=f"{fal.base_url}/files/{task.task_id}/output.mp4")
    assert [request.operation for request in fal.requests] == ["submit", "status", "status", "status", "result"]


@pytest.mark.parametrize("facts", ["present", "null", "absent"])
async def test_a_result_may_say_nothing_of_its_file(fal: FalSimulator, provider: FalProvider, facts: Any) -> None:
    fal.file_facts = facts
    task, source_url = await finish(fal, provider)
    assert await read_all(provider, task, source_url) == VIDEO


async def test_a_file_is_read_without_the_key(fal: FalSimulator, provider: FalProvider) -> None:
    task, source_url = await finish(fal, provider)
    assert await read_all(provider, task, source_url) == VIDEO
    [download] = fal.requests_of("download")
    assert "authorization" not in download.headers
    assert SECRET not in str(download.headers)


async def test_a_file_at_an_address_with_a_right_in_it_is_asked_for_anew_each_time(
    fal: FalSimulator, provider: FalProvider
) -> None:
    task, public_url = await finish(fal, provider)
    signed = Status(200, {"video": {"url": f"{public_url}?X-Amz-Signature=5e1f"}})
    fal.faults.queue("result", signed, signed)
    end = await provider.poll(task)
    assert end == TaskDone(source_url=task.urls["response"])
    assert await read_all(provider, task, end.source_url) == VIDEO
    [download] = fal.requests_of("download")
    assert download.query == {"X-Amz-Signature": "5e1f"}
    assert "authorization" not in download.headers


async def test_a_reference_whose_result_is_gone_cannot_be_opened(fal: FalSimulator, provider: FalProvider) -> None:
    task, _ = await finish(fal, provider)
    fal.expire_result(task.task_id)
    with pytest.raises(ProviderFault):
        await read_all(provider, task, task.urls["response"])


async def test_a_file_that_has_been_deleted_cannot_be_opened(fal: FalSimulator, provider: FalProvider) -> None:
    task, source_url = await finish(fal, provider)
    fal.expire_file(task.task_id)
    with pytest.raises(ProviderFault) as raised:
        await read_all(provider, task, source_url)
    assert raised.value.fault.detail == "the download was answered with HTTP 404"


@pytest.mark.parametrize("page", [Html(200), Status(200, {"detail": "later"}), Status(200, "<Error/>", XML)])
async def test_a_text_in_place_of_the_file_is_not_taken_for_a_video(
    fal: FalSimulator, provider: FalProvider, page: SimulatedFault
) -> None:
    task, source_url = await finish(fal, provider)
    fal.faults.queue("download", page)
    with pytest.raises(ProviderFault) as raised:
        await read_all(provider, task, source_url)
    assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE
    assert await read_all(provider, task, source_url) == VIDEO


async def test_a_result_that_has_expired_is_unknown_however_often_it_is_asked_for(
    fal: FalSimulator, provider: FalProvider
) -> None:
    task, _ = await finish(fal, provider)
    fal.expire_result(task.task_id)
    for _ in range(3):
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(task)
        assert raised.value.fault == Fault(kind=FaultKind.TASK_UNKNOWN, detail="HTTP 404: no result: Not found")


@pytest.mark.parametrize("prompt", ["[reject] fox", "[filter] fox", "[fail] fox"])
async def test_completed_is_not_success(prompt: str) -> None:
    async with FalSimulator(render_s=0) as fal, make_provider(fal.base_url) as provider:
        fal.refuses_at = "result"
        end = await wait_for_end(provider, await submit(provider, prompt=prompt))
    assert isinstance(end, TaskFailed)


async def test_an_error_that_only_the_status_tells_in_words_ends_the_task(
    fal: FalSimulator, provider: FalProvider
) -> None:
    task, _ = await finish(fal, provider)
    fal.faults.queue("status", Status(200, {"status": "COMPLETED", "error": "Invalid status code: 500"}))
    fal.faults.queue("result", Status(500, "Internal Server Error"))
    end = await provider.poll(task)
    assert isinstance(end, TaskFailed)
    assert end.failure.fault == Fault(kind=FaultKind.UNAVAILABLE, detail="HTTP 500: Invalid status code: 500")


async def test_what_the_result_tells_of_an_error_is_more_than_what_the_status_does(
    fal: FalSimulator, provider: FalProvider
) -> None:
    task, _ = await finish(fal, provider)
    fal.faults.queue("status", Status(200, {"status": "COMPLETED", "error": "Invalid", "error_type": "new_type"}))
    fal.faults.queue("result", Status(422, {"detail": [row("content_policy_violation")]}))
    end = await provider.poll(task)
    assert isinstance(end, TaskFailed)
    assert end.failure.fault is not None
    assert end.failure.fault.kind is FaultKind.REJECTED


async def test_a_video_is_a_video_whatever_the_status_says(fal: FalSimulator, provider: FalProvider) -> None:
    task, source_url = await finish(fal, provider)
    fal.faults.queue("status", Status(200, {"status": "COMPLETED", "error": 7, "error_type": ["x"]}))
    assert await provider.poll(task) == TaskDone(source_url=source_url)


async def test_a_status_may_name_an_error_of_a_model(fal: FalSimulator, provider: FalProvider) -> None:
    task, _ = await finish(fal, provider)
    body = {"status": "COMPLETED", "error": "See https://x.test/y", "error_type": "content_policy_violation"}
    fal.faults.queue("status", Status(200, body))
    fal.faults.queue("result", Status(502, "<html>"))
    end = await provider.poll(task)
    assert isinstance(end, TaskFailed)
    assert end.failure.fault == Fault(
        kind=FaultKind.REJECTED, detail="HTTP 502: content_policy_violation: See [address]"
    )


async def test_a_failed_task_stays_failed(fal: FalSimulator, provider: FalProvider) -> None:
    task = await submit(provider)
    fal.fail(task.task_id, NO_MEDIA)
    assert await provider.poll(task) == await provider.poll(task)


async def test_a_long_error_is_cut(fal: FalSimulator, provider: FalProvider) -> None:
    task = await submit(provider)
    fal.fail(task.task_id, model_failure("image_load_error", "x" * 20_000))
    end = await provider.poll(task)
    assert isinstance(end, TaskFailed)
    assert end.failure.fault is not None
    assert len(end.failure.fault.detail) == 500


async def test_a_cancel_is_told_whatever_has_become_of_the_request(fal: FalSimulator) -> None:
    fal.queue_s = math.inf
    async with make_provider(fal.base_url) as provider:
        waiting, running, ended = [await submit(provider) for _ in range(3)]
        fal.start(running.task_id)
        fal.finish(ended.task_id)
        told = [await provider.cancel(task) for task in (waiting, running, ended, make_task(fal.base_url))]
        ends = [await provider.poll(task) for task in (waiting, running, ended)]
    assert told == [True, True, True, True]
    assert [type(end) for end in ends] == [TaskFailed, TaskFailed, TaskDone]
    assert {(request.method, request.content) for request in fal.requests_of("cancel")} == {("PUT", b"")}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(500, {"detail": "It broke"}), FaultKind.UNAVAILABLE),
        (Status(401, {"detail": "No such key"}), FaultKind.UNAUTHORIZED),
        (Status(429, {"detail": "Slow down"}), FaultKind.THROTTLED),
        (Status(200, "<html>"), FaultKind.UNINTELLIGIBLE),
        (Status(404, "<html>"), FaultKind.UNINTELLIGIBLE),
    ],
)
async def test_a_cancel_that_did_not_arrive_is_a_fault(
    fal: FalSimulator, provider: FalProvider, answer: Status, kind: FaultKind
) -> None:
    task = await submit(provider)
    fal.faults.queue("cancel", answer)
    with pytest.raises(ProviderFault) as raised:
        await provider.cancel(task)
    assert raised.value.fault.kind is kind


async def test_a_cancel_may_be_answered_with_nothing(fal: FalSimulator, provider: FalProvider) -> None:
    task = await submit(provider)
    fal.faults.queue("cancel", Status(202))
    assert await provider.cancel(task)


async def test_a_check_asks_for_what_cannot_exist(fal: FalSimulator, provider: FalProvider) -> None:
    await provider.check("main")
    await provider.check("old")
    asked = [(request.operation, request.path) for request in fal.requests]
    assert asked == [("status", "/fal-ai/veo3.1/requests/00000000-0000-0000-0000-000000000000/status")] * 2


async def test_a_check_of_a_key_that_fal_refuses_says_so(fal: FalSimulator) -> None:
    async with make_provider(fal.base_url, keys={"main": "key-that-was-revoked"}) as provider:
        with pytest.raises(ProviderFault) as raised:
            await provider.check("main")
    assert raised.value.fault.kind is FaultKind.UNAUTHORIZED


async def test_a_check_that_somebody_else_answers_proves_nothing(fal: FalSimulator, provider: FalProvider) -> None:
    fal.faults.queue("status", Status(404, "<html>Not found</html>"), Status(200, "<html>Welcome</html>"))
    for _ in range(2):
        with pytest.raises(ProviderFault):
            await provider.check("main")


@pytest.mark.parametrize(
    ("keys", "message"), [({}, "provider 'fal' needs an API key"), ({"good": "k", "main": "a b"}, "the key 'main' of")]
)
def test_keys_that_cannot_be_keys_are_refused(keys: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FalProvider(keys=keys)


async def test_the_defaults_are_fals_own() -> None:
    async with FalProvider(keys={"main": "k"}) as provider:
        assert (provider.name, provider.is_idempotent, provider.credentials) == ("fal", False, ("main",))
        assert SECRET not in repr(provider)
