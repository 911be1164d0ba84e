"""How a shot looks and sounds: every choice that follows from its prompt and seed, and no drawing."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reelgate_server.adapters.providers.local.shot import Shot

Colour = tuple[int, int, int]
"""Red, green, blue; 0 to 255."""


class Motif(StrEnum):
    """What stands before the sky."""

    HILLS = "hills"
    PEAKS = "peaks"
    SKYLINE = "skyline"
    WAVES = "waves"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours that go together."""

    name: str
    zenith: Colour
    """Top of the sky."""
    horizon: Colour
    """Bottom of the sky; far layers fade towards it."""
    near: Colour
    """The layer closest to the eye."""
    accent: Colour
    """Light: the sun or moon, motes, the bar beside the title."""


PALETTES = (
    Palette("dusk", (45, 32, 84), (242, 130, 108), (28, 18, 48), (255, 205, 140)),
    Palette("ocean", (10, 46, 92), (110, 198, 208), (6, 26, 52), (255, 240, 196)),
    Palette("forest", (22, 74, 82), (206, 222, 160), (12, 36, 32), (255, 228, 150)),
    Palette("night", (8, 12, 36), (62, 78, 140), (5, 8, 22), (226, 232, 255)),
    Palette("desert", (64, 96, 140), (250, 196, 134), (84, 38, 30), (255, 236, 190)),
    Palette("rose", (88, 44, 108), (250, 172, 178), (48, 20, 56), (255, 226, 214)),
    Palette("ice", (44, 84, 136), (214, 232, 242), (24, 46, 78), (255, 255, 255)),
    Palette("neon", (16, 8, 48), (206, 52, 148), (10, 6, 28), (88, 236, 240)),
)

_PALETTE_WORDS: Mapping[str, frozenset[str]] = {
    "neon": frozenset({"neon", "cyber", "cyberpunk", "nightclub", "futuristic", "robot"}),
    "dusk": frozenset({"sunset", "sunrise", "dusk", "dawn", "evening", "golden"}),
    "night": frozenset({"night", "moon", "star", "space", "galaxy", "midnight"}),
    "ocean": frozenset({"ocean", "sea", "wave", "river", "lake", "underwater", "beach"}),
    "forest": frozenset({"forest", "tree", "jungle", "garden", "meadow", "grass"}),
    "desert": frozenset({"desert", "dune", "canyon", "savanna", "sand"}),
    "ice": frozenset({"snow", "snowy", "ice", "winter", "arctic", "glacier"}),
    "rose": frozenset({"flower", "rose", "blossom", "love", "spring"}),
}
_MOTIF_WORDS: Mapping[Motif, frozenset[str]] = {
    Motif.SKYLINE: frozenset({"city", "street", "neon", "skyline", "tower", "building", "cyberpunk", "traffic"}),
    Motif.WAVES: frozenset({"ocean", "sea", "wave", "river", "lake", "underwater", "boat", "ship", "beach"}),
    Motif.PEAKS: frozenset({"mountain", "peak", "alp", "snow", "snowy", "glacier", "canyon", "volcano"}),
    Motif.HILLS: frozenset({"hill", "forest", "meadow", "desert", "dune", "garden", "field"}),
}
_WORD = re.compile(r"[a-z]+")
_PITCHES_HZ = (146.83, 164.81, 196.00, 220.00, 246.94, 293.66, 329.63, 392.00)
"""D3 to G4 without the notes that would clash: any two of them sound well together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The choices. Lengths are fractions of the frame, so that they hold for every size."""

    palette: Palette
    motif: Motif
    direction: int
    """1 if the camera travels to the right, -1 if to the left."""
    sun_x: float
    """0.2 to 0.8 of the width, at the first frame."""
    sun_y: float
    """0.2 to 0.42 of the height, at the first frame."""
    sun_radius: float
    """0.06 to 0.12 of the short side."""
    pitch_hz: float
    """Root of the chord."""
    layer_seed: int
    """For the shapes and the motes."""


def look_of(shot: Shot) -> Look:
    """Choose; words in the prompt lead to fitting colours and shapes, the seed decides the rest."""
    # Repeatable choices, not secrets; Random's core methods are stable across Python versions.
    draw = random.Random(shot.random_seed())  # noqa: S311
    words = set(_WORD.findall(shot.prompt.lower()))
    words |= {word.removesuffix("s") for word in words}
    palette = PALETTES[int(draw.random() * len(PALETTES))]
    motif = tuple(Motif)[int(draw.random() * len(Motif))]
    named_palette = next((name for name, known in _PALETTE_WORDS.items() if known & words), palette.name)
    return Look(
        palette=next(each for each in PALETTES if each.name == named_palette),
        motif=next((each for each, known in _MOTIF_WORDS.items() if known & words), motif),
        direction=(1, -1)[int(draw.random() * 2)],
        sun_x=0.2 + 0.6 * draw.random(),
        sun_y=0.2 + 0.22 * draw.random(),
        sun_radius=0.06 + 0.06 * draw.random(),
        pitch_hz=_PITCHES_HZ[int(draw.random() * len(_PITCHES_HZ))],
        layer_seed=int(draw.random() * (1 << 32)),
    )
