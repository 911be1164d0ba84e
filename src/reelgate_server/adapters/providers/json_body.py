"""Bodies in JSON, of which images are written while they are sent.

An image of 20 MiB makes 27 MiB of Base64, and these as many of JSON. Both codecs of CPython hold the interpreter's lock
from the first byte to the last: the event loop stood still for 130 ms, also when a thread did the work (measured on
CPython 3.11, 2026-11-21). Here a body keeps the image as it is, and encodes a piece whenever the connection takes one.
"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from reelgate_server.ports.provider import ImageBytes

PIECE_BYTES: Final = 192 * 1024
"""Bytes that are encoded at a time, in about 0.3 ms. A multiple of three, so that no padding comes in between."""


@dataclass(frozen=True, slots=True)
class Base64Text:
    """A text within a body: a beginning, and bytes in Base64 (RFC 4648, section 4)."""

    content: bytes = field(repr=False)
    prefix: str = ""

    def __str__(self) -> str:
        """The whole text."""
        return self.prefix + b64encode(self.content).decode("ascii")

    @property
    def encoded_size_bytes(self) -> int:
        """Length of the Base64, without the prefix."""
        return (len(self.content) + 2) // 3 * 4

    def pieces(self) -> Iterator[bytes]:
        """The Base64, without the prefix."""
        view = memoryview(self.content)
        return (b64encode(view[start : start + PIECE_BYTES]) for start in range(0, len(view), PIECE_BYTES))


def data_url(image: ImageBytes) -> Base64Text:
    """An image as a `data:` URL."""
    return Base64Text(image.content, f"data:{image.content_type};base64,")


class JsonBody:
    """A value as it is sent. Everything but its `Base64Text`s is written at once."""

    def __init__(self, value: Any) -> None:
        """Write.

        Args:
            value: Of what JSON knows, and of `Base64Text`.

        Raises:
            ValueError: It has a number that is not finite.
        """
        self._parts = tuple(_joined(_parts_of(value)))

    @property
    def size_bytes(self) -> int:
        """Length of the whole."""
        return sum(len(part) if isinstance(part, bytes) else part.encoded_size_bytes for part in self._parts)

    @property
    def whole(self) -> bytes | None:
        """The body, if it is all written."""
        [first, *others] = self._parts
        return first if isinstance(first, bytes) and not others else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield it in pieces of bounded work; again, if it is asked for again."""
        for part in self._parts:
            for piece in (part,) if isinstance(part, bytes) else part.pieces():
                yield piece


def _parts_of(value: Any) -> Iterator[str | Base64Text]:
    """What a value is written as, in order."""
    match value:
        case Base64Text():
            yield json.dumps(value.prefix)[:-1]
            yield value
            yield '"'
        case dict():
            yield "{"
            for index, (name, member) in enumerate(value.items()):
                yield f"{',' if index else ''}{json.dumps(name)}:"
                yield from _parts_of(member)
            yield "}"
        case list() | tuple():
            yield "["
            for index, member in enumerate(value):
                yield "," if index else ""
                yield from _parts_of(member)
            yield "]"
        case _:
            # ASCII, so that half of a surrogate pair in a prompt is an escape and no error.
            yield json.dumps(value, allow_nan=False)


def _joined(parts: Iterator[str | Base64Text]) -> Iterator[bytes | Base64Text]:
    """The same, with texts that follow each other in one."""
    text: list[str] = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
        else:
            yield "".join(text).encode("ascii")
            text.clear()
            yield part
    yield "".join(text).encode("ascii")
