"""Base64 that comes in parts, decoded as it comes."""

import binascii
from typing import Final

_QUANTUM: Final = 4
"""Characters that decode by themselves."""
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
"""protobuf's JSON mapping lets a reader expect both alphabets, with padding or without."""


class BrokenBase64(ValueError):
    """What came is no base64."""


class Base64Stream:
    """Decodes one text. Holds at most three characters between two parts."""

    def __init__(self) -> None:
        """Start before the first character."""
        self._rest = b""
        self._is_padded = False

    def feed(self, text: bytes) -> bytes:
        """Take the next characters and return what they complete.

        Raises:
            BrokenBase64: A character that is none of base64, or one behind the padding.
        """
        quanta = self._rest + text.translate(_STANDARD)
        whole = len(quanta) - len(quanta) % _QUANTUM
        self._rest = quanta[whole:]
        return self._decode(quanta[:whole])

    def close(self) -> bytes:
        """Return what the last characters stand for.

        Raises:
            BrokenBase64: One character is left over, which stands for nothing.
        """
        rest, self._rest = self._rest, b""
        return self._decode(rest + b"=" * (-len(rest) % _QUANTUM))

    def _decode(self, quanta: bytes) -> bytes:
        if not quanta:
            return b""
        if self._is_padded:
            message = "base64 that goes on behind its end"
            raise BrokenBase64(message)
        try:
            content = binascii.a2b_base64(quanta, strict_mode=True)
        except binascii.Error as error:
            message = f"no base64: {error}"
            raise BrokenBase64(message) from error
        self._is_padded = quanta.endswith(b"=")
        return content
