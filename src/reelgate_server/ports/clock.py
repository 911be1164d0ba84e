"""Time, as the application needs it."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and bounds waiting; tests move it by hand."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...

    async def sleep(self, delay: timedelta) -> None:
        """Return after `delay`."""
        ...

    def timeout(self, delay: timedelta) -> AbstractAsyncContextManager[object]:
        """Raise `TimeoutError` in the body if it is still running after `delay`."""
        ...
