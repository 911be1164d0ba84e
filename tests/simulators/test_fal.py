"""fal's queue where its client does not look: raw answers, headers, expiry, cancel, faults."""

import asyncio
import json
import math
from typing import Any

import httpx
import pytest

from reelgate_simulators.clock import ManualClock
from reelgate_simulators.fal import FalSimulator, app_of
from reelgate_simulators.fal_failures import INFRASTRUCTURE_CODES, infrastructure_failure, model_failure
from reelgate_simulators.faults import CutBody, TruncatedJson, WrongTypes
from reelgate_simulators.video import tiny_mp4
from tests.simulators.receiver import wait_until

KLING = "/fal-ai/kling-video/v2/master/text-to-video"
INPUT = {"prompt": "a red fox in the snow"}
KEY = {"Authorization": "Key id:secret"}


def client_of(fal: FalSimulator, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=fal.base_url, headers=KEY if headers is None else headers)


async def submit(client: httpx.AsyncClient, path: str = KLING, **members: Any) -> dict[str, Any]:
    response = await client.post(path, json=INPUT | members)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_the_answer_to_a_submit_names_three_addresses() -> None:
    async with FalSimulator() as fal, client_of(fal) as client:
        answer = await submit(client)
    base = f"{fal.base_url}/fal-ai/kling-video/requests/{answer['request_id']}"
    assert answer == {
        "status": "IN_QUEUE",
        "request_id": answer["request_id"],
        "response_url": base,
        "status_url": f"{base}/status",
        "cancel_url": f"{base}/cancel",
        "queue_position": 0,
    }


@pytest.mark.parametrize(
    ("endpoint", "app"),
    [
        ("fal-ai/kling-video/v2/master/text-to-video", "fal-ai/kling-video"),
        ("wan/v2.6/text-to-video", "wan/v2.6"),
        ("bytedance/seedance-2.0/fast/text-to-video", "bytedance/seedance-2.0"),
        ("fal-ai/veo3.1", "fal-ai/veo3.1"),
        ("workflows/somebody/something/more", "workflows/somebody/something"),
        ("comfy/somebody/something", "comfy/somebody/something"),
        ("fal-ai", None),
        ("workflows/somebody", None),
    ],
)
def test_an_app_is_the_first_part_of_an_endpoint(endpoint: str, app: str | None) -> None:
    assert app_of(endpoint) == app


async def test_a_request_is_found_only_under_its_app() -> None:
    async with FalSimulator() as fal, client_of(fal) as client:
        request_id = (await submit(client))["request_id"]
        assert (await client.get(f"/fal-ai/kling-video/requests/{request_id}/status")).status_code in {200, 202}
        assert (await client.get(f"{KLING}/requests/{request_id}/status")).status_code == 404
        assert (await client.get(f"/fal-ai/veo3.1/requests/{request_id}")).status_code == 404


async def test_a_request_is_found_only_by_its_account() -> None:
    async with FalSimulator(keys=frozenset({"a", "b"})) as fal, client_of(fal, {"Authorization": "Key a"}) as client:
        address = (await submit(client))["status_url"]
        assert (await client.get(address, headers={"Authorization": "Key b"})).status_code == 404
        assert (await client.get(address, headers={"Authorization": "Bearer a"})).status_code == 401
        assert (await client.get(address, headers={"Authorization": "Key c"})).status_code == 401


async def test_the_code_of_a_status_tells_completion() -> None:
    async with FalSimulator(queue_s=math.inf, render_s=math.inf) as fal, client_of(fal) as client:
        answer = await submit(client)
        codes = [(await client.get(answer["status_url"])).status_code]
        fal.start(answer["request_id"])
        running = await client.get(answer["status_url"], params={"logs": 1})
        codes.append(running.status_code)
        early = await client.get(answer["response_url"])
        fal.finish(answer["request_id"])
        done = await client.get(answer["status_url"])
    assert codes == [202, 202]
    assert running.json()["logs"][0]["source"] == "USER"
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert (done.status_code, done.json()["status"], done.json()["logs"]) == (200, "COMPLETED", None)
    assert done.json()["response_url"] == answer["response_url"]
    assert done.headers["x-fal-request-id"] == answer["request_id"]


async def test_time_is_the_clocks() -> None:
    clock = ManualClock()
    async with FalSimulator(clock=clock, queue_s=10, render_s=60) as fal, client_of(fal) as client:
        address = (await submit(client))["status_url"]
        seen = []
        for _ in range(8):
            seen.append((await client.get(address)).json()["status"])
            clock.advance(10)
        assert seen == ["IN_QUEUE", *["IN_PROGRESS"] * 6, "COMPLETED"]
        assert (await client.get(address)).json()["metrics"] == {"inference_time": 60.0}


async def test_a_slow_prompt_takes_longer_and_a_stuck_one_forever() -> None:
    clock = ManualClock()
    async with FalSimulator(clock=clock, render_s=60) as fal, client_of(fal) as client:
        slow = (await submit(client, prompt="[SLOW] fox"))["status_url"]
        stuck = (await submit(client, prompt="[stuck] fox"))["status_url"]
        clock.advance(599)
        assert (await client.get(slow)).status_code == 202
        clock.advance(1)
        assert (await client.get(slow)).status_code == 200
        clock.advance(1e9)
        assert (await client.get(stuck)).status_code == 202


