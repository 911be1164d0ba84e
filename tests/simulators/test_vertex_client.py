"""Google's own client in front of the Vertex simulator, as it would be in front of Vertex."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from reelgate_simulators.clock import ManualClock
from reelgate_simulators.faults import Reset, Status
from reelgate_simulators.vertex import TOKEN, Filtered, OperationError, VertexAccount, VertexSimulator
from reelgate_simulators.video import tiny_mp4

MODEL = "veo-3.1-generate-001"
PNG = b"\x89PNG\r\n\x1a\n"
LIMIT_S = 10.0


@asynccontextmanager
async def client_of(simulator: VertexSimulator, token: str = TOKEN) -> AsyncIterator[genai.client.AsyncClient]:
    client = genai.Client(
        vertexai=True,
        project="film",
        location="us-central1",
        credentials=Credentials(token=token),  # type: ignore[no-untyped-call]
        http_options=types.HttpOptions(base_url=simulator.base_url),
    )
    async with client.aio as caller:
        yield caller
    client.close()


async def submit(
    caller: genai.client.AsyncClient, prompt: str = "a cat", **config: Any
) -> types.GenerateVideosOperation:
    return await caller.models.generate_videos(
        model=MODEL,
        source=types.GenerateVideosSource(prompt=prompt),
        config=types.GenerateVideosConfig.model_validate(config),
    )


async def follow(
    caller: genai.client.AsyncClient, operation: types.GenerateVideosOperation
) -> types.GenerateVideosOperation:
    async with asyncio.timeout(LIMIT_S):
        while not operation.done:
            await asyncio.sleep(0.01)
            operation = await caller.operations.get(operation)
    return operation


async def test_a_video_comes_as_bytes() -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        operation = await submit(caller, number_of_videos=2, duration_seconds=4, aspect_ratio="9:16")
        assert operation.name is not None
        assert operation.name.startswith(f"projects/film/locations/us-central1/publishers/google/models/{MODEL}/op")
        assert operation.done is None
        operation = await follow(caller, operation)
    assert operation.error is None
    assert operation.response is not None
    videos = operation.response.generated_videos or []
    assert [video.video.video_bytes for video in videos if video.video] == [tiny_mp4(4.0)] * 2
    assert [video.video.mime_type for video in videos if video.video] == ["video/mp4"] * 2


async def test_a_saved_video_is_the_video(tmp_path: object) -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        operation = await follow(caller, await submit(caller))
    assert operation.response is not None
    [generated] = operation.response.generated_videos or []
    assert generated.video is not None
    generated.video.save(f"{tmp_path}/video.mp4")
    with open(f"{tmp_path}/video.mp4", "rb") as file:  # noqa: ASYNC230, PTH123 (a path as the client takes it)
        assert file.read() == tiny_mp4(8.0)


async def test_a_running_operation_is_not_done() -> None:
    async with VertexSimulator(clock=ManualClock()) as simulator, client_of(simulator) as caller:
        operation = await caller.operations.get(await submit(caller))
    assert (operation.done, operation.response, operation.error) == (None, None, None)


async def test_a_video_in_a_bucket_has_an_address() -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        operation = await follow(caller, await submit(caller, output_gcs_uri="gs://films/today"))
    assert operation.response is not None
    [generated] = operation.response.generated_videos or []
    assert generated.video is not None
    assert generated.video.video_bytes is None
    assert generated.video.uri is not None
    assert simulator.buckets.objects == {generated.video.uri: tiny_mp4(8.0)}


async def test_a_filtered_video_is_a_success_without_videos() -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        operation = await follow(caller, await submit(caller, "a [filter] cat"))
    assert operation.error is None
    assert operation.response is not None
    assert operation.response.generated_videos is None
    assert operation.response.rai_media_filtered_count == 1
    [reason] = operation.response.rai_media_filtered_reasons or []
    assert reason.startswith("Veo could not generate 1 videos based on the prompt provided.")


async def test_some_of_several_videos_can_be_filtered() -> None:
    async with VertexSimulator(clock=ManualClock()) as simulator, client_of(simulator) as caller:
        operation = await submit(caller, number_of_videos=3)
        assert operation.name is not None
        simulator.fail(operation.name, Filtered(count=1, reasons=("too much fun",)))
        operation = await caller.operations.get(operation)
    assert operation.response is not None
    assert len(operation.response.generated_videos or []) == 2
    assert operation.response.rai_media_filtered_count == 1
    assert operation.response.rai_media_filtered_reasons == ["too much fun"]


@pytest.mark.parametrize(("prompt", "code"), [("[reject]", 3), ("[fail]", 13)])
async def test_a_failed_operation_has_a_number_of_grpc(prompt: str, code: int) -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        operation = await follow(caller, await submit(caller, prompt))
    assert operation.response is None
    assert operation.error is not None
    assert operation.error["code"] == code
    assert operation.error["message"]


async def test_a_test_can_fail_an_operation_as_it_likes() -> None:
    async with VertexSimulator(clock=ManualClock()) as simulator, client_of(simulator) as caller:
        operation = await submit(caller)
        assert operation.name is not None
        simulator.fail(operation.name, OperationError(code=8, message="out of machines"))
        operation = await caller.operations.get(operation)
    assert operation.error == {"code": 8, "message": "out of machines"}


async def test_everything_that_the_client_can_say_is_accepted() -> None:
    image = types.Image(image_bytes=PNG, mime_type="image/png")
    config = types.GenerateVideosConfig(
        number_of_videos=1,
        duration_seconds=8,
        resolution="1080p",
        aspect_ratio="16:9",
        seed=7,
        fps=24,
        person_generation="allow_adult",
        negative_prompt="rain",
        enhance_prompt=True,
        generate_audio=False,
        last_frame=image,
        reference_images=[
            types.VideoGenerationReferenceImage(image=image, reference_type=types.VideoGenerationReferenceType.ASSET)
        ],
        compression_quality=types.VideoCompressionQuality.LOSSLESS,
        pubsub_topic="projects/film/topics/done",
        labels={"team": "film"},
    )
    source = types.GenerateVideosSource(prompt="a cat", image=image)
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        await caller.models.generate_videos(model=MODEL, source=source, config=config)
    [request] = simulator.requests_of("submit")
    assert request.path.startswith("/v1beta1/projects/film/locations/us-central1/publishers/google/models/")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    [instance] = request.members["instances"]
    assert instance["image"] == {"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png"}
    assert instance["referenceImages"][0]["referenceType"] == "ASSET"
    assert request.members["parameters"]["durationSeconds"] == 8


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"duration_seconds": 5}, "out of bound"),
        ({"duration_seconds": 4, "resolution": "1080p"}, "needs `durationSeconds` 8"),
        ({"aspect_ratio": "1:1"}, "aspectRatio"),
        ({"number_of_videos": 5}, "sampleCount"),
    ],
)
async def test_a_wrong_parameter_is_a_client_error(config: dict[str, Any], message: str) -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        with pytest.raises(errors.ClientError, match=message) as caught:
            await submit(caller, **config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


async def test_an_expired_token_is_a_client_error() -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        operation = await submit(caller)
        simulator.expire(TOKEN)
        with pytest.raises(errors.ClientError) as caught:
            await caller.operations.get(operation)
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")


async def test_a_spent_quota_is_a_client_error() -> None:
    account = VertexAccount(submits_per_minute=1)
    async with VertexSimulator(account=account) as simulator, client_of(simulator) as caller:
        await submit(caller)
        with pytest.raises(errors.ClientError) as caught:
            await submit(caller)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


async def test_an_unknown_operation_is_a_client_error() -> None:
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        operation = await submit(caller)
        assert operation.name is not None
        operation.name = f"{operation.name[:-4]}0000"
        with pytest.raises(errors.ClientError) as caught:
            await caller.operations.get(operation)
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


async def test_faults_look_to_the_client_as_they_should() -> None:
    body = {"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}}
    async with VertexSimulator() as simulator, client_of(simulator) as caller:
        simulator.faults.queue("submit", Status(503, body), Reset())
        with pytest.raises(errors.ServerError) as caught:
            await submit(caller)
        assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
        with pytest.raises(httpx2.ReadError):
            await submit(caller)
    assert simulator.renders == {}
