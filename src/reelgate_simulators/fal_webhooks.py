"""fal's webhooks: signed notices of ends, delivered as well or as badly as a test wants.

Source: docs.fal.ai/model-endpoints/webhooks. The signed text is `request id, user id, unix seconds, SHA-256 of the
body in hex`, joined by newlines; the signature is Ed25519 in hex; the public keys are a JWKS whose `x` the live
service pads with `=`.
"""

import base64
import hashlib
import json
import ssl
import uuid
from collections import deque
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reelgate_simulators.clock import Clock, sleep

USER_ID = "simulated-user"
DELIVERY_TIMEOUT_S = 15.0
"""Third parties: how long the first delivery waits for an answer."""
RETRY_DELAYS_S = (720.0,) * 10
"""Ten retries over two hours, as documented; how they are spread is not, so evenly."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How the notice of one end travels. The default is the good way."""

    delay_s: float = 0.0
    """From the end to the first attempt, on the simulator's clock."""
    copy_count: int = 1
    """Deliveries of the same notice, each signed anew; 0 loses it."""
    signature_age_s: float = 0.0
    """How long before its sending it claims to be signed; negative lies in the future."""
    is_forged: bool = False
    """Signed by a key that the JWKS does not have."""
    is_altered: bool = False
    """The body is changed after it was signed."""
    is_of_other_attempt: bool = False
    """`gateway_request_id` differs from `request_id`, as after a retry by the platform."""
    has_payload_error: bool = False
    """The result could not be put in: `payload` is null and `payload_error` says so."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One POST of a notice."""

    url: str
    headers: dict[str, str]
    content: bytes
    code: int | None
    """What the receiver answered; None if nothing."""


class FalWebhooks:
    """Signs and delivers; remembers every attempt."""

    def __init__(self, clock: Clock) -> None:
        """Start with two keys of which the second signs, so that a verifier has to try them all."""
        self._clock = clock
        self._keys = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()]
        self._deliveries: deque[Delivery] = deque()
        self.attempts: list[Attempt] = []
        """Every POST so far, in order."""
        self.retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S
        """Waits after an attempt that was not answered 2xx, on the simulator's clock."""

    def queue(self, *deliveries: Delivery) -> None:
        """Say how the next notices travel, one each, in the order of the ends."""
        self._deliveries.extend(deliveries)

    def rotate_key(self) -> None:
        """Sign with a new key; the JWKS keeps the old ones."""
        self._keys.append(Ed25519PrivateKey.generate())

    def jwks(self) -> dict[str, Any]:
        """Publish the keys."""
        publics = [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in self._keys]
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(x).decode()} for x in publics]}

    def choose(self) -> Delivery:
        """Take the way of the next notice."""
        return self._deliveries.popleft() if self._deliveries else Delivery()

    async def deliver(self, url: str, notice: dict[str, Any], delivery: Delivery) -> None:
        """Send a notice until its receiver is content or the retries are used up.

        Args:
            url: What the submit named as `fal_webhook`.
            notice: `request_id`, `status`, `payload` and, where it failed, `error`.
            delivery: See there.
        """
        await sleep(self._clock, delivery.delay_s)
        content = json.dumps(_as_sent(notice, delivery)).encode()
        timeout = DELIVERY_TIMEOUT_S
        async with httpx.AsyncClient(timeout=timeout, verify=_authorities(), trust_env=False) as client:
            for _ in range(delivery.copy_count):
                await self._send_with_retries(client, url, str(notice["request_id"]), content, delivery)

    async def _send_with_retries(
        self, client: httpx.AsyncClient, url: str, request_id: str, content: bytes, delivery: Delivery
    ) -> None:
        for delay_s in (*self.retry_delays_s, None):
            headers = self._headers(request_id, content, delivery)
            sent = content.replace(b'"status"', b'"status" ', 1) if delivery.is_altered else content
            attempt = Attempt(url=url, headers=headers, content=sent, code=None)
            attempt = replace(attempt, code=await _post(client, attempt))
            self.attempts.append(attempt)
            if delay_s is None or (attempt.code is not None and attempt.code // 100 == 2):  # noqa: PLR2004 (2xx)
                return
            await sleep(self._clock, delay_s)

    def _headers(self, request_id: str, content: bytes, delivery: Delivery) -> dict[str, str]:
        timestamp = str(int(self._clock.unix_s() - delivery.signature_age_s))
        text = "\n".join((request_id, USER_ID, timestamp, hashlib.sha256(content).hexdigest()))
        key = Ed25519PrivateKey.generate() if delivery.is_forged else self._keys[-1]
        return {
            "Content-Type": "application/json",
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": USER_ID,
            "X-Fal-Webhook-Timestamp": timestamp,
            "X-Fal-Webhook-Signature": key.sign(text.encode()).hex(),
        }


@cache
def _authorities() -> ssl.SSLContext:
    """Whom to believe who a receiver is. Read once: it takes longer than a delivery, and holds up the server's loop."""
    return httpx.create_ssl_context(trust_env=False)


def _as_sent(notice: dict[str, Any], delivery: Delivery) -> dict[str, Any]:
    attempt_id = str(uuid.uuid4()) if delivery.is_of_other_attempt else notice["request_id"]
    sent = {"request_id": notice["request_id"], "gateway_request_id": attempt_id} | notice
    if delivery.has_payload_error:
        sent |= {"payload": None, "payload_error": "Response payload is not JSON serializable"}
    return sent


async def _post(client: httpx.AsyncClient, attempt: Attempt) -> int | None:
    try:
        return (await client.post(attempt.url, content=attempt.content, headers=attempt.headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
