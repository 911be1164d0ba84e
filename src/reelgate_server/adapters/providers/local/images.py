"""The first frame: an address from a customer, fetched without letting it reach into our own network.

The name is resolved here and every answer must be a public address; the connection then goes to the very address that
was checked, so that a second look-up cannot lead elsewhere. Nothing is followed: a redirect is a failure.
"""

import io
import ipaddress
import socket
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

import httpx
from PIL import Image, ImageOps

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to the textual addresses of all answers."""

IMAGE_BYTES_MAX = 20 << 20
"""A longer body is refused; the largest that a documented provider takes is 20 MB."""
IMAGE_PIXELS_MAX = 40_000_000
"""A picture of more is refused undecoded. Decoded, it takes four bytes a pixel: 160 MB."""
FETCH_LIMIT_S = 10.0
"""Seconds for the whole fetch, from the look-up to the last byte."""

_OPERATION_LIMIT_S = 5.0
"""Seconds for one connect, read or write."""
_ADDRESS_COUNT_MAX = 3
"""Addresses of a host that are tried."""
_STOP_CHECK_INTERVAL_S = 0.1
_FORMATS = ("JPEG", "PNG", "WEBP")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: an IPv6 address that a translator turns into the IPv4 address inside it."""


class ImageUnavailable(Exception):
    """The image cannot be fetched, or is not a picture; the text is for the operator."""


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open internet, and does not stand for another address."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address in _NAT64
    ):
        return False
    # `is_global` alone is true for multicast and for some reserved ranges.
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_link_local)


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver.

    Raises:
        OSError: The name has no address.
    """
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class ImageFetcher:
    """Fetches images; nothing of them is decoded."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve_host,
        is_allowed: Callable[[Address], bool] = is_public,
        transport: httpx.BaseTransport | None = None,
        limit_s: float = FETCH_LIMIT_S,
    ) -> None:
        """Remember how.

        Args:
            resolve: Looks a host up.
            is_allowed: Must hold for every address a host has.
            transport: Carries the requests; by default connections that verify certificates.
            limit_s: Seconds for everything, from the look-up to the last byte.
        """
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._transport = transport
        self._limit_s = limit_s

    def fetch(self, url: str, is_stopped: Callable[[], bool] = lambda: False) -> bytes:
        """Fetch one image.

        Args:
            url: `https://` only.
            is_stopped: Asked ten times a second; once it is true, the fetch is given up.

        Returns:
            At most `IMAGE_BYTES_MAX` bytes.

        Raises:
            ImageUnavailable: Anything but a 200 with a body within the limits, or `is_stopped`.
        """
        outcome: list[bytes | ImageUnavailable] = []
        client = httpx.Client(
            transport=self._transport or httpx.HTTPTransport(trust_env=False),
            timeout=_OPERATION_LIMIT_S,
            follow_redirects=False,
            trust_env=False,
        )
        with client:
            # A server can drip bytes for ever within the limit of each read, and the look-up has no limit at all. So
            # a thread does it, and is left behind when the time is up; with its client closed, its next read fails.
            thread = threading.Thread(
                target=lambda: outcome.append(self._attempt(client, url)), name="image-fetch", daemon=True
            )
            thread.start()
            deadline_s = time.monotonic() + self._limit_s
            while thread.is_alive() and time.monotonic() < deadline_s and not is_stopped():
                thread.join(_STOP_CHECK_INTERVAL_S)
        result = outcome[0] if outcome else ImageUnavailable("not fetched in time")
        if isinstance(result, ImageUnavailable):
            raise result
        return result

    def _attempt(self, client: httpx.Client, url: str) -> bytes | ImageUnavailable:
        try:
            return self._fetch(client, url)
        except ImageUnavailable as error:
            return error
        except Exception as error:  # noqa: BLE001 (an address can break a URL parser, a codec, a TLS stack or a socket)
            return ImageUnavailable(f"{type(error).__name__}: {error}")

    def _fetch(self, client: httpx.Client, url: str) -> bytes:
        target = httpx.URL(url)
        if target.scheme != "https" or not target.host or target.userinfo:
            message = "not a plain https:// address"
            raise ImageUnavailable(message)
        found = self._resolve(target.raw_host.decode("ascii"), target.port or 443)
        addresses = [ipaddress.ip_address(each) for each in dict.fromkeys(found)]
        if not addresses or not all(self._is_allowed(each) for each in addresses):
            message = "the host has an address that is not public"
            raise ImageUnavailable(message)
        *others, final = addresses[:_ADDRESS_COUNT_MAX]
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return _get(client, target, address)
        return _get(client, target, final)


def decode(content: bytes) -> Image.Image:
    """Decode a JPEG, PNG or WebP picture, upright; RGB, transparency over black.

    Raises:
        ImageUnavailable: Another format, broken, or of more than `IMAGE_PIXELS_MAX` pixels.
    """
    try:
        return _decode(content)
    except ImageUnavailable:
        raise
    except Exception as error:  # Pillow's decoders raise what their parsers trip over, not a closed set.
        message = f"not a picture: {type(error).__name__}"
        raise ImageUnavailable(message) from error


def _get(client: httpx.Client, target: httpx.URL, address: Address) -> bytes:
    host = target.raw_host.decode("ascii")
    request = client.build_request(
        "GET",
        target.copy_with(host=str(address)),
        # Without a coding the bytes counted are the bytes kept.
        headers={"Host": target.netloc.decode("ascii"), "Accept": "image/*", "Accept-Encoding": "identity"},
        extensions={"sni_hostname": host},
    )
    response = client.send(request, stream=True)
    try:
        if response.status_code != httpx.codes.OK:
            message = f"the host answered {response.status_code}"
            raise ImageUnavailable(message)
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > IMAGE_BYTES_MAX:
                message = f"longer than {IMAGE_BYTES_MAX} bytes"
                raise ImageUnavailable(message)
        return bytes(content)
    finally:
        response.close()


def _decode(content: bytes) -> Image.Image:
    # The header alone is read at first; Pillow's own limit only warns, and is higher.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    with image:
        if image.width * image.height > IMAGE_PIXELS_MAX:
            message = f"{image.width} x {image.height} pixels are too many"
            raise ImageUnavailable(message)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    picture = Image.new("RGB", upright.size)
    picture.paste(upright, mask=upright)
    return picture
