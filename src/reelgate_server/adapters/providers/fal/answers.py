"""What fal's answers mean.

Theory of operation
===================

A status of COMPLETED says that a request has ended, not how. The result then is the video, or the error that ended it,
replayed with its own HTTP status. So an error in answer to the question for a result may be the end of the task or the
queue's own trouble, and the two must not be confused: the first releases the customer's money, the second must never
lose a finished video. An error counts as the task's end if fal says so in a form that only a replay has: the typed rows
that a model writes, or a status that names an error; or if it is a refusal (4xx) in fal's own form that is not about
the question itself. Anything else is a question that failed, and is asked again: also a 5xx with a type of the
platform's, which its gateway may have put there for its own sake. Of a task that it ended the status names that type.

That a result is not there although its request has ended is said as `TASK_UNKNOWN`, and not as the end: the caller
believes that only after having heard it several times. A result that has expired, or a model that is not there, goes on
saying so; a passing disorder does not.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from reelgate_server.adapters.providers.answer import Answer, kind_of_status
from reelgate_server.adapters.providers.fal.addresses import is_request_id, read_address
from reelgate_server.adapters.providers.fal.shapes import (
    GRAVITY,
    MODEL_KINDS,
    PLATFORM_KINDS,
    QueueState,
    Status,
    Trouble,
)
from reelgate_server.adapters.redact import without_addresses
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskFailed

ROW_COUNT_MAX = 5
"""Rows of an error body that are quoted."""
TYPE_CHARACTERS_MAX = 64
"""The longest documented type has 30."""
_ABOUT_THE_QUESTION = frozenset(
    {
        httpx.codes.UNAUTHORIZED,
        httpx.codes.FORBIDDEN,
        httpx.codes.NOT_FOUND,
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_MANY_REQUESTS,
    }
)
"""Refusals that say nothing of a task unless a model wrote them."""
UNFINISHED: Final = "still in progress"
"""Part of what a result says that is asked for too early; with which HTTP status is not documented."""


def request_id_of(answer: Answer) -> str:
    """The id in the answer to a successful submit.

    Raises:
        ProviderFault: `UNINTELLIGIBLE`, maybe accepted: there is none.
    """
    request_id = answer.object().get("request_id")
    if not isinstance(request_id, str) or not is_request_id(request_id):
        answer.refuse("no request_id")
    return request_id


def status_of(answer: Answer) -> Status:
    """The status in the answer to a look.

    Raises:
        ProviderFault: `TASK_UNKNOWN` if fal says that there is no such request; otherwise the look failed.
    """
    if answer.status == httpx.codes.NOT_FOUND and _object(answer) is not None:
        raise answer.fault(FaultKind.TASK_UNKNOWN, _words(answer))
    if not answer.is_success:
        raise refusal(answer)
    body = answer.object()
    state = body.get("status")
    if not isinstance(state, str) or state not in tuple(QueueState):
        answer.refuse("no known status")
    return Status(state=QueueState(state), error=_text(body.get("error")), error_type=_type(body.get("error_type")))


def failure_in_status(answer: Answer, status: Status) -> TaskFailed:
    """The failure of a task whose status names an error."""
    kind = PLATFORM_KINDS.get(status.error_type) or MODEL_KINDS.get(status.error_type) or FaultKind.UNAVAILABLE
    detail = ": ".join(filter(None, (status.error_type, without_addresses(status.error))))
    return TaskFailed(failure=failure_of(answer.fault(kind, detail).fault))


def failure_in_result(answer: Answer, status: Status) -> TaskFailed:
    """The failure that an answer without a result tells of a task that has ended.

    Raises:
        ProviderFault: It tells nothing of the task: the question failed; `TASK_UNKNOWN` if the result is not there.
    """
    trouble = trouble_of(answer)
    is_replayed = trouble is not None and (trouble.is_of_model or _is_about_the_input(answer))
    if is_replayed:
        return TaskFailed(failure=failure_of(refusal(answer).fault))
    if status.error or status.error_type:
        return failure_in_status(answer, status)
    if answer.status == httpx.codes.NOT_FOUND:
        raise answer.fault(FaultKind.TASK_UNKNOWN, f"no result: {_words(answer)}")
    raise refusal(answer)


def is_unfinished(answer: Answer) -> bool:
    """Tell whether a result was asked for too early."""
    if answer.is_success:
        return answer.status == httpx.codes.ACCEPTED
    trouble = trouble_of(answer)
    return trouble is not None and not trouble.types and UNFINISHED in trouble.text


def video_url(answer: Answer) -> str:
    """Where the video of a successful result is.

    Raises:
        ProviderFault: `UNINTELLIGIBLE`; there is none, or not at an address that can be opened.
    """
    video = answer.object().get("video")
    url = video.get("url") if isinstance(video, dict) else None
    if not isinstance(url, str) or read_address(url) is None:
        answer.refuse("no address of a video")
    return url


def carries_no_right(url: str) -> bool:
    """Tell whether an address can be kept. Those of fal's CDN can; one with a query may carry a right to the file."""
    return not httpx.URL(url).query


