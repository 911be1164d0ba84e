"""Tell what a job would cost, from the code that prices jobs."""

from dataclasses import dataclass
from datetime import timedelta

from reelgate_server.app.accounts import Accounts
from reelgate_server.domain.accounts import Caller, Surface
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.ledger import required_balance
from reelgate_server.domain.money import Money
from reelgate_server.domain.pricing import price
from reelgate_server.domain.spec import resolve_durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job would cost now."""

    price: Money
    clip_duration: timedelta
    render_duration: timedelta
    is_affordable: bool
    """The balance would let it be created."""


async def estimate_cost(
    accounts: Accounts, catalogue: Catalogue, caller: Caller, model_id: str, clip_duration: timedelta | None
) -> Estimate:
    """Price a job without recording anything; None asks for the model's default length.

    Raises:
        ModelNotFound: There is no such model.
        InvalidSpec: It makes no videos of that length.
    """
    model = catalogue.get(model_id, Surface.NATIVE)
    clip_duration, render_duration = resolve_durations(clip_duration, model)
    amount = price(clip_duration, model, caller.plan)
    required = required_balance(caller.plan.billing, amount)
    is_affordable = required is None or (await accounts.balance(caller)).available >= required
    return Estimate(
        price=amount, clip_duration=clip_duration, render_duration=render_duration, is_affordable=is_affordable
    )
