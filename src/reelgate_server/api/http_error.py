"""An error as a REST caller gets it: a status, a JSON body and headers, carried as metadata."""

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
    """What a REST caller gets."""

    status: int
    body: Mapping[str, Any] | None
    """None leaves it to Envoy, which writes the `google.rpc.Status` as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What Envoy's filter makes the answer from."""
        # Metadata values must be ASCII, hence the escapes.
        text = json.dumps(self.body, ensure_ascii=True, separators=(",", ":"))
        body = () if self.body is None else ((ERROR_BODY, text),)
        return ((HTTP_STATUS, str(self.status)), *body, *self.headers.items())


class ErrorShape(Protocol):
    """How a service says errors to REST callers."""

    def __call__(self, error: DomainError | None, request_id: str) -> HttpError | None:
        """Shape an error; None is a bug, of which nothing may be said but the request id.

        Returns:
            None where the HTTP status and the body that follow from the gRPC status are right.
        """
        ...


def cut(text: str) -> str:
    """Shorten a message to what fits."""
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"
