"""Finished videos in a folder of this machine."""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from reelgate_server.domain.errors import MediaNotFound, MediaUnavailable
from reelgate_server.domain.events import StoredMedia
from reelgate_server.ports.media import BUCKET, MediaStat

READ_CHUNK_BYTES = 256 * 1024
"""Size of one read. Larger chunks gained nothing over gRPC, whose messages default to 4 MiB at most."""
THREAD_COUNT = 4
"""Threads for file work. One disk gains little from more."""

_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_OBJECT_NAME = re.compile(rf"{BUCKET}/{_SEGMENT}/{_SEGMENT}/{_SEGMENT}")
_CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}

P = ParamSpec("P")
R = TypeVar("R")


class DirectoryMediaStore:
    """Files under one root, each at its object name. Serves one machine; several processes may share the root."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is made when the first file is stored."""
        self._root = root
        self._threads = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="media")

    def close(self) -> None:
        """Give up the threads; reads and writes under way end first."""
        self._threads.shutdown()

    async def put(self, object_name: str, chunks: AsyncIterator[bytes], content_type: str) -> StoredMedia:
        """Write beside the target, flush to disk, then rename over it."""
        target = self._path(object_name)
        digest, size_bytes = hashlib.sha256(), 0
        file = await self._run(_open_partial, target.parent)
        try:
            async for chunk in chunks:
                digest.update(chunk)
                size_bytes += await self._run(file.write, chunk)
            await self._run(_publish, file, target)
        finally:
            _discard(file)
        return StoredMedia(
            object_name=object_name, content_type=content_type, size_bytes=size_bytes, sha256=digest.hexdigest()
        )

    async def stat(self, object_name: str) -> MediaStat:
        """Describe a file; its entity tag is made of its length and time of writing."""
        path = self._path(object_name)
        status = await self._run(path.stat)
        return MediaStat(
            size_bytes=status.st_size,
            etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",
            content_type=_CONTENT_TYPES.get(path.suffix, "application/octet-stream"),
        )

    async def read(self, object_name: str, *, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Stream part of a file, one chunk in memory at a time."""
        file = await self._run(self._path(object_name).open, "rb")
        try:
            await self._run(file.seek, start)
            left = end - start
            while left > 0:
                chunk = await self._run(file.read, min(left, READ_CHUNK_BYTES))
                if not chunk:
                    raise MediaUnavailable
                left -= len(chunk)
                yield chunk
        finally:
            file.close()

    def _path(self, object_name: str) -> Path:
        if _OBJECT_NAME.fullmatch(object_name) is None:
            raise MediaNotFound
        return self._root / object_name

    async def _run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
        except FileNotFoundError:
            raise MediaNotFound from None
        except OSError as error:
            raise MediaUnavailable from error


def _open_partial(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".partial")
    os.close(descriptor)
    return Path(name).open("wb")


def _discard(file: BinaryIO) -> None:
    """Close and remove what was not published; quick enough for the event loop."""
    file.close()
    with suppress(OSError):
        Path(file.name).unlink(missing_ok=True)


def _publish(file: BinaryIO, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    Path(file.name).replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        # The rename itself is durable only once the folder is.
        os.fsync(folder)
    finally:
        os.close(folder)
