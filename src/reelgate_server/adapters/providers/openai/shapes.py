"""What the servers write, read with as little trust as they deserve.

Source: as of `dialects.py` and `request.py`; there vLLM-Omni's `VideoResponse` and `VideoError`, SGLang's
`VideoResponse`, LiteLLM's `VideoObject` and `ProxyException`. Read 2026-11-20.

A video, with all its keys at OpenAI; elsewhere any but `id` and `status` may be null or absent::

    {"id": "video_1", "object": "video", "model": "sora-2", "status": "in_progress", "progress": 40, "created_at": 1,
     "completed_at": null, "expires_at": null, "prompt": "…", "size": "1280x720", "seconds": "4",
     "remixed_from_video_id": null, "error": null}

An error, in a video or as an answer of its own, in any of these forms; the code may be text, a number, or absent::

    {"error": {"message": "…", "type": "…", "param": null, "code": "…"}}
    {"detail": "…"}
    {"detail": [{"loc": ["body", "seconds"], "msg": "…", "type": "…", "input": …}]}
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

ROW_COUNT_MAX: Final = 5
"""Rows of a list of errors that are read."""
NAME_CHARACTERS_MAX: Final = 64
"""Read of a code, a type or a parameter's name."""

_INPUT_VALUE: Final = re.compile(r"input_value=(.*?(?=, input_type=)|.*)", re.DOTALL)
"""How pydantic, which SGLang quotes in full, repeats what it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedError:
    """What a server says of an error; all empty if in no form that is known."""

    message: str = ""
    """For people; without what it repeats of the input in pydantic's way."""
    code: str = ""
    """For programs; a number as its digits."""
    type: str = ""
    parameter: str = ""
    """The field that is wrong."""

    @property
    def is_stated(self) -> bool:
        """There is anything."""
        return bool(self.message or self.code or self.type)

    @property
    def status(self) -> int | None:
        """The code, if it is that of an HTTP error, as with vLLM-Omni and LiteLLM."""
        return int(self.code) if re.fullmatch("[45][0-9]{2}", self.code) else None

    @property
    def text(self) -> str:
        """All of it, for the operator."""
        names = ", ".join(dict.fromkeys(filter(None, (self.code, self.type, self.parameter))))
        return ": ".join(filter(None, (names, self.message)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video as far as it is of interest."""

    status: str
    progress_percent: int | None
    """0 to 100."""
    addresses: tuple[str, ...]
    """Where the server says that the file is; with SGLang only, and unchecked."""
    error: StatedError


def read_json(body: bytes) -> object:
    """Parse a body; None if it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def read_video(value: object) -> Video | None:
    """Read a video; None if it is none."""
    if not isinstance(value, dict) or not isinstance(value.get("status"), str):
        return None
    urls = value.get("urls")
    addresses = (value.get("url"), *(urls if isinstance(urls, list) else ()))
    return Video(
        status=value["status"],
        progress_percent=_percent(value.get("progress")),
        addresses=tuple(each for each in addresses if isinstance(each, str)),
        error=read_error(value),
    )


def read_error(value: object) -> StatedError:
    """Read the error of a body, or of a video."""
    if not isinstance(value, dict):
        return StatedError()
    error, detail = value.get("error"), value.get("detail")
    if isinstance(error, dict):
        return _stated(error)
    if isinstance(detail, dict):
        return read_error(detail)
    if isinstance(detail, list):
        rows = [_row(each) for each in detail[:ROW_COUNT_MAX] if isinstance(each, dict)]
        return StatedError(message="; ".join(filter(None, rows)))
    if isinstance(error, str) or isinstance(detail, str):
        return StatedError(message=_without_input(_text(error) or _text(detail)))
    # vLLM before it nested its errors.
    return _stated(value) if value.get("object") == "error" else StatedError()


def _stated(value: dict[str, Any]) -> StatedError:
    return StatedError(
        message=_without_input(_text(value.get("message"))),
        code=_name(value.get("code")),
        type=_name(value.get("type")),
        parameter=_name(value.get("param")),
    )


def _row(row: dict[str, Any]) -> str:
    """Place and message of one error of FastAPI's. `input` and `ctx` repeat what was sent, and are left out."""
    loc = row.get("loc")
    place = ".".join(str(part)[:NAME_CHARACTERS_MAX] for part in loc) if isinstance(loc, list) else ""
    return ": ".join(filter(None, (place, _without_input(_text(row.get("msg"))))))


def _percent(value: object) -> int | None:
    """Progress is decoration: one that makes no sense is none, and must not keep a task from being followed."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(min(max(value, 0), 100))


def _without_input(text: str) -> str:
    return _INPUT_VALUE.sub("input_value=[input]", text)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _name(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return str(value)
    # LiteLLM writes the Python of an absent type.
    return _text(value)[:NAME_CHARACTERS_MAX] if value != "None" else ""
