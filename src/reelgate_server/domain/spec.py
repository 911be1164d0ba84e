"""What was asked for, and what it means for a given model.

A `JobRequest` is what the customer said, gaps included; it is kept as it came, because a replay of an
idempotency key is compared with it even after the catalogue has changed. A `Spec` is the request with every gap
filled from the model's row; it is what gets priced and rendered.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from reelgate_server.domain.catalogue import ImageInput, Model
from reelgate_server.domain.errors import FieldViolation, InvalidSpec
from reelgate_server.domain.extra import extra_violations
from reelgate_server.domain.ids import ModelId

PROMPT_CODE_POINTS_MAX = 4000
"""Unicode code points in a prompt. All three documented gateways say 4,000 or nothing."""
IMAGE_URL_CHARACTERS_MAX = 2048
"""Longer addresses are refused; signed links of the large object stores stay under 1,500."""

_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineImage:
    """A first frame that came with the request; its bytes are kept beside the job's video."""

    sha256: str
    """Lower-case hex of the bytes."""
    content_type: str
    """`image/jpeg`, `image/png` or `image/webp`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What the customer asked for; None where they left the choice to us."""

    model: str
    prompt: str
    clip_duration: timedelta | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    image_url: str | None = None
    image: InlineImage | None = None
    """In place of an `image_url`."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Parameters for the provider, passed on unchanged; JSON values only. `extra.py` says which are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One video, fully described."""

    model: ModelId
    prompt: str
    clip_duration: timedelta
    """What the customer gets and pays for; whole seconds, > 0."""
    render_duration: timedelta
    """What the provider is asked for; >= `clip_duration`."""
    aspect_ratio: str
    """`W:H`, one of the model's."""
    resolution: str
    """One of the model's, such as `720p`."""
    image_url: str | None
    """HTTPS address of the first frame."""
    image: InlineImage | None = None
    """The first frame, in place of an `image_url`."""
    extra: Mapping[str, Any]

    @property
    def has_image(self) -> bool:
        """It begins with a first frame."""
        return self.image_url is not None or self.image is not None


def resolve(request: JobRequest, model: Model) -> Spec:
    """Fill the gaps of a request from its model's row.

    Returns:
        The spec, with the provider's length beside the customer's.

    Raises:
        InvalidSpec: Carries every violation, in the order prompt, duration, ratio, resolution, image, extra.
    """
    violations = [
        *prompt_violations(request.prompt),
        *_duration_violations(request.clip_duration, model),
        *_choice_violations("aspect_ratio", request.aspect_ratio, model.aspect_ratios),
        *_choice_violations("resolution", request.resolution, model.resolutions),
        *_image_violations(request, model),
        *extra_violations(request.extra),
    ]
    if violations:
        raise InvalidSpec(violations)
    resolution = request.resolution or model.resolutions[0]
    clip_duration, render_duration = _durations(request.clip_duration, model, resolution)
    return Spec(
        model=model.model_id,
        prompt=request.prompt,
        clip_duration=clip_duration,
        render_duration=render_duration,
        aspect_ratio=request.aspect_ratio or model.aspect_ratios[0],
        resolution=resolution,
        image_url=request.image_url,
        image=request.image,
        extra=request.extra,
    )


def resolve_durations(clip_duration: timedelta | None, model: Model) -> tuple[timedelta, timedelta]:
    """Return what the customer gets and what the provider is asked for; None asks for the model's default.

    Raises:
        InvalidSpec: The model does not make videos of that length.
    """
    violations = tuple(_duration_violations(clip_duration, model))
    if violations:
        raise InvalidSpec(violations)
    return _durations(clip_duration, model, model.resolutions[0])


def first_difference(one: JobRequest, other: JobRequest) -> str | None:
    """Name the first field, in the order of declaration, in which two requests differ; None if none does."""
    pairs = ((each.name, getattr(one, each.name), getattr(other, each.name)) for each in fields(one))
    name = next((name for name, this, that in pairs if _comparable(this) != _comparable(that)), None)
    # An image that comes with a request comes in this field.
    return "image_url" if name == "image" else name


def whole_seconds(duration: timedelta) -> int:
    """The length in seconds, of a duration that is a whole number of them."""
    return duration // timedelta(seconds=1)


def _comparable(value: object) -> object:
    # In Python `True == 1`; in JSON they differ.
    return json.dumps(dict(value), sort_keys=True) if isinstance(value, Mapping) else value


def _durations(clip_duration: timedelta | None, model: Model, resolution: str) -> tuple[timedelta, timedelta]:
    resolved = clip_duration or timedelta(seconds=model.duration_default_s)
    return resolved, timedelta(seconds=model.routes[0].render_duration_s(whole_seconds(resolved), resolution))


def prompt_violations(prompt: str) -> Iterator[FieldViolation]:
    """What is wrong with a prompt, whatever the model; nothing if it is good."""
    if not prompt:
        yield FieldViolation("prompt", "is required", is_missing=True)
    elif len(prompt) > PROMPT_CODE_POINTS_MAX:
        yield FieldViolation("prompt", f"must be at most {PROMPT_CODE_POINTS_MAX} characters, not {len(prompt)}")
    elif "\0" in prompt:
        yield FieldViolation("prompt", "must not contain the character U+0000")


def _duration_violations(duration: timedelta | None, model: Model) -> Iterator[FieldViolation]:
    if duration is None:
        return
    if duration % timedelta(seconds=1):
        yield FieldViolation("clip_duration", "must be a whole number of seconds")
    elif whole_seconds(duration) not in model.durations_s:
        yield FieldViolation("clip_duration", f"must be {_allowed_seconds(model)} for model '{model.model_id}'")


def _allowed_seconds(model: Model) -> str:
    first, last = model.durations_s[0], model.durations_s[-1]
    if len(model.durations_s) > 1 and last - first == len(model.durations_s) - 1:
        return f"{first} to {last} seconds"
    return f"{' or '.join(map(str, model.durations_s))} seconds"


def _choice_violations(name: str, value: str | None, allowed: tuple[str, ...]) -> Iterator[FieldViolation]:
    if value is not None and value not in allowed:
        yield FieldViolation(name, f"must be one of {', '.join(allowed)}")


def _image_violations(request: JobRequest, model: Model) -> Iterator[FieldViolation]:
    if request.image_url is None and request.image is None:
        if model.image_input is ImageInput.REQUIRED:
            yield FieldViolation("image_url", f"is required by model '{model.model_id}'", is_missing=True)
    elif model.image_input is ImageInput.NONE:
        yield FieldViolation("image_url", f"is not accepted by model '{model.model_id}'")
    elif request.image_url is not None and not _is_https_url(request.image_url):
        yield FieldViolation(
            "image_url",
            f"must be an https:// URL of at most {IMAGE_URL_CHARACTERS_MAX} characters, without credentials",
        )


def _is_https_url(text: str) -> bool:
    if len(text) > IMAGE_URL_CHARACTERS_MAX or _CONTROL_OR_SPACE.search(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
