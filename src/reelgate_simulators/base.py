"""What the simulated providers share: renders that take time, and the video that they give."""

import itertools
import math
from abc import abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from reelgate_simulators.catalogue import Fate, Script, read_script
from reelgate_simulators.clock import Clock
from reelgate_simulators.faults import FaultPlan
from reelgate_simulators.server import SimulatorServer
from reelgate_simulators.video import tiny_mp4

RENDER_S = 0.05
"""How long a render takes unless told: a poll or two, and no waiting in tests."""

F = TypeVar("F")
"""A provider's own description of what went wrong."""


class RenderState(Enum):
    """Where a render is; the last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS = frozenset({RenderState.SUCCEEDED, RenderState.FAILED, RenderState.CANCELLED})


@dataclass(kw_only=True)
class Render(Generic[F]):
    """One accepted task."""

    id: str
    request: dict[str, Any]
    """The accepted body."""
    clip_duration_s: float
    """Length of the video; > 0."""
    accept_time_s: float
    """On the clock's monotonic scale, as the other times."""
    start_time_s: float
    """When it leaves the queue; infinite if only a test starts it."""
    end_time_s: float
    """When it ends by itself; infinite if only a test ends it. After the end, when it ended."""
    time_factor: float
    """Of its prompt's script; infinite if it never ends by itself."""
    planned_failure: F | None
    """How it is going to fail by itself; None to succeed."""
    failure: F | None = None
    """Present once FAILED."""
    state: RenderState = RenderState.QUEUED
    extra: dict[str, Any] = field(default_factory=dict)
    """What the provider keeps with it."""

    @property
    def is_ended(self) -> bool:
        """Nothing changes any more."""
        return self.state in ENDS


class SimulatedProvider(SimulatorServer, Generic[F]):
    """A provider that accepts tasks, lets time pass and ends each of them once.

    A render is queued for `queue_s`, runs for `render_s` (times the factor of its prompt's script) and then succeeds
    or fails as its script says. A test can hurry any of it with `start`, `finish` and `fail`.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        faults: FaultPlan | None = None,
        port: int = 0,
        queue_s: float = 0.0,
        render_s: float = RENDER_S,
        video: bytes | None = None,
    ) -> None:
        """Prepare; nothing listens yet.

        Args:
            clock: See `SimulatorServer`.
            faults: Same.
            port: Same.
            queue_s: Seconds from acceptance to start; infinite leaves the start to the test.
            render_s: Seconds from start to end; infinite leaves the end to the test.
            video: Content of every result; a tiny one of the length asked for if absent.
        """
        super().__init__(clock=clock, faults=faults, port=port)
        self.queue_s = queue_s
        self.render_s = render_s
        self.renders: dict[str, Render[F]] = {}
        """Every task ever accepted, by id, in order. Read through `render` to see the present state."""
        self._video = video
        self._serial = itertools.count(1)

    @abstractmethod
    def scripted_failure(self, fate: Fate) -> F | None:
        """Say how a render of this fate fails; None if it does not."""

    def ended(self, render: Render[F]) -> None:
        """Be told of an end, once, in the server's loop; webhooks begin here."""

    def next_serial(self) -> int:
        """Count up from 1. Not enough for an id that a caller keeps: another run counts from 1 again."""
        return next(self._serial)

    def video_of(self, render: Render[F]) -> bytes:
        """Content of a result."""
        return tiny_mp4(render.clip_duration_s) if self._video is None else self._video

    def accept(
        self,
        render_id: str,
        request: dict[str, Any],
        *,
        clip_duration_s: float,
        prompt: object,
        failure: F | None = None,
        extra: dict[str, Any] | None = None,
    ) -> Render[F]:
        """Start a task, which may end before this returns.

        Args:
            render_id: New.
            request: The accepted body.
            clip_duration_s: Length of the video; > 0.
            prompt: Its script decides how long the render takes and, without a `failure`, how it ends.
            failure: How it ends whatever the prompt says.
            extra: What the provider keeps with it.
        """
        script: Script = read_script(prompt)
        now_s = self.clock.monotonic_s()
        start_s = now_s + self.queue_s
        render = Render(
            id=render_id,
            request=request,
            clip_duration_s=clip_duration_s,
            accept_time_s=now_s,
            start_time_s=start_s,
            end_time_s=start_s + self._duration_s(script.time_factor),
            time_factor=script.time_factor,
            planned_failure=self.scripted_failure(script.fate) if failure is None else failure,
            extra=extra or {},
        )
        self.renders[render_id] = render
        self._awake(render)
        return render

    def render(self, render_id: str) -> Render[F] | None:
        """Look a task up in its present state; None if there is none of that id."""
        render = self.renders.get(render_id)
        if render is not None:
            self.call(self._move, render)
        return render

    def start(self, render_id: str) -> None:
        """Take a task out of the queue now; its render then takes its time.

        Raises:
            KeyError: No such task; the same for the methods below.
        """
        self.call(self._start, self.renders[render_id])

    def finish(self, render_id: str) -> None:
        """End a task well now; nothing happens if it has ended."""
        self.call(self._settle, self.renders[render_id], RenderState.SUCCEEDED, None)

    def fail(self, render_id: str, failure: F) -> None:
        """End a task badly now; nothing happens if it has ended."""
        self.call(self._settle, self.renders[render_id], RenderState.FAILED, failure)

    def cancel(self, render_id: str, failure: F | None = None) -> None:
        """End a task as cancelled now; nothing happens if it has ended."""
        self.call(self._settle, self.renders[render_id], RenderState.CANCELLED, failure)

    def _duration_s(self, time_factor: float) -> float:
        return math.inf if math.isinf(time_factor) else self.render_s * time_factor

    def _watch(self, render: Render[F]) -> None:
        """Have the end noticed when it comes, also if nobody asks."""
        if not render.is_ended and not math.isinf(render.end_time_s):
            self.clock.call_at(render.end_time_s, lambda: self._awake(render))

    def _awake(self, render: Render[F]) -> None:
        """Look whether the end has come; a timer may be early by the resolution of its clock."""
        self._move(render)
        self._watch(render)

    def _start(self, render: Render[F]) -> None:
        self._move(render)
        if render.state is RenderState.QUEUED:
            now_s = self.clock.monotonic_s()
            render.start_time_s, render.end_time_s = now_s, now_s + self._duration_s(render.time_factor)
            render.state = RenderState.RUNNING
            self._watch(render)

    def _move(self, render: Render[F]) -> None:
        """Bring a task to where the clock says it is."""
        now_s = self.clock.monotonic_s()
        if render.is_ended:
            return
        if now_s >= render.end_time_s:
            failed = render.planned_failure is not None
            self._settle(render, RenderState.FAILED if failed else RenderState.SUCCEEDED, render.planned_failure)
        elif now_s >= render.start_time_s:
            render.state = RenderState.RUNNING

    def _settle(self, render: Render[F], state: RenderState, failure: F | None) -> None:
        if render.is_ended:
            return
        render.state, render.failure = state, failure
        render.end_time_s = min(render.end_time_s, self.clock.monotonic_s())
        self.ended(render)
