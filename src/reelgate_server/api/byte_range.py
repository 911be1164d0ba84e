"""HTTP range requests for one range, as RFC 9110 says. Pure."""

import re
from dataclasses import dataclass

from reelgate_server.domain.errors import RangeNotSatisfiable

_SINGLE_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII | re.IGNORECASE)
_DIGITS_MAX = 18
"""Longer numbers are beyond any file, and are read as such."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Part of a file: from `start` up to, not including, `end`."""

    start: int
    end: int


def select_range(header: str | None, if_range: str | None, etag: str, size_bytes: int) -> ByteRange | None:
    """Choose what part of a file to send; None means the whole file with status 200.

    What is not one well-formed byte range (several ranges, another unit, a last byte before the first) is ignored, as
    RFC 9110, section 14.2, allows. So is a range whose `if-range` does not match: RFC 9110, section 13.1.5.

    Args:
        header: The `range` header.
        if_range: The `if-range` header; only a strong entity tag can match.
        etag: The file's entity tag, in quotes.
        size_bytes: Length of the file.

    Raises:
        RangeNotSatisfiable: The range lies beyond the end.
    """
    match = _SINGLE_RANGE.fullmatch(header) if header is not None else None
    if match is None or (if_range is not None and if_range.strip() != etag):
        return None
    first_text, last_text = (text[:_DIGITS_MAX] for text in match.groups())
    if not first_text and not last_text:
        return None
    if not first_text:
        suffix = int(last_text)
        if suffix == 0 or size_bytes == 0:
            raise RangeNotSatisfiable(size_bytes)
        return ByteRange(max(size_bytes - suffix, 0), size_bytes)
    first = int(first_text)
    last = int(last_text) if last_text else size_bytes - 1
    if last_text and last < first:
        return None
    if first >= size_bytes:
        raise RangeNotSatisfiable(size_bytes)
    return ByteRange(first, min(last + 1, size_bytes))


def is_none_match(header: str | None, etag: str) -> bool:
    """Whether `if-none-match` says that the client has this very file: RFC 9110, section 13.1.2, weak comparison."""
    if header is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return "*" in tags or etag in tags
