"""Where finished videos are kept."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from reelgate_server.domain.events import StoredMedia

BUCKET = "generated-videos"
"""First segment of every object name; GeekHub's documentation fixed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStat:
    """What is known of a stored file without reading it."""

    size_bytes: int
    etag: str
    """Opaque and strong, without quotes; changes whenever the bytes do."""
    content_type: str


class MediaStore(Protocol):
    """Keeps whole files under stable names. A name shows either a complete file or nothing."""

    async def put(self, object_name: str, chunks: AsyncIterator[bytes], content_type: str) -> StoredMedia:
        """Store a file, replacing an earlier one of that name in one step.

        Args:
            object_name: `{BUCKET}/{account}/{job}/{file}`, each segment of `[A-Za-z0-9._-]` and not led by a dot.
            chunks: The bytes in order. If it raises, nothing is stored and the exception passes.
            content_type: A MIME type, kept beside the file.

        Returns:
            What was stored, with the length and hash of the bytes as they arrived; durable.

        Raises:
            MediaUnavailable: The store could not write; nothing is stored.
        """
        ...

    async def stat(self, object_name: str) -> MediaStat:
        """Describe a file.

        Raises:
            MediaNotFound: There is none of that name, or the name is not in the form of one.
        """
        ...

    def read(self, object_name: str, *, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Stream the bytes from `start` up to, not including, `end`; 0 <= start <= end <= size.

        Holds a bounded part of the file in memory. Closing the iterator early releases the file.

        Raises:
            MediaNotFound: Before the first chunk.
            MediaUnavailable: The store could not read, before or between chunks.
        """
        ...
