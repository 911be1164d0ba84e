#!/usr/bin/env python3
"""Draw the second of film that the simulated providers repeat, as a raw H.264 stream: a ball that goes round.

Usage: draw_demo_loop.py src/reelgate_simulators/demo.h264
"""

import math
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 360
FRAMES_PER_SECOND = 24
"""Also the number of frames: the ball goes round once a second."""
NIGHT, LIGHT, ALERT = (24, 28, 44), (120, 190, 230), (255, 196, 61)
OPTIONS = {
    # One point to start from, and nothing shown out of order, so that frames follow each other as they are stored.
    "x264-params": f"keyint={FRAMES_PER_SECOND}:min-keyint={FRAMES_PER_SECOND}:scenecut=0:bframes=0:ref=4",
    "preset": "veryslow",
    "tune": "animation",
    "profile": "main",
    "crf": "24",
    "threads": "1",
}


def draw(index: int) -> Image.Image:
    """One picture."""
    image = Image.new("RGB", (WIDTH, HEIGHT), NIGHT)
    pen = ImageDraw.Draw(image)
    pen.text((WIDTH // 2, HEIGHT // 2), "SIMULATED", ALERT, ImageFont.load_default(64), anchor="mm")
    angle = math.tau * index / FRAMES_PER_SECOND
    x, y = WIDTH / 2 + 250 * math.cos(angle), HEIGHT / 2 + 120 * math.sin(angle)
    pen.ellipse((x - 24, y - 24, x + 24, y + 24), LIGHT)
    return image


def encode(path: Path) -> None:
    """Write the stream; its parameters are in it."""
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES_PER_SECOND):
            frame = av.VideoFrame.from_ndarray(np.asarray(draw(index)), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FRAMES_PER_SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    encode(Path(sys.argv[1]))
