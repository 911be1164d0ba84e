"""An error as a documented REST API says it: a status and a JSON body, carried as metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from reelgate_server.api.metadata import ERROR_BODY, HTTP_STATUS
from reelgate_server.domain.errors import DomainError

TEXT_CHARACTERS_MAX = 300
"""Characters of a message in a body. The body travels as a header; escaped, these are at most 3.6 kB."""


@dataclass(frozen=True, slots=True)
class HttpError:
    """What a REST caller of a dialect gets."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What Envoy's filter makes the answer from."""
        # Metadata values must be ASCII, hence the escapes.
        text = json.dumps(self.body, ensure_ascii=True, separators=(",", ":"))
        return ((HTTP_STATUS, str(self.status)), (ERROR_BODY, text), *self.headers.items())


class ErrorShape(Protocol):
    """How a dialect says an error."""

    def __call__(self, error: DomainError | None, request_id: str) -> HttpError:
        """Shape an error; None is a bug, of which nothing may be said but the request id."""
        ...


def cut(text: str) -> str:
    """Shorten a message to what fits."""
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"
