"""A provider that does what a test has written down; it keeps the promises of `ports/provider.py`."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import (
    ImageUrl,
    RenderOrder,
    TaskAccepted,
    TaskDone,
    TaskFailed,
    TaskRunning,
    TaskState,
)

VIDEO = b"a small video, in two chunks"
CHUNK_BYTES = 16
CANCELLED = JobFailure(code=FailureCode.PROVIDER_ERROR, message="The render was cancelled.")


@dataclass(kw_only=True)
class FakeTask:
    """What the fake knows of a task; a test may change it at any time."""

    order: RenderOrder
    progress_steps: list[int]
    """Percent to answer at the polls to come; the task may be done when none is left."""
    is_held: bool
    """It keeps running after its last step, until `finish`."""
    progress_percent: int | None = None
    """The last that was answered."""
    end: TaskDone | TaskFailed | None = None


class FakeProvider:
    """Takes every order, shows its progress steps one per poll, and is done.

    A fault in one of the lists is raised by the next call of that kind and taken off. A submit whose fault says
    `is_maybe_accepted` makes its task nevertheless: its answer was lost on the way.
    """

    def __init__(
        self,
        name: str = "fake",
        *,
        is_idempotent: bool = False,
        progress_steps: Sequence[int] = (),
        is_held: bool = False,
        video: bytes = VIDEO,
        poll_after: timedelta | None = None,
        first_poll_after: timedelta | None = timedelta(),
        announces_tasks: bool = False,
        takes_image_bytes: bool = False,
        can_cancel: bool = True,
    ) -> None:
        """Write the script.

        Args:
            name: Of the provider.
            is_idempotent: A task is named after its job, and made once. Otherwise every submit makes another.
            progress_steps: For each task to come, 0 to 100, one per poll.
            is_held: For each task to come: it runs until the test calls `finish`, `fail` or `forget`.
            video: The bytes of every finished task.
            poll_after: Wished for in every answer of a running task.
            first_poll_after: Wished for when a task is taken; at once unless told otherwise.
            announces_tasks: It says so; the test sends the webhook.
            takes_image_bytes: It says so.
            can_cancel: A running task ends when it is cancelled. Otherwise the fake says that it knows no cancel.
        """
        self._name = ProviderName(name)
        self._is_idempotent = is_idempotent
        self.progress_steps = list(progress_steps)
        self.is_held = is_held
        self.video = video
        self.poll_after = poll_after
        self.first_poll_after = first_poll_after
        self.announces_tasks = announces_tasks
        self.takes_image_bytes = takes_image_bytes
        self.can_cancel = can_cancel
        self.credentials: Sequence[str] = ()
        self.submit_faults: list[Fault] = []
        self.poll_faults: list[Fault] = []
        self.cancel_faults: list[Fault] = []
        self.check_faults: list[Fault] = []
        self.open_faults: list[Fault] = []
        """Raised before the first chunk."""
        self.midway_faults: list[Fault] = []
        """Raised by `open` after the first chunk."""
        self.submit_gate = asyncio.Event()
        """Open at first; while a test has cleared it, a submit makes its task but does not answer."""
        self.submit_gate.set()
        self.orders: list[RenderOrder] = []
        """Every order that arrived, refused ones included."""
        self.calls: list[tuple[str, str]] = []
        """Method and task id, in order; for `submit` the job id."""
        self.tasks: dict[str, FakeTask] = {}
        """By task id."""

    @property
    def name(self) -> ProviderName:
        return self._name

    @property
    def is_idempotent(self) -> bool:
        return self._is_idempotent

    async def check(self, credential: str | None) -> None:
        _raise_next(self.check_faults)

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        self.orders.append(order)
        self.calls.append(("submit", order.job_id))
        if self.takes_image_bytes and isinstance(order.image, ImageUrl):
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail="an address"))
        fault = self.submit_faults.pop(0) if self.submit_faults else None
        if fault is not None and not fault.is_maybe_accepted:
            raise ProviderFault(fault)
        task = self._make_task(order)
        await self.submit_gate.wait()
        if fault is not None:
            raise ProviderFault(fault)
        return TaskAccepted(task=task, poll_after=self.first_poll_after)

    async def poll(self, task: Task) -> TaskState:
        self.calls.append(("poll", task.task_id))
        _raise_next(self.poll_faults)
        fake = self._known(task)
        if fake.end is not None:
            return fake.end
        if fake.progress_steps:
            fake.progress_percent = fake.progress_steps.pop(0)
            return TaskRunning(progress_percent=fake.progress_percent, poll_after=self.poll_after)
        if fake.is_held:
            return TaskRunning(progress_percent=fake.progress_percent, poll_after=self.poll_after)
        self.finish(task.task_id)
        return TaskDone(source_url=source_url(task.task_id))

    async def cancel(self, task: Task) -> bool:
        self.calls.append(("cancel", task.task_id))
        _raise_next(self.cancel_faults)
        fake = self.tasks.get(task.task_id)
        if self.can_cancel and fake is not None and fake.end is None:
            fake.end = TaskFailed(failure=CANCELLED)
        return self.can_cancel

    async def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        self.calls.append(("open", task.task_id))
        _raise_next(self.open_faults)
        if self._known(task).end != TaskDone(source_url=source_url):
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=f"no video at {source_url}"))
        for start in range(0, len(self.video), CHUNK_BYTES):
            yield self.video[start : start + CHUNK_BYTES]
            _raise_next(self.midway_faults)

    def finish(self, task_id: str) -> None:
        """Let a task be done from the next poll on."""
        self.tasks[task_id].end = TaskDone(source_url=source_url(task_id))

    def finish_all(self) -> None:
        """Let every task that has not ended be done from the next poll on."""
        for task_id, fake in self.tasks.items():
            if fake.end is None:
                self.finish(task_id)

    def fail(self, task_id: str, failure: JobFailure) -> None:
        """Let a task end without a video."""
        self.tasks[task_id].end = TaskFailed(failure=failure)

    def forget(self, task_id: str) -> None:
        """Lose a task: it is unknown from now on."""
        del self.tasks[task_id]

    def call_count(self, method: str) -> int:
        """How often `submit`, `poll`, `cancel` or `open` was called."""
        return sum(called == method for called, _ in self.calls)

    def _make_task(self, order: RenderOrder) -> Task:
        task_id = order.job_id if self._is_idempotent else f"{self._name}-task-{len(self.orders)}"
        if task_id not in self.tasks:
            self.tasks[task_id] = FakeTask(order=order, progress_steps=list(self.progress_steps), is_held=self.is_held)
        urls = {"status": f"https://{self._name}.test/tasks/{task_id}"}
        return Task(task_id=task_id, urls=urls, credential=next(iter(self.credentials), None))

    def _known(self, task: Task) -> FakeTask:
        try:
            return self.tasks[task.task_id]
        except KeyError:
            raise ProviderFault(Fault(kind=FaultKind.TASK_UNKNOWN, detail="never heard of it")) from None


def source_url(task_id: str) -> str:
    """Where the fake keeps a finished video."""
    return f"https://fake.test/videos/{task_id}.mp4"


def _raise_next(faults: list[Fault]) -> None:
    if faults:
        raise ProviderFault(faults.pop(0))
