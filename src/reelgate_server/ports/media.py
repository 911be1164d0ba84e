"""Where finished videos are kept."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from reelgate_server.domain.events import StoredMedia

BUCKET = "generated-videos"
"""First segment of every object name; GeekHub's documentation fixed it."""
SIZE_BYTES_MAX = 8 << 30
"""What a store takes unless it is told otherwise. A minute of video at 100 Mbit/s is a tenth of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStat:
    """What is known of a stored file without reading it."""

    size_bytes: int
    etag: str
    """Opaque and strong, without quotes; changes whenever the bytes do."""
    content_type: str
    """What `content_type_of` says."""


def content_type_of(object_name: str) -> str:
    """Tell what a file is served as. It follows from the name's suffix, so that a store keeps nothing beside a file."""
    return "video/mp4" if object_name.endswith(".mp4") else "application/octet-stream"


class MediaStore(Protocol):
    """Keeps whole files under stable names. A name shows either a complete file or nothing."""

    async def put(self, object_name: str, chunks: AsyncIterator[bytes], content_type: str) -> StoredMedia:
        """Store a file, replacing an earlier one of that name in one step.

        Args:
            object_name: `{BUCKET}/{account}/{job}/{file}`, each segment of `[A-Za-z0-9._-]` and not led by a dot.
            chunks: The bytes in order. If it raises, nothing is stored and the exception passes.
            content_type: A MIME type, for the result only: `stat` tells what follows from the name.

        Returns:
            What was stored, with the length (> 0) and hash of the bytes as they arrived; durable.

        Raises:
            MediaNotFound: The name is not in the form of one.
            MediaUnavailable: The store could not write, or the file is empty or larger than the store takes. Nothing is
                stored, and an earlier file of that name is as it was.
        """
        ...

    async def delete(self, object_name: str) -> None:
        """Remove a file; one that is not there is no error.

        Raises:
            MediaUnavailable: The store could not remove it.
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
