"""What reaches a provider for each model and kind of input, asked for with nothing but a prompt and, at most, an image.

Written by hand from the providers' documents and not from the adapters, so that the two can disagree. Sources, read
2026-11-20: fal's typed endpoint map (fal-js `libs/client/src/types/endpoints.ts` at 381105e, and 9830f25 for Wan 2.6
from text); Google's reference of `predictLongRunning` for Veo; MiniMax's API reference, video generation v1.

What our own documents add to the providers': sound is always said where there is a word for it (the catalogue's row
decides), and no prompt is rewritten unasked (`auto_fix`, `prompt_optimizer` and `enable_prompt_expansion` are on by
default at fal and MiniMax).
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from tests.support.images import IMAGE_URL, PNG

PROMPT: Final = "a red fox walks through fresh snow"
PNG_TEXT: Final = b64encode(PNG).decode("ascii")
DATA_URL: Final = f"data:image/png;base64,{PNG_TEXT}"

FAL, VERTEX, MINIMAX = "fal", "vertex", "minimax"
TEXT, IMAGE = "text", "image"
GOOGLE: Final = "/v1/projects/film/locations/us-central1/publishers/google/models"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One submit, as it is on the wire."""

    provider: str
    endpoint: str
    """What the provider calls the model; fal and Google have it in the path."""
    body: Mapping[str, Any]
    clip_s: int
    """Seconds that the customer gets, and pays for."""
    render_s: int
    """Seconds that the provider is asked for."""

    @property
    def path(self) -> str:
        """Of the request."""
        match self.provider:
            case "vertex":
                return f"{GOOGLE}/{self.endpoint}:predictLongRunning"
            case "minimax":
                return "/v1/video_generation"
            case _:
                return f"/{self.endpoint}"


def fal(endpoint: str, clip_s: int, render_s: int, **fields: Any) -> Order:
    """A submit to fal: the input of the endpoint, without an envelope."""
    body = {"prompt": PROMPT, **fields}
    return Order(provider=FAL, endpoint=endpoint, body=body, clip_s=clip_s, render_s=render_s)


def vertex(endpoint: str, clip_s: int, *, image: Mapping[str, str] | None = None, **parameters: Any) -> Order:
    """A submit to Vertex AI: one instance, and parameters in camel case; one video is asked for."""
    instance = {"prompt": PROMPT} if image is None else {"prompt": PROMPT, "image": image}
    body = {"instances": [instance], "parameters": {"sampleCount": 1, **parameters}}
    return Order(provider=VERTEX, endpoint=endpoint, body=body, clip_s=clip_s, render_s=parameters["durationSeconds"])


def minimax(clip_s: int, **fields: Any) -> Order:
    """A submit to MiniMax: the model is a field among others."""
    body = {"model": "MiniMax-Hailuo-02", "prompt": PROMPT, "prompt_optimizer": False, **fields}
    return Order(provider=MINIMAX, endpoint="MiniMax-Hailuo-02", body=body, clip_s=clip_s, render_s=fields["duration"])


VEO: Final = "veo-3.1-generate-001"
VEO_FAST: Final = "veo-3.1-fast-generate-001"
VEO_PICTURE: Final = {"bytesBase64Encoded": PNG_TEXT, "mimeType": "image/png"}
"""Veo fetches nothing from the web: an address arrives as what is there."""
KLING_2, KLING_25 = "fal-ai/kling-video/v2/master", "fal-ai/kling-video/v2.5-turbo/pro"
KLING_3: Final = "fal-ai/kling-video/v3/pro"
LUMA: Final = "fal-ai/luma-dream-machine/ray-2"
HAILUO, HAILUO_PRO = "fal-ai/minimax/hailuo-02/standard", "fal-ai/minimax/hailuo-02/pro"
SEEDANCE, SEEDANCE_FAST = "bytedance/seedance-2.0", "bytedance/seedance-2.0/fast"
WAN: Final = "wan/v2.6"
FAL_VEO, FAL_VEO_FAST = "fal-ai/veo3.1", "fal-ai/veo3.1/fast"
FROM_TEXT, FROM_IMAGE = "/text-to-video", "/image-to-video"

VEO_8: Final[dict[str, Any]] = {"durationSeconds": 8, "aspectRatio": "16:9"}
FAL_VEO_8: Final[dict[str, Any]] = {"duration": "8s", "aspect_ratio": "16:9"}
SOUND, SILENCE = {"generate_audio": True}, {"generate_audio": False}
WIDE, HD, FULL_HD = {"aspect_ratio": "16:9"}, {"resolution": "720p"}, {"resolution": "1080p"}
FIRST: Final = {"image_url": IMAGE_URL}
AS_WRITTEN: Final = {"prompt_optimizer": False}
UNEXPANDED: Final = {"enable_prompt_expansion": False}

