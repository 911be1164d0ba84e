"""The guard between a customer's image address and our own network."""

import http.server
import io
import ipaddress
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from reelgate_server.adapters.providers.local.images import (
    IMAGE_BYTES_MAX,
    ImageFetcher,
    ImageUnavailable,
    decode,
    is_public,
)

PUBLIC = "93.184.215.14"
URL = "https://images.test/first.png"


def _picture() -> httpx.Response:
    # Given as `content`, it would count as read, and could not be streamed.
    return httpx.Response(200, stream=httpx.ByteStream(b"picture"))


Respond = Callable[[httpx.Request], httpx.Response]


class _Host:
    """Answers requests and keeps them."""

    def __init__(self, respond: Respond = lambda _request: _picture()) -> None:
        self.requests: list[httpx.Request] = []
        self._respond = respond

    def fetcher(self, *addresses: str, limit_s: float = 5.0) -> ImageFetcher:
        return ImageFetcher(
            resolve=lambda _host, _port: addresses or (PUBLIC,),
            transport=httpx.MockTransport(self._answer),
            limit_s=limit_s,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._respond(request)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104 (an address that must be refused)
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "2001:0:a00:1::1",
    ],
)
def test_an_address_that_is_not_public_is_refused_before_any_connection(address: str) -> None:
    host = _Host()
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(ImageUnavailable, match="not public"):
        host.fetcher(address).fetch(URL)
    with pytest.raises(ImageUnavailable, match="not public"):
        host.fetcher(PUBLIC, address).fetch(URL)
    assert host.requests == []


@pytest.mark.parametrize("address", ["8.8.8.8", PUBLIC, "2606:4700:4700::1111", "2a00:1450:4001:81c::200e"])
def test_a_public_address_is_connected_to_itself(address: str) -> None:
    host = _Host()
    assert host.fetcher(address).fetch("https://images.test:8443/a?b=c") == b"picture"
    (request,) = host.requests
    assert (request.url.host, request.url.port, request.url.raw_path) == (address, 8443, b"/a?b=c")
    assert request.headers["host"] == "images.test:8443"
    assert request.extensions["sni_hostname"] == "images.test"


@pytest.mark.parametrize(
    "url",
    [
        "http://images.test/first.png",
        "file:///etc/passwd",
        "ftp://images.test/first.png",
        "https://user:secret@images.test/first.png",
        "https:///first.png",
        "images.test/first.png",
        "https://[::1",
    ],
)
def test_only_plain_https_is_fetched(url: str) -> None:
    host = _Host()
    with pytest.raises(ImageUnavailable):
        host.fetcher().fetch(url)
    assert host.requests == []


def test_the_systems_resolver_is_asked_about_disguised_addresses() -> None:
    for host in ("127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]"):
        with pytest.raises(ImageUnavailable):
            ImageFetcher(transport=httpx.MockTransport(lambda _request: httpx.Response(200))).fetch(f"https://{host}/")


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    host = _Host(lambda _request: httpx.Response(code, headers={"location": "https://elsewhere.test/"}))
    with pytest.raises(ImageUnavailable, match=str(code)):
        host.fetcher().fetch(URL)
    assert len(host.requests) == 1


@pytest.mark.parametrize("code", [201, 204, 206, 400, 403, 404, 500, 503])
def test_only_a_plain_success_is_an_image(code: int) -> None:
    with pytest.raises(ImageUnavailable, match=str(code)):
        _Host(lambda _request: httpx.Response(code)).fetcher().fetch(URL)


def test_a_body_that_is_too_long_is_left_unread() -> None:
    served = 0

    def body() -> Iterator[bytes]:
        nonlocal served
        while True:
            served += 1 << 20
            yield bytes(1 << 20)

    with pytest.raises(ImageUnavailable, match="longer than"):
        _Host(lambda _request: httpx.Response(200, content=body())).fetcher().fetch(URL)
    assert served == IMAGE_BYTES_MAX + (1 << 20)


def test_another_address_is_tried_if_one_does_not_answer() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == PUBLIC:
            raise httpx.ConnectError("refused")
        return _picture()

    assert _Host(respond).fetcher(PUBLIC, "8.8.8.8").fetch(URL) == b"picture"


def test_a_host_without_an_address_is_unavailable() -> None:
    fetcher = ImageFetcher(resolve=lambda _host, _port: [])
    with pytest.raises(ImageUnavailable):
        fetcher.fetch(URL)


def test_a_host_that_drips_is_left_when_the_time_is_up() -> None:
    is_over = threading.Event()

    def respond(_request: httpx.Request) -> httpx.Response:
        is_over.wait(10)
        return httpx.Response(200)

    with pytest.raises(ImageUnavailable, match="in time"):
        _Host(respond).fetcher(limit_s=0.1).fetch(URL)
    with pytest.raises(ImageUnavailable):
        _Host(respond).fetcher().fetch(URL, is_stopped=lambda: True)
    is_over.set()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_documented_formats_are_decoded(form: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 200, 10)).save(file, form)
    assert decode(file.getvalue()).size == (40, 30)


def test_a_picture_is_turned_upright_and_transparency_is_black() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGBA", (40, 30), (255, 255, 255, 0)).save(file, "PNG", exif=exif)
    picture = decode(file.getvalue())
    assert (picture.size, picture.mode, picture.getpixel((5, 5))) == ((30, 40), "RGB", (0, 0, 0))


def test_what_is_no_picture_is_unavailable() -> None:
    gif, png = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (40, 30)).save(gif, "GIF")
    Image.new("RGB", (400, 300)).save(png, "PNG")
    for content in (b"", b"<svg/>", gif.getvalue(), png.getvalue()[:60], png.getvalue()[:-40]):
        with pytest.raises(ImageUnavailable, match="not a picture"):
            decode(content)


@pytest.mark.parametrize("size", [(8000, 8000), (20_000, 10_000)])
def test_a_picture_of_too_many_pixels_is_not_decoded(size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new("1", size).save(file, "PNG")
    with pytest.raises(ImageUnavailable):
        decode(file.getvalue())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate and its key for images.test, in one file."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("toolchain: makes its certificate with openssl")
    path = tmp_path / "images.test.pem"
    arguments = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=images.test"]
    files = ["-addext", "subjectAltName=DNS:images.test", "-keyout", str(path), "-out", str(tmp_path / "certificate")]
    subprocess.run([program, *arguments, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "certificate").read_text())
    return path


@pytest.fixture
def loopback_port(certificate: Path) -> Iterator[int]:
    """The port of a TLS server on loopback that says who it was asked as."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.headers["Host"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its own name for it)
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("host", "is_trusted"), [("images.test", True), ("other.test", False)])
def test_the_certificate_must_be_that_of_the_name_and_not_of_the_address(
    certificate: Path, loopback_port: int, host: str, *, is_trusted: bool
) -> None:
    fetcher = ImageFetcher(
        resolve=lambda _host, _port: ["127.0.0.1"],
        is_allowed=lambda _address: True,
        transport=httpx.HTTPTransport(verify=ssl.create_default_context(cafile=str(certificate)), trust_env=False),
    )
    url = f"https://{host}:{loopback_port}/first.png"
    if is_trusted:
        assert fetcher.fetch(url) == f"{host}:{loopback_port}".encode()
    else:
        with pytest.raises(ImageUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            fetcher.fetch(url)
