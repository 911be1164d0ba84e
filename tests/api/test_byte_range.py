"""RFC 9110, section 14, for one range; and section 13 for what may precede it."""

import pytest

from reelgate_server.api.byte_range import ByteRange, is_none_match, select_range
from reelgate_server.domain.errors import RangeNotSatisfiable

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 1000),
        ("bytes=0-999", 0, 1000),
        ("bytes=999-999", 999, 1000),
        ("bytes=500-", 500, 1000),
        ("bytes=0-", 0, 1000),
        ("bytes=999-", 999, 1000),
        # A last byte beyond the end means the end.
        ("bytes=500-1000", 500, 1000),
        ("bytes=0-99999999999999999999999999", 0, 1000),
        # The last so many.
        ("bytes=-1", 999, 1000),
        ("bytes=-500", 500, 1000),
        ("bytes=-1000", 0, 1000),
        ("bytes=-1001", 0, 1000),
        ("bytes=-99999999999999999999999999", 0, 1000),
        # White space and case.
        ("Bytes=0-1", 0, 2),
        (" bytes = 0 - 1 ", 0, 2),
        ("bytes=00000-00001", 0, 2),
    ],
)
def test_one_range_selects_its_bytes(header: str, start: int, end: int) -> None:
    assert select_range(header, None, ETAG, 1000) == ByteRange(start, end)


@pytest.mark.parametrize(
    "header", ["bytes=1000-", "bytes=1000-1000", "bytes=1000-2000", "bytes=9999999999999999999999-", "bytes=-0"]
)
def test_a_range_beyond_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as raised:
        select_range(header, None, ETAG, 1000)
    assert raised.value.size_bytes == 1000


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1-0",
        "bytes=500-499",
        "bytes=0-1,3-4",
        "bytes=0-1,",
        "items=0-1",
        "bytes=0x1-2",
        "bytes=--1",
        "bytes=0-1-2",
        "bytes=+1-2",
        "bytes=1.5-2",
        "bytes=\u0660-\u0661",
    ],
)
def test_what_is_not_one_well_formed_byte_range_is_ignored(header: str | None) -> None:
    assert select_range(header, None, ETAG, 1000) is None


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"])
def test_an_empty_file_has_no_range(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as raised:
        select_range(header, None, ETAG, 0)
    assert raised.value.size_bytes == 0


@pytest.mark.parametrize(
    ("if_range", "is_partial"),
    [
        (None, True),
        ('"abc"', True),
        (' "abc" ', True),
        ('"other"', False),
        # Only a strong tag can match; a date never does.
        ('W/"abc"', False),
        ("abc", False),
        ("", False),
        ("Thu, 01 Jan 2026 12:00:00 GMT", False),
    ],
)
def test_a_range_counts_only_if_its_condition_holds(if_range: str | None, *, is_partial: bool) -> None:
    expected = ByteRange(0, 1) if is_partial else None
    assert select_range("bytes=0-0", if_range, ETAG, 1000) == expected


def test_a_range_beyond_the_end_is_ignored_too_when_its_condition_fails() -> None:
    assert select_range("bytes=5000-", '"other"', ETAG, 1000) is None


@pytest.mark.parametrize(
    ("header", "is_same"),
    [
        (None, False),
        ("", False),
        ('"abc"', True),
        ('W/"abc"', True),
        ("*", True),
        ('"x", "abc"', True),
        ('"x" , W/"abc" ,"y"', True),
        ('"x"', False),
        ('"x", W/"y"', False),
        ("abc", False),
        ('"ABC"', False),
    ],
)
def test_none_match_compares_weakly(header: str | None, *, is_same: bool) -> None:
    assert is_none_match(header, ETAG) is is_same
