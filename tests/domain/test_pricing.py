"""Every documented price, to the micro."""

from datetime import timedelta
from decimal import Decimal

import pytest

from reelgate_server.domain.accounts import BillingPolicy, Surface
from reelgate_server.domain.money import Money
from reelgate_server.domain.pricing import Quote, price, quote
from reelgate_server.domain.spec import JobRequest, resolve
from tests.domain.builders import CATALOGUE, a_model, a_plan, a_spec

GEEKHUB = a_plan(
    currency="MXN",
    markup=Decimal("1.05"),
    fx=Decimal(20),
    billing=BillingPolicy.ON_COMPLETION,
    surface=Surface.GEEKHUB,
)
KYMA = a_plan(markup=Decimal("1.35"), surface=Surface.KYMA)


def shipped_price(surface: Surface, model_id: str, seconds: int | None) -> Money:
    """What a shipped model costs on a surface; None takes its default length."""
    model = CATALOGUE.get(model_id, surface)
    length = None if seconds is None else timedelta(seconds=seconds)
    spec = resolve(JobRequest(model=model_id, prompt="a red kite", clip_duration=length), model)
    return quote(spec, model, GEEKHUB if surface is Surface.GEEKHUB else KYMA).price


@pytest.mark.parametrize(
    ("model_id", "seconds", "micros"),
    [
        # docs/sources.md D 1.9, gh-vmodels: five seconds of each.
        ("fal/kling-2", 5, 4_200_000),
        ("fal/hailuo-02", 5, 4_200_000),
        ("fal/runway-gen-4", 5, 5_250_000),
        ("fal/luma-ray-2", 5, 21_000_000),
        ("google/veo-3", 5, 21_000_000),
        ("google/veo-3.1", 5, 42_000_000),
        ("fal/veo-3.1", 5, 42_000_000),
        # The same at the default length of 1.8.
        ("google/veo-3.1", None, 67_200_000),
        ("fal/veo-3.1", None, 67_200_000),
        ("google/veo-3", None, 33_600_000),
        ("fal/hailuo-02", None, 5_040_000),
        ("fal/kling-2", None, 4_200_000),
        ("fal/runway-gen-4", None, 5_250_000),
        ("fal/luma-ray-2", None, 21_000_000),
        # One second, and the longest.
        ("google/veo-3.1", 1, 8_400_000),
        ("google/veo-3", 1, 4_200_000),
        ("fal/runway-gen-4", 10, 10_500_000),
        ("fal/luma-ray-2", 9, 37_800_000),
        ("fal/kling-2", 10, 8_400_000),
        ("fal/hailuo-02", 10, 8_400_000),
    ],
)
def test_geekhub_costs_seconds_by_dollars_by_markup_by_rate(model_id: str, seconds: int | None, micros: int) -> None:
    assert shipped_price(Surface.GEEKHUB, model_id, seconds) == Money(micros, "MXN")


def test_ten_jobs_of_five_seconds_of_kling_cost_42_pesos() -> None:
    total = Money(0, "MXN")
    for _ in range(10):
        total += shipped_price(Surface.GEEKHUB, "fal/kling-2", 5)
    assert total == Money(42_000_000, "MXN")


@pytest.mark.parametrize(
    ("model_id", "seconds", "micros"),
    [
        # docs/sources.md D 2.8, ky-vguide: the default of five seconds.
        ("kling-2.5-pro", None, 472_500),
        ("kling-3-pro", None, 756_000),
        ("kling-3-pro-audio", None, 1_134_000),
        ("seedance-2-pro", None, 2_047_950),
        ("seedance-2-fast", None, 1_632_825),
        # The price of one second.
        ("kling-2.5-pro", 1, 94_500),
        ("kling-3-pro", 1, 151_200),
        ("kling-3-pro-audio", 1, 226_800),
        ("seedance-2-pro", 1, 409_590),
        ("seedance-2-fast", 1, 326_565),
        # 0.135 and 0.540 USD/s, at the documented lengths.
        ("veo-3-fast", 4, 540_000),
        ("veo-3-fast", 6, 810_000),
        ("veo-3-fast", None, 1_080_000),
        ("veo-3", 4, 2_160_000),
        ("veo-3", 6, 3_240_000),
        ("veo-3", None, 4_320_000),
        # The proposed prices of Hailuo: 0.02295, 0.06075 and 0.108 USD/s.
        ("hailuo-02-512p", 1, 22_950),
        ("hailuo-02-768p", 1, 60_750),
        ("hailuo-02-1080p", 1, 108_000),
        ("hailuo-02-512p", None, 114_750),
        ("hailuo-02-768p", None, 303_750),
        ("hailuo-02-1080p", None, 540_000),
        # The longest.
        ("kling-3-pro", 10, 1_512_000),
        ("seedance-2-fast", 10, 3_265_650),
    ],
)
def test_kyma_costs_the_providers_price_by_its_markup(model_id: str, seconds: int | None, micros: int) -> None:
    assert shipped_price(Surface.KYMA, model_id, seconds) == Money(micros, "USD")


def test_without_markup_a_model_costs_what_its_provider_charges() -> None:
    model = CATALOGUE.get("kling-3-pro", Surface.NATIVE)
    spec = resolve(JobRequest(model="kling-3-pro", prompt="a red kite"), model)
    assert quote(spec, model, a_plan()).price == Money(560_000, "USD")


def test_the_customers_seconds_are_priced_whatever_is_rendered() -> None:
    spec = a_spec(clip_duration=timedelta(seconds=5), render_duration=timedelta(seconds=10))
    assert quote(spec, a_model(cost_per_second=Decimal("0.10")), a_plan()).price == Money(500_000, "USD")


def test_a_length_can_be_priced_without_a_spec() -> None:
    assert price(timedelta(seconds=7), a_model(), a_plan()) == Money(700_000, "USD")


def test_a_quote_freezes_what_the_price_was_made_from() -> None:
    model = a_model(cost_per_second=Decimal("0.04"))
    assert quote(a_spec(), model, GEEKHUB) == Quote(
        price=Money(4_200_000, "MXN"), cost_per_second=Decimal("0.04"), markup=Decimal("1.05"), fx=Decimal(20)
    )


@pytest.mark.parametrize(
    ("cost", "markup", "fx", "micros"),
    [
        # Half a micro goes up, less goes down.
        ("0.0000001", "1", "1", 1),
        ("0.00000009", "1", "1", 0),
        ("0.0000003", "1", "1", 2),
        ("0.0000005", "1", "1", 3),
        # Rounding each factor's product would give 0 and 6 here: 5 x 0.0000004 x 1.5 x 1.5 is 4.5 micros.
        ("0.0000004", "1.5", "1.5", 5),
        ("0", "1.05", "20", 0),
    ],
)
def test_a_price_is_rounded_half_up_and_once(cost: str, markup: str, fx: str, micros: int) -> None:
    plan = a_plan(markup=Decimal(markup), fx=Decimal(fx))
    assert quote(a_spec(), a_model(cost_per_second=Decimal(cost)), plan).price == Money(micros, "USD")
