"""How images are fetched: pinned to the address that was checked, and bounded whatever the host does."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from reelgate_server.adapters.images import (
    FETCH_COUNT_MAX,
    IMAGE_BYTES_MAX,
    LOOKUP_COUNT_MAX,
    HttpImageSource,
    Resolve,
    resolve_host,
)
from reelgate_server.adapters.public_addresses import Address
from reelgate_server.ports.images import ImageUnavailable
from reelgate_server.ports.provider import ImageBytes
from tests.support.images import IMAGE_URL, PNG
from tests.support.tls_host import Answer, TlsHost, found, make_certificate, moved
from tests.support.waiting import wait_until

PUBLIC = "93.184.215.14"
Respond = Callable[[httpx.Request], httpx.Response]


def _picture() -> httpx.Response:
    # Given as `content`, it would count as read, and could not be streamed.
    return httpx.Response(200, stream=httpx.ByteStream(PNG))


class _Hosts:
    """Answers every request, whatever its address, and keeps them."""

    def __init__(self, respond: Respond = lambda _request: _picture()) -> None:
        self.requests: list[httpx.Request] = []
        self._respond = respond

    def source(self, *addresses: str) -> HttpImageSource:
        return HttpImageSource(
            resolve=lambda _host, _port: addresses or (PUBLIC,),
            open_transport=lambda: httpx.MockTransport(self._answer),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._respond(request)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("images") / "images.test.pem", "images.test", "cdn.test")


@pytest.fixture
async def host(certificate: Path) -> AsyncIterator[TlsHost]:
    async with TlsHost(certificate) as host:
        yield host


def _source_on_loopback(
    certificate: Path,
    *,
    resolve: Resolve = lambda _host, _port: ["127.0.0.1"],
    is_allowed: Callable[[Address], bool] = lambda _address: True,
    limit_s: float = 5.0,
) -> HttpImageSource:
    context = ssl.create_default_context(cafile=str(certificate))
    return HttpImageSource(
        resolve=resolve,
        is_allowed=is_allowed,
        open_transport=lambda: httpx.AsyncHTTPTransport(verify=context, trust_env=False),
        limit_s=limit_s,
    )


# --- where the connection goes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["8.8.8.8", PUBLIC, "2606:4700:4700::1111", "2a00:1450:4001:81c::200e"])
async def test_the_connection_goes_to_the_address_and_speaks_of_the_name(address: str) -> None:
    hosts = _Hosts()
    await hosts.source(address).fetch("https://images.test:8443/a?b=c")
    (request,) = hosts.requests
    assert (request.url.host, request.url.port, request.url.raw_path) == (address, 8443, b"/a?b=c")
    assert request.headers["host"] == "images.test:8443"
    assert request.extensions["sni_hostname"] == "images.test"


async def test_a_name_that_ends_in_a_dot_is_looked_up_with_it_and_certified_without() -> None:
    hosts, asked = _Hosts(), []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return [PUBLIC]

    source = HttpImageSource(resolve=resolve, open_transport=lambda: httpx.MockTransport(hosts._answer))
    await source.fetch("https://images.test./first.png")
    assert asked == [("images.test.", 443)]
    assert hosts.requests[0].extensions["sni_hostname"] == "images.test"


async def test_no_more_is_told_than_it_takes() -> None:
    hosts = _Hosts()
    await hosts.source().fetch(IMAGE_URL)
    assert dict(hosts.requests[0].headers) == {
        "host": "images.test",
        "accept": "image/*",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "user-agent": "Reelgate",
    }


async def test_another_address_is_tried_if_one_does_not_answer() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == PUBLIC:
            raise httpx.ConnectError("refused")
        if request.url.host == "8.8.8.8":
            raise httpx.ConnectTimeout("silent")
        return _picture()

    assert await _Hosts(respond).source(PUBLIC, "8.8.8.8", "9.9.9.9").fetch(IMAGE_URL) == ImageBytes(PNG, "image/png")


async def test_three_addresses_are_tried_each_once() -> None:
    def respond(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    hosts = _Hosts(respond)
    with pytest.raises(ImageUnavailable, match="refused"):
        await hosts.source("1.1.1.1", "1.1.1.1", "8.8.8.8", "9.9.9.9", PUBLIC).fetch(IMAGE_URL)
    assert [request.url.host for request in hosts.requests] == ["1.1.1.1", "8.8.8.8", "9.9.9.9"]


async def test_a_request_that_was_sent_is_not_sent_to_another_address() -> None:
    def respond(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset")

    hosts = _Hosts(respond)
    with pytest.raises(ImageUnavailable, match="reset"):
        await hosts.source(PUBLIC, "8.8.8.8").fetch(IMAGE_URL)
    assert len(hosts.requests) == 1


@pytest.mark.parametrize("addresses", [[], ["no address"], ["1.1.1.1", ""]])
async def test_a_name_without_addresses_is_unavailable(addresses: list[str]) -> None:
    with pytest.raises(ImageUnavailable):
        await HttpImageSource(resolve=lambda _host, _port: addresses).fetch(IMAGE_URL)


def test_the_systems_resolver_gives_every_address_as_text() -> None:
    assert resolve_host("127.0.0.1", 443) == ["127.0.0.1"]
    assert resolve_host("::1", 443) == ["::1"]


@pytest.mark.parametrize(
    ("name", "outcome"), [("images.test", PNG), ("other.test", None), ("127.0.0.1", None), ("[::ffff:7f00:1]", None)]
)
async def test_the_certificate_must_be_that_of_the_name_and_not_of_the_address(
    certificate: Path, host: TlsHost, name: str, outcome: bytes | None
) -> None:
    host.answers["/first.png"] = found(PNG)
    fetch = _source_on_loopback(certificate).fetch(f"https://{name}:{host.port}/first.png")
    if outcome is None:
        with pytest.raises(ImageUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await fetch
        assert host.requests == []
    else:
        assert (await fetch).content == outcome
        assert host.requests[0].headers["host"] == f"images.test:{host.port}"


async def test_a_certificate_that_nobody_vouches_for_is_refused(host: TlsHost) -> None:
    source = HttpImageSource(resolve=lambda _host, _port: ["127.0.0.1"], is_allowed=lambda _address: True)
    with pytest.raises(ImageUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await source.fetch(f"https://images.test:{host.port}/first.png")
    assert host.requests == []


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/there.png", "there.png", "https://cdn.test:{port}/there.png", "?x=/there.png"])
async def test_a_redirect_is_followed(certificate: Path, host: TlsHost, code: int, location: str) -> None:
    host.answers = {
        "/first.png": moved(location.format(port=host.port), code),
        "/there.png": found(PNG),
        "/first.png?x=/there.png": found(PNG),
    }
    source = _source_on_loopback(certificate)
    assert (await source.fetch(f"https://images.test:{host.port}/first.png")).content == PNG


async def test_every_hop_is_looked_up_and_pinned_anew_and_learns_nothing_of_the_one_before() -> None:
    asked = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return {"images.test": ["1.1.1.1"], "cdn.test": ["8.8.8.8"]}[host]

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == "8.8.8.8":
            return _picture()
        moves = {"location": "https://cdn.test:8443/x?signature=1", "set-cookie": "a=b; Path=/"}
        return httpx.Response(302, headers=moves)

    hosts = _Hosts(respond)
    source = HttpImageSource(resolve=resolve, open_transport=lambda: httpx.MockTransport(hosts._answer))
    await source.fetch("https://images.test/first.png?token=secret")
    assert asked == [("images.test", 443), ("cdn.test", 8443)]
    second = hosts.requests[1]
    assert (second.url.host, second.url.port, second.url.raw_path) == ("8.8.8.8", 8443, b"/x?signature=1")
    assert (second.headers["host"], second.extensions["sni_hostname"]) == ("cdn.test:8443", "cdn.test")
    assert not {"cookie", "referer", "authorization"} & set(second.headers)


async def test_three_redirects_are_followed_and_a_fourth_is_not(certificate: Path, host: TlsHost) -> None:
    host.answers.update({f"/{hop}": moved(f"/{hop + 1}") for hop in range(4)}, **{"/4": found(PNG)})
    source = _source_on_loopback(certificate)
    assert (await source.fetch(f"https://images.test:{host.port}/1")).content == PNG
    with pytest.raises(ImageUnavailable, match="redirected more than 3 times"):
        await source.fetch(f"https://images.test:{host.port}/0")
    assert [request.path for request in host.requests] == ["/1", "/2", "/3", "/4", "/0", "/1", "/2", "/3"]


async def test_a_connection_that_was_made_for_one_name_is_not_used_for_another(
    certificate: Path, host: TlsHost
) -> None:
    host.answers = {"/first.png": moved(f"https://other.test:{host.port}/there.png"), "/there.png": found(PNG)}
    with pytest.raises(ImageUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await _source_on_loopback(certificate).fetch(f"https://images.test:{host.port}/first.png")
    assert [request.path for request in host.requests] == ["/first.png"]


async def test_cookies_of_one_fetch_are_not_sent_with_another(certificate: Path, host: TlsHost) -> None:
    host.answers = {"/first.png": moved("/there.png"), "/there.png": found(PNG, "Set-Cookie: c=d; Path=/")}
    source = _source_on_loopback(certificate)
    for _ in range(2):
        await source.fetch(f"https://images.test:{host.port}/first.png")
    assert ["cookie" in request.headers for request in host.requests] == [False] * 4


# --- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [201, 204, 206, 300, 302, 304, 400, 401, 403, 404, 429, 500, 503])
async def test_only_a_plain_success_is_an_image(code: int) -> None:
    answer = httpx.Response(code, stream=httpx.ByteStream(PNG))
    with pytest.raises(ImageUnavailable, match=f"the host answered {code}"):
        await _Hosts(lambda _request: answer).source().fetch(IMAGE_URL)


@pytest.mark.parametrize("content_type", ["image/jpeg", "text/html", "image/svg+xml", "nonsense", ""])
async def test_the_bytes_say_what_they_are_and_the_header_does_not(
    certificate: Path, host: TlsHost, content_type: str
) -> None:
    host.answers = {
        "/first.png": found(PNG, f"Content-Type: {content_type}"),
        "/page": found(b"<html>", f"Content-Type: {content_type}", "Content-Type: image/png"),
    }
    source = _source_on_loopback(certificate)
    assert await source.fetch(f"https://images.test:{host.port}/first.png") == ImageBytes(PNG, "image/png")
    with pytest.raises(ImageUnavailable, match="6 bytes that are no JPEG, PNG or WebP image"):
        await source.fetch(f"https://images.test:{host.port}/page")


async def test_a_body_that_is_too_long_is_left_unread() -> None:
    served = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal served
        while True:
            served += 1 << 20
            yield bytes(1 << 20)

    with pytest.raises(ImageUnavailable, match="longer than 20971520 bytes"):
        await _Hosts(lambda _request: httpx.Response(200, content=body())).source().fetch(IMAGE_URL)
    assert served == IMAGE_BYTES_MAX + (1 << 20)


async def test_an_image_of_the_greatest_length_is_taken(certificate: Path, host: TlsHost) -> None:
    host.answers["/first.png"] = found(PNG + bytes(IMAGE_BYTES_MAX - len(PNG)))
    image = await _source_on_loopback(certificate).fetch(f"https://images.test:{host.port}/first.png")
    assert len(image.content) == 20 * 1024 * 1024


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x16\x03\x01",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: https://[::1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n\x1f\x8b" + bytes(18),
    ],
    ids=lambda answer: ascii(answer[:60]),
)
async def test_an_answer_that_makes_no_sense_is_unavailable_and_no_defect(
    certificate: Path, host: TlsHost, answer: bytes
) -> None:
    async def write_and_close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    host.answers["/first.png"] = write_and_close
    with pytest.raises(ImageUnavailable):
        await _source_on_loopback(certificate).fetch(f"https://images.test:{host.port}/first.png")


async def test_what_an_operator_reads_holds_no_signature_and_no_line_break() -> None:
    def resolve(host: str, _port: int) -> Sequence[str]:
        raise OSError(f"no {host}\nof https://images.test/?X-Amz-Signature=abcdef&token=12345678")

    with pytest.raises(ImageUnavailable) as raised:
        await HttpImageSource(resolve=resolve).fetch(IMAGE_URL)
    assert str(raised.value) == (
        "OSError: no images.test of https://images.test/?X-Amz-Signature=[secret]&token=[secret]"
    )


# --- limits ----------------------------------------------------------------------------------------------------------


async def _hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"\x89")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _drip_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("answer", [_hang, _drip, _drip_headers])
async def test_a_host_that_drips_or_hangs_is_left_when_the_time_is_up(
    certificate: Path, host: TlsHost, answer: Answer
) -> None:
    host.answers["/first.png"] = answer
    async with asyncio.timeout(10):
        with pytest.raises(ImageUnavailable, match="not fetched in time"):
            await _source_on_loopback(certificate, limit_s=0.2).fetch(f"https://images.test:{host.port}/first.png")


async def test_the_time_is_that_of_all_hops_together(certificate: Path, host: TlsHost) -> None:
    async def move_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(moved("/slow"))

    host.answers["/slow"] = move_slowly
    with pytest.raises(ImageUnavailable, match="not fetched in time"):
        await _source_on_loopback(certificate, limit_s=0.4).fetch(f"https://images.test:{host.port}/slow")


async def test_a_host_that_never_shakes_hands_is_left_when_the_time_is_up(certificate: Path) -> None:
    is_left = asyncio.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        is_left.set()

    async with await asyncio.start_server(wait_for_the_end, "127.0.0.1", 0) as server, asyncio.timeout(10):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ImageUnavailable, match="not fetched in time"):
            await _source_on_loopback(certificate, limit_s=0.2).fetch(f"https://images.test:{port}/first.png")
        await is_left.wait()


@pytest.fixture
def name_server() -> Iterator[threading.Event]:
    """An event for which look-ups wait; set at the end, so that no thread outlives its test."""
    is_back = threading.Event()
    yield is_back
    is_back.set()


async def test_a_look_up_that_hangs_is_left_behind_and_stops_no_other(name_server: threading.Event) -> None:
    def resolve(host: str, _port: int) -> Sequence[str]:
        if host == "hangs.test":
            name_server.wait()
        return [PUBLIC]

    source = HttpImageSource(
        resolve=resolve, open_transport=lambda: httpx.MockTransport(lambda _request: _picture()), limit_s=0.3
    )
    for _ in range(3):
        refused = await asyncio.gather(
            *(source.fetch("https://hangs.test/") for _ in range(FETCH_COUNT_MAX)), return_exceptions=True
        )
        assert [str(each) for each in refused] == ["not fetched in time"] * 8
    assert (await source.fetch(IMAGE_URL)).content == PNG


async def test_look_ups_that_hang_are_no_more_than_there_are_places(name_server: threading.Event) -> None:
    asked = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        name_server.wait()
        return [PUBLIC]

    source = HttpImageSource(
        resolve=resolve, open_transport=lambda: httpx.MockTransport(lambda _request: _picture()), limit_s=0.1
    )
    fetches = [source.fetch(IMAGE_URL) for _ in range(LOOKUP_COUNT_MAX + FETCH_COUNT_MAX)]
    refused = await asyncio.gather(*fetches, return_exceptions=True)
    assert {str(each) for each in refused} == {"not fetched in time"}
    await wait_until(lambda: len(asked) == 32)
    # Once the name server answers, the places are free again.
    name_server.set()
    async with asyncio.timeout(10):
        while True:
            try:
                assert (await source.fetch(IMAGE_URL)).content == PNG
                break
            except ImageUnavailable:
                continue


async def test_a_look_up_does_not_stop_the_event_loop(name_server: threading.Event) -> None:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        name_server.wait()
        return [PUBLIC]

    source = HttpImageSource(resolve=resolve, open_transport=lambda: httpx.MockTransport(lambda _request: _picture()))

    async def answer() -> None:
        name_server.set()

    image, _ = await asyncio.gather(source.fetch(IMAGE_URL), answer())
    assert image.content == PNG


async def test_as_many_fetches_run_at_once_as_memory_is_set_aside_for_and_the_rest_wait(
    certificate: Path, host: TlsHost
) -> None:
    is_open, arrivals = asyncio.Event(), asyncio.Semaphore(0)

    async def wait_and_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrivals.release()
        await is_open.wait()
        writer.write(found(PNG))

    host.answers["/first.png"] = wait_and_answer
    source = _source_on_loopback(certificate)
    url = f"https://images.test:{host.port}/first.png"
    async with asyncio.TaskGroup() as tasks:
        fetches = [tasks.create_task(source.fetch(url)) for _ in range(20)]
        for _ in range(8):
            await arrivals.acquire()
        assert len(host.requests) == 8
        is_open.set()
    assert [fetch.result().content for fetch in fetches] == [PNG] * 20


async def test_a_fetch_that_is_cancelled_closes_its_connection_and_frees_its_place(
    certificate: Path, host: TlsHost
) -> None:
    is_asked, is_left = asyncio.Event(), asyncio.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        is_asked.set()
        await reader.read()
        is_left.set()

    host.answers = {"/hangs.png": wait_for_the_end, "/first.png": found(PNG)}
    source = _source_on_loopback(certificate)
    for _ in range(FETCH_COUNT_MAX + 1):
        is_asked.clear()
        is_left.clear()
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            fetch = tasks.create_task(source.fetch(f"https://images.test:{host.port}/hangs.png"))
            await is_asked.wait()
            fetch.cancel()
            await is_left.wait()
        assert fetch.cancelled()
    assert (await source.fetch(f"https://images.test:{host.port}/first.png")).content == PNG
