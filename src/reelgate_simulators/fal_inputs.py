"""What fal's video endpoints accept.

Source: fal's typed endpoint map, fal-js `libs/client/src/types/endpoints.ts`, commit 381105e of 2026-08-02, and
9830f25 of 2026-04-07 for veo3 and wan text-to-video, which the later one no longer has. All choices are strings,
exactly as written there. Fields that an endpoint does not list are accepted and ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

ERRORS_PAGE = "https://docs.fal.ai/errors"
FREE_CLIP_DURATION_S = 5.0
"""Length of the video where neither the input nor the endpoint says one."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One member of an input."""

    kind: str
    """`text`, `image`, `flag`, `number` or `list`."""
    is_required: bool = False
    choices: tuple[str, ...] = ()
    """All allowed values of a text; empty allows any."""
    length_max: int | None = None
    """Characters."""


Fields = dict[str, Field]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint's documented input and what its output depends on."""

    fields: Fields
    clip_duration_s: float
    """Length of the video if the input does not say."""
    has_seed: bool = False
    """The output carries a seed."""
    has_actual_prompt: bool = False
    """The output carries the prompt as it was rewritten."""


TEXT, FLAG, NUMBER, LIST = Field(kind="text"), Field(kind="flag"), Field(kind="number"), Field(kind="list")
IMAGE, IMAGE_REQUIRED = Field(kind="image"), Field(kind="image", is_required=True)
PROMPT: Fields = {"prompt": Field(kind="text", is_required=True)}


def _choice(*values: str) -> Field:
    return Field(kind="text", choices=values)


def _seconds(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(seconds) for seconds in range(first, last + 1))


