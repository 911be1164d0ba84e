"""Money: whole micros of one currency. Nothing here is ever a float."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

MICROS = 1_000_000
"""Micros in one unit of any currency."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An exact amount; amounts of different currencies do not mix."""

    amount_micros: int
    """Millionths of one unit; negative for a debt."""
    currency: str
    """ISO 4217, upper case, such as `USD`."""

    def __add__(self, other: "Money") -> "Money":
        """Add two amounts of the same currency."""
        self._require_same_currency(other)
        return Money(self.amount_micros + other.amount_micros, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        """Subtract an amount of the same currency."""
        self._require_same_currency(other)
        return Money(self.amount_micros - other.amount_micros, self.currency)

    def units(self) -> Decimal:
        """The amount in whole units of the currency, exactly."""
        return Decimal(self.amount_micros) / MICROS

    def _require_same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            message = f"{self.currency} and {other.currency} do not mix"
            raise ValueError(message)


def to_micros(units: Decimal) -> int:
    """Round an exact amount to whole micros, half up (away from zero), once."""
    return int((units * MICROS).to_integral_value(rounding=ROUND_HALF_UP))
