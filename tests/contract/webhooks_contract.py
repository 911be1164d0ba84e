"""What a `WebhookReceiver` promises. `test_webhooks.py` runs it over every receiver."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import pytest

from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import Provider, RenderOrder, TaskDone
from reelgate_server.ports.webhooks import Webhook, WebhookReceiver, WebhookRefused
from tests.support.waiting import wait_for_end


class Sender(Protocol):
    """The provider, as the sender of webhooks."""

    provider: Provider
    """Which makes the tasks."""
    order: RenderOrder
    """One that it renders at once."""
    required_headers: frozenset[str]
    """Those without which there is no telling who sent a webhook, and when; lower case."""

    async def webhook(self, task_id: str, *, age: timedelta = timedelta(), is_forged: bool = False) -> Webhook:
        """Its word that a task has ended, as it arrives; signed so long ago, or by somebody else."""
        ...

    def signed(self, body: bytes, task_id: str) -> Webhook:
        """Any body, signed now as the provider signs; `task_id` where a header names one."""
        ...


class WebhooksContract:
    """Subclasses give the fixtures `sender` and `receiver`."""

    @pytest.fixture
    async def task(self, sender: Sender) -> Task:
        """A task that the provider has made."""
        return (await sender.provider.submit(sender.order)).task

    async def test_a_genuine_webhook_names_its_task(
        self, sender: Sender, receiver: WebhookReceiver, task: Task
    ) -> None:
        assert await receiver.verify(await sender.webhook(task.task_id)) == task.task_id

    async def test_a_webhook_that_comes_again_is_answered_as_before(
        self, sender: Sender, receiver: WebhookReceiver, task: Task
    ) -> None:
        webhook = await sender.webhook(task.task_id)
        assert [await receiver.verify(webhook) for _ in range(3)] == [task.task_id] * 3

    async def test_headers_that_a_proxy_adds_do_no_harm(
        self, sender: Sender, receiver: WebhookReceiver, task: Task
    ) -> None:
        webhook = await sender.webhook(task.task_id)
        more = {**webhook.headers, "x-forwarded-for": "203.0.113.7", "x-request-id": "1", "authorization": "Key x"}
        assert await receiver.verify(replace(webhook, headers=more)) == task.task_id

    async def test_a_changed_body_is_refused(self, sender: Sender, receiver: WebhookReceiver, task: Task) -> None:
        webhook = await sender.webhook(task.task_id)
        changed = [webhook.body + b" ", webhook.body[:-1], b"", webhook.body.replace(b":", b" :", 1), b"\xff"]
        for body in changed:
            with pytest.raises(WebhookRefused):
                await receiver.verify(replace(webhook, body=body))

    async def test_the_headers_of_another_webhook_are_refused(
        self, sender: Sender, receiver: WebhookReceiver, task: Task
    ) -> None:
        other = (await sender.provider.submit(sender.order)).task
        one, two = await sender.webhook(task.task_id), await sender.webhook(other.task_id)
        with pytest.raises(WebhookRefused):
            await receiver.verify(replace(one, headers=two.headers))

    async def test_a_webhook_that_somebody_else_signed_is_refused(
        self, sender: Sender, receiver: WebhookReceiver, task: Task
    ) -> None:
        with pytest.raises(WebhookRefused):
            await receiver.verify(await sender.webhook(task.task_id, is_forged=True))
        assert await receiver.verify(await sender.webhook(task.task_id)) == task.task_id

    @pytest.mark.parametrize("minutes", [60, 24 * 60, -60, -24 * 60])
    async def test_a_webhook_of_another_time_is_refused(
        self, sender: Sender, receiver: WebhookReceiver, task: Task, minutes: int
    ) -> None:
        with pytest.raises(WebhookRefused):
            await receiver.verify(await sender.webhook(task.task_id, age=timedelta(minutes=minutes)))

    async def test_a_webhook_that_lacks_a_header_is_refused(
        self, sender: Sender, receiver: WebhookReceiver, task: Task
    ) -> None:
        webhook = await sender.webhook(task.task_id)
        assert sender.required_headers <= set(webhook.headers)
        for name in sender.required_headers:
            for headers in (_without(webhook.headers, name), {**webhook.headers, name: ""}):
                with pytest.raises(WebhookRefused):
                    await receiver.verify(replace(webhook, headers=headers))

    async def test_a_request_that_is_no_webhook_at_all_is_refused(self, receiver: WebhookReceiver) -> None:
        with pytest.raises(WebhookRefused):
            await receiver.verify(Webhook(headers={}, body=b""))

    @pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b"7"])
    async def test_a_signed_body_that_names_no_task_is_refused(
        self, sender: Sender, receiver: WebhookReceiver, task: Task, body: bytes
    ) -> None:
        with pytest.raises(WebhookRefused):
            await receiver.verify(sender.signed(body, task.task_id))

    async def test_a_task_of_ours_is_found_and_can_be_followed_to_its_end(
        self, sender: Sender, receiver: WebhookReceiver, task: Task
    ) -> None:
        found = await receiver.find_task(sender.order, task.task_id)
        assert (found.task_id, found.credential) == (task.task_id, task.credential)
        assert isinstance(await wait_for_end(sender.provider, found), TaskDone)

    @pytest.mark.parametrize("task_id", ["nobody-s", "", "..", "../../admin", "a b", "a\nb", "a/b?c=d#e", "x" * 5000])
    async def test_a_task_that_is_none_of_ours_is_unknown(
        self, sender: Sender, receiver: WebhookReceiver, task: Task, task_id: str
    ) -> None:
        with pytest.raises(ProviderFault) as raised:
            await receiver.find_task(sender.order, task_id)
        assert raised.value.fault.kind is FaultKind.TASK_UNKNOWN


def _without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {each: value for each, value in headers.items() if each != name}
