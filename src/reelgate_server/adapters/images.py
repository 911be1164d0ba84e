"""Addresses from customers, fetched without letting one reach into our own network.

Theory of operation
===================

A name is looked up here, once for each hop, and every address that it has must be public (`public_addresses.py`). The
connection goes to the very address that was checked, so that another look-up cannot lead elsewhere; `Host`, SNI and the
certificate are those of the name. A redirect is a new address from a stranger, and goes through the same gate. Every
hop has a connection of its own: one that was kept would have shown the certificate of another name.

The port is free. What stands on a public address is public on every port, and nothing but TLS is spoken to it.

A fetch has one limit of time for everything, because a host can drip bytes for ever within the limit of each read. A
look-up in the system's resolver cannot be called off; its thread is left behind, in one of a bounded number of places.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, Self

import httpcore
import httpx

from reelgate_server.adapters.public_addresses import Address, is_public
from reelgate_server.adapters.redact import redact
from reelgate_server.adapters.redirects import REDIRECTS
from reelgate_server.domain.image_data import sniff
from reelgate_server.ports.images import ImageUnavailable
from reelgate_server.ports.provider import ImageBytes

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to the textual addresses of all answers; blocks, and raises `OSError` for a name without one."""

IMAGE_BYTES_MAX: Final = 20 << 20
"""A longer body is refused; the largest that a documented provider takes is 20 MB."""
FETCH_LIMIT_S: Final = 10.0
"""Seconds for the whole fetch, from the first look-up to the last byte."""
REDIRECT_COUNT_MAX: Final = 3
"""A link shortener, the store behind it and its nearest copy."""
FETCH_COUNT_MAX: Final = 8
"""Fetches at a time; they hold up to `IMAGE_BYTES_MAX` each, 160 MiB. Others wait, before their own limit begins."""
LOOKUP_COUNT_MAX: Final = 32
"""Look-ups at a time, those left behind included: more than fetches, so that a few hung name servers stop nobody."""

