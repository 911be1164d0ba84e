"""What each documented endpoint is asked, field by field."""

from typing import Any

import pytest

from reelgate_server.adapters.providers.fal.request import ENDPOINTS, to_request
from reelgate_server.domain.extra import extra_violations
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import ImageBytes, ImageUrl
from reelgate_simulators.fal_inputs import ENDPOINTS as DOCUMENTED
from reelgate_simulators.fal_inputs import problems, unlisted
from tests.adapters.fal.samples import KLING, KLING_FROM_IMAGE, PHOTO, PROMPT, make_order

VEO = {"duration": "8s", "aspect_ratio": "9:16", "resolution": "720p", "generate_audio": True}
SEEDANCE = {"duration": "8", "aspect_ratio": "9:16", "resolution": "720p", "generate_audio": True}
LUMA = {"duration": "9s", "aspect_ratio": "9:16", "resolution": "720p"}
WAN = {"duration": "10", "resolution": "720p", "enable_prompt_expansion": False}
WAN_TEXT = {**WAN, "aspect_ratio": "9:16"}
HAILUO = {"duration": "6", "prompt_optimizer": False}
HAILUO_IMAGE = {**HAILUO, "resolution": "720P", "image_url": PHOTO}
HAILUO_PRO = {"prompt_optimizer": False}

EXPECTED: list[tuple[str, int, dict[str, Any]]] = [
    ("fal-ai/veo3.1", 8, {**VEO, "auto_fix": False}),
    ("fal-ai/veo3.1/image-to-video", 8, {**VEO, "image_url": PHOTO}),
    ("fal-ai/veo3.1/fast", 8, {**VEO, "auto_fix": False}),
    ("fal-ai/veo3.1/fast/image-to-video", 8, {**VEO, "image_url": PHOTO}),
    ("fal-ai/veo3", 8, {**VEO, "auto_fix": False}),
    ("fal-ai/veo3/image-to-video", 8, {**VEO, "image_url": PHOTO}),
    ("fal-ai/veo3/fast", 8, {**VEO, "auto_fix": False}),
    ("fal-ai/veo3/fast/image-to-video", 8, {**VEO, "image_url": PHOTO}),
    ("fal-ai/luma-dream-machine/ray-2", 9, LUMA),
    ("fal-ai/luma-dream-machine/ray-2/image-to-video", 9, {**LUMA, "image_url": PHOTO}),
    ("fal-ai/kling-video/v2/master/text-to-video", 10, {"duration": "10", "aspect_ratio": "9:16"}),
    ("fal-ai/kling-video/v2/master/image-to-video", 10, {"duration": "10", "image_url": PHOTO}),
    ("fal-ai/kling-video/v2.5-turbo/pro/text-to-video", 10, {"duration": "10", "aspect_ratio": "9:16"}),
    ("fal-ai/kling-video/v2.5-turbo/pro/image-to-video", 10, {"duration": "10", "image_url": PHOTO}),
    (
        "fal-ai/kling-video/v3/pro/text-to-video",
        7,
        {"duration": "7", "aspect_ratio": "9:16", "generate_audio": True},
    ),
    (
        "fal-ai/kling-video/v3/pro/image-to-video",
        7,
        {"duration": "7", "start_image_url": PHOTO, "generate_audio": True},
    ),
    ("fal-ai/minimax/hailuo-02/standard/text-to-video", 6, HAILUO),
    ("fal-ai/minimax/hailuo-02/standard/image-to-video", 6, HAILUO_IMAGE),
    ("fal-ai/minimax/hailuo-02/pro/text-to-video", 6, HAILUO_PRO),
    ("fal-ai/minimax/hailuo-02/pro/image-to-video", 6, {**HAILUO_PRO, "image_url": PHOTO}),
    ("fal-ai/minimax/hailuo-02-fast/image-to-video", 6, {**HAILUO, "image_url": PHOTO}),
    ("bytedance/seedance-2.0/text-to-video", 8, SEEDANCE),
    ("bytedance/seedance-2.0/image-to-video", 8, {**SEEDANCE, "image_url": PHOTO}),
    ("bytedance/seedance-2.0/fast/text-to-video", 8, SEEDANCE),
    ("bytedance/seedance-2.0/fast/image-to-video", 8, {**SEEDANCE, "image_url": PHOTO}),
    ("wan/v2.6/text-to-video", 10, WAN_TEXT),
    ("wan/v2.6/image-to-video", 10, {**WAN, "image_url": PHOTO}),
    ("wan/v2.6/image-to-video/flash", 10, {**WAN, "image_url": PHOTO, "generate_audio": True}),
]  # fmt: skip


def image_for(endpoint: str) -> ImageUrl | None:
    return ImageUrl(PHOTO) if "image-to-video" in endpoint else None


@pytest.mark.parametrize(("endpoint", "seconds", "fields"), EXPECTED, ids=[row[0] for row in EXPECTED])
def test_an_endpoint_gets_the_fields_that_it_documents(endpoint: str, seconds: int, fields: dict[str, Any]) -> None:
    order = make_order(
        endpoint=endpoint, seconds=seconds, has_audio=True, aspect_ratio="9:16", image=image_for(endpoint)
    )
    body = to_request(order)
    assert body == {"prompt": PROMPT, **fields}
    assert unlisted(endpoint, body) == set()


