"""What is special to media in a folder: what survives the power, what a crash leaves, what others do to the files."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path, PosixPath
from typing import Any

import pytest

from reelgate_server.adapters.media.directory import DirectoryMediaStore
from reelgate_server.domain.errors import MediaUnavailable

NAME = "generated-videos/account-1/job-1/video.mp4"
DAY_S = 24 * 60 * 60


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "new" / "media"


@pytest.fixture
def store(root: Path) -> Iterator[DirectoryMediaStore]:
    store = DirectoryMediaStore(root)
    yield store
    store.close()


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _then(act: Callable[[], object]) -> AsyncIterator[bytes]:
    """More than a buffer's worth of bytes; then somebody does something, and they end."""
    yield bytes(1_000_000)
    act()


class HeldPath(PosixPath):
    """On a slow disk: making a folder takes until it is let go."""

    reached = threading.Event()
    opened = threading.Event()

    def mkdir(self, *args: Any, **kwargs: Any) -> None:
        """Wait, then make it."""
        self.reached.set()
        assert self.opened.wait(timeout=10)
        super().mkdir(*args, **kwargs)


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def _put_in_the_way(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("in the way")


def _only_partial(folder: Path) -> Path:
    (partial,) = folder.glob(".*.partial")
    return partial


def _grow_older(file: Path, seconds: int) -> None:
    """Shift the time of writing into the past."""
    time_ns = file.stat().st_mtime_ns - seconds * 1_000_000_000
    os.utime(file, ns=(time_ns, time_ns))


OBSERVED = """
import asyncio, os, sys
from pathlib import Path
from reelgate_server.adapters.media.directory import DirectoryMediaStore

async def chunks():
    yield b"video"

async def main():
    store = DirectoryMediaStore(Path(sys.argv[1]) / "new" / "media")
    await store.put("generated-videos/account-1/job-1/video.mp4", chunks(), "video/mp4")
    store.close()

def observe(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and os.path.isdir(arguments[0]):
        print(os.path.relpath(arguments[0], sys.argv[1]))

sys.addaudithook(observe)
asyncio.run(main())
"""


async def test_every_folder_above_a_new_file_is_made_durable(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OBSERVED, str(tmp_path)]
    observed = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, text=True)
    assert set(observed.stdout.splitlines()) == {
        ".",
        "new",
        "new/media",
        "new/media/generated-videos",
        "new/media/generated-videos/account-1",
        "new/media/generated-videos/account-1/job-1",
    }


async def test_a_file_that_is_shorter_on_disk_than_what_came_is_not_stored(
    store: DirectoryMediaStore, root: Path
) -> None:
    folder = (root / NAME).parent
    with pytest.raises(MediaUnavailable):
        await store.put(NAME, _then(lambda: os.truncate(_only_partial(folder), 999_999)), "video/mp4")
    assert _names(folder) == []


async def test_a_folder_that_vanishes_while_a_file_is_written_makes_the_store_unavailable(
    store: DirectoryMediaStore, root: Path
) -> None:
    with pytest.raises(MediaUnavailable):
        await store.put(NAME, _then(lambda: shutil.rmtree(root)), "video/mp4")
    await store.put(NAME, _chunks(b"video"), "video/mp4")
    assert (await store.stat(NAME)).size_bytes == 5


async def test_a_file_where_a_folder_should_be_makes_the_store_unavailable(
    store: DirectoryMediaStore, root: Path
) -> None:
    _put_in_the_way(root / "generated-videos")
    with pytest.raises(MediaUnavailable):
        await store.put(NAME, _chunks(b"video"), "video/mp4")


async def test_what_a_crash_left_is_swept_after_a_day(store: DirectoryMediaStore, root: Path) -> None:
    folder = (root / NAME).parent
    folder.mkdir(parents=True)
    for name, age_s in ((".old.partial", DAY_S + 60), (".fresh.partial", DAY_S - 60), ("cover.mp4", 9 * DAY_S)):
        (folder / name).write_bytes(b"half")
        _grow_older(folder / name, age_s)
    await store.put(NAME, _chunks(b"video"), "video/mp4")
    assert _names(folder) == [".fresh.partial", "cover.mp4", "video.mp4"]


async def test_a_refused_file_leaves_no_part_of_it(store: DirectoryMediaStore, root: Path) -> None:
    with pytest.raises(MediaUnavailable):
        await store.put(NAME, _chunks(b""), "video/mp4")
    assert _names((root / NAME).parent) == []


async def test_two_copies_of_one_file_at_once_do_not_mix(store: DirectoryMediaStore, root: Path) -> None:
    async def around() -> AsyncIterator[bytes]:
        yield b"a" * 100_000
        await store.put(NAME, _chunks(b"b" * 150_000), "video/mp4")
        yield b"a" * 100_000

    stored = await store.put(NAME, around(), "video/mp4")
    assert stored.size_bytes == 200_000
    assert (root / NAME).read_bytes() == b"a" * 200_000
    assert _names((root / NAME).parent) == ["video.mp4"]


async def test_a_put_cancelled_while_its_file_is_opened_leaves_nothing(root: Path) -> None:
    HeldPath.reached.clear()
    HeldPath.opened.clear()
    store = DirectoryMediaStore(HeldPath(root))
    async with asyncio.TaskGroup() as tasks:
        put = tasks.create_task(store.put(NAME, _chunks(b"video"), "video/mp4"))
        assert await asyncio.to_thread(HeldPath.reached.wait, 10)
        put.cancel()
        await asyncio.wait([put])
        HeldPath.opened.set()
    # Its thread ends first.
    await asyncio.to_thread(store.close)
    assert put.cancelled()
    assert _names((root / NAME).parent) == []


async def test_an_entity_tag_tells_files_apart_that_were_written_in_one_tick(
    store: DirectoryMediaStore, root: Path
) -> None:
    await store.put(NAME, _chunks(b"one"), "video/mp4")
    os.utime(root / NAME, ns=(1, 1))
    first = (await store.stat(NAME)).etag
    await store.put(NAME, _chunks(b"two"), "video/mp4")
    os.utime(root / NAME, ns=(1, 1))
    assert (await store.stat(NAME)).etag != first


async def test_what_cannot_be_deleted_makes_the_store_unavailable(store: DirectoryMediaStore, root: Path) -> None:
    (root / NAME).mkdir(parents=True)
    with pytest.raises(MediaUnavailable):
        await store.delete(NAME)
