"""An error as a REST caller gets it: a status, a JSON body and headers, carried as metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from reelgate_server.api.metadata import ERROR_BODY, HTTP_STATUS
from reelgate_server.domain.errors import DomainError, FieldViolation

INTERNAL_SERVER_ERROR = int(HTTPStatus.INTERNAL_SERVER_ERROR)
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


class ErrorTable:
    """The errors that a dialect documents: HTTP status and code of each."""

    def __init__(self, rows: Mapping[type[DomainError], tuple[int, str]], *, otherwise: str) -> None:
        """Take the rows, and the code of every other error, which is a 500."""
        self._rows = rows
        self._otherwise = (INTERNAL_SERVER_ERROR, otherwise)

    def find(self, error: DomainError | None) -> tuple[int, str]:
        """The status and code of an error; None is a bug."""
        return self._otherwise if error is None else self._rows.get(type(error), self._otherwise)


def sentence(violation: FieldViolation, names: Mapping[str, str]) -> str:
    """Say what is wrong with a field, by its name in a dialect where that differs from ours."""
    return f"{names.get(violation.field, violation.field)} {violation.description}"


def cut(text: str) -> str:
    """Shorten a message to what fits."""
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"
