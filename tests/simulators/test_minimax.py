"""MiniMax's API where its own tools do not look: raw answers, limits, expiry, callbacks."""

import math
from typing import Any

import httpx
import pytest

from reelgate_simulators.clock import ManualClock
from reelgate_simulators.minimax import MinimaxFailure, MinimaxSimulator
from reelgate_simulators.minimax_rules import problem
from reelgate_simulators.video import tiny_mp4
from tests.simulators.receiver import Receiver, wait_until

HAILUO = "MiniMax-Hailuo-02"
IMAGE = "https://example.com/a.png"
DATA = "data:image/png;base64,iVBORw0KGgo="


def client_of(minimax: MinimaxSimulator, key: str = "k") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=minimax.base_url, headers={"Authorization": f"Bearer {key}"})


async def submit(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    response = await client.post("/v1/video_generation", json={"model": HAILUO, "prompt": "a fox"} | members)
    assert response.status_code == 200
    assert response.headers["Trace-Id"]
    answer: dict[str, Any] = response.json()
    return answer


async def query(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get("/v1/query/video_generation", params={"task_id": task_id})).json()
    return answer


async def retrieve(client: httpx.AsyncClient, file_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get("/v1/files/retrieve", params={"file_id": file_id})).json()
    return answer


async def test_a_task_passes_through_its_states() -> None:
    clock = ManualClock()
    async with MinimaxSimulator(clock=clock, queue_s=10, render_s=60) as minimax, client_of(minimax) as client:
        task_id = (await submit(client, resolution="1080P"))["task_id"]
        seen = []
        for seconds in (0, 10, 60):
            seen.append((await query(client, task_id))["status"])
            clock.advance(seconds)
        done = await query(client, task_id)
        file = (await retrieve(client, done["file_id"]))["file"]
    assert seen == ["Preparing", "Queueing", "Processing"]
    assert (done["status"], done["video_width"], done["video_height"]) == ("Success", 1920, 1080)
    assert done["base_resp"] == {"status_code": 0, "status_msg": "success"}
    assert isinstance(done["file_id"], str)
    assert file["file_id"] == int(done["file_id"])
    assert (file["bytes"], file["filename"]) == (len(tiny_mp4(6)), "output_aigc.mp4")
    assert file["purpose"] == "video_generation"


async def test_a_running_task_has_an_empty_file_id() -> None:
    async with MinimaxSimulator(render_s=math.inf) as minimax, client_of(minimax) as client:
        task_id = (await submit(client))["task_id"]
        assert await query(client, task_id) == {
            "task_id": task_id,
            "status": "Processing",
            "file_id": "",
            "base_resp": {"status_code": 0, "status_msg": "success"},
        }


async def test_a_size_may_be_zero() -> None:
    async with MinimaxSimulator(render_s=0) as minimax, client_of(minimax) as client:
        minimax.tells_size = False
        file_id = (await query(client, (await submit(client))["task_id"]))["file_id"]
        assert (await retrieve(client, file_id))["file"]["bytes"] == 0


async def test_an_address_expires_and_a_fresh_one_works() -> None:
    clock = ManualClock()
    async with MinimaxSimulator(clock=clock, render_s=0) as minimax, client_of(minimax) as client:
        file_id = (await query(client, (await submit(client))["task_id"]))["file_id"]
        old = (await retrieve(client, file_id))["file"]["download_url"]
        assert (await httpx_get(old)).status_code == 200
        clock.advance(9 * 3600)
        assert (await httpx_get(old)).status_code == 403
        fresh = (await retrieve(client, file_id))["file"]["download_url"]
        part = await httpx_get(fresh, Range="bytes=4-7")
        assert (part.status_code, part.content) == (206, b"ftyp")
        minimax.expire_links()
        assert (await httpx_get(fresh)).status_code == 403


async def httpx_get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url, headers=headers)


