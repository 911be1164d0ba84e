"""What Google's answers mean: the name of an operation, and how an operation stands. Pure.

What its errors mean is in `failures.py`, which alone is as long as a module should be.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.vertex.addresses import is_object
from reelgate_server.adapters.providers.vertex.answer_scanner import UnreadableAnswer
from reelgate_server.adapters.providers.vertex.failures import fault_of_filter, fault_of_operation
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning, TaskState

REFERENCE: Final = "vertex:"
"""Begins our own address of a video that is inside the operation's answer; the operation's name follows."""
OPERATION_NAME_CHARACTERS_MAX = 1024
"""A longer name is none of Google's; theirs are under 200."""


def operation_name(answer: Answer) -> str:
    """The name under which the render can be asked for.

    Raises:
        ProviderFault: `UNINTELLIGIBLE`, maybe accepted: the answer is a success and has none.
    """
    name = answer.object().get("name")
    if not isinstance(name, str) or not 0 < len(name) <= OPERATION_NAME_CHARACTERS_MAX:
        answer.refuse("no name of an operation")
    if not name.isascii() or not name.isprintable() or " " in name:
        answer.refuse("an unreadable name of an operation")
    return name


def state_of(operation: Mapping[str, Any], task_id: str) -> TaskState:
    """How an operation stands.

    Args:
        operation: The answer to a poll, with the content of its videos left out.
        task_id: The operation's name.

    Raises:
        UnreadableAnswer: It has the wrong types, or contradicts itself.
    """
    done = operation.get("done", False)
    if not isinstance(done, bool):
        _refuse("`done` is no boolean")
    if not done:
        return TaskRunning()
    error, response = operation.get("error"), operation.get("response")
    if isinstance(error, dict) and error:
        return TaskFailed(failure=failure_of(fault_of_operation(error)))
    if not error and isinstance(response, dict):
        return _end_of(response, task_id)
    return _refuse("done, with neither an error nor a response")


def _end_of(response: Mapping[str, Any], task_id: str) -> TaskState:
    videos = response.get("videos", [])
    if not isinstance(videos, list) or not all(isinstance(each, dict) for each in videos):
        _refuse("`videos` is no list of objects")
    if videos:
        return TaskDone(source_url=_source_url(videos[0], task_id))
    if response.get("raiMediaFilteredCount") or response.get("raiMediaFilteredReasons"):
        return TaskFailed(failure=failure_of(fault_of_filter(response)))
    # Asking again would bring the same; the render is over.
    fault = Fault(kind=FaultKind.UNINTELLIGIBLE, detail="the operation ended well, without a video or a reason")
    return TaskFailed(failure=failure_of(fault))


def _source_url(video: Mapping[str, Any], task_id: str) -> str:
    uri, content = video.get("gcsUri"), video.get("bytesBase64Encoded")
    if isinstance(uri, str) and is_object(uri):
        return uri
    if uri is None and isinstance(content, str) and content:
        return f"{REFERENCE}{task_id}"
    return _refuse("a video without an address or content")


def _refuse(why: str) -> NoReturn:
    raise UnreadableAnswer(why)
