"""Nothing that a customer can write leads into our own network.

A connection that should not be made would arrive in a trap on loopback, and a request in a transport that keeps it.
"""

import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx
import pytest

from reelgate_server.adapters.images import HttpImageSource, Resolve
from reelgate_server.adapters.public_addresses import Address, is_public
from reelgate_server.ports.images import ImageUnavailable
from tests.support.images import PNG
from tests.support.tls_host import TlsHost, Trap, found, make_certificate, moved

PUBLIC = "93.184.215.14"

NOT_PUBLIC = [
    # This network, private, shared, loopback.
    "0.0.0.0",  # noqa: S104 (an address that must be refused)
    "0.1.2.3",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    # Link-local and metadata.
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    # Protocols, documentation, benchmarks, relays.
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.255",
    # Multicast, reserved, broadcast.
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    # IPv6: unspecified, loopback, link-local, site-local, unique local, multicast, discarded, documentation.
    "::",
    "::1",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "feff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fdff:ffff::1",
    "ff02::1",
    "ff0e::1",
    "100::1",
    "100:0:0:1::1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    # IPv6 that carries IPv4: mapped, compatible, translated, 6to4, Teredo, ISATAP; wherever it may lead.
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:ffff::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2001:0:7f00:1::1",
    "2001::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a9fe:a9fe",
    # The rest of what protocols have for themselves.
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    # A zone belongs to a link.
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "::1%lo",
]

NEIGHBOURS = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81c::200e",
    "2606:4700::5eff:7f00:1",
    "3ffe::1",
]
"""Public, each just beside a range that is not, or in everyday use."""

TO_LOOPBACK = [
    "https://127.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://127.0.1:{port}/",
    "https://2130706433:{port}/",
    "https://017700000001:{port}/",
    "https://0x7f000001:{port}/",
    "https://0x7F.1:{port}/",
    "https://0x7f.0x0.0x0.0x1:{port}/",
    "https://0177.1:{port}/",
    "https://0:{port}/",
    "https://0x0:{port}/",
    "https://0.0.0.0:{port}/",
    "https://127\u30020\u30020\u30021:{port}/",
    "https://127\uff0e0\uff0e0\uff0e1:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "https://[0:0:0:0:0:FFFF:7F00:0001]:{port}/",
    "HTTPS://LOCALHOST:{port}/",
    "https://localhost.:{port}/",
    "https://a.public.name.test:{port}/",
    "https://one-of-two.test:{port}/",
]
"""Without the check of addresses every one of them reaches a server on 127.0.0.1."""

TO_NOWHERE = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "wss://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "jar:https://127.0.0.1:{port}/!/",
    "data:image/png;base64,iVBORw0KGgo=",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "https:127.0.0.1:{port}/",
    "https:/127.0.0.1:{port}/",
    "https:///127.0.0.1:{port}/",
    "https://127.0.0.1@images.test:{port}/",
    "https://images.test@127.0.0.1:{port}/",
    "https://user:secret@127.0.0.1:{port}/",
    "https://@127.0.0.1:{port}/",
    "https://images.test\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@images.test/",
    "https://images.test:443@127.0.0.1:{port}/",
    "https://127.0.0.01:{port}/",
    "https://0177.0.0.1:{port}/",
    "https://127.0.0.1.:{port}/",
    "https://127.0.0.1%00:{port}/",
    "https://127.0.0.1%2f:{port}/",
    "https://%31%32%37.0.0.1:{port}/",
    "https://\uff11\uff12\uff17.0.0.1:{port}/",
    "https://\u2460\u2461\u2466.0.0.1:{port}/",
    "https://[::1]:{port}/",
    "https://[::]:{port}/",
    "https://[::127.0.0.1]:{port}/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fe80::1%25eth0]:{port}/",
    "https://[fe80::1%eth0]:{port}/",
    "https://[::1%25lo]:{port}/",
    "https://[v1.127.0.0.1]:{port}/",
    "https://[127.0.0.1]:{port}/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://metadata.google.internal.test/",
    "https://127.0.0.1:{port}\t/",
    "\thttps://127.0.0.1:{port}/",
    "https://127.0.0.1\n:{port}/",
    "https://127.0.0.1 :{port}/",
    "https://images.test\0@127.0.0.1:{port}/",
]
"""They are refused for their form, or lead where nobody listens."""

NAMES = {
    "images.test": ["127.0.0.1"],
    "public.test": [PUBLIC],
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "a.public.name.test": ["127.0.0.1"],
    "one-of-two.test": ["127.0.0.1", PUBLIC],
    "metadata.google.internal.test": ["169.254.169.254"],
    "inside.test": ["127.0.0.2"],
    "half-inside.test": ["127.0.0.1", "127.0.0.2"],
}


def _resolve(host: str, _port: int) -> Sequence[str]:
    if host in NAMES:
        return NAMES[host]
    # The system knows every form of an address; no name server is asked.
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)]


