"""What a `MediaStore` promises. `test_media.py` runs it over every adapter."""

from collections.abc import AsyncIterator

import pytest

from reelgate_server.domain.errors import MediaNotFound, MediaUnavailable
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.media import MediaStore

NAME = "generated-videos/account-1/job-1/video.mp4"
CHUNK_BYTES_MAX = 1 << 20
"""No adapter may hand out more at a time."""
SIZE_BYTES_MAX = 2_000_000
"""What the stores under test take at most."""
BAD_NAMES = (
    "",
    "video.mp4",
    "generated-videos",
    "generated-videos/account-1/video.mp4",
    "generated-videos/account-1/job-1/extra/video.mp4",
    "other-bucket/account-1/job-1/video.mp4",
    "generated-videos/../../../etc/passwd",
    "generated-videos/account-1/../video.mp4",
    "generated-videos/account-1/job-1/.video.mp4",
    "generated-videos/account-1//video.mp4",
    "generated-videos/account-1/job 1/video.mp4",
    "generated-videos/account-1/job-1/video.mp4\n",
    "generated-videos/account-1/job-1/vidéo.mp4",
    "generated-videos/account-1/job-1/video.mp4\0",
    "/generated-videos/account-1/job-1/video.mp4",
)


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _broken_off(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE))


async def _read(store: MediaStore, name: str = NAME, *, start: int = 0, end: int) -> bytes:
    content = bytearray()
    async for chunk in store.read(name, start=start, end=end):
        assert 0 < len(chunk) <= CHUNK_BYTES_MAX
        content += chunk
    return bytes(content)


