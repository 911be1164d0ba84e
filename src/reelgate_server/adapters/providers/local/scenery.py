"""The picture's layers: each is drawn once, and then only moved."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import tau

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from reelgate_server.adapters.providers.local.look import Colour, Look, Motif, Palette

SKY_MARGIN = 0.12
"""How much larger than the frame the sky is, so that it can drift; a fraction of each side."""
LAYER_COUNT = 4
"""Ridges from far to near; more are hard to tell apart."""

_GLOW_RADII = 4.0
"""Size of the sun's glow, in radii of the sun."""
_PERIOD_WIDTHS = 2
"""A ridge repeats after this many frame widths, so that a clip of any length needs a strip of one size."""

_LIT_WINDOW_SHARE = 0.3

Heights = NDArray[np.float64]
"""One height per column, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """A silhouette that travels sideways."""

    fill: Image.Image
    """RGB, as wide as the frame."""
    mask: Image.Image
    """L, one period and one frame wide; opaque below the ridge."""
    lights: Image.Image | None
    """L, of the size of `mask`; opaque where a window is lit."""
    top: int
    """Row of the frame at which `mask` begins."""
    pixels_per_second: float
    """Speed; nearer is faster."""
    bob_pixels: float
    """How far it rises and sinks."""


def sky(look: Look, size: tuple[int, int]) -> Image.Image:
    """A gradient with soft clouds of colour, larger than the frame by `SKY_MARGIN`; RGB."""
    width, height = size
    palette = look.palette
    draw = random.Random(look.layer_seed)  # noqa: S311 (a picture, not a secret)
    rows, columns = np.mgrid[0:1:54j, 0:1:96j]
    depth = np.clip(rows * 1.35, 0, 1)[..., None] ** 1.2
    field = _rgb(palette.zenith) * (1 - depth) + _rgb(palette.horizon) * depth
    for _ in range(5):
        colour = _rgb((palette.horizon, palette.accent)[int(draw.random() * 2)])
        across, down = draw.random(), 0.7 * draw.random()
        reach, strength = 0.12 + 0.25 * draw.random(), 0.10 + 0.16 * draw.random()
        cloud = strength * np.exp(-(((columns - across) / reach) ** 2 + ((rows - down) / (reach * 0.6)) ** 2))
        field = field * (1 - cloud[..., None]) + colour * cloud[..., None]
    small = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
    large = small.resize((round(width * (1 + SKY_MARGIN)), round(height * (1 + SKY_MARGIN))), Image.Resampling.BICUBIC)
    return _dithered(large, look.layer_seed)


def sun(look: Look, short_pixels: int) -> Image.Image:
    """A disc in its glow; RGBA, square."""
    radius = max(3.0, look.sun_radius * short_pixels)
    side = int(2 * radius * _GLOW_RADII)
    rows, columns = np.mgrid[0:side, 0:side]
    distance = np.hypot(rows - side / 2, columns - side / 2)
    disc = np.clip(radius - distance + 0.5, 0, 1)
    glow = 0.5 * np.clip(1 - distance / (radius * _GLOW_RADII), 0, 1) ** 2.6
    return _tinted(np.maximum(disc * 0.94, glow), look.palette.accent)


def mote(palette: Palette, radius_pixels: float) -> Image.Image:
    """A soft dot of light; RGBA, square."""
    side = max(3, int(2 * radius_pixels))
    rows, columns = np.mgrid[0:side, 0:side]
    distance = np.hypot(rows - (side - 1) / 2, columns - (side - 1) / 2)
    return _tinted(0.55 * np.clip(1 - distance / (side / 2), 0, 1) ** 1.4, palette.accent)


def ridges(look: Look, size: tuple[int, int]) -> list[Ridge]:
    """The silhouettes of the look's motif, from far to near."""
    return [_ridge(look, index, size) for index in range(LAYER_COUNT)]


def _ridge(look: Look, index: int, size: tuple[int, int]) -> Ridge:
    width, height = size
    nearness = (index + 1) / LAYER_COUNT
    draw = random.Random(look.layer_seed + 1 + index)  # noqa: S311 (a picture, not a secret)
    period = _PERIOD_WIDTHS * width
    relief = int(height * (0.20 - 0.07 * nearness) * (1.5 if look.motif in (Motif.PEAKS, Motif.SKYLINE) else 1.0))
    base = int(height * (0.60 + 0.24 * nearness))
    is_wave = look.motif is Motif.WAVES
    bob = 0.012 * height * nearness if is_wave else 0.0
    top = max(0, base - relief - int(bob))
    # The strip reaches below the frame by as much as it can rise.
    strip_height = height - top + int(bob) + 1
    edge = (1 - _PROFILES[look.motif](draw, period, width)) * relief
    mask = np.clip(np.arange(strip_height)[:, None] - edge[None, :] + 0.5, 0, 1)
    mask = np.concatenate([mask, mask[:, :width]], axis=1)
    windows = _windows(draw, edge, strip_height, width) if look.motif is Motif.SKYLINE and index else None
    return Ridge(
        fill=_ridge_fill(look.palette, nearness, (width, strip_height)),
        mask=Image.fromarray((mask * 255).astype(np.uint8)),
        lights=windows,
        top=top,
        pixels_per_second=look.direction * width * 0.012 * (1 + 1.8 * index),
        bob_pixels=bob,
    )


