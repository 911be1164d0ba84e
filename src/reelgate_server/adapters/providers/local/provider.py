"""The `Provider` that needs no keys: it renders storyboards in processes of its own.

A task is its job: the task id is the job id, and its state is in files (`folder.py`). Any server process over the same
root can therefore answer for a task, and a poll that finds an interrupted render takes it up again.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, NoReturn, ParamSpec, Self, TypeVar

from reelgate_server.adapters.providers.local.folder import WorkFolder
from reelgate_server.adapters.providers.local.pool import PoolClosed, RenderPool, default_worker_count
from reelgate_server.adapters.providers.local.shot import Shot
from reelgate_server.adapters.providers.local.sweep import Sweep
from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId, ProviderName, is_uuid
from reelgate_server.ports.provider import (
    ImageBytes,
    RenderOrder,
    TaskAccepted,
    TaskDone,
    TaskFailed,
    TaskRunning,
    TaskState,
)

NAME: Final = ProviderName("local")
CHUNK_BYTES = 256 * 1024
"""Read at a time: a reader holds no more of a file than this."""
POLL_AFTER = timedelta(milliseconds=400)
"""A look costs a few file operations, and a short clip takes a second or two."""
THREAD_COUNT = 4
"""Threads for file operations; each call holds one for well under a millisecond, a submit for two fsyncs."""
CLOSE_LIMIT_S = 2.0
"""How long `close` waits for the killed workers to be gone."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class LocalProvider:
    """Renders on this machine. A task survives every crash; submitting it again is harmless."""

    def __init__(self, root: Path, *, worker_count: int | None = None, name: ProviderName = NAME) -> None:
        """Remember the settings; nothing is started or created.

        Args:
            root: Folder of the work folders; made by `start`. May be shared by several server processes.
            worker_count: Renders at a time; >= 1. By default one for each processor, at most two.
            name: The name under which jobs refer to it.
        """
        self._root = root
        self._name = name
        self._worker_count = worker_count or default_worker_count()
        self._sweep = Sweep(root)
        self._pool: RenderPool | None = None
        self._threads: ThreadPoolExecutor | None = None

    @property
    def name(self) -> ProviderName:
        """`local`, unless told otherwise."""
        return self._name

    @property
    def is_idempotent(self) -> bool:
        """True: the task is the job."""
        return True

    @property
    def announces_tasks(self) -> bool:
        """False: it is asked."""
        return False

    @property
    def takes_image_bytes(self) -> bool:
        """False: the process that renders fetches an address, through the same guard."""
        return False

    @property
    def credentials(self) -> Sequence[str]:
        """None: it needs no keys."""
        return ()

    async def check(self, credential: str | None) -> None:  # noqa: ARG002 (the port's signature)
        """Tell whether it can write where it works, started or not; see the port.

        Raises:
            ProviderFault: `UNAVAILABLE`.
        """
        place = next(each for each in (self._root, *self._root.absolute().parents) if each.exists())
        if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            _refuse(FaultKind.UNAVAILABLE, f"{self._root} cannot be written to")

    async def start(self) -> None:
        """Start the workers, without waiting for them, and sweep old folders. Call it before the server listens.

        Raises:
            OSError: The root cannot be made or read.
        """
        if self._pool is not None:
            return
        await asyncio.to_thread(self._sweep.run)
        self._threads = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="local-provider")
        self._pool = RenderPool(self._worker_count)

    async def close(self) -> None:
        """Kill the workers, within `CLOSE_LIMIT_S`; a later start takes interrupted renders up again when polled."""
        pool, threads = self._pool, self._threads
        self._pool = self._threads = None
        if threads is not None:
            if pool is not None:
                await asyncio.get_running_loop().run_in_executor(threads, pool.close, CLOSE_LIMIT_S)
            threads.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are up, for the operator."""
        return [] if self._pool is None else self._pool.worker_pids()

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        """Record the order, durably, and queue its render; see the port.

        Raises:
            ProviderFault: `INVALID` if it cannot be drawn, `UNAVAILABLE` if it cannot be recorded now. Never accepted.
        """
        if not is_uuid(order.job_id):
            _refuse(FaultKind.INVALID, f"{order.job_id!r} is not a job id")
        try:
            shot = Shot.of(order)
        except ValueError as error:
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=str(error))) from error
        image = order.image.content if isinstance(order.image, ImageBytes) else None
        await self._in_thread(self._submit, self._folder(order.job_id), shot, image)
        return TaskAccepted(task=Task(task_id=order.job_id), poll_after=POLL_AFTER)

    async def poll(self, task: Task) -> TaskState:
        """Look at the work folder; a render that nobody is at is queued again. See the port.

        Raises:
            ProviderFault: `TASK_UNKNOWN` without a folder, `UNAVAILABLE` if it cannot be read.
        """
        return await self._in_thread(self._poll, self._known_folder(task))

    async def cancel(self, task: Task) -> bool:
        """Stop a render between two frames; a finished video stays until it is swept. See the port.

        Returns:
            True.

        Raises:
            ProviderFault: `UNAVAILABLE` if the note cannot be written.
        """
        if is_uuid(task.task_id):
            await self._in_thread(_cancel, self._folder(JobId(task.task_id)))
        return True

    async def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        """Stream the file in chunks of `CHUNK_BYTES`; see the port.

        Raises:
            ProviderFault: `INVALID` for another task's address, `TASK_UNKNOWN` without a folder, `UNAVAILABLE` if the
                video is not there or cannot be read.
        """
        folder = self._known_folder(task)
        if source_url != _source_url(folder):
            _refuse(FaultKind.INVALID, f"{source_url!r} is not an address of task {task.task_id}")
        start = 0
        while chunk := await self._in_thread(_read, folder, start):
            yield chunk
            start += len(chunk)

    def _submit(self, folder: WorkFolder, shot: Shot, image: bytes | None) -> None:
        folder.create(shot, image)
        if not folder.has_ended():
            self._require_pool().put(folder)
        if self._threads is not None:
            # Not waited for; a sweep that fails, or comes too late before a close, is done another time.
            with suppress(RuntimeError):
                self._threads.submit(self._sweep.run_if_due)

    def _poll(self, folder: WorkFolder) -> TaskState:
        if not folder.has_order():
            _refuse(FaultKind.TASK_UNKNOWN, "no work folder")
        end = _end(folder)
        if end is not None:
            return end
        pool = self._require_pool()
        if not pool.holds(folder.job_id) and not folder.is_being_rendered():
            # Between the first look and this one the render may have ended, or its worker died.
            end = _end(folder)
            if end is not None:
                return end
            pool.put(folder)
        return TaskRunning(progress_percent=folder.progress_percent(), poll_after=POLL_AFTER)

    def _folder(self, job_id: JobId) -> WorkFolder:
        return WorkFolder(self._root / job_id)

    def _known_folder(self, task: Task) -> WorkFolder:
        # Only a UUID becomes a path, so no task id leads out of the root.
        if not is_uuid(task.task_id):
            _refuse(FaultKind.TASK_UNKNOWN, "not a task id of this provider")
        return self._folder(JobId(task.task_id))

    def _require_pool(self) -> RenderPool:
        if self._pool is None:
            raise PoolClosed
        return self._pool

    async def _in_thread(
        self, function: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> _Result:
        """Run a blocking call in a thread of our own, with what it raises as a fault."""
        if self._threads is None:
            _refuse(FaultKind.UNAVAILABLE, "the local renderer is not running")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))
        except PoolClosed as error:
            raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE, detail="the local renderer is closing")) from error
        except OSError as error:
            raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE, detail=f"{type(error).__name__}: {error}")) from error


def _end(folder: WorkFolder) -> TaskDone | TaskFailed | None:
    if folder.is_done():
        return TaskDone(source_url=_source_url(folder))
    failure = folder.failure()
    if failure is None and folder.is_cancelled():
        failure = JobFailure(code=FailureCode.PROVIDER_ERROR, message="The render was cancelled.")
    return None if failure is None else TaskFailed(failure=failure)


def _source_url(folder: WorkFolder) -> str:
    return f"local:{folder.job_id}"


def _cancel(folder: WorkFolder) -> None:
    if not folder.has_order() or folder.has_ended():
        return
    folder.cancel()
    # Whoever renders sees the note before its next frame and removes the file itself; who is about to, does not begin.
    if not folder.is_being_rendered():
        folder.discard_part()


def _read(folder: WorkFolder, start: int) -> bytes:
    # Opened anew for each chunk: nothing is left open when a reader goes away between two, and it costs microseconds.
    try:
        with folder.video_path.open("rb", buffering=0) as file:
            file.seek(start)
            return file.read(CHUNK_BYTES)
    except FileNotFoundError:
        if folder.has_order():
            raise
        _refuse(FaultKind.TASK_UNKNOWN, "no work folder")


def _refuse(kind: FaultKind, detail: str) -> NoReturn:
    raise ProviderFault(Fault(kind=kind, detail=detail))
