"""An estimate is what create would charge."""

from datetime import timedelta

import pytest

from reelgate_server.app.estimate_cost import Estimate, estimate_cost
from reelgate_server.domain.errors import InsufficientBalance, InvalidSpec, ModelNotFound
from reelgate_server.domain.money import Money
from tests.support.world import Customer, World


async def estimate(world: World, customer: Customer, model: str, seconds: float | None = None) -> Estimate:
    duration = None if seconds is None else timedelta(seconds=seconds)
    return await estimate_cost(world.accounts, world.catalogue, customer.caller, model, duration)


async def test_it_prices_what_was_asked_and_tells_what_is_rendered(world: World, ada: Customer) -> None:
    assert await estimate(world, ada, "fal/kling-2", 6) == Estimate(
        price=Money(240_000, "USD"),
        clip_duration=timedelta(seconds=6),
        render_duration=timedelta(seconds=10),
        is_affordable=True,
    )
    assert await world.ledger(ada) == ["credit"]


@pytest.mark.parametrize(
    ("plan", "model", "seconds", "price"),
    [
        ("default", "kling-3-pro", None, Money(560_000, "USD")),
        ("kyma", "kling-3-pro", None, Money(756_000, "USD")),
        ("kyma", "seedance-2-fast", 5, Money(1_632_825, "USD")),
        ("geekhub", "fal/kling-2", None, Money(4_200_000, "MXN")),
        ("geekhub", "fal/hailuo-02", None, Money(5_040_000, "MXN")),
    ],
)
async def test_it_is_what_create_charges(
    *, world: World, plan: str, model: str, seconds: int | None, price: Money
) -> None:
    customer = await world.join(plan)
    estimated = await estimate(world, customer, model, seconds)
    job = await world.create(customer, model=model, clip_duration=seconds and timedelta(seconds=seconds))
    assert estimated.price == job.quote.price == price
    assert estimated.render_duration == job.spec.render_duration


@pytest.mark.parametrize("plan", ["default", "geekhub", "concurred"])
@pytest.mark.parametrize("micros", [0, 1, 199_999, 200_000])
async def test_it_is_affordable_if_and_only_if_create_is_not_refused(world: World, plan: str, micros: int) -> None:
    customer = await world.join(plan, micros=micros)
    estimated = await estimate(world, customer, "fal/kling-2")
    try:
        await world.create(customer)
    except InsufficientBalance:
        assert not estimated.is_affordable
    else:
        assert estimated.is_affordable


@pytest.mark.parametrize("seconds", [0, 11, 2.5])
async def test_a_length_that_the_model_does_not_make_is_refused(world: World, ada: Customer, seconds: float) -> None:
    with pytest.raises(InvalidSpec):
        await estimate(world, ada, "fal/kling-2", seconds)


async def test_an_unknown_model_is_refused(world: World, ada: Customer) -> None:
    with pytest.raises(ModelNotFound):
        await estimate(world, ada, "no/model")


async def test_a_model_that_nobody_renders_here_can_be_estimated(world: World, ada: Customer) -> None:
    assert (await estimate(world, ada, "hailuo-02-512p")).price == Money(85_000, "USD")
