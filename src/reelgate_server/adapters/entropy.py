"""The machine's randomness. The only module that draws it."""

import secrets


class SystemEntropy:
    """Real randomness, fit for keys."""

    def token_bytes(self, count: int) -> bytes:
        """Return `count` bytes that nobody can guess."""
        return secrets.token_bytes(count)

    def draw(self) -> float:
        """A number, uniform in [0, 1)."""
        return secrets.randbits(53) / (1 << 53)