FIRST_ORDERS: Final[Mapping[tuple[str, str], Order]] = MappingProxyType(
    {
        # GeekHub's.
        ("google/veo-3.1", TEXT): vertex(VEO, 8, **VEO_8, resolution="720p", generateAudio=True),
        ("google/veo-3.1", IMAGE): vertex(VEO, 8, image=VEO_PICTURE, **VEO_8, resolution="720p", generateAudio=True),
        # Retired at Google; its successor, without sound.
        ("google/veo-3", TEXT): vertex(VEO, 8, **VEO_8, resolution="720p", generateAudio=False),
        ("google/veo-3", IMAGE): vertex(VEO, 8, image=VEO_PICTURE, **VEO_8, resolution="720p", generateAudio=False),
        ("fal/veo-3.1", TEXT): fal(FAL_VEO, 8, 8, **FAL_VEO_8, **HD, **SOUND, auto_fix=False),
        ("fal/veo-3.1", IMAGE): fal(FAL_VEO + FROM_IMAGE, 8, 8, **FAL_VEO_8, **HD, **SOUND, **FIRST),
        ("fal/luma-ray-2", TEXT): fal(LUMA, 5, 5, duration="5s", **WIDE, **HD),
        ("fal/luma-ray-2", IMAGE): fal(LUMA + FROM_IMAGE, 5, 5, duration="5s", **WIDE, **HD, **FIRST),
        ("fal/kling-2", TEXT): fal(KLING_2 + FROM_TEXT, 5, 5, duration="5", **WIDE),
        ("fal/kling-2", IMAGE): fal(KLING_2 + FROM_IMAGE, 5, 5, duration="5", **FIRST),
        ("fal/hailuo-02", TEXT): fal(HAILUO + FROM_TEXT, 6, 6, duration="6", **AS_WRITTEN),
        ("fal/hailuo-02", IMAGE): fal(
            HAILUO + FROM_IMAGE, 6, 6, duration="6", resolution="768P", **AS_WRITTEN, **FIRST
        ),
        # Kyma's.
        ("kling-2.5-pro", TEXT): fal(KLING_25 + FROM_TEXT, 5, 5, duration="5", **WIDE),
        ("kling-2.5-pro", IMAGE): fal(KLING_25 + FROM_IMAGE, 5, 5, duration="5", **FIRST),
        ("kling-3-pro", TEXT): fal(KLING_3 + FROM_TEXT, 5, 5, duration="5", **WIDE, **SILENCE),
        ("kling-3-pro", IMAGE): fal(KLING_3 + FROM_IMAGE, 5, 5, duration="5", start_image_url=IMAGE_URL, **SILENCE),
        ("kling-3-pro-audio", TEXT): fal(KLING_3 + FROM_TEXT, 5, 5, duration="5", **WIDE, **SOUND),
        ("kling-3-pro-audio", IMAGE): fal(KLING_3 + FROM_IMAGE, 5, 5, duration="5", start_image_url=IMAGE_URL, **SOUND),
        ("seedance-2-pro", TEXT): fal(SEEDANCE + FROM_TEXT, 5, 5, duration="5", **WIDE, **HD, **SOUND),
        ("seedance-2-pro", IMAGE): fal(SEEDANCE + FROM_IMAGE, 5, 5, duration="5", **WIDE, **HD, **SOUND, **FIRST),
        ("seedance-2-fast", TEXT): fal(SEEDANCE_FAST + FROM_TEXT, 5, 5, duration="5", **WIDE, **HD, **SOUND),
        ("seedance-2-fast", IMAGE): fal(SEEDANCE_FAST + FROM_IMAGE, 5, 5, duration="5", **WIDE, **HD, **SOUND, **FIRST),
        # MiniMax renders 512P from images only; from text its smallest is 768P.
        ("hailuo-02-512p", TEXT): minimax(5, duration=6, resolution="768P"),
        ("hailuo-02-512p", IMAGE): minimax(5, duration=6, resolution="512P", first_frame_image=IMAGE_URL),
        ("hailuo-02-768p", TEXT): minimax(5, duration=6, resolution="768P"),
        ("hailuo-02-768p", IMAGE): minimax(5, duration=6, resolution="768P", first_frame_image=IMAGE_URL),
        ("hailuo-02-1080p", TEXT): minimax(5, duration=6, resolution="1080P"),
        ("hailuo-02-1080p", IMAGE): minimax(5, duration=6, resolution="1080P", first_frame_image=IMAGE_URL),
        ("veo-3-fast", TEXT): vertex(VEO_FAST, 8, **VEO_8, resolution="720p", generateAudio=False),
        ("veo-3-fast", IMAGE): vertex(VEO_FAST, 8, image=VEO_PICTURE, **VEO_8, resolution="720p", generateAudio=False),
        ("veo-3", TEXT): vertex(VEO, 8, **VEO_8, resolution="1080p", generateAudio=True),
        ("veo-3", IMAGE): vertex(VEO, 8, image=VEO_PICTURE, **VEO_8, resolution="1080p", generateAudio=True),
        # Concurred's.
        ("veo-3.1", TEXT): vertex(VEO, 8, **VEO_8, resolution="720p", generateAudio=True),
        ("veo-3.1", IMAGE): vertex(VEO, 8, image=VEO_PICTURE, **VEO_8, resolution="720p", generateAudio=True),
        ("veo-3.1-fast", TEXT): vertex(VEO_FAST, 8, **VEO_8, resolution="720p", generateAudio=True),
        ("veo-3.1-fast", IMAGE): vertex(VEO_FAST, 8, image=VEO_PICTURE, **VEO_8, resolution="720p", generateAudio=True),
        ("kling-3-pro-i2v", IMAGE): fal(KLING_3 + FROM_IMAGE, 5, 5, duration="5", start_image_url=IMAGE_URL, **SILENCE),
        ("wan-2.6", TEXT): fal(WAN + FROM_TEXT, 5, 5, duration="5", **WIDE, **FULL_HD, **UNEXPANDED),
        ("wan-2.6-i2v", IMAGE): fal(WAN + FROM_IMAGE, 5, 5, duration="5", **FULL_HD, **UNEXPANDED, **FIRST),
    }
)
"""By model and kind of input: what the first provider of the row is asked."""

