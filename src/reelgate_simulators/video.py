"""A tiny video, built box by box so that no binary is shipped and no codec is needed.

The file is real: ISO base media (ISO/IEC 14496-12) with one track of uncompressed 24-bit RGB frames, sample entry
`raw ` as QuickTime has it, index before pictures. FFmpeg and PyAV decode it; browsers do not. Whoever needs H.264
passes a file of their own to the simulator.
"""

import struct
from functools import cache

WIDTH, HEIGHT = 32, 18
"""Pixels; 16:9."""
FRAME_RATE = 8
"""Frames a second."""
TIMESCALE = 1000
"""Ticks a second in every header."""
UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@cache
def tiny_mp4(duration_s: float = 1.0) -> bytes:
    """Build a video of this length.

    All frames share the same bytes, so a longer video is hardly larger: about 3 kB.

    Args:
        duration_s: > 0; rounded to whole frames, at least one.
    """
    frame_count = max(1, round(duration_s * FRAME_RATE))
    frame = bytes(channel for y in range(HEIGHT) for x in range(WIDTH) for channel in (x * 8, y * 14, 96))
    head = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
    # The place of the pictures depends on the length of the index, which does not depend on the place.
    index = _movie(frame_count, len(frame), 0)
    index = _movie(frame_count, len(frame), len(head) + len(index) + 8)
    return head + index + _box(b"mdat", frame)


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def _full(name: bytes, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


def _movie(frame_count: int, frame_bytes: int, offset: int) -> bytes:
    ticks = frame_count * TIMESCALE // FRAME_RATE
    header = _full(
        b"mvhd", 0, struct.pack(">4I", 0, 0, TIMESCALE, ticks), struct.pack(">IHH8x", 0x10000, 0x100, 0),
        UNITY_MATRIX, bytes(24), struct.pack(">I", 2),
    )  # fmt: skip
    track = _full(
        b"tkhd", 3, struct.pack(">5I", 0, 0, 1, 0, ticks), bytes(16), UNITY_MATRIX,
        struct.pack(">2I", WIDTH << 16, HEIGHT << 16),
    )  # fmt: skip
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, struct.pack(">4IHH", 0, 0, TIMESCALE, ticks, 0x55C4, 0)),
        _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"video\0"),
        _box(
            b"minf",
            _full(b"vmhd", 1, bytes(8)),
            _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1))),
            _samples(frame_count, frame_bytes, offset),
        ),
    )
    return _box(b"moov", header, _box(b"trak", track, media))


def _samples(frame_count: int, frame_bytes: int, offset: int) -> bytes:
    resolution = 72 << 16
    entry = _box(
        b"raw ", bytes(6), struct.pack(">H", 1), bytes(16),
        struct.pack(">HHIIIH", WIDTH, HEIGHT, resolution, resolution, 0, 1), bytes(32), struct.pack(">Hh", 24, -1),
    )  # fmt: skip
    return _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), entry),
        _full(b"stts", 0, struct.pack(">3I", 1, frame_count, TIMESCALE // FRAME_RATE)),
        _full(b"stsc", 0, struct.pack(">4I", 1, 1, 1, 1)),
        _full(b"stsz", 0, struct.pack(">2I", frame_bytes, frame_count)),
        _full(b"stco", 0, struct.pack(f">{frame_count + 1}I", frame_count, *[offset] * frame_count)),
    )