_VEO: Fields = PROMPT | {
    "duration": _choice("4s", "6s", "8s"),
    "generate_audio": FLAG,
    "auto_fix": FLAG,
    "negative_prompt": TEXT,
    "seed": NUMBER,
    "safety_tolerance": _choice(*_seconds(1, 6)),
}
_LUMA: Fields = PROMPT | {
    "duration": _choice("5s", "9s"),
    "aspect_ratio": _choice("16:9", "9:16", "4:3", "3:4", "21:9", "9:21"),
    "resolution": _choice("540p", "720p", "1080p"),
    "loop": FLAG,
}
_KLING_RATIO: Fields = {"aspect_ratio": _choice("16:9", "9:16", "1:1")}
_KLING: Fields = PROMPT | {"duration": _choice("5", "10"), "cfg_scale": NUMBER, "negative_prompt": TEXT}
_KLING_3: Fields = {
    # Either prompt or multi_prompt; `problems` says so.
    "prompt": TEXT,
    "multi_prompt": LIST,
    "duration": _choice(*_seconds(3, 15)),
    "generate_audio": FLAG,
    "shot_type": _choice("customize", "intelligent"),
    "elements": LIST,
}
_HAILUO: Fields = PROMPT | {"prompt_optimizer": FLAG}
_HAILUO_DURATION: Fields = {"duration": _choice("6", "10")}
_HAILUO_IMAGES: Fields = {"image_url": IMAGE_REQUIRED, "end_image_url": IMAGE}
_SEEDANCE: Fields = PROMPT | {
    "duration": _choice("auto", *_seconds(4, 15)),
    "aspect_ratio": _choice("auto", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16"),
    "generate_audio": FLAG,
    "bitrate_mode": _choice("standard", "high"),
    "end_user_id": TEXT,
}
_SEEDANCE_IMAGES: Fields = {"image_url": IMAGE_REQUIRED, "end_image_url": IMAGE}
_WAN: Fields = {
    "duration": _choice("5", "10", "15"),
    "resolution": _choice("720p", "1080p"),
    "enable_prompt_expansion": FLAG,
    "multi_shots": FLAG,
    "enable_safety_checker": FLAG,
    "negative_prompt": Field(kind="text", length_max=500),
    "audio_url": TEXT,
    "seed": NUMBER,
}


def _veo(name: str, *resolutions: str) -> dict[str, Endpoint]:
    fields = _VEO | {"resolution": _choice(*resolutions)}
    ratio, ratio_of_image = _choice("16:9", "9:16"), _choice("auto", "16:9", "9:16")
    return {
        name: Endpoint(fields=fields | {"aspect_ratio": ratio}, clip_duration_s=8),
        f"{name}/image-to-video": Endpoint(
            fields=fields | {"aspect_ratio": ratio_of_image, "image_url": IMAGE_REQUIRED}, clip_duration_s=8
        ),
    }


def _pair(name: str, text: Fields, image: Fields, clip_duration_s: float, **output: bool) -> dict[str, Endpoint]:
    return {
        f"{name}/text-to-video": Endpoint(fields=text, clip_duration_s=clip_duration_s, **output),
        f"{name}/image-to-video": Endpoint(fields=image, clip_duration_s=clip_duration_s, **output),
    }


def _seedance(name: str, *resolutions: str) -> dict[str, Endpoint]:
    fields = _SEEDANCE | {"resolution": _choice(*resolutions)}
    return _pair(name, fields, fields | _SEEDANCE_IMAGES, FREE_CLIP_DURATION_S, has_seed=True)


def _wan(prompt_length_max: int) -> Fields:
    return _WAN | {"prompt": Field(kind="text", is_required=True, length_max=prompt_length_max)}


_WAN_RATIO: Fields = {"aspect_ratio": _choice("16:9", "9:16", "1:1", "4:3", "3:4")}
_WAN_IMAGE: Fields = _wan(1500) | {"image_url": IMAGE_REQUIRED}
_HAILUO_512: Fields = {"resolution": _choice("512P", "768P")}

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    _veo("fal-ai/veo3.1", "720p", "1080p", "4k")
    | _veo("fal-ai/veo3.1/fast", "720p", "1080p", "4k")
    | _veo("fal-ai/veo3", "720p", "1080p")
    | _veo("fal-ai/veo3/fast", "720p", "1080p")
    | {
        "fal-ai/luma-dream-machine/ray-2": Endpoint(fields=_LUMA, clip_duration_s=5),
        "fal-ai/luma-dream-machine/ray-2/image-to-video": Endpoint(
            fields=_LUMA | {"image_url": IMAGE, "end_image_url": IMAGE}, clip_duration_s=5
        ),
        "fal-ai/minimax/hailuo-02-fast/image-to-video": Endpoint(
            fields=_HAILUO | _HAILUO_DURATION | {"image_url": IMAGE_REQUIRED}, clip_duration_s=6
        ),
        "wan/v2.6/text-to-video": Endpoint(
            fields=_wan(800) | _WAN_RATIO, clip_duration_s=5, has_seed=True, has_actual_prompt=True
        ),
        "wan/v2.6/image-to-video": Endpoint(fields=_WAN_IMAGE, clip_duration_s=5, has_seed=True),
        "wan/v2.6/image-to-video/flash": Endpoint(
            fields=_WAN_IMAGE | {"generate_audio": FLAG}, clip_duration_s=5, has_seed=True
        ),
    }
    | _pair("fal-ai/kling-video/v2/master", _KLING | _KLING_RATIO, _KLING | {"image_url": IMAGE_REQUIRED}, 5)
    | _pair(
        "fal-ai/kling-video/v2.5-turbo/pro",
        _KLING | _KLING_RATIO,
        _KLING | {"image_url": IMAGE_REQUIRED, "tail_image_url": IMAGE},
        5,
    )
    | _pair(
        "fal-ai/kling-video/v3/pro",
        _KLING_3 | _KLING_RATIO,
        _KLING_3 | {"start_image_url": IMAGE_REQUIRED, "end_image_url": IMAGE},
        5,
    )
    | _pair(
        "fal-ai/minimax/hailuo-02/standard",
        _HAILUO | _HAILUO_DURATION,
        _HAILUO | _HAILUO_DURATION | _HAILUO_512 | _HAILUO_IMAGES,
        6,
    )
    | _pair("fal-ai/minimax/hailuo-02/pro", _HAILUO, _HAILUO | _HAILUO_IMAGES, 6)
    | _seedance("bytedance/seedance-2.0", "480p", "720p", "1080p", "4k")
    | _seedance("bytedance/seedance-2.0/fast", "480p", "720p")
)
"""Every documented endpoint by its full id."""


