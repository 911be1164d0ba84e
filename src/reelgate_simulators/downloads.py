"""Serving a file, whole or in part (RFC 9110, section 14)."""

import re

from starlette.responses import Response

from reelgate_simulators.recording import RecordedRequest

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def serve_file(request: RecordedRequest, content: bytes, content_type: str = "video/mp4") -> Response:
    """Answer a GET: the file, the single range that was asked for, or 416 if the file ends before it.

    A header that names several ranges, or no understandable one, is ignored, as the RFC allows.
    """
    headers = {"Accept-Ranges": "bytes"}
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or match.groups() == ("", ""):
        return Response(content, 200, headers, content_type)
    size_bytes = len(content)
    first_text, last_text = match.groups()
    if first_text:
        first, last = int(first_text), min(int(last_text or size_bytes), size_bytes - 1)
    else:
        first, last = max(0, size_bytes - int(last_text)), size_bytes - 1
    if first > last:
        return Response(None, 416, headers | {"Content-Range": f"bytes */{size_bytes}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{size_bytes}"
    return Response(content[first : last + 1], 206, headers, content_type)