async def test_a_stream_gives_the_present_and_the_end() -> None:
    async with FalSimulator() as fal, client_of(fal) as client:
        answer = await submit(client)
        response = await client.get(answer["status_url"] + "/stream")
    events = [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [event["status"] for event in events] == ["IN_PROGRESS", "COMPLETED"]


@pytest.mark.parametrize("error_type", INFRASTRUCTURE_CODES)
async def test_an_error_of_the_platform_shows_in_status_result_and_header(error_type: str) -> None:
    async with FalSimulator(render_s=math.inf) as fal, client_of(fal) as client:
        answer = await submit(client)
        fal.fail(answer["request_id"], infrastructure_failure(error_type, "It broke"))
        status, result = await client.get(answer["status_url"]), await client.get(answer["response_url"])
    assert (status.status_code, status.json()["status"]) == (200, "COMPLETED")
    assert (status.json()["error"], status.json()["error_type"]) == ("It broke", error_type)
    assert result.status_code == INFRASTRUCTURE_CODES[error_type]
    assert result.json() == {"detail": "It broke", "error_type": error_type}
    assert result.headers["x-fal-error-type"] == error_type


@pytest.mark.parametrize(("kind", "is_retryable"), [("generation_timeout", "true"), ("image_too_small", "false")])
async def test_an_error_of_the_model_says_whether_to_try_again(kind: str, is_retryable: str) -> None:
    async with FalSimulator(render_s=math.inf) as fal, client_of(fal) as client:
        answer = await submit(client)
        fal.fail(answer["request_id"], model_failure(kind, "No", loc=("body", "image_url")))
        result = await client.get(answer["response_url"])
    assert (result.status_code, result.headers["x-fal-retryable"]) == (422, is_retryable)
    assert set(result.json()["detail"][0]) >= {"loc", "msg", "type", "url"}


async def test_a_cancel_is_answered_as_the_request_stands() -> None:
    async with FalSimulator(queue_s=math.inf, render_s=math.inf) as fal, client_of(fal) as client:
        queued, running, stubborn = [await submit(client) for _ in range(3)]
        fal.start(running["request_id"])
        fal.start(stubborn["request_id"])
        answers = [await client.put(queued["cancel_url"]), await client.put(running["cancel_url"])]
        fal.honours_cancel = False
        answers.append(await client.put(stubborn["cancel_url"]))
        fal.finish(stubborn["request_id"])
        answers.append(await client.put(stubborn["cancel_url"]))
        answers.append(await client.put("/fal-ai/kling-video/requests/nobody/cancel"))
        results = [await client.get(answer["response_url"]) for answer in (queued, running, stubborn)]
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [
        (200, "OK"),
        (202, "CANCELLATION_REQUESTED"),
        (202, "CANCELLATION_REQUESTED"),
        (400, "ALREADY_COMPLETED"),
        (404, "NOT_FOUND"),
    ]
    assert [result.status_code for result in results] == [499, 499, 200]


async def test_a_full_queue_refuses() -> None:
    async with FalSimulator(queue_s=math.inf) as fal, client_of(fal) as client:
        codes = [
            (await client.post(KLING, json=INPUT, params={"fal_max_queue_length": 2})).status_code for _ in range(3)
        ]
    assert codes == [200, 200, 429]


async def test_a_request_that_does_not_start_in_time_ends() -> None:
    clock = ManualClock()
    async with FalSimulator(clock=clock, queue_s=math.inf) as fal, client_of(fal) as client:
        answer = (await client.post(KLING, json=INPUT, headers={"X-Fal-Request-Timeout": "30"})).json()
        clock.advance(30)
        result = await client.get(answer["response_url"])
    assert (result.status_code, result.json()["error_type"]) == (504, "request_timeout")
    assert result.headers["x-fal-request-timeout-type"] == "user"


async def test_a_result_is_kept_for_an_hour() -> None:
    clock = ManualClock()
    async with FalSimulator(clock=clock, render_s=0) as fal, client_of(fal) as client:
        answer = await submit(client)
        clock.advance(3599)
        assert (await client.get(answer["response_url"])).status_code == 200
        clock.advance(1)
        assert (await client.get(answer["response_url"])).status_code == 404
        assert (await client.get(answer["status_url"])).status_code == 200


async def test_a_large_result_is_kept_for_six_minutes() -> None:
    clock = ManualClock()
    async with FalSimulator(clock=clock, render_s=math.inf) as fal, client_of(fal) as client:
        small, large = await submit(client), await submit(client)
        fal.fail(small["request_id"], model_failure("no_media_generated", "Small"))
        fal.fail(large["request_id"], model_failure("no_media_generated", "x" * 10_000))
        clock.advance(359)
        assert (await client.get(large["response_url"])).status_code == 422
        clock.advance(1)
        assert (await client.get(large["response_url"])).status_code == 404
        assert (await client.get(small["response_url"])).status_code == 422


async def test_a_file_is_served_to_anybody_whole_and_in_parts() -> None:
    async with FalSimulator(render_s=0) as fal, client_of(fal) as client:
        result = (await client.get((await submit(client))["response_url"])).json()
        async with httpx.AsyncClient() as anybody:
            url, content = result["video"]["url"], tiny_mp4(5)
            whole = await anybody.get(url)
            first = await anybody.get(url, headers={"Range": "bytes=0-9"})
            rest = await anybody.get(url, headers={"Range": "bytes=10-"})
            last = await anybody.get(url, headers={"Range": "bytes=-5"})
            beyond = await anybody.get(url, headers={"Range": "bytes=1000000-"})
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, content, "video/mp4")
    assert (first.status_code, first.content) == (206, content[:10])
    assert first.headers["content-range"] == f"bytes 0-9/{len(content)}"
    assert rest.content == content[10:]
    assert last.content == content[-5:]
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(content)}")


