"""Identifiers. Each is a distinct type, so that one cannot be passed for another."""

import re
from datetime import datetime
from typing import NewType

JobId = NewType("JobId", str)
"""A lower-case UUIDv7; the same on every surface."""
AccountId = NewType("AccountId", str)
"""A lower-case UUID for a customer, or `platform:{role}:{currency}` for one of the platform's own accounts."""
KeyId = NewType("KeyId", str)
"""A lower-case UUID that names an API key; it is not the key and opens nothing."""
TransferId = NewType("TransferId", str)
"""Derived from what the transfer is for, so that writing it twice collides."""
ModelId = NewType("ModelId", str)
"""A catalogue id such as `fal/kling-2`."""
PlanName = NewType("PlanName", str)
"""The name of a plan in the configuration."""
ProviderName = NewType("ProviderName", str)
"""The name of a configured provider, such as `local` or `fal`."""

UUID_RANDOM_BYTES = 10
"""Random bytes consumed by `uuid7`: 74 of these 80 bits end up in the id (RFC 9562, section 5.7)."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_uuid(text: str) -> bool:
    """Tell whether `text` is a UUID in its canonical lower-case form."""
    return _UUID.fullmatch(text) is not None


def uuid7(now: datetime, random: bytes) -> str:
    """Make a UUIDv7: ids made later sort after ids made in an earlier millisecond.

    Args:
        now: Aware; the leading 48 bits are its Unix time in milliseconds.
        random: Exactly `UUID_RANDOM_BYTES` bytes.

    Source:
        RFC 9562, section 5.7.
    """
    if len(random) != UUID_RANDOM_BYTES:
        message = f"uuid7 takes {UUID_RANDOM_BYTES} random bytes, not {len(random)}"
        raise ValueError(message)
    unix_ms = int(now.timestamp() * 1000)
    value = (unix_ms << 80) | int.from_bytes(random)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
