"""Images inside a request: which are taken, and what is said of the rest."""

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.image_data import (
    IMAGE_BYTES_MAX,
    ImageData,
    ImageDataRefused,
    is_data_url,
    parse_data_url,
    sniff,
)

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "

FORM = "must be a base64 `data:` URL of a JPEG, PNG or WebP image"
BASE64 = "must be a `data:` URL with valid base64 after the comma"
LENGTH = "must be a `data:` URL of an image of at most 10 MiB"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (JPEG, "image/jpeg"),
        (b"\xff\xd8\xff\xdb", "image/jpeg"),
        (PNG, "image/png"),
        (WEBP, "image/webp"),
        (b"RIFF\xff\xff\xff\xffWEBPVP8L", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X", "image/webp"),
        (b"", None),
        (b"\xff\xd8", None),
        (b"\x89PNG\n\x1a\n", None),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", None),
        (b"RIFF\x24\x00\x00\x00WEBP", None),
        (b"WEBPVP8 ", None),
        (b" " + PNG, None),
        (b"GIF89a\x01\x00\x01\x00", None),
        (b"BM\x00\x00", None),
        (b"<svg/>", None),
        (b"<!doctype html>", None),
        (b"\x00\x00\x00\x1cftypavif", None),
    ],
)
def test_an_image_is_known_by_its_first_bytes(content: bytes, content_type: str | None) -> None:
    assert sniff(content) == content_type


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("data:image/jpeg;base64,/9j/4AAQSkZJRgA=", ImageData(JPEG, "image/jpeg")),
        ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==", ImageData(PNG, "image/png")),
        ("data:image/webp;base64,UklGRiQAAABXRUJQVlA4IA==", ImageData(WEBP, "image/webp")),
        ("DATA:Image/PNG;BASE64,iVBORw0KGgoAAAANSUhEUg==", ImageData(PNG, "image/png")),
        ("data:image/png;name=first%2C.png;base64,iVBORw0KGgoAAAANSUhEUg==", ImageData(PNG, "image/png")),
    ],
)
def test_a_data_url_is_read(text: str, data: ImageData) -> None:
    assert parse_data_url(text) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "data:",
        "data:,",
        "data:,hello",
        "data:;base64,iVBORw0KGgoAAAANSUhEUg==",
        "data:image/png,iVBORw0KGgoAAAANSUhEUg==",
        "data:image/png;base64",
        "data:image/png;base64;iVBORw0KGgoAAAANSUhEUg==",
        "data:image/png;base64;charset=utf-8,iVBORw0KGgoAAAANSUhEUg==",
        "data:image/png;base64 ,iVBORw0KGgoAAAANSUhEUg==",
        "data: image/png;base64,iVBORw0KGgoAAAANSUhEUg==",
        " data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==",
        "data:image/png; base64,iVBORw0KGgoAAAANSUhEUg==",
        "data:image/jpg;base64,/9j/4AAQSkZJRgA=",
        "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/*;base64,iVBORw0KGgoAAAANSUhEUg==",
        "data:text/html;base64,iVBORw0KGgoAAAANSUhEUg==",
        "image/png;base64,iVBORw0KGgoAAAANSUhEUg==",
        "https://images.test/first.png",
        "xdata:image/png;base64,iVBORw0KGgoAAAANSUhEUg==",
        "data:image/png" + ";a=b" * 64 + ";base64,iVBORw0KGgoAAAANSUhEUg==",
    ],
)
def test_only_base64_of_the_three_formats_is_taken(text: str) -> None:
    assert _refusal(text) == FORM


@pytest.mark.parametrize(
    "data",
    [
        "iVBORw0KGgoAAAANSUhEUg",
        "iVBORw0KGgoAAAANSUhEUg=",
        "iVBORw0KGgoAAAANSUhEUg===",
        "iVBORw0KGgoAAAANSUhEUg==iVBO",
        "iVBORw0KGgoAAAAN SUhEUg==",
        "iVBORw0KGgoAAAAN\r\nSUhEUg==",
        "iVBORw0KGgoAAAANSUhEUg==\n",
        "iVBORw0KGgoAAAANSUhEUg%3D%3D",
        "iVBORw0KGgoAAAANSU-_Ug==",
        "=iVBORw0KGgoAAAANSUhEUg=",
        "iVBORw0KGgoAAAANSUhEUg==,",
        "\uff49VBORw0KGgoAAAANSUhEUg==",
        "iVBORw0KGgoAAAANSUhEUg==\0",
        "\ud800iVBORw0KGgoAAAANSUhEU",
        "\x89PNG",
    ],
)
def test_only_strict_base64_is_read(data: str) -> None:
    assert _refusal(f"data:image/png;base64,{data}") == BASE64


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("image/png", b""),
        ("image/png", JPEG),
        ("image/jpeg", PNG),
        ("image/webp", PNG),
        ("image/png", b"<svg/>"),
        ("image/jpeg", b"GIF89a\x01\x00\x01\x00"),
    ],
)
def test_the_bytes_must_be_what_the_type_says(content_type: str, content: bytes) -> None:
    assert (
        _refusal(_url(content_type, content))
        == f"must be a `data:` URL whose bytes are the {content_type} that it names"
    )


def test_an_image_of_the_greatest_length_is_taken_and_one_byte_more_refused() -> None:
    longest = PNG + bytes(10 * 1024 * 1024 - len(PNG))
    assert len(longest) == IMAGE_BYTES_MAX
    assert parse_data_url(_url("image/png", longest)).content == longest
    for surplus in (1, 2, 3, 4, 1000):
        assert _refusal(_url("image/png", longest + bytes(surplus))) == LENGTH


def test_what_is_far_too_long_is_not_looked_at() -> None:
    assert _refusal("data:image/png;base64," + "\ud800" * 20_000_000) == LENGTH
    assert _refusal("data:" + ";" * 20_000_000) == FORM
    assert _refusal("data:image/png;base64" + "," * 20_000_000) == LENGTH


def test_the_bytes_stay_out_of_the_representation() -> None:
    assert repr(ImageData(PNG, "image/png")) == "ImageData(content_type='image/png')"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("data:", True),
        ("DaTa:image/png;base64,AAAA", True),
        ("data:nonsense", True),
        ("data", False),
        ("", False),
        ("https://images.test/data:", False),
        (" data:image/png;base64,AAAA", False),
    ],
)
def test_a_data_url_is_told_by_its_scheme(text: str, *, is_one: bool) -> None:
    assert is_data_url(text) == is_one


@given(st.sampled_from([("image/jpeg", JPEG), ("image/png", PNG), ("image/webp", WEBP)]), st.binary(max_size=200))
def test_whatever_follows_the_first_bytes_comes_through(image: tuple[str, bytes], rest: bytes) -> None:
    content_type, start = image
    assert parse_data_url(_url(content_type, start + rest)) == ImageData(start + rest, content_type)


@given(
    st.text()
    | st.text().map("data:image/png;base64,{}".format)
    | st.text(alphabet="data:imge/pn;bs64,=").map("data:{}".format)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ImageDataRefused):
        data = parse_data_url(text)
        assert sniff(data.content) == data.content_type


def _url(content_type: str, content: bytes) -> str:
    return f"data:{content_type};base64,{b64encode(content).decode()}"


def _refusal(text: str) -> str:
    with pytest.raises(ImageDataRefused) as raised:
        parse_data_url(text)
    return raised.value.reason
