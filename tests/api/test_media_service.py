"""`reelgate.v1.MediaService`: the HTTP of a download, said in metadata."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio
import pytest

from reelgate.v1.media_service_pb2 import DownloadRequest
from tests.support.rpc import Api, Metadata, initial_metadata, refusal
from tests.support.world import World

CONTENT = b"0123456789abcdefghijklmnopqrstuvwxyz"
NAME = "generated-videos/account-1/job-1/video.mp4"
ETAG = '"74e7e5bb9d22d6db"'


@pytest.fixture(autouse=True)
def _stored(world: World) -> None:
    world.media.files[NAME] = (CONTENT, "video/mp4")


def _download(api: Api, metadata: Metadata = (), fields: Mapping[str, str] = MappingProxyType({})) -> Any:
    name = {"account_id": "account-1", "job_id": "job-1", "file": "video.mp4", **fields}
    return api.media.Download(DownloadRequest(**name), metadata=metadata)


async def _read(api: Api, *metadata: tuple[str, str]) -> tuple[dict[str, str], bytes]:
    call = _download(api, metadata)
    headers = await initial_metadata(call)
    parts = [message async for message in call]
    assert {part.content_type for part in parts} == {"video/mp4"}
    return headers, b"".join(part.data for part in parts)


async def test_a_whole_file_comes_with_its_length_and_tag_and_needs_no_key(api: Api) -> None:
    assert await _read(api) == (
        {"x-http-status": "200", "x-content-length": "36", "etag": ETAG, "accept-ranges": "bytes"},
        CONTENT,
    )


@pytest.mark.parametrize(
    ("range_", "part", "content_range"),
    [
        ("bytes=0-9", b"0123456789", "bytes 0-9/36"),
        ("bytes=30-", b"uvwxyz", "bytes 30-35/36"),
        ("bytes=-3", b"xyz", "bytes 33-35/36"),
        ("bytes=0-99", CONTENT, "bytes 0-35/36"),
    ],
)
async def test_a_range_comes_as_206(api: Api, range_: str, part: bytes, content_range: str) -> None:
    headers, body = await _read(api, ("range", range_))
    assert body == part
    assert headers["x-http-status"] == "206"
    assert headers["content-range"] == content_range
    assert headers["x-content-length"] == str(len(part))
    assert (headers["etag"], headers["accept-ranges"]) == (ETAG, "bytes")


@pytest.mark.parametrize(
    "metadata",
    [
        (("range", "bytes=0-1,4-5"),),
        (("range", "nonsense"),),
        (("range", "bytes=0-1"), ("if-range", '"another"')),
    ],
)
async def test_a_range_that_does_not_count_brings_the_whole_file(api: Api, metadata: Metadata) -> None:
    headers, body = await _read(api, *metadata)
    assert (headers["x-http-status"], body) == ("200", CONTENT)
    assert "content-range" not in headers


async def test_a_range_whose_condition_holds_comes_as_206(api: Api) -> None:
    headers, body = await _read(api, ("range", "bytes=0-1"), ("if-range", ETAG))
    assert (headers["x-http-status"], body) == ("206", b"01")


@pytest.mark.parametrize("tags", [ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"])
async def test_a_client_that_has_the_file_is_told_so(api: Api, tags: str) -> None:
    headers, body = await _read(api, ("if-none-match", tags), ("range", "bytes=0-1"))
    assert headers == {"x-http-status": "304", "etag": ETAG, "accept-ranges": "bytes"}
    assert body == b""


async def test_a_range_beyond_the_file_is_told_its_length(api: Api) -> None:
    async def read() -> None:
        async for _ in _download(api, (("range", "bytes=36-"),)):
            pass

    refused = await refusal(read())
    assert (refused.code, refused.reason) == ("OUT_OF_RANGE", "RANGE_NOT_SATISFIABLE")
    assert refused.info == {"size_bytes": "36"}
    assert refused.http_status == "416"
    assert refused.trailers["content-range"] == "bytes */36"
    # REST callers get the same JSON as of the other native services.
    assert "x-error-body" not in refused.trailers


@pytest.mark.parametrize(
    ("range_", "status", "length"), [(None, "200", "36"), ("bytes=0-9", "206", "10"), ("bytes=-1", "206", "1")]
)
async def test_head_brings_the_headers_alone(api: Api, range_: str | None, status: str, length: str) -> None:
    metadata = [("x-envoy-original-method", "HEAD")] + ([("range", range_)] if range_ else [])
    headers, body = await _read(api, *metadata)
    assert (headers["x-http-status"], headers["x-content-length"], body) == (status, length, b"")


@pytest.mark.parametrize(
    "fields",
    [
        {"file": "other.mp4"},
        {"job_id": "job-2"},
        {"account_id": ""},
        {"account_id": "..", "job_id": "..", "file": "passwd"},
        {"account_id": "account-1/job-1", "job_id": "video.mp4", "file": ""},
        {"file": ".video.mp4"},
        {"file": "video.mp4\0"},
        {"job_id": "🎬"},
        {"job_id": "x" * 100_000},
    ],
    ids=lambda value: f"{value}"[:50],
)
async def test_a_file_that_is_not_there_is_not_found(api: Api, fields: dict[str, str]) -> None:
    async def read() -> None:
        async for _ in _download(api, fields=fields):
            pass

    refused = await refusal(read())
    assert (refused.code, refused.reason, refused.info) == ("NOT_FOUND", "MEDIA_NOT_FOUND", {})
    assert refused.http_status is None


async def test_a_media_store_that_cannot_answer_is_unavailable_for_now(api: Api, world: World) -> None:
    world.media.is_down = True

    async def read() -> None:
        async for _ in _download(api):
            pass

    refused = await refusal(read())
    assert (refused.code, refused.reason, refused.retry_s) == ("UNAVAILABLE", "MEDIA_UNAVAILABLE", 1.0)


async def test_a_client_may_leave_in_the_middle(api: Api, world: World, logs: list[Any]) -> None:
    world.media.files[NAME] = (b"x" * 1_000_000, "video/mp4")
    call = _download(api)
    await call.read()
    call.cancel()
    assert await call.code() == grpc.StatusCode.CANCELLED
    assert not any(entry["event"] == "unexpected error" for entry in logs)