class _Requests:
    """Makes transports that keep what they should not have been given."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def open(self) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        return httpx.Response(200, stream=httpx.ByteStream(PNG))


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    async with Trap("127.0.0.1") as trap:
        yield trap


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_a_name_with_an_address_that_is_not_public_is_never_connected_to(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    for answers in (
        [address],
        [PUBLIC, address],
        [address, PUBLIC],
        [*(f"1.1.1.{last}" for last in range(9)), address],
    ):
        requests = _Requests()
        source = HttpImageSource(resolve=_Rebinding(answers), open_transport=requests.open)
        with pytest.raises(ImageUnavailable, match="the host has an address that is not public"):
            await source.fetch("https://images.test/first.png")
        assert requests.urls == []


@pytest.mark.parametrize("address", NEIGHBOURS)
async def test_the_ranges_end_where_they_should(address: str) -> None:
    requests = _Requests()
    source = HttpImageSource(resolve=lambda _host, _port: [address], open_transport=requests.open)
    await source.fetch("https://images.test/first.png")
    assert requests.urls == [str(httpx.URL(scheme="https", host=address, path="/first.png"))]


# --- forms of addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", TO_LOOPBACK)
async def test_a_form_of_loopback_is_not_connected_to(trap: Trap, url: str) -> None:
    with pytest.raises(ImageUnavailable):
        await HttpImageSource(resolve=_resolve).fetch(url.format(port=trap.port))
    assert await trap.is_untouched()


@pytest.mark.parametrize("url", TO_LOOPBACK)
async def test_the_check_of_addresses_is_what_holds_it_back(trap: Trap, url: str) -> None:
    open_source = HttpImageSource(resolve=_resolve, is_allowed=lambda _address: True)
    with pytest.raises(ImageUnavailable):
        await open_source.fetch(url.format(port=trap.port))
    assert not await trap.is_untouched()


@pytest.mark.parametrize("url", TO_NOWHERE)
async def test_a_form_that_is_no_public_https_address_is_not_connected_to(trap: Trap, url: str) -> None:
    requests = _Requests()
    for source in (
        HttpImageSource(resolve=_resolve),
        HttpImageSource(resolve=_resolve, open_transport=requests.open),
    ):
        with pytest.raises(ImageUnavailable):
            await source.fetch(url.format(port=trap.port))
    assert requests.urls == []
    assert await trap.is_untouched()


@pytest.mark.parametrize("name", ["localhost", "localhost.", "127.1", "2130706433", "0x7f.1", "0"])
async def test_the_systems_own_resolver_opens_no_way_either(trap: Trap, name: str) -> None:
    with pytest.raises(ImageUnavailable):
        await HttpImageSource().fetch(f"https://{name}:{trap.port}/")
    assert await trap.is_untouched()


async def test_ipv6_loopback_is_not_connected_to() -> None:
    async with Trap("::1") as trap:
        for host in ("[::1]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "[::]"):
            with pytest.raises(ImageUnavailable):
                await HttpImageSource().fetch(f"https://{host}:{trap.port}/")
        assert await trap.is_untouched()


# --- redirects and rebinding -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("images.test", "inside.test", "half-inside.test", "rebound.test")
    return make_certificate(tmp_path_factory.mktemp("images") / "images.test.pem", *names)


@pytest.fixture
async def host(certificate: Path) -> AsyncIterator[TlsHost]:
    """Stands for the open internet, at 127.0.0.1."""
    async with TlsHost(certificate) as host:
        yield host


@pytest.fixture
async def inner_host(certificate: Path) -> AsyncIterator[TlsHost]:
    """Stands for our own network, at 127.0.0.2; it would have an image, and a certificate for every name."""
    async with TlsHost(certificate, {"/": found(PNG), "/first.png": found(PNG)}, "127.0.0.2") as host:
        yield host


@pytest.fixture
async def inner_trap() -> AsyncIterator[Trap]:
    """A port of our own network, at 127.0.0.2."""
    async with Trap("127.0.0.2") as trap:
        yield trap


def _is_outside(address: Address) -> bool:
    return str(address) == "127.0.0.1" or is_public(address)


def _source(
    certificate: Path, *, resolve: Resolve = _resolve, is_allowed: Callable[[Address], bool] = _is_outside
) -> HttpImageSource:
    context = ssl.create_default_context(cafile=str(certificate))
    return HttpImageSource(
        resolve=resolve,
        is_allowed=is_allowed,
        open_transport=lambda: httpx.AsyncHTTPTransport(verify=context, trust_env=False),
    )


@pytest.mark.parametrize(
    "chain",
    [
        # To our own network, by address and by name, in every form that a header can have.
        ["https://127.0.0.2:{trap}/"],
        ["//127.0.0.2:{trap}/"],
        ["https://2130706434:{trap}/"],
        ["https://0x7f.2:{trap}/"],
        ["https://[::ffff:127.0.0.2]:{trap}/"],
        ["https://inside.test:{trap}/"],
        ["https://half-inside.test:{trap}/"],
        ["https://127.0.0.2:{trap}\\@images.test/"],
        ["https://images.test\\@127.0.0.2:{trap}/"],
        ["https://10.0.0.1/"],
        ["https://169.254.169.254/latest/meta-data/"],
        ["https://metadata.google.internal.test/"],
        ["https://[::1]:{trap}/"],
        ["https://[fd00:ec2::254]/"],
        # After hops that are allowed.
        ["/1", "https://127.0.0.2:{trap}/"],
        ["https://images.test:{port}/1", "/2", "https://inside.test:{trap}/"],
        # To another scheme, or with credentials.
        ["http://127.0.0.2:{trap}/"],
        ["http://images.test:{trap}/"],
        ["http://images.test:{port}/1"],
        ["/1", "http://127.0.0.2:{trap}/"],
        ["HTTP://127.0.0.2:{trap}/"],
        ["ftp://127.0.0.2:{trap}/"],
        ["gopher://127.0.0.2:{trap}/_"],
        ["wss://127.0.0.2:{trap}/"],
        ["file:///etc/passwd"],
        ["file://127.0.0.2/etc/passwd"],
        ["data:image/png;base64,iVBORw0KGgo="],
        ["javascript:alert(1)"],
        ["https://user:secret@images.test:{port}/1"],
        ["https://user@127.0.0.2:{trap}/"],
        ["https://images.test:{port}@127.0.0.2:{trap}/"],
        # Nowhere.
        ["https://"],
        ["https://[::1"],
        ["https://images.test:port/"],
        ["https://nowhere.test/"],
        # Without end.
        ["/0"],
        ["/1", "/0"],
        ["/1", "/2", "/3", "/4"],
    ],
    ids=" -> ".join,
)
async def test_a_redirect_opens_no_way_inside(
    certificate: Path, host: TlsHost, inner_trap: Trap, chain: list[str]
) -> None:
    host.answers = {
        f"/{hop}": moved(location.format(port=host.port, trap=inner_trap.port)) for hop, location in enumerate(chain)
    }
    with pytest.raises(ImageUnavailable):
        await _source(certificate).fetch(f"https://images.test:{host.port}/0")
    assert await inner_trap.is_untouched()
    assert len(host.requests) in {len(chain), 4}
    assert {request.headers["host"] for request in host.requests} == {f"images.test:{host.port}"}


async def test_the_redirects_of_the_table_would_be_followed_outside(
    certificate: Path, host: TlsHost, inner_host: TlsHost
) -> None:
    host.answers["/0"] = moved(f"https://inside.test:{inner_host.port}/")
    image = await _source(certificate, is_allowed=lambda _address: True).fetch(f"https://images.test:{host.port}/0")
    assert image.content == PNG


class _Rebinding:
    """A name server that changes its mind: each answer is given once, the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked_count = 0

    def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked_count += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_a_name_that_changes_its_address_is_connected_to_at_the_checked_one(
    certificate: Path, inner_host: TlsHost
) -> None:
    resolve = _Rebinding(["127.0.0.1"], ["127.0.0.2"])
    # The same port at both addresses, so that only the address decides who is asked.
    host = TlsHost(certificate, {"/first.png": found(PNG)}, port=inner_host.port)
    async with host:
        image = await _source(certificate, resolve=resolve).fetch(f"https://rebound.test:{inner_host.port}/first.png")
    assert image.content == PNG
    assert resolve.asked_count == 1
    assert [request.headers["host"] for request in host.requests] == [f"rebound.test:{inner_host.port}"]
    assert inner_host.connection_count == 0


