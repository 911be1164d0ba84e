"""What MiniMax's answers mean. Pure.

Source: platform.minimax.io/docs/api-reference/video-generation-t2v (submit), -query and -download (files/retrieve),
read 2026-11-20.

Theory of operation
===================

A video takes three calls: the submit gives a `task_id`, the query gives a `file_id` once the task has succeeded, and
the retrieval of that file gives an address, signed and short-lived, from which anybody may download it. Every answer
has `base_resp: {"status_code", "status_msg"}`. An error is an HTTP 200 whose `status_code` is not 0, so that the HTTP
status says little. Ids are text in one answer and numbers in another, and are read as either.

A code does not say what it is about. On a submit it is about the request. On a query it is about the question, unless
the task's own `status` is `Fail`, or the code is a verdict on content, which a question has not.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from reelgate_server.adapters.providers.answer import Answer, kind_of_status
from reelgate_server.adapters.providers.minimax.codes import (
    INVALID_PARAMETERS,
    MEANINGS,
    OF_CONTENT,
    OF_THE_CALLER,
    SUCCESS,
)
from reelgate_server.adapters.redact import without_addresses
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning, TaskState

RETRIEVE_PATH: Final = "/v1/files/retrieve"
TRACE_CHARACTERS_MAX: Final = 64
"""Kept of `Trace-Id`, by which MiniMax's support finds a request."""

_ID: Final = re.compile(r"[\w.:-]{1,128}", re.ASCII)
"""Documented ids are int64; longer ones of another form would do no harm."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`base_resp`."""

    code: int
    text: str


def retrieve_url(base_url: str, file_id: str) -> str:
    """Where a file's download address can be asked for; without credentials, so that it can be stored."""
    return f"{base_url}{RETRIEVE_PATH}?file_id={file_id}"


def file_id_of(source_url: str, base_url: str) -> str | None:
    """The file that `retrieve_url` was made for; None if it was not made by it."""
    file_id = source_url.rpartition("?file_id=")[2]
    return file_id if _ID.fullmatch(file_id) and retrieve_url(base_url, file_id) == source_url else None


def from_submit(answer: Answer) -> str:
    """Read the task's id from `{"task_id": "1069…", "base_resp": …}`.

    Raises:
        ProviderFault: Maybe accepted unless the code is a refusal and no task is named beside it.
    """
    payload, outcome = _read(answer)
    task_id = _identifier(payload.get("task_id"))
    if outcome.code != SUCCESS:
        raise _fault(answer, outcome, has_task=task_id is not None)
    if task_id is None:
        answer.refuse("no task_id")
    return task_id


def from_query(answer: Answer, *, task_id: str, base_url: str) -> TaskState:
    """Read a task's state from `{"task_id", "status", "file_id", "base_resp"}`.

    Raises:
        ProviderFault: `TASK_UNKNOWN` only if the answer says that there is no such task; otherwise the question failed.
    """
    payload, outcome = _read(answer)
    status = _status(answer, payload)
    if _identifier(payload.get("task_id")) not in {None, task_id}:
        answer.refuse("the answer is about another task")
    if outcome.code != SUCCESS:
        return _from_error(answer, outcome, status)
    if status in {"Preparing", "Queueing", "Processing"}:
        return TaskRunning()
    if status == "Fail":
        return _failed(answer, outcome)
    file_id = _identifier(payload.get("file_id"))
    if status != "Success" or file_id is None:
        answer.refuse(f"status {status[:40]!r}, file_id {file_id}")
    return TaskDone(source_url=retrieve_url(base_url, file_id))


def from_retrieve(answer: Answer, *, file_id: str, is_plain_allowed: bool) -> str:
    """Read a download address from `{"file": {"file_id": 1768…, "download_url": "https://…"}, "base_resp": …}`.

    Args:
        answer: To a retrieval.
        file_id: What was asked for.
        is_plain_allowed: `http://` will do; so it is at a simulator.
    """
    payload, outcome = _read(answer)
    if outcome.code != SUCCESS:
        raise _fault(answer, outcome)
    file = payload.get("file")
    if not isinstance(file, dict) or _identifier(file.get("file_id")) not in {None, file_id}:
        answer.refuse("not the file that was asked for")
    url = file.get("download_url")
    if not isinstance(url, str) or not url.startswith(("https://", "http://") if is_plain_allowed else "https://"):
        answer.refuse("no download_url")
    return url


