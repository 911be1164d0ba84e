"""`reelgate.v1.MediaService`."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from google.api import httpbody_pb2

from reelgate.v1 import media_service_pb2, media_service_pb2_grpc
from reelgate_server.api.byte_range import ByteRange, is_none_match, select_range
from reelgate_server.api.http_error import HttpError
from reelgate_server.api.metadata import CONTENT_LENGTH, HTTP_STATUS, Context, read
from reelgate_server.domain.errors import DomainError, RangeNotSatisfiable
from reelgate_server.ports.media import BUCKET, MediaStore

METHOD_HEADER = "x-envoy-original-method"
"""The HTTP method, which Envoy's transcoder passes on: after it, HEAD and GET look the same."""


def media_error(error: DomainError | None, request_id: str) -> HttpError | None:  # noqa: ARG001 (the body is the status)
    """Say what gRPC's codes cannot: a range that lies beyond the file, as RFC 9110, section 15.5.17, wants it."""
    if isinstance(error, RangeNotSatisfiable):
        return HttpError(416, None, {"content-range": f"bytes */{error.size_bytes}"})
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaServicer(media_service_pb2_grpc.MediaServiceServicer):
    """Finished videos, as the contract says in `media_service.proto`."""

    media: MediaStore

    async def Download(
        self, request: media_service_pb2.DownloadRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        """Stream a file or part of one."""
        object_name = f"{BUCKET}/{request.account_id}/{request.job_id}/{request.file}"
        stat = await self.media.stat(object_name)
        etag = f'"{stat.etag}"'
        headers = [("accept-ranges", "bytes"), ("etag", etag)]
        if is_none_match(read(context, "if-none-match"), etag):
            await context.send_initial_metadata([(HTTP_STATUS, "304"), *headers])
            yield httpbody_pb2.HttpBody(content_type=stat.content_type)
            return
        part = select_range(read(context, "range"), read(context, "if-range"), etag, stat.size_bytes)
        if part is None:
            part = ByteRange(0, stat.size_bytes)
            headers.append((HTTP_STATUS, "200"))
        else:
            headers.append((HTTP_STATUS, "206"))
            headers.append(("content-range", f"bytes {part.start}-{part.end - 1}/{stat.size_bytes}"))
        headers.append((CONTENT_LENGTH, str(part.end - part.start)))
        await context.send_initial_metadata(headers)
        if read(context, METHOD_HEADER) == "HEAD":
            yield httpbody_pb2.HttpBody(content_type=stat.content_type)
            return
        async with aclosing(self.media.read(object_name, start=part.start, end=part.end)) as chunks:
            async for chunk in chunks:
                yield httpbody_pb2.HttpBody(content_type=stat.content_type, data=chunk)
