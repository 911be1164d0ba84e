"""Who renders."""

from base64 import b64encode
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from reelgate_server.domain.events import JobFailure, Task
from reelgate_server.domain.ids import JobId, ProviderName
from reelgate_server.domain.spec import Spec


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """A first frame on the open internet."""

    url: str
    """`https://`, as the customer gave it; unchecked, so that only a guarded fetcher may follow it."""


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """A first frame that is at hand."""

    content: bytes = field(repr=False)
    content_type: str
    """`image/jpeg`, `image/png` or `image/webp`: what the bytes are, whatever anybody called them."""

    def data_url(self) -> str:
        """The image as a `data:` URL."""
        return f"data:{self.content_type};base64,{b64encode(self.content).decode('ascii')}"


FirstFrame = ImageUrl | ImageBytes


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
    image: FirstFrame | None = None
    """The first frame; an adapter takes it from here and not from the spec. See `Provider.takes_image_bytes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAccepted:
    """The provider has taken the task."""

    task: Task
    poll_after: timedelta | None = None
    """The provider's wish for the first look, if it has one."""


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
    """Renders videos. Every method but `open` answers or raises `ProviderFault` within the adapter's own limits.

    A task is always asked for, cancelled and opened with the credential and at the addresses that made it; both are in
    its `Task`.
    """

    @property
    def name(self) -> ProviderName:
        """The name under which catalogue rows and jobs refer to it."""
        ...

    @property
    def is_idempotent(self) -> bool:
        """Submitting the same order again is harmless, so that a lost answer is not ambiguous."""
        ...

    @property
    def announces_tasks(self) -> bool:
        """It tells us of every task by webhook in the end, even of one whose submit's answer was lost."""
        ...

    @property
    def takes_image_bytes(self) -> bool:
        """A first frame must come as bytes: it does not fetch an address, or must not be trusted to.

        An order with an address is then `INVALID`, and nothing is sent.
        """
        ...

    @property
    def credentials(self) -> Sequence[str]:
        """The names of the configured credentials; the first makes new tasks. Empty for one that needs none."""
        ...

    async def check(self, credential: str | None) -> None:
        """Make a call that costs nothing, to learn whether the provider is there and accepts a credential.

        Args:
            credential: One of `credentials`; None where there are none.

        Raises:
            ProviderFault: `UNAUTHORIZED` if the credential was refused; otherwise what kept us from knowing.
        """
        ...

    async def submit(self, order: RenderOrder) -> TaskAccepted:
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

    async def cancel(self, task: Task) -> bool:
        """Stop a task if the provider can. A task that has ended or is unknown is no error.

        Returns:
            Whether the provider was told; False if it knows no cancel, so that a late result will be discarded.

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