class MediaContract:
    """Subclasses give a `store` fixture, of at most `SIZE_BYTES_MAX` a file."""

    async def test_a_put_tells_length_and_hash_of_what_arrived(self, store: MediaStore) -> None:
        stored = await store.put(NAME, _chunks(b"hello ", b"", b"world"), "video/mp4")
        assert stored.object_name == "generated-videos/account-1/job-1/video.mp4"
        assert stored.content_type == "video/mp4"
        assert stored.size_bytes == 11
        assert stored.sha256 == "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"

    async def test_a_stored_file_can_be_described_and_read(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"hello ", b"world"), "video/mp4")
        stat = await store.stat(NAME)
        assert (stat.size_bytes, stat.content_type) == (11, "video/mp4")
        assert await _read(store, end=11) == b"hello world"

    async def test_a_file_larger_than_a_chunk_comes_back_whole(self, store: MediaStore) -> None:
        content = bytes(range(256)) * 6000
        await store.put(NAME, _chunks(content[:1_000_000], content[1_000_000:]), "video/mp4")
        assert await _read(store, end=1_536_000) == content

    @pytest.mark.parametrize(
        ("start", "end", "part"),
        [(0, 5, b"hello"), (6, 11, b"world"), (4, 7, b"o w"), (10, 11, b"d"), (0, 0, b""), (11, 11, b"")],
    )
    async def test_any_part_can_be_read(self, store: MediaStore, start: int, end: int, part: bytes) -> None:
        await store.put(NAME, _chunks(b"hello ", b"world"), "video/mp4")
        assert await _read(store, start=start, end=end) == part

    async def test_a_put_replaces_what_was_there(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"a long first version"), "video/mp4")
        await store.put(NAME, _chunks(b"second"), "video/mp4")
        assert (await store.stat(NAME)).size_bytes == 6
        assert await _read(store, end=6) == b"second"

    async def test_files_of_other_names_are_left_alone(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"one"), "video/mp4")
        await store.put("generated-videos/account-1/job-2/video.mp4", _chunks(b"two"), "video/mp4")
        assert await _read(store, end=3) == b"one"

    async def test_an_entity_tag_lasts_until_the_bytes_change(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"one"), "video/mp4")
        first = (await store.stat(NAME)).etag
        assert (await store.stat(NAME)).etag == first
        await store.put(NAME, _chunks(b"two"), "video/mp4")
        assert (await store.stat(NAME)).etag != first

    async def test_an_entity_tag_can_stand_in_a_header(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"one"), "video/mp4")
        etag = (await store.stat(NAME)).etag
        assert etag
        assert etag.isascii()
        assert etag.isprintable()
        assert not set(etag) & {'"', " ", ",", "\\"}

    async def test_chunks_that_break_off_leave_nothing_behind(self, store: MediaStore) -> None:
        with pytest.raises(ProviderFault):
            await store.put(NAME, _broken_off(b"half a vid"), "video/mp4")
        with pytest.raises(MediaNotFound):
            await store.stat(NAME)

    async def test_chunks_that_break_off_leave_the_earlier_file_as_it_was(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"whole"), "video/mp4")
        before = await store.stat(NAME)
        with pytest.raises(ProviderFault):
            await store.put(NAME, _broken_off(b"half a vid"), "video/mp4")
        assert await store.stat(NAME) == before
        assert await _read(store, end=5) == b"whole"

    async def test_a_file_is_not_seen_before_it_is_whole(self, store: MediaStore) -> None:
        seen: list[str] = []

        async def watched() -> AsyncIterator[bytes]:
            yield b"first"
            try:
                await store.stat(NAME)
            except MediaNotFound:
                seen.append("nothing")
            yield b"second"

        await store.put(NAME, watched(), "video/mp4")
        assert seen == ["nothing"]
        assert await _read(store, end=11) == b"firstsecond"

    async def test_a_file_that_was_never_stored_is_not_found(self, store: MediaStore) -> None:
        with pytest.raises(MediaNotFound):
            await store.stat(NAME)
        with pytest.raises(MediaNotFound):
            await _read(store, end=1)

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_what_is_not_in_the_form_of_a_name_is_not_found(self, store: MediaStore, name: str) -> None:
        await store.put(NAME, _chunks(b"one"), "video/mp4")
        with pytest.raises(MediaNotFound):
            await store.stat(name)
        with pytest.raises(MediaNotFound):
            await _read(store, name, end=1)
        with pytest.raises(MediaNotFound):
            await store.put(name, _chunks(b"two"), "video/mp4")
        await store.delete(name)
        assert await _read(store, end=3) == b"one"

    async def test_the_content_type_of_a_file_follows_from_its_name(self, store: MediaStore) -> None:
        name = "generated-videos/account-1/job-1/video.raw"
        stored = await store.put(name, _chunks(b"one"), "video/webm")
        assert stored.content_type == "video/webm"
        assert (await store.stat(name)).content_type == "application/octet-stream"

    @pytest.mark.parametrize("chunks", [(), (b"",), (b"", b"")])
    async def test_an_empty_file_is_refused(self, store: MediaStore, chunks: tuple[bytes, ...]) -> None:
        with pytest.raises(MediaUnavailable):
            await store.put(NAME, _chunks(*chunks), "video/mp4")
        with pytest.raises(MediaNotFound):
            await store.stat(NAME)

    async def test_a_file_may_be_as_large_as_the_store_takes_and_no_larger(self, store: MediaStore) -> None:
        whole = bytes(SIZE_BYTES_MAX)
        assert (await store.put(NAME, _chunks(whole), "video/mp4")).size_bytes == 2_000_000
        with pytest.raises(MediaUnavailable):
            await store.put(NAME, _chunks(b"x", whole), "video/mp4")
        assert await _read(store, end=1) == b"\0"

    async def test_a_file_that_is_too_large_is_not_read_to_its_end(self, store: MediaStore) -> None:
        read_count = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read_count
            while True:
                read_count += 1
                yield bytes(1_000_000)

        with pytest.raises(MediaUnavailable):
            await store.put(NAME, endless(), "video/mp4")
        assert read_count == 3

    async def test_a_deleted_file_is_gone(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"one"), "video/mp4")
        await store.delete(NAME)
        with pytest.raises(MediaNotFound):
            await store.stat(NAME)
        await store.put(NAME, _chunks(b"two"), "video/mp4")
        assert await _read(store, end=3) == b"two"

    async def test_deleting_leaves_other_files_alone(self, store: MediaStore) -> None:
        await store.put(NAME, _chunks(b"one"), "video/mp4")
        await store.put("generated-videos/account-1/job-1/other.mp4", _chunks(b"two"), "video/mp4")
        await store.delete("generated-videos/account-1/job-1/other.mp4")
        assert await _read(store, end=3) == b"one"

    async def test_deleting_what_is_not_there_is_no_error(self, store: MediaStore) -> None:
        await store.delete(NAME)
        await store.put(NAME, _chunks(b"one"), "video/mp4")
        await store.delete(NAME)
        await store.delete(NAME)

    async def test_a_read_can_be_given_up(self, store: MediaStore) -> None:
        content = bytes(2_000_000)
        await store.put(NAME, _chunks(content), "video/mp4")
        chunks = store.read(NAME, start=0, end=2_000_000)
        assert await anext(chunks)
        await chunks.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)