def refusal(answer: Answer) -> ProviderFault:
    """The fault that an answer states which is no success."""
    trouble = trouble_of(answer)
    kind = kind_of_status(answer.status) if trouble is None else _kind(answer, trouble)
    return answer.fault(kind, _words(answer))


def trouble_of(answer: Answer) -> Trouble | None:
    """The error that an answer states; None if in none of fal's forms."""
    body = _object(answer) or {}
    detail = body.get("detail")
    rows = [row for row in detail if isinstance(row, dict)] if isinstance(detail, list) else []
    platform_type = _type(body.get("error_type")) or _type(answer.headers.get("x-fal-error-type"))
    model_types = [kind for row in rows if (kind := _type(row.get("type")))]
    types = (platform_type, *model_types) if platform_type else tuple(model_types)
    texts = (platform_type, without_addresses(_text(detail)), *map(_quoted, rows[:ROW_COUNT_MAX]))
    if not types and not any(texts):
        return None
    return Trouble(types=types, is_of_model=bool(model_types), text="; ".join(filter(None, texts)))


def _words(answer: Answer) -> str:
    """What fal says in an error, or else what kind of answer it is; never a body that might repeat the input."""
    trouble = trouble_of(answer)
    return trouble.text if trouble else f"not in fal's form: {answer.headers.get('content-type', 'no type')}"


def _kind(answer: Answer, trouble: Trouble) -> FaultKind:
    kinds = {MODEL_KINDS.get(each) or PLATFORM_KINDS.get(each) for each in trouble.types}
    known = next((kind for kind in GRAVITY if kind in kinds), None)
    if known is not None:
        return known
    if trouble.types and _says_retry(answer.headers):
        return FaultKind.UNAVAILABLE
    return kind_of_status(answer.status)


def _says_retry(headers: Mapping[str, str]) -> bool:
    # Two pages of fal's documents call the same header by these two names.
    return "true" in {headers.get("x-fal-retryable", "").lower(), headers.get("x-fal-needs-retry", "").lower()}


def _is_about_the_input(answer: Answer) -> bool:
    """Tell whether a refusal can only be a word on what was to be rendered."""
    return httpx.codes.is_client_error(answer.status) and answer.status not in _ABOUT_THE_QUESTION


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        return answer.object()
    except ProviderFault:
        return None


def _quoted(row: dict[str, Any]) -> str:
    """Type, place and message of one error. `input` and `ctx` repeat what the customer sent, and are left out."""
    loc = row.get("loc")
    place = ".".join(str(part) for part in loc if isinstance(part, str | int)) if isinstance(loc, list) else ""
    head = " at ".join(filter(None, (_type(row.get("type")), place)))
    return ": ".join(filter(None, (head, without_addresses(_text(row.get("msg"))))))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _type(value: object) -> str:
    return value[:TYPE_CHARACTERS_MAX] if isinstance(value, str) else ""
