"""What each dialect of the OpenAI simulator takes, and how it refuses the rest."""

import json
from typing import Any

import pytest

from tests.simulators.openai_bench import FILE, bench

JSON = {"prompt": "a cat", "model": "m"}
FORM = {"prompt": (None, "a cat")}

CREATES: list[tuple[str, dict[str, Any], int]] = [
    ("openai", {"json": {"prompt": "a cat", "seconds": "8"}}, 200),
    ("openai", {"json": {"prompt": "a cat", "seconds": 8}}, 400),
    ("openai", {"json": {"prompt": "a cat", "seconds": "5"}}, 400),
    ("openai", {"json": {"prompt": "a cat", "seconds": "16"}}, 200),
    ("openai", {"json": {"prompt": "a cat", "size": "1920x1080"}}, 400),
    ("openai", {"json": {"prompt": "a cat", "size": "1920x1080", "model": "sora-2-pro"}}, 200),
    ("openai", {"json": {"prompt": "a cat", "model": "sora-2-2025-10-06"}}, 200),
    ("openai", {"json": {"prompt": "a cat", "model": "sora-3"}}, 400),
    ("openai", {"json": {"prompt": ""}}, 400),
    ("openai", {"json": {"prompt": "a" * 32_000}}, 200),
    ("openai", {"json": {"prompt": "a" * 32_001}}, 400),
    ("openai", {"json": ["a cat"]}, 400),
    ("openai", {"json": {"prompt": "a cat", "input_reference": {"image_url": "https://a.test/b"}}}, 200),
    ("openai", {"json": {"prompt": "a cat", "input_reference": {"file_id": "file-1"}}}, 200),
    ("openai", {"json": {"prompt": "a cat", "input_reference": {"file_id": "f", "image_url": "u"}}}, 400),
    ("openai", {"json": {"prompt": "a cat", "input_reference": {}}}, 400),
    ("openai", {"files": FORM}, 200),
    ("openai", {"files": FORM | FILE}, 200),
    ("openai", {"content": b"prompt=a", "headers": {"Content-Type": "text/plain"}}, 400),
    ("sglang", {"json": JSON | {"seconds": 5, "fps": 24, "seed": 7, "reference_url": "https://a.test/b"}}, 200),
    ("sglang", {"json": JSON | {"seconds": "5"}}, 422),
    ("sglang", {"json": JSON | {"seconds": None, "width": 832, "height": 480}}, 200),
    ("sglang", {"json": JSON | {"seconds": 0}}, 400),
    ("sglang", {"json": JSON | {"num_frames": 81.5}}, 422),
    ("sglang", {"files": FORM | {"seconds": (None, "5")}}, 200),
    ("sglang", {"files": FORM | {"seconds": (None, "five")}}, 422),
    ("sglang_older", {"files": FORM}, 400),
    ("sglang_older", {"files": FORM | FILE}, 200),
    ("sglang_older", {"json": JSON}, 200),
    ("vllm_omni", {"json": JSON}, 400),
    ("vllm_omni", {"files": FORM | {"seconds": (None, "5"), "size": (None, "832x480")}}, 200),
    ("vllm_omni", {"data": {"prompt": "a cat", "seconds": "5"}}, 200),
    ("vllm_omni", {"files": FORM | {"seconds": (None, "05")}}, 400),
    ("vllm_omni", {"files": FORM | {"size": (None, "480p")}}, 400),
    ("vllm_omni", {"files": FORM | {"image_reference": (None, json.dumps({"image_url": "https://a.test/b"}))}}, 200),
    ("vllm_omni", {"files": FORM | {"image_reference": (None, json.dumps({"file_id": "file-1"}))}}, 400),
    ("vllm_omni", {"files": FORM | {"image_reference": (None, "https://a.test/b")}}, 400),
    ("vllm_omni", {"files": FORM | {"input_reference": (None, "https://a.test/b")}}, 400),
    ("litellm", {"json": JSON | {"seconds": "5", "size": "832x480"}}, 200),
    ("litellm", {"json": JSON | {"seconds": 5}}, 400),
    ("litellm", {"json": {"prompt": "a cat"}}, 400),
    ("litellm", {"files": FORM | {"model": (None, "m")}}, 200),
]


@pytest.mark.parametrize(("dialect", "sent", "status_code"), CREATES)
async def test_what_may_be_sent(dialect: str, sent: dict[str, Any], status_code: int) -> None:
    async with bench(dialect) as made:
        response = await made.caller.post("/v1/videos", **sent)
    assert response.status_code == status_code, response.text
    assert len(made.simulator.renders) == (status_code == 200)


async def test_width_and_height_make_a_size_of_sglang() -> None:
    async with bench("sglang") as made:
        response = await made.caller.post("/v1/videos", json=JSON | {"width": 832, "height": 480, "seconds": 5})
    assert (response.json()["size"], response.json()["seconds"]) == ("832x480", "5")


@pytest.mark.parametrize(
    ("dialect", "is_openai"), [("openai", True), ("sglang", False), ("vllm_omni", False), ("litellm", True)]
)
async def test_the_shape_of_an_error(dialect: str, *, is_openai: bool) -> None:
    async with bench(dialect) as made:
        body = (await made.get("video_1")).json()
    if is_openai:
        assert body["error"].keys() == {"message", "type", "param", "code"}
    else:
        assert body == {"detail": "Video not found"}


async def test_a_wrong_field_has_a_number_for_a_code_with_vllm_omni() -> None:
    async with bench("vllm_omni") as made:
        body = (await made.caller.post("/v1/videos", files=FORM | {"seconds": (None, "x")})).json()
    assert (body["error"]["param"], body["error"]["code"]) == ("seconds", 400)


@pytest.mark.parametrize("query", [{"limit": 101}, {"limit": "many"}, {"order": "random"}])
async def test_a_list_is_refused_by_name(query: dict[str, Any]) -> None:
    async with bench("openai") as made:
        response = await made.caller.get("/v1/videos", params=query)
    assert (response.status_code, response.json()["error"]["param"]) == (400, next(iter(query)))


async def test_a_server_can_go_without_keys() -> None:
    async with bench("sglang", api_key=None) as made:
        del made.caller.headers["Authorization"]
        assert (await made.caller.post("/v1/videos", json=JSON)).status_code == 200
