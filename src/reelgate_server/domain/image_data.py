"""First frames as bytes: what they are, and how they come inside a request."""

from base64 import b64decode
from dataclasses import dataclass, field
from typing import Final

IMAGE_BYTES_MAX = 10 << 20
"""Of an image inside a request. Envoy passes 25 MiB and base64 adds a third, so 18 MiB would just fit; what is left
bounds what a server holds while many such requests are being read at once."""

_SCHEME: Final = "data:"
_ENCODING: Final = "base64"
_HEADER_CHARACTERS_MAX = 256
"""Between the scheme and the comma. `image/jpeg;base64` is 17; what programs add beside it is a file's name."""
_CONTENT_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/webp"})


class ImageDataRefused(ValueError):
    """A text is no image that we take."""

    def __init__(self, reason: str) -> None:
        """Take what the text must be: a sentence fragment without a subject, safe to show."""
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class ImageData:
    """An image that came inside a request."""

    content: bytes = field(repr=False)
    """At most `IMAGE_BYTES_MAX`; begins like an image of its type, and nothing more of it was looked at."""
    content_type: str
    """`image/jpeg`, `image/png` or `image/webp`."""


def sniff(content: bytes) -> str | None:
    """Tell what an image is by its first bytes, whatever anybody calls it.

    Returns:
        `image/jpeg`, `image/png` or `image/webp`; None for anything else.

    Source:
        WHATWG MIME Sniffing, "Matching an image type pattern".
    """
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"RIFF") and content[8:14] == b"WEBPVP":
        return "image/webp"
    return None


def is_data_url(text: str) -> bool:
    """Tell whether a text means to be a `data:` URL, well formed or not; the scheme may be in any case."""
    return text[: len(_SCHEME)].lower() == _SCHEME


def parse_data_url(text: str) -> ImageData:
    """Read an image out of a `data:` URL, in time linear in its length.

    Args:
        text: `data:image/png;base64,...`, with or without further parameters before `;base64`, which mean nothing here.
            The alphabet is that of RFC 4648, section 4, padded, without white space or percent signs.

    Raises:
        ImageDataRefused: Another form, another type, bytes that are not of the type, or too many.

    Source:
        RFC 2397.
    """
    header_end = text.find(",", 0, len(_SCHEME) + _HEADER_CHARACTERS_MAX + 1)
    content_type, *parameters = text[len(_SCHEME) : max(header_end, 0)].lower().split(";")
    if not is_data_url(text) or content_type not in _CONTENT_TYPES or parameters[-1:] != [_ENCODING]:
        raise ImageDataRefused("must be a base64 `data:` URL of a JPEG, PNG or WebP image")
    content = _decode(text[header_end + 1 :])
    if sniff(content) != content_type:
        raise ImageDataRefused(f"must be a `data:` URL whose bytes are the {content_type} that it names")
    return ImageData(content, content_type)


def _decode(text: str) -> bytes:
    # Every four characters carry three bytes, so that what is too long need not be decoded.
    if len(text) <= 4 * (IMAGE_BYTES_MAX // 3 + 1):
        try:
            content = b64decode(text, validate=True)
        except ValueError:
            raise ImageDataRefused("must be a `data:` URL with valid base64 after the comma") from None
        if len(content) <= IMAGE_BYTES_MAX:
            return content
    raise ImageDataRefused(f"must be a `data:` URL of an image of at most {IMAGE_BYTES_MAX >> 20} MiB")
