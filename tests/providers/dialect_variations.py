"""Creates that ask for more than the defaults, in the words of each dialect, and what then reaches the provider."""

from typing import Final

from tests.providers.matrix import CONCURRED, GEEKHUB, KYMA, NATIVE
from tests.providers.orders import (
    AS_WRITTEN,
    DATA_URL,
    FAL_VEO,
    FAL_VEO_FAST,
    FIRST,
    FROM_IMAGE,
    FROM_TEXT,
    FULL_HD,
    HAILUO,
    HD,
    KLING_2,
    KLING_3,
    KLING_25,
    LUMA,
    SEEDANCE,
    SEEDANCE_FAST,
    SILENCE,
    SOUND,
    UNEXPANDED,
    VEO,
    VEO_FAST,
    VEO_PICTURE,
    WAN,
    fal,
    minimax,
    vertex,
)
from tests.providers.variations import PICTURE, TALL, TALL_SILENT_VEO, TALL_VEO, WIDE_VEO, variation
from tests.support.images import IMAGE_URL

ON_GEEKHUB: Final = (
    variation(GEEKHUB, "google/veo-3.1", 42_000_000, vertex(VEO, 5, durationSeconds=6, **TALL_VEO), duration=5, **TALL),
    variation(
        GEEKHUB, "google/veo-3", 21_000_000, vertex(VEO, 5, durationSeconds=6, **TALL_SILENT_VEO), duration=5, **TALL
    ),
    variation(
        GEEKHUB,
        "fal/veo-3.1",
        25_200_000,
        fal(FAL_VEO, 3, 4, duration="4s", **TALL, **HD, **SOUND, auto_fix=False),
        duration=3,
        **TALL,
    ),
    variation(GEEKHUB, "fal/luma-ray-2", 37_800_000, fal(LUMA, 9, 9, duration="9s", **TALL, **HD), duration=9, **TALL),
    variation(
        GEEKHUB,
        "fal/kling-2",
        8_400_000,
        fal(KLING_2 + FROM_TEXT, 10, 10, duration="10", aspect_ratio="1:1"),
        duration=10,
        aspect_ratio="1:1",
    ),
    variation(
        GEEKHUB, "fal/hailuo-02", 4_200_000, fal(HAILUO + FROM_TEXT, 5, 6, duration="6", **AS_WRITTEN), duration=5
    ),
)

# What a surface does not document, it does not know.
IGNORED: Final = (
    variation(
        GEEKHUB,
        "fal/kling-2",
        4_200_000,
        fal(KLING_2 + FROM_TEXT, 5, 5, duration="5", aspect_ratio="16:9"),
        image_url=DATA_URL,
        resolution="4k",
        extra={"duration": "10"},
    ),
    variation(
        KYMA,
        "seedance-2-fast",
        1_632_825,
        fal(SEEDANCE_FAST + FROM_TEXT, 5, 5, duration="5", aspect_ratio="16:9", **HD, **SOUND),
        resolution="480p",
        aspect_ratio="1:1",
        parameters={"duration": "10"},
    ),
    variation(
        CONCURRED,
        "veo-3.1",
        0,
        vertex(VEO, 8, durationSeconds=8, **WIDE_VEO),
        extra={"durationSeconds": 4},
        clip_duration="4s",
    ),
)

