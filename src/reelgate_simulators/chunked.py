"""Answers too large to be sent in one piece."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PART_BYTES = 64 * 1024
"""One part on the wire; large enough for speed, small enough that a slow reader holds the writer back."""


class ChunkedResponse(Response):
    """Sent part by part, each when the caller has taken the one before. Faults find the whole in `body`."""

    def __init__(
        self,
        content: bytes,
        *,
        media_type: str,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        is_length_known: bool = True,
    ) -> None:
        """Prepare an answer.

        Args:
            content: The whole body.
            media_type: Value of Content-Type.
            status_code: HTTP status.
            headers: Others.
            is_length_known: Without it there is no Content-Length, and the caller learns the size by reading.
        """
        super().__init__(content, status_code, dict(headers or {}), media_type)
        if not is_length_known:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        for start in range(0, len(body), PART_BYTES):
            await send({"type": "http.response.body", "body": body[start : start + PART_BYTES], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
