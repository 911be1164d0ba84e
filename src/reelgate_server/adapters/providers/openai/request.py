"""What a server is asked for.

Source: github openai/openai-openapi, openapi.yaml at f85dbe2 (2026-08-21), `POST /videos`; for the others see
`dialects.py`. Read 2026-11-20.

Theory of operation
===================

Everybody takes `prompt`, `model`, `seconds` and `size`. Who takes JSON and who a form, whether seconds are a number,
and where the first frame goes, differs:

| dialect | without an image | an image as bytes | an image by its address |
|---|---|---|---|
| openai | form | form, file `input_reference` | JSON, `input_reference: {"image_url"}` |
| sglang | JSON, seconds a number | form, file `input_reference` | JSON, `reference_url` |
| vllm_omni | form | form, file `input_reference` | form, `image_reference: '{"image_url"}'` |
| litellm | JSON | form, file `input_reference` | JSON, `input_reference`, a text |

A form is always multipart: the OpenAI client sends nothing else, and older SGLangs look for it by that name.

What of a customer's extra parameters would change price, identity or destination was refused when the job was created
(`domain/extra.py`). What is refused here besides is dangerous at these servers only: they stand in their operator's own
network, open any address and any file that a parameter names, and LiteLLM takes routes and keys from parameters.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, assert_never

from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.domain.extra import normalize
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.spec import whole_seconds
from reelgate_server.ports.provider import FirstFrame, ImageBytes, ImageUrl, RenderOrder

FILE_FIELD: Final = "input_reference"
SHORT_SIDE_OF_A_K: Final = 540
"""Pixels of the short side of a 16:9 frame for each K of its name: 4K is 3840x2160."""
NAME_CHARACTERS_MAX: Final = 50
"""Kept of the name of a refused parameter."""

_SUFFIXES: Final = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_REFUSED: Final = frozenset(
    {
        # SGLang writes a profile of the render to its disk.
        "profile", "profileallstages",
        # LiteLLM takes its routes from them, and how long it waits before it tries again.
        "modellist", "routersettingsoverride", "targetmodelnames", "timeout", "userconfig",
        # vLLM-Omni and OpenAI take other inputs from them.
        "characters", "sourceaudio",
    }
)  # fmt: skip
_REFUSED_FORM: Final = re.compile(
    r"(aws|azure|vertex).*|.*(path|paths|url|urls|uri|uris|reference|references|base|endpoint|key|token|credentials?)"
)
"""Normalised names under which a server looks for an address, a file of its own, or a secret."""


def to_request(order: RenderOrder, dialect: Dialect) -> dict[str, Any]:
    """Make the body of a create, as arguments of `ProviderHttp.call`.

    The customer's extra parameters come first, so that ours win. What the catalogue says of sound goes to vLLM-Omni,
    the only one with a parameter for it.

    Args:
        order: Its image is sent as it is there, by address or as bytes.
        dialect: Of the server.

    Returns:
        `json` with an object, or `files` with the parts of a form.

    Raises:
        ProviderFault: `INVALID`; an extra parameter could reach into the server or its network.
    """
    _refuse_parameters(order.spec.extra)
    seconds = whole_seconds(order.spec.render_duration)
    fields: dict[str, Any] = {
        **order.spec.extra,
        "model": order.endpoint,
        "prompt": order.spec.prompt,
        "seconds": seconds if dialect is Dialect.SGLANG else str(seconds),
        "size": size_of(order.spec.aspect_ratio, order.spec.resolution),
    }
    if dialect is Dialect.VLLM_OMNI:
        fields["generate_sound"] = order.has_audio
    match order.image:
        case ImageBytes() as image:
            return _form(fields, image)
        case ImageUrl(url=url):
            fields |= _address(url, dialect)
        case None:
            pass
        case _:
            assert_never(order.image)
    return {"json": fields} if _takes_json(dialect, order.image) else _form(fields)


def is_refused(name: str) -> bool:
    """Tell whether an extra parameter of this name is refused; see `to_request`."""
    normalized = normalize(name)
    return normalized in _REFUSED or _REFUSED_FORM.fullmatch(normalized) is not None


def size_of(aspect_ratio: str, resolution: str) -> str:
    """Work out `{width}x{height}`, both even, as codecs want them.

    Args:
        aspect_ratio: `W:H`, whole numbers > 0.
        resolution: The short side: `720p` is 720 pixels of it, `4k` is 2160.
    """
    width, height = (int(part) for part in aspect_ratio.split(":"))
    number = int(resolution[:-1])
    short = number * SHORT_SIDE_OF_A_K if resolution.endswith("k") else number
    return "x".join(str(_even(short * side, min(width, height))) for side in (width, height))


def _even(numerator: int, denominator: int) -> int:
    """The even number nearest to a fraction; of two that are as near, the greater."""
    return 2 * ((numerator + denominator) // (2 * denominator))


def _refuse_parameters(extra: Mapping[str, Any]) -> None:
    for name in extra:
        if is_refused(name):
            detail = f"not sent: the parameter {name[:NAME_CHARACTERS_MAX]!r} is not for customers to set"
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=detail))


def _takes_json(dialect: Dialect, image: FirstFrame | None) -> bool:
    # OpenAI's client sends a form even without a file, so that whoever imitates OpenAI surely takes one.
    return dialect in {Dialect.SGLANG, Dialect.LITELLM} or (dialect is Dialect.OPENAI and image is not None)


def _address(url: str, dialect: Dialect) -> dict[str, Any]:
    match dialect:
        case Dialect.OPENAI:
            return {FILE_FIELD: {"image_url": url}}
        case Dialect.SGLANG:
            return {"reference_url": url}
        case Dialect.VLLM_OMNI:
            return {"image_reference": {"image_url": url}}
        case Dialect.LITELLM:
            return {FILE_FIELD: url}
        case _:
            assert_never(dialect)


def _form(fields: Mapping[str, Any], image: ImageBytes | None = None) -> dict[str, Any]:
    # A form has no null: what is null is left out.
    parts: list[tuple[str, Any]] = [(name, (None, _text(each))) for name, each in fields.items() if each is not None]
    if image is not None:
        filename = f"first-frame.{_SUFFIXES[image.content_type]}"
        parts.append((FILE_FIELD, (filename, image.content, image.content_type)))
    return {"files": parts}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
