"""How many requests a provider takes in a stretch of time."""

from collections import deque

from reelgate_simulators.clock import Clock


class Quota:
    """Grants at most so many requests in any window of time."""

    def __init__(self, clock: Clock, *, count_max: int | None, window_s: float = 60.0) -> None:
        """Start with nothing used.

        Args:
            clock: What the window goes by.
            count_max: > 0, or None for no limit.
            window_s: Seconds; > 0.
        """
        self._clock = clock
        self._count_max = count_max
        self._window_s = window_s
        self._granted: deque[float] = deque()

    def take(self) -> float:
        """Ask for one request.

        Returns:
            Zero if it is granted, else the seconds until the next will be.
        """
        if self._count_max is None:
            return 0.0
        now_s = self._clock.monotonic_s()
        while self._granted and self._granted[0] <= now_s - self._window_s:
            self._granted.popleft()
        if len(self._granted) >= self._count_max:
            return self._granted[0] + self._window_s - now_s
        self._granted.append(now_s)
        return 0.0
