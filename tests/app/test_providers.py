"""Which provider renders which model."""

import pytest

from reelgate_server.app.providers import Availability, Providers
from reelgate_server.domain.errors import ModelUnavailable
from reelgate_server.domain.ids import ProviderName
from tests.domain.builders import a_model
from tests.support.fake_provider import FakeProvider

FAL, LOCAL = FakeProvider("fal"), FakeProvider("local")
BOTH = {FAL.name: FAL, LOCAL.name: LOCAL}


def test_a_models_own_provider_renders_it_if_it_is_configured() -> None:
    for providers in (Providers(BOTH), Providers(BOTH, stand_in=LOCAL.name)):
        assert providers.availability(a_model()) is Availability.AVAILABLE
        assert providers.choose(a_model()) == ("fal", False)


def test_a_stand_in_renders_the_others_and_it_shows() -> None:
    providers = Providers({LOCAL.name: LOCAL}, stand_in=LOCAL.name)
    assert providers.availability(a_model()) is Availability.SIMULATED
    assert providers.choose(a_model()) == ("local", True)


def test_the_stand_ins_own_models_are_not_simulated() -> None:
    providers = Providers({LOCAL.name: LOCAL}, stand_in=LOCAL.name)
    assert providers.choose(a_model(provider=ProviderName("local"))) == ("local", False)


def test_without_a_stand_in_nobody_renders_the_others() -> None:
    providers = Providers({LOCAL.name: LOCAL})
    assert providers.availability(a_model()) is Availability.UNAVAILABLE
    with pytest.raises(ModelUnavailable) as raised:
        providers.choose(a_model())
    assert raised.value.model_id == "test/model"


def test_a_provider_is_found_by_its_name_until_it_is_removed() -> None:
    assert Providers(BOTH).find(ProviderName("fal")) is FAL
    assert Providers({LOCAL.name: LOCAL}).find(ProviderName("fal")) is None
