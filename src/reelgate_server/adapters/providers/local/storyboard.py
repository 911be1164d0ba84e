"""A shot, frame by frame: sky, sun, ridges that travel at different speeds, motes of light, and the cards.

Everything dear is drawn once. A frame is a crop of the sky with the other layers pasted onto it, so its cost is that
of copying pixels. The picture depends on the shot and the image alone.
"""

import random
from math import sin, tau

from PIL import Image, ImageDraw, ImageOps

from reelgate_server.adapters.providers.local import scenery, title
from reelgate_server.adapters.providers.local.look import look_of
from reelgate_server.adapters.providers.local.shot import FRAMES_PER_SECOND, Shot

CANVAS_SHORT_SIDE_PIXELS_MAX = 1080
"""Larger frames are drawn at this size and scaled up while encoding: a quarter of the time and memory at 4k."""
MOTE_COUNT = 36

_Mote = tuple[Image.Image, float, float, float, float]
"""Sprite, then x and y in frames, then speed along each in frames per second."""


class Storyboard:
    """Draws the frames of one shot."""

    def __init__(self, shot: Shot, image: Image.Image | None) -> None:
        """Draw the layers.

        Args:
            shot: What to draw.
            image: RGB; covers the first frame and stays behind the cards. None with an `image_url` in the shot draws
                a placeholder that says so.
        """
        self._shot = shot
        self._size = canvas_size(shot)
        self._look = look_of(shot)
        self._is_scenic = image is None
        if image is None:
            self._backdrop = scenery.sky(self._look, self._size)
            self._ridges = scenery.ridges(self._look, self._size)
        else:
            self._backdrop = _cover(image, self._size)
            self._ridges = []
        self._sun = scenery.sun(self._look, min(self._size))
        self._motes = self._scatter_motes()
        self._cards = self._place_cards(is_image_missing=image is None and shot.image_url is not None)

    def frame(self, index: int) -> Image.Image:
        """Draw one frame.

        Args:
            index: 0 <= index < the shot's `frame_count`.

        Returns:
            RGB, of the size of `canvas_size`.
        """
        elapsed_s = index / FRAMES_PER_SECOND
        frame = self._crop_backdrop(elapsed_s)
        if self._is_scenic:
            self._paste_sun(frame, elapsed_s)
        for depth, ridge in enumerate(self._ridges):
            self._paste_ridge(frame, ridge, elapsed_s, depth)
        self._paste_motes(frame, elapsed_s)
        for card, corner in self._cards:
            frame.paste(card, corner, card)
        self._draw_progress(frame, (index + 1) / self._shot.frame_count)
        return frame

    def _crop_backdrop(self, elapsed_s: float) -> Image.Image:
        width, height = self._size
        spare_x, spare_y = self._backdrop.width - width, self._backdrop.height - height
        # The first frame is the middle; from there the camera swings to either side within the spare margin.
        left = round(spare_x / 2 * (1 + 0.9 * self._look.direction * sin(elapsed_s * tau / 24)))
        top = round(spare_y / 2 * (1 - 0.7 * sin(elapsed_s * tau / 32)))
        return self._backdrop.crop((left, top, left + width, top + height))

    def _paste_sun(self, frame: Image.Image, elapsed_s: float) -> None:
        width, height = self._size
        centre_x = (self._look.sun_x - self._look.direction * 0.004 * elapsed_s) * width
        centre_y = (self._look.sun_y - 0.012 * sin(elapsed_s * tau / 20)) * height
        half = self._sun.width / 2
        frame.paste(self._sun, (round(centre_x - half), round(centre_y - half)), self._sun)

    def _paste_ridge(self, frame: Image.Image, ridge: scenery.Ridge, elapsed_s: float, depth: int) -> None:
        width = self._size[0]
        period = ridge.mask.width - width
        left = round(elapsed_s * ridge.pixels_per_second) % period
        top = ridge.top + round(ridge.bob_pixels * sin(elapsed_s * tau / (3.1 + 0.7 * depth) + depth))
        window = (left, 0, left + width, ridge.mask.height)
        frame.paste(ridge.fill, (0, top), ridge.mask.crop(window))
        if ridge.lights is not None:
            glow = ridge.lights.crop(window)
            frame.paste(self._look.palette.accent, (0, top, width, top + glow.height), glow)

    def _scatter_motes(self) -> list[_Mote]:
        draw = random.Random(self._look.layer_seed)  # noqa: S311 (a picture, not a secret)
        short = min(self._size)
        sprites = [scenery.mote(self._look.palette, short * radius) for radius in (0.003, 0.005, 0.009)]
        return [
            (
                sprites[int(draw.random() ** 2 * len(sprites))],
                draw.random(),
                draw.random(),
                -self._look.direction * (0.004 + 0.02 * draw.random()),
                -(0.006 + 0.02 * draw.random()),
            )
            for _ in range(MOTE_COUNT)
        ]

    def _paste_motes(self, frame: Image.Image, elapsed_s: float) -> None:
        width, height = self._size
        for sprite, start_x, start_y, speed_x, speed_y in self._motes:
            # A mote leaves the frame wholly before it enters again on the other side.
            x = (start_x + speed_x * elapsed_s) % 1 * (width + sprite.width) - sprite.width
            y = (start_y + speed_y * elapsed_s) % 1 * (height + sprite.height) - sprite.height
            frame.paste(sprite, (round(x), round(y)), sprite)

    def _place_cards(self, *, is_image_missing: bool) -> list[tuple[Image.Image, tuple[int, int]]]:
        shot, size = self._shot, self._size
        margin = int(min(size) * 0.05)
        caption = f"{shot.width} x {shot.height} · {float(shot.duration_s):g} s · seed {shot.seed}"
        panel = title.title_card(shot.prompt, caption, self._look.palette.accent, size=size)
        cards = [(panel, (margin, size[1] - margin - panel.height))]
        if is_image_missing:
            missing = title.placeholder_card("IMAGE UNAVAILABLE", size=size)
            cards.append((missing, ((size[0] - missing.width) // 2, int(size[1] * 0.34) - missing.height // 2)))
        if shot.is_simulated:
            cards.append((title.badge("SIMULATED", shot.model, size=size), (margin, margin)))
        return cards

    def _draw_progress(self, frame: Image.Image, fraction: float) -> None:
        width, height = self._size
        thickness = max(2, min(self._size) // 120)
        box = (0, height - thickness, max(1, round(width * fraction)) - 1, height - 1)
        ImageDraw.Draw(frame).rectangle(box, fill=self._look.palette.accent)


def canvas_size(shot: Shot) -> tuple[int, int]:
    """The size at which a shot is drawn, in pixels, both even: its own, unless that is very large."""
    scale = min(1.0, CANVAS_SHORT_SIDE_PIXELS_MAX / min(shot.width, shot.height))
    return 2 * round(shot.width * scale / 2), 2 * round(shot.height * scale / 2)


def _cover(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    spare = 1 + scenery.SKY_MARGIN
    box = (round(size[0] * spare), round(size[1] * spare))
    return ImageOps.fit(image.convert("RGB"), box, Image.Resampling.BICUBIC)
