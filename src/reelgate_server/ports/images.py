"""How a first frame is fetched from the open internet."""

from typing import Protocol

from reelgate_server.ports.provider import ImageBytes


class ImageUnavailable(Exception):
    """The image cannot be fetched, or is none that we take; the text is for the operator."""


class ImageSource(Protocol):
    """Fetches images that customers name, without letting an address reach into our own network."""

    async def fetch(self, url: str) -> ImageBytes:
        """Fetch one image, within the adapter's own limits of time and size.

        Args:
            url: What a customer gave; anything but a public `https://` address is refused.

        Returns:
            The bytes as they came, and what they are, found by looking at them: JPEG, PNG or WebP.

        Raises:
            ImageUnavailable: Anything else.
        """
        ...
