"""Every documented endpoint of fal: what it accepts, and what it refuses, with the documented type of problem."""

from typing import Any

import pytest

from reelgate_simulators.fal_inputs import ENDPOINTS, clip_duration_s, problems, unlisted

IMAGE = "https://example.com/a.png"
HAILUO = "fal-ai/minimax/hailuo-02"

GOOD: list[tuple[str, dict[str, Any], float]] = [
    ("fal-ai/veo3.1", {"duration": "6s", "aspect_ratio": "9:16", "resolution": "4k", "generate_audio": False}, 6),
    ("fal-ai/veo3.1", {"auto_fix": False, "safety_tolerance": "6", "seed": 7, "negative_prompt": "blur"}, 8),
    ("fal-ai/veo3.1/image-to-video", {"image_url": IMAGE, "aspect_ratio": "auto", "duration": "4s"}, 4),
    ("fal-ai/veo3.1/fast", {"duration": "8s"}, 8),
    ("fal-ai/veo3.1/fast/image-to-video", {"image_url": "data:image/png;base64,AAAA"}, 8),
    ("fal-ai/veo3", {"resolution": "1080p"}, 8),
    ("fal-ai/veo3/fast/image-to-video", {"image_url": IMAGE}, 8),
    ("fal-ai/luma-dream-machine/ray-2", {"duration": "9s", "aspect_ratio": "9:21", "loop": True}, 9),
    ("fal-ai/luma-dream-machine/ray-2/image-to-video", {"end_image_url": IMAGE, "resolution": "540p"}, 5),
    ("fal-ai/kling-video/v2/master/text-to-video", {"duration": "10", "aspect_ratio": "1:1", "cfg_scale": 0.5}, 10),
    ("fal-ai/kling-video/v2/master/image-to-video", {"image_url": IMAGE}, 5),
    ("fal-ai/kling-video/v2.5-turbo/pro/image-to-video", {"image_url": IMAGE, "tail_image_url": IMAGE}, 5),
    ("fal-ai/kling-video/v3/pro/text-to-video", {"duration": "15", "generate_audio": False}, 15),
    ("fal-ai/kling-video/v3/pro/image-to-video", {"start_image_url": IMAGE, "duration": "3"}, 3),
    ("fal-ai/minimax/hailuo-02/standard/text-to-video", {"duration": "10", "prompt_optimizer": False}, 10),
    ("fal-ai/minimax/hailuo-02/standard/image-to-video", {"image_url": IMAGE, "resolution": "512P"}, 6),
    ("fal-ai/minimax/hailuo-02-fast/image-to-video", {"image_url": IMAGE, "duration": "6"}, 6),
    ("fal-ai/minimax/hailuo-02/pro/text-to-video", {}, 6),
    ("fal-ai/minimax/hailuo-02/pro/image-to-video", {"image_url": IMAGE, "end_image_url": IMAGE}, 6),
    ("bytedance/seedance-2.0/text-to-video", {"duration": "auto", "resolution": "4k", "bitrate_mode": "high"}, 5),
    ("bytedance/seedance-2.0/fast/image-to-video", {"image_url": IMAGE, "duration": "15", "resolution": "480p"}, 15),
    ("wan/v2.6/text-to-video", {"duration": "15", "multi_shots": False, "enable_prompt_expansion": False}, 15),
    ("wan/v2.6/image-to-video", {"image_url": IMAGE, "resolution": "720p"}, 5),
    ("wan/v2.6/image-to-video/flash", {"image_url": IMAGE, "generate_audio": False}, 5),
    ("somebody/something", {"whatever": 1, "duration": "12"}, 12),
]

BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("fal-ai/veo3.1", {"duration": "8"}, "duration", "one_of"),
    ("fal-ai/veo3.1", {"aspect_ratio": "auto"}, "aspect_ratio", "one_of"),
    ("fal-ai/veo3.1", {"generate_audio": "false"}, "generate_audio", "bool_type"),
    ("fal-ai/veo3.1", {"prompt": ""}, "prompt", "sequence_too_short"),
    ("fal-ai/veo3.1", {"seed": "7"}, "seed", "float_type"),
    ("fal-ai/veo3.1/image-to-video", {}, "image_url", "missing"),
    ("fal-ai/veo3.1/image-to-video", {"image_url": "gs://bucket/a.png"}, "image_url", "file_download_error"),
    ("fal-ai/veo3", {"resolution": "4k"}, "resolution", "one_of"),
    ("fal-ai/luma-dream-machine/ray-2", {"duration": "5"}, "duration", "one_of"),
    ("fal-ai/kling-video/v2/master/text-to-video", {"duration": "5s"}, "duration", "one_of"),
    ("fal-ai/kling-video/v2/master/text-to-video", {"duration": 5}, "duration", "string_type"),
    ("fal-ai/kling-video/v3/pro/text-to-video", {"multi_prompt": []}, "prompt", "value_error"),
    ("fal-ai/kling-video/v3/pro/image-to-video", {"image_url": IMAGE}, "start_image_url", "missing"),
    (f"{HAILUO}/standard/image-to-video", {"image_url": IMAGE, "resolution": "512p"}, "resolution", "one_of"),
    (f"{HAILUO}/pro/image-to-video", {}, "image_url", "missing"),
    ("bytedance/seedance-2.0/fast/text-to-video", {"resolution": "1080p"}, "resolution", "one_of"),
    ("bytedance/seedance-2.0/text-to-video", {"duration": "3"}, "duration", "one_of"),
    ("wan/v2.6/text-to-video", {"prompt": "x" * 801}, "prompt", "sequence_too_long"),
    ("wan/v2.6/text-to-video", {"negative_prompt": "x" * 501}, "negative_prompt", "sequence_too_long"),
    ("wan/v2.6/image-to-video", {"image_url": None}, "image_url", "string_type"),
]  # fmt: skip


@pytest.mark.parametrize(("endpoint", "body", "seconds"), GOOD)
def test_a_documented_input_is_accepted(endpoint: str, body: dict[str, Any], seconds: float) -> None:
    body = {"prompt": "a fox"} | body
    assert problems(endpoint, body) == []
    assert unlisted(endpoint, body) == set()
    assert clip_duration_s(endpoint, body) == seconds


@pytest.mark.parametrize(("endpoint", "body", "member", "kind"), BAD)
def test_another_input_is_refused(endpoint: str, body: dict[str, Any], member: str, kind: str) -> None:
    [problem] = problems(endpoint, {"prompt": "a fox"} | body)
    assert (problem["loc"], problem["type"]) == (["body", member], kind)
    assert problem["url"].endswith(f"#{kind}")
    assert isinstance(problem["msg"], str)


def test_every_problem_is_named() -> None:
    found = problems("fal-ai/veo3.1/image-to-video", {"duration": "5s"})
    assert [problem["loc"][1] for problem in found] == ["prompt", "duration", "image_url"]


def test_a_body_that_is_no_object_is_refused() -> None:
    assert problems("anybody/anything", ["x"])[0]["type"] == "dict_type"


def test_what_is_not_listed_is_accepted_and_can_be_named() -> None:
    endpoint = "fal-ai/kling-video/v2/master/image-to-video"
    body = {"prompt": "a fox", "image_url": IMAGE, "aspect_ratio": "16:9"}
    assert problems(endpoint, body) == []
    assert unlisted(endpoint, body) == {"aspect_ratio"}


def test_all_documented_endpoints_are_there() -> None:
    assert len(ENDPOINTS) == 28
