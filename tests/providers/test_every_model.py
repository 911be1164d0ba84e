"""Every model, from text and from an image, on every surface that offers it: created, rendered, stored and paid for."""

from typing import Any

import pytest

from reelgate_server.domain.lifecycle import JobState
from reelgate_simulators.fal_inputs import ENDPOINTS, problems, unlisted
from reelgate_simulators.video import tiny_mp4
from tests.providers.bench import AUTHORIZATION, HOSTED, Arrived, Bench
from tests.providers.dialect_variations import IGNORED, ON_CONCURRED, ON_GEEKHUB, ON_KYMA, ON_VEO_OF_FAL
from tests.providers.matrix import CONCURRED, FROM_TEXT_ALONE, MADE, PRICES, SWITCHED, VARIANTS, cells
from tests.providers.orders import FAL, FIRST_ORDERS, IMAGE, PROMPT, TEXT, Order, rendered_s
from tests.providers.surfaces import Ended, make, paid, success_of
from tests.providers.variations import NATIVELY, WITH_DATA, Variation
from tests.support.images import IMAGE_URL

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPLETED = [(surface, model, kind, outcome) for surface, model, kind, outcome in cells() if outcome in MADE]


CONCURREDS = [
    ("veo-3.1", "google", "processing"),
    ("veo-3.1-fast", "google", "processing"),
    ("kling-3-pro", "fal", "completed"),
    ("kling-3-pro-i2v", "fal", "completed"),
    ("wan-2.6", "fal", "completed"),
    ("wan-2.6-i2v", "fal", "completed"),
]


def check(arrived: list[Arrived], order: Order, ended: Ended) -> None:
    """One submit, with every field as expected, and its video kept."""
    [submit] = arrived
    assert (submit.provider, submit.path) == (order.provider, order.path)
    assert submit.query == {}
    assert submit.body == order.body
    assert submit.authorization == AUTHORIZATION[order.provider]
    if order.provider == FAL:
        assert order.endpoint in ENDPOINTS
        assert (unlisted(order.endpoint, submit.body), problems(order.endpoint, submit.body)) == (set(), [])
    assert order.render_s == min(each for each in rendered_s(order.endpoint) if each >= order.clip_s)
    assert ended.job.state is JobState.SUCCEEDED
    assert ended.job.provider == order.provider
    assert ended.job.spec.clip_duration.total_seconds() == order.clip_s
    assert ended.job.spec.render_duration.total_seconds() == order.render_s
    # The simulator's video is as long as what it was asked for.
    assert ended.video == tiny_mp4(order.render_s)


@pytest.mark.parametrize(
    ("surface", "model", "kind", "outcome"), COMPLETED, ids=["-".join(cell[:3]) for cell in COMPLETED]
)
async def test_a_model_is_rendered_as_documented(
    bench: Bench, surface: str, model: str, kind: str, outcome: str
) -> None:
    body: dict[str, Any] = {"model": model, "prompt": PROMPT}
    if kind == IMAGE:
        body["image_url"] = IMAGE_URL
    rendered = VARIANTS[model] if outcome == SWITCHED else model
    order = FIRST_ORDERS[rendered, TEXT if outcome == FROM_TEXT_ALONE else kind]
    ended = await make(bench.world(*HOSTED), surface, body)
    check(bench.submits(), order, ended)
    assert ended.job.spec.model == rendered
    price_micros = PRICES[surface][rendered]
    assert ended.transfers == paid(surface, price_micros)
    success_of(surface, ended, order.clip_s, price_micros)


@pytest.mark.parametrize("row", [*NATIVELY, *WITH_DATA, *ON_GEEKHUB, *ON_KYMA, *ON_CONCURRED, *IGNORED], ids=str)
async def test_what_a_customer_asks_for_reaches_the_provider(bench: Bench, row: Variation) -> None:
    ended = await make(bench.world(*HOSTED), row.surface, {"model": row.model, "prompt": PROMPT, **row.asked})
    check(bench.submits(), row.order, ended)
    assert ended.transfers == paid(row.surface, row.price_micros)
    success_of(row.surface, ended, row.order.clip_s, row.price_micros)


@pytest.mark.parametrize(("model", "label", "status"), CONCURREDS)
async def test_concurred_answers_at_once_for_veo_and_with_the_video_for_the_rest(
    bench: Bench, model: str, label: str, status: str
) -> None:
    body = {"model": model, "prompt": PROMPT, "image_url": IMAGE_URL}
    data = (await make(bench.world(*HOSTED), CONCURRED, body)).created["data"]
    assert (data["model"], data["provider"], data["status"]) == (VARIANTS.get(model, model), label, status)
    assert ("operation_id" in data, "video_url" in data) == (status == "processing", status == "completed")


@pytest.mark.parametrize("row", ON_VEO_OF_FAL, ids=str)
async def test_what_a_customer_asks_for_reaches_the_second_provider(bench: Bench, row: Variation) -> None:
    ended = await make(bench.world(FAL), row.surface, {"model": row.model, "prompt": PROMPT, **row.asked})
    check(bench.submits(), row.order, ended)
    assert ended.transfers == paid(row.surface, row.price_micros)
    success_of(row.surface, ended, row.order.clip_s, row.price_micros)
