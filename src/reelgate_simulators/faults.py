"""Faults that a test asks for, and the plan that says which request gets which.

A fault either keeps a request from having any effect, or lets it take effect and spoils the answer. The second kind
is what makes a submit ambiguous: the task was accepted, and the caller cannot know.
"""

import email.utils
import json
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

ANY_OPERATION = "*"
"""Stands for every operation of a simulator."""


@dataclass(frozen=True)
class Delay:
    """The request is held for a while, then handled as if nothing had been."""

    seconds: float
    """On the simulator's clock; >= 0."""


@dataclass(frozen=True)
class Hang:
    """No answer ever comes; the connection stays open until the caller or the simulator closes it."""

    takes_effect: bool = False


@dataclass(frozen=True)
class Reset:
    """The connection is reset before the first byte of an answer."""

    takes_effect: bool = False


@dataclass(frozen=True)
class Status:
    """Another answer than the true one."""

    code: int
    body: Any = None
    """Bytes and text are sent as they are, anything else as JSON; None is an empty body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    takes_effect: bool = False


@dataclass(frozen=True)
class RetryAfter:
    """Refused, with the time after which to try again."""

    seconds: float
    """Rounded up to whole seconds when sent; on the simulator's wall clock when sent as a date."""
    code: int = 429
    is_date: bool = False
    """The header carries an HTTP date (RFC 9110, 10.2.3) and not a number of seconds."""
    body: Any = None


@dataclass(frozen=True)
class Html:
    """A proxy's error page where JSON is expected."""

    code: int = 502
    takes_effect: bool = False


@dataclass(frozen=True)
class CutBody:
    """The true answer, reset in the middle of its body; its length is announced in full. Takes effect."""

    after_bytes: int
    """Body bytes sent before the reset; >= 0, cut to one less than the body."""


@dataclass(frozen=True)
class TruncatedJson:
    """Half of the true answer, complete as HTTP and broken as JSON. Takes effect."""


@dataclass(frozen=True)
class HugeJson:
    """The true answer with a member of this many bytes added. Takes effect."""

    size_bytes: int


@dataclass(frozen=True)
class WrongTypes:
    """The true answer with every member of its outermost object turned into another JSON type. Takes effect."""


Fault = Delay | Hang | Reset | Status | RetryAfter | Html | CutBody | TruncatedJson | HugeJson | WrongTypes


def accepted_but_lost() -> Reset:
    """Build the fault in which the request takes effect and its answer is lost."""
    return Reset(takes_effect=True)


class FaultPlan:
    """Which request gets which fault. Operations are named by the simulator: "submit", "status" and so on."""

    def __init__(self, *, random: Random | None = None) -> None:
        """Start without faults.

        Args:
            random: Decides `sometimes`; a fixed seed if absent, so that a run can be repeated.
        """
        self._random = random or Random(0)  # noqa: S311 (repeatable on purpose)
        self._queued: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._likely: defaultdict[str, list[tuple[float, Fault]]] = defaultdict(list)
        self.applied: list[tuple[str, Fault]] = []
        """Every fault so far with the operation that it met, in order."""

    def queue(self, operation: str, *faults: Fault) -> None:
        """Give these faults to the next requests of an operation, one each, in order."""
        self._queued[operation].extend(faults)

    def sometimes(self, operation: str, fault: Fault, probability: float) -> None:
        """Give a fault to a share of the requests that no queued fault takes.

        Args:
            operation: A name, or `ANY_OPERATION`.
            fault: Used any number of times.
            probability: 0 to 1. Several such rules are tried in the order they were added.
        """
        self._likely[operation].append((probability, fault))

    def pending_count(self, operation: str) -> int:
        """Count queued faults that no request has met yet."""
        return len(self._queued[operation])

    def clear(self) -> None:
        """Forget what is queued and what is likely; `applied` stays."""
        self._queued.clear()
        self._likely.clear()

    def take(self, operation: str) -> Fault | None:
        """Choose the fault of one request, for the server."""
        fault = self._choose(operation)
        if fault is not None:
            self.applied.append((operation, fault))
        return fault

    def _choose(self, operation: str) -> Fault | None:
        for name in (operation, ANY_OPERATION):
            if self._queued[name]:
                return self._queued[name].popleft()
        for name in (operation, ANY_OPERATION):
            for probability, fault in self._likely[name]:
                if self._random.random() < probability:
                    return fault
        return None


def retry_after_text(fault: RetryAfter, now_unix_s: float) -> str:
    """Write the value of a Retry-After header."""
    if fault.is_date:
        return email.utils.formatdate(now_unix_s + fault.seconds, usegmt=True)
    return str(-int(-fault.seconds // 1))


def half(content: bytes) -> bytes:
    """Cut an answer in the middle."""
    return content[: len(content) // 2]


def padded(content: bytes, size_bytes: int) -> bytes:
    """Add a member to a JSON object; anything else becomes a member of a new one."""
    answer = _parsed(content)
    members = answer if isinstance(answer, dict) else {"answer": answer}
    return json.dumps(members | {"padding": "x" * size_bytes}).encode()


def mistyped(content: bytes) -> bytes:
    """Give every member of a JSON object another type; keys stay."""
    answer = _parsed(content)
    if not isinstance(answer, dict):
        return b'["not an object"]'
    return json.dumps({key: _other_type(value) for key, value in answer.items()}).encode()


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _other_type(value: Any) -> Any:
    match value:
        case bool():
            return "perhaps"
        case str():
            return [value]
        case int() | float():
            return {"number": value}
        case dict():
            return 7
        case list():
            return "a list"
        case _:
            return 0
