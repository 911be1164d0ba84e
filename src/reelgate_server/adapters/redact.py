"""What is kept of a text from outside: no credential, no signature, and not all of it."""

import re
from collections.abc import Collection
from typing import Final

DETAIL_CHARACTERS_MAX = 500
"""Of a provider's own text, what is kept for the operator."""

_SIGNED: Final = re.compile(
    r"(?i)([?&;](?:[a-z0-9-]*(?:signature|credential|token|key|sig|policy)[a-z0-9-]*)=)[^&\s\"']+"
)
"""A parameter of an address that carries a right to it."""
_ADDRESS: Final = re.compile(r"(?i)\b(?:https?://|data:)\S+")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic|key)\s+[a-z0-9._~+/:=-]{8,}")


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """Strike credentials and signatures out of a provider's text, and keep the beginning of the rest."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[secret]")
    text = _BEARER.sub(r"\1 [secret]", _SIGNED.sub(r"\1[secret]", text))
    return "".join(each if each.isprintable() else " " for each in text)[:DETAIL_CHARACTERS_MAX]


def without_addresses(text: str) -> str:
    """Strike addresses out of a text altogether: a customer's may be private to its last letter."""
    return _ADDRESS.sub("[address]", text)
