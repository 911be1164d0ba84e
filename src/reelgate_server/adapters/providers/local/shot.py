"""What is drawn: an order, reduced to the facts that decide every pixel and sample."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Self

from reelgate_server.domain.spec import Spec
from reelgate_server.ports.provider import ImageBytes, ImageUrl, RenderOrder

FRAMES_PER_SECOND = 24
"""The rate of cinema; every documented provider renders at 24 or more."""
DURATION_MAX = timedelta(minutes=10)
"""Longer orders are refused. The longest clip in the catalogue is far below it."""
SHORT_SIDE_PIXELS_MIN = 16
"""Below it nothing can be read, and some players refuse the file."""
LONG_SIDE_PIXELS_MAX = 8192
"""H.264 decoders in hardware stop at 8192; 21:9 at 4k is 5040."""
SEED_LIMIT = 1 << 64
"""Seeds are taken modulo this, so that a seed of any length has a bounded form."""

_RATIO = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")
_LINES = re.compile(r"([1-9][0-9]{1,4})p")
_SHORT_SIDE_PIXELS: Mapping[str, int] = {"2k": 1440, "4k": 2160}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One clip to draw. Equal shots give equal files, except for what the image is."""

    prompt: str
    seed: int
    """0 <= seed < `SEED_LIMIT`."""
    model: str
    """The catalogue id; shown when the clip is simulated."""
    width: int
    """Pixels; even."""
    height: int
    """Pixels; even."""
    frame_count: int
    """At `FRAMES_PER_SECOND`; >= 1."""
    has_audio: bool
    is_simulated: bool
    image_url: str | None
    """HTTPS address of the first frame."""
    has_image_file: bool = False
    """The first frame lies beside the order. An order of before there were such has no word of it."""

    @classmethod
    def of(cls, order: RenderOrder) -> Self:
        """Reduce an order; the length is the customer's, because this renderer makes any length.

        Raises:
            ValueError: The ratio, resolution or length cannot be drawn; the text is for the operator.
        """
        spec = order.spec
        if not timedelta() < spec.clip_duration <= DURATION_MAX:
            message = f"cannot render {spec.clip_duration}"
            raise ValueError(message)
        width, height = frame_size(spec.aspect_ratio, spec.resolution)
        return cls(
            prompt=spec.prompt,
            seed=_seed(spec),
            model=spec.model,
            width=width,
            height=height,
            frame_count=max(1, round(spec.clip_duration / timedelta(seconds=1) * FRAMES_PER_SECOND)),
            has_audio=order.has_audio,
            is_simulated=order.is_simulated,
            image_url=order.image.url if isinstance(order.image, ImageUrl) else None,
            has_image_file=isinstance(order.image, ImageBytes),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: Not JSON.
            TypeError: Not the fields of a shot, such as one written by another version.
        """
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """All fields, in ASCII; any Unicode survives, lone surrogates included."""
        return json.dumps(asdict(self))

    @property
    def duration_s(self) -> Fraction:
        """Exact length in seconds."""
        return Fraction(self.frame_count, FRAMES_PER_SECOND)

    def random_seed(self) -> int:
        """A number that decides the look and the sound; differs if the prompt or the seed does."""
        text = f"{self.seed}\n{self.prompt}"
        return _digest(text)


def frame_size(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height in pixels, both even.

    Args:
        aspect_ratio: `W:H`, whole numbers up to 9999.
        resolution: The short side: lines such as `720p`, or `2k` (1440) or `4k` (2160), in either case.

    Raises:
        ValueError: Neither form, or a side would be under `SHORT_SIDE_PIXELS_MIN` or over `LONG_SIDE_PIXELS_MAX`.
    """
    ratio = _RATIO.fullmatch(aspect_ratio)
    short = _short_side(resolution)
    if ratio is None or short is None:
        message = f"cannot render {aspect_ratio!r} at {resolution!r}"
        raise ValueError(message)
    across, down = int(ratio[1]), int(ratio[2])
    long = 2 * round(short * max(across, down) / min(across, down) / 2)
    if short < SHORT_SIDE_PIXELS_MIN or long > LONG_SIDE_PIXELS_MAX:
        message = f"cannot render {long} x {short} pixels"
        raise ValueError(message)
    return (long, short) if across >= down else (short, long)


def _short_side(resolution: str) -> int | None:
    name = resolution.lower()
    lines = _LINES.fullmatch(name)
    return _SHORT_SIDE_PIXELS.get(name) if lines is None else int(lines[1]) // 2 * 2


def _seed(spec: Spec) -> int:
    seed = spec.extra.get("seed")
    if isinstance(seed, int) and not isinstance(seed, bool):
        return seed % SEED_LIMIT
    return _digest(spec.prompt)


def _digest(text: str) -> int:
    # JSON can carry lone surrogates into a prompt; they are hashed like any other code point.
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])
