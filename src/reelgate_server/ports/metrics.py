"""What an operator can measure of the server."""

from datetime import timedelta
from typing import Protocol

from reelgate_server.domain.ids import ProviderName


class Metrics(Protocol):
    """Takes measurements; none of them can fail or block."""

    def set_lag(self, lag: timedelta) -> None:
        """Say how long the job that has been due longest has been waiting for a driver; zero if none waits."""
        ...

    def set_drives(self, provider: ProviderName, count: int) -> None:
        """Say how many jobs of a provider this process drives now."""
        ...

    def count_call(self, provider: ProviderName, operation: str, outcome: str) -> None:
        """Count one call to a provider.

        Args:
            provider: Who was called.
            operation: `submit`, `poll`, `cancel` or `copy`.
            outcome: `ok`, or the kind of fault; of a copy also `storage`, when our own storage failed, and `deadline`.
        """
        ...
