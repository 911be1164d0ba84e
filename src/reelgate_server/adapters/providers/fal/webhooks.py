r"""fal's webhooks: who sent one, and when.

Source: docs.fal.ai/model-endpoints/webhooks, read 2026-11-20. fal signs

    request id \n user id \n unix seconds \n SHA-256 of the body in hex

with Ed25519; the first three and the signature in hex are headers, and the public keys are a JWKS. Several programs
that verify them agree on the exact text; one of them notes that the live key set pads its keys with `=`.

fal signs for all of its users. That a webhook is genuine therefore says nothing of whose request it is about: that is
for `find_task`, or for the task that the job already has.
"""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.fal.addresses import is_request_id
from reelgate_server.adapters.providers.fal.answers import refusal
from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import ProviderFault
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.provider import RenderOrder
from reelgate_server.ports.webhooks import Webhook, WebhookRefused

JWKS_URL: Final = "https://rest.fal.ai/.well-known/jwks.json"
AGE_MAX = timedelta(seconds=300)
"""Of a signature, and how far ahead of our clock it may be."""
KEYS_AGE_MAX = timedelta(hours=24)
"""fal's word on how long its keys may be kept."""
FETCH_INTERVAL_MIN = timedelta(minutes=1)
"""Between two fetches of the keys, however many webhooks no key fits: anybody can send those."""
KEYS_LIMIT_S = 5.0
"""For a fetch of the keys. Envoy gives a webhook 15 seconds in all, of which a look-up of its task needs some."""
KEY_COUNT_MAX = 16
"""Keys that are tried for one webhook."""
SIGNATURE_BYTES = 64
"""Of Ed25519 (RFC 8032, 5.1.6)."""
_UNIX_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """What the headers of a webhook say."""

    request_id: str
    time: datetime
    signature: bytes
    text: bytes
    """What is signed."""


class FalWebhooks:
    """Receives for one `FalProvider`."""

    def __init__(
        self, provider: FalProvider, *, jwks_url: str = JWKS_URL, clock: Clock, http: ProviderHttp | None = None
    ) -> None:
        """Prepare; the keys are fetched with the first webhook.

        Args:
            provider: Finds tasks.
            jwks_url: Where fal publishes its keys.
            clock: Ages of webhooks and keys go by it.
            http: For tests with limits of their own.
        """
        self._provider = provider
        self._jwks_url = jwks_url
        self._clock = clock
        self._http = http or ProviderHttp(call_limit_s=KEYS_LIMIT_S)
        self._fetching = asyncio.Lock()
        self._keys: Sequence[Ed25519PublicKey] = ()
        self._keys_time: datetime | None = None
        """When the keys came; None before the first."""
        self._fetch_time: datetime | None = None
        """When they were last asked for, whatever came of it."""
        self._fetch_failure: ProviderFault | None = None
        """What came of that, if no keys."""

    async def __aenter__(self) -> Self:
        """Nothing to do: connections are made as they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection of its own."""
        await self._http.close()

    async def verify(self, webhook: Webhook) -> str:
        """Check time and signature, and that the body is about the request that the signature names."""
        signed = _read(webhook)
        if abs(self._clock.now() - signed.time) > AGE_MAX:
            raise WebhookRefused(f"signed at {signed.time.isoformat()}")
        if not _fits(signed, await self._present_keys()) and not _fits(signed, await self._newer_keys()):
            raise WebhookRefused("no key fits the signature")
        if _request_id_in(webhook.body) != signed.request_id:
            raise WebhookRefused("the body is about another request than the signature")
        return signed.request_id

    async def find_task(self, order: RenderOrder, task_id: str) -> Task:
        """Ask fal for the request with each of our keys, at the addresses that it documents."""
        return await self._provider.find(order.endpoint, task_id)

    async def _present_keys(self) -> Sequence[Ed25519PublicKey]:
        """The keys, fetched if there are none or they are too old.

        Raises:
            ProviderFault: There are none to be had.
        """
        if not self._is_within(self._keys_time, KEYS_AGE_MAX):
            await self._fetch()
            if self._fetch_failure is not None:
                raise self._fetch_failure
        return self._keys

    async def _newer_keys(self) -> Sequence[Ed25519PublicKey]:
        """The keys as they are now, or as they were at most `FETCH_INTERVAL_MIN` ago.

        Raises:
            ProviderFault: They could not be fetched, so that the present ones are all that is known.
        """
        await self._fetch()
        if self._fetch_failure is not None:
            raise self._fetch_failure
        return self._keys

    async def _fetch(self) -> None:
        """Fetch the keys, unless that was tried a moment ago; others wait for the fetch under way."""
        async with self._fetching:
            if self._is_within(self._fetch_time, FETCH_INTERVAL_MIN):
                return
            try:
                self._keys = _keys_in(await self._http.call("GET", self._jwks_url))
            except ProviderFault as error:
                self._fetch_failure = error
            else:
                self._fetch_failure, self._keys_time = None, self._clock.now()
            # A fetch that was cancelled counts for nothing.
            self._fetch_time = self._clock.now()

    def _is_within(self, time: datetime | None, age_max: timedelta) -> bool:
        # A clock that was set back makes ages negative; nothing is known then.
        return time is not None and timedelta() <= self._clock.now() - time < age_max


