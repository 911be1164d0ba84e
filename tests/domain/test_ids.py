"""Ids are UUIDs of version 7: they sort by the time they were made."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.ids import is_uuid, uuid7

times = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 (hypothesis takes the zone apart)
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 (as above)
    timezones=st.just(UTC),
)
ten_bytes = st.binary(min_size=10, max_size=10)


def test_the_example_of_rfc_9562_is_made_from_its_time_and_bits() -> None:
    # RFC 9562, appendix A.6: 2022-02-22 14:22:22 -05:00, rand_a CC3, rand_b 18C4DC0C0C07398F.
    time = datetime(2022, 2, 22, 14, 22, 22, tzinfo=timezone(timedelta(hours=-5)))
    assert uuid7(time, bytes.fromhex("0cc318c4dc0c0c07398f")) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_the_fields_of_version_and_variant_are_set_whatever_the_random_bits() -> None:
    time = datetime(2026, 6, 25, tzinfo=UTC)
    assert uuid7(time, b"\x00" * 10) == "019efc13-8c00-7000-8000-000000000000"
    assert uuid7(time, b"\xff" * 10) == "019efc13-8c00-7fff-bfff-ffffffffffff"


@given(times, ten_bytes)
def test_every_id_is_a_canonical_uuid_of_version_7(time: datetime, random: bytes) -> None:
    text = uuid7(time, random)
    parsed = uuid.UUID(text)
    assert is_uuid(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


@given(
    times, st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=36_500)), ten_bytes, ten_bytes
)
def test_an_id_of_a_later_millisecond_sorts_after(
    time: datetime, gap: timedelta, random: bytes, later_random: bytes
) -> None:
    assert uuid7(time, random) < uuid7(time + gap, later_random)


@given(times, ten_bytes)
def test_the_leading_bits_are_the_time_in_whole_milliseconds(time: datetime, random: bytes) -> None:
    made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=uuid.UUID(uuid7(time, random)).int >> 80)
    assert timedelta() <= time - made < timedelta(milliseconds=1)


@pytest.mark.parametrize("count", [0, 9, 11])
def test_another_number_of_random_bytes_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"^uuid7 takes 10 random bytes, not {count}$"):
        uuid7(datetime(2026, 6, 25, tzinfo=UTC), b"\x00" * count)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "019EFC0B-A800-7000-8000-000000000000",
        "019efc0ba800700080000000000000000000",
        "{019efc0b-a800-7000-8000-000000000000}",
        "019efc0b-a800-7000-8000-000000000000\n",
        "019efc0b-a800-7000-8000-00000000000",
        "019efc0b-a800-7000-8000-0000000000\u0660\u0660",
    ],
)
def test_only_the_canonical_lower_case_form_is_a_uuid(text: str) -> None:
    assert not is_uuid(text)


def test_a_uuid_of_any_version_is_a_uuid() -> None:
    assert is_uuid("e8c96506-72a1-429f-a7ed-4bb0a42541be")
