"""The adapter over real HTTP, in every accent."""

from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.domain.events import FailureCode, Task
from reelgate_server.domain.faults import FaultKind
from reelgate_server.ports.provider import ImageUrl, TaskAccepted, TaskDone, TaskFailed, TaskRunning
from reelgate_simulators.faults import RetryAfter, Status
from reelgate_simulators.openai import API_KEY
from reelgate_simulators.recording import Upload
from reelgate_simulators.video import tiny_mp4
from tests.adapters.openai.bench import DIALECTS, bench, fault_of, provider_at, read_all
from tests.adapters.openai.samples import ADDRESS, IMAGE, PNG, PROMPT, make_order

UPLOAD = Upload(filename="first-frame.png", content_type="image/png", content=PNG)
TEXTS = {"model": "sora-2", "prompt": PROMPT, "seconds": "4", "size": "1280x720"}
NUMBERS = {"model": "sora-2", "prompt": PROMPT, "seconds": 4, "size": "1280x720"}


@pytest.mark.parametrize("accent", DIALECTS)
async def test_an_order_becomes_a_video_in_every_accent(accent: str) -> None:
    async with bench(accent) as made:
        task = (await made.provider.submit(make_order(model="sora-2"))).task
        state = await made.provider.poll(task)
        assert isinstance(state, TaskDone)
        assert await read_all(made.provider, task, state.source_url) == tiny_mp4(4)
        assert {request.headers["authorization"] for request in made.simulator.requests} == {f"Bearer {API_KEY}"}


@pytest.mark.parametrize(
    ("accent", "content_type", "body"),
    [
        ("openai", "multipart/form-data", TEXTS),
        ("sglang", "application/json", NUMBERS),
        ("sglang_older", "application/json", NUMBERS),
        ("vllm_omni", "multipart/form-data", {**TEXTS, "generate_sound": "false"}),
        ("litellm", "application/json", TEXTS),
    ],
)
async def test_what_a_text_reaches_each_accent_as(accent: str, content_type: str, body: dict[str, Any]) -> None:
    async with bench(accent) as made:
        await made.provider.submit(make_order(model="sora-2"))
        assert made.body() == body
        (request,) = made.simulator.requests
        assert (request.method, request.raw_path, dict(request.query)) == ("POST", "/v1/videos", {})
        assert request.headers["content-type"].partition(";")[0] == content_type


@pytest.mark.parametrize(
    ("accent", "body"),
    [
        ("openai", {**TEXTS, "input_reference": UPLOAD}),
        ("sglang", {**TEXTS, "input_reference": UPLOAD}),
        ("sglang_older", {**TEXTS, "input_reference": UPLOAD}),
        ("vllm_omni", {**TEXTS, "generate_sound": "false", "input_reference": UPLOAD}),
        ("litellm", {**TEXTS, "input_reference": UPLOAD}),
    ],
)
async def test_an_image_reaches_each_accent_as_a_file(accent: str, body: dict[str, Any]) -> None:
    async with bench(accent) as made:
        assert made.provider.takes_image_bytes
        await made.provider.submit(make_order(model="sora-2", image=IMAGE))
        assert made.body() == body


@pytest.mark.parametrize(
    ("accent", "body"),
    [
        ("openai", {**TEXTS, "input_reference": {"image_url": ADDRESS.url}}),
        ("sglang", {**NUMBERS, "reference_url": ADDRESS.url}),
        (
            "vllm_omni",
            {
                **TEXTS,
                "generate_sound": "false",
                "image_reference": '{"image_url": "https://pictures.example/fox.png"}',
            },
        ),
    ],
)
async def test_an_address_reaches_a_server_that_is_trusted_with_it(accent: str, body: dict[str, Any]) -> None:
    async with bench(accent, passes_image_urls=True) as made:
        assert not made.provider.takes_image_bytes
        await made.provider.submit(make_order(model="sora-2", image=ADDRESS))
        assert made.body() == body


async def test_a_server_that_is_trusted_with_addresses_still_gets_bytes_as_a_file() -> None:
    async with bench("vllm_omni", passes_image_urls=True) as made:
        await made.provider.submit(make_order(image=IMAGE))
        assert made.body()["input_reference"] == UPLOAD


async def test_an_address_that_is_not_to_be_passed_on_is_our_mistake_and_nothing_is_sent() -> None:
    async with bench() as made:
        fault = await fault_of(made.provider.submit(make_order(image=ADDRESS)))
        assert made.simulator.requests == []
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert fault.detail == "not sent: the first frame came as an address"


