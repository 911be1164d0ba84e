"""What an `ImageSource` promises. `test_images.py` runs it over every adapter."""

import asyncio

import pytest

from reelgate_server.ports.images import ImageSource, ImageUnavailable
from reelgate_server.ports.provider import ImageBytes
from tests.support.images import GIF, HTML, JPEG, PNG, SVG, WEBP

IMAGES = {
    "https://images.test/first.png": PNG,
    "https://images.test/first.jpg": JPEG,
    "https://images.test/first.webp": WEBP,
    "https://images.test/jpeg-called.png": JPEG,
    "https://images.test/without-a-suffix?size=large&v=2": WEBP,
    "https://images.test:8443/first.png": PNG,
    "https://IMAGES.test/first.png": PNG,
}
NOT_IMAGES = {
    "https://images.test/empty.png": b"",
    "https://images.test/first.gif": GIF,
    "https://images.test/first.svg": SVG,
    "https://images.test/page.png": HTML,
    "https://images.test/long.png": PNG + bytes((20 << 20) + 1 - len(PNG)),
}
NOT_PUBLIC = dict.fromkeys(
    (
        "http://images.test/first.png",
        "HTTP://images.test/first.png",
        "file:///first.png",
        "ftp://images.test/first.png",
        "//images.test/first.png",
        "images.test/first.png",
        "https://user@images.test/first.png",
        "https://user:secret@images.test/first.png",
        "https://localhost/first.png",
        "https://127.0.0.1/first.png",
        "https://10.0.0.1/first.png",
        "https://169.254.169.254/first.png",
        "https://[::1]/first.png",
        "https://[fd00:ec2::254]/first.png",
        "https://[::ffff:127.0.0.1]/first.png",
    ),
    PNG,
)
HOSTED = {**IMAGES, **NOT_IMAGES, **NOT_PUBLIC}
"""What the hosts of a source under test have, where they are asked for it: by address, the bytes."""


class ImageSourceContract:
    """Subclasses give an `images` fixture in whose world `HOSTED` is all there is."""

    @pytest.mark.parametrize(
        ("url", "image"),
        [
            ("https://images.test/first.png", ImageBytes(PNG, "image/png")),
            ("https://images.test/first.jpg", ImageBytes(JPEG, "image/jpeg")),
            ("https://images.test/first.webp", ImageBytes(WEBP, "image/webp")),
            ("https://images.test/jpeg-called.png", ImageBytes(JPEG, "image/jpeg")),
            ("https://images.test/without-a-suffix?size=large&v=2", ImageBytes(WEBP, "image/webp")),
            ("https://images.test:8443/first.png", ImageBytes(PNG, "image/png")),
            ("https://IMAGES.test/first.png", ImageBytes(PNG, "image/png")),
        ],
    )
    async def test_an_image_comes_as_it_is_and_with_what_it_is(
        self, images: ImageSource, url: str, image: ImageBytes
    ) -> None:
        assert await images.fetch(url) == image

    async def test_an_image_can_be_had_again_and_many_at_once(self, images: ImageSource) -> None:
        url = "https://images.test/first.png"
        found = await asyncio.gather(*(images.fetch(url) for _ in range(30)))
        assert found == [ImageBytes(PNG, "image/png")] * 30

    @pytest.mark.parametrize("url", NOT_IMAGES)
    async def test_what_is_no_image_that_we_take_is_refused(self, images: ImageSource, url: str) -> None:
        with pytest.raises(ImageUnavailable):
            await images.fetch(url)

    @pytest.mark.parametrize("url", NOT_PUBLIC)
    async def test_only_a_public_https_address_is_followed(self, images: ImageSource, url: str) -> None:
        with pytest.raises(ImageUnavailable):
            await images.fetch(url)

    @pytest.mark.parametrize("url", ["https://images.test/nothing.png", "https://elsewhere.test/first.png"])
    async def test_an_image_that_is_not_there_is_unavailable(self, images: ImageSource, url: str) -> None:
        with pytest.raises(ImageUnavailable):
            await images.fetch(url)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            " ",
            "https:",
            "https://",
            "https:///first.png",
            "https://[::1",
            "https://images.test:port/",
            "https://images.test:99999/",
            "https://images.test\0.evil.test/",
            "https://images.test/\r\nHost: evil.test",
            "https://\ud800.test/",
            "https://" + "a" * 70_000 + "/",
            "https://" + "a." * 200 + "test/",
            "https://\u2603.test/",
            "https://xn--/",
        ],
        ids=lambda url: ascii(url[:40]),
    )
    async def test_what_is_no_address_is_unavailable_and_no_defect(self, images: ImageSource, url: str) -> None:
        with pytest.raises(ImageUnavailable):
            await images.fetch(url)
