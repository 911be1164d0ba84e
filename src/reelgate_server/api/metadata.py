"""What travels beside the messages: names that the server and `envoy/response.lua` agree on, and reading what came."""

import re
from typing import Final, TypeAlias

import grpc.aio

HTTP_STATUS: Final = "x-http-status"
"""The HTTP status a REST caller gets, where it is not the one that follows from the gRPC status."""
ERROR_BODY: Final = "x-error-body"
"""The ASCII JSON that a REST caller gets as the body of an error."""
CONTENT_LENGTH: Final = "x-content-length"
"""The HTTP `content-length`, which gRPC will not let a server send under its own name."""
REQUEST_ID: Final = "x-request-id"
"""Made by Envoy for every request; a UUID."""

_NOT_HEX = re.compile(r"[^0-9a-f]")

Context: TypeAlias = "grpc.aio.ServicerContext[object, object]"


def read(context: Context, name: str) -> str | None:
    """The first value of a metadata key; None if it is absent."""
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return None


def request_id(context: Context) -> str:
    """The request's id in GeekHub's documented form: `req_` and 24 hexadecimal digits.

    Envoy's filter makes the same one from the same header. Zeros stand in where there is none.
    """
    digits = _NOT_HEX.sub("", (read(context, REQUEST_ID) or "").lower())
    return f"req_{digits[:24]:0<24}"