async def test_a_refusal_that_repeats_the_address_of_the_image_is_kept_without_it() -> None:
    url = "https://pictures.example/private/0123456789.png"
    async with bench("sglang", passes_image_urls=True) as made:
        made.simulator.faults.queue("create", Status(400, {"detail": f"Failed to download image {url}"}))
        fault = await fault_of(made.provider.submit(make_order(image=ImageUrl(url))))
    assert (fault.kind, fault.detail) == (FaultKind.IMAGE_UNUSABLE, "HTTP 400: Failed to download image [secret]")


async def test_extra_parameters_reach_a_form_and_an_object() -> None:
    extra = {"seed": 7, "guidance_scale": 5.5, "negative_prompt": "blur"}
    async with bench("sglang") as made:
        await made.provider.submit(make_order(model="sora-2", extra=extra))
        assert made.body() == {**NUMBERS, "seed": 7, "guidance_scale": 5.5, "negative_prompt": "blur"}
    async with bench("vllm_omni") as made:
        await made.provider.submit(make_order(model="sora-2", extra=extra))
        expected = {"generate_sound": "false", "seed": "7", "guidance_scale": "5.5", "negative_prompt": "blur"}
        assert made.body() == {**TEXTS, **expected}


async def test_a_parameter_that_is_refused_is_not_sent() -> None:
    async with bench() as made:
        fault = await fault_of(made.provider.submit(make_order(extra={"video_path": "/etc/passwd"})))
        assert made.simulator.requests == []
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert fault.detail == "not sent: the parameter 'video_path' is not for customers to set"


async def test_a_server_without_keys_is_sent_none() -> None:
    async with bench(keys={}) as made:
        accepted = await made.provider.submit(make_order())
        state = await made.provider.poll(accepted.task)
        assert isinstance(state, TaskDone)
        await read_all(made.provider, accepted.task, state.source_url)
        await made.provider.check(None)
        assert all("authorization" not in request.headers for request in made.simulator.requests)
        assert len(made.simulator.requests) == 4
    assert accepted.task.credential is None
    assert made.provider.credentials == ()


async def test_a_task_remembers_its_server_and_the_name_of_its_key() -> None:
    async with bench() as made:
        accepted = await made.provider.submit(make_order())
        (video_id,) = made.simulator.renders
        assert accepted == TaskAccepted(
            task=Task(task_id=video_id, urls={"base": f"{made.simulator.base_url}/v1"}, credential="main")
        )
        assert API_KEY not in repr(made.provider)
        assert API_KEY not in repr(accepted)


async def test_the_first_key_makes_tasks_and_each_is_followed_with_its_own() -> None:
    async with bench(keys={"main": API_KEY, "old": "old-key"}) as made:
        assert made.provider.credentials == ("main", "old")
        task = (await made.provider.submit(make_order())).task
        earlier = Task(task_id=task.task_id, urls=task.urls, credential="old")
        assert isinstance(await made.provider.poll(task), TaskDone)
        assert (await fault_of(made.provider.poll(earlier))).kind is FaultKind.UNAUTHORIZED
        assert (await fault_of(read_all(made.provider, earlier, _content(earlier)))).kind is FaultKind.UNAUTHORIZED
        sent = [request.headers["authorization"] for request in made.simulator.requests]
        assert sent == [f"Bearer {API_KEY}", f"Bearer {API_KEY}", "Bearer old-key", "Bearer old-key"]


async def test_a_key_that_was_taken_out_is_named_and_nothing_is_sent() -> None:
    async with bench("vllm_omni") as made:
        task = Task(task_id="video_gen_1", urls={"base": f"{made.simulator.base_url}/v1"}, credential="gone")
        calls = [
            made.provider.poll(task),
            made.provider.cancel(task),
            made.provider.check("gone"),
            read_all(made.provider, task, _content(task)),
        ]
        for call in calls:
            fault = await fault_of(call)
            assert (fault.kind, fault.detail) == (
                FaultKind.UNAUTHORIZED,
                "no key named 'gone' is configured for provider 'studio'",
            )
        assert made.simulator.requests == []


async def test_a_task_is_followed_at_the_server_that_made_it() -> None:
    async with bench() as first, bench() as second:
        task = (await first.provider.submit(make_order())).task
        state = await second.provider.poll(task)
        assert isinstance(state, TaskDone)
        assert await read_all(second.provider, task, state.source_url) == tiny_mp4(4)
        assert second.simulator.requests == []


