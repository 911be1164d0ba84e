"""How adapters talk HTTP: bounded in time and size, without retries or redirects, and with every failure as a `Fault`.

Theory of operation
===================

What matters of a failed submit is whether the provider may have taken the task. It surely has not if no connection came
about, or if it answered that it would not (`is_maybe_accepted_status` says which statuses do). In every other case, a
lost connection, a time-out, a redirect, most of 5xx, an answer that cannot be read, it may have. A submit therefore
never goes out on a connection that was used before: one that the provider has just closed would look like a lost
answer.

Credentials are given for each call and kept nowhere else. What a provider writes into an error is kept for the operator
only after the credentials, and whatever looks like a signature in an address, have been struck out.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final, NoReturn, Self

import httpx

from reelgate_server.adapters.providers.answer import (
    Answer,
    is_maybe_accepted_status,
    kind_of_status,
    read_retry_after,
)
from reelgate_server.adapters.providers.json_body import JsonBody
from reelgate_server.adapters.redact import redact
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault

ANSWER_BYTES_MAX = 1 << 20
"""A longer answer is refused unread. The largest documented is under 14 kB; videos come by `stream`."""
CHUNK_BYTES = 256 * 1024
"""The most that `stream` hands out at a time."""
CONNECTION_COUNT_MAX = 128
"""Connections of one adapter at a time; who gets none within `POOL_LIMIT_S` has surely sent nothing."""
CONNECT_LIMIT_S = 5.0
READ_LIMIT_S = 15.0
"""Seconds without a byte."""
WRITE_LIMIT_S = 15.0
POOL_LIMIT_S = 5.0
CALL_LIMIT_S = 20.0
"""Seconds for one call, from the connection to the last byte. A stopping server waits for a submit this long."""

_TEXT: Final = re.compile(r"text/.*|application/(.*\+)?(json|xml)|application/javascript")
"""Content types that no video has."""


class ProviderHttp:
    """Two clients of one provider: one for submits, whose connections are new, and one for the rest."""

    def __init__(
        self,
        *,
        secrets: Collection[str] = (),
        call_limit_s: float = CALL_LIMIT_S,
        read_limit_s: float = READ_LIMIT_S,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            secrets: Struck out of whatever is kept of a provider's text.
            call_limit_s: Seconds for one call.
            read_limit_s: Seconds without a byte, in calls and in streams.
        """
        self._secrets = tuple(secrets)
        self._call_limit_s = call_limit_s
        timeout = httpx.Timeout(connect=CONNECT_LIMIT_S, read=read_limit_s, write=WRITE_LIMIT_S, pool=POOL_LIMIT_S)
        self._fresh = _client(timeout, keepalive_count=0)
        self._pooled = _client(timeout, keepalive_count=CONNECTION_COUNT_MAX)

    async def __aenter__(self) -> Self:
        """Nothing to do: connections are made as they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._fresh.aclose()
        await self._pooled.aclose()

    async def call(
        self,
        method: str,
        url: str,
        *,
        is_submit: bool = False,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        **request: Any,
    ) -> Answer:
        """Make one request and read the whole answer, whatever its status.

        Args:
            method: Of HTTP.
            url: Absolute.
            is_submit: The call may create a task.
            answer_bytes_max: A longer answer is refused.
            request: What `httpx.AsyncClient.build_request` takes: `headers`, `params`, `json`, `data`, `files`. `json`
                may have `Base64Text` in it, which is encoded while it is sent.

        Raises:
            ProviderFault: There is no complete answer.
        """
        with self._faults(is_submit=is_submit):
            client = self._fresh if is_submit else self._pooled
            sent = _build(client, method, url, **request)
            async with asyncio.timeout(self._call_limit_s):
                response = await client.send(sent, stream=True)
                try:
                    body = await _read(response, answer_bytes_max, is_submit=is_submit)
                finally:
                    await response.aclose()
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            is_submit=is_submit,
            secrets=self._secrets,
        )

    @asynccontextmanager
    async def streaming(
        self, method: str, url: str, *, is_bounded: bool = False, **request: Any
    ) -> AsyncGenerator[httpx.Response]:
        """Open an answer of any length, whatever its status; its body has not been read.

        Args:
            method: Of HTTP.
            url: Absolute.
            is_bounded: Everything until it is closed must fit into the limit of one call. Otherwise each wait for the
                next byte is bounded, and their number is not.
            request: See `call`.

        Raises:
            ProviderFault: Whatever goes wrong, also while the caller reads; never maybe accepted.
        """
        with self._faults(is_submit=False):
            async with asyncio.timeout(self._call_limit_s if is_bounded else None):
                response = await self._pooled.send(_build(self._pooled, method, url, **request), stream=True)
                try:
                    _require_identity(response, is_submit=False)
                    yield response
                finally:
                    await response.aclose()

    async def download(self, url: str, **request: Any) -> AsyncGenerator[bytes]:
        """Stream a file in chunks of at most `CHUNK_BYTES`.

        Raises:
            ProviderFault: Anything but a 200 with what may be a video, or a body that ends early; the status says which
                kind.
        """
        async with self.streaming("GET", url, **request) as response:
            self.require_video(response)
            async for chunk in response.aiter_bytes(CHUNK_BYTES):
                yield chunk

    def require_video(self, response: httpx.Response) -> None:
        """Refuse an answer that has no video in it.

        Raises:
            ProviderFault: The status is not 200, or the content is text: an error page would be kept and paid for.
        """
        kind, what = kind_of_status(response.status_code), f"HTTP {response.status_code}"
        if response.status_code == httpx.codes.OK:
            content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not _TEXT.fullmatch(content_type):
                return
            kind, what = FaultKind.UNINTELLIGIBLE, content_type
        detail = redact(f"the download was answered with {what}")
        raise ProviderFault(Fault(kind=kind, retry_after=read_retry_after(response.headers), detail=detail))

    def redact(self, text: str) -> str:
        """Strike our own credentials out of a text as well."""
        return redact(text, self._secrets)

    def _faults(self, *, is_submit: bool) -> "_Faults":
        return _Faults(self, is_submit=is_submit)


class _Faults:
    """Turns what httpx and the clock raise into a `ProviderFault`."""

    def __init__(self, http: ProviderHttp, *, is_submit: bool) -> None:
        self._http = http
        self._is_submit = is_submit

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        """Raise the fault in place of the error."""
        match error:
            case httpx.ConnectTimeout() | httpx.PoolTimeout():
                self._raise(FaultKind.TIMEOUT, error, is_maybe_accepted=False)
            case httpx.ConnectError() | httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
                self._raise(FaultKind.UNAVAILABLE, error, is_maybe_accepted=False)
            case httpx.TimeoutException() | TimeoutError():
                self._raise(FaultKind.TIMEOUT, error, is_maybe_accepted=self._is_submit)
            case httpx.DecodingError() | httpx.RemoteProtocolError():
                self._raise(FaultKind.UNINTELLIGIBLE, error, is_maybe_accepted=self._is_submit)
            # A group comes from connecting to several addresses at a time.
            case httpx.HTTPError() | httpx.StreamError() | OSError() | ExceptionGroup():
                self._raise(FaultKind.UNAVAILABLE, error, is_maybe_accepted=self._is_submit)
            case _:
                return

    def _raise(self, kind: FaultKind, error: BaseException, *, is_maybe_accepted: bool) -> NoReturn:
        detail = self._http.redact(f"{type(error).__name__}: {error}")
        raise ProviderFault(Fault(kind=kind, is_maybe_accepted=is_maybe_accepted, detail=detail)) from error


def _client(timeout: httpx.Timeout, *, keepalive_count: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=timeout,
        limits=httpx.Limits(max_connections=CONNECTION_COUNT_MAX, max_keepalive_connections=keepalive_count),
        follow_redirects=False,
        verify=_authorities(),
        # Bytes are counted as they come, and no provider's answer is worth compressing.
        headers={"Accept-Encoding": "identity"},
        # Neither a proxy nor a .netrc of the environment may see or add a credential.
        trust_env=False,
    )


@cache
def _authorities() -> ssl.SSLContext:
    """Whom we believe who a provider is. Read once: it takes as long as ten calls, and there are two clients each."""
    return httpx.create_ssl_context(trust_env=False)


def _build(client: httpx.AsyncClient, method: str, url: str, **request: Any) -> httpx.Request:
    """Build a request; what cannot be put into one has surely not been sent."""
    try:
        return client.build_request(method, url, **_with_content(**request))
    except (httpx.InvalidURL, ValueError) as error:
        # The error's text may hold what could not be encoded.
        detail = f"no request can be made of it: {type(error).__name__}"
        raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=detail)) from error


def _with_content(json: Any = None, headers: Any = None, **others: Any) -> dict[str, Any]:
    """The same request with its JSON as `content`."""
    if json is None:
        return {"headers": headers, **others}
    body, all_headers = JsonBody(json), httpx.Headers(headers)
    # Without a length httpx would send a body that is not whole in chunks, which not every server takes.
    all_headers.update({"Content-Type": "application/json", "Content-Length": str(body.size_bytes)})
    return {"headers": all_headers, "content": body.whole or body, **others}


def _require_identity(response: httpx.Response, *, is_submit: bool) -> None:
    """Refuse a coded body: a few kilobytes can unfold to gigabytes, layer by layer, before any limit is looked at."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        is_maybe_accepted = is_submit and is_maybe_accepted_status(response.status_code)
        detail = redact(f"HTTP {response.status_code}: a body in the coding {coding}, which was not asked for")
        raise ProviderFault(Fault(kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=is_maybe_accepted, detail=detail))


async def _read(response: httpx.Response, bytes_max: int, *, is_submit: bool) -> bytes:
    _require_identity(response, is_submit=is_submit)
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > bytes_max:
            is_maybe_accepted = is_submit and is_maybe_accepted_status(response.status_code)
            detail = f"HTTP {response.status_code}: longer than {bytes_max} bytes"
            raise ProviderFault(
                Fault(kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=is_maybe_accepted, detail=detail)
            )
    return bytes(content)
