"""Frames and tone into an MP4 that browsers start to play before it has arrived whole."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from reelgate_server.adapters.providers.local.shot import FRAMES_PER_SECOND, Shot
from reelgate_server.adapters.providers.local.tone import SAMPLES_PER_SECOND, tone

_VIDEO_OPTIONS = {
    # Twice as fast as `veryfast`; the file is about three times larger, which a storyboard can afford.
    "preset": "ultrafast",
    "crf": "21",
    # One render takes one core, and gives the same bytes on every machine.
    "threads": "1",
}
_KEY_FRAME_INTERVAL = 2 * FRAMES_PER_SECOND
"""Frames between the points that a player can seek to."""
_AUDIO_BITS_PER_SECOND = 96_000
_AAC_FRAME_SAMPLES = 1024
"""What an AAC encoder takes at a time; only the last may be shorter."""


def encode(path: Path, shot: Shot, frames: Iterable[Image.Image], *, pitch_hz: float) -> None:
    """Write the whole file, holding one frame at a time.

    Args:
        path: Replaced if it exists; incomplete until this returns.
        shot: Gives the size, the length and whether there is sound.
        frames: RGB, `shot.frame_count` of them, of one size; scaled to the shot's. What they raise passes.
        pitch_hz: Root of the chord.

    Raises:
        av.FFmpegError: The encoder or the file system refused; also an `OSError` or `ValueError`, as fits.
    """
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = _add_video(container, shot)
        sound = _Sound(container, shot, pitch_hz) if shot.has_audio else None
        reformatter = VideoReformatter()
        for index, image in enumerate(frames):
            frame = reformatter.reformat(
                av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24"),
                width=shot.width,
                height=shot.height,
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            frame.pts = index
            frame.time_base = Fraction(1, FRAMES_PER_SECOND)
            container.mux(video.encode(frame))
            if sound is not None:
                sound.advance(Fraction(index + 1, FRAMES_PER_SECOND))
        container.mux(video.encode(None))
        if sound is not None:
            sound.finish()


def _add_video(container: OutputContainer, shot: Shot) -> VideoStream:
    stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=_VIDEO_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = shot.width, shot.height, "yuv420p"
    context = stream.codec_context
    context.gop_size = _KEY_FRAME_INTERVAL
    # Players guess the colours of untagged video from its height, and differ in the guess.
    context.color_range = ColorRange.MPEG
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    return stream


class _Sound:
    """The audio track, encoded in step with the picture so that the two interleave."""

    def __init__(self, container: OutputContainer, shot: Shot, pitch_hz: float) -> None:
        self._container = container
        self._stream = container.add_stream("aac", rate=SAMPLES_PER_SECOND)
        self._stream.codec_context.layout = "stereo"
        self._stream.codec_context.bit_rate = _AUDIO_BITS_PER_SECOND
        self._pitch_hz = pitch_hz
        self._sample_count = round(shot.duration_s * SAMPLES_PER_SECOND)
        self._written = 0

    def advance(self, until_s: Fraction) -> None:
        """Encode up to a time."""
        target = min(round(until_s * SAMPLES_PER_SECOND), self._sample_count)
        while self._written < target:
            count = min(_AAC_FRAME_SAMPLES, self._sample_count - self._written)
            samples = tone(self._written, count, sample_count=self._sample_count, pitch_hz=self._pitch_hz)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate = SAMPLES_PER_SECOND
            frame.pts = self._written
            frame.time_base = Fraction(1, SAMPLES_PER_SECOND)
            self._container.mux(self._stream.encode(frame))
            self._written += count

    def finish(self) -> None:
        """Encode what is left and empty the encoder."""
        self.advance(Fraction(self._sample_count, SAMPLES_PER_SECOND))
        self._container.mux(self._stream.encode(None))
