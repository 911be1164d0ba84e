"""What the catalogue's own rows become on the wire."""

from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest

from reelgate_server.domain.catalogue_toml import parse_catalogue
from reelgate_server.domain.ids import ModelId, ProviderName
from reelgate_server.domain.spec import JobRequest, resolve
from reelgate_server.ports.provider import FirstFrame, RenderOrder
from reelgate_simulators.vertex import MODELS, VertexSimulator
from tests.adapters.vertex.samples import PNG, read_all, simulated
from tests.support.builders import job_id
from tests.support.waiting import wait_for_end

VERTEX = ProviderName("vertex")
CATALOGUE = parse_catalogue(files("reelgate_server").joinpath("catalogue.toml").read_text("utf-8"), "catalogue.toml")


def order_for(model: str, image: FirstFrame | None = None, **request: Any) -> RenderOrder:
    """What a customer's request becomes; an image counts as one that came with it."""
    row = CATALOGUE.row(ModelId(model))
    assert row is not None
    route = row.route(VERTEX)
    assert route is not None
    spec = resolve(JobRequest(model=model, prompt="A kite", **request), row)
    return RenderOrder(
        job_id=job_id(1),
        spec=spec,
        endpoint=route.endpoint(has_image=image is not None) or "",
        has_audio=row.has_audio,
        is_simulated=False,
        image=image,
    )


def parameters(resolution: str, *, audio: bool) -> dict[str, Any]:
    return {
        "sampleCount": 1,
        "durationSeconds": 8,
        "aspectRatio": "16:9",
        "resolution": resolution,
        "generateAudio": audio,
    }


ROWS = {
    "google/veo-3.1": ("veo-3.1-generate-001", parameters("720p", audio=True)),
    "google/veo-3": ("veo-3.1-generate-001", parameters("720p", audio=False)),
    "veo-3-fast": ("veo-3.1-fast-generate-001", parameters("720p", audio=False)),
    "veo-3": ("veo-3.1-generate-001", parameters("1080p", audio=True)),
    "veo-3.1": ("veo-3.1-generate-001", parameters("720p", audio=True)),
    "veo-3.1-fast": ("veo-3.1-fast-generate-001", parameters("720p", audio=True)),
}
"""Each model with what it is at Google, and what is sent where the customer leaves the choice to us."""


def test_every_row_is_here() -> None:
    assert [model.model_id for model in CATALOGUE.all() if model.provider == VERTEX] == list(ROWS)
    assert {endpoint for endpoint, _ in ROWS.values()} <= MODELS


@pytest.mark.parametrize(("model", "row"), ROWS.items(), ids=ROWS.keys())
@pytest.mark.parametrize("image", [None, PNG], ids=["text", "image"])
async def test_a_model_is_asked_for_in_these_words(
    model: str, row: tuple[str, dict[str, Any]], image: FirstFrame | None
) -> None:
    instance: dict[str, Any] = {"prompt": "A kite"}
    if image is not None:
        instance["image"] = {"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png"}
    async with simulated() as (provider, simulator):
        task = (await provider.submit(order_for(model, image))).task
        await wait_for_end(provider, task)
        assert await read_all(provider.open(task, f"vertex:{task.task_id}"))
    submit, poll, *_ = simulator.requests
    endpoint, expected = row
    assert submit.method == "POST"
    assert submit.path == (
        f"/v1/projects/film/locations/us-central1/publishers/google/models/{endpoint}:predictLongRunning"
    )
    assert submit.headers["content-type"] == "application/json"
    assert submit.body == {"instances": [instance], "parameters": expected}
    assert poll.path == (
        f"/v1/projects/film/locations/us-central1/publishers/google/models/{endpoint}:fetchPredictOperation"
    )
    assert poll.body == {"operationName": task.task_id}


@pytest.mark.parametrize(("asked", "rendered"), [(1, 4), (2, 4), (3, 4), (4, 4), (5, 6), (6, 6), (7, 8), (8, 8)])
async def test_the_shortest_length_that_is_long_enough_is_rendered(asked: int, rendered: int) -> None:
    order = order_for("google/veo-3.1", clip_duration=timedelta(seconds=asked), aspect_ratio="9:16")
    async with simulated() as (provider, simulator):
        await provider.submit(order)
    assert simulator.requests[0].body["parameters"] == {
        "sampleCount": 1,
        "durationSeconds": rendered,
        "aspectRatio": "9:16",
        "resolution": "720p",
        "generateAudio": True,
    }


@pytest.mark.parametrize("resolution", ["720p", "1080p", "4k"])
async def test_every_resolution_is_asked_for_by_its_name(resolution: str) -> None:
    async with simulated(VertexSimulator()) as (provider, simulator):
        await provider.submit(order_for("veo-3.1", resolution=resolution))
    assert simulator.requests[0].body["parameters"]["resolution"] == resolution


async def test_results_go_into_the_folder_of_their_job() -> None:
    async with simulated(storage_uri="gs://studio-results/veo/") as (provider, simulator):
        await provider.submit(replace(order_for("veo-3.1"), job_id=job_id(3)))
    assert simulator.requests[0].body["parameters"]["storageUri"] == (
        "gs://studio-results/veo/01940000-0000-7000-8000-000000000003/"
    )
