"""Every model of the catalogue that fal renders, through real HTTP: where its order arrives, and as what."""

from typing import Any

import pytest

from reelgate_server.domain.ids import ModelId, ProviderName
from reelgate_server.ports.provider import ImageUrl, TaskDone
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.fal_inputs import ENDPOINTS, problems, unlisted
from tests.adapters.fal.samples import PHOTO, PROMPT, make_order, make_provider
from tests.domain.builders import CATALOGUE
from tests.support.waiting import wait_for_end

FAL = ProviderName("fal")
WIDE = {"aspect_ratio": "16:9"}
HD = {"resolution": "720p"}
FULL_HD = {"resolution": "1080p"}
SOUND, SILENCE = {"generate_audio": True}, {"generate_audio": False}
AS_WRITTEN = {"prompt_optimizer": False}
VEO = {"duration": "8s", **WIDE}
PHOTO_FIRST = {"image_url": PHOTO}
WAN = {"duration": "5", **FULL_HD, "enable_prompt_expansion": False}

TEXT, IMAGE = "text", "image"

EXPECTED: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("fal/veo-3.1", TEXT): ("fal-ai/veo3.1", {**VEO, **HD, **SOUND, "auto_fix": False}),
    ("fal/veo-3.1", IMAGE): ("fal-ai/veo3.1/image-to-video", {**VEO, **HD, **SOUND, **PHOTO_FIRST}),
    ("fal/luma-ray-2", TEXT): ("fal-ai/luma-dream-machine/ray-2", {"duration": "5s", **WIDE, **HD}),
    ("fal/luma-ray-2", IMAGE): (
        "fal-ai/luma-dream-machine/ray-2/image-to-video",
        {"duration": "5s", **WIDE, **HD, **PHOTO_FIRST},
    ),
    ("fal/kling-2", TEXT): ("fal-ai/kling-video/v2/master/text-to-video", {"duration": "5", **WIDE}),
    ("fal/kling-2", IMAGE): ("fal-ai/kling-video/v2/master/image-to-video", {"duration": "5", **PHOTO_FIRST}),
    ("fal/hailuo-02", TEXT): ("fal-ai/minimax/hailuo-02/standard/text-to-video", {"duration": "6", **AS_WRITTEN}),
    ("fal/hailuo-02", IMAGE): (
        "fal-ai/minimax/hailuo-02/standard/image-to-video",
        {"duration": "6", "resolution": "768P", **AS_WRITTEN, **PHOTO_FIRST},
    ),
    ("kling-2.5-pro", TEXT): ("fal-ai/kling-video/v2.5-turbo/pro/text-to-video", {"duration": "5", **WIDE}),
    ("kling-2.5-pro", IMAGE): ("fal-ai/kling-video/v2.5-turbo/pro/image-to-video", {"duration": "5", **PHOTO_FIRST}),
    ("kling-3-pro", TEXT): ("fal-ai/kling-video/v3/pro/text-to-video", {"duration": "5", **WIDE, **SILENCE}),
    ("kling-3-pro", IMAGE): (
        "fal-ai/kling-video/v3/pro/image-to-video",
        {"duration": "5", "start_image_url": PHOTO, **SILENCE},
    ),
    ("kling-3-pro-audio", TEXT): ("fal-ai/kling-video/v3/pro/text-to-video", {"duration": "5", **WIDE, **SOUND}),
    ("kling-3-pro-audio", IMAGE): (
        "fal-ai/kling-video/v3/pro/image-to-video",
        {"duration": "5", "start_image_url": PHOTO, **SOUND},
    ),
    ("seedance-2-pro", TEXT): ("bytedance/seedance-2.0/text-to-video", {"duration": "5", **WIDE, **HD, **SOUND}),
    ("seedance-2-pro", IMAGE): (
        "bytedance/seedance-2.0/image-to-video",
        {"duration": "5", **WIDE, **HD, **SOUND, **PHOTO_FIRST},
    ),
    ("seedance-2-fast", TEXT): ("bytedance/seedance-2.0/fast/text-to-video", {"duration": "5", **WIDE, **HD, **SOUND}),
    ("seedance-2-fast", IMAGE): (
        "bytedance/seedance-2.0/fast/image-to-video",
        {"duration": "5", **WIDE, **HD, **SOUND, **PHOTO_FIRST},
    ),
    ("hailuo-02-512p", TEXT): ("fal-ai/minimax/hailuo-02/standard/text-to-video", {"duration": "6", **AS_WRITTEN}),
    ("hailuo-02-512p", IMAGE): (
        "fal-ai/minimax/hailuo-02/standard/image-to-video",
        {"duration": "6", "resolution": "512P", **AS_WRITTEN, **PHOTO_FIRST},
    ),
    ("hailuo-02-768p", TEXT): ("fal-ai/minimax/hailuo-02/standard/text-to-video", {"duration": "6", **AS_WRITTEN}),
    ("hailuo-02-768p", IMAGE): (
        "fal-ai/minimax/hailuo-02/standard/image-to-video",
        {"duration": "6", "resolution": "768P", **AS_WRITTEN, **PHOTO_FIRST},
    ),
    ("hailuo-02-1080p", TEXT): ("fal-ai/minimax/hailuo-02/pro/text-to-video", AS_WRITTEN),
    ("hailuo-02-1080p", IMAGE): ("fal-ai/minimax/hailuo-02/pro/image-to-video", {**AS_WRITTEN, **PHOTO_FIRST}),
    ("veo-3-fast", TEXT): ("fal-ai/veo3.1/fast", {**VEO, **HD, **SILENCE, "auto_fix": False}),
    ("veo-3-fast", IMAGE): ("fal-ai/veo3.1/fast/image-to-video", {**VEO, **HD, **SILENCE, **PHOTO_FIRST}),
    ("veo-3", TEXT): ("fal-ai/veo3.1", {**VEO, **FULL_HD, **SOUND, "auto_fix": False}),
    ("veo-3", IMAGE): ("fal-ai/veo3.1/image-to-video", {**VEO, **FULL_HD, **SOUND, **PHOTO_FIRST}),
    ("veo-3.1", TEXT): ("fal-ai/veo3.1", {**VEO, **HD, **SOUND, "auto_fix": False}),
    ("veo-3.1", IMAGE): ("fal-ai/veo3.1/image-to-video", {**VEO, **HD, **SOUND, **PHOTO_FIRST}),
    ("veo-3.1-fast", TEXT): ("fal-ai/veo3.1/fast", {**VEO, **HD, **SOUND, "auto_fix": False}),
    ("veo-3.1-fast", IMAGE): ("fal-ai/veo3.1/fast/image-to-video", {**VEO, **HD, **SOUND, **PHOTO_FIRST}),
    ("kling-3-pro-i2v", IMAGE): (
        "fal-ai/kling-video/v3/pro/image-to-video",
        {"duration": "5", "start_image_url": PHOTO, **SILENCE},
    ),
    ("wan-2.6", TEXT): ("wan/v2.6/text-to-video", {**WAN, **WIDE}),
    ("wan-2.6-i2v", IMAGE): ("wan/v2.6/image-to-video", {**WAN, **PHOTO_FIRST}),
}
"""By model and kind of input; with the defaults of the catalogue."""


