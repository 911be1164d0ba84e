"""The first frame of a local render: waited for in a process that has no event loop, and decoded."""

import asyncio
import io
import warnings
from collections.abc import Callable

from PIL import Image, ImageOps

from reelgate_server.ports.images import ImageSource, ImageUnavailable

IMAGE_PIXELS_MAX = 40_000_000
"""A picture of more is refused undecoded. Decoded, it takes four bytes a pixel: 160 MB."""

_STOP_CHECK_INTERVAL_S = 0.1
_FORMATS = ("JPEG", "PNG", "WEBP")


def fetch(source: ImageSource, url: str, is_stopped: Callable[[], bool] = lambda: False) -> bytes:
    """Fetch an image, in a thread without a running event loop. Blocks.

    Args:
        source: Used by this thread alone.
        url: What the customer gave.
        is_stopped: Asked ten times a second; once it is true, the fetch is given up.

    Raises:
        ImageUnavailable: It cannot be had, or `is_stopped`.
    """
    outcome = asyncio.run(_fetch(source, url, is_stopped))
    if isinstance(outcome, ImageUnavailable):
        raise outcome
    return outcome


def decode(content: bytes) -> Image.Image:
    """Decode a JPEG, PNG or WebP picture, upright; RGB, transparency over black.

    Raises:
        ImageUnavailable: Another format, broken, or of more than `IMAGE_PIXELS_MAX` pixels.
    """
    try:
        return _decode(content)
    except ImageUnavailable:
        raise
    except Exception as error:  # Pillow's decoders raise what their parsers trip over, not a closed set.
        message = f"not a picture: {type(error).__name__}"
        raise ImageUnavailable(message) from error


async def _fetch(source: ImageSource, url: str, is_stopped: Callable[[], bool]) -> bytes | ImageUnavailable:
    async with asyncio.TaskGroup() as tasks:
        attempt = tasks.create_task(_attempt(source, url))
        while not attempt.done() and not is_stopped():
            await asyncio.wait([attempt], timeout=_STOP_CHECK_INTERVAL_S)
        attempt.cancel()
    return ImageUnavailable("no longer wanted") if attempt.cancelled() else attempt.result()


async def _attempt(source: ImageSource, url: str) -> bytes | ImageUnavailable:
    # Returned and not raised: it would leave the group in the wrapping of a group.
    try:
        return (await source.fetch(url)).content
    except ImageUnavailable as error:
        return error


def _decode(content: bytes) -> Image.Image:
    # The header alone is read at first; Pillow's own limit only warns, and is higher.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    with image:
        if image.width * image.height > IMAGE_PIXELS_MAX:
            message = f"{image.width} x {image.height} pixels are too many"
            raise ImageUnavailable(message)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    picture = Image.new("RGB", upright.size)
    picture.paste(upright, mask=upright)
    return picture
