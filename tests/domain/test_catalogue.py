"""The catalogue offers to each surface its own models."""

import pytest

from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.catalogue import Catalogue, is_offered
from reelgate_server.domain.errors import ModelNotFound
from reelgate_server.domain.ids import ModelId, ProviderName
from tests.domain.builders import a_model, a_route

KYMA = a_model(model_id=ModelId("on/kyma"), surfaces=frozenset({Surface.KYMA}))
BOTH = a_model(model_id=ModelId("on/both"), surfaces=frozenset({Surface.KYMA, Surface.CONCURRED}))
NONE = a_model(model_id=ModelId("on/none"), surfaces=frozenset())
CATALOGUE = Catalogue([KYMA, BOTH, NONE])


def test_the_native_surface_offers_every_model() -> None:
    assert CATALOGUE.offered(Surface.NATIVE) == (KYMA, BOTH, NONE)
    assert is_offered(NONE, Surface.NATIVE)
    assert CATALOGUE.get("on/none", Surface.NATIVE) is NONE


def test_a_dialect_offers_only_its_own() -> None:
    assert CATALOGUE.offered(Surface.KYMA) == (KYMA, BOTH)
    assert CATALOGUE.offered(Surface.CONCURRED) == (BOTH,)
    assert CATALOGUE.offered(Surface.GEEKHUB) == ()
    assert CATALOGUE.get("on/both", Surface.CONCURRED) is BOTH
    assert not is_offered(KYMA, Surface.CONCURRED)


@pytest.mark.parametrize(
    ("model_id", "surface"),
    [("on/kyma", Surface.GEEKHUB), ("on/none", Surface.KYMA), ("on/nothing", Surface.NATIVE), ("", Surface.NATIVE)],
)
def test_another_surfaces_model_looks_like_an_unknown_one(model_id: str, surface: Surface) -> None:
    with pytest.raises(ModelNotFound, match=rf"^Model '{model_id}' does not exist\.$"):
        CATALOGUE.get(model_id, surface)


def test_a_row_is_found_whatever_the_surface() -> None:
    assert CATALOGUE.row(ModelId("on/none")) is NONE
    assert CATALOGUE.row(ModelId("on/nothing")) is None


def test_models_keep_the_order_of_the_file() -> None:
    assert CATALOGUE.all() == (KYMA, BOTH, NONE)
    assert Catalogue([NONE, BOTH]).all() == (NONE, BOTH)


def test_a_render_is_the_shortest_that_is_long_enough() -> None:
    route = a_route(render_durations_s=(4, 6, 8))
    assert [route.render_duration_s(each, "720p") for each in range(1, 9)] == [4, 4, 4, 4, 6, 6, 8, 8]


def test_at_some_resolutions_a_provider_renders_fewer_lengths() -> None:
    route = a_route(render_durations_s=(4, 6, 8), render_durations_at={"1080p": (8,), "4k": (6, 8)})
    assert [route.render_duration_s(5, resolution) for resolution in ("720p", "1080p", "4k", "8k")] == [6, 8, 6, 6]


def test_a_route_is_called_by_what_it_takes() -> None:
    route = a_route(text_endpoint="owner/app/text", image_endpoint=None)
    assert (route.endpoint(has_image=False), route.endpoint(has_image=True)) == ("owner/app/text", None)
    assert a_route(image_endpoint="owner/app/image").endpoint(has_image=True) == "owner/app/image"


def test_a_model_belongs_to_its_first_provider_and_finds_the_route_of_each() -> None:
    vertex, fal = a_route(provider=ProviderName("vertex")), a_route()
    model = a_model(routes=(vertex, fal))
    assert model.provider == "vertex"
    assert (model.route(ProviderName("vertex")), model.route(ProviderName("fal"))) == (vertex, fal)
    assert model.route(ProviderName("minimax")) is None
