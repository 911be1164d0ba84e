"""A video that browsers play, of any length: one second of film, which comes with this package, again and again.

The film is `demo.h264`, drawn by `scripts/draw_demo_loop.py`: a raw stream (ISO/IEC 14496-10, annex B) that begins with
a frame which needs no other and shows every frame in its order, so that it can follow itself. Here it is put into ISO
base media (ISO/IEC 14496-12 and -15), index before pictures, without any codec.
"""

import re
import struct
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

WIDTH, HEIGHT = 640, 360
"""Pixels, as drawn."""
FRAME_RATE = 24
"""Frames a second, as drawn."""

DURATION_S_MAX = 60.0
"""A longer video is not made: nobody sells one, and a demo must not fill the memory."""

_START_CODE: Final = re.compile(rb"\x00\x00\x00?\x01")
"""What separates the units of a stream; within a unit it cannot occur."""
_KEY_FRAME, _SEQUENCE_PARAMETERS, _PICTURE_PARAMETERS = 5, 7, 8
"""Types of units; 1 is a frame that needs others."""
_LENGTH_BYTES: Final = 4
_UNITY_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_NO_LANGUAGE: Final = 0x55C4


@lru_cache(maxsize=32)
def demo_mp4(duration_s: float) -> bytes:
    """Build a video of this length, about 8 kB a second.

    Args:
        duration_s: > 0; rounded to whole frames, at least one, and cut to `DURATION_S_MAX`.
    """
    parameters, loop = _film()
    count = max(1, round(min(duration_s, DURATION_S_MAX) * FRAME_RATE))
    frames = [loop[index % len(loop)] for index in range(count)]
    head = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    # The place of the pictures depends on the length of the index, which does not depend on the place.
    index = _index(parameters, [len(frame) for frame in frames], len(loop), 0)
    index = _index(parameters, [len(frame) for frame in frames], len(loop), len(head) + len(index) + 8)
    return head + index + _box(b"mdat", *frames)


@cache
def _film() -> tuple[bytes, tuple[bytes, ...]]:
    """Read the second of film: a decoder's configuration, and the frames as a file holds them."""
    stream = files("reelgate_simulators").joinpath("demo.h264").read_bytes()
    units = [(unit[0] & 0x1F, unit) for unit in _START_CODE.split(stream) if unit]
    (sequence,) = (unit for kind, unit in units if kind == _SEQUENCE_PARAMETERS)
    (picture,) = (unit for kind, unit in units if kind == _PICTURE_PARAMETERS)
    configuration = (
        struct.pack(">B3sBBH", 1, sequence[1:4], 0xFC | _LENGTH_BYTES - 1, 0xE0 | 1, len(sequence))
        + sequence
        + struct.pack(">BH", 1, len(picture))
        + picture
    )
    frames = tuple(struct.pack(">I", len(unit)) + unit for kind, unit in units if kind in {1, _KEY_FRAME})
    return configuration, frames


def _index(parameters: bytes, sizes: list[int], loop_length: int, offset: int) -> bytes:
    # One frame is one tick.
    ticks = len(sizes)
    header = _full(
        b"mvhd", 0, struct.pack(">4I", 0, 0, FRAME_RATE, ticks), struct.pack(">IHH8x", 0x10000, 0x100, 0),
        _UNITY_MATRIX, bytes(24), struct.pack(">I", 2),
    )  # fmt: skip
    track = _full(
        b"tkhd", 3, struct.pack(">5I", 0, 0, 1, 0, ticks), bytes(16), _UNITY_MATRIX,
        struct.pack(">2I", WIDTH << 16, HEIGHT << 16),
    )  # fmt: skip
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, struct.pack(">4IHH", 0, 0, FRAME_RATE, ticks, _NO_LANGUAGE, 0)),
        _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"video\0"),
        _box(
            b"minf",
            _full(b"vmhd", 1, bytes(8)),
            _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1))),
            _samples(parameters, sizes, loop_length, offset),
        ),
    )
    return _box(b"moov", header, _box(b"trak", track, media))


def _samples(parameters: bytes, sizes: list[int], loop_length: int, offset: int) -> bytes:
    """Describe every frame; all lie in one chunk."""
    resolution = 72 << 16
    entry = _box(
        b"avc1", bytes(6), struct.pack(">H", 1), bytes(16),
        struct.pack(">HHIIIH", WIDTH, HEIGHT, resolution, resolution, 0, 1), bytes(32), struct.pack(">Hh", 24, -1),
        _box(b"avcC", parameters),
    )  # fmt: skip
    count = len(sizes)
    starts = range(1, count + 1, loop_length)
    return _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), entry),
        _full(b"stts", 0, struct.pack(">3I", 1, count, 1)),
        _full(b"stss", 0, struct.pack(f">{len(starts) + 1}I", len(starts), *starts)),
        _full(b"stsc", 0, struct.pack(">4I", 1, 1, count, 1)),
        _full(b"stsz", 0, struct.pack(f">{count + 2}I", 0, count, *sizes)),
        _full(b"stco", 0, struct.pack(">2I", 1, offset)),
    )


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def _full(name: bytes, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)
