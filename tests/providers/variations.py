"""Creates that ask for more than the defaults, natively, and what then reaches the provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.providers.matrix import NATIVE
from tests.providers.orders import (
    AS_WRITTEN,
    DATA_URL,
    FAL_VEO,
    FIRST,
    FROM_IMAGE,
    FROM_TEXT,
    FULL_HD,
    HAILUO,
    HD,
    KLING_2,
    KLING_3,
    LUMA,
    SEEDANCE,
    SILENCE,
    SOUND,
    UNEXPANDED,
    VEO,
    VEO_FAST,
    VEO_PICTURE,
    WAN,
    Order,
    fal,
    minimax,
    vertex,
)
from tests.support.images import IMAGE_URL


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One create, and what follows from it."""

    surface: str
    model: str
    asked: Mapping[str, Any]
    """Beside model and prompt, as the surface calls it."""
    order: Order
    price_micros: int
    """What the customer is charged, in millionths of the account's currency."""

    def __str__(self) -> str:
        """The test's id."""
        values = (f"{name}={'data' if value == DATA_URL else value}" for name, value in self.asked.items())
        return f"{self.surface}-{self.model}-{','.join(values)}".replace(IMAGE_URL, "address").replace(" ", "")


def variation(surface: str, model: str, price_micros: int, order: Order, **asked: Any) -> Variation:
    return Variation(surface=surface, model=model, asked=asked, order=order, price_micros=price_micros)


TALL: Final = {"aspect_ratio": "9:16"}
PICTURE: Final = {"image_url": IMAGE_URL}
TALL_VEO: Final[dict[str, Any]] = {"aspectRatio": "9:16", "resolution": "720p", "generateAudio": True}
WIDE_VEO: Final[dict[str, Any]] = {"aspectRatio": "16:9", "resolution": "720p", "generateAudio": True}
TALL_SILENT_VEO: Final[dict[str, Any]] = {"aspectRatio": "9:16", "resolution": "720p", "generateAudio": False}

NATIVELY: Final = (
    variation(
        NATIVE, "google/veo-3.1", 2_000_000, vertex(VEO, 5, durationSeconds=6, **TALL_VEO), clip_duration="5s", **TALL
    ),
    variation(
        NATIVE,
        "google/veo-3",
        600_000,
        vertex(VEO, 3, durationSeconds=4, **TALL_SILENT_VEO),
        clip_duration="3s",
        **TALL,
    ),
    variation(
        NATIVE,
        "fal/veo-3.1",
        400_000,
        fal(FAL_VEO, 1, 4, duration="4s", **TALL, **HD, **SOUND, auto_fix=False),
        clip_duration="1s",
        **TALL,
    ),
    variation(
        NATIVE,
        "fal/veo-3.1",
        2_800_000,
        fal(FAL_VEO + FROM_IMAGE, 7, 8, duration="8s", **TALL, **HD, **SOUND, **FIRST),
        clip_duration="7s",
        **TALL,
        **PICTURE,
    ),
    variation(
        NATIVE,
        "fal/luma-ray-2",
        1_200_000,
        fal(LUMA + FROM_IMAGE, 6, 9, duration="9s", **TALL, **HD, **FIRST),
        clip_duration="6s",
        **TALL,
        **PICTURE,
    ),
    variation(
        NATIVE,
        "fal/kling-2",
        240_000,
        fal(KLING_2 + FROM_TEXT, 6, 10, duration="10", aspect_ratio="1:1"),
        clip_duration="6s",
        aspect_ratio="1:1",
    ),
    # From an image Kling, Hailuo and Wan have no field for the ratio: they follow the image.
    variation(
        NATIVE, "fal/kling-2", 200_000, fal(KLING_2 + FROM_IMAGE, 5, 5, duration="5", **FIRST), **TALL, **PICTURE
    ),
    variation(
        NATIVE,
        "fal/hailuo-02",
        280_000,
        fal(HAILUO + FROM_IMAGE, 7, 10, duration="10", resolution="768P", **AS_WRITTEN, **FIRST),
        clip_duration="7s",
        **PICTURE,
    ),
    variation(
        NATIVE,
        "kling-3-pro",
        112_000,
        fal(KLING_3 + FROM_TEXT, 1, 3, duration="3", aspect_ratio="1:1", **SILENCE),
        clip_duration="1s",
        aspect_ratio="1:1",
        resolution="1080p",
    ),
    variation(
        NATIVE,
        "seedance-2-pro",
        606_800,
        fal(SEEDANCE + FROM_TEXT, 2, 4, duration="4", aspect_ratio="21:9", **HD, **SOUND),
        clip_duration="2s",
        aspect_ratio="21:9",
    ),
    variation(
        NATIVE,
        "hailuo-02-512p",
        136_000,
        minimax(8, duration=10, resolution="512P", first_frame_image=IMAGE_URL),
        clip_duration="8s",
        **PICTURE,
    ),
    variation(
        NATIVE,
        "veo-3-fast",
        400_000,
        vertex(VEO_FAST, 4, durationSeconds=4, **TALL_SILENT_VEO),
        clip_duration="4s",
        **TALL,
    ),
    variation(
        NATIVE,
        "veo-3.1",
        3_200_000,
        vertex(VEO, 8, image=VEO_PICTURE, durationSeconds=8, aspectRatio="9:16", resolution="4k", generateAudio=True),
        resolution="4k",
        **TALL,
        **PICTURE,
    ),
    variation(
        NATIVE,
        "wan-2.6",
        500_000,
        fal(WAN + FROM_TEXT, 10, 10, duration="10", **TALL, **FULL_HD, **UNEXPANDED),
        clip_duration="10s",
        **TALL,
    ),
    variation(
        NATIVE,
        "wan-2.6-i2v",
        750_000,
        fal(WAN + FROM_IMAGE, 15, 15, duration="15", **FULL_HD, **UNEXPANDED, **FIRST),
        clip_duration="15s",
        **PICTURE,
    ),
)

WITH_DATA: Final = (
    # fal and MiniMax take the same text, and call it by the name that they have for an address.
    variation(
        NATIVE,
        "fal/veo-3.1",
        3_200_000,
        fal(FAL_VEO + FROM_IMAGE, 8, 8, duration="8s", aspect_ratio="16:9", **HD, **SOUND, image_url=DATA_URL),
        image_url=DATA_URL,
    ),
    variation(
        NATIVE,
        "kling-3-pro-i2v",
        560_000,
        fal(KLING_3 + FROM_IMAGE, 5, 5, duration="5", start_image_url=DATA_URL, **SILENCE),
        image_url=DATA_URL,
    ),
    variation(
        NATIVE,
        "hailuo-02-512p",
        85_000,
        minimax(5, duration=6, resolution="512P", first_frame_image=DATA_URL),
        image_url=DATA_URL,
    ),
    variation(
        NATIVE,
        "veo-3.1",
        3_200_000,
        vertex(VEO, 8, image=VEO_PICTURE, durationSeconds=8, **WIDE_VEO),
        image_url=DATA_URL,
    ),
)
"""Images that come with the request, natively: one for each provider, and for each name that fal has for them."""