async def test_a_name_that_changes_its_address_between_two_hops_is_checked_again(
    certificate: Path, inner_host: TlsHost
) -> None:
    resolve = _Rebinding(["127.0.0.1"], ["127.0.0.2"])
    host = TlsHost(certificate, {"/0": moved("/first.png"), "/first.png": found(PNG)}, port=inner_host.port)
    async with host:
        with pytest.raises(ImageUnavailable, match="not public"):
            await _source(certificate, resolve=resolve).fetch(f"https://rebound.test:{inner_host.port}/0")
    assert resolve.asked_count == 2
    assert [request.path for request in host.requests] == ["/0"]
    assert inner_host.connection_count == 0


async def test_a_name_that_changes_its_address_between_two_fetches_is_checked_again(
    certificate: Path, inner_host: TlsHost
) -> None:
    host = TlsHost(certificate, {"/first.png": found(PNG)}, port=inner_host.port)
    source = _source(certificate, resolve=_Rebinding(["127.0.0.1"], ["127.0.0.2"]))
    url = f"https://rebound.test:{inner_host.port}/first.png"
    async with host:
        assert (await source.fetch(url)).content == PNG
        with pytest.raises(ImageUnavailable, match="not public"):
            await source.fetch(url)
    assert inner_host.connection_count == 0


async def test_a_proxy_of_the_environment_is_not_asked(
    certificate: Path, host: TlsHost, trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{trap.port}")
    host.answers["/first.png"] = found(PNG)
    assert (await _source(certificate).fetch(f"https://images.test:{host.port}/first.png")).content == PNG
    with pytest.raises(ImageUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await HttpImageSource(resolve=_resolve, is_allowed=_is_outside).fetch(f"https://images.test:{host.port}/")
    assert await trap.is_untouched()
