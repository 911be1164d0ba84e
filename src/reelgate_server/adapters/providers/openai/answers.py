"""What the servers' answers mean. Pure.

Theory of operation
===================

A failed video and a failed question look alike: vLLM-Omni shows a failed job under the HTTP status of its error, with
the job as the body. They are told apart by the body. A video whose `status` is `failed` has ended, whatever the HTTP
status; any other answer that is no success says nothing of the video. An answer of 404 says that there is no such video
only if it comes from whoever keeps the videos: a wrong path, or a proxy's page, is a 404 too.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import httpx

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.openai.addresses import source_url
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.errors import failure, form_of, refusal
from reelgate_server.adapters.providers.openai.shapes import Video, read_error, read_json, read_video
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.domain.looking import granted
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning, TaskState

POLL_AFTER_HEADER: Final = "openai-poll-after-ms"
"""Read by OpenAI's own client when it polls (PyPI openai 3.52.0, resources/videos.py)."""

_TASK_ID: Final = re.compile(r"(?!\.{1,2}$)[!-~]{1,2048}")
"""LiteLLM's have a few hundred characters. In a path, one dot or two would name something else."""
_RUNNING: Final = frozenset({"queued", "in_progress", "processing"})
_ENDED: Final[Mapping[str, FaultKind]] = {
    "cancelled": FaultKind.UNAVAILABLE,
    "deleted": FaultKind.TASK_UNKNOWN,
}
"""Of videos that will never be, though nothing failed."""
_NO_SUCH_PATH: Final = "Not Found"
"""What FastAPI, in which all three servers are written, says of a path that it does not have."""
_LOST_BEHIND: Final = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.SERVICE_UNAVAILABLE})
"""By 408 LiteLLM says that whoever is behind it did not answer in time, by 503 that it was not available, or not
reached, or gone in mid-call. Of the server itself they would mean that it had done nothing."""


def from_create(answer: Answer, dialect: Dialect) -> str:
    """Read the task's id from the answer to a create.

    Raises:
        ProviderFault: Maybe accepted unless the server refused it.
    """
    if not answer.is_success:
        fault = refusal(answer).fault
        is_lost = dialect.is_proxy and answer.status in _LOST_BEHIND
        raise ProviderFault(replace(fault, is_maybe_accepted=fault.is_maybe_accepted or is_lost))
    body = read_json(answer.body)
    task_id = body.get("id") if isinstance(body, dict) else None
    if not isinstance(task_id, str) or not _TASK_ID.fullmatch(task_id):
        answer.refuse(f"no id; {form_of(answer)}")
    return task_id


def from_get(answer: Answer, dialect: Dialect, *, content: str) -> TaskState:
    """Read how a video stands.

    Args:
        answer: To the question for it.
        dialect: Of the server.
        content: Its `content_url`.

    Raises:
        ProviderFault: `TASK_UNKNOWN` if the server keeps no such video; otherwise the question failed.
    """
    body = read_json(answer.body)
    video = read_video(body)
    if video is not None and video.status == "failed" and (answer.is_success or _is_named_video(body)):
        return TaskFailed(failure=failure_of(failure(answer, video)))
    if not answer.is_success:
        raise refusal(answer, kind=FaultKind.TASK_UNKNOWN if _is_of_no_such_video(answer) else None)
    if video is None:
        answer.refuse(f"no video; {form_of(answer)}")
    return _state(answer, video, dialect, content)


def from_delete(answer: Answer) -> None:
    """Read whether a running video is being stopped, which 409 says of one that takes its time, and 404 of one gone.

    Raises:
        ProviderFault: It is not.
    """
    if answer.is_success:
        if answer.body and not isinstance(read_json(answer.body), dict):
            answer.refuse(form_of(answer))
    elif answer.status != httpx.codes.CONFLICT and not _is_of_no_such_video(answer):
        raise refusal(answer)


def from_check(answer: Answer) -> None:
    """Read whether the server is there and did not refuse the key. A 404 is from one that has no such list.

    Raises:
        ProviderFault: `UNAUTHORIZED` if the key was refused; otherwise what kept us from knowing.
    """
    if answer.status == httpx.codes.NOT_FOUND:
        return
    if not answer.is_success:
        raise refusal(answer)
    if not isinstance(read_json(answer.body), dict):
        answer.refuse(form_of(answer))


def poll_after(answer: Answer) -> timedelta | None:
    """The server's wish for the next look, within what we grant; None without a header that can be read."""
    value = answer.headers.get(POLL_AFTER_HEADER, "").strip()
    if not re.fullmatch("[0-9]{1,9}", value):
        return None
    return granted(timedelta(milliseconds=int(value)))


def _state(answer: Answer, video: Video, dialect: Dialect, content: str) -> TaskState:
    if video.status == "completed":
        return TaskDone(source_url=source_url(video, dialect, content=content))
    kind = _ENDED.get(video.status)
    if kind is not None:
        fault = answer.fault(kind, f"the server says that the video is {video.status}").fault
        return TaskFailed(failure=failure_of(fault))
    if video.status not in _RUNNING:
        answer.refuse(f"unknown status {video.status[:40]!r}")
    return TaskRunning(progress_percent=video.progress_percent, poll_after=poll_after(answer))


def _is_of_no_such_video(answer: Answer) -> bool:
    """Tell whether whoever keeps the videos says that there is no such one."""
    message = read_error(read_json(answer.body)).message
    return answer.status == httpx.codes.NOT_FOUND and message not in {"", _NO_SUCH_PATH}


def _is_named_video(body: object) -> bool:
    """Tell whether a body that is no success calls itself a video; a proxy's error may have a `status` as well."""
    return isinstance(body, dict) and body.get("object") == "video"
