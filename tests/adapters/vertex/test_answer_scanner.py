"""Reading a finished operation without holding its video."""

import base64
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from reelgate_server.adapters.providers.vertex.answer_scanner import ELIDED, AnswerScanner, UnreadableAnswer
from reelgate_server.adapters.providers.vertex.base64_stream import Base64Stream, BrokenBase64

VIDEO = bytes(range(256)) + b"?>"
"""Its base64 has both characters that differ between the alphabets, and padding."""
MIB = 1 << 20


def answer_with(*contents: str, **members: Any) -> str:
    videos = [{"bytesBase64Encoded": content, "mimeType": "video/mp4"} for content in contents]
    return json.dumps({"name": "operations/1", "done": True, "response": {"videos": videos, **members}})


def scan(text: str | bytes, part_bytes: int = 1 << 16) -> tuple[bytes, dict[str, Any]]:
    """Feed an answer in parts; return the video and the skeleton."""
    scanner, content = AnswerScanner(), text.encode() if isinstance(text, str) else text
    video = b"".join(scanner.feed(content[start : start + part_bytes]) for start in range(0, len(content), part_bytes))
    return video, scanner.close()


BASE64 = base64.b64encode(VIDEO).decode()


def test_a_video_is_decoded_and_left_out_of_the_answer() -> None:
    assert scan(answer_with(BASE64, raiMediaFilteredCount=0)) == (
        VIDEO,
        {
            "name": "operations/1",
            "done": True,
            "response": {
                "videos": [{"bytesBase64Encoded": "(elided)", "mimeType": "video/mp4"}],
                "raiMediaFilteredCount": 0,
            },
        },
    )


def test_an_answer_may_be_split_anywhere() -> None:
    text = answer_with(BASE64, raiMediaFilteredReasons=['a "quoted" \\ reason é']).encode()
    whole = scan(text)
    assert whole[0] == VIDEO
    for place in range(1, len(text)):
        scanner = AnswerScanner()
        assert scanner.feed(text[:place]) + scanner.feed(text[place:]) == VIDEO
        assert scanner.close() == whole[1]


@pytest.mark.parametrize("part_bytes", [1, 2, 3, 4, 5, 7, 64])
def test_an_answer_may_come_in_parts_of_any_size(part_bytes: int) -> None:
    assert scan(answer_with(BASE64), part_bytes)[0] == VIDEO


@pytest.mark.parametrize(
    "encoded",
    [
        BASE64.replace("/", "\\/"),
        BASE64.replace("/", "\\u002f").replace("+", "\\u002B").replace("=", "\\u003d"),
        BASE64.replace("A", "\\u0041"),
        base64.urlsafe_b64encode(VIDEO).decode(),
        BASE64.rstrip("="),
    ],
    ids=["escaped slash", "unicode escapes", "an escaped letter", "the other alphabet", "no padding"],
)
@pytest.mark.parametrize("part_bytes", [1, 5, 1 << 16])
def test_every_way_to_write_base64_in_json_is_read(encoded: str, part_bytes: int) -> None:
    assert scan(answer_with("VIDEO").replace("VIDEO", encoded), part_bytes)[0] == VIDEO


def test_a_key_may_be_written_with_escapes() -> None:
    text = answer_with(BASE64).replace("bytesBase64Encoded", "bytes\\u0042ase64Encoded")
    assert scan(text)[0] == VIDEO


def test_only_the_first_of_several_videos_is_handed_on() -> None:
    video, skeleton = scan(answer_with(BASE64, base64.b64encode(b"another").decode()))
    assert video == VIDEO
    assert [each["bytesBase64Encoded"] for each in skeleton["response"]["videos"]] == [ELIDED, ELIDED]


def test_a_key_that_occurs_twice_gives_one_video() -> None:
    twice = f'{{"response":{{"videos":[{{"bytesBase64Encoded":"{BASE64}","bytesBase64Encoded":"AAAA"}}]}}}}'
    assert scan(twice)[0] == VIDEO


def test_the_same_key_elsewhere_is_kept() -> None:
    text = json.dumps({"bytesBase64Encoded": "AAAA", "response": {"bytesBase64Encoded": "AAAA", "videos": ["AAAA"]}})
    assert scan(text) == (
        b"",
        {"bytesBase64Encoded": "AAAA", "response": {"bytesBase64Encoded": "AAAA", "videos": ["AAAA"]}},
    )


def test_an_empty_video_is_not_left_out() -> None:
    video, skeleton = scan(answer_with(""))
    assert video == b""
    assert skeleton["response"]["videos"] == [{"bytesBase64Encoded": "", "mimeType": "video/mp4"}]


