"""Where things are at Google."""

import re
from typing import Final
from urllib.parse import quote

_MULTI_REGIONS: Final = frozenset({"us", "eu"})
"""As google-genai 3.4.0 has them."""
_LOCATION: Final = re.compile(r"[a-z0-9-]+")
_PROJECT: Final = re.compile(r"[a-z0-9.:-]+", re.IGNORECASE)
"""An id or number; the old ones that begin with a domain have a colon."""
_GS: Final = re.compile(
    r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(?P<name>[^\x00-\x1f\x7f\ud800-\udfff]*))?"
)


def host_of(location: str) -> str:
    """The address of the API for a location: a region such as `us-central1`, `us` or `eu`, or `global`."""
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def models_url(base_url: str | None, project: str, location: str) -> str:
    """The address below which the models of a project are, without a slash at the end.

    Args:
        base_url: Of a proxy or simulator; None for Google's own.
        project: Id or number.
        location: See `host_of`.

    Raises:
        ValueError: A project or location that cannot be one.
    """
    if not _PROJECT.fullmatch(project):
        message = f"{project!r} is not a project"
        raise ValueError(message)
    if not _LOCATION.fullmatch(location):
        message = f"{location!r} is not a location"
        raise ValueError(message)
    base = (base_url or host_of(location)).rstrip("/")
    return f"{base}/v1/projects/{project}/locations/{location}/publishers/google/models"


def model_url(models: str, model: str) -> str:
    """The address of one model; `:predictLongRunning` and `:fetchPredictOperation` follow it."""
    return f"{models}/{quote(model, safe='')}"


def is_folder(uri: str) -> bool:
    """Tell whether `uri` is `gs://{bucket}` or `gs://{bucket}/{prefix}`."""
    return _GS.fullmatch(uri) is not None


def is_object(uri: str) -> bool:
    """Tell whether `uri` is `gs://{bucket}/{object}`."""
    match = _GS.fullmatch(uri)
    return match is not None and bool(match["name"])


def object_url(storage_url: str, uri: str) -> str:
    """The address of the content of `gs://{bucket}/{object}`, in the JSON API of Cloud Storage.

    Raises:
        ValueError: `uri` is something else.

    Source:
        cloud.google.com/storage/docs/json_api/v1/objects/get, read 2026-11-20: `alt=media` asks for the content; a
        slash in the name is percent-encoded.
    """
    match = _GS.fullmatch(uri)
    if match is None or not match["name"]:
        message = f"{uri!r} is not an object"
        raise ValueError(message)
    return f"{storage_url.rstrip('/')}/storage/v1/b/{match['bucket']}/o/{quote(match['name'], safe='')}?alt=media"
