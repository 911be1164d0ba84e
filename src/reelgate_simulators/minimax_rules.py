"""What MiniMax's v1 submit accepts, and the codes it answers with. Pure.

Source: platform.minimax.io/docs/api-reference/video-generation-t2v, -i2v, -fl2v and errorcode, read 2026-11-20.
"""

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

HAILUO_02 = "MiniMax-Hailuo-02"
V2_MODEL = "MiniMax-H3"
"""Served by the other API alone."""
DURATION_DEFAULT_S = 6
RESOLUTION_DEFAULT = "768P"
PROMPT_LENGTH_MAX = 2000
IMAGE_BYTES_MAX = 20_000_000
"""An image must be smaller than this. Its sides (short one over 300 px, 2:5 to 5:2) are not looked at here."""

SUCCESS = 0
RATE_LIMIT, UNAUTHENTICATED, NO_BALANCE, DOWNSTREAM = 1002, 1004, 1008, 1033
INPUT_SENSITIVE, OUTPUT_SENSITIVE, BAD_PARAMETERS, INVALID_KEY = 1026, 1027, 2013, 2049

MESSAGES: Mapping[int, str] = MappingProxyType(
    {
        SUCCESS: "success",
        1000: "unknown error",
        1001: "request timeout",
        RATE_LIMIT: "rate limit",
        UNAUTHENTICATED: "login fail: please carry the API secret key in the 'Authorization' field",
        NO_BALANCE: "insufficient balance",
        1024: "internal error",
        INPUT_SENSITIVE: "input new_sensitive",
        OUTPUT_SENSITIVE: "output new_sensitive",
        DOWNSTREAM: "downstream service error",
        BAD_PARAMETERS: "invalid params",
        2038: "identity verification required",
        INVALID_KEY: "invalid api key",
    }
)
"""Every documented code. The texts are ours: the documents name the meaning."""

_TYPES: Mapping[str, type] = MappingProxyType(
    {
        "prompt": str,
        "prompt_optimizer": bool,
        "fast_pretreatment": bool,
        "aigc_watermark": bool,
        "callback_url": str,
        "first_frame_image": str,
        "last_frame_image": str,
        "resolution": str,
    }
)
_IMAGE_PREFIXES = tuple(f"data:image/{kind};base64," for kind in ("jpeg", "jpg", "png", "webp"))


def problem(body: Any) -> str | None:
    """Check a submit.

    Returns:
        What to add to "invalid params"; None if all is well.
    """
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        return "model is required"
    if body["model"] == V2_MODEL:
        return "model is served by /v2/video_generation"
    for name, kind in _TYPES.items():
        if name in body and not isinstance(body[name], kind):
            return f"{name} has the wrong type"
    prompt, image = body.get("prompt", ""), body.get("first_frame_image")
    if not prompt.strip() and image is None:
        return "prompt is required"
    if len(prompt) > PROMPT_LENGTH_MAX:
        return f"prompt is longer than {PROMPT_LENGTH_MAX} characters"
    for name in ("first_frame_image", "last_frame_image"):
        if name in body and (trouble := _image_problem(body[name])) is not None:
            return f"{name} {trouble}"
    return _hailuo_02_problem(body) if body["model"] == HAILUO_02 else None


def clip_duration_s(body: Mapping[str, Any]) -> int:
    """Say how long the video of a checked submit is."""
    duration = body.get("duration", DURATION_DEFAULT_S)
    return duration if isinstance(duration, int) and duration > 0 else DURATION_DEFAULT_S


def _hailuo_02_problem(body: Mapping[str, Any]) -> str | None:
    duration, resolution = body.get("duration", DURATION_DEFAULT_S), body.get("resolution", RESOLUTION_DEFAULT)
    if isinstance(duration, bool) or not isinstance(duration, int) or duration not in {6, 10}:
        return "duration must be 6 or 10"
    if resolution not in {"512P", "768P", "1080P"}:
        return "resolution must be 512P, 768P or 1080P"
    has_first, has_last = "first_frame_image" in body, "last_frame_image" in body
    if has_last and not has_first:
        return "last_frame_image needs first_frame_image"
    if resolution == "512P" and (not has_first or has_last):
        return "resolution 512P needs first_frame_image alone"
    if resolution == "1080P" and duration != DURATION_DEFAULT_S:
        return "resolution 1080P is 6 seconds only"
    return None


def _image_problem(image: str) -> str | None:
    if image.startswith(("http://", "https://")):
        return None
    if not image.startswith(_IMAGE_PREFIXES):
        return "is neither an address nor a JPG, PNG or WebP data URL"
    try:
        size_bytes = len(base64.b64decode(image.partition(",")[2], validate=True))
    except binascii.Error:
        return "is not base64"
    return None if 0 < size_bytes < IMAGE_BYTES_MAX else "must be smaller than 20 MB"