@pytest.mark.parametrize("accent", ["litellm", "litellm_gemini"])
async def test_ids_reach_the_server_as_one_part_of_the_path(accent: str) -> None:
    async with bench(accent) as made:
        task = (await made.provider.submit(make_order())).task
        assert set("/+=") <= set(task.task_id)
        assert isinstance(await made.provider.poll(task), TaskDone)
        (request,) = made.simulator.requests_of("get")
        assert request.raw_path.count("/") == 3
        assert not set("+=") & set(request.raw_path)


@pytest.mark.parametrize(
    ("milliseconds", "pause"),
    [
        (None, None),
        (5, timedelta(milliseconds=100)),
        (250, timedelta(milliseconds=250)),
        (3_600_000, timedelta(minutes=1)),
    ],
)
async def test_the_servers_wish_for_the_next_look_is_passed_on(
    milliseconds: int | None, pause: timedelta | None
) -> None:
    async with bench("openai", render_s=60, service={"poll_after_ms": milliseconds}) as made:
        accepted = await made.provider.submit(make_order(model="sora-2"))
        assert accepted.poll_after == pause
        assert await made.provider.poll(accepted.task) == TaskRunning(progress_percent=0, poll_after=pause)


@pytest.mark.parametrize(
    ("accent", "progress"),
    [("openai", 0), ("sglang", 0), ("vllm_omni", 0), ("litellm", None), ("litellm_vertex_ai", None)],
)
async def test_a_render_under_way_is_running_in_every_accent(accent: str, progress: int | None) -> None:
    async with bench(accent, render_s=3600) as made:
        task = (await made.provider.submit(make_order(model="sora-2"))).task
        assert await made.provider.poll(task) == TaskRunning(progress_percent=progress)


@pytest.mark.parametrize(
    ("accent", "prompt", "kind", "code"),
    [
        ("openai", "[reject]", FaultKind.REJECTED, FailureCode.REJECTED),
        ("openai", "[filter]", FaultKind.REJECTED, FailureCode.REJECTED),
        ("openai", "[fail]", FaultKind.UNAVAILABLE, FailureCode.PROVIDER_ERROR),
        ("sglang", "[reject]", FaultKind.REJECTED, FailureCode.REJECTED),
        ("sglang", "[fail]", FaultKind.UNAVAILABLE, FailureCode.PROVIDER_ERROR),
        ("vllm_omni", "[reject]", FaultKind.REJECTED, FailureCode.REJECTED),
        ("vllm_omni", "[filter]", FaultKind.REJECTED, FailureCode.REJECTED),
        ("vllm_omni", "[fail]", FaultKind.UNAVAILABLE, FailureCode.PROVIDER_ERROR),
        ("litellm", "[reject]", FaultKind.REJECTED, FailureCode.REJECTED),
        ("litellm", "[fail]", FaultKind.UNAVAILABLE, FailureCode.PROVIDER_ERROR),
        ("litellm_vertex_ai", "[fail]", FaultKind.UNAVAILABLE, FailureCode.PROVIDER_ERROR),
        ("litellm_minimax", "[reject]", FaultKind.REJECTED, FailureCode.REJECTED),
    ],
)
async def test_how_a_render_fails_in_each_accent(accent: str, prompt: str, kind: FaultKind, code: FailureCode) -> None:
    async with bench(accent) as made:
        task = (await made.provider.submit(make_order(model="sora-2", prompt=prompt))).task
        state = await made.provider.poll(task)
    assert isinstance(state, TaskFailed)
    assert state.failure.code is code
    assert state.failure.fault is not None
    assert state.failure.fault.kind is kind
    assert prompt not in state.failure.fault.detail


@pytest.mark.parametrize(
    ("accent", "prompt"),
    [("litellm_gemini", "[filter]"), ("litellm_gemini", "[fail]"), ("litellm_vertex_ai", "[filter]")],
)
async def test_a_failure_that_litellm_hides_is_a_fault_of_every_download(accent: str, prompt: str) -> None:
    async with bench(accent) as made:
        task = (await made.provider.submit(make_order(prompt=prompt))).task
        state = await made.provider.poll(task)
        assert isinstance(state, TaskDone)
        for _ in range(2):
            fault = await fault_of(read_all(made.provider, task, state.source_url))
            assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)
            assert fault.detail == "HTTP 500: server_error: No video in the response of the provider."


