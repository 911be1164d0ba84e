"""What an operator's settings add to a submit."""

from urllib.parse import urlsplit

import pytest

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.vertex.credentials import FixedToken
from reelgate_server.adapters.providers.vertex.provider import VertexProvider
from reelgate_simulators.vertex import TOKEN
from reelgate_simulators.video import tiny_mp4
from tests.providers.bench import FAL_KEY, Bench
from tests.providers.matrix import NATIVE
from tests.providers.orders import FAL, FIRST_ORDERS, PROMPT, TEXT, VERTEX
from tests.providers.surfaces import make
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_with_a_public_address_fal_is_asked_for_a_webhook_that_names_the_job(bench: Bench) -> None:
    address = bench.simulators[FAL].base_url
    async with FalProvider(
        keys={"main": FAL_KEY}, queue_url=address, webhook_base_url="https://127.0.0.1:1/reelgate"
    ) as provider:
        world = World(providers=[provider], stand_in=None)
        ended = await make(world, NATIVE, {"model": "fal/kling-2", "prompt": PROMPT})
    [submit] = bench.submits()
    assert submit.query == {"fal_webhook": f"https://127.0.0.1:1/reelgate/hooks/fal/{ended.job.job_id}"}
    assert submit.body == FIRST_ORDERS["fal/kling-2", TEXT].body
    assert ended.video == tiny_mp4(5)


async def test_with_a_bucket_google_is_asked_for_a_folder_of_the_job_and_the_video_is_read_from_there(
    bench: Bench,
) -> None:
    address = bench.simulators[VERTEX].base_url
    async with VertexProvider(
        project="film",
        location="europe-west4",
        credentials={"default": FixedToken(TOKEN)},
        storage_uri="gs://films/veo",
        base_url=address,
        storage_url=address,
    ) as provider:
        world = World(providers=[provider], stand_in=None)
        ended = await make(world, NATIVE, {"model": "google/veo-3.1", "prompt": PROMPT})
    [submit] = bench.submits()
    assert submit.path == (
        "/v1/projects/film/locations/europe-west4/publishers/google/models/veo-3.1-generate-001:predictLongRunning"
    )
    assert submit.body == {
        "instances": [{"prompt": PROMPT}],
        "parameters": {
            "sampleCount": 1,
            "durationSeconds": 8,
            "aspectRatio": "16:9",
            "resolution": "720p",
            "generateAudio": True,
            "storageUri": f"gs://films/veo/{ended.job.job_id}/",
        },
    }
    assert ended.video == tiny_mp4(8)
    assert urlsplit(ended.job.source_url or "").scheme == "gs"
    [media] = bench.simulators[VERTEX].requests_of("media")
    assert media.query == {"alt": "media"}
