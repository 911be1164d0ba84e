"""Where one instance of `reelgate up` lives."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reelgate_server.cli.refusals import Refusal

LOOPBACK: Final = "127.0.0.1"
"""Where the server itself listens, whatever Envoy listens on: plain gRPC is not for other machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one instance lives."""

    data_dir: Path
    host: IPv4Address | IPv6Address
    """Where Envoy listens. The server itself always listens on `LOOPBACK`."""
    port: int
    grpc_port: int
    public_url: str | None = None
    """Where clients reach Envoy, without a slash at the end; None if that is `own_url`."""

    @property
    def own_url(self) -> str:
        """Where this machine reaches Envoy."""
        # Nobody can connect to "every interface"; an address of one interface is the only one that answers.
        host = self.host
        if host.is_unspecified:
            host = ip_address(LOOPBACK if host.version == 4 else "::1")  # noqa: PLR2004 (of the Internet Protocol)
        return f"http://{host}:{self.port}" if host.version == 4 else f"http://[{host}]:{self.port}"  # noqa: PLR2004

    @property
    def url(self) -> str:
        """What clients are told, and what the addresses of videos begin with."""
        return self.public_url or self.own_url

    @property
    def grpc_address(self) -> str:
        """Where this machine reaches the server itself."""
        return f"{LOOPBACK}:{self.grpc_port}"


def read_address(host: str) -> IPv4Address | IPv6Address:
    """Refuse what Envoy would: it does not resolve names."""
    try:
        return ip_address(host)
    except ValueError:
        raise Refusal(f"--host is an IP address, such as 127.0.0.1 or 0.0.0.0, and not '{host}'") from None


def read_base_url(url: str) -> str:
    """Read an address that others begin with, without a slash at its end."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise Refusal(f"--public-url is an http or https address, and not '{url}'")
    return url.rstrip("/")


def require_free(host: str, port: int) -> None:
    """Refuse a port that another process listens on, before anything is started."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the servers do: what a killed instance left in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refusal(f"port {port} on {host} is not free: {error.strerror}") from error
