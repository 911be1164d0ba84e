"""Addresses of fal's queue: whether one is fal's, and what they are where fal gives none.

A request is submitted under its full endpoint id, and asked for under the first two segments of it, or three where the
first is a namespace (fal.ai/docs/api-reference/inference-api, read 2026-11-20). fal asks its callers not to build the
latter but to use those of the submit's answer; they are built here only where there is no such answer to use.
"""

import re
from urllib.parse import quote

import httpx

NAMESPACES = ("workflows", "comfy")
ADDRESS_CHARACTERS_MAX = 4096
"""Signed addresses of the large object stores stay under 1,500."""
PORT_MAX = 65_535
_PATHS = {"status": "/status", "response": "", "cancel": "/cancel"}
ROLES = tuple(_PATHS)
"""What a request's addresses are for."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VISIBLE_ASCII = re.compile(r"[!-~]+")


def app_of(endpoint: str) -> str | None:
    """The part of an endpoint id under which a request is asked for; None if there are too few segments."""
    parts = endpoint.split("/")
    count = 3 if parts[0] in NAMESPACES else 2
    return "/".join(parts[:count]) if len(parts) >= count and all(parts) else None


def submit_address(queue_url: str, endpoint: str) -> str:
    """Where to submit."""
    return f"{queue_url}/{quote(endpoint)}"


def is_request_id(text: str) -> bool:
    """Tell whether this can stand in an address as it is; fal's are UUIDs."""
    return _REQUEST_ID.fullmatch(text) is not None


def built_addresses(queue_url: str, app: str, request_id: str) -> dict[str, str]:
    """A request's addresses by role, as fal documents them."""
    address = f"{queue_url}/{quote(app)}/requests/{request_id}"
    return {role: address + path for role, path in _PATHS.items()}


def is_own(address: object, queue_url: str) -> bool:
    """Tell whether an address lies on the queue's own host, so that our key may be sent there."""
    given, own = read_address(address), read_address(queue_url)
    return given is not None and own is not None and _origin(given) == _origin(own)


def read_address(text: object) -> httpx.URL | None:
    """An absolute `http` or `https` address without credentials; None if it is anything else.

    It is read by the library that will connect, so that both mean the same host.
    """
    if not isinstance(text, str) or len(text) > ADDRESS_CHARACTERS_MAX or not _VISIBLE_ASCII.fullmatch(text):
        return None
    try:
        address = httpx.URL(text)
        is_usable = bool(address.host) and (address.port is None or 0 < address.port <= PORT_MAX)
    except (httpx.InvalidURL, UnicodeError):
        # UnicodeError: a host in Punycode that means no name, which httpx reads only when it is asked for.
        return None
    return address if is_usable and address.scheme in {"http", "https"} and not address.userinfo else None


def _origin(address: httpx.URL) -> tuple[str, str, int | None]:
    return address.scheme, address.host, address.port