def _ridge_fill(palette: Palette, nearness: float, size: tuple[int, int]) -> Image.Image:
    far, near = _rgb(palette.horizon) * 0.8 + _rgb(palette.zenith) * 0.2, _rgb(palette.near)
    colour = far * (1 - nearness) + near * nearness
    fade = np.linspace(0, 1, size[1])[:, None]
    # A haze at the foot of each far layer sets it off from the next.
    column = colour * (1 - 0.35 * fade) + _rgb(palette.horizon) * 0.35 * (1 - nearness) * fade
    pixels = np.clip(column, 0, 255).astype(np.uint8)[:, None, :]
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(pixels, (size[1], size[0], 3))))


def _rolling(draw: random.Random, period: int, _width: int) -> Heights:
    return _sines(draw, period, (2, 3, 5, 9), falloff=1.0)


def _swelling(draw: random.Random, period: int, _width: int) -> Heights:
    return _sines(draw, period, (6, 9, 14, 23), falloff=0.7) * 0.6


def _sines(draw: random.Random, period: int, harmonics: tuple[int, ...], *, falloff: float) -> Heights:
    # Whole harmonics of the period meet themselves where the strip wraps.
    angle = np.arange(period) * (tau / period)
    total = np.zeros(period)
    for harmonic in harmonics:
        total += np.sin(angle * harmonic + tau * draw.random()) / harmonic**falloff
    return _normalised(total)


def _jagged(draw: random.Random, period: int, _width: int) -> Heights:
    phase = np.arange(period) / period
    total = np.zeros(period)
    for harmonic in (3, 7, 11, 19, 37):
        total += np.abs(2 * ((phase * harmonic + draw.random()) % 1) - 1) / harmonic**0.85
    return _normalised(total)


def _blocks(draw: random.Random, period: int, width: int) -> Heights:
    heights = np.zeros(period)
    column = 0
    while column < period:
        block = int(width * (0.03 + 0.06 * draw.random()))
        heights[column : column + max(4, block)] = 0.15 + 0.85 * draw.random() ** 1.4
        column += max(4, block)
    return heights


_PROFILES: dict[Motif, Callable[[random.Random, int, int], Heights]] = {
    Motif.HILLS: _rolling,
    Motif.PEAKS: _jagged,
    Motif.SKYLINE: _blocks,
    Motif.WAVES: _swelling,
}


def _windows(draw: random.Random, edge: Heights, strip_height: int, width: int) -> Image.Image:
    step = max(6, width // 120)
    lit = Image.new("L", (len(edge) + width, strip_height))
    pen = ImageDraw.Draw(lit)
    for left in range(step, len(edge) - step, step):
        roof = int(edge[left : left + step].max()) + step
        is_wall = np.ptp(edge[left - step // 3 : left + step]) == 0
        for top in range(roof, strip_height, 2 * step) if is_wall else ():
            if draw.random() < _LIT_WINDOW_SHARE:
                pen.rectangle((left, top, left + step // 2, top + step - 1), fill=90 + int(120 * draw.random()))
    lit.paste(lit.crop((0, 0, width, strip_height)), (len(edge), 0))
    return lit


def _normalised(values: Heights) -> Heights:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low)


def _rgb(colour: Colour) -> NDArray[np.float64]:
    return np.array(colour, dtype=np.float64)


def _dithered(image: Image.Image, seed: int) -> Image.Image:
    # Without noise, eight bits show a wide gradient as bands. PCG64 is stable across NumPy versions.
    noise = np.random.Generator(np.random.PCG64(seed)).integers(-2, 3, (image.height, image.width, 1), dtype=np.int16)
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.int16) + noise, 0, 255).astype(np.uint8))


def _tinted(alpha: NDArray[np.float64], colour: Colour) -> Image.Image:
    pixels = np.empty((*alpha.shape, 4), dtype=np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.clip(alpha * 255, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels)
