"""How a provider's own word that a task has ended is checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from reelgate_server.domain.events import Task
from reelgate_server.ports.provider import RenderOrder


class WebhookRefused(Exception):
    """The webhook is not the provider's, too old, or makes no sense; the text is for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A request as it came."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    """Exactly as signed."""


class WebhookReceiver(Protocol):
    """Checks the webhooks of one provider. What one says of a task is never believed; the provider is asked."""

    async def verify(self, webhook: Webhook) -> str:
        """Check who sent a webhook and when; repeating it is harmless.

        Returns:
            The id of the task that it is about.

        Raises:
            WebhookRefused: It is forged, changed, outside the time window, or names no task.
            ProviderFault: The keys to check it with could not be had; the provider will send it again.
        """
        ...

    async def find_task(self, order: RenderOrder, task_id: str) -> Task:
        """Find a task whose submit was never answered, by the id that a verified webhook gave.

        Args:
            order: What was submitted.
            task_id: What `verify` returned.

        Returns:
            The task with all it takes to follow it, once the provider has confirmed that it is ours.

        Raises:
            ProviderFault: `TASK_UNKNOWN` if it is none of ours; otherwise the question failed.
        """
        ...