async def test_errors_are_in_good_answers() -> None:
    async with MinimaxSimulator(keys=frozenset({"k", "l"}), render_s=0) as minimax, client_of(minimax) as client:
        task_id = (await submit(client))["task_id"]
        async with client_of(minimax, "m") as unknown, client_of(minimax, "l") as other:
            assert await submit(unknown) == {"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}}
            assert (await query(other, task_id))["base_resp"]["status_code"] == 2013
        async with httpx.AsyncClient(base_url=minimax.base_url) as nobody:
            assert (await query(nobody, task_id))["base_resp"]["status_code"] == 1004
        assert (await query(client, "1"))["base_resp"]["status_code"] == 2013
        assert (await retrieve(client, "x"))["base_resp"]["status_code"] == 2013
        minimax.has_balance = False
        assert (await submit(client))["base_resp"]["status_code"] == 1008


async def test_five_submits_a_minute() -> None:
    clock = ManualClock()
    async with MinimaxSimulator(clock=clock) as minimax, client_of(minimax) as client:
        minimax.submits_per_minute_max = 5
        codes = [(await submit(client))["base_resp"]["status_code"] for _ in range(6)]
        clock.advance(60)
        codes.append((await submit(client))["base_resp"]["status_code"])
    assert codes == [0, 0, 0, 0, 0, 1002, 0]


@pytest.mark.parametrize(
    ("prompt", "code"), [("[reject]", 1026), ("[filter]", 1027), ("[fail]", 1033), ("[filter] [reject]", 1026)]
)
async def test_a_prompt_decides(prompt: str, code: int) -> None:
    async with MinimaxSimulator(render_s=0) as minimax, client_of(minimax) as client:
        answer = await submit(client, prompt=prompt)
        if "task_id" in answer:
            answer = await query(client, answer["task_id"])
            assert answer["status"] == "Fail"
        assert answer["base_resp"]["status_code"] == code


GOOD: list[dict[str, Any]] = [
    {"prompt": "a fox"},
    {"prompt": "a fox", "duration": 10, "resolution": "768P"},
    {"prompt": "a fox", "duration": 6, "resolution": "1080P", "prompt_optimizer": False, "aigc_watermark": True},
    {"first_frame_image": IMAGE},
    {"first_frame_image": DATA, "duration": 10, "resolution": "512P"},
    {"prompt": "", "first_frame_image": IMAGE, "last_frame_image": DATA, "resolution": "1080P"},
    {"prompt": "x" * 2000, "callback_url": "https://example.com"},
    {"model": "MiniMax-Hailuo-2.3", "prompt": "a fox", "duration": 6, "resolution": "1080P"},
    {"prompt": "a fox", "aspect_ratio": "16:9"},
]

BOTH_IMAGES = {"first_frame_image": IMAGE, "last_frame_image": IMAGE}
NO_IMAGE = "is neither an address nor a JPG, PNG or WebP data URL"

BAD: list[tuple[Any, str]] = [
    (["no object"], "model is required"),
    ({"model": ""}, "model is required"),
    ({"model": "MiniMax-H3"}, "model is served by /v2/video_generation"),
    ({}, "prompt is required"),
    ({"prompt": " "}, "prompt is required"),
    ({"prompt": "x" * 2001}, "prompt is longer than 2000 characters"),
    ({"prompt": 1}, "prompt has the wrong type"),
    ({"prompt": "a", "prompt_optimizer": "yes"}, "prompt_optimizer has the wrong type"),
    ({"prompt": "a", "duration": "6"}, "duration must be 6 or 10"),
    ({"prompt": "a", "duration": True}, "duration must be 6 or 10"),
    ({"prompt": "a", "duration": 8}, "duration must be 6 or 10"),
    ({"prompt": "a", "resolution": "768p"}, "resolution must be 512P, 768P or 1080P"),
    ({"prompt": "a", "resolution": "512P"}, "resolution 512P needs first_frame_image alone"),
    ({**BOTH_IMAGES, "resolution": "512P"}, "resolution 512P needs first_frame_image alone"),
    ({"prompt": "a", "last_frame_image": IMAGE}, "last_frame_image needs first_frame_image"),
    ({"prompt": "a", "duration": 10, "resolution": "1080P"}, "resolution 1080P is 6 seconds only"),
    ({"first_frame_image": "data:image/gif;base64,AAAA"}, f"first_frame_image {NO_IMAGE}"),
    ({"first_frame_image": "data:image/png;base64,A"}, "first_frame_image is not base64"),
    ({"first_frame_image": "data:image/png;base64,"}, "first_frame_image must be smaller than 20 MB"),
]  # fmt: skip


@pytest.mark.parametrize("members", GOOD)
def test_a_documented_submit_is_accepted(members: dict[str, Any]) -> None:
    assert problem({"model": HAILUO} | members) is None


@pytest.mark.parametrize(("members", "text"), BAD)
def test_another_submit_is_refused(members: Any, text: str) -> None:
    assert problem({"model": HAILUO} | members if isinstance(members, dict) else members) == text


async def test_a_callback_is_registered_by_its_challenge_and_told_in_lower_case() -> None:
    async with (
        Receiver() as receiver,
        MinimaxSimulator(render_s=math.inf) as minimax,
        client_of(minimax) as client,
    ):
        task_id = (await submit(client, callback_url=receiver.url("job")))["task_id"]
        challenge, progress = await receiver.wait_for(2)
        minimax.callback_copy_count = 2
        minimax.finish(task_id)
        done = (await receiver.wait_for(4))[2:]
    assert set(challenge.body) == {"challenge"}
    assert (progress.body["status"], progress.body["task_id"]) == ("processing", task_id)
    assert [notice.body["status"] for notice in done] == ["success", "success"]
    assert done[0].body["file_id"].isdecimal()


async def test_a_failure_is_called_back() -> None:
    async with (
        Receiver() as receiver,
        MinimaxSimulator(render_s=math.inf) as minimax,
        client_of(minimax) as client,
    ):
        task_id = (await submit(client, callback_url=receiver.url("job")))["task_id"]
        minimax.fail(task_id, MinimaxFailure(code=1027, message="blocked"))
        await wait_until(lambda: bool(receiver.notices) and receiver.notices[-1].body.get("status") == "failed")
    assert receiver.notices[-1].body["base_resp"] == {"status_code": 1027, "status_msg": "blocked"}


async def test_an_address_that_does_not_repeat_its_challenge_is_not_called() -> None:
    async with (
        Receiver(repeats_challenge=False) as mute,
        Receiver() as receiver,
        MinimaxSimulator(render_s=math.inf) as minimax,
        client_of(minimax) as client,
    ):
        first = (await submit(client, callback_url=mute.url("job")))["task_id"]
        second = (await submit(client, callback_url=receiver.url("job")))["task_id"]
        await receiver.wait_for(2)
        minimax.finish(first)
        minimax.finish(second)
        await receiver.wait_for(3)
    assert len(mute.notices) == 1
