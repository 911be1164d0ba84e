"""What each endpoint of fal is asked: an order as the body of a submit.

Source: fal's typed endpoint map, fal-js `libs/client/src/types/endpoints.ts` at 381105e of 2026-08-02, and at 9830f25
of 2026-04-07 for Veo 3 and Wan 2.6 from text, which the later one no longer has; read 2026-11-20.

Rules
=====

Only fields that an endpoint lists are sent. Sound is said explicitly wherever it can be, because fal's default is to
render it and to charge for it. A prompt is not rewritten unless the customer asks for it with a parameter of their own:
what fal switches on by default for that is switched off. Parameters of the customer may change those switches and add
others. What the order decides is written over them; the names of that at other endpoints have been refused at create
(`domain/extra.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from reelgate_server.adapters.providers.json_body import Base64Text, data_url
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.spec import whole_seconds
from reelgate_server.ports.provider import FirstFrame, ImageUrl, RenderOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which parts of an order an endpoint takes, and how it writes them."""

    image_field: str | None = None
    """The name of the first frame; None if the endpoint renders from text alone."""
    duration_suffix: str | None = ""
    """What follows the seconds; None if there is no such field."""
    fixed_duration_s: int | None = None
    """The only length it renders, where there is no field for it."""
    has_aspect_ratio: bool = False
    has_resolution: bool = False
    writes_resolution_in_capitals: bool = False
    """`768P` for our `768p`."""
    has_audio_switch: bool = False
    switches: Mapping[str, Any] = field(default_factory=dict)
    """Values that a customer's own parameters may replace."""


def _pair(name: str, text: Shape, image: Shape) -> dict[str, Shape]:
    return {f"{name}/text-to-video": text, f"{name}/image-to-video": image}


def _veo(name: str) -> dict[str, Shape]:
    return {name: replace(_VEO, switches={"auto_fix": False}), f"{name}/image-to-video": _from_image(_VEO)}


def _from_image(shape: Shape, **changes: Any) -> Shape:
    return replace(shape, **{"image_field": "image_url", **changes})


_VEO = Shape(duration_suffix="s", has_aspect_ratio=True, has_resolution=True, has_audio_switch=True)
_LUMA = Shape(duration_suffix="s", has_aspect_ratio=True, has_resolution=True)
_KLING = Shape(has_aspect_ratio=True)
_KLING_IMAGE = _from_image(_KLING, has_aspect_ratio=False)
_KLING_3 = Shape(has_aspect_ratio=True, has_audio_switch=True)
_KLING_3_IMAGE = _from_image(_KLING_3, image_field="start_image_url", has_aspect_ratio=False)
_HAILUO = Shape(switches={"prompt_optimizer": False})
_HAILUO_IMAGE = _from_image(_HAILUO, has_resolution=True, writes_resolution_in_capitals=True)
_HAILUO_PRO = replace(_HAILUO, duration_suffix=None, fixed_duration_s=6)
_SEEDANCE = Shape(has_aspect_ratio=True, has_resolution=True, has_audio_switch=True)
_WAN = Shape(has_aspect_ratio=True, has_resolution=True, switches={"enable_prompt_expansion": False})
_WAN_IMAGE = _from_image(_WAN, has_aspect_ratio=False)

ENDPOINTS: Mapping[str, Shape] = MappingProxyType(
    _veo("fal-ai/veo3.1")
    | _veo("fal-ai/veo3.1/fast")
    | _veo("fal-ai/veo3")
    | _veo("fal-ai/veo3/fast")
    | {
        "fal-ai/luma-dream-machine/ray-2": _LUMA,
        "fal-ai/luma-dream-machine/ray-2/image-to-video": _from_image(_LUMA),
        "fal-ai/minimax/hailuo-02-fast/image-to-video": _from_image(_HAILUO),
        "wan/v2.6/text-to-video": _WAN,
        "wan/v2.6/image-to-video": _WAN_IMAGE,
        "wan/v2.6/image-to-video/flash": replace(_WAN_IMAGE, has_audio_switch=True),
    }
    | _pair("fal-ai/kling-video/v2/master", _KLING, _KLING_IMAGE)
    | _pair("fal-ai/kling-video/v2.5-turbo/pro", _KLING, _KLING_IMAGE)
    | _pair("fal-ai/kling-video/v3/pro", _KLING_3, _KLING_3_IMAGE)
    | _pair("fal-ai/minimax/hailuo-02/standard", _HAILUO, _HAILUO_IMAGE)
    | _pair("fal-ai/minimax/hailuo-02/pro", _HAILUO_PRO, _from_image(_HAILUO_PRO))
    | _pair("bytedance/seedance-2.0", _SEEDANCE, _from_image(_SEEDANCE))
    | _pair("bytedance/seedance-2.0/fast", _SEEDANCE, _from_image(_SEEDANCE))
)
"""Every documented endpoint by its full id."""

UNKNOWN_FROM_TEXT: Final = Shape(has_aspect_ratio=True, has_resolution=True, has_audio_switch=True)
UNKNOWN_FROM_IMAGE: Final = _from_image(UNKNOWN_FROM_TEXT, has_aspect_ratio=False)
"""How an endpoint of an operator's own catalogue is asked that is not in the table: by the names that most of fal's
video endpoints share. A model that wants others refuses the request, or takes them from the customer's parameters."""


def to_request(order: RenderOrder) -> dict[str, Any]:
    """Write an order as the body of its submit, in what `JsonBody` takes.

    Raises:
        ProviderFault: `INVALID`; the endpoint cannot render the order. Nothing has been sent.
    """
    shape = _shape_of(order)
    _check(order, shape)
    spec = order.spec
    body: dict[str, Any] = {
        **shape.switches,
        **spec.extra,
        "prompt": spec.prompt,
    }
    if shape.duration_suffix is not None:
        body["duration"] = f"{whole_seconds(spec.render_duration)}{shape.duration_suffix}"
    if shape.has_aspect_ratio:
        body["aspect_ratio"] = spec.aspect_ratio
    if shape.has_resolution:
        body["resolution"] = spec.resolution.upper() if shape.writes_resolution_in_capitals else spec.resolution
    if shape.has_audio_switch:
        body["generate_audio"] = order.has_audio
    if shape.image_field is not None and order.image is not None:
        body[shape.image_field] = _written(order.image)
    return body


def _shape_of(order: RenderOrder) -> Shape:
    unknown = UNKNOWN_FROM_TEXT if order.image is None else UNKNOWN_FROM_IMAGE
    return ENDPOINTS.get(order.endpoint, unknown)


def _check(order: RenderOrder, shape: Shape) -> None:
    """Refuse what fal would render otherwise than ordered, or refuse only after charging for it."""
    if order.image is not None and shape.image_field is None:
        raise _invalid(f"{order.endpoint} renders from text alone")
    if order.image is None and shape.image_field is not None:
        raise _invalid(f"{order.endpoint} renders from an image")
    length_s = whole_seconds(order.spec.render_duration)
    if shape.fixed_duration_s is not None and length_s > shape.fixed_duration_s:
        raise _invalid(f"{order.endpoint} renders {shape.fixed_duration_s} seconds and not {length_s}")


def _invalid(detail: str) -> ProviderFault:
    return ProviderFault(Fault(kind=FaultKind.INVALID, detail=detail))


def _written(image: FirstFrame) -> str | Base64Text:
    return image.url if isinstance(image, ImageUrl) else data_url(image)