def test_every_documented_endpoint_is_known() -> None:
    assert set(ENDPOINTS) == set(DOCUMENTED) == {row[0] for row in EXPECTED}


@pytest.mark.parametrize(
    "endpoint", [name for name, documented in DOCUMENTED.items() if "generate_audio" in documented.fields]
)
def test_silence_is_asked_for_wherever_sound_is_the_default(endpoint: str) -> None:
    order = make_order(endpoint=endpoint, seconds=8, has_audio=False, image=image_for(endpoint))
    assert to_request(order)["generate_audio"] is False


@pytest.mark.parametrize(
    ("endpoint", "seconds", "resolution", "written"),
    [
        ("fal-ai/veo3.1", 8, "4k", "4k"),
        ("fal-ai/veo3.1/fast/image-to-video", 8, "1080p", "1080p"),
        ("fal-ai/luma-dream-machine/ray-2", 5, "540p", "540p"),
        ("fal-ai/minimax/hailuo-02/standard/image-to-video", 6, "512p", "512P"),
        ("fal-ai/minimax/hailuo-02/standard/image-to-video", 6, "768p", "768P"),
        ("bytedance/seedance-2.0/text-to-video", 5, "480p", "480p"),
        ("wan/v2.6/image-to-video", 5, "1080p", "1080p"),
    ],
)
def test_a_resolution_is_written_as_the_endpoint_writes_it(
    endpoint: str, seconds: int, resolution: str, written: str
) -> None:
    body = to_request(make_order(endpoint=endpoint, seconds=seconds, resolution=resolution, image=image_for(endpoint)))
    assert body["resolution"] == written
    assert problems(endpoint, body) == []


def test_an_image_of_ours_goes_as_a_data_url() -> None:
    order = make_order(endpoint=KLING_FROM_IMAGE, image=ImageBytes(b"\x89PNG", "image/png"))
    assert str(to_request(order)["image_url"]) == "data:image/png;base64,iVBORw=="


@pytest.mark.parametrize(
    ("endpoint", "extra"),
    [
        ("fal-ai/veo3.1", {"auto_fix": True, "negative_prompt": "blur", "seed": 7, "safety_tolerance": "2"}),
        ("wan/v2.6/text-to-video", {"enable_prompt_expansion": True, "multi_shots": True}),
        ("fal-ai/minimax/hailuo-02/pro/text-to-video", {"prompt_optimizer": True}),
        ("fal-ai/kling-video/v2/master/text-to-video", {"cfg_scale": 0.7}),
    ],
)
def test_a_parameter_of_the_customers_is_passed_on_and_may_let_the_prompt_be_rewritten(
    endpoint: str, extra: dict[str, Any]
) -> None:
    body = to_request(make_order(endpoint=endpoint, seconds=5, extra=extra))
    assert {name: body[name] for name in extra} == extra


def test_what_an_order_decides_at_any_endpoint_is_refused_as_a_parameter_at_create() -> None:
    images = {shape.image_field for shape in ENDPOINTS.values() if shape.image_field is not None}
    assert images == {"image_url", "start_image_url"}
    names = {"prompt", "duration", "aspect_ratio", "resolution", "generate_audio"} | images
    refused = {violation.field for violation in extra_violations(dict.fromkeys(names, "x"))}
    assert refused == {f"extra.{name}" for name in names}


def test_what_an_order_decides_is_written_over_a_parameter() -> None:
    extra = {"prompt": "another", "duration": "10", "image_url": "https://example.com/other.jpg", "cfg_scale": 0.7}
    body = to_request(make_order(endpoint=KLING_FROM_IMAGE, image=ImageUrl(PHOTO), extra=extra))
    assert body == {"prompt": PROMPT, "duration": "5", "image_url": PHOTO, "cfg_scale": 0.7}


def test_an_endpoint_of_an_operators_own_is_asked_by_the_names_that_most_share() -> None:
    from_text = to_request(make_order(endpoint="somebody/new-model/text-to-video", seconds=7, has_audio=True))
    from_image = to_request(make_order(endpoint="somebody/new-model", image=ImageUrl(PHOTO), extra={"duration_s": 5}))
    assert from_text == {
        "prompt": PROMPT,
        "duration": "7",
        "aspect_ratio": "16:9",
        "resolution": "720p",
        "generate_audio": True,
    }
    assert from_image == {
        "prompt": PROMPT,
        "duration": "5",
        "resolution": "720p",
        "generate_audio": False,
        "image_url": PHOTO,
        "duration_s": 5,
    }


@pytest.mark.parametrize(
    ("order", "detail"),
    [
        (make_order(image=ImageUrl(PHOTO)), f"{KLING} renders from text alone"),
        (make_order(endpoint=KLING_FROM_IMAGE), f"{KLING_FROM_IMAGE} renders from an image"),
        (
            make_order(endpoint="fal-ai/minimax/hailuo-02/pro/text-to-video", seconds=10),
            "fal-ai/minimax/hailuo-02/pro/text-to-video renders 6 seconds and not 10",
        ),
    ],
)
def test_what_would_be_rendered_otherwise_than_ordered_is_not_sent(order: Any, detail: str) -> None:
    with pytest.raises(ProviderFault) as raised:
        to_request(order)
    assert raised.value.fault == Fault(kind=FaultKind.INVALID, detail=detail)