ON_KYMA: Final = (
    variation(
        KYMA,
        "kling-2.5-pro",
        567_000,
        fal(KLING_25 + FROM_TEXT, 6, 10, duration="10", **TALL, cfg_scale=0.7, negative_prompt="blur"),
        duration=6,
        extra={"aspect_ratio": "9:16", "cfg_scale": 0.7, "negative_prompt": "blur"},
    ),
    variation(
        KYMA,
        "kling-2.5-pro",
        945_000,
        fal(KLING_25 + FROM_IMAGE, 10, 10, duration="10", **FIRST, tail_image_url="https://images.test/last.png"),
        duration=10,
        extra={"aspect_ratio": "1:1", "tail_image_url": "https://images.test/last.png"},
        **PICTURE,
    ),
    variation(
        KYMA,
        "kling-3-pro",
        302_400,
        fal(KLING_3 + FROM_IMAGE, 2, 3, duration="3", start_image_url=IMAGE_URL, **SILENCE),
        duration=2,
        **PICTURE,
    ),
    variation(
        KYMA,
        "kling-3-pro-audio",
        2_268_000,
        fal(KLING_3 + FROM_TEXT, 10, 10, duration="10", aspect_ratio="1:1", **SOUND, shot_type="intelligent"),
        duration=10,
        extra={"aspect_ratio": "1:1", "shot_type": "intelligent"},
    ),
    variation(
        KYMA,
        "seedance-2-pro",
        4_095_900,
        fal(SEEDANCE + FROM_IMAGE, 10, 10, duration="10", aspect_ratio="3:4", **HD, **SOUND, **FIRST),
        duration=10,
        extra={"aspect_ratio": "3:4"},
        **PICTURE,
    ),
    variation(
        KYMA,
        "seedance-2-fast",
        326_565,
        fal(SEEDANCE_FAST + FROM_TEXT, 1, 4, duration="4", aspect_ratio="4:3", **HD, **SOUND),
        duration=1,
        extra={"aspect_ratio": "4:3"},
    ),
    variation(KYMA, "hailuo-02-512p", 160_650, minimax(7, duration=10, resolution="768P"), duration=7),
    # The customer may want the prompt rewritten.
    variation(
        KYMA,
        "hailuo-02-768p",
        364_500,
        minimax(6, duration=6, resolution="768P", prompt_optimizer=True, aigc_watermark=True),
        duration=6,
        extra={"prompt_optimizer": True, "aigc_watermark": True},
    ),
    variation(
        KYMA,
        "hailuo-02-1080p",
        108_000,
        minimax(1, duration=6, resolution="1080P", first_frame_image=IMAGE_URL),
        duration=1,
        **PICTURE,
    ),
    variation(
        KYMA,
        "veo-3-fast",
        810_000,
        vertex(VEO_FAST, 6, durationSeconds=6, **TALL_SILENT_VEO, seed=42, negativePrompt="blur"),
        duration=6,
        extra={"aspect_ratio": "9:16", "seed": 42, "negativePrompt": "blur"},
    ),
    variation(
        KYMA,
        "veo-3",
        4_320_000,
        vertex(VEO, 8, durationSeconds=8, aspectRatio="9:16", resolution="1080p", generateAudio=True),
        duration=8,
        extra={"aspect_ratio": "9:16"},
    ),
)

ON_CONCURRED: Final = (
    variation(CONCURRED, "veo-3.1", 0, vertex(VEO, 4, durationSeconds=4, **TALL_VEO), duration="4", **TALL),
    variation(
        CONCURRED,
        "veo-3.1",
        0,
        vertex(
            VEO, 8, image=VEO_PICTURE, durationSeconds=8, aspectRatio="16:9", resolution="1080p", generateAudio=True
        ),
        duration="8",
        resolution="1080p",
        **PICTURE,
    ),
    variation(
        CONCURRED,
        "veo-3.1-fast",
        0,
        vertex(VEO_FAST, 8, durationSeconds=8, aspectRatio="9:16", resolution="4k", generateAudio=True),
        duration="8",
        resolution="4k",
        **TALL,
    ),
    variation(CONCURRED, "veo-3.1-fast", 0, vertex(VEO_FAST, 6, durationSeconds=6, **WIDE_VEO), duration="6"),
    # Length and resolution are documented for Veo alone, and otherwise ignored.
    variation(
        CONCURRED,
        "kling-3-pro",
        0,
        fal(KLING_3 + FROM_TEXT, 5, 5, duration="5", **TALL, **SILENCE),
        duration="8",
        resolution="720p",
        **TALL,
    ),
    variation(
        CONCURRED,
        "wan-2.6",
        0,
        fal(WAN + FROM_TEXT, 5, 5, duration="5", **TALL, **FULL_HD, **UNEXPANDED),
        **TALL,
    ),
    variation(
        CONCURRED,
        "wan-2.6-i2v",
        0,
        fal(WAN + FROM_IMAGE, 5, 5, duration="5", **FULL_HD, **UNEXPANDED, **FIRST),
        **TALL,
        **PICTURE,
    ),
)

ON_VEO_OF_FAL: Final = (
    variation(
        NATIVE,
        "veo-3.1-fast",
        600_000,
        fal(FAL_VEO_FAST, 6, 6, duration="6s", **TALL, resolution="4k", **SOUND, auto_fix=True, seed=42),
        clip_duration="6s",
        resolution="4k",
        extra={"auto_fix": True, "seed": 42},
        **TALL,
    ),
    variation(
        KYMA,
        "veo-3",
        2_160_000,
        fal(FAL_VEO + FROM_IMAGE, 4, 4, duration="4s", **TALL, **FULL_HD, **SOUND, **FIRST),
        duration=4,
        extra={"aspect_ratio": "9:16"},
        **PICTURE,
    ),
    variation(
        CONCURRED,
        "veo-3.1",
        0,
        fal(FAL_VEO, 4, 4, duration="4s", **TALL, **FULL_HD, **SOUND, auto_fix=False),
        duration="4",
        resolution="1080p",
        **TALL,
    ),
)
"""Where only fal is configured."""