async def test_a_file_expires_when_the_request_said() -> None:
    clock = ManualClock()
    async with FalSimulator(clock=clock, render_s=0) as fal, client_of(fal) as client:
        preference = {"X-Fal-Object-Lifecycle-Preference": '{"expiration_duration_seconds": 60}'}
        answer = (await client.post(KLING, json=INPUT, headers=preference)).json()
        url = (await client.get(answer["response_url"])).json()["video"]["url"]
        assert (await client.get(url)).status_code == 200
        clock.advance(60)
        assert (await client.get(url)).status_code == 404


async def test_a_test_lets_a_file_expire() -> None:
    async with FalSimulator(render_s=0) as fal, client_of(fal) as client:
        answer = await submit(client)
        url = (await client.get(answer["response_url"])).json()["video"]["url"]
        fal.expire_file(answer["request_id"])
        assert (await client.get(url)).status_code == 404


@pytest.mark.parametrize(
    ("facts", "members"),
    [("null", {"content_type": None, "file_name": None, "file_size": None}), ("absent", {})],
)
async def test_a_result_may_say_nothing_of_its_file(facts: Any, members: dict[str, None]) -> None:
    async with FalSimulator(render_s=0) as fal, client_of(fal) as client:
        fal.file_facts = facts
        video = (await client.get((await submit(client))["response_url"])).json()["video"]
    assert {name: value for name, value in video.items() if name != "url"} == members


async def test_the_callers_own_video_is_served() -> None:
    async with FalSimulator(render_s=0, video=b"my video") as fal, client_of(fal) as client:
        video = (await client.get((await submit(client))["response_url"])).json()["video"]
        assert video["file_size"] == 8
        assert (await client.get(video["url"])).content == b"my video"


async def test_a_large_download_is_cut_to_the_byte() -> None:
    video = bytes(range(256)) * 20_000
    async with FalSimulator(render_s=0, video=video) as fal, client_of(fal) as client:
        url = (await client.get((await submit(client))["response_url"])).json()["video"]["url"]
        fal.faults.queue("download", CutBody(3_000_000))
        received = bytearray()
        async with client.stream("GET", url) as response:
            with pytest.raises(httpx.ReadError):
                await read(response, received)
        rest = await client.get(url, headers={"Range": f"bytes={len(received)}-"})
    assert len(received) == 3_000_000
    assert bytes(received) + rest.content == video


async def read(response: httpx.Response, into: bytearray) -> None:
    async for chunk in response.aiter_raw():
        into.extend(chunk)


async def test_stopping_ends_a_stream_of_a_stuck_render() -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group, httpx.AsyncClient(headers=KEY) as client:
        async with FalSimulator() as fal:
            answer = (await client.post(fal.base_url + KLING, json={"prompt": "[stuck]"})).json()
            streaming = group.create_task(_stream_and_be_cut(client, answer["status_url"] + "/stream"))
            await wait_until(lambda: bool(fal.requests_of("stream")))
        await streaming


async def _stream_and_be_cut(client: httpx.AsyncClient, url: str) -> None:
    with pytest.raises(httpx.TransportError):
        await client.get(url)


async def test_outputs_carry_what_their_endpoint_documents() -> None:
    async with FalSimulator(render_s=0) as fal, client_of(fal) as client:
        wan = (await client.get((await submit(client, "/wan/v2.6/text-to-video", seed=7))["response_url"])).json()
        kling = (await client.get((await submit(client))["response_url"])).json()
    assert wan["seed"] == 7
    assert wan["actual_prompt"].startswith("a red fox")
    assert set(kling) == {"video"}


async def test_spoiled_answers_keep_their_effect() -> None:
    async with FalSimulator() as fal, client_of(fal) as client:
        fal.faults.queue("submit", TruncatedJson(), WrongTypes())
        cut, mistyped = [await client.post(KLING, json=INPUT) for _ in range(2)]
    assert cut.text.startswith('{"status": "IN_QUEUE"')
    assert mistyped.json()["queue_position"] == {"number": 0}
    assert len(fal.renders) == 2