def test_what_has_come_can_be_looked_at_while_a_video_is_read() -> None:
    scanner = AnswerScanner()
    head, _, _ = answer_with(BASE64).partition(BASE64)
    scanner.feed(head.encode())
    assert not scanner.has_video
    scanner.feed(b"AAAA")
    assert scanner.has_video
    assert scanner.members_so_far() == {
        "name": "operations/1",
        "done": True,
        "response": {"videos": [{"bytesBase64Encoded": "(elided)"}]},
    }
    scanner.feed(b'"')
    assert scanner.is_complete
    assert scanner.members_so_far() is None


@pytest.mark.parametrize(
    "value", [7, None, True, ["AAAA"], {"content": "AAAA"}], ids=["number", "null", "boolean", "list", "object"]
)
def test_a_video_of_another_type_is_kept_as_it_is(value: object) -> None:
    text = json.dumps({"response": {"videos": [{"bytesBase64Encoded": value}]}})
    assert scan(text) == (b"", {"response": {"videos": [{"bytesBase64Encoded": value}]}})


def truncations() -> Iterator[bytes]:
    text = answer_with(BASE64).encode()
    return (text[:place] for place in range(len(text)))


def test_a_truncated_answer_is_unreadable_wherever_it_ends() -> None:
    for text in truncations():
        with pytest.raises(UnreadableAnswer):
            scan(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"text"',
        "7",
        "{}}",
        "]",
        "}",
        ",",
        ":",
        "{,}",
        '{"a":1,}',
        '{"a" "b"}',
        '{"a\nb":1}',
        '{"\\x":1}',
        "{1:2}",
        "<html>502</html>",
        '{"a":1} {"b":2}',
        "[" * 33,
        '{"a":' * 33,
        "{\xff}",
        answer_with("AAA!"),
        answer_with("A"),
        answer_with("AA=A"),
        answer_with("AAA=AAAA"),
        answer_with("A A="),
        answer_with("AA\u00e9A"),
        answer_with("VIDEO").replace("VIDEO", "AA\\nA"),
        answer_with("VIDEO").replace("VIDEO", "AA\\u00"),
        answer_with("VIDEO").replace("VIDEO", "AA\\xA"),
    ],
)
@pytest.mark.parametrize("part_bytes", [1, 1 << 16])
def test_whatever_is_no_answer_is_unreadable(text: str, part_bytes: int) -> None:
    with pytest.raises(UnreadableAnswer):
        scan(text.encode("latin-1"), part_bytes)


def test_noise_is_never_more_than_unreadable() -> None:
    random = Random(7)  # noqa: S311 (repeatable on purpose)
    alphabet = b'{}[]:,"\\/u00aAbB64=+ 1tfn'
    text = answer_with(BASE64, raiMediaFilteredReasons=["x"]).encode()
    for _ in range(3000):
        noise = bytearray(text)
        for _ in range(random.randint(1, 6)):
            noise[random.randrange(len(noise))] = random.choice(alphabet)
        with suppress(UnreadableAnswer):
            scan(bytes(noise), random.choice([1, 16, 4096]))


def test_an_answer_that_is_long_beside_its_videos_is_refused() -> None:
    scanner = AnswerScanner()
    scanner.feed(b'{"padding":"' + b"x" * (65_536 - 12))
    with pytest.raises(UnreadableAnswer, match="longer than 65536 bytes beside its videos"):
        scanner.feed(b"x")


def test_64_mib_of_base64_pass_through_a_few_mib_of_memory() -> None:
    block = base64.b64encode(Random(1).randbytes(48 * 1024))  # noqa: S311 (same)
    head, _, tail = answer_with("VIDEO").encode().partition(b"VIDEO")
    scanner, video_bytes = AnswerScanner(), 0
    tracemalloc.start()
    try:
        scanner.feed(head)
        for _ in range(1024):
            video_bytes += len(scanner.feed(block))
        scanner.feed(tail)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert video_bytes == 48 * MIB
    assert scanner.is_complete
    assert scanner.close()["response"]["videos"][0]["bytesBase64Encoded"] == ELIDED
    assert peak < MIB


def test_base64_is_decoded_whatever_the_parts_are() -> None:
    for first in range(len(BASE64) + 1):
        stream = Base64Stream()
        text = BASE64.encode()
        assert stream.feed(text[:first]) + stream.feed(text[first:]) + stream.close() == VIDEO


@pytest.mark.parametrize("text", [b"!AAA", b"A===", b"AAAAA"])
def test_what_is_no_base64_is_broken(text: bytes) -> None:
    stream = Base64Stream()
    with pytest.raises(BrokenBase64):
        _ = stream.feed(text), stream.close()
