"""Every length, ratio and resolution that is documented for a model, and what its provider is asked for."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from reelgate_server.domain.lifecycle import JobState
from tests.providers.bench import HOSTED, Bench
from tests.providers.matrix import CONCURRED, GEEKHUB, KYMA, NATIVE
from tests.providers.orders import FAL, FIRST_ORDERS, IMAGE, PROMPT, VERTEX
from tests.providers.surfaces import make_all
from tests.support.images import IMAGE_URL
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOUR_SIX_EIGHT: Final = {1: 4, 2: 4, 3: 4, 4: 4, 5: 6, 6: 6, 7: 8, 8: 8}
FIVE_TEN: Final = {1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 10, 7: 10, 8: 10, 9: 10, 10: 10}
SIX_TEN: Final = {1: 6, 2: 6, 3: 6, 4: 6, 5: 6, 6: 6, 7: 10, 8: 10, 9: 10, 10: 10}
FROM_THREE: Final = {1: 3, 2: 3, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 10}
FROM_FOUR: Final = {1: 4, 2: 4, 3: 4, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 10}
VEOS_OWN: Final = {4: 4, 6: 6, 8: 8}

LENGTHS: Final[Mapping[tuple[str, str], Mapping[int, int]]] = {
    (GEEKHUB, "google/veo-3.1"): FOUR_SIX_EIGHT,
    (GEEKHUB, "google/veo-3"): FOUR_SIX_EIGHT,
    (GEEKHUB, "fal/veo-3.1"): FOUR_SIX_EIGHT,
    (GEEKHUB, "fal/luma-ray-2"): {1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 9, 7: 9, 8: 9, 9: 9},
    (GEEKHUB, "fal/kling-2"): FIVE_TEN,
    (GEEKHUB, "fal/hailuo-02"): SIX_TEN,
    (KYMA, "kling-2.5-pro"): FIVE_TEN,
    (KYMA, "kling-3-pro"): FROM_THREE,
    (KYMA, "kling-3-pro-audio"): FROM_THREE,
    (KYMA, "seedance-2-pro"): FROM_FOUR,
    (KYMA, "seedance-2-fast"): FROM_FOUR,
    (KYMA, "hailuo-02-512p"): SIX_TEN,
    (KYMA, "hailuo-02-768p"): SIX_TEN,
    (KYMA, "hailuo-02-1080p"): {1: 6, 2: 6, 3: 6, 4: 6, 5: 6, 6: 6},
    (KYMA, "veo-3-fast"): VEOS_OWN,
    (CONCURRED, "veo-3.1"): VEOS_OWN,
    (CONCURRED, "veo-3.1-fast"): VEOS_OWN,
    (NATIVE, "wan-2.6"): {5: 5, 10: 10, 15: 15},
}
"""By surface and model: seconds that a customer may ask for, and seconds that the provider is asked for."""

RATIOS: Final[Mapping[str, tuple[str, ...]]] = {
    "google/veo-3.1": ("16:9", "9:16"),
    "google/veo-3": ("16:9", "9:16"),
    "fal/veo-3.1": ("16:9", "9:16"),
    "fal/luma-ray-2": ("16:9", "9:16"),
    "fal/kling-2": ("16:9", "9:16", "1:1"),
    "kling-2.5-pro": ("16:9", "9:16", "1:1"),
    "kling-3-pro": ("16:9", "9:16", "1:1"),
    "kling-3-pro-audio": ("16:9", "9:16", "1:1"),
    "seedance-2-pro": ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9"),
    "seedance-2-fast": ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9"),
    "veo-3-fast": ("16:9", "9:16"),
    "veo-3": ("16:9", "9:16"),
    "veo-3.1": ("16:9", "9:16"),
    "veo-3.1-fast": ("16:9", "9:16"),
    "wan-2.6": ("16:9", "9:16"),
}
"""Those that a model documents and its provider renders; Hailuo has no such field."""

WITH_A_RATIO_FROM_AN_IMAGE: Final = frozenset(RATIOS) - {
    "fal/kling-2", "kling-2.5-pro", "kling-3-pro", "kling-3-pro-audio", "wan-2.6",
}  # fmt: skip
"""The others follow the image, and have no field."""


def asked(surface: str, model: str, seconds: int) -> dict[str, Any]:
    """A create that names its length, which its prompt tells too."""
    field = {NATIVE: "clip_duration", GEEKHUB: "duration", KYMA: "duration", CONCURRED: "duration"}[surface]
    value: Any = {NATIVE: f"{seconds}s", CONCURRED: str(seconds)}.get(surface, seconds)
    return {"model": model, "prompt": f"{PROMPT}, for {seconds} s", field: value}


def length_of(provider: str, body: Any) -> int:
    """The seconds that a submit asks for; Hailuo Pro is not asked, and renders six."""
    match provider:
        case "vertex":
            assert isinstance(body["parameters"]["durationSeconds"], int)
            return int(body["parameters"]["durationSeconds"])
        case "minimax":
            assert isinstance(body["duration"], int)
            return int(body["duration"])
        case _:
            return int(body["duration"].removesuffix("s"))


async def lengths(bench: Bench, world: World, surface: str, bodies: list[dict[str, Any]]) -> dict[int, int]:
    """Make all, and return what was asked for each length that a customer asked for."""
    jobs = await make_all(world, surface, bodies)
    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    submits = bench.submits()
    assert len(submits) == len(bodies)
    seen = {str(submit.body): length_of(submit.provider, submit.body) for submit in submits}
    found = {}
    for job in jobs:
        [seconds] = [length for text, length in seen.items() if job.spec.prompt in text]
        assert job.spec.render_duration.total_seconds() == seconds
        found[int(job.spec.clip_duration.total_seconds())] = seconds
    return found


@pytest.mark.parametrize(("surface", "model"), LENGTHS)
async def test_the_provider_is_asked_for_the_shortest_length_that_is_long_enough(
    bench: Bench, surface: str, model: str
) -> None:
    expected = LENGTHS[surface, model]
    bodies = [asked(surface, model, seconds) for seconds in expected]
    assert await lengths(bench, bench.world(*HOSTED), surface, bodies) == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [("hailuo-02-512p", SIX_TEN), ("hailuo-02-768p", SIX_TEN), ("veo-3-fast", VEOS_OWN), ("veo-3", VEOS_OWN)],
)
async def test_so_is_the_second_provider(bench: Bench, model: str, expected: Mapping[int, int]) -> None:
    bodies = [asked(KYMA, model, seconds) for seconds in expected]
    assert await lengths(bench, bench.world(FAL), KYMA, bodies) == expected


@pytest.mark.parametrize(("model", "kind"), [each for each in FIRST_ORDERS if each[0] in RATIOS])
async def test_every_ratio_reaches_the_provider_that_has_a_field_for_it(bench: Bench, model: str, kind: str) -> None:
    picture = {"image_url": IMAGE_URL} if kind == IMAGE else {}
    bodies = [{"model": model, "prompt": PROMPT, "aspect_ratio": ratio, **picture} for ratio in RATIOS[model]]
    jobs = await make_all(bench.world(*HOSTED), NATIVE, bodies)
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * len(bodies)
    order = FIRST_ORDERS[model, kind]
    sent = [submit.body for submit in bench.submits()]
    if kind == IMAGE and model not in WITH_A_RATIO_FROM_AN_IMAGE:
        assert sent == [order.body] * len(bodies)
    elif order.provider == VERTEX:
        assert sorted(body["parameters"]["aspectRatio"] for body in sent) == sorted(RATIOS[model])
        assert [{**body, "parameters": {**body["parameters"], "aspectRatio": "16:9"}} for body in sent] == [
            order.body
        ] * len(bodies)
    else:
        assert sorted(body["aspect_ratio"] for body in sent) == sorted(RATIOS[model])
        assert [{**body, "aspect_ratio": "16:9"} for body in sent] == [order.body] * len(bodies)


@pytest.mark.parametrize("provider", [VERTEX, FAL])
@pytest.mark.parametrize("model", ["veo-3.1", "veo-3.1-fast"])
@pytest.mark.parametrize("surface", [NATIVE, CONCURRED])
async def test_every_resolution_of_veo_reaches_its_provider(
    bench: Bench, surface: str, model: str, provider: str
) -> None:
    bodies = [{"model": model, "prompt": PROMPT, "resolution": each} for each in ("720p", "1080p", "4k")]
    jobs = await make_all(bench.world(provider), surface, bodies)
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 3
    sent = [submit.body for submit in bench.submits()]
    found = [body["parameters"]["resolution"] if provider == VERTEX else body["resolution"] for body in sent]
    assert sorted(found) == ["1080p", "4k", "720p"]


# Kyma's Veo 3 is always 1080p.
DETAILED: Final[list[tuple[str, str, dict[str, str]]]] = [(KYMA, "veo-3", {})] + [
    (surface, model, {"resolution": resolution})
    for surface in (NATIVE, CONCURRED)
    for model in ("veo-3.1", "veo-3.1-fast")
    for resolution in ("1080p", "4k")
]


@pytest.mark.parametrize(("surface", "model", "resolution"), DETAILED)
async def test_google_is_asked_for_eight_seconds_of_more_than_720p(
    bench: Bench, surface: str, model: str, resolution: dict[str, str]
) -> None:
    bodies = [asked(surface, model, seconds) | resolution for seconds in (4, 6, 8)]
    assert await lengths(bench, bench.world(VERTEX), surface, bodies) == {4: 8, 6: 8, 8: 8}


@pytest.mark.parametrize(("surface", "model", "resolution"), DETAILED)
async def test_fal_renders_the_same_at_any_of_its_lengths(
    bench: Bench, surface: str, model: str, resolution: dict[str, str]
) -> None:
    bodies = [asked(surface, model, seconds) | resolution for seconds in (4, 6, 8)]
    assert await lengths(bench, bench.world(FAL), surface, bodies) == {4: 4, 6: 6, 8: 8}
