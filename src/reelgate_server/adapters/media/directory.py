"""Finished videos in a folder of this machine.

A file is written under a name of its own beside its place and renamed when it is whole, so that two copies of one
video at once cannot mix. What a crash leaves of such a copy is swept by a later one of the same job.
"""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

from reelgate_server.domain.errors import MediaNotFound, MediaUnavailable
from reelgate_server.domain.events import StoredMedia
from reelgate_server.ports.media import BUCKET, SIZE_BYTES_MAX, MediaStat, content_type_of

READ_CHUNK_BYTES = 256 * 1024
"""Size of one read. Larger chunks gained nothing over gRPC, whose messages default to 4 MiB at most."""
THREAD_COUNT = 4
"""Threads for file work. One disk gains little from more."""
PARTIAL_AGE_MAX = timedelta(days=1)
"""A partial file that nobody has written to for so long was left by a crash. No job waits that long for its video."""

_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_OBJECT_NAME = re.compile(rf"{BUCKET}/{_SEGMENT}/{_SEGMENT}/{_SEGMENT}")

P = ParamSpec("P")
R = TypeVar("R")


class DirectoryMediaStore:
    """Files under one root, each at its object name. Serves one machine; several processes may share the root."""

    def __init__(self, root: Path, *, size_bytes_max: int = SIZE_BYTES_MAX) -> None:
        """Use `root`, which is made when the first file is stored; refuse files of more than `size_bytes_max`."""
        self._root = root
        self._size_bytes_max = size_bytes_max
        self._threads = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="media")

    def close(self) -> None:
        """Give up the threads; reads and writes under way end first."""
        self._threads.shutdown()

    async def put(self, object_name: str, chunks: AsyncIterator[bytes], content_type: str) -> StoredMedia:
        """Write beside the target, flush to disk, then rename over it."""
        partial = _Partial(self._root, self._path(object_name))
        digest, size_bytes = hashlib.sha256(), 0
        step: Future[Any] = self._threads.submit(partial.open)
        try:
            await _written(step)
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > self._size_bytes_max:
                    raise MediaUnavailable
                digest.update(chunk)
                step = self._threads.submit(partial.write, chunk)
                await _written(step)
            if size_bytes == 0:
                raise MediaUnavailable
            step = self._threads.submit(partial.publish, size_bytes)
            await _written(step)
        finally:
            # At once, unless this is a cancellation and a thread is still at work: then when that ends.
            step.add_done_callback(partial.discard)
        return StoredMedia(
            object_name=object_name, content_type=content_type, size_bytes=size_bytes, sha256=digest.hexdigest()
        )

    async def stat(self, object_name: str) -> MediaStat:
        """Describe a file; its entity tag is made of its length, its time of writing and its place on the disk."""
        status = await self._run(self._path(object_name).stat)
        return MediaStat(
            size_bytes=status.st_size,
            # Two files may be written in one tick of the clock, but the second is begun while the first is there.
            etag=f"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}",
            content_type=content_type_of(object_name),
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

    async def delete(self, object_name: str) -> None:
        """Remove a file. Its folder stays: another copy may be about to use it."""
        with suppress(MediaNotFound):
            await self._run(_remove, self._path(object_name))

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


class _Partial:
    """A file on its way to its place. Its methods block, and are called one at a time."""

    def __init__(self, root: Path, target: Path) -> None:
        self._root = root
        self._target = target
        self._path: Path | None = None
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Make the folder and a file in it; sweep what crashes have left there."""
        folder = self._target.parent
        _make_durable_root(self._root)
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".partial")
        self._path, self._file = Path(name), os.fdopen(descriptor, "wb")
        # The disk's own clock, by which the others are dated too.
        now_ns = os.fstat(descriptor).st_mtime_ns
        for other in folder.glob(".*.partial"):
            with suppress(OSError):
                if now_ns - other.stat().st_mtime_ns > PARTIAL_AGE_MAX.total_seconds() * 1e9:
                    other.unlink()

    def write(self, chunk: bytes) -> None:
        """Append; to memory for now, or to the disk."""
        self._opened().write(chunk)

    def publish(self, size_bytes: int) -> None:
        """Move the whole file to its place, durably.

        Raises:
            OSError: It could not be done, or the disk has another length than what came.
        """
        file, path = self._opened(), self._path
        file.flush()
        os.fsync(file.fileno())
        found = os.fstat(file.fileno()).st_size
        if path is None or found != size_bytes:
            message = f"{size_bytes} bytes came, {found} are on the disk"
            raise OSError(message)
        path.replace(self._target)
        # A name is durable only once its folder is, and that folder's once its own is. Whoever made these may not have
        # come so far yet.
        for folder in self._target.parents:
            _sync(folder)
            if folder == self._root:
                break

    def discard(self, _last_step: Future[Any]) -> None:
        """Close and remove what was not published; quick enough for the event loop."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            if self._path is not None:
                self._path.unlink(missing_ok=True)

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise OSError("the file was never opened")
        return self._file


async def _written(step: Future[None]) -> None:
    """Wait for a step of a put. A folder that vanished meanwhile is a fault of the store, not a file not found."""
    try:
        await asyncio.wrap_future(step)
    except OSError as error:
        raise MediaUnavailable from error


def _make_durable_root(root: Path) -> None:
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _remove(path: Path) -> None:
    path.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
