"""Randomness, as the application needs it."""

from typing import Protocol


class Entropy(Protocol):
    """Makes ids, keys and jitter; tests make it repeatable."""

    def token_bytes(self, count: int) -> bytes:
        """Return `count` bytes that nobody can guess."""
        ...

    def draw(self) -> float:
        """A number, uniform in [0, 1)."""
        ...