async def test_a_task_that_minimax_behind_litellm_cancelled_has_failed() -> None:
    async with bench("litellm_minimax", render_s=3600) as made:
        task = (await made.provider.submit(make_order())).task
        made.simulator.cancel(task.task_id)
        state = await made.provider.poll(task)
    assert isinstance(state, TaskFailed)
    assert state.failure.fault is not None
    assert state.failure.fault.detail == "HTTP 200: the server says that the video is cancelled"


@pytest.mark.parametrize("accent", ["openai", "sglang", "litellm"])
async def test_where_nothing_can_be_cancelled_nobody_is_called(accent: str) -> None:
    async with bench(accent, render_s=3600) as made:
        task = (await made.provider.submit(make_order(model="sora-2"))).task
        assert await made.provider.cancel(task) is False
        assert len(made.simulator.requests) == 1


async def test_vllm_omni_stops_a_running_render() -> None:
    async with bench("vllm_omni", render_s=3600) as made:
        task = (await made.provider.submit(make_order())).task
        assert await made.provider.cancel(task) is True
        assert made.simulator.renders[task.task_id].state.value == "cancelled"
        assert await made.provider.cancel(task) is True
        assert len(made.simulator.requests_of("delete")) == 1


async def test_a_cancel_that_takes_its_time_is_told() -> None:
    async with bench("vllm_omni", render_s=3600, service={"abort_s": 3600}) as made:
        task = (await made.provider.submit(make_order())).task
        assert await made.provider.cancel(task) is True


async def test_an_ended_video_is_not_deleted_with_its_file() -> None:
    async with bench("vllm_omni") as made:
        task = (await made.provider.submit(make_order())).task
        assert await made.provider.cancel(task) is True
        assert made.simulator.requests_of("delete") == []


@pytest.mark.parametrize("operation", ["get", "delete"])
async def test_a_cancel_that_cannot_be_told_is_a_fault(operation: str) -> None:
    async with bench("vllm_omni", render_s=3600) as made:
        task = (await made.provider.submit(make_order())).task
        made.simulator.faults.queue(operation, Status(502))
        fault = await fault_of(made.provider.cancel(task))
        assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)


@pytest.mark.parametrize("accent", ["openai", "sglang", "vllm_omni", "litellm"])
async def test_a_check_costs_nothing(accent: str) -> None:
    async with bench(accent) as made:
        await made.provider.check("main")
        (request,) = made.simulator.requests
        path = "/v1/models" if accent == "litellm" else "/v1/videos"
        query = {} if accent == "litellm" else {"limit": "1"}
        assert (request.method, request.path, dict(request.query)) == ("GET", path, query)
        assert made.simulator.renders == {}


@pytest.mark.parametrize("accent", ["openai", "sglang", "vllm_omni"])
async def test_a_check_finds_a_key_that_is_refused(accent: str) -> None:
    async with bench(accent, service={"api_key": "another"}) as made:
        fault = await fault_of(made.provider.check("main"))
        assert fault.kind is FaultKind.UNAUTHORIZED
        assert API_KEY not in fault.detail


async def test_a_check_finds_a_key_that_litellm_refuses() -> None:
    refusal = {"error": {"message": "Authentication Error", "type": "auth_error", "param": None, "code": "401"}}
    async with bench("litellm") as made:
        made.simulator.faults.queue("unknown", Status(401, refusal))
        assert (await fault_of(made.provider.check("main"))).kind is FaultKind.UNAUTHORIZED


async def test_a_check_of_a_server_that_is_not_there_fails() -> None:
    async with bench() as made:
        pass
    async with provider_at(made.simulator.base_url) as provider:
        fault = await fault_of(provider.check(None))
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_a_throttled_submit_says_when_to_try_again() -> None:
    async with bench() as made:
        made.simulator.faults.queue("create", RetryAfter(17, body={"detail": "slow down"}))
        fault = await fault_of(made.provider.submit(make_order()))
    assert (fault.kind, fault.is_maybe_accepted, fault.retry_after) == (
        FaultKind.THROTTLED,
        False,
        timedelta(seconds=17),
    )


async def test_it_says_of_itself_what_the_port_asks() -> None:
    async with bench() as made:
        assert made.provider.name == "studio"
        assert made.provider.is_idempotent is False
        assert made.provider.announces_tasks is False


@pytest.mark.parametrize("key", ["", "with space", "new\nline", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused_by_its_name(key: str) -> None:
    with pytest.raises(ValueError, match="the key 'main' of provider 'studio' must be printable ASCII") as raised:
        provider_at("http://gpu.example", main=key)
    assert not key or key not in str(raised.value)


def _content(task: Task) -> str:
    return f"{task.urls['base']}/videos/{task.task_id}/content"