def problems(endpoint_id: str, body: Any) -> list[dict[str, Any]]:
    """Check an input.

    Returns:
        The documented `detail` list, empty if all is well. An endpoint that is not in the table accepts anything
        that is an object.
    """
    if not isinstance(body, dict):
        return [problem(["body"], "Input should be a valid dictionary", "dict_type", body)]
    endpoint = ENDPOINTS.get(endpoint_id)
    if endpoint is None:
        return []
    found = [
        trouble
        for name, field in endpoint.fields.items()
        if (trouble := _problem_of_field(name, field, body)) is not None
    ]
    if "multi_prompt" in endpoint.fields and ("prompt" in body) == ("multi_prompt" in body):
        found.append(problem(["body", "prompt"], "Give either prompt or multi_prompt", "value_error", body))
    return found


def unlisted(endpoint_id: str, body: Mapping[str, Any]) -> set[str]:
    """Name the members that the endpoint does not list; whether the real one accepts them is not documented."""
    endpoint = ENDPOINTS.get(endpoint_id)
    return set() if endpoint is None else set(body) - set(endpoint.fields)


def clip_duration_s(endpoint_id: str, body: Mapping[str, Any]) -> float:
    """Say how long the video of a checked input is."""
    endpoint = ENDPOINTS.get(endpoint_id)
    if endpoint is not None and "duration" not in endpoint.fields:
        return endpoint.clip_duration_s
    digits = str(body.get("duration", "")).removesuffix("s")
    if digits.isdecimal() and int(digits) > 0:
        return float(digits)
    return FREE_CLIP_DURATION_S if endpoint is None else endpoint.clip_duration_s


def problem(
    loc: list[str], message: str, kind: str, value: Any = None, context: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Build one row of a `detail` list."""
    return {
        "loc": loc,
        "msg": message,
        "type": kind,
        "url": f"{ERRORS_PAGE}#{kind}",
        "ctx": context or {},
        "input": value,
    }


def _problem_of_field(name: str, field: Field, body: dict[str, Any]) -> dict[str, Any] | None:
    loc: list[str] = ["body", name]
    value: Any = body.get(name)
    if name not in body:
        return problem(loc, "Field required", "missing", body) if field.is_required else None
    if value is None and not field.is_required:
        return None
    if not _is_of_kind(field.kind, value):
        return problem(loc, f"Input should be a valid {field.kind}", f"{_PYDANTIC[field.kind]}_type", value)
    if field.choices and value not in field.choices:
        allowed = ", ".join(field.choices)
        return problem(loc, f"Input should be one of {allowed}", "one_of", value, {"expected": list(field.choices)})
    if field.length_max is not None and len(value) > field.length_max:
        message = f"At most {field.length_max} characters"
        return problem(loc, message, "sequence_too_long", value, {"max_length": field.length_max})
    if field.kind == "image" and not value.startswith(("http://", "https://", "data:")):
        return problem(loc, "Failed to download the file", "file_download_error", value)
    if name == "prompt" and not value.strip():
        return problem(loc, "At least 1 character", "sequence_too_short", value, {"min_length": 1})
    return None


_PYDANTIC = {"text": "string", "image": "string", "flag": "bool", "number": "float", "list": "list"}
"""How FastAPI's own errors, whose types fal passes on, call the kinds."""


def _is_of_kind(kind: str, value: Any) -> bool:
    match kind:
        case "flag":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case _:
            return isinstance(value, str)
