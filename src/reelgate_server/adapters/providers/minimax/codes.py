"""What the codes of MiniMax's API mean.

Source: platform.minimax.io/docs/api-reference/errorcode, read 2026-11-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from reelgate_server.domain.faults import FaultKind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a `status_code` says."""

    kind: FaultKind
    is_maybe_accepted: bool = False
    """A submit answered so may have been taken. False where the code states a check that comes before any work."""


_BUSY: Final = Meaning(FaultKind.THROTTLED)
_LOCKED: Final = Meaning(FaultKind.UNAUTHORIZED)
_BROKEN: Final = Meaning(FaultKind.UNAVAILABLE, is_maybe_accepted=True)
_CONTENT: Final = Meaning(FaultKind.REJECTED)

SUCCESS: Final = 0
INVALID_PARAMETERS: Final = 2013
MEANINGS: Final[Mapping[int, Meaning]] = MappingProxyType(
    {
        1000: _BROKEN,  # Unknown error.
        1001: Meaning(FaultKind.TIMEOUT, is_maybe_accepted=True),
        1002: _BUSY,  # Rate limit.
        1004: _LOCKED,  # Not authorized.
        1008: _LOCKED,  # Insufficient balance.
        1024: _BROKEN,  # Internal error.
        1026: _CONTENT,  # The input is sensitive.
        1027: _CONTENT,  # The output is sensitive: whatever was taken gives no video.
        1033: _BROKEN,  # A system behind it failed.
        1039: _BUSY,  # Token limit.
        1041: _BUSY,  # Connection limit.
        1042: _CONTENT,  # Too many invisible characters.
        INVALID_PARAMETERS: Meaning(FaultKind.INVALID),
        2038: _LOCKED,  # Identity verification required.
        2045: _BUSY,  # The rate grows too fast.
        2049: _LOCKED,  # Invalid key.
        2056: _LOCKED,  # The plan's usage is spent, for hours to come.
    }
)
"""Every documented code that can concern a video. The others concern voices; to us they are as new ones, which may mean
anything."""

OF_THE_CALLER: Final = frozenset({1002, 1004, 1039, 1041, 2045, 2049})
"""Codes that refuse whoever asks. They end no task, whatever `status` stands beside them."""
OF_CONTENT: Final = frozenset({1026, 1027})
"""Codes that the query documents for a task, and that no question can deserve."""
