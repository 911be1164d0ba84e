"""What Vertex AI Veo accepts: the documented body of `predictLongRunning`, checked.

Source:
    cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation and the wire of google-genai
    2.34.0 and 3.4.0, read 2026-11-20. Whatever is not named there is ignored, as the service does (BerriAI/litellm
    issue 16776: `duration_seconds` in snake case still gave 8 s).
"""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DURATIONS_S = (4, 6, 8)
DURATION_DEFAULT_S = 8
LARGE_DURATION_S = 8
"""The only length in which 1080p, 4k and reference images are rendered (ArcReel/ArcReel issue 1333)."""
SAMPLE_COUNT_MAX = 4
ASPECT_RATIOS = ("16:9", "9:16")
RESOLUTIONS = ("720p", "1080p", "4k")
REFERENCE_TYPES = ("ASSET", "STYLE")
DURATION_MESSAGE = (
    "The number value for `durationSeconds` is out of bound. Please provide a value between 4 and 8, inclusive."
)
"""Verbatim, and misleading: 5 is between them (hirokidaichi/ergon issue 11)."""
INLINE_MESSAGE = "`inlineData` isn't supported by this model."
"""Verbatim (nodetool-ai/nodetool PR 4298)."""


class Refusal(Exception):
    """A request is answered with an error of Google's shape."""

    def __init__(self, code: int, status: str, message: str, *, field: str | None = None) -> None:
        """Say why.

        Args:
            code: HTTP status.
            status: Name of the gRPC code, such as `INVALID_ARGUMENT`.
            message: For people.
            field: Path of the member of the body that is wrong.
        """
        super().__init__(message)
        self.code = code
        violation = {"field": field, "description": message}
        details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
        self.body: dict[str, Any] = {
            "error": {"code": code, "message": message, "status": status, "details": details if field else []}
        }


@dataclass(frozen=True, kw_only=True)
class VeoSpec:
    """What an accepted request asks for, defaults filled in."""

    prompt: str
    """Empty if an image or a video speaks for itself."""
    duration_s: int
    sample_count: int
    """1 to `SAMPLE_COUNT_MAX`."""
    aspect_ratio: str
    resolution: str
    storage_uri: str | None
    """`gs://{bucket}/{prefix}`; None for results inside the answer."""


def read_spec(body: Mapping[str, Any]) -> VeoSpec:
    """Check a body.

    Raises:
        Refusal: 400 `INVALID_ARGUMENT`, naming the first member that is wrong.
    """
    instances = body.get("instances")
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], dict):
        raise _invalid("instances", "`instances` must be a list of one object.")
    if not isinstance(parameters := body.get("parameters", {}), dict):
        raise _invalid("parameters", "`parameters` must be an object.")
    prompt = _read_instance(instances[0])
    _check_types(parameters)
    duration_s = _duration(parameters.get("durationSeconds", DURATION_DEFAULT_S))
    resolution = _choice(parameters, "resolution", RESOLUTIONS)
    if duration_s != LARGE_DURATION_S and (resolution != RESOLUTIONS[0] or instances[0].get("referenceImages")):
        what = "Reference images need" if resolution == RESOLUTIONS[0] else f"`resolution` {resolution} needs"
        raise _invalid("parameters.durationSeconds", f"{what} `durationSeconds` {LARGE_DURATION_S}.")
    sample_count = parameters.get("sampleCount", 1)
    if not 1 <= sample_count <= SAMPLE_COUNT_MAX:
        raise _invalid("parameters.sampleCount", f"`sampleCount` must be between 1 and {SAMPLE_COUNT_MAX}.")
    storage_uri = parameters.get("storageUri")
    if storage_uri is not None and not _is_gs(storage_uri):
        raise _invalid("parameters.storageUri", "`storageUri` must be a Cloud Storage URI (gs://).")
    return VeoSpec(
        prompt=prompt,
        duration_s=duration_s,
        sample_count=int(sample_count),
        aspect_ratio=_choice(parameters, "aspectRatio", ASPECT_RATIOS),
        resolution=resolution,
        storage_uri=storage_uri,
    )