_CONNECT_LIMIT_S: Final = 3.0
"""Short enough that `_ADDRESS_COUNT_MAX` addresses can be tried within a fetch."""
_ADDRESS_COUNT_MAX: Final = 3
"""Addresses of a host that are tried. Every one of its addresses is checked."""


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, which also knows what `127.1` and `0x7f000001` stand for.

    Raises:
        OSError: The name has no address.
    """
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class HttpImageSource:
    """Fetches images over HTTPS; see the port. Nothing of them is decoded, and no connection outlives a fetch."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve_host,
        is_allowed: Callable[[Address], bool] = is_public,
        open_transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        limit_s: float = FETCH_LIMIT_S,
    ) -> None:
        """Remember how.

        Args:
            resolve: Looks a host up.
            is_allowed: Must hold for every address that a host has.
            open_transport: Makes what carries one hop, and is closed after it; by default a connection that verifies
                certificates by the list that comes with httpx.
            limit_s: Seconds for everything, from the first look-up to the last byte.
        """
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._open_transport = open_transport or _verifying_transports()
        self._limit_s = limit_s
        self._fetches = asyncio.Semaphore(FETCH_COUNT_MAX)
        self._lookups = asyncio.Semaphore(LOOKUP_COUNT_MAX)

    async def fetch(self, url: str) -> ImageBytes:
        """Fetch one image within the limits of time and size, following redirects to public hosts; see the port.

        Raises:
            ImageUnavailable: Anything but a 200 with a JPEG, PNG or WebP image.
        """
        async with self._fetches:
            try:
                async with asyncio.timeout(self._limit_s):
                    content = await self._follow(httpx.URL(url))
            except ImageUnavailable:
                raise
            except TimeoutError:
                raise ImageUnavailable("not fetched in time") from None
            except Exception as error:
                # An address can break a URL parser, a codec, a TLS stack or a socket; they have no common exception.
                raise ImageUnavailable(redact(f"{type(error).__name__}: {error}")) from error
        content_type = sniff(content)
        if content_type is None:
            raise ImageUnavailable(f"{len(content)} bytes that are no JPEG, PNG or WebP image")
        return ImageBytes(content, content_type)

    async def _follow(self, target: httpx.URL) -> bytes:
        for _ in range(1 + REDIRECT_COUNT_MAX):
            outcome = await self._hop(target)
            if isinstance(outcome, bytes):
                return outcome
            target = outcome
        raise ImageUnavailable(f"redirected more than {REDIRECT_COUNT_MAX} times")

    async def _hop(self, target: httpx.URL) -> bytes | httpx.URL:
        """Return the body, or where a redirect leads."""
        *others, final = await self._checked_addresses(target)
        for address in others:
            try:
                return await self._get(target, address)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._get(target, final)

    async def _checked_addresses(self, target: httpx.URL) -> list[Address]:
        if target.scheme != "https" or not target.host or target.userinfo:
            raise ImageUnavailable("not a plain https:// address")
        found = await self._look_up(target.raw_host.decode("ascii"), target.port or 443)
        addresses = [ipaddress.ip_address(each) for each in dict.fromkeys(found)]
        if not addresses:
            raise ImageUnavailable("the host has no address")
        if not all(self._is_allowed(each) for each in addresses):
            raise ImageUnavailable("the host has an address that is not public")
        return addresses[:_ADDRESS_COUNT_MAX]

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        answer: Future[Sequence[str]] = Future()
        # Who waits for it may leave; the thread cannot, and must find a future that still takes its answer.
        answer.set_running_or_notify_cancel()

        def look_up() -> None:
            try:
                answer.set_result(self._resolve(host, port))
            except Exception as error:  # noqa: BLE001 (it is raised again where the answer is awaited)
                answer.set_exception(error)
            # When the loop has ended, nobody waits for the place.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._lookups.release)

        # A daemon, and not of a pool: a server that ends must not wait for a name server.
        thread = threading.Thread(target=look_up, name="image-look-up", daemon=True)
        await self._lookups.acquire()
        try:
            thread.start()
        except RuntimeError:
            self._lookups.release()
            raise
        return await asyncio.wrap_future(answer)

    async def _get(self, target: httpx.URL, address: Address) -> bytes | httpx.URL:
        timeout = httpx.Timeout(self._limit_s, connect=_CONNECT_LIMIT_S)
        client = httpx.AsyncClient(transport=self._open_transport(), timeout=timeout, trust_env=False)
        async with client, _Connections() as connections:
            request = client.build_request(
                "GET",
                target.copy_with(host=str(address)),
                headers={
                    "Host": target.netloc.decode("ascii"),
                    "User-Agent": "Reelgate",
                    "Accept": "image/*",
                    # Without a coding the bytes counted are the bytes kept.
                    "Accept-Encoding": "identity",
                },
                extensions={
                    # The dot that ends a full name is not part of it in a certificate.
                    "sni_hostname": target.raw_host.decode("ascii").rstrip("."),
                    "trace": connections.note,
                },
            )
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                return await _read(response, target)
            finally:
                await response.aclose()


class _Connections:
    """Closes at the end what httpcore has connected.

    httpcore 1.0.9 does so itself, unless it is cancelled while TLS shakes hands: then the connection would stay for as
    long as the host likes. When it does it always, this can go.
    """

    def __init__(self) -> None:
        self._streams: list[httpcore.AsyncNetworkStream] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in self._streams:
            await stream.aclose()

    async def note(self, event: str, details: Mapping[str, Any]) -> None:
        """Take part in the tracing of httpcore."""
        if event == "connection.connect_tcp.complete":
            self._streams.append(details["return_value"])


def _verifying_transports() -> Callable[[], httpx.AsyncBaseTransport]:
    # Reading the list of authorities takes milliseconds, so it is done once.
    context = httpx.create_ssl_context(trust_env=False)
    return lambda: httpx.AsyncHTTPTransport(verify=context, trust_env=False)


async def _read(response: httpx.Response, target: httpx.URL) -> bytes | httpx.URL:
    location = response.headers.get("location")
    if response.status_code in REDIRECTS and location:
        return target.join(location)
    if response.status_code != httpx.codes.OK:
        raise ImageUnavailable(f"the host answered {response.status_code}")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > IMAGE_BYTES_MAX:
            raise ImageUnavailable(f"longer than {IMAGE_BYTES_MAX} bytes")
    return bytes(content)
