"""Providers and their webhooks, as bad as they may be within what their ports promise."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId, ProviderName
from reelgate_server.ports.provider import ImageBytes, RenderOrder, TaskAccepted, TaskFailed, TaskState
from reelgate_server.ports.webhooks import Webhook
from tests.simulation.disorder import Disorder
from tests.support.clock import ManualClock
from tests.support.fake_provider import FakeProvider
from tests.support.fake_webhooks import FakeWebhooks

FAULTS: Final = tuple(kind for kind in FaultKind if kind is not FaultKind.TASK_UNKNOWN)
FIRST_LOOKS: Final = (None, None, timedelta(), timedelta(seconds=5))
"""Wishes of a provider that has taken a task; two in four have none."""


@dataclass(slots=True)
class Attempt:
    """One submit, and what became of it."""

    provider: ProviderName
    is_idempotent: bool
    is_refused: bool = False
    """The provider surely did not take it. Anything else may have been taken."""


Attempts = Mapping[JobId, list[Attempt]]
"""Those of each job, over all providers, in the order in which they were begun."""


class ChaoticProvider(FakeProvider):
    """Slow, refusing, forgetful."""

    def __init__(
        self,
        name: str,
        clock: ManualClock,
        disorder: Disorder,
        attempts: defaultdict[JobId, list[Attempt]],
        *,
        is_idempotent: bool = False,
        announces_tasks: bool = False,
        can_cancel: bool = True,
    ) -> None:
        """Begin without tasks; note every submit in `attempts`."""
        super().__init__(name, is_idempotent=is_idempotent, announces_tasks=announces_tasks, can_cancel=can_cancel)
        self._clock = clock
        self._disorder = disorder
        self._attempts = attempts
        self.unknown_counts: Counter[str] = Counter()
        """How often it was said that there is no such task, by task id."""
        self.ended: list[str] = []
        """Tasks of which nobody has been told yet that they are done."""
        self.owners: dict[str, JobId] = {}
        """Whose each task is, by task id; forgotten ones included."""

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        attempt = Attempt(self.name, self.is_idempotent)
        self._attempts[order.job_id].append(attempt)
        _check_image(order)
        await self._dawdle()
        if self._disorder.happens(0.15):
            attempt.is_refused = True
            raise ProviderFault(self._fault())
        random = self._disorder.random
        self.progress_steps = [random.randrange(100) for _ in range(random.randrange(4))]
        # Some renders never end.
        self.is_held = self._disorder.happens(0.06)
        self.first_poll_after = random.choice(FIRST_LOOKS)
        accepted = await super().submit(order)
        self.owners[accepted.task.task_id] = order.job_id
        await self._dawdle()
        if self._disorder.happens(0.1):
            raise ProviderFault(Fault(kind=random.choice(FAULTS), is_maybe_accepted=True))
        if self._disorder.happens(0.02):
            message = "a bug in the adapter"
            raise ZeroDivisionError(message)
        return accepted

    async def poll(self, task: Task) -> TaskState:
        await self._dawdle()
        if self._disorder.happens(0.1):
            raise ProviderFault(self._fault())
        if self._disorder.happens(0.02) and task.task_id in self.tasks:
            self.forget(task.task_id)
        if self._disorder.happens(0.04) or task.task_id not in self.tasks:
            self.unknown_counts[task.task_id] += 1
            raise ProviderFault(Fault(kind=FaultKind.TASK_UNKNOWN))
        if self._disorder.happens(0.03):
            return TaskFailed(failure=JobFailure(code=FailureCode.REJECTED, message="No."))
        return await super().poll(task)

    async def cancel(self, task: Task) -> bool:
        await self._dawdle()
        if self._disorder.happens(0.2):
            raise ProviderFault(self._fault())
        return await super().cancel(task)

    def finish(self, task_id: str) -> None:
        super().finish(task_id)
        self.ended.append(task_id)

    def finish_some(self) -> None:
        """Let a few renders end that nobody is looking at."""
        for task_id, fake in self.tasks.items():
            if fake.end is None and not fake.is_held and self._disorder.happens(0.3):
                self.finish(task_id)

    async def _dawdle(self) -> None:
        await self._disorder.dawdle()
        if self._disorder.happens(0.1):
            # Beyond the lease, now and then.
            await self._clock.sleep(timedelta(seconds=self._disorder.random.randrange(25)))

    def _fault(self) -> Fault:
        random = self._disorder.random
        retry_after = timedelta(seconds=random.randrange(60)) if random.random() < 0.3 else None
        return Fault(kind=random.choice(FAULTS), retry_after=retry_after)


class ChaoticWebhooks(FakeWebhooks):
    """Cannot always check what it is given."""

    def __init__(self, provider: FakeProvider, disorder: Disorder) -> None:
        """Receive for `provider`."""
        super().__init__(provider)
        self._disorder = disorder

    async def verify(self, webhook: Webhook) -> str:
        await self._disorder.dawdle()
        if self._disorder.happens(0.1):
            raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE))
        return await super().verify(webhook)

    async def find_task(self, order: RenderOrder, task_id: str) -> Task:
        await self._disorder.dawdle()
        if self._disorder.happens(0.15):
            raise ProviderFault(Fault(kind=self._disorder.random.choice(tuple(FaultKind))))
        task = await super().find_task(order, task_id)
        await self._disorder.dawdle()
        return task


def _check_image(order: RenderOrder) -> None:
    """A job that came with an image is ordered with that image, and no other with any."""
    if order.spec.image is None:
        assert order.image is None
    else:
        assert isinstance(order.image, ImageBytes)
        assert sha256(order.image.content).hexdigest() == order.spec.image.sha256
