"""How adapters talk HTTP: what counts as an answer, what a failure means for a submit, and what is kept of either."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.providers.answer import Answer, is_maybe_accepted_status, kind_of_status, read_retry_after
from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.adapters.redact import redact
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NO_PORT = "http://127.0.0.1:1/"
"""Nothing listens there."""


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """A server that speaks bytes; yields its address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def answering(*answers: bytes) -> Serve:
    """Answer the first requests of each connection with these bytes, then close it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return serve


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    del writer
    await reader.read(1)
    await asyncio.Event().wait()


async def fault_of(serve: Serve, *, is_submit: bool, **limits: Any) -> Fault:
    """What a POST to such a server raises."""
    async with serving(serve) as url, ProviderHttp(**limits) as http:
        with pytest.raises(ProviderFault) as raised:
            await http.call("POST", url, is_submit=is_submit, json={})
    return raised.value.fault


def ok(body: bytes, *headers: bytes) -> bytes:
    """A complete 200."""
    lines = [b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_an_answer_is_whole_whatever_its_status() -> None:
    teapot = b"HTTP/1.1 418 x\r\ncontent-length: 2\r\nX-One: 1\r\n\r\n{}"
    async with serving(answering(teapot)) as url, ProviderHttp() as http:
        answer = await http.call("GET", url)
    assert (answer.status, answer.body, answer.headers["x-one"], answer.is_success) == (418, b"{}", "1", False)
    assert answer.object() == {}


@pytest.mark.parametrize("is_submit", [True, False])
async def test_no_connection_is_surely_not_accepted(*, is_submit: bool) -> None:
    async with ProviderHttp() as http:
        with pytest.raises(ProviderFault) as raised:
            await http.call("POST", NO_PORT, is_submit=is_submit)
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("ftp://127.0.0.1/", FaultKind.UNAVAILABLE),
        ("http://", FaultKind.UNAVAILABLE),
        ("no address", FaultKind.UNAVAILABLE),
        ("http://[::1", FaultKind.INVALID),
        ("http://xn--a/", FaultKind.INVALID),
    ],
)
async def test_an_address_that_is_none_is_surely_not_accepted(url: str, kind: FaultKind) -> None:
    async with ProviderHttp() as http:
        with pytest.raises(ProviderFault) as raised:
            await http.call("POST", url, is_submit=True)
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (kind, False)


async def test_a_port_that_cannot_be_is_a_fault() -> None:
    async with ProviderHttp() as http:
        with pytest.raises(ProviderFault) as raised:
            await http.call("GET", "http://127.0.0.1:99999/")
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE


@pytest.mark.parametrize(
    "request_fields",
    [{"json": {"a": float("nan")}}, {"headers": {"x": "\u0436"}}, {"data": {"a": "\ud800"}}],
)
async def test_what_cannot_be_encoded_is_surely_not_accepted_and_not_repeated(request_fields: dict[str, Any]) -> None:
    async with ProviderHttp() as http:
        with pytest.raises(ProviderFault) as raised:
            await http.call("POST", NO_PORT, is_submit=True, **request_fields)
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (FaultKind.INVALID, False)


@pytest.mark.parametrize("is_submit", [True, False])
@pytest.mark.parametrize(
    ("serve", "kind"),
    [
        (answering(b""), FaultKind.UNINTELLIGIBLE),
        (answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"), FaultKind.UNINTELLIGIBLE),
        (answering(b"no HTTP at all\r\n\r\n"), FaultKind.UNINTELLIGIBLE),
        (answering(ok(b"not gzip", b"content-encoding: gzip")), FaultKind.UNINTELLIGIBLE),
        (answering(ok(b"x" * (1 << 20) + b"x")), FaultKind.UNINTELLIGIBLE),
    ],
    ids=["closed", "cut", "no HTTP", "no gzip", "huge"],
)
async def test_an_answer_that_is_none_leaves_a_submit_open(serve: Serve, kind: FaultKind, *, is_submit: bool) -> None:
    fault = await fault_of(serve, is_submit=is_submit)
    assert (fault.kind, fault.is_maybe_accepted) == (kind, is_submit)


@pytest.mark.parametrize("is_submit", [True, False])
@pytest.mark.parametrize("limits", [{"call_limit_s": 0.1}, {"read_limit_s": 0.1}])
async def test_silence_leaves_a_submit_open(limits: dict[str, float], *, is_submit: bool) -> None:
    fault = await fault_of(hang, is_submit=is_submit, **limits)
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.TIMEOUT, is_submit)


def bomb(levels: int = 2) -> bytes:
    """A few kilobytes that unfold to 64 MiB."""
    body = bytes(64 << 20)
    for _ in range(levels):
        body = gzip.compress(body)
    return ok(body, b"content-encoding: " + b", ".join([b"gzip"] * levels))


@pytest.mark.parametrize("is_submit", [True, False])
async def test_a_coded_answer_is_refused_unfolded_by_nobody(*, is_submit: bool) -> None:
    answer = bomb()
    tracemalloc.start()
    fault = await fault_of(answering(answer), is_submit=is_submit)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNINTELLIGIBLE, is_submit)
    assert "gzip, gzip" in fault.detail
    assert peak_bytes < 4 << 20


async def test_a_coded_download_is_refused() -> None:
    async with serving(answering(bomb(1))) as url, ProviderHttp() as http:
        with pytest.raises(ProviderFault) as raised:
            async for _ in http.download(url):
                pass
    assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE


async def test_a_huge_refusal_is_surely_not_accepted() -> None:
    body = b"x" * (2 << 20)
    refusal = b"HTTP/1.1 400 x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    assert not (await fault_of(answering(refusal), is_submit=True)).is_maybe_accepted


async def test_a_submit_never_uses_a_connection_twice_and_other_calls_do() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering(*[ok(b"{}")] * 9)(reader, writer)

    async with serving(serve) as url, ProviderHttp() as http:
        for _ in range(3):
            await http.call("GET", url)
        assert connections == 1
        for _ in range(3):
            await http.call("POST", url, is_submit=True)
        assert connections == 4


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    redirect = b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with serving(answering(redirect)) as url, ProviderHttp() as http:
        assert (await http.call("GET", url)).status == 302


async def test_a_download_comes_in_bounded_chunks() -> None:
    body = bytes(range(256)) * 4096
    async with serving(answering(ok(body))) as url, ProviderHttp() as http:
        chunks = [chunk async for chunk in http.download(url)]
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= 256 * 1024


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n", FaultKind.INVALID),
        (b"HTTP/1.1 503 x\r\ncontent-length: 0\r\nretry-after: 7\r\n\r\n", FaultKind.UNAVAILABLE),
        (b"HTTP/1.1 302 x\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", FaultKind.UNINTELLIGIBLE),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", FaultKind.UNINTELLIGIBLE),
        (b"HTTP/1.1 206 x\r\ncontent-length: 0\r\n\r\n", FaultKind.UNINTELLIGIBLE),
    ],
)
async def test_a_download_that_is_not_whole_is_a_fault(answer: bytes, kind: FaultKind) -> None:
    async with serving(answering(answer)) as url, ProviderHttp() as http:
        with pytest.raises(ProviderFault) as raised:
            async for _ in http.download(url):
                pass
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (kind, False)


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/html",
        b"Text/Plain; charset=utf-8",
        b"application/json",
        b"application/problem+json",
        b"application/xml",
        b"application/javascript",
    ],
)
async def test_a_text_in_place_of_a_video_is_a_fault(content_type: bytes) -> None:
    page = ok(b"<html>log in</html>", b"content-type: " + content_type)
    async with serving(answering(page)) as url, ProviderHttp() as http:
        with pytest.raises(ProviderFault) as raised:
            async for _ in http.download(url):
                pass
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNINTELLIGIBLE, False)
    assert fault.detail.startswith("the download was answered with ")


@pytest.mark.parametrize("headers", [[], [b"content-type: video/mp4"], [b"content-type: application/octet-stream"]])
async def test_a_video_is_taken_under_any_other_name_or_none(headers: list[bytes]) -> None:
    async with serving(answering(ok(b"video", *headers))) as url, ProviderHttp() as http:
        assert [chunk async for chunk in http.download(url)] == [b"video"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"null", b'{"a":', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_unintelligible(body: bytes) -> None:
    for status, is_maybe_accepted in ((200, True), (400, False), (500, True), (503, False)):
        answer = Answer(status=status, headers={}, body=body, is_submit=True)
        with pytest.raises(ProviderFault) as raised:
            answer.object()
        assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE
        assert raised.value.fault.is_maybe_accepted is is_maybe_accepted


@pytest.mark.parametrize(
    ("status", "kind", "is_maybe_accepted"),
    [
        (200, FaultKind.UNINTELLIGIBLE, True),
        (301, FaultKind.UNINTELLIGIBLE, True),
        (302, FaultKind.UNINTELLIGIBLE, True),
        (303, FaultKind.UNINTELLIGIBLE, True),
        (307, FaultKind.UNINTELLIGIBLE, True),
        (400, FaultKind.INVALID, False),
        (401, FaultKind.UNAUTHORIZED, False),
        (402, FaultKind.UNAUTHORIZED, False),
        (403, FaultKind.UNAUTHORIZED, False),
        (404, FaultKind.INVALID, False),
        (408, FaultKind.TIMEOUT, False),
        (422, FaultKind.INVALID, False),
        (429, FaultKind.THROTTLED, False),
        (499, FaultKind.UNAVAILABLE, True),
        (500, FaultKind.UNAVAILABLE, True),
        (502, FaultKind.UNAVAILABLE, True),
        (503, FaultKind.UNAVAILABLE, False),
        (504, FaultKind.TIMEOUT, True),
    ],
)
def test_a_status_means_the_same_for_every_provider(status: int, kind: FaultKind, *, is_maybe_accepted: bool) -> None:
    assert kind_of_status(status) is kind
    assert is_maybe_accepted_status(status) is is_maybe_accepted


DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "999999999999999999999"}, 3600),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "\u0661"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": DATE}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 09:00:00 GMT", "date": DATE}, 0),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30", "date": DATE}, None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcdefgh12345678 failed", "Authorization: Bearer [secret] failed"),
        ("Key 1234-5678:abcdef is locked", "Key [secret] is locked"),
        (
            "GET https://s.test/v.mp4?X-Goog-Signature=ab12&x=1&X-Amz-Credential=me refused",
            "GET https://s.test/v.mp4?X-Goog-Signature=[secret]&x=1&X-Amz-Credential=[secret] refused",
        ),
        ("https://s.test/v?sig=abc%2F&Expires=7&token=t", "https://s.test/v?sig=[secret]&Expires=7&token=[secret]"),
        ("my-own-secret, twice: my-own-secret", "[secret], twice: [secret]"),
        ("two\nlines\x00", "two lines "),
        ("x" * 600, "x" * 500),
    ],
)
def test_secrets_and_signatures_are_struck_out(text: str, kept: str) -> None:
    assert redact(text, ["my-own-secret", ""]) == kept


def test_a_fault_that_an_answer_states_has_no_secret_in_it() -> None:
    answer = Answer(status=429, headers={"retry-after": "3"}, body=b"", is_submit=True, secrets=("s3cret",))
    fault = answer.fault(FaultKind.THROTTLED, "slow down, s3cret").fault
    assert fault == Fault(
        kind=FaultKind.THROTTLED, retry_after=timedelta(seconds=3), detail="HTTP 429: slow down, [secret]"
    )
    assert "s3cret" not in repr(answer)
