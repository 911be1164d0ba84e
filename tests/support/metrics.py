"""Measurements that a test can read."""

from collections import Counter
from datetime import timedelta

from reelgate_server.domain.ids import ProviderName


class MemoryMetrics:
    """Keeps the latest of each, and all the counts."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.lag: timedelta | None = None
        self.drives: dict[str, int] = {}
        self.drives_max: Counter[str] = Counter()
        """The most that were ever said, by provider."""
        self.calls: Counter[tuple[str, str, str]] = Counter()
        """By provider, operation and outcome."""

    def set_lag(self, lag: timedelta) -> None:
        self.lag = lag

    def set_drives(self, provider: ProviderName, count: int) -> None:
        self.drives[provider] = count
        self.drives_max[provider] = max(self.drives_max[provider], count)

    def count_call(self, provider: ProviderName, operation: str, outcome: str) -> None:
        self.calls[provider, operation, outcome] += 1
