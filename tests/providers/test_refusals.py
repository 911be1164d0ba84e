"""What is refused, on every surface concerned: in its documented shape, with the reason, and nothing left behind."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from reelgate_server.config import Settings
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.wiring import provider_builders
from tests.providers.bench import HOSTED, Bench
from tests.providers.matrix import CONCURRED, GEEKHUB, KYMA, MADE, NATIVE, NOT_OFFERED, VARIANTS, cells
from tests.providers.orders import FAL, IMAGE, MINIMAX, PROMPT, VERTEX
from tests.providers.refusals import LATE, REFUSALS, UNAVAILABLE, LateRefusal, Refused, of_cell
from tests.providers.surfaces import PLANS, create, job_count, make, transfers_of
from tests.support.fake_provider import FakeProvider
from tests.support.images import IMAGE_URL
from tests.support.rpc import Refusal, refusal, serving
from tests.support.world import START_MICROS, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

Told = tuple[str | None, str, str]
"""Status, code and sentence."""


def _told_natively(refused: Refusal) -> Told:
    assert "x-error-body" not in refused.trailers
    return refused.code, refused.reason, refused.message


def _told_by_geekhub(refused: Refusal) -> Told:
    error = refused.body["error"]
    assert list(refused.body) == ["error"]
    assert list(error) == ["message", "type", "code", "request_id"]
    assert error["type"] == error["code"]
    assert re.fullmatch("req_[0-9a-f]{24}", error["request_id"])
    return refused.http_status, error["code"], error["message"]


def _told_by_kyma(refused: Refusal) -> Told:
    error = refused.body["error"]
    assert list(refused.body) == ["error"]
    assert list(error) == ["message", "type", "code"]
    assert error["type"] == "invalid_request_error"
    return refused.http_status, error["code"], error["message"]


def _told_by_concurred(refused: Refusal) -> Told:
    error = refused.body["error"]
    assert list(refused.body) == ["error"]
    assert list(error) == ["code", "message", "details"]
    assert error["details"] == {}
    return refused.http_status, error["code"], error["message"]


TOLD: Final[Mapping[str, Callable[[Refusal], Told]]] = {
    NATIVE: _told_natively,
    GEEKHUB: _told_by_geekhub,
    KYMA: _told_by_kyma,
    CONCURRED: _told_by_concurred,
}


async def refuse(bench: Bench, world: World, surface: str, body: Mapping[str, Any]) -> Told:
    """Send a create that must be refused, and check that nothing came of it."""
    customer = await world.join(PLANS[surface])
    async with serving(world) as api:
        refused = await refusal(create(api, customer, surface, body))
        await world.run_due()
        assert await job_count(api, customer) == 0
    assert await transfers_of(world, customer) == [("credit", START_MICROS)]
    assert world.media.files == {}
    assert bench.requests() == []
    assert bench.images.fetched == []
    return TOLD[surface](refused)


CELLS: Final = [cell for cell in cells() if cell[3] not in MADE]


@pytest.mark.parametrize(("surface", "model", "kind", "outcome"), CELLS, ids=["-".join(cell) for cell in CELLS])
async def test_what_a_surface_does_not_make_is_refused(
    bench: Bench, surface: str, model: str, kind: str, outcome: str
) -> None:
    body = {"model": model, "prompt": PROMPT} | ({"image_url": IMAGE_URL} if kind == IMAGE else {})
    assert await refuse(bench, bench.world(*HOSTED), surface, body) == of_cell(surface, model, outcome)


@pytest.mark.parametrize("row", REFUSALS, ids=str)
async def test_what_no_provider_could_render_is_refused(bench: Bench, row: Refused) -> None:
    body = {"model": row.model, "prompt": PROMPT, **row.asked}
    assert await refuse(bench, bench.world(*HOSTED), row.surface, body) == (row.status, row.code, row.sentence)


OFFERED: Final = [(surface, model, kind) for surface, model, kind, outcome in cells() if outcome != NOT_OFFERED]


@pytest.mark.parametrize(("surface", "model", "kind"), OFFERED)
async def test_without_a_key_no_model_of_a_provider_is_available(
    bench: Bench, surface: str, model: str, kind: str
) -> None:
    body = {"model": model, "prompt": PROMPT} | ({"image_url": IMAGE_URL} if kind == IMAGE else {})
    named = VARIANTS.get(model, model) if surface == CONCURRED and kind == IMAGE else model
    world = World(providers=[FakeProvider("local")], stand_in=None)
    sentence = f"Model '{named}' is not available on this server."
    assert await refuse(bench, world, surface, body) == (*UNAVAILABLE[surface], sentence)


async def test_without_a_key_only_the_local_renderer_is_configured() -> None:
    settings = Settings()
    assert set(provider_builders(settings)) == {"local"}
    assert settings.local_renderer.is_stand_in is False


@pytest.mark.parametrize(
    ("configured", "model"), [(VERTEX, "fal/kling-2"), (FAL, "google/veo-3.1"), (MINIMAX, "veo-3"), (VERTEX, "wan-2.6")]
)
async def test_another_providers_key_does_not_help(bench: Bench, configured: str, model: str) -> None:
    told = await refuse(bench, bench.world(configured), NATIVE, {"model": model, "prompt": PROMPT})
    assert told == (*UNAVAILABLE[NATIVE], f"Model '{model}' is not available on this server.")


async def test_without_fal_a_withdrawn_model_is_only_unavailable(bench: Bench) -> None:
    told = await refuse(bench, bench.world(VERTEX), GEEKHUB, {"model": "fal/runway-gen-4", "prompt": PROMPT})
    assert told == ("502", "provider_unavailable", "Model 'fal/runway-gen-4' is not available on this server.")


@pytest.mark.parametrize("row", LATE, ids=str)
async def test_what_only_the_provider_can_refuse_fails_the_job_and_costs_nothing(
    bench: Bench, row: LateRefusal
) -> None:
    body = {"model": row.model, "prompt": PROMPT, **row.asked}
    ended = await make(bench.world(row.provider), NATIVE, body)
    assert ended.job.state is JobState.FAILED
    assert ended.job.failure is not None
    assert (ended.job.failure.code, ended.job.failure.message) == (row.code, row.sentence)
    assert ended.told["error"]["message"] == row.sentence
    assert ended.transfers == [
        ("credit", START_MICROS), ("hold", row.price_micros), ("void", row.price_micros),
    ]  # fmt: skip
    assert ended.video is None
    assert [submit.provider for submit in bench.submits()] == [row.provider] * row.submit_count
    assert bench.simulators[row.provider].renders == {}
