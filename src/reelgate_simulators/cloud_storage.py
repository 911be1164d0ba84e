"""As much of Cloud Storage as it takes to read a result from a bucket.

Source:
    cloud.google.com/storage/docs/json_api/v1/objects/get, and .../status-codes for the errors; read 2026-11-20.
"""

from urllib.parse import unquote

from starlette.responses import Response

from reelgate_simulators.downloads import serve_file
from reelgate_simulators.endpoint import respond
from reelgate_simulators.recording import RecordedRequest

OBJECT_PATH = "/storage/v1/b/{bucket}/o/{name:path}"


class Buckets:
    """Every bucket there is; each exists."""

    def __init__(self) -> None:
        """Start empty."""
        self.objects: dict[str, bytes] = {}
        """Content by `gs://` address."""

    def get(self, request: RecordedRequest) -> Response:
        """Answer `objects.get` of an authorized caller: the content with `alt=media`, else what is known about it."""
        bucket, name = request.path_parameters["bucket"], request.raw_path.partition("/o/")[2]
        content = self.objects.get(f"gs://{bucket}/{unquote(name)}")
        # A name is one segment of the path: an unencoded slash leads elsewhere.
        if content is None or "/" in name:
            return storage_error(404, "notFound", f"No such object: {bucket}/{unquote(name)}")
        if request.query.get("alt") == "media":
            return serve_file(request, content)
        # int64 is a string in Google's JSON.
        about = {"bucket": bucket, "name": unquote(name), "size": str(len(content)), "contentType": "video/mp4"}
        return respond(200, {"kind": "storage#object"} | about)


def storage_error(code: int, reason: str, message: str) -> Response:
    """Build an error as Cloud Storage writes it, which is not how Vertex AI does."""
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return respond(code, {"error": {"errors": errors, "code": code, "message": message}})
