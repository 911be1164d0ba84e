"""Finished videos in memory; keeps the promises of `ports/media.py`."""

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator

from reelgate_server.domain.errors import MediaNotFound, MediaUnavailable
from reelgate_server.domain.events import StoredMedia
from reelgate_server.ports.media import BUCKET, SIZE_BYTES_MAX, MediaStat, content_type_of

CHUNK_BYTES = 8

_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_OBJECT_NAME = re.compile(rf"{BUCKET}/{_SEGMENT}/{_SEGMENT}/{_SEGMENT}")


class MemoryMediaStore:
    """Whole files by their names. A test may make it fail."""

    def __init__(self, *, size_bytes_max: int = SIZE_BYTES_MAX) -> None:
        """Begin empty."""
        self._size_bytes_max = size_bytes_max
        self.files: dict[str, tuple[bytes, str]] = {}
        """Bytes, and the content type they came with, by object name."""
        self.is_down = False
        """Every call raises `MediaUnavailable`."""
        self.put_fault_count = 0
        """So many puts to come raise `MediaUnavailable` after they have read their chunks."""
        self.read_fault_count = 0
        """So many reads to come raise `MediaUnavailable` after their first chunk."""

    async def put(self, object_name: str, chunks: AsyncIterator[bytes], content_type: str) -> StoredMedia:
        self._check(object_name)
        content = b""
        async for chunk in chunks:
            content += chunk
            if len(content) > self._size_bytes_max:
                raise MediaUnavailable
        if not content:
            raise MediaUnavailable
        if self.put_fault_count > 0:
            self.put_fault_count -= 1
            raise MediaUnavailable
        self.files[object_name] = (content, content_type)
        return StoredMedia(
            object_name=object_name,
            content_type=content_type,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    async def stat(self, object_name: str) -> MediaStat:
        content, _ = self._file(object_name)
        etag = hashlib.sha256(content).hexdigest()[:16]
        return MediaStat(size_bytes=len(content), etag=etag, content_type=content_type_of(object_name))

    async def read(self, object_name: str, *, start: int, end: int) -> AsyncGenerator[bytes, None]:
        content, _ = self._file(object_name)
        for index in range(start, end, CHUNK_BYTES):
            yield content[index : min(index + CHUNK_BYTES, end)]
            if self.read_fault_count > 0:
                self.read_fault_count -= 1
                raise MediaUnavailable

    async def delete(self, object_name: str) -> None:
        if self.is_down:
            raise MediaUnavailable
        self.files.pop(object_name, None)

    def _file(self, object_name: str) -> tuple[bytes, str]:
        self._check(object_name)
        try:
            return self.files[object_name]
        except KeyError:
            raise MediaNotFound from None

    def _check(self, object_name: str) -> None:
        if self.is_down:
            raise MediaUnavailable
        if _OBJECT_NAME.fullmatch(object_name) is None:
            raise MediaNotFound
