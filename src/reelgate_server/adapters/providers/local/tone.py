"""The sound of a shot: a soft chord that swells and fades."""

from math import tau

import numpy as np
from numpy.typing import NDArray

SAMPLES_PER_SECOND = 48_000

_PARTIALS = ((1.0, 0.50), (1.5, 0.22), (2.0, 0.18), (3.0, 0.06))
"""Multiple of the root, and loudness: root, fifth, octave and the fifth above it."""
_LOUDNESS = 0.22
"""Peak, well under full scale: a demonstration must not startle."""
_FADE_S = 0.35
"""Long enough that neither end clicks."""
_DETUNE = 1.002
"""The right channel is a hair sharper, which widens the sound."""


def tone(first_sample: int, count: int, *, sample_count: int, pitch_hz: float) -> NDArray[np.float32]:
    """A stretch of the sound.

    Args:
        first_sample: 0-based, in the whole sound.
        count: Samples wanted; `first_sample` + `count` <= `sample_count`.
        sample_count: Length of the whole sound.
        pitch_hz: Root of the chord.

    Returns:
        Two rows, left and right, each of `count` samples within -1 and 1.
    """
    time_s = (first_sample + np.arange(count)) / SAMPLES_PER_SECOND
    left_s = sample_count / SAMPLES_PER_SECOND - time_s
    envelope = np.clip(np.minimum(time_s, left_s) / _FADE_S, 0, 1) ** 2
    envelope *= _LOUDNESS * (0.8 + 0.2 * np.sin(tau * 0.4 * time_s))
    channels = [
        sum((share * np.sin(tau * pitch_hz * multiple * detune * time_s) for multiple, share in _PARTIALS), 0 * time_s)
        for detune in (1.0, _DETUNE)
    ]
    return (np.stack(channels) * envelope).astype(np.float32)
