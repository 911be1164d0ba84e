"""The Vertex simulator on the wire, where the client does not look."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from reelgate_simulators.clock import ManualClock
from reelgate_simulators.faults import CutBody, HugeJson, TruncatedJson
from reelgate_simulators.vertex import RESPONSE_TYPE, TOKEN, VertexAccount, VertexSimulator
from reelgate_simulators.vertex_rules import DURATION_MESSAGE, INLINE_MESSAGE, Refusal, read_spec
from reelgate_simulators.video import tiny_mp4

MODEL = "/v1/projects/film/locations/global/publishers/google/models/veo-3.1-fast-generate-001"
IMAGE = {"bytesBase64Encoded": "iVBORw==", "mimeType": "image/png"}
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def caller_of(simulator: VertexSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        simulator,
        httpx.AsyncClient(base_url=simulator.base_url, headers=AUTHORIZATION, timeout=10) as caller,
    ):
        yield caller


def body(prompt: str = "a cat", *, instance: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    return {"instances": [{"prompt": prompt} | (instance or {})], "parameters": parameters}


async def submit(caller: httpx.AsyncClient, prompt: str = "a cat", **parameters: Any) -> str:
    response = await caller.post(f"{MODEL}:predictLongRunning", json=body(prompt, **parameters))
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"name"}
    return str(response.json()["name"])


async def fetch(caller: httpx.AsyncClient, name: str) -> httpx.Response:
    return await caller.post(f"{MODEL}:fetchPredictOperation", json={"operationName": name})


async def test_an_operation_goes_from_nothing_to_a_video() -> None:
    clock = ManualClock()
    async with caller_of(VertexSimulator(clock=clock, render_s=60)) as caller:
        name = await submit(caller, durationSeconds=6)
        assert (await fetch(caller, name)).json() == {"name": name}
        clock.advance(59)
        assert (await fetch(caller, name)).json() == {"name": name}
        clock.advance(1)
        done = (await fetch(caller, name)).json()
    content = base64.b64encode(tiny_mp4(6)).decode()
    assert done == {
        "name": name,
        "done": True,
        "response": {
            "@type": RESPONSE_TYPE,
            "raiMediaFilteredCount": 0,
            "videos": [{"mimeType": "video/mp4", "bytesBase64Encoded": content}],
        },
    }


async def test_a_filtered_operation_has_no_videos() -> None:
    clock = ManualClock()
    async with caller_of(VertexSimulator(clock=clock)) as caller:
        name = await submit(caller, "[Filter] this", sampleCount=2)
        clock.advance(1)
        response = (await fetch(caller, name)).json()["response"]
    assert "videos" not in response
    assert response["raiMediaFilteredCount"] == 2
    assert "Support codes: 42237218" in response["raiMediaFilteredReasons"][0]


async def test_a_failed_operation_has_an_error_and_no_response() -> None:
    clock = ManualClock()
    async with caller_of(VertexSimulator(clock=clock)) as caller:
        name = await submit(caller, "[fail]")
        clock.advance(1)
        done = (await fetch(caller, name)).json()
    assert done.keys() == {"name", "done", "error"}
    assert done["error"]["code"] == 13


async def test_slow_takes_longer_and_stuck_for_ever() -> None:
    clock = ManualClock()
    async with caller_of(VertexSimulator(clock=clock, render_s=10)) as caller:
        slow, stuck = await submit(caller, "[slow]"), await submit(caller, "[stuck]")
        clock.advance(99)
        assert "done" not in (await fetch(caller, slow)).json()
        clock.advance(1)
        assert (await fetch(caller, slow)).json()["done"]
        clock.advance(1e6)
        assert "done" not in (await fetch(caller, stuck)).json()


async def test_a_rejected_prompt_can_be_refused_at_once() -> None:
    async with caller_of(VertexSimulator(account=VertexAccount(refuses_at_submit=True))) as caller:
        response = await caller.post(f"{MODEL}:predictLongRunning", json=body("[reject]"))
    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert "usage guidelines" in response.json()["error"]["message"]


async def test_a_large_answer_comes_in_parts_and_does_not_say_how_large() -> None:
    video = bytes(range(256)) * 40_000
    clock = ManualClock()
    async with caller_of(VertexSimulator(clock=clock, video=video)) as caller:
        name = await submit(caller)
        clock.advance(1)
        response = await fetch(caller, name)
    assert "content-length" not in response.headers
    assert response.headers["transfer-encoding"] == "chunked"
    assert base64.b64decode(response.json()["response"]["videos"][0]["bytesBase64Encoded"]) == video


async def test_a_large_answer_can_break_off_be_cut_and_be_larger() -> None:
    simulator = VertexSimulator(clock=ManualClock(), render_s=0, video=bytes(1_000_000))
    async with caller_of(simulator) as caller:
        name = await submit(caller)
        simulator.faults.queue("status", CutBody(600_000), TruncatedJson(), HugeJson(3_000_000))
        with pytest.raises(httpx.ReadError):
            await fetch(caller, name)
        with pytest.raises(ValueError, match="Unterminated"):
            (await fetch(caller, name)).json()
        assert len((await fetch(caller, name)).content) > 4_000_000


async def test_an_object_is_downloaded_from_its_bucket() -> None:
    simulator = VertexSimulator(clock=ManualClock(), render_s=0)
    async with caller_of(simulator) as caller:
        name = await submit(caller, storageUri="gs://films/to day/", sampleCount=2)
        videos = (await fetch(caller, name)).json()["response"]["videos"]
        addresses = [video["gcsUri"] for video in videos]
        assert [address.rpartition("/")[2] for address in addresses] == ["sample_0.mp4", "sample_1.mp4"]
        assert list(simulator.buckets.objects) == addresses
        key = addresses[0].removeprefix("gs://films/")
        whole = await caller.get(f"/storage/v1/b/films/o/{quote(key, safe='')}", params={"alt": "media"})
        part = await caller.get(
            f"/storage/v1/b/films/o/{quote(key, safe='')}", params={"alt": "media"}, headers={"Range": "bytes=2-5"}
        )
        about = await caller.get(f"/storage/v1/b/films/o/{quote(key, safe='')}")
        astray = await caller.get(f"/storage/v1/b/films/o/{quote(key)}", params={"alt": "media"})
        caller.headers["Authorization"] = "Bearer other"
        stranger = await caller.get(f"/storage/v1/b/films/o/{quote(key, safe='')}", params={"alt": "media"})
    assert (whole.content, whole.headers["content-type"]) == (tiny_mp4(8), "video/mp4")
    assert (part.status_code, part.content) == (206, tiny_mp4(8)[2:6])
    assert about.json()["size"] == str(len(tiny_mp4(8)))
    assert (astray.status_code, astray.json()["error"]["errors"][0]["reason"]) == (404, "notFound")
    assert stranger.status_code == 401


async def test_only_a_living_token_is_let_in() -> None:
    clock = ManualClock()
    simulator = VertexSimulator(clock=clock)
    async with caller_of(simulator) as caller:
        simulator.allow("short", lifetime_s=3600)
        caller.headers["Authorization"] = "Bearer short"
        name = await submit(caller)
        clock.advance(3600)
        expired = await fetch(caller, name)
        del caller.headers["Authorization"]
        nobody = await fetch(caller, name)
    assert (expired.status_code, nobody.status_code) == (401, 401)
    assert expired.json()["error"] == {
        "code": 401,
        "message": "Request had invalid authentication credentials.",
        "status": "UNAUTHENTICATED",
        "details": [],
    }


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (MODEL.replace("film", "other"), 403, "PERMISSION_DENIED"),
        (MODEL.replace("veo-3.1-fast", "veo-9"), 404, "NOT_FOUND"),
        (MODEL.replace("veo-3.1", "veo-3.0"), 404, "NOT_FOUND"),
        (MODEL.replace("v1", "v2", 1), 404, "NOT_FOUND"),
    ],
)
async def test_places_that_are_closed(path: str, status: int, code: str) -> None:
    async with caller_of(VertexSimulator(account=VertexAccount(project="film"))) as caller:
        response = await caller.post(f"{path}:predictLongRunning", json=body())
    assert (response.status_code, response.json()["error"]["status"]) == (status, code)


async def test_a_retired_model_says_so() -> None:
    async with caller_of(VertexSimulator()) as caller:
        response = await caller.post(f"{MODEL.replace('3.1', '3.0')}:predictLongRunning", json=body())
    assert "is no longer available" in response.json()["error"]["message"]


async def test_an_operation_is_asked_for_at_its_own_model() -> None:
    async with caller_of(VertexSimulator()) as caller:
        name = await submit(caller)
        elsewhere = MODEL.replace("veo-3.1-fast", "veo-3.1")
        wrong = await caller.post(f"{elsewhere}:fetchPredictOperation", json={"operationName": name})
        got = await caller.get(f"/v1/{name}")
    assert (wrong.status_code, wrong.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert (got.status_code, got.headers["content-type"].partition(";")[0]) == (404, "text/html")


async def test_the_quota_is_of_a_minute() -> None:
    clock = ManualClock()
    async with caller_of(VertexSimulator(clock=clock, account=VertexAccount(submits_per_minute=2))) as caller:
        await submit(caller)
        clock.advance(30)
        await submit(caller)
        spent = await caller.post(f"{MODEL}:predictLongRunning", json=body())
        clock.advance(30)
        await submit(caller)
    assert (spent.status_code, spent.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


REFUSED = [
    ({}, "instances", "list of one object"),
    ({"instances": [{"prompt": "a"}, {"prompt": "b"}]}, "instances", "list of one object"),
    ({"instances": [{"prompt": "a"}], "parameters": []}, "parameters", "object"),
    (body(""), "instances[0].prompt", "required"),
    ({"instances": [{"prompt": 7}]}, "instances[0].prompt", "string"),
    (body(durationSeconds=5), "parameters.durationSeconds", DURATION_MESSAGE),
    (body(durationSeconds=10), "parameters.durationSeconds", DURATION_MESSAGE),
    (body(durationSeconds="8"), "parameters.durationSeconds", "a number"),
    (body(durationSeconds=True), "parameters.durationSeconds", "a number"),
    (body(durationSeconds=float("nan")), "parameters.durationSeconds", "a number"),
    (body(durationSeconds=6, resolution="1080p"), "parameters.durationSeconds", "1080p needs"),
    (body(durationSeconds=4, resolution="4k"), "parameters.durationSeconds", "4k needs"),
    (
        body(
            durationSeconds=4,
            instance={"referenceImages": [{"image": IMAGE, "referenceType": "asset"}]},
        ),
        "parameters.durationSeconds",
        "Reference images need",
    ),
    (body(resolution="540p"), "parameters.resolution", "720p, 1080p, 4k"),
    (body(aspectRatio="1:1"), "parameters.aspectRatio", "16:9, 9:16"),
    (body(sampleCount=0), "parameters.sampleCount", "between 1 and 4"),
    (body(sampleCount=5), "parameters.sampleCount", "between 1 and 4"),
    (body(sampleCount=1.5), "parameters.sampleCount", "an integer"),
    (body(generateAudio="true"), "parameters.generateAudio", "a boolean"),
    (body(seed="7"), "parameters.seed", "an integer"),
    (body(storageUri="https://a.test/b"), "parameters.storageUri", "gs://"),
    (body(instance={"image": "https://a.test/b.png"}), "instances[0].image", "object"),
    (body(instance={"image": {"uri": "https://a.test/b.png"}}), "instances[0].image", "either"),
    (body(instance={"image": IMAGE | {"gcsUri": "gs://a/b"}}), "instances[0].image", "either"),
    (
        body(instance={"image": {"gcsUri": "https://a.test/b", "mimeType": "image/png"}}),
        "instances[0].image.gcsUri",
        "gs://",
    ),
    (body(instance={"image": {"inlineData": {"data": "iVBORw=="}}}), "instances[0].image", INLINE_MESSAGE),
    (body(instance={"image": IMAGE | {"bytesBase64Encoded": "*"}}), "instances[0].image.bytesBase64Encoded", "base64"),
    (body(instance={"image": {"bytesBase64Encoded": "iVBORw=="}}), "instances[0].image.mimeType", "image/"),
    (body(instance={"video": {"uri": "gs://a/b", "mimeType": "video/mp4"}}), "instances[0].video", "either"),
    (
        body(instance={"referenceImages": [{"image": IMAGE, "referenceType": "face"}]}),
        "instances[0].referenceImages[0].referenceType",
        "asset or style",
    ),
]


@pytest.mark.parametrize(("sent", "field", "message"), REFUSED)
def test_what_is_wrong_is_refused_by_name(sent: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_spec(sent)
    error = caught.value.body["error"]
    assert (caught.value.code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert message in error["message"]
    assert error["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    ("sent", "duration_s"),
    [
        (body(), 8),
        (body(durationSeconds=4), 4),
        (body(durationSeconds=6.0), 6),
        (body(duration_seconds=4), 8),
        (body(duration_seconds=5, aspect_ratio="1:1", unheard_of=[]), 8),
        (body(resolution="4k"), 8),
        (body(durationSeconds=4, instance={"image": IMAGE, "lastFrame": IMAGE}), 4),
        ({"instances": [{"image": IMAGE}]}, 8),
        (body(instance={"image": {"gcsUri": "gs://a/b.png", "mimeType": "image/png"}}), 8),
    ],
)
def test_what_is_accepted_and_what_is_ignored(sent: dict[str, Any], duration_s: int) -> None:
    assert read_spec(sent).duration_s == duration_s