def from_check(answer: Answer) -> None:
    """Read whether the key was accepted, from the answer to a query for a task that cannot exist.

    Raises:
        ProviderFault: `UNAUTHORIZED` if it was not; otherwise what kept us from knowing.
    """
    _, outcome = _read(answer)
    if outcome.code not in {SUCCESS, INVALID_PARAMETERS}:
        raise _fault(answer, outcome)


def _read(answer: Answer) -> tuple[dict[str, Any], Outcome]:
    """Read the body and its `base_resp`.

    Raises:
        ProviderFault: There is none; or the HTTP status is no success, and the code does not say more.
    """
    payload = answer.object() if answer.is_success else _object_or_nothing(answer)
    outcome = _outcome(payload.get("base_resp"))
    if not answer.is_success and (outcome is None or outcome.code not in MEANINGS):
        raise answer.fault(kind_of_status(answer.status), f"{_trace(answer)}no code that we know")
    if outcome is None:
        answer.refuse("no base_resp")
    return payload, outcome


def _object_or_nothing(answer: Answer) -> dict[str, Any]:
    try:
        return answer.object()
    except ProviderFault:
        return {}


def _outcome(value: object) -> Outcome | None:
    if not isinstance(value, dict):
        return None
    code, text = value.get("status_code"), value.get("status_msg")
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    return Outcome(code, text if isinstance(text, str) else "")


def _status(answer: Answer, payload: dict[str, Any]) -> str:
    """A task's own state; empty if the answer has none."""
    status = payload.get("status")
    if status is not None and not isinstance(status, str):
        answer.refuse("the status is no text")
    return status or ""


def _from_error(answer: Answer, outcome: Outcome, status: str) -> TaskFailed:
    """What a query with an error code says: a task that failed, or a question that did."""
    is_about_task = (status == "Fail" and outcome.code not in OF_THE_CALLER) or (
        not status and outcome.code in OF_CONTENT
    )
    if is_about_task and answer.is_success:
        return _failed(answer, outcome)
    if outcome.code in OF_CONTENT:
        answer.refuse(f"status {status[:40]!r} with code {outcome.code}")
    # Which code an unknown task gets is not documented, hence the strictness: a parameter is bad, and it is the task.
    is_unknown = outcome.code == INVALID_PARAMETERS and not status and "task" in outcome.text.casefold()
    raise _fault(answer, outcome, kind=FaultKind.TASK_UNKNOWN if is_unknown and answer.is_success else None)


def _failed(answer: Answer, outcome: Outcome) -> TaskFailed:
    """A task that ended without a video. Why, nobody knows of one whose code is 0 or new."""
    kind = _kind(outcome) if outcome.code in MEANINGS else FaultKind.UNAVAILABLE
    return TaskFailed(failure=failure_of(_fault(answer, outcome, kind=kind).fault))


def _kind(outcome: Outcome) -> FaultKind:
    # Third parties quote "invalid params, first_frame_image: invalid image url" and "… The minimum pixel on the short
    # side of the image: 300px", of submits and of failed tasks. Which image to send is the customer's choice alone.
    if outcome.code == INVALID_PARAMETERS and "image" in outcome.text.casefold():
        return FaultKind.IMAGE_UNUSABLE
    return MEANINGS[outcome.code].kind if outcome.code in MEANINGS else FaultKind.UNINTELLIGIBLE


def _fault(answer: Answer, outcome: Outcome, *, kind: FaultKind | None = None, has_task: bool = False) -> ProviderFault:
    """The fault that a code states."""
    stated = answer.fault(
        kind or _kind(outcome), f"{_trace(answer)}code {outcome.code}: {without_addresses(outcome.text)}"
    ).fault
    meaning = MEANINGS.get(outcome.code)
    is_maybe_accepted = has_task or meaning is None or meaning.is_maybe_accepted
    return ProviderFault(replace(stated, is_maybe_accepted=answer.is_submit and is_maybe_accepted))


def _trace(answer: Answer) -> str:
    trace = answer.headers.get("trace-id", "")[:TRACE_CHARACTERS_MAX]
    return f"Trace-Id {trace}, " if trace else ""


def _identifier(value: object) -> str | None:
    """An id, whether it came as text or as a number; None for anything else, the empty text and 0 among it."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        value = str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None
