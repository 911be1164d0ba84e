"""What a video file is, as a player sees it."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Facts of one file."""

    video_codec: str
    pixel_format: str | None
    width: int
    height: int
    frame_count: int
    duration_s: float
    """Of the longest stream."""
    audio_codec: str | None
    is_fast_start: bool
    """The index comes before the pictures."""


def probe(path: Path) -> Probe:
    """Read the facts; every frame is decoded to be counted."""
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], next(iter(container.streams.audio), None)
        assert container.duration is not None
        context = video.codec_context
        return Probe(
            video_codec=context.name,
            pixel_format=context.pix_fmt,
            width=context.width,
            height=context.height,
            frame_count=sum(1 for _ in container.decode(video)),
            duration_s=container.duration / 1_000_000,
            audio_codec=None if audio is None else audio.codec_context.name,
            is_fast_start=_box_names(path.read_bytes()).index(b"moov") < _box_names(path.read_bytes()).index(b"mdat"),
        )


def first_frame(path: Path) -> NDArray[np.uint8]:
    """The first picture, in rows of RGB pixels."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgb24").astype(np.uint8)


def _box_names(content: bytes) -> list[bytes]:
    names = []
    start = 0
    while start < len(content):
        names.append(content[start + 4 : start + 8])
        start += int.from_bytes(content[start : start + 4])
    return names