def rows_of_fal() -> set[tuple[str, str]]:
    routes = [(model.model_id, route) for model in CATALOGUE.all() if (route := model.route(FAL))]
    living = [(model_id, route) for model_id, route in routes if route.withdrawn is None]
    return {
        (model_id, kind)
        for model_id, route in living
        for kind in (TEXT, IMAGE)
        if route.endpoint(has_image=kind == IMAGE) is not None
    }


def test_every_model_and_input_is_in_the_table() -> None:
    assert rows_of_fal() == set(EXPECTED)


@pytest.mark.parametrize(("model_id", "kind"), EXPECTED)
async def test_a_model_of_the_catalogue_arrives_as_documented_and_is_rendered(model_id: str, kind: str) -> None:
    endpoint, fields = EXPECTED[model_id, kind]
    model = CATALOGUE.row(ModelId(model_id))
    assert model is not None
    route = model.route(FAL)
    assert route is not None
    assert route.endpoint(has_image=kind == IMAGE) == endpoint
    order = make_order(
        endpoint=endpoint,
        seconds=route.render_duration_s(model.duration_default_s, model.resolutions[0]),
        aspect_ratio=model.aspect_ratios[0],
        resolution=model.resolutions[0],
        has_audio=model.has_audio,
        image=ImageUrl(PHOTO) if kind == IMAGE else None,
    )
    async with FalSimulator(render_s=0) as fal, make_provider(fal.base_url) as provider:
        end = await wait_for_end(provider, (await provider.submit(order)).task)
        [arrived] = fal.requests_of("submit")
    assert isinstance(end, TaskDone)
    assert arrived.path == f"/{endpoint}"
    assert arrived.body == {"prompt": PROMPT, **fields}
    assert problems(endpoint, arrived.body) == []
    assert endpoint in ENDPOINTS
    assert unlisted(endpoint, arrived.body) == set()
