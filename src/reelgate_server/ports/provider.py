"""Who renders."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from reelgate_server.domain.events import JobFailure, Task
from reelgate_server.domain.ids import JobId, ProviderName
from reelgate_server.domain.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOrder:
    """What a provider is asked to make."""

    job_id: JobId
    spec: Spec
    endpoint: str
    """What the provider calls the model, for the kind of input at hand."""
    has_audio: bool
    is_simulated: bool
    """The picture must say SIMULATED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunning:
    """The task has not ended."""

    progress_percent: int | None = None
    """0 to 100, if the provider tells."""
    poll_after: timedelta | None = None
    """The provider's wish for the next look, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDone:
    """The video is ready."""

    source_url: str
    """Where it is, without credentials; `open` takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """The task ended without a video."""

    failure: JobFailure


TaskState = TaskRunning | TaskDone | TaskFailed


class Provider(Protocol):
    """Renders videos. Every method but `open` answers or raises `ProviderFault` within the adapter's own limits."""

    @property
    def name(self) -> ProviderName:
        """The name under which catalogue rows and jobs refer to it."""
        ...

    @property
    def is_idempotent(self) -> bool:
        """Submitting the same order again is harmless, so that a lost answer is not ambiguous."""
        ...

    async def submit(self, order: RenderOrder) -> Task:
        """Ask for a video.

        Returns:
            The task, as soon as the provider has taken it; not when it is done.

        Raises:
            ProviderFault: With `is_maybe_accepted` unless the provider surely did not take the task.
        """
        ...

    async def poll(self, task: Task) -> TaskState:
        """Ask how a task stands; repeating it is harmless.

        Raises:
            ProviderFault: The question failed, which says nothing of the task, except `TASK_UNKNOWN`.
        """
        ...

    async def cancel(self, task: Task) -> None:
        """Stop a task if the provider can; done when it was told. A task that has ended or is unknown is no error.

        Raises:
            ProviderFault: The provider could not be told.
        """
        ...

    def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        """Stream the bytes of a finished video, in bounded chunks.

        Raises:
            ProviderFault: At the first chunk or between chunks.
        """
        ...
