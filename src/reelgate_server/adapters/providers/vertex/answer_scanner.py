"""A finished operation, read as it comes: the video handed on decoded, the rest of the answer kept.

Without a bucket Vertex puts the whole video into one JSON string. Parsed in one piece, an 8 second video would take
hundreds of megabytes. Here a small pushdown automaton follows the answer byte by byte, knows where in the document it
is, and leaves the content of `response.videos[*].bytesBase64Encoded` out. What remains, the skeleton, is a few hundred
bytes; at the end it is parsed by the ordinary parser, which also finds whatever is wrong with the syntax.

Memory is bounded by the part that is fed and by `SKELETON_BYTES_MAX`, whatever the answer says.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NoReturn

from reelgate_server.adapters.providers.vertex.base64_stream import Base64Stream, BrokenBase64

SKELETON_BYTES_MAX = 64 * 1024
"""An answer with more beside its videos is refused. The documented ones have under 1 kB."""
DEPTH_MAX = 32
"""Containers inside each other. The documented answers have 4."""
ELIDED: Final = "(elided)"
"""What the skeleton has in place of a video. No base64 contains a parenthesis."""

_CONTENT_KEY: Final = "bytesBase64Encoded"
_MARK: Final = re.compile(rb'["{}\[\]:,]')
"""Where the structure changes, outside of strings."""
_STRING_MARK: Final = re.compile(rb'["\\]')
"""Where a string ends or has an escape."""
_ESCAPE_BYTES: Final = 2
_UNICODE_ESCAPE_BYTES: Final = 6
"""A backslash and a letter; for `u` four digits more."""


class UnreadableAnswer(Exception):
    """The answer is no JSON object, has the wrong types, or is cut off; the text is for the operator."""


class _Mode(Enum):
    STRUCTURE = "structure"
    TEXT = "text"
    """In a string that is kept."""
    CONTENT = "content"
    """In a string that is left out."""


@dataclass(slots=True)
class _Container:
    """An object or array that is still open."""

    is_object: bool
    place: str | int | None
    """The key or index that comes next or is being read; None in an object before its first key."""
    expects_key: bool
    """In an object: the next string is a key."""


class AnswerScanner:
    """Takes one answer in parts of any size, split anywhere."""

    def __init__(self) -> None:
        """Start before the first byte."""
        self.has_video = False
        """The content of the first video has begun, and is not empty."""
        self.is_complete = False
        """The first video has been handed on to its last byte."""
        self._mode = _Mode.STRUCTURE
        self._open: list[_Container] = []
        self._skeleton = bytearray()
        self._string_start = 0
        self._is_escaped = False
        self._escape = b""
        self._is_first_video = False
        self._is_content_empty = True
        self._base64 = Base64Stream()

    def feed(self, part: bytes) -> bytes:
        """Take the next bytes of the answer.

        Returns:
            What they add to the first video, decoded; often nothing.

        Raises:
            UnreadableAnswer: It cannot become a readable answer any more.
        """
        video = bytearray()
        position = 0
        while position < len(part):
            match self._mode:
                case _Mode.STRUCTURE:
                    position = self._read_structure(part, position)
                case _Mode.TEXT:
                    position = self._read_text(part, position)
                case _Mode.CONTENT:
                    position = self._read_content(part, position, video)
        return bytes(video)

    def members_so_far(self) -> dict[str, Any] | None:
        """The members of the answer that have come, while the first video is being read; None at any other time."""
        if self._mode is not _Mode.CONTENT or not self._is_first_video:
            return None
        closers = b"".join(b"}" if each.is_object else b"]" for each in reversed(self._open))
        return _parse(bytes(self._skeleton) + b'"' + closers)

    def close(self) -> dict[str, Any]:
        """The answer without its videos, once it has come to its end.

        Raises:
            UnreadableAnswer: It is not complete, or no JSON object.
        """
        return _parse(bytes(self._skeleton))

    def _read_structure(self, part: bytes, position: int) -> int:
        mark = _MARK.search(part, position)
        if mark is None:
            self._keep(part[position:])
            return len(part)
        self._keep(part[position : mark.end()])
        match mark.group():
            case b'"':
                self._begin_string()
            case b"{":
                self._push(_Container(is_object=True, place=None, expects_key=True))
            case b"[":
                self._push(_Container(is_object=False, place=0, expects_key=False))
            case b"}" | b"]":
                if not self._open:
                    _refuse("more brackets closed than opened")
                self._open.pop()
            case b":":
                self._innermost().expects_key = False
            case _:
                self._next_member()
        return mark.end()

    def _read_text(self, part: bytes, position: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            self._keep(part[position : position + 1])
            return position + 1
        mark = _STRING_MARK.search(part, position)
        if mark is None:
            self._keep(part[position:])
            return len(part)
        self._keep(part[position : mark.end()])
        if mark.group() == b"\\":
            self._is_escaped = True
        else:
            self._mode = _Mode.STRUCTURE
            self._note_key()
        return mark.end()

    def _read_content(self, part: bytes, position: int, video: bytearray) -> int:
        if self._escape:
            self._escape += part[position : position + 1]
            self._end_escape(video)
            return position + 1
        mark = _STRING_MARK.search(part, position)
        end = len(part) if mark is None else mark.start()
        self._take(part[position:end], video)
        if mark is None:
            return end
        if mark.group() == b"\\":
            self._escape = b"\\"
        else:
            self._end_content(video)
        return mark.end()

    def _begin_string(self) -> None:
        if not self._is_at_content():
            self._string_start = len(self._skeleton) - 1
            self._mode = _Mode.TEXT
            return
        # A second first video would be a key that occurs twice; JSON leaves open which one counts.
        self._is_first_video = self._open[2].place == 0 and not self.has_video
        self._is_content_empty = True
        self._mode = _Mode.CONTENT

    def _is_at_content(self) -> bool:
        match self._open:
            case [
                _Container(is_object=True, place="response"),
                _Container(is_object=True, place="videos"),
                _Container(is_object=False),
                _Container(is_object=True, place=key, expects_key=False),
            ]:
                return key == _CONTENT_KEY
            case _:
                return False

    def _note_key(self) -> None:
        """Remember the string that has just ended if it is the key of an object."""
        if self._open and self._open[-1].expects_key:
            try:
                self._open[-1].place = json.loads(self._skeleton[self._string_start :])
            except ValueError:
                _refuse("a key that is no JSON string")

    def _next_member(self) -> None:
        inner = self._innermost()
        if inner.is_object:
            inner.expects_key = True
        elif isinstance(inner.place, int):
            inner.place += 1

    def _innermost(self) -> _Container:
        if not self._open:
            _refuse("members outside of any object")
        return self._open[-1]

    def _push(self, container: _Container) -> None:
        if len(self._open) == DEPTH_MAX:
            _refuse(f"nested deeper than {DEPTH_MAX}")
        self._open.append(container)

    def _keep(self, content: bytes) -> None:
        self._skeleton += content
        if len(self._skeleton) > SKELETON_BYTES_MAX:
            _refuse(f"longer than {SKELETON_BYTES_MAX} bytes beside its videos")

    def _end_escape(self, video: bytearray) -> None:
        """Decode an escape once it is whole; `/`, `+` and `=` may be written so."""
        length = _UNICODE_ESCAPE_BYTES if self._escape[1:2] == b"u" else _ESCAPE_BYTES
        if len(self._escape) < length:
            return
        escape, self._escape = self._escape, b""
        try:
            self._take(json.loads(b'"' + escape + b'"').encode("ascii"), video)
        except ValueError:
            _refuse("an escape in a video that is no base64")

    def _take(self, content: bytes, video: bytearray) -> None:
        if not content:
            return
        if self._is_content_empty:
            self._is_content_empty = False
            self._keep(ELIDED.encode("ascii"))
        if self._is_first_video:
            self.has_video = True
            try:
                video += self._base64.feed(content)
            except BrokenBase64 as error:
                raise UnreadableAnswer(str(error)) from error

    def _end_content(self, video: bytearray) -> None:
        self._keep(b'"')
        self._mode = _Mode.STRUCTURE
        if self._is_first_video and self.has_video:
            try:
                video += self._base64.close()
            except BrokenBase64 as error:
                raise UnreadableAnswer(str(error)) from error
            self.is_complete = True


def _parse(skeleton: bytes) -> dict[str, Any]:
    try:
        value = json.loads(skeleton)
    except ValueError as error:
        message = f"not complete JSON: {error}"
        raise UnreadableAnswer(message) from error
    if not isinstance(value, dict):
        _refuse("not a JSON object")
    return value


def _refuse(why: str) -> NoReturn:
    raise UnreadableAnswer(why)