def _read_instance(instance: Mapping[str, Any]) -> str:
    """Check what is to be rendered and return its prompt."""
    prompt = instance.get("prompt", "")
    if not isinstance(prompt, str):
        raise _invalid("instances[0].prompt", "`prompt` must be a string.")
    for name, kind in (("image", "image/"), ("lastFrame", "image/"), ("video", "video/")):
        if name in instance:
            _check_media(instance[name], f"instances[0].{name}", kind)
    references = instance.get("referenceImages", [])
    if not isinstance(references, list) or not all(isinstance(row, dict) for row in references):
        raise _invalid("instances[0].referenceImages", "`referenceImages` must be a list of objects.")
    for index, row in enumerate(references):
        _check_media(row.get("image"), f"instances[0].referenceImages[{index}].image", "image/")
        # The documents write "asset", the client "ASSET".
        if str(row.get("referenceType")).upper() not in REFERENCE_TYPES:
            path = f"instances[0].referenceImages[{index}].referenceType"
            raise _invalid(path, "`referenceType` must be asset or style.")
    if not prompt and "image" not in instance and "video" not in instance:
        raise _invalid("instances[0].prompt", "A prompt, an image or a video is required.")
    return prompt


def _check_media(media: Any, path: str, kind: str) -> None:
    """Accept bytes or an object of Cloud Storage, never an address on the web."""
    if not isinstance(media, dict):
        raise _invalid(path, f"`{path}` must be an object.")
    if "inlineData" in media:
        raise _invalid(path, INLINE_MESSAGE)
    sources = [name for name in ("bytesBase64Encoded", "gcsUri") if name in media]
    if len(sources) != 1:
        raise _invalid(path, f"`{path}` must have either `bytesBase64Encoded` or `gcsUri`.")
    if sources == ["gcsUri"] and not _is_gs(media["gcsUri"]):
        raise _invalid(f"{path}.gcsUri", "`gcsUri` must be a Cloud Storage URI (gs://).")
    if sources == ["bytesBase64Encoded"] and not _is_base64(media["bytesBase64Encoded"]):
        raise _invalid(f"{path}.bytesBase64Encoded", "`bytesBase64Encoded` must be base64.")
    if not str(media.get("mimeType")).startswith(kind):
        raise _invalid(f"{path}.mimeType", f"`mimeType` must be {kind}*.")


def _is_number(value: Any) -> bool:
    # Python's JSON reader also takes NaN and Infinity.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_gs(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("gs://") and len(value) > len("gs://")


def _is_base64(value: Any) -> bool:
    try:
        return bool(base64.b64decode(value, validate=True))
    except (binascii.Error, TypeError, ValueError):
        return False


PARAMETER_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "sampleCount": (_is_whole, "an integer"),
    "durationSeconds": (_is_number, "a number"),
    "seed": (_is_whole, "an integer"),
    "fps": (_is_whole, "an integer"),
    "generateAudio": (_is_bool, "a boolean"),
    "enhancePrompt": (_is_bool, "a boolean"),
    "aspectRatio": (_is_text, "a string"),
    "resolution": (_is_text, "a string"),
    "personGeneration": (_is_text, "a string"),
    "negativePrompt": (_is_text, "a string"),
    "storageUri": (_is_text, "a string"),
    "compressionQuality": (_is_text, "a string"),
    "resizeMode": (_is_text, "a string"),
    "pubsubTopic": (_is_text, "a string"),
}
"""The documented parameters; any other name is ignored."""


def _check_types(parameters: Mapping[str, Any]) -> None:
    for name, (is_right, what) in PARAMETER_TYPES.items():
        if name in parameters and not is_right(parameters[name]):
            raise _invalid(f"parameters.{name}", f"`{name}` must be {what}.")


def _duration(value: float) -> int:
    if value not in DURATIONS_S:
        raise _invalid("parameters.durationSeconds", DURATION_MESSAGE)
    return int(value)


def _choice(parameters: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """Return a parameter, or the first of its choices if absent."""
    value = str(parameters.get(name, choices[0]))
    if value not in choices:
        raise _invalid(f"parameters.{name}", f"`{name}` must be one of {', '.join(choices)}.")
    return value


def _invalid(field: str, message: str) -> Refusal:
    return Refusal(400, "INVALID_ARGUMENT", message, field=field)
