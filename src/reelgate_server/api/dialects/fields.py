"""Read the fields of a documented JSON body, whose types the server checks itself."""

from datetime import timedelta
from typing import Any, TypeVar

from google.protobuf import struct_pb2
from google.protobuf.message import Message

from reelgate_server.api.convert import from_value
from reelgate_server.domain.errors import FieldViolation, InvalidRequest
from reelgate_server.domain.spec import prompt_violations

SECONDS_MAX = 86_400
"""Larger numbers are read as this one, which no model allows, so that any number fits a duration."""

OBJECT_BYTES_MAX = 256 * 1024
"""Larger objects are refused unread: reading one takes microseconds a member, on the event loop. 16,384 bytes of JSON,
which is the rule for `extra`, are less than half of it as a message."""

NESTED = frozenset({"struct_value", "list_value"})
"""The kinds of value that can hold many others."""

T = TypeVar("T")


class Fields:
    """Reads fields of type `google.protobuf.Value` and remembers what is wrong with them."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._violations: list[FieldViolation] = []

    def text(self, name: str, *, violation_name: str | None = None) -> str | None:
        """A string; None if it is absent, null, or of another type, which is remembered."""
        return self._typed(name, str, "must be a string", violation_name)

    def required_text(self, name: str) -> str:
        """A string that must be there and not be empty; empty if it is not so, which is remembered."""
        violation_count = len(self._violations)
        text = self.text(name) or ""
        if not text and len(self._violations) == violation_count:
            self.add(FieldViolation(name, "is required", is_missing=True))
        return text

    def prompt(self) -> str:
        """The field `prompt`, by the rules that hold for every model; otherwise as `required_text`."""
        text = self.required_text("prompt")
        if text:
            self._violations.extend(prompt_violations(text))
        return text

    def whole_seconds(self, name: str) -> timedelta | None:
        """A whole number of seconds, given as a number; otherwise as `text`. The violation names `clip_duration`."""
        seconds = self._typed(name, int, "must be a whole number of seconds", "clip_duration")
        return None if seconds is None else timedelta(seconds=min(max(seconds, 0), SECONDS_MAX))

    def json_object(self, name: str) -> dict[str, Any]:
        """An object; empty if it is absent or null; otherwise as `text`."""
        return self._typed(name, dict, "must be an object", None) or {}

    def add(self, violation: FieldViolation) -> None:
        """Remember something else that is wrong."""
        self._violations.append(violation)

    def check(self) -> None:
        """Refuse the body if anything was wrong.

        Raises:
            InvalidRequest: Carries everything remembered, in order.
        """
        if self._violations:
            raise InvalidRequest(self._violations)

    def _typed(self, name: str, kind: type[T], description: str, violation_name: str | None) -> T | None:
        value: struct_pb2.Value = getattr(self._message, name)
        if value.WhichOneof("kind") in NESTED and value.ByteSize() > OBJECT_BYTES_MAX:
            self.add(FieldViolation(violation_name or name, "is too large"))
            return None
        plain = from_value(value) if self._message.HasField(name) else None
        if plain is None:
            return None
        # In Python a bool is an int; in JSON it is not a number.
        if isinstance(plain, kind) and not isinstance(plain, bool):
            return plain
        self.add(FieldViolation(violation_name or name, description))
        return None
