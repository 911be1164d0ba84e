"""Which of a model's providers can render what was asked for."""

from datetime import timedelta

import pytest

from reelgate_server.domain.catalogue import Route
from reelgate_server.domain.errors import FieldViolation, InvalidSpec
from reelgate_server.domain.ids import ProviderName
from reelgate_server.domain.routing import able_routes
from reelgate_server.domain.spec import Spec, resolve
from tests.domain.builders import a_model, a_request, a_route

ONE, TWO = ProviderName("one"), ProviderName("two")


def spec(**changes: object) -> Spec:
    """What a request for `a_model` becomes; five seconds in 720p at 16:9 unless told otherwise."""
    return resolve(a_request(**changes), a_model())


def names(routes: tuple[Route, ...], **changes: object) -> list[str]:
    """Who renders it."""
    return [each.provider for each in able_routes(spec(**changes), routes)]


def test_without_routes_there_is_nobody() -> None:
    assert able_routes(spec(), ()) == ()


def test_each_provider_is_asked_for_the_shortest_length_of_its_own_that_is_long_enough() -> None:
    routes = (
        a_route(provider=ONE, render_durations_s=(4, 8)),
        a_route(provider=TWO, render_durations_s=(5, 10), render_durations_at={"1080p": (10,)}),
    )
    assert [each.render_duration for each in able_routes(spec(), routes)] == [
        timedelta(seconds=8),
        timedelta(seconds=5),
    ]
    assert [each.render_duration for each in able_routes(spec(resolution="1080p"), routes)] == [
        timedelta(seconds=8),
        timedelta(seconds=10),
    ]


@pytest.mark.parametrize(
    ("limit", "asked", "violation"),
    [
        (
            {"refused_aspect_ratios": ("1:1",)},
            {"aspect_ratio": "1:1"},
            FieldViolation("aspect_ratio", "1:1 is not rendered by the provider of model 'test/model'"),
        ),
        (
            {"prompt_characters_max": 5},
            {"prompt": "a kite"},
            FieldViolation("prompt", "must be at most 5 characters for model 'test/model'"),
        ),
        (
            {"image_endpoint": None},
            {"image_url": "https://images.test/a.png"},
            FieldViolation("image_url", "is not accepted by the provider of model 'test/model'"),
        ),
        (
            {"text_endpoint": None},
            {},
            FieldViolation("image_url", "is required by the provider of model 'test/model'", is_missing=True),
        ),
    ],
)
def test_a_limit_of_one_provider_leaves_the_others_and_is_told_if_there_is_none(
    limit: dict[str, object], asked: dict[str, object], violation: FieldViolation
) -> None:
    limited, free = a_route(provider=ONE, **limit), a_route(provider=TWO)
    assert names((limited, free), **asked) == ["two"]
    with pytest.raises(InvalidSpec) as raised:
        names((limited,), **asked)
    assert raised.value.violations == (violation,)


def test_what_keeps_to_a_limit_is_rendered() -> None:
    assert names(
        (a_route(provider=ONE, prompt_characters_max=6, refused_aspect_ratios=("1:1",)),), prompt="a kite"
    ) == ["one"]
