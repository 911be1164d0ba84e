"""Orders into Google's requests, and operations into the states of a task. Pure."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.vertex.addresses import is_object
from reelgate_server.adapters.providers.vertex.elide import UnreadableAnswer
from reelgate_server.adapters.providers.vertex.failures import ECHO_CHARACTERS, fault_of_filter, fault_of_operation
from reelgate_server.adapters.providers.vertex.shapes import Instance, SubmitRequest
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.spec import whole_seconds
from reelgate_server.ports.provider import ImageBytes, RenderOrder, TaskDone, TaskFailed, TaskRunning, TaskState

REFERENCE: Final = "vertex:"
"""Begins our own address of a video that is inside the operation's answer; the operation's name follows."""
OPERATION_NAME_CHARACTERS_MAX = 1024
"""A longer name is none of Google's; theirs are under 200."""

_OURS: Final = frozenset(
    {
        "samplecount",
        "numberofvideos",
        "durationseconds",
        "aspectratio",
        "resolution",
        "generateaudio",
        "storageuri",
        "outputgcsuri",
        "pubsubtopic",
    }
)
"""Parameters that decide what is paid for and where the result goes, lower-cased and without underscores. A customer's
are left out in every spelling, also where we send none: Google would act on them with our credentials.
"""


def to_request(order: RenderOrder, image: ImageBytes | None, storage_uri: str | None = None) -> SubmitRequest:
    """Say what is ordered in the words of `predictLongRunning`.

    `enhancePrompt` is not sent: Veo 3 rewrites every prompt, and an operation that asks it not to ends with "Veo 3
    prompt enhancement cannot be disabled".

    Args:
        order: What is wanted.
        image: Its first frame, if it has one.
        storage_uri: `gs://` folder for the results, each in a folder of its job; None to get them in the answer.
    """
    instance: Instance = {"prompt": order.spec.prompt}
    if image is not None:
        content = b64encode(image.content).decode("ascii")
        instance["image"] = {"bytesBase64Encoded": content, "mimeType": image.content_type}
    parameters: dict[str, object] = {
        name: value for name, value in order.spec.extra.items() if name.replace("_", "").lower() not in _OURS
    }
    parameters |= {
        "sampleCount": 1,
        "durationSeconds": whole_seconds(order.spec.render_duration),
        "aspectRatio": order.spec.aspect_ratio,
        "resolution": order.spec.resolution,
        "generateAudio": order.has_audio,
    }
    if storage_uri is not None:
        parameters["storageUri"] = f"{storage_uri.rstrip('/')}/{order.job_id}/"
    return {"instances": [instance], "parameters": parameters}


def said_in(order: RenderOrder) -> list[str]:
    """The customer's own words in an order: the prompt, and parameters that are sentences."""
    return [
        order.spec.prompt,
        *(value for value in order.spec.extra.values() if isinstance(value, str) and len(value) >= ECHO_CHARACTERS),
    ]


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
