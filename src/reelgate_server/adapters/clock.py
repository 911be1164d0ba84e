"""The machine's clock. The only module that reads it."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, delay: timedelta) -> None:
        """Return after `delay`."""
        await asyncio.sleep(delay.total_seconds())

    def timeout(self, delay: timedelta) -> AbstractAsyncContextManager[object]:
        """Raise `TimeoutError` in the body if it is still running after `delay`."""
        return asyncio.timeout(delay.total_seconds())
