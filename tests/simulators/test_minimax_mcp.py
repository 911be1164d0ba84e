"""The MiniMax simulator before its judge: MiniMax's own MCP server, minimax-mcp 0.0.19."""

import importlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reelgate_simulators.faults import Html, Reset, Status
from reelgate_simulators.minimax import MinimaxFailure, MinimaxSimulator, minimax_error
from reelgate_simulators.video import tiny_mp4

KEY = "secret"
MODEL = "MiniMax-Hailuo-02"


@pytest.fixture
def minimax() -> Iterator[MinimaxSimulator]:
    """Run in a thread: the judge blocks."""
    with MinimaxSimulator(keys=frozenset({KEY}), render_s=math.inf).in_thread() as minimax:
        yield minimax


@pytest.fixture
def judge(minimax: MinimaxSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Point the tools at the simulator. They read their settings once, when first imported."""
    monkeypatch.setenv("MINIMAX_API_KEY", KEY)
    monkeypatch.setenv("MINIMAX_API_HOST", minimax.base_url)
    monkeypatch.setenv("MINIMAX_API_RESOURCE_MODE", "url")
    server = importlib.import_module("minimax_mcp.server")
    monkeypatch.setattr(server.api_client, "api_host", minimax.base_url)
    yield server
    server.api_client.session.close()


def submit(judge: Any, prompt: str = "a red fox in the snow", **arguments: Any) -> str:
    answer = judge.generate_video(model=MODEL, prompt=prompt, async_mode=True, **arguments)
    match = re.fullmatch(r"Success\. Video generation task submitted: Task ID: (\d+)\..*", answer.text)
    assert match is not None, answer.text
    return match[1]


def query(judge: Any, task_id: str) -> str:
    text = judge.query_video_generation(task_id).text
    assert isinstance(text, str)
    return text


def test_from_submit_to_address(minimax: MinimaxSimulator, judge: Any) -> None:
    task_id = submit(judge, duration=6, resolution="1080P")
    assert query(judge, task_id) == f"Video generation task is still processing: Task ID: {task_id}"
    minimax.finish(task_id)
    first, second = [query(judge, task_id).removeprefix("Success. Video URL: ") for _ in range(2)]
    assert first != second
    assert [httpx.get(url).content for url in (first, second)] == [tiny_mp4(6)] * 2
    [request] = minimax.requests_of("submit")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": MODEL,
        "prompt": "a red fox in the snow",
        "duration": 6,
        "resolution": "1080P",
    }


def test_the_judge_downloads_by_itself(
    minimax: MinimaxSimulator, judge: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(judge, "resource_mode", "local")
    task_id = submit(judge)
    minimax.finish(task_id)
    assert judge.query_video_generation(task_id, str(tmp_path)).text.startswith("Success. Video saved as: ")
    [file] = tmp_path.iterdir()
    assert file.read_bytes() == tiny_mp4(6)
    assert len(minimax.requests_of("download")) == 1


def test_the_judge_goes_all_the_way_by_itself(minimax: MinimaxSimulator, judge: Any) -> None:
    minimax.render_s = 0.0
    answer = judge.generate_video(model=MODEL, prompt="a fox", async_mode=False)
    assert answer.text.startswith(f"Success. Video URL: {minimax.base_url}/files/")


def test_a_failure_with_a_reason_is_an_error(minimax: MinimaxSimulator, judge: Any) -> None:
    minimax.render_s = 0.0
    answer = query(judge, submit(judge, "[filter]"))
    assert answer.startswith("Failed to query video generation status: API Error: 1027-output new_sensitive")
    assert "Trace-Id: None" not in answer


def test_a_failure_without_a_reason_is_a_failure(minimax: MinimaxSimulator, judge: Any) -> None:
    task_id = submit(judge)
    minimax.fail(task_id, MinimaxFailure(code=0))
    assert query(judge, task_id) == f"Video generation FAILED for task_id: {task_id}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": "[reject]"}, "1026-input new_sensitive"),
        ({"duration": 10, "resolution": "1080P"}, "2013-invalid params, resolution 1080P is 6 seconds only"),
        ({"resolution": "512P"}, "2013-invalid params, resolution 512P needs first_frame_image alone"),
        ({"duration": 7}, "2013-invalid params, duration must be 6 or 10"),
    ],
)
def test_a_refusal_is_understood(
    minimax: MinimaxSimulator, judge: Any, arguments: dict[str, Any], message: str
) -> None:
    answer = judge.generate_video(**{"model": MODEL, "prompt": "a fox", "async_mode": True} | arguments)
    assert answer.text.startswith(f"Failed to generate video: API Error: {message}")
    assert minimax.renders == {}


def test_an_image_is_sent_as_it_is(minimax: MinimaxSimulator, judge: Any, tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0")
    submit(judge, first_frame_image=str(picture), resolution="512P", duration=10)
    submit(judge, first_frame_image="https://example.com/a.png")
    images = [request.body["first_frame_image"] for request in minimax.requests_of("submit")]
    assert images == ["data:image/jpeg;base64,/9j/4A==", "https://example.com/a.png"]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1004, 1008, 1024, 1033, 2013, 2038, 2049])
def test_every_error_in_a_good_answer_is_understood(minimax: MinimaxSimulator, judge: Any, code: int) -> None:
    minimax.faults.queue("submit", minimax_error(code))
    answer = judge.generate_video(model=MODEL, prompt="a fox", async_mode=True)
    assert answer.text.startswith("Failed to generate video: API Error: ")


def test_a_wrong_key_is_refused(minimax: MinimaxSimulator, judge: Any) -> None:
    minimax.keys = frozenset()
    answer = judge.generate_video(model=MODEL, prompt="a fox", async_mode=True)
    assert answer.text.startswith("Failed to generate video: API Error: 2049-invalid api key")


@pytest.mark.parametrize("fault", [Reset(), Html(502), Status(500)])
def test_a_broken_connection_is_a_failed_request(
    minimax: MinimaxSimulator, judge: Any, fault: Reset | Html | Status
) -> None:
    minimax.faults.queue("submit", fault)
    answer = judge.generate_video(model=MODEL, prompt="a fox", async_mode=True)
    assert answer.text.startswith("Failed to generate video: Request failed: ")


def test_an_envelope_is_required(minimax: MinimaxSimulator, judge: Any) -> None:
    minimax.faults.queue("submit", Status(200, {"task_id": "1"}))
    answer = judge.generate_video(model=MODEL, prompt="a fox", async_mode=True)
    assert answer.text.startswith("Failed to generate video: API Error: None-None")
