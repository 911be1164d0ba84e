"""OpenAI's own client in front of the OpenAI simulator, in every dialect as far as the client can."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from reelgate_simulators.clock import ManualClock
from reelgate_simulators.faults import RetryAfter, Status
from reelgate_simulators.openai import API_KEY, PICTURE, OpenAiService, OpenAiSimulator
from reelgate_simulators.recording import Upload
from reelgate_simulators.video import tiny_mp4

# OpenAI marks every method since its own service was shut down; the shape lives on elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")

PNG = b"\x89PNG\r\n\x1a\n"
DIALECTS = ["openai", "sglang", "sglang_older", "vllm_omni", "litellm"]
SPEAKING_PROPERLY = ["openai", "vllm_omni", "litellm"]
"""Dialects that take what the client sends by itself: a form, with or without a file."""


def simulate(dialect: str = "openai", **options: Any) -> OpenAiSimulator:
    return OpenAiSimulator(service=OpenAiService(dialect=dialect, poll_after_ms=10), **options)


@asynccontextmanager
async def client_of(simulator: OpenAiSimulator, *, retry_count: int = 0) -> AsyncIterator[AsyncOpenAI]:
    async with (
        simulator,
        AsyncOpenAI(
            base_url=f"{simulator.base_url}/v1", api_key=API_KEY, max_retries=retry_count, timeout=10
        ) as client,
    ):
        yield client


@pytest.mark.parametrize("dialect", [*SPEAKING_PROPERLY, "sglang"])
async def test_a_video_is_created_followed_and_downloaded(dialect: str) -> None:
    simulator = simulate(dialect)
    async with client_of(simulator) as client:
        created = await client.videos.create(prompt="a cat", model="sora-2", seconds="8", size="1280x720")
        assert created.status == "queued"
        video = await client.videos.poll(created.id)
        assert (video.id, video.status) == (created.id, "completed")
        assert (video.seconds, video.prompt, video.error) == ("8", "a cat", None)
        content = await client.videos.download_content(created.id)
        assert content.read() == tiny_mp4(8)
        assert content.response.headers["content-type"] == "video/mp4"
    [request] = simulator.requests_of("create")
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.body == {"prompt": "a cat", "model": "sora-2", "seconds": "8", "size": "1280x720"}


async def test_the_client_finds_every_key_that_it_knows() -> None:
    async with client_of(simulate(clock=ManualClock())) as client:
        video = await client.videos.create(prompt="a cat")
    assert video.model_dump() == {
        "id": video.id,
        "object": "video",
        "model": "sora-2",
        "status": "queued",
        "progress": 0,
        "created_at": 1_790_000_000,
        "completed_at": None,
        "expires_at": None,
        "prompt": "a cat",
        "size": "720x1280",
        "seconds": "4",
        "remixed_from_video_id": None,
        "error": None,
    }


async def test_create_and_poll_goes_by_the_header() -> None:
    simulator = simulate(render_s=0.1)
    async with client_of(simulator) as client:
        video = await client.videos.create_and_poll(prompt="a cat")
    assert video.status == "completed"
    # Without the header the client would have asked twice in its second.
    assert len(simulator.requests_of("get")) > 2


@pytest.mark.parametrize("dialect", [*SPEAKING_PROPERLY, "sglang", "sglang_older"])
async def test_an_image_goes_along_as_a_file(dialect: str) -> None:
    simulator = simulate(dialect)
    async with client_of(simulator) as client:
        video = await client.videos.create_and_poll(
            prompt="a cat", model="sora-2", input_reference=("cat.png", PNG, "image/png")
        )
    assert video.status == "completed"
    [request] = simulator.requests_of("create")
    assert request.body["input_reference"] == Upload(filename="cat.png", content_type="image/png", content=PNG)


@pytest.mark.parametrize("dialect", ["openai", "litellm"])
async def test_an_image_goes_along_by_its_address_in_json(dialect: str) -> None:
    simulator = simulate(dialect)
    body = {"prompt": "a cat", "model": "sora-2", "input_reference": {"image_url": "https://a.test/cat.png"}}
    async with client_of(simulator) as client:
        video = await client.post("/videos", body=body, cast_to=openai.types.Video)
    assert video.status == "queued"


@pytest.mark.parametrize("dialect", ["openai", "litellm"])
@pytest.mark.parametrize("prompt", ["[reject]", "[filter]", "[fail]"])
async def test_a_failed_video_tells_why(dialect: str, prompt: str) -> None:
    async with client_of(simulate(dialect)) as client:
        video = await client.videos.create_and_poll(prompt=prompt, model="sora-2")
    assert video.status == "failed"
    assert video.error is not None
    code = {"litellm": "fal_error"}.get(dialect)
    code = code or ("video_generation_failed" if prompt == "[fail]" else "moderation_blocked")
    assert (video.error.code, bool(video.error.message)) == (code, True)


async def test_a_failed_video_of_sglang_has_no_code() -> None:
    async with client_of(simulate("sglang")) as client:
        video = await client.videos.create_and_poll(prompt="[fail]")
    assert video.error is not None
    assert not hasattr(video.error, "code") or video.error.code is None
    assert video.error.message


async def test_a_failed_video_of_vllm_omni_is_an_error_that_is_asked_for_again() -> None:
    simulator = simulate("vllm_omni", clock=ManualClock(), render_s=0)
    async with client_of(simulator, retry_count=1) as client:
        simulator.faults.queue("get", RetryAfter(0, code=503))
        created = await client.videos.create(prompt="[fail]")
        with pytest.raises(openai.InternalServerError) as caught:
            await client.videos.retrieve(created.id)
    assert caught.value.status_code == 500
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["code"] == 500
    assert len(simulator.requests_of("get")) == 2


async def test_older_sglang_is_never_in_progress() -> None:
    simulator = simulate("sglang_older")
    async with client_of(simulator) as client:
        created = await client.post("/videos", body={"prompt": "a cat", "seconds": 4}, cast_to=openai.types.Video)
        assert (await client.videos.retrieve(created.id)).status == "queued"
        assert (await client.videos.poll(created.id)).status == "completed"


@pytest.mark.parametrize("dialect", ["litellm_vertex_ai", "litellm_gemini"])
async def test_the_client_does_not_know_processing(dialect: str) -> None:
    async with client_of(simulate(dialect, clock=ManualClock())) as client:
        created = await client.videos.create(prompt="a cat", model="veo-3.1-generate-001")
        # It takes any word that it does not know for an end.
        assert (await client.videos.poll(created.id)).status == "processing"  # type: ignore[comparison-overlap]


async def test_ids_of_litellm_survive_the_path() -> None:
    simulator = simulate("litellm")
    async with client_of(simulator) as client:
        video = await client.videos.create_and_poll(prompt="a cat", model="sora-2")
        assert set("/+=") <= set(video.id)
        assert (await client.videos.download_content(video.id)).read() == tiny_mp4(4)
    assert "%2F" in simulator.requests[-1].raw_path


@pytest.mark.parametrize("dialect", ["openai", "vllm_omni"])
async def test_a_finished_video_is_deleted(dialect: str) -> None:
    async with client_of(simulate(dialect)) as client:
        video = await client.videos.create_and_poll(prompt="a cat")
        answer = await client.videos.delete(video.id)
        assert (answer.id, answer.object, answer.deleted) == (video.id, "video.deleted", True)
        with pytest.raises(openai.NotFoundError):
            await client.videos.retrieve(video.id)


async def test_a_running_video_is_not_deleted() -> None:
    async with client_of(simulate(clock=ManualClock())) as client:
        video = await client.videos.create(prompt="a cat")
        with pytest.raises(openai.ConflictError):
            await client.videos.delete(video.id)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_content_is_refused_before_the_end(dialect: str) -> None:
    async with client_of(simulate(dialect, clock=ManualClock())) as client:
        video = await client.videos.create(
            prompt="a cat", model="sora-2", input_reference=("cat.png", PNG, "image/png")
        )
        with pytest.raises(openai.APIStatusError) as caught:
            await client.videos.download_content(video.id)
    assert caught.value.status_code == (400 if dialect == "litellm" else 404)


async def test_a_thumbnail_is_a_picture() -> None:
    async with client_of(simulate()) as client:
        video = await client.videos.create_and_poll(prompt="a cat")
        content = await client.videos.download_content(video.id, variant="thumbnail")
        assert content.read() == PICTURE
        assert content.response.headers["content-type"] == "image/webp"


async def test_a_large_video_is_streamed() -> None:
    video = bytes(range(256)) * 20_000
    async with client_of(simulate(video=video)) as client:
        created = await client.videos.create_and_poll(prompt="a cat")
        async with client.videos.with_streaming_response.download_content(created.id) as response:
            parts = [part async for part in response.iter_bytes(8192)]
    assert len(parts) > 100
    assert b"".join(parts) == video


async def test_videos_are_listed_page_by_page() -> None:
    async with client_of(simulate(clock=ManualClock())) as client:
        ids = [(await client.videos.create(prompt=f"cat {number}")).id for number in range(5)]
        page = await client.videos.list(limit=2)
        assert [video.id for video in page.data] == [ids[4], ids[3]]
        assert [video.id async for video in client.videos.list(limit=2)] == ids[::-1]
        assert [video.id async for video in client.videos.list(order="asc")] == ids


async def test_a_wrong_key_is_refused() -> None:
    async with client_of(simulate()) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.with_options(api_key="other").videos.retrieve("video_1")
    assert caught.value.code == "invalid_api_key"


async def test_what_is_wrong_is_refused_by_name() -> None:
    async with client_of(simulate()) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.videos.create(prompt="a cat", extra_body={"seconds": "5"})
    assert (caught.value.param, caught.value.code, caught.value.type) == (
        "seconds",
        "invalid_value",
        "invalid_request_error",
    )


async def test_the_client_waits_as_long_as_it_is_told() -> None:
    simulator = simulate()
    async with client_of(simulator, retry_count=2) as client:
        simulator.faults.queue("create", RetryAfter(0), Status(500, {"error": {"message": "no"}}, {"Retry-After": "0"}))
        assert (await client.videos.create(prompt="a cat")).status == "queued"
    assert len(simulator.requests_of("create")) == 3
    assert len(simulator.renders) == 1
    assert all("idempotency-key" not in request.headers for request in simulator.requests)


async def test_a_spent_quota_says_when_to_come_back() -> None:
    simulator = OpenAiSimulator(clock=ManualClock(), service=OpenAiService(creates_per_minute=1))
    async with client_of(simulator) as client:
        await client.videos.create(prompt="a cat")
        with pytest.raises(openai.RateLimitError) as caught:
            await client.videos.create(prompt="a cat")
    assert caught.value.response.headers["retry-after"] == "60"
