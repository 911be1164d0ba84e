"""Hosts on loopback: one that speaks TLS and answers by a script, and one to which nothing may ever connect."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def make_certificate(path: Path, *names: str) -> Path:
    """Write a certificate for names, signed by itself, and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that reached a `TlsHost`."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""


Answer = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is written to the connection before it is closed, or what is done with it."""


def found(content: bytes, *headers: str) -> bytes:
    """A plain success."""
    return _head("200 OK", f"Content-Length: {len(content)}", *headers) + content


def moved(location: str, code: int = 302) -> bytes:
    """A redirect."""
    return _head(f"{code} Moved", f"Location: {location}", "Content-Length: 0", "Set-Cookie: a=b; Path=/")


def _head(status: str, *headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, "")).encode("latin-1")


class TlsHost:
    """A server on loopback that answers by path and keeps what it was asked; the connection stays open if it can."""

    def __init__(
        self,
        certificate: Path,
        answers: Mapping[str, Answer] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Take the script; `answers` may be changed at any time. Port 0 is any that is free."""
        self.answers = dict(answers or {})
        self.requests: list[Asked] = []
        self.connection_count = 0
        """With TLS; a `Trap` sees the others too."""
        self.port = port
        self._host = host
        self._tasks: set[asyncio.Task[None]] = set()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        # Otherwise the loop might end before the connections have.
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connection_count += 1
        try:
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                asked = Asked(path=first.split(" ")[1], headers=headers)
                self.requests.append(asked)
                answer = self.answers.get(asked.path, _head("404 Not Found", "Content-Length: 0"))
                if not isinstance(answer, bytes):
                    await answer(reader, writer)
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, OSError):
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            self._tasks.discard(task)


class Trap:
    """A port on loopback to which nothing may ever connect."""

    def __init__(self, host: str) -> None:
        """Name the address."""
        self.host = host
        self.port = 0
        self._arrivals: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._count, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def is_untouched(self) -> bool:
        """Knock, and tell whether that was the first knock of all: connections arrive in their order."""
        _, writer = await asyncio.open_connection(self.host, self.port)
        ours: tuple[str, int] = writer.get_extra_info("sockname")[:2]
        writer.close()
        first = await self._arrivals.get()
        return first == ours

    def _count(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._arrivals.put_nowait(writer.get_extra_info("peername")[:2])
        writer.close()
