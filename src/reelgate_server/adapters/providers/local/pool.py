"""A few worker processes, each with a thread of the server that feeds it.

The threads know nothing of asyncio, and the processes are started with `spawn`: a fork would copy gRPC's locks and
threads half alive. All results are in the work folders, so a worker may be killed at any instant.
"""

import atexit
import multiprocessing
import os
import queue
import threading
from contextlib import suppress
from pathlib import Path

from reelgate_server.adapters.providers.local.folder import WorkFolder
from reelgate_server.adapters.providers.local.render_process import serve
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.ids import JobId

WORKER_DEATH_COUNT_MAX = 3
"""Workers that one job may take down before it is given up; a single one may be the work of an operator."""

_START_RETRY_INTERVAL_S = 1.0
"""Between tries to start a process on a machine that has no room for one."""


class PoolClosed(Exception):
    """The pool takes no more work."""


def default_worker_count() -> int:
    """One process for each processor, at most two: renders are a side dish on the server's machine."""
    return max(1, min(2, os.cpu_count() or 1))


class RenderPool:
    """Renders folders, first come, first served. Safe to use from any thread."""

    def __init__(self, worker_count: int) -> None:
        """Start the workers without waiting for them; `worker_count` >= 1."""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._waiting: queue.SimpleQueue[WorkFolder | None] = queue.SimpleQueue()
        self._held: set[JobId] = set()
        self._workers: set[_Worker] = set()
        self._threads = [
            # A server that ends without closing the pool must not wait for renders.
            threading.Thread(target=self._feed_worker, name=f"render-{index}", daemon=True)
            for index in range(worker_count)
        ]
        for thread in self._threads:
            thread.start()
        # At exit multiprocessing ends the workers; without this they would be replaced meanwhile.
        atexit.register(self._closing.set)

    def put(self, folder: WorkFolder) -> None:
        """Queue a folder, unless it is queued or being rendered here already.

        Raises:
            PoolClosed: `close` was called.
        """
        with self._lock:
            if self._closing.is_set():
                raise PoolClosed
            if folder.job_id not in self._held:
                self._held.add(folder.job_id)
                self._waiting.put(folder)

    def holds(self, job_id: JobId) -> bool:
        """A job is queued or being rendered here."""
        with self._lock:
            return job_id in self._held

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are up, for the operator."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def close(self, limit_s: float) -> None:
        """Kill the workers and wait for the threads, all told at most about `limit_s`; repeating it is harmless."""
        with self._lock:
            self._closing.set()
            for worker in self._workers:
                worker.kill()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(limit_s / len(self._threads))
        atexit.unregister(self._closing.set)

    def _feed_worker(self) -> None:
        worker = self._hire()
        while worker is not None and (folder := self._waiting.get()) is not None:
            worker = self._render(worker, folder)
        if worker is not None:
            self._dismiss(worker)

    def _render(self, worker: "_Worker", folder: WorkFolder) -> "_Worker | None":
        """See a folder through, with as many workers as it takes; returns the one to go on with, None when closing."""
        for _ in range(WORKER_DEATH_COUNT_MAX):
            if worker.render(folder.path):
                break
            self._dismiss(worker)
            successor = self._hire()
            if successor is None:
                return None
            worker = successor
        else:
            # What cannot be noted, on a full disk, is tried again after the next poll.
            with suppress(OSError):
                folder.fail(
                    FailureCode.INTERNAL,
                    "The local renderer could not render this video.",
                    f"{WORKER_DEATH_COUNT_MAX} worker processes died of it",
                )
        with self._lock:
            self._held.discard(folder.job_id)
        return worker

    def _hire(self) -> "_Worker | None":
        """Start a worker, as soon as the system lets us; None when closing."""
        while True:
            with self._lock:
                if self._closing.is_set():
                    return None
                with suppress(OSError):
                    worker = _Worker()
                    self._workers.add(worker)
                    return worker
            self._closing.wait(_START_RETRY_INTERVAL_S)

    def _dismiss(self, worker: "_Worker") -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.end()


class _Worker:
    """One process; used by one thread, except for `kill`."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), name="reelgate-render", daemon=True)
        self._process.start()
        # With our copy closed, the end of the process is the end of the connection.
        theirs.close()
        self.pid = self._process.pid or 0

    def render(self, path: Path) -> bool:
        """Wait for a render; False if the process died."""
        try:
            self._connection.send(str(path))
            self._connection.recv()
        except (EOFError, OSError):
            return False
        return True

    def kill(self) -> None:
        """Kill the process without waiting."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process, wait for it and release its resources."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._connection.close()
