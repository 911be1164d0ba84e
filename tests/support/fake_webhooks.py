"""A receiver that believes what a test has signed; it keeps the promises of `ports/webhooks.py`."""

import hashlib
import json
from datetime import timedelta

from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import RenderOrder
from reelgate_server.ports.webhooks import Webhook, WebhookRefused
from tests.support.fake_provider import FakeProvider

AGE_MAX = timedelta(minutes=5)
AGE, SIGNATURE = "x-fake-age", "x-fake-signature"
_KEY = b"known to the fake alone"


class FakeWebhooks:
    """Receives for a fake provider, and makes the webhooks that it would send.

    A webhook says itself how old it is, so that no clock is needed. A fault in one of the lists is raised by the next
    call of that kind and taken off.
    """

    def __init__(self, provider: FakeProvider) -> None:
        """Receive for `provider`, whose tasks are the ones that can be found."""
        self._provider = provider
        self.verify_faults: list[Fault] = []
        self.find_faults: list[Fault] = []
        self.received: list[Webhook] = []
        """Everything that was to be verified, in order."""
        self.searches: list[tuple[RenderOrder, str]] = []
        """What was looked for, in order."""

    def webhook(self, task_id: str, *, age: timedelta = timedelta(), is_forged: bool = False) -> Webhook:
        """The provider's word that a task has ended; signed now unless told otherwise."""
        return self.signed(json.dumps({"task_id": task_id}).encode(), age=age, is_forged=is_forged)

    def signed(self, body: bytes, *, age: timedelta = timedelta(), is_forged: bool = False) -> Webhook:
        """A webhook with any body."""
        age_s = str(int(age.total_seconds()))
        signature = "0" * 64 if is_forged else _signature(age_s, body)
        return Webhook(headers={"content-type": "application/json", AGE: age_s, SIGNATURE: signature}, body=body)

    async def verify(self, webhook: Webhook) -> str:
        self.received.append(webhook)
        if self.verify_faults:
            raise ProviderFault(self.verify_faults.pop(0))
        age_s = webhook.headers.get(AGE, "")
        if webhook.headers.get(SIGNATURE) != _signature(age_s, webhook.body):
            raise WebhookRefused("not signed by the fake")
        if abs(timedelta(seconds=int(age_s))) > AGE_MAX:
            raise WebhookRefused(f"{age_s} seconds old")
        try:
            body = json.loads(webhook.body)
        except (ValueError, RecursionError):
            raise WebhookRefused("not JSON") from None
        task_id = body.get("task_id") if isinstance(body, dict) else None
        if not isinstance(task_id, str):
            raise WebhookRefused("names no task")
        return task_id

    async def find_task(self, order: RenderOrder, task_id: str) -> Task:
        self.searches.append((order, task_id))
        if self.find_faults:
            raise ProviderFault(self.find_faults.pop(0))
        fake = self._provider.tasks.get(task_id)
        if fake is None or fake.order.job_id != order.job_id:
            raise ProviderFault(Fault(kind=FaultKind.TASK_UNKNOWN, detail="never heard of it"))
        credential = next(iter(self._provider.credentials), None)
        urls = {"status": f"https://{self._provider.name}.test/tasks/{task_id}"}
        return Task(task_id=task_id, urls=urls, credential=credential)


def _signature(age_s: str, body: bytes) -> str:
    return hashlib.sha256(b"\n".join((_KEY, age_s.encode(), body))).hexdigest()
