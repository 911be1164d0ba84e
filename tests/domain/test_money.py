"""Money is whole micros of one currency."""

from decimal import Decimal

import pytest

from reelgate_server.domain.money import Money, to_micros


def test_amounts_of_one_currency_add_and_subtract() -> None:
    assert Money(700_000, "USD") + Money(56_000, "USD") == Money(756_000, "USD")
    assert Money(700_000, "USD") - Money(756_000, "USD") == Money(-56_000, "USD")


def test_amounts_of_two_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match=r"^USD and MXN do not mix$"):
        Money(1, "USD") + Money(1, "MXN")
    with pytest.raises(ValueError, match=r"^MXN and USD do not mix$"):
        Money(1, "MXN") - Money(1, "USD")


def test_amounts_of_one_currency_compare() -> None:
    assert Money(1, "USD") < Money(2, "USD")
    assert Money(2, "USD") >= Money(2, "USD")


def test_the_amount_in_units_is_exact() -> None:
    assert Money(1_632_825, "USD").units() == Decimal("1.632825")
    assert Money(-1, "USD").units() == Decimal("-0.000001")


@pytest.mark.parametrize(
    ("units", "micros"),
    [
        ("0", 0),
        ("42", 42_000_000),
        ("0.0000004", 0),
        ("0.0000005", 1),
        ("0.0000015", 2),
        ("0.0000025", 3),
        ("0.00000249999999999999999999", 2),
        ("-0.0000005", -1),
        ("-0.0000025", -3),
    ],
)
def test_half_a_micro_is_rounded_away_from_zero(units: str, micros: int) -> None:
    assert to_micros(Decimal(units)) == micros
