"""Text in the picture: what the font can show, how it is wrapped, and the cards it stands on."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import islice

from PIL import Image, ImageDraw, ImageFont

from reelgate_server.adapters.providers.local.look import Colour

_WHITE = (255, 255, 255)
_PANEL = (8, 8, 14, 172)
"""Nearly black, so that white text is readable over any palette."""
_ALERT = (255, 196, 61)
"""Of the SIMULATED badge and the placeholder: yellow on black is the pair with the most contrast after white."""
_PROMPT_CHARACTERS_MAX = 600
"""More never fits a card; the rest is not looked at."""
_TITLE_SIZES = (0.062, 0.054, 0.047, 0.041, 0.036, 0.032)
"""Tried in turn, as fractions of the short side, until the whole title fits."""
_SUBSTITUTES = str.maketrans(
    {"\u2014": "-", "\u2013": "-", "•": "·", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "œ": "oe", "ł": "l", "Ł": "L"}
)
"""Characters that Unicode does not take apart and the font lacks; the first two are dashes."""


@lru_cache(maxsize=32)
def font(size_pixels: int) -> ImageFont.FreeTypeFont:
    """The font that comes with Pillow, so that every machine draws alike.

    Raises:
        OSError: Pillow was built without FreeType.
    """
    found = ImageFont.load_default(max(size_pixels, 6))
    if not isinstance(found, ImageFont.FreeTypeFont):
        message = "Pillow has no FreeType support"
        raise OSError(message)
    return found


def showable(text: str) -> str:
    """What of a text the font has glyphs for: accents are dropped from letters, other scripts and emoji left out.

    Returns:
        One line with single spaces; "Untitled" if nothing remains.
    """
    plain = unicodedata.normalize("NFKD", text[:_PROMPT_CHARACTERS_MAX].translate(_SUBSTITUTES))
    kept = "".join(" " if each.isspace() else each for each in plain if each.isspace() or _has_glyph(each))
    words = " ".join(kept.split())
    if not any(each.isalnum() for each in words):
        return "Untitled"
    return words + ("…" if len(text) > _PROMPT_CHARACTERS_MAX else "")


def wrap(text: str, face: ImageFont.FreeTypeFont, width_pixels: int) -> Iterator[str]:
    """Break a line at spaces, and within words that are too long for a line of their own."""
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if face.getlength(joined) <= width_pixels:
            line = joined
            continue
        if line:
            yield line
        line = word
        while len(line) > 1 and face.getlength(line) > width_pixels:
            fits = _fitting_length(line, face, width_pixels)
            yield line[:fits]
            line = line[fits:]
    yield line


def title_card(title: str, caption: str, accent: Colour, *, size: tuple[int, int]) -> Image.Image:
    """A translucent panel with the title in as large a type as fits, and a caption under it.

    Args:
        title: Any text.
        caption: Shown small, on one line.
        accent: Of the bar on the left.
        size: Of the frame, in pixels.

    Returns:
        RGBA, just as large as the panel.
    """
    width, height = size
    short = min(size)
    line_count_max = 4 if width >= height else 7
    margin = max(4, int(short * 0.035))
    text_width = int(width * (0.62 if width > height else 0.88)) - 3 * margin
    face, lines = _fit(showable(title), text_width, short, line_count_max)
    small = font(int(short * 0.026))
    step, caption_step = int(face.size * 1.25), int(small.size * 1.2)
    caption = next(wrap(caption, small, text_width))
    widest = max(small.getlength(caption), *(face.getlength(line) for line in lines))
    panel = Image.new("RGBA", (3 * margin + int(widest), 2 * margin + step * len(lines) + caption_step + margin // 2))
    draw = ImageDraw.Draw(panel)
    draw.rounded_rectangle((0, 0, panel.width - 1, panel.height - 1), radius=margin // 2, fill=_PANEL)
    bar = max(2, margin // 5)
    draw.rectangle((margin, margin, margin + bar - 1, panel.height - margin - 1), fill=(*accent, 255))
    left = 2 * margin
    for index, line in enumerate(lines):
        draw.text((left, margin + index * step), line, font=face, fill=(*_WHITE, 255))
    caption_top = panel.height - margin - caption_step
    draw.text((left, caption_top), caption, font=small, fill=(*_WHITE, 190))
    return panel


def badge(word: str, note: str, *, size: tuple[int, int]) -> Image.Image:
    """A black pill with a yellow word, and a note beside it in white.

    Returns:
        RGBA, at most 0.94 of the frame's width.
    """
    short = min(size)
    height = max(16, int(short * 0.068))
    face, small = font(int(height * 0.58)), font(int(height * 0.42))
    pad = height // 2
    word_width = int(face.getlength(word))
    # A very long model id is cut rather than let to push the badge out of the picture.
    note = next(wrap(showable(note), small, max(1, int(size[0] * 0.94) - word_width - 3 * pad)))
    pill = Image.new("RGBA", (word_width + int(small.getlength(note)) + 3 * pad, height))
    draw = ImageDraw.Draw(pill)
    draw.rounded_rectangle((0, 0, pill.width - 1, height - 1), radius=height // 2, fill=(0, 0, 0, 214))
    draw.text((pad, height / 2), word, font=face, fill=(*_ALERT, 255), anchor="lm")
    draw.text((2 * pad + word_width, height / 2), note, font=small, fill=(*_WHITE, 255), anchor="lm")
    return pill


def placeholder_card(text: str, *, size: tuple[int, int]) -> Image.Image:
    """A framed panel in place of a picture that could not be had.

    Returns:
        RGBA.
    """
    short = min(size)
    panel_width, panel_height = int(size[0] * 0.6), int(short * 0.3)
    panel = Image.new("RGBA", (panel_width, panel_height))
    draw = ImageDraw.Draw(panel)
    edge = max(2, short // 200)
    box = (0, 0, panel_width - 1, panel_height - 1)
    draw.rounded_rectangle(box, radius=short // 40, fill=(*_PANEL[:3], 200), outline=(*_ALERT, 255), width=edge)
    limit = int(panel_width * 0.86)
    face = font(int(short * 0.07))
    face = font(int(face.size * min(1.0, limit / face.getlength(text))))
    draw.text((panel_width / 2, panel_height / 2), text, font=face, fill=(*_ALERT, 255), anchor="mm")
    return panel


def _fitting_length(text: str, face: ImageFont.FreeTypeFont, width_pixels: int) -> int:
    def width(length: int) -> float:
        return face.getlength(text[:length])

    return max(1, bisect_right(range(len(text)), float(width_pixels), key=width) - 1)


def _fit(
    title: str, width_pixels: int, short_pixels: int, line_count_max: int
) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    face = font(int(short_pixels * _TITLE_SIZES[0]))
    lines = [title]
    for size in _TITLE_SIZES:
        face = font(int(short_pixels * size))
        lines = list(islice(wrap(title, face, width_pixels), line_count_max + 1))
        if len(lines) <= line_count_max:
            return face, lines
    last = lines[line_count_max - 1].rstrip(" …")
    while last and face.getlength(f"{last}…") > width_pixels:
        last = last[:-1].rstrip()
    return face, [*lines[: line_count_max - 1], f"{last}…"]


@cache
def _missing_glyph() -> bytes:
    # U+FFFF is not a character, so no font has a glyph for it.
    return bytes(font(40).getmask("\uffff"))


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    if unicodedata.category(character)[0] in "CM":
        return False
    return bytes(font(40).getmask(character)) != _missing_glyph()
