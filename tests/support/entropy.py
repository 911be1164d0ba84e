"""Randomness that repeats itself."""

from random import Random


class SeededEntropy:
    """The same numbers in the same order for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        """Start the sequence of `seed`."""
        self._random = Random(seed)  # noqa: S311 (repeatable on purpose)

    def token_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def draw(self) -> float:
        return self._random.random()