def _read(webhook: Webhook) -> _Signed:
    """Read the headers.

    Raises:
        WebhookRefused: One is missing or makes no sense.
    """
    request_id, user_id, seconds, signature = (
        webhook.headers.get(f"x-fal-webhook-{name}", "") for name in ("request-id", "user-id", "timestamp", "signature")
    )
    # A line break in one of them would let the same signed text be read in two ways.
    if not is_request_id(request_id) or not user_id or not user_id.isprintable():
        raise WebhookRefused("no request or no user in the headers")
    if not _UNIX_SECONDS.fullmatch(seconds):
        raise WebhookRefused("no time in the headers")
    try:
        signature_bytes = bytes.fromhex(signature)
    except ValueError:
        signature_bytes = b""
    if len(signature_bytes) != SIGNATURE_BYTES:
        raise WebhookRefused("no signature in the headers")
    lines = (request_id, user_id, seconds, hashlib.sha256(webhook.body).hexdigest())
    return _Signed(
        request_id=request_id,
        time=datetime.fromtimestamp(int(seconds), UTC),
        signature=signature_bytes,
        text="\n".join(lines).encode("utf-8", "surrogatepass"),
    )


def _fits(signed: _Signed, keys: Iterable[Ed25519PublicKey]) -> bool:
    for key in keys:
        try:
            key.verify(signed.signature, signed.text)
        except InvalidSignature:
            continue
        return True
    return False


def _request_id_in(body: bytes) -> str | None:
    try:
        notice = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookRefused("the body is not JSON") from None
    request_id = notice.get("request_id") if isinstance(notice, dict) else None
    return request_id if isinstance(request_id, str) else None


def _keys_in(answer: Answer) -> Sequence[Ed25519PublicKey]:
    """The keys of a JWKS (RFC 7517, RFC 8037); other kinds of keys are passed over.

    Raises:
        ProviderFault: There is none.
    """
    if not answer.is_success:
        raise refusal(answer)
    rows = answer.object().get("keys")
    found = [key for row in (rows if isinstance(rows, list) else []) if (key := _key_in(row)) is not None]
    if not found:
        answer.refuse("no Ed25519 key")
    return tuple(found[:KEY_COUNT_MAX])


def _key_in(row: Any) -> Ed25519PublicKey | None:
    if not isinstance(row, dict) or row.get("kty") != "OKP" or row.get("crv") != "Ed25519":
        return None
    x = row.get("x")
    if not isinstance(x, str):
        return None
    bare = x.rstrip("=")
    try:
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
    except ValueError:
        return None