FALLBACK_ORDERS: Final[Mapping[tuple[str, str], Order]] = MappingProxyType(
    {
        ("hailuo-02-512p", TEXT): fal(HAILUO + FROM_TEXT, 5, 6, duration="6", **AS_WRITTEN),
        ("hailuo-02-512p", IMAGE): fal(
            HAILUO + FROM_IMAGE, 5, 6, duration="6", resolution="512P", **AS_WRITTEN, **FIRST
        ),
        ("hailuo-02-768p", TEXT): fal(HAILUO + FROM_TEXT, 5, 6, duration="6", **AS_WRITTEN),
        ("hailuo-02-768p", IMAGE): fal(
            HAILUO + FROM_IMAGE, 5, 6, duration="6", resolution="768P", **AS_WRITTEN, **FIRST
        ),
        # Six seconds, always: there is no field for it.
        ("hailuo-02-1080p", TEXT): fal(HAILUO_PRO + FROM_TEXT, 5, 6, **AS_WRITTEN),
        ("hailuo-02-1080p", IMAGE): fal(HAILUO_PRO + FROM_IMAGE, 5, 6, **AS_WRITTEN, **FIRST),
        ("veo-3-fast", TEXT): fal(FAL_VEO_FAST, 8, 8, **FAL_VEO_8, **HD, **SILENCE, auto_fix=False),
        ("veo-3-fast", IMAGE): fal(FAL_VEO_FAST + FROM_IMAGE, 8, 8, **FAL_VEO_8, **HD, **SILENCE, **FIRST),
        ("veo-3", TEXT): fal(FAL_VEO, 8, 8, **FAL_VEO_8, **FULL_HD, **SOUND, auto_fix=False),
        ("veo-3", IMAGE): fal(FAL_VEO + FROM_IMAGE, 8, 8, **FAL_VEO_8, **FULL_HD, **SOUND, **FIRST),
        ("veo-3.1", TEXT): fal(FAL_VEO, 8, 8, **FAL_VEO_8, **HD, **SOUND, auto_fix=False),
        ("veo-3.1", IMAGE): fal(FAL_VEO + FROM_IMAGE, 8, 8, **FAL_VEO_8, **HD, **SOUND, **FIRST),
        ("veo-3.1-fast", TEXT): fal(FAL_VEO_FAST, 8, 8, **FAL_VEO_8, **HD, **SOUND, auto_fix=False),
        ("veo-3.1-fast", IMAGE): fal(FAL_VEO_FAST + FROM_IMAGE, 8, 8, **FAL_VEO_8, **HD, **SOUND, **FIRST),
    }
)
"""The same for rows with a second provider: what that is asked if the first is not configured or surely refused."""

RENDERED_S: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        VEO: (4, 6, 8),
        VEO_FAST: (4, 6, 8),
        FAL_VEO: (4, 6, 8),
        FAL_VEO_FAST: (4, 6, 8),
        LUMA: (5, 9),
        KLING_2: (5, 10),
        KLING_25: (5, 10),
        KLING_3: tuple(range(3, 16)),
        HAILUO: (6, 10),
        HAILUO_PRO: (6,),
        SEEDANCE: tuple(range(4, 16)),
        SEEDANCE_FAST: tuple(range(4, 16)),
        WAN: (5, 10, 15),
        "MiniMax-Hailuo-02": (6, 10),
    }
)
"""The lengths that a provider documents, by what it calls the model without the kind of input."""


def rendered_s(endpoint: str) -> tuple[int, ...]:
    """The lengths that an endpoint renders."""
    return RENDERED_S[endpoint.removesuffix(FROM_TEXT).removesuffix(FROM_IMAGE)]
