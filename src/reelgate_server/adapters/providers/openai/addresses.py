"""Where videos and their files are, and which addresses can be followed or stored. Pure.

A server may keep a finished file elsewhere: SGLang says so in the video and in a refusal, others by a redirect. Such an
address is opened without our key, and only if it is no less safe than the server's own.
"""

import re
from typing import Final
from urllib.parse import quote

import httpx

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.errors import refusal
from reelgate_server.adapters.providers.openai.shapes import Video, read_error, read_json
from reelgate_server.adapters.redirects import REDIRECTS

ADDRESS_CHARACTERS_MAX: Final = 2048
_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+")


def checked_base_url(base_url: str) -> str:
    """The address of a server, without a slash at its end.

    Raises:
        ValueError: It is none, or has parts that must not be stored with every task. Does not quote it.
    """
    url = _parsed(base_url)
    if url is None or url.scheme not in {"http", "https"} or not url.host or _has_secrets(url):
        message = "the base_url of an OpenAI-shaped server must be http(s)://host/path, without credentials and a query"
        raise ValueError(message)
    return base_url.rstrip("/")


def video_url(base_url: str, task_id: str) -> str:
    """Where a video is asked for."""
    # LiteLLM's ids are base64, whose `/`, `+` and `=` would otherwise be read as parts of the path.
    return f"{base_url}/videos/{quote(task_id, safe='')}"


def content_url(base_url: str, task_id: str) -> str:
    """Where a finished video's file is, unless the server says otherwise."""
    return f"{video_url(base_url, task_id)}/content"


def source_url(video: Video, dialect: Dialect, *, content: str) -> str:
    """Where a file is, fit to be stored.

    Args:
        video: Completed.
        dialect: Of the server.
        content: Its `content_url`, which leads there too.

    Returns:
        The bucket's address, if there is one that carries no right to the file; otherwise `content`.
    """
    for each in video.addresses if dialect.can_upload else ():
        url = _joined(content, each) if _ADDRESS.fullmatch(each) else None
        if url is not None and _is_safe(url, content) and not _has_secrets(url):
            return str(url)
    return content


def elsewhere(answer: Answer, dialect: Dialect, *, address: str) -> str:
    """Where a file is, if a refused download says so.

    Args:
        answer: To the download, with the beginning of its body.
        dialect: Of the server.
        address: What was asked for.

    Returns:
        An address that can be opened without our key.

    Raises:
        ProviderFault: It does not say, or names an address that is less safe than the one it answers for.
    """
    target = ""
    if answer.status in REDIRECTS:
        target = answer.headers.get("location", "")
    elif dialect.can_upload and answer.status == httpx.codes.BAD_REQUEST:
        # It says that the video was uploaded, and ends "Please use the cloud URL: …".
        found = _ADDRESS.search(read_error(read_json(answer.body)).message)
        target = found[0] if found else ""
    if not target:
        raise refusal(answer)
    url = _joined(address, target)
    if url is None or not _is_safe(url, address):
        answer.refuse("sends us to an address that is not opened")
    return str(url)


def _parsed(address: str) -> httpx.URL | None:
    try:
        url = httpx.URL(address)
        # Names that cannot be encoded are only found when they are asked for.
        _ = url.host
    except (httpx.InvalidURL, ValueError):
        return None
    return url


def _joined(address: str, target: str) -> httpx.URL | None:
    try:
        url = httpx.URL(address).join(target) if len(target) <= ADDRESS_CHARACTERS_MAX else None
        _ = url.host if url is not None else None
    except (httpx.InvalidURL, ValueError):
        return None
    return url


def _is_safe(url: httpx.URL, address: str) -> bool:
    """Tell whether a server may send us on from `address`: to `https`, or by the same scheme; not as somebody."""
    return url.scheme in {"https", httpx.URL(address).scheme} and bool(url.host) and not url.userinfo


def _has_secrets(url: httpx.URL) -> bool:
    """Tell whether an address may carry a right to what is there."""
    return bool(url.userinfo or url.query or url.fragment)
