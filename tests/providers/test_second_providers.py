"""Rows with two providers: who is asked when the first is not configured, refuses surely, or leaves it open."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.lifecycle import JobState
from reelgate_simulators.faults import Fault, RetryAfter, Status, accepted_but_lost
from reelgate_simulators.minimax import minimax_error
from tests.providers.bench import HOSTED, Bench
from tests.providers.matrix import KYMA, MATRIX, NATIVE, PRICES, SURFACES, YES
from tests.providers.orders import FAL, FALLBACK_ORDERS, FIRST_ORDERS, IMAGE, MINIMAX, PROMPT, TEXT, VERTEX
from tests.providers.surfaces import Ended, make, paid, success_of
from tests.providers.test_every_model import check
from tests.support.images import IMAGE_URL
from tests.support.world import START_MICROS

pytestmark = pytest.mark.asyncio(loop_scope="session")

OFFERED: Final = [
    (surface, model, kind)
    for (model, kind) in FALLBACK_ORDERS
    for surface, outcome in zip(SURFACES, MATRIX[model, kind], strict=True)
    if outcome == YES
]


def body_of(model: str, kind: str, **changes: Any) -> dict[str, Any]:
    picture = {"image_url": IMAGE_URL} if kind == IMAGE else {}
    return {"model": model, "prompt": PROMPT, **picture, **changes}


@pytest.mark.parametrize(("surface", "model", "kind"), OFFERED)
async def test_the_second_provider_renders_where_the_first_is_not_configured(
    bench: Bench, surface: str, model: str, kind: str
) -> None:
    order = FALLBACK_ORDERS[model, kind]
    ended = await make(bench.world(FAL), surface, body_of(model, kind))
    check(bench.submits(), order, ended)
    assert ended.transfers == paid(surface, PRICES[surface][model])
    success_of(surface, ended, order.clip_s, PRICES[surface][model])


REFUSALS: Final[Mapping[str, Mapping[str, Fault]]] = {
    VERTEX: {
        "down": Status(503, {"error": {"code": 503, "message": "down", "status": "UNAVAILABLE"}}),
        "key": Status(401, {"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}),
        "project": Status(403, {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}),
        "model": Status(404, {"error": {"code": 404, "message": "gone", "status": "NOT_FOUND"}}),
        "quota": RetryAfter(60, body={"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}),
    },
    MINIMAX: {
        "down": Status(503, "down"),
        "key": minimax_error(2049),
        "login": Status(401, "no"),
        "balance": minimax_error(1008),
        "quota": minimax_error(1002),
    },
}
"""How the first provider says that it will not, so that it surely has not taken the task."""
EVERY: Final = [(*pair, why) for pair in FALLBACK_ORDERS for why in ("down", "key")]
SOME: Final = [
    (*pair, why)
    for pair in (("veo-3", TEXT), ("hailuo-02-768p", IMAGE))
    for why in REFUSALS[FIRST_ORDERS[pair].provider]
    if why not in {"down", "key"}
]


@pytest.mark.parametrize(("model", "kind", "why"), [*EVERY, *SOME])
async def test_the_second_provider_is_asked_at_once_for_what_the_first_surely_refused(
    bench: Bench, model: str, kind: str, why: str
) -> None:
    first, second = FIRST_ORDERS[model, kind], FALLBACK_ORDERS[model, kind]
    simulator = bench.simulators[first.provider]
    simulator.faults.queue("submit", REFUSALS[first.provider][why])
    ended = await make(bench.world(*HOSTED), NATIVE, body_of(model, kind))
    refused, accepted = sorted(bench.submits(), key=lambda submit: submit.provider == FAL)
    assert (refused.provider, refused.path, refused.query, refused.body) == (
        first.provider, first.path, {}, first.body,
    )  # fmt: skip
    assert simulator.renders == {}
    check([accepted], second, ended)
    # The price stays, whoever renders.
    assert ended.transfers == paid(NATIVE, PRICES[NATIVE][model])
    success_of(NATIVE, ended, second.clip_s, PRICES[NATIVE][model])


async def test_the_second_provider_is_asked_for_a_length_of_its_own(bench: Bench) -> None:
    bench.simulators[VERTEX].faults.queue("submit", REFUSALS[VERTEX]["down"])
    ended = await make(bench.world(*HOSTED), KYMA, body_of("veo-3", TEXT, duration=4))
    refused, accepted = sorted(bench.submits(), key=lambda submit: submit.provider == FAL)
    # At 1080p Google renders eight seconds alone.
    assert refused.body["parameters"]["durationSeconds"] == 8
    order = replace(FALLBACK_ORDERS["veo-3", TEXT], clip_s=4, render_s=4)
    check([accepted], replace(order, body={**order.body, "duration": "4s"}), ended)
    assert ended.transfers == paid(KYMA, 2_160_000)
    success_of(KYMA, ended, 4, 2_160_000)


LOST: Final[list[Fault]] = [accepted_but_lost(), Status(500, "oops", takes_effect=True)]


@pytest.mark.parametrize("fault", LOST, ids=["reset", "500"])
@pytest.mark.parametrize("model", ["veo-3", "hailuo-02-768p"])
async def test_what_the_first_provider_may_have_taken_goes_to_nobody_else(
    bench: Bench, model: str, fault: Fault
) -> None:
    first = FIRST_ORDERS[model, TEXT]
    bench.simulators[first.provider].faults.queue("submit", fault)
    ended = await make(bench.world(*HOSTED), NATIVE, body_of(model, TEXT))
    assert [(submit.provider, submit.body) for submit in bench.submits()] == [(first.provider, first.body)]
    assert failure_of(ended) is FailureCode.SUBMIT_UNANSWERED
    assert ended.transfers == released(PRICES[NATIVE][model])


@pytest.mark.parametrize("model", ["veo-3", "hailuo-02-768p"])
async def test_what_the_first_providers_rules_forbid_is_offered_to_nobody_else(bench: Bench, model: str) -> None:
    ended = await make(bench.world(*HOSTED), NATIVE, body_of(model, TEXT, prompt="a fox [reject]"))
    assert [submit.provider for submit in bench.submits()] == [FIRST_ORDERS[model, TEXT].provider]
    assert failure_of(ended) is FailureCode.REJECTED
    assert ended.transfers == released(PRICES[NATIVE][model])


def failure_of(ended: Ended) -> FailureCode:
    assert ended.job.state is JobState.FAILED
    assert ended.job.failure is not None
    assert ended.video is None
    return ended.job.failure.code


def released(price_micros: int) -> list[tuple[str, int]]:
    """The transfers of a customer who got nothing."""
    return [("credit", START_MICROS), ("hold", price_micros), ("void", price_micros)]
