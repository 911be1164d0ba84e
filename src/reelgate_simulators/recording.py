"""What a request was: kept for tests to look at, and the argument of every handler."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file in a form."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """One request as it arrived, before any fault or handler."""

    operation: str
    """Name in the simulator's table."""
    method: str
    path: str
    """Decoded, without the query."""
    raw_path: str
    """As it was on the wire, percent-encoded, without the query: tells `/` in a segment from `/` between two."""
    path_parameters: Mapping[str, Any]
    query: Mapping[str, str]
    """Decoded; the last of several values of one name."""
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    """The body as it was on the wire."""
    body: Any
    """Parsed JSON; for a form a dict of text and `Upload`; None for an empty or unreadable body."""
    base_url: str
    """The simulator's own address as the caller wrote it, for the URLs of the answer."""

    @property
    def members(self) -> dict[str, Any]:
        """The body if it is an object, else an empty one."""
        return self.body if isinstance(self.body, dict) else {}


async def record(operation: str, request: Request) -> RecordedRequest:
    """Read a request to its end."""
    content = await request.body()
    return RecordedRequest(
        operation=operation,
        method=request.method,
        path=request.url.path,
        raw_path=bytes(request.scope["raw_path"]).decode("ascii"),
        path_parameters=request.path_params,
        query=dict(request.query_params),
        headers=dict(request.headers),
        content=content,
        body=await _parsed(request, content),
        base_url=str(request.base_url).rstrip("/"),
    )


async def _parsed(request: Request, content: bytes) -> Any:
    kind = request.headers.get("content-type", "")
    if kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        async with request.form() as form:
            return {name: await _field(value) for name, value in form.items()}
    try:
        return json.loads(content)
    except ValueError:
        return None


async def _field(value: UploadFile | str) -> Upload | str:
    if isinstance(value, str):
        return value
    return Upload(filename=value.filename or "", content_type=value.content_type or "", content=await value.read())
