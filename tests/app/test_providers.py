"""Which providers render which model, and in which order they are asked."""

import pytest

from reelgate_server.app.providers import Availability, Providers
from reelgate_server.domain.errors import ModelUnavailable
from reelgate_server.domain.ids import ProviderName
from tests.domain.builders import a_model, a_route
from tests.support.fake_provider import FakeProvider

FAL, VERTEX, LOCAL = FakeProvider("fal"), FakeProvider("vertex"), FakeProvider("local")
FIRST = a_route(provider=ProviderName("vertex"))
SECOND = a_route(provider=ProviderName("fal"))
TWO_ROUTES = a_model(routes=(FIRST, SECOND))
RETIRED = "It was retired in June."


def providers(*configured: FakeProvider, has_stand_in: bool = False) -> Providers:
    """Those that have credentials, and the local one, which may stand in for the others."""
    return Providers({each.name: each for each in (*configured, LOCAL)}, stand_in=LOCAL.name if has_stand_in else None)


@pytest.mark.parametrize("has_stand_in", [False, True])
def test_a_models_own_provider_renders_it_if_it_is_configured(*, has_stand_in: bool) -> None:
    both = providers(FAL, has_stand_in=has_stand_in)
    assert both.availability(a_model()) is Availability.AVAILABLE
    assert both.routes(a_model()) == (a_route(),)


def test_a_stand_in_renders_the_others_and_it_shows() -> None:
    alone = providers(has_stand_in=True)
    assert alone.availability(a_model()) is Availability.SIMULATED
    assert alone.routes(a_model()) == ()


def test_the_stand_ins_own_models_are_not_simulated() -> None:
    own = a_route(provider=ProviderName("local"))
    alone = providers(has_stand_in=True)
    assert alone.availability(a_model(routes=(own,))) is Availability.AVAILABLE
    assert alone.routes(a_model(routes=(own,))) == (own,)


def test_without_a_stand_in_nobody_renders_the_others() -> None:
    assert providers().availability(a_model()) is Availability.UNAVAILABLE
    with pytest.raises(ModelUnavailable, match=r"^Model 'test/model' is not available on this server\.$") as raised:
        providers().routes(a_model())
    assert raised.value.model_id == "test/model"


def test_routes_are_tried_in_the_order_of_the_catalogue() -> None:
    assert providers(FAL, VERTEX).routes(TWO_ROUTES) == (FIRST, SECOND)


@pytest.mark.parametrize("has_stand_in", [False, True])
def test_a_route_without_credentials_is_skipped(*, has_stand_in: bool) -> None:
    only_fal = providers(FAL, has_stand_in=has_stand_in)
    assert only_fal.availability(TWO_ROUTES) is Availability.AVAILABLE
    assert only_fal.routes(TWO_ROUTES) == (SECOND,)


@pytest.mark.parametrize("has_stand_in", [False, True])
def test_a_withdrawn_model_is_refused_with_its_reason_where_its_provider_is_configured(*, has_stand_in: bool) -> None:
    model = a_model(routes=(a_route(withdrawn=RETIRED),))
    configured = providers(FAL, has_stand_in=has_stand_in)
    assert configured.availability(model) is Availability.UNAVAILABLE
    reason = r"^Model 'test/model' is not available on this server\. It was retired in June\.$"
    with pytest.raises(ModelUnavailable, match=reason):
        configured.routes(model)


def test_a_withdrawn_model_is_simulated_where_its_provider_is_not_configured() -> None:
    model = a_model(routes=(a_route(withdrawn=RETIRED),))
    assert providers(has_stand_in=True).availability(model) is Availability.SIMULATED
    assert providers(has_stand_in=True).routes(model) == ()


def test_a_withdrawn_model_of_nobody_here_is_refused_without_a_reason() -> None:
    model = a_model(routes=(a_route(withdrawn=RETIRED),))
    with pytest.raises(ModelUnavailable, match=r"^Model 'test/model' is not available on this server\.$"):
        providers().routes(model)


def test_a_withdrawn_route_is_skipped_where_there_is_another() -> None:
    model = a_model(routes=(a_route(provider=ProviderName("vertex"), withdrawn=RETIRED), SECOND))
    assert providers(FAL, VERTEX).routes(model) == (SECOND,)
    only_vertex = providers(VERTEX, has_stand_in=True)
    assert only_vertex.availability(model) is Availability.UNAVAILABLE


def test_a_provider_is_found_by_its_name_until_it_is_removed() -> None:
    assert providers(FAL).find(ProviderName("fal")) is FAL
    assert providers().find(ProviderName("fal")) is None
