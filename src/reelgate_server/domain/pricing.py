"""What a video costs. The only place where dollars become an account's currency."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from reelgate_server.domain.accounts import Plan
from reelgate_server.domain.catalogue import Model
from reelgate_server.domain.money import Money, to_micros
from reelgate_server.domain.spec import Spec, whole_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A price, with everything it was made from, frozen at create."""

    price: Money
    """In the account's currency."""
    cost_per_second: Decimal
    """US dollars, from the catalogue."""
    markup: Decimal
    fx: Decimal
    """Units of the account's currency for one US dollar."""


def price(clip_duration: timedelta, model: Model, plan: Plan) -> Money:
    """Price a length: seconds x US dollars per second x markup x FX, rounded once, half up, to the micro.

    The seconds are those the customer asked for, whatever the provider renders.
    """
    exact = whole_seconds(clip_duration) * model.cost_per_second * plan.markup * plan.fx
    return Money(to_micros(exact), plan.currency)


def quote(spec: Spec, model: Model, plan: Plan) -> Quote:
    """Price a video and keep what the price was made from."""
    return Quote(
        price=price(spec.clip_duration, model, plan),
        cost_per_second=model.cost_per_second,
        markup=plan.markup,
        fx=plan.fx,
    )
