"""Where files come from, and who sees our key on the way."""

from contextlib import aclosing

import pytest

from reelgate_server.adapters.providers.http import CHUNK_BYTES
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import FaultKind
from reelgate_server.ports.provider import TaskDone
from reelgate_simulators.faults import CutBody, Fault, Hang, Html, Reset, Status
from reelgate_simulators.openai import API_KEY
from reelgate_simulators.video import tiny_mp4
from tests.adapters.openai.bench import KEYS, SHORT_S, Bench, bench, fault_of, read_all
from tests.adapters.openai.samples import make_order


async def test_an_uploaded_file_is_fetched_from_its_bucket_without_our_key() -> None:
    async with bench("sglang", service={"uploads_to_cloud": True}) as made:
        task = (await made.provider.submit(make_order())).task
        state = await made.provider.poll(task)
        assert state == TaskDone(source_url=f"{made.simulator.base_url}/cloud/{task.task_id}.mp4")
        assert await read_all(made.provider, task, state.source_url) == tiny_mp4(4)
        (request,) = made.simulator.requests_of("cloud")
        assert "authorization" not in request.headers


async def test_an_uploaded_file_is_found_through_the_refusal_of_its_content() -> None:
    async with bench("sglang", service={"uploads_to_cloud": True}) as made:
        task = await done(made)
        assert await read_all(made.provider, task, content(task)) == tiny_mp4(4)
        assert [request.operation for request in made.simulator.requests[-2:]] == ["content", "cloud"]
        assert [request.headers.get("authorization") for request in made.simulator.requests[-2:]] == [
            f"Bearer {API_KEY}",
            None,
        ]


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_to_another_host_is_followed_without_our_key(status: int) -> None:
    async with bench("sglang", keys={}, service={"uploads_to_cloud": True}) as bucket, bench("openai") as made:
        upload = await done(bucket)
        target = f"{bucket.simulator.base_url}/cloud/{upload.task_id}.mp4?signature=abc"
        task = (await made.provider.submit(make_order(model="sora-2"))).task
        made.simulator.faults.queue("content", Status(status, headers={"Location": target}))
        assert await read_all(made.provider, task, content(task)) == tiny_mp4(4)
        (request,) = bucket.simulator.requests_of("cloud")
        assert "authorization" not in request.headers
        assert request.query["signature"] == "abc"


async def test_only_one_redirect_is_followed() -> None:
    async with bench("openai") as made:
        task = (await made.provider.submit(make_order(model="sora-2"))).task
        again = Status(302, headers={"Location": content(task)})
        made.simulator.faults.queue("content", again, again)
        fault = await fault_of(read_all(made.provider, task, content(task)))
        assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNINTELLIGIBLE, False)
        assert len(made.simulator.requests_of("content")) == 2


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://bucket.example/v.mp4", "gopher://x", "http://me:secret@h/"]
)
async def test_a_redirect_to_what_is_no_plain_address_is_not_followed(location: str) -> None:
    async with bench("openai") as made:
        task = (await made.provider.submit(make_order(model="sora-2"))).task
        made.simulator.faults.queue("content", Status(302, headers={"Location": location}))
        fault = await fault_of(read_all(made.provider, task, content(task)))
        assert (fault.kind, fault.detail) == (
            FaultKind.UNINTELLIGIBLE,
            "HTTP 302: sends us to an address that is not opened",
        )


async def test_our_key_is_not_sent_to_an_address_that_is_not_the_tasks_own() -> None:
    async with bench("sglang") as made, bench("sglang") as other:
        task, another = await done(made), await done(other)
        assert (await fault_of(read_all(made.provider, task, content(another)))).kind is FaultKind.UNAUTHORIZED
        (request,) = other.simulator.requests_of("content")
        assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("accent", "kind", "detail"),
    [
        ("openai", FaultKind.INVALID, "HTTP 404: video_not_ready, invalid_request_error: Video is not ready yet."),
        ("sglang", FaultKind.INVALID, "HTTP 404: Generation is still in-progress"),
        ("vllm_omni", FaultKind.INVALID, "HTTP 404: Generation is still in-progress"),
        ("litellm", FaultKind.INVALID, "HTTP 400: invalid_request_error: Video is not ready yet."),
    ],
)
async def test_a_file_that_is_not_there_yet_is_a_fault(accent: str, kind: FaultKind, detail: str) -> None:
    async with bench(accent, render_s=3600) as made:
        task = (await made.provider.submit(make_order(model="sora-2"))).task
        source = content(task).replace(task.task_id, made_id(task))
        fault = await fault_of(read_all(made.provider, task, source))
        assert (fault.kind, fault.detail, fault.is_maybe_accepted) == (kind, detail, False)


async def test_a_large_file_comes_in_bounded_chunks() -> None:
    async with bench("sglang") as made:
        made.simulator._video = bytes(3 * CHUNK_BYTES + 17)
        task = await done(made)
        async with aclosing(made.provider.open(task, content(task))) as chunks:
            sizes = [len(chunk) async for chunk in chunks]
        assert sum(sizes) == 3 * CHUNK_BYTES + 17
        assert max(sizes) <= CHUNK_BYTES


async def test_a_download_can_be_left_in_the_middle() -> None:
    async with bench("sglang") as made:
        task = await done(made)
        async with aclosing(made.provider.open(task, content(task))) as chunks:
            assert await anext(chunks)
        assert await read_all(made.provider, task, content(task)) == tiny_mp4(4)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Status(401, {"detail": "Unauthorized"}), FaultKind.UNAUTHORIZED),
        (Status(429, {"detail": "slow down"}), FaultKind.THROTTLED),
        (Status(500, {"detail": "disk"}), FaultKind.UNAVAILABLE),
        (Status(400, {"detail": "no address in here"}), FaultKind.INVALID),
        (Status(302), FaultKind.UNINTELLIGIBLE),
        (Status(204), FaultKind.UNINTELLIGIBLE),
        (Html(502), FaultKind.UNAVAILABLE),
        (Html(200), FaultKind.UNINTELLIGIBLE),
        (Status(200, {"error": {"message": "under a success"}}), FaultKind.UNINTELLIGIBLE),
        (Status(500, "x" * 100_000), FaultKind.UNAVAILABLE),
        (CutBody(100), FaultKind.UNAVAILABLE),
        (Reset(), FaultKind.UNAVAILABLE),
        (Hang(), FaultKind.TIMEOUT),
    ],
    ids=repr,
)
async def test_a_download_that_goes_wrong_is_a_fault_and_can_be_tried_again(fault: Fault, kind: FaultKind) -> None:
    async with bench("sglang", limit_s=SHORT_S) as made:
        task = await done(made)
        made.simulator.faults.queue("content", fault)
        found = await fault_of(read_all(made.provider, task, content(task)))
        assert (found.kind, found.is_maybe_accepted) == (kind, False)
        assert KEYS["main"] not in found.detail
        assert await read_all(made.provider, task, content(task)) == tiny_mp4(4)


async def done(made: Bench) -> Task:
    """A task whose video is there."""
    task = (await made.provider.submit(make_order())).task
    assert isinstance(await made.provider.poll(task), TaskDone)
    return task


def content(task: Task) -> str:
    """Where a task's file is asked for."""
    return f"{task.urls['base']}/videos/{task.task_id}/content"


def made_id(task: Task) -> str:
    """A task's id as a part of a path."""
    return task.task_id.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")
