"""First frames: small pictures, and a source of them that keeps the promises of `ports/images.py`."""

import io
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from PIL import Image

from reelgate_server.adapters.public_addresses import is_public
from reelgate_server.domain.image_data import sniff
from reelgate_server.ports.images import ImageUnavailable
from reelgate_server.ports.provider import ImageBytes


def picture(form: str, *, size: tuple[int, int] = (16, 9), colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A picture of one colour, in one of Pillow's formats."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, form)
    return file.getvalue()


JPEG, PNG, WEBP, GIF = picture("JPEG"), picture("PNG"), picture("WEBP"), picture("GIF")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
HTML = b"<!doctype html><title>Not found</title>"

IMAGE_URL = "https://images.test/first.png"
IMAGE_BYTES_MAX = 20 << 20


class FakeImageSource:
    """Has the images that a test gave it. Names are taken for public; of addresses only public ones are."""

    def __init__(self, images: Mapping[str, bytes] | None = None) -> None:
        """Take what lies at which address: by default a PNG at `IMAGE_URL`."""
        self.images = {IMAGE_URL: PNG} if images is None else dict(images)
        self.fetched: list[str] = []
        """Every address that was asked for, in order."""

    async def fetch(self, url: str) -> ImageBytes:
        """Answer at once; see the port."""
        self.fetched.append(url)
        content = self.images.get(url)
        if content is None or not _is_public_https(url):
            raise ImageUnavailable("not there")
        content_type = sniff(content)
        if content_type is None or len(content) > IMAGE_BYTES_MAX:
            raise ImageUnavailable("no image")
        return ImageBytes(content, content_type)


def _is_public_https(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    try:
        is_reachable = is_public(ip_address(host))
    except ValueError:
        is_reachable = host != "localhost"
    return parts.scheme == "https" and "@" not in parts.netloc and is_reachable
