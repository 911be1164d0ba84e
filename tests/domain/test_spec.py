"""What was asked for becomes one video, fully described, or is refused with every reason."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.catalogue import ImageInput, Model
from reelgate_server.domain.errors import FieldViolation, InvalidSpec
from reelgate_server.domain.ids import ModelId
from reelgate_server.domain.spec import (
    JobRequest,
    Spec,
    first_difference,
    prompt_violations,
    resolve,
    resolve_durations,
    whole_seconds,
)
from tests.domain.builders import a_model, a_request

URL = "https://images.example/first.png"
URL_RULE = "must be an https:// URL of at most 2048 characters, without credentials"


def violations(model: Model | None = None, **changes: Any) -> list[tuple[str, str]]:
    """The fields and reasons of a refusal; none if the request is good."""
    try:
        resolve(a_request(**changes), model or a_model())
    except InvalidSpec as error:
        return [(each.field, each.description) for each in error.violations]
    return []


def test_gaps_are_filled_from_the_models_row() -> None:
    assert resolve(a_request(), a_model()) == Spec(
        model=ModelId("test/model"),
        prompt="a red kite",
        clip_duration=timedelta(seconds=5),
        render_duration=timedelta(seconds=6),
        aspect_ratio="16:9",
        resolution="720p",
        image_url=None,
        extra={},
    )


def test_what_the_customer_chose_is_kept() -> None:
    request = JobRequest(
        model="test/model",
        prompt="a blue kite",
        clip_duration=timedelta(seconds=9),
        aspect_ratio="1:1",
        resolution="1080p",
        image_url=URL,
        extra={"seed": 7},
    )
    assert resolve(request, a_model()) == Spec(
        model=ModelId("test/model"),
        prompt="a blue kite",
        clip_duration=timedelta(seconds=9),
        render_duration=timedelta(seconds=10),
        aspect_ratio="1:1",
        resolution="1080p",
        image_url=URL,
        extra={"seed": 7},
    )


@pytest.mark.parametrize(("asked_s", "rendered_s"), [(5, 6), (6, 6), (7, 10), (10, 10)])
def test_the_provider_is_asked_for_the_shortest_length_that_is_long_enough(asked_s: int, rendered_s: int) -> None:
    spec = resolve(a_request(clip_duration=timedelta(seconds=asked_s)), a_model())
    assert (spec.clip_duration, spec.render_duration) == (timedelta(seconds=asked_s), timedelta(seconds=rendered_s))


@pytest.mark.parametrize("prompt", ["x", " ", "x" * 4000, "\U0001f3a5" * 4000, "line\nline\ttab"])
def test_a_prompt_of_one_to_four_thousand_code_points_is_good(prompt: str) -> None:
    assert resolve(a_request(prompt=prompt), a_model()).prompt == prompt


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("", "is required"),
        ("x" * 4001, "must be at most 4000 characters, not 4001"),
        ("\U0001f3a5" * 4001, "must be at most 4000 characters, not 4001"),
        ("a\0b", "must not contain the character U+0000"),
    ],
)
def test_any_other_prompt_is_refused(prompt: str, reason: str) -> None:
    assert violations(prompt=prompt) == [("prompt", reason)]


def test_a_prompt_can_be_checked_before_its_model_is_known() -> None:
    assert list(prompt_violations("a red kite")) == []
    assert list(prompt_violations("")) == [FieldViolation("prompt", "is required", is_missing=True)]


def test_only_absence_is_told_apart_as_missing() -> None:
    with pytest.raises(InvalidSpec) as refusal:
        resolve(a_request(prompt=""), a_model(image_input=ImageInput.REQUIRED))
    assert refusal.value.violations == (
        FieldViolation("prompt", "is required", is_missing=True),
        FieldViolation("image_url", "is required by model 'test/model'", is_missing=True),
    )
    with pytest.raises(InvalidSpec) as refusal:
        resolve(a_request(prompt="\0"), a_model())
    assert not refusal.value.violations[0].is_missing


@pytest.mark.parametrize("seconds", [-1, 0, 4, 11, 10**9])
def test_a_length_outside_the_range_is_refused(seconds: int) -> None:
    assert violations(clip_duration=timedelta(seconds=seconds)) == [
        ("clip_duration", "must be 5 to 10 seconds for model 'test/model'")
    ]


@pytest.mark.parametrize("seconds", [2.5, 5.000001, 4.999999, -0.5, 0.5])
def test_a_fraction_of_a_second_is_refused(seconds: float) -> None:
    assert violations(clip_duration=timedelta(seconds=seconds)) == [
        ("clip_duration", "must be a whole number of seconds")
    ]


@pytest.mark.parametrize(
    ("durations_s", "words"),
    [((4, 6, 8), "4 or 6 or 8"), ((6,), "6"), ((5, 6), "5 to 6"), ((1, 2, 4), "1 or 2 or 4")],
)
def test_a_length_between_those_of_a_list_is_refused_with_the_list(durations_s: tuple[int, ...], words: str) -> None:
    model = a_model(durations_s=durations_s, duration_default_s=durations_s[0])
    assert violations(model, clip_duration=timedelta(seconds=3)) == [
        ("clip_duration", f"must be {words} seconds for model 'test/model'")
    ]


def test_a_length_can_be_resolved_without_a_prompt() -> None:
    assert resolve_durations(None, a_model()) == (timedelta(seconds=5), timedelta(seconds=6))
    assert resolve_durations(timedelta(seconds=7), a_model()) == (timedelta(seconds=7), timedelta(seconds=10))
    with pytest.raises(InvalidSpec, match=r"^clip_duration: must be 5 to 10 seconds for model 'test/model'$"):
        resolve_durations(timedelta(), a_model())


@pytest.mark.parametrize("ratio", ["4:3", "", "16x9", "16:9 ", "auto"])
def test_a_ratio_the_model_does_not_have_is_refused(ratio: str) -> None:
    assert violations(aspect_ratio=ratio) == [("aspect_ratio", "must be one of 16:9, 9:16, 1:1")]


@pytest.mark.parametrize("resolution", ["4k", "", "720", "720P"])
def test_a_resolution_the_model_does_not_have_is_refused(resolution: str) -> None:
    assert violations(resolution=resolution) == [("resolution", "must be one of 720p, 1080p")]


def test_an_image_is_refused_or_wanted_or_demanded_as_the_model_says() -> None:
    assert violations(a_model(image_input=ImageInput.NONE)) == []
    assert violations(a_model(image_input=ImageInput.NONE), image_url=URL) == [
        ("image_url", "is not accepted by model 'test/model'")
    ]
    assert violations(a_model(image_input=ImageInput.OPTIONAL)) == []
    assert violations(a_model(image_input=ImageInput.OPTIONAL), image_url=URL) == []
    assert violations(a_model(image_input=ImageInput.REQUIRED)) == [("image_url", "is required by model 'test/model'")]
    assert violations(a_model(image_input=ImageInput.REQUIRED), image_url=URL) == []


@pytest.mark.parametrize(
    "image_url",
    [
        URL,
        "HTTPS://images.example/a.png",
        "https://images.example:8443/a.png?sig=a%20b&x=1#top",
        "https://192.0.2.1/a.png",
        "https://[2001:db8::1]/a.png",
        "https://images.example/" + "a" * 2025,
    ],
)
def test_an_https_address_is_good(image_url: str) -> None:
    assert violations(image_url=image_url) == []


@pytest.mark.parametrize(
    "image_url",
    [
        "",
        "http://images.example/a.png",
        "ftp://images.example/a.png",
        "data:image/png;base64,AAAA",
        "//images.example/a.png",
        "images.example/a.png",
        "https://",
        "https:///a.png",
        "https://:443/a.png",
        "https://user:secret@images.example/a.png",
        "https://user@images.example/a.png",
        "https://images.example:port/a.png",
        "https://images.example:65536/a.png",
        "https://[2001:db8::1/a.png",
        "https://images.example/a b.png",
        "https://images.example/a.png\n",
        " https://images.example/a.png",
        "https://images.example/\x00.png",
        "https://images.example/\x7f.png",
        "https://images.example/" + "a" * 2026,
    ],
)
def test_any_other_address_is_refused(image_url: str) -> None:
    assert violations(image_url=image_url) == [("image_url", URL_RULE)]


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"seed": 7, "nested": {"list": [1, 2.5, None, True, "text"]}},
        {"text": "\\u0000"},
        {"text": "\\\\u0000"},
        {"x": "a" * 16_375},
        {"emoji": "\U0001f3a5" * 1000},
    ],
)
def test_extra_is_any_json_up_to_its_size(extra: dict[str, Any]) -> None:
    assert resolve(a_request(extra=extra), a_model()).extra == extra


@pytest.mark.parametrize("extra", [{"x": "a" * 16_376}, {"emoji": "\U0001f3a5" * 1400}, {"a" * 20_000: 1}])
def test_extra_beyond_its_size_as_json_is_refused(extra: dict[str, Any]) -> None:
    assert violations(extra=extra) == [("extra", "must be at most 16384 bytes of JSON")]


@pytest.mark.parametrize("extra", [{"x": "a\0b"}, {"\0": 1}, {"x": ["deep", {"y": "\\\0"}]}])
def test_extra_with_a_nul_is_refused(extra: dict[str, Any]) -> None:
    assert violations(extra=extra) == [("extra", "must not contain the character U+0000")]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_extra_with_a_number_that_json_has_not_is_refused(number: float) -> None:
    assert violations(extra={"x": [number]}) == [("extra", "must not contain numbers that are not finite")]


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_extra_is_refused_for_a_nul_exactly_when_it_holds_one(value: object) -> None:
    expected = [("extra", "must not contain the character U+0000")] if _holds_nul(value) else []
    assert violations(extra={"value": value}) == expected


def test_extra_names_that_change_the_price_are_refused_with_all_the_rest() -> None:
    assert violations(prompt="", extra={"seed": 1, "n": 4, "durationSeconds": 8}) == [
        ("prompt", "is required"),
        ("extra.durationSeconds", "must not be set here: use `clip_duration`"),
        ("extra.n", "must not be set here: a job is one video"),
    ]


def test_every_violation_is_named_at_once_and_in_order() -> None:
    request = JobRequest(
        model="test/model",
        prompt="",
        clip_duration=timedelta(seconds=99),
        aspect_ratio="2:1",
        resolution="8k",
        image_url="http://images.example/a.png",
        extra={"x": "\0"},
    )
    with pytest.raises(InvalidSpec) as refusal:
        resolve(request, a_model())
    assert [each.field for each in refusal.value.violations] == [
        "prompt",
        "clip_duration",
        "aspect_ratio",
        "resolution",
        "image_url",
        "extra",
    ]


def test_two_equal_requests_have_no_difference() -> None:
    assert first_difference(a_request(extra={"a": [1]}), a_request(extra={"a": [1]})) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "other/model"),
        ("prompt", "a blue kite"),
        ("clip_duration", timedelta(seconds=5)),
        ("aspect_ratio", "16:9"),
        ("resolution", "720p"),
        ("image_url", URL),
        ("extra", {"seed": 7}),
    ],
)
def test_one_changed_field_is_the_first_difference(field: str, value: object) -> None:
    assert first_difference(a_request(), a_request(**{field: value})) == field
    assert first_difference(a_request(**{field: value}), a_request()) == field


def test_of_several_differences_the_first_declared_is_named() -> None:
    assert first_difference(a_request(), replace(a_request(), extra={"a": 1}, resolution="720p")) == "resolution"


def test_whole_seconds_are_counted() -> None:
    assert whole_seconds(timedelta(minutes=1, seconds=5)) == 65


def _holds_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value
