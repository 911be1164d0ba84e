"""fal as a sender of webhooks, and a key of our own among those that it publishes."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.responses import Response

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.ports.provider import RenderOrder
from reelgate_server.ports.webhooks import Webhook
from reelgate_simulators.clock import MANUAL_START_UNIX_S, ManualClock
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.fal_webhooks import Delivery
from reelgate_simulators.recording import RecordedRequest
from tests.adapters.fal.samples import make_order
from tests.simulators.receiver import Receiver

START = datetime.fromtimestamp(MANUAL_START_UNIX_S, UTC)
"""The time of the simulator's clock, which stands still."""
HEADERS = frozenset(f"x-fal-webhook-{name}" for name in ("request-id", "user-id", "timestamp", "signature"))


class SigningFal(FalSimulator):
    """Publishes `key` after its own, so that a test can sign what fal never would. Its clock stands still."""

    def __init__(self, **knobs: Any) -> None:
        super().__init__(**{"clock": ManualClock(), "render_s": 0, **knobs})
        self.key = Ed25519PrivateKey.generate()
        self.key_set: Any = None
        """Published in place of the keys, if there is one."""

    def operations(self) -> Sequence[Operation]:
        rows = super().operations()
        return [replace(row, handler=self._publish) if row.name == "jwks" else row for row in rows]

    @property
    def jwks_url(self) -> str:
        return f"{self.base_url}/.well-known/jwks.json"

    def sign(self, body: bytes, request_id: str, *, at: datetime = START, user_id: str = "user-1") -> Webhook:
        """Sign as documented."""
        timestamp = str(int(at.timestamp()))
        text = "\n".join((request_id, user_id, timestamp, hashlib.sha256(body).hexdigest()))
        signature = self.key.sign(text.encode()).hex()
        values = {"request-id": request_id, "user-id": user_id, "timestamp": timestamp, "signature": signature}
        return Webhook(headers={f"x-fal-webhook-{name}": value for name, value in values.items()}, body=body)

    async def _publish(self, _request: RecordedRequest) -> Response:
        jwks = self.webhooks.jwks()
        jwks["keys"].append(public_jwk(self.key))
        return respond(200, jwks if self.key_set is None else self.key_set)


def public_jwk(key: Ed25519PrivateKey) -> dict[str, Any]:
    """A key as a JWK, without padding."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(public).decode().rstrip("=")}


@dataclass
class FalSender:
    """Sends through real HTTP what the simulator signs."""

    fal: SigningFal
    mailbox: Receiver
    """Where webhooks arrive, to be taken out."""
    provider: FalProvider
    order: RenderOrder = field(default_factory=make_order)
    required_headers: frozenset[str] = HEADERS

    async def webhook(self, task_id: str, *, age: timedelta = timedelta(), is_forged: bool = False) -> Webhook:
        notice = {"request_id": task_id, "status": "OK", "payload": {"video": {"url": "https://x.test/a.mp4"}}}
        delivery = Delivery(signature_age_s=age.total_seconds(), is_forged=is_forged)
        return await self.deliver(notice, delivery)

    async def deliver(self, notice: dict[str, Any], delivery: Delivery) -> Webhook:
        await self.fal.webhooks.deliver(self.mailbox.url(), notice, delivery)
        return received(self.mailbox)

    def signed(self, body: bytes, task_id: str) -> Webhook:
        return self.fal.sign(body, task_id)


def received(mailbox: Receiver) -> Webhook:
    """The latest webhook, as it came."""
    request = mailbox.notices[-1]
    return Webhook(headers=request.headers, body=request.content)
