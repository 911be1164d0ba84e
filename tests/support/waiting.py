"""Waiting for real processes. Whatever has a clock port needs none of this."""

import asyncio
from collections.abc import Callable

from reelgate_server.domain.events import Task
from reelgate_server.ports.provider import Provider, TaskDone, TaskFailed, TaskRunning

INTERVAL_S = 0.02
LIMIT_S = 15.0


async def wait_until(is_so: Callable[[], bool], *, limit_s: float = LIMIT_S) -> None:
    """Return as soon as `is_so` answers true.

    Raises:
        TimeoutError: It did not within `limit_s` seconds.
    """
    async with asyncio.timeout(limit_s):
        while not is_so():  # noqa: ASYNC110 (another process has no event to wait for)
            await asyncio.sleep(INTERVAL_S)


async def wait_for_end(provider: Provider, task: Task, *, limit_s: float = LIMIT_S) -> TaskDone | TaskFailed:
    """Poll a task until it has ended.

    Raises:
        TimeoutError: It had not within `limit_s` seconds.
    """
    async with asyncio.timeout(limit_s):
        while isinstance(state := await provider.poll(task), TaskRunning):  # noqa: ASYNC110 (same)
            await asyncio.sleep(INTERVAL_S)
    return state


async def wait_for_progress(provider: Provider, task: Task, *, limit_s: float = LIMIT_S) -> None:
    """Poll a task until its render is under way.

    Raises:
        AssertionError: It ended first.
        TimeoutError: It did not begin within `limit_s` seconds.
    """
    async with asyncio.timeout(limit_s):
        while True:
            state = await provider.poll(task)
            assert isinstance(state, TaskRunning), state
            if state.progress_percent:
                return
            await asyncio.sleep(INTERVAL_S)
