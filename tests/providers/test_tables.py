"""The tables of this folder leave nothing out, and `docs/providers/README.md` shows them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reelgate_server.domain.accounts import Surface
from tests.domain.builders import CATALOGUE
from tests.providers.matrix import (
    CONCURRED,
    FROM_TEXT_ALONE,
    GEEKHUB,
    KYMA,
    MADE,
    MATRIX,
    MODELS,
    NATIVE,
    NOT_OFFERED,
    PRICES,
    SURFACES,
    SWITCHED,
    VARIANTS,
    YES,
    cells,
)
from tests.providers.orders import FALLBACK_ORDERS, FIRST_ORDERS, IMAGE, TEXT, Order
from tests.providers.refusals import EXTRA, LATE, REFUSALS, UNAVAILABLE, of_cell

PAGE = Path(__file__).parents[2] / "docs/providers/README.md"
HEADINGS = {NATIVE: "native", GEEKHUB: "GeekHub", KYMA: "Kyma", CONCURRED: "Concurred"}


def test_every_model_of_the_catalogue_is_in_the_matrix() -> None:
    assert set(MODELS) == {model.model_id for model in CATALOGUE.all()} - {"local/storyboard"}
    assert set(MATRIX) == {(model, kind) for model in MODELS for kind in (TEXT, IMAGE)}


def test_a_surface_offers_what_the_matrix_says() -> None:
    offered = {(surface, model) for surface, model, _, outcome in cells() if outcome != NOT_OFFERED}
    assert offered == {
        (surface, model)
        for surface in SURFACES
        for model in MODELS
        if model in {each.model_id for each in CATALOGUE.offered(Surface(surface))}
    }


def test_every_model_that_is_made_has_an_order_and_a_price() -> None:
    made = {(model, kind) for surface, model, kind, outcome in cells() if surface == NATIVE and outcome in MADE}
    assert made == set(FIRST_ORDERS)
    for surface in SURFACES:
        rendered = {
            VARIANTS[model] if outcome == SWITCHED else model
            for each, model, _, outcome in cells()
            if each == surface and outcome in MADE
        }
        assert rendered == set(PRICES[surface])


def test_every_row_with_two_providers_has_a_second_order() -> None:
    rows = {
        (model.model_id, kind)
        for model in CATALOGUE.all()
        for kind in (TEXT, IMAGE)
        if len(model.routes) > 1 and model.routes[1].endpoint(has_image=kind == IMAGE)
    }
    assert rows == set(FALLBACK_ORDERS)


def row(*columns: str) -> str:
    return f"| {' | '.join(columns)} |".replace("|  |", "| |").replace("|  |", "| |")


def head(*columns: str) -> Iterator[str]:
    yield row(*columns)
    yield f"|{'---|' * len(columns)}"


def shown(order: Order | None) -> str:
    return f"{order.provider}: `{order.endpoint}`" if order else ""


def matrix_lines() -> Iterator[str]:
    yield from head("model", "input", *HEADINGS.values(), "first asked", "then")
    for (model, kind), outcomes in MATRIX.items():
        words = [f"as `{VARIANTS[model]}`" if each == SWITCHED else each for each in outcomes]
        orders = (FIRST_ORDERS.get((model, kind)), FALLBACK_ORDERS.get((model, kind)))
        yield row(f"`{model}`", kind, *words, *map(shown, orders))


def outcome_lines() -> Iterator[str]:
    yield from head("cell", *HEADINGS.values(), "such as")
    refused = [cell for cell in cells() if cell[3] not in {YES, FROM_TEXT_ALONE, SWITCHED}]
    for outcome in dict.fromkeys(cell[3] for cell in refused):
        those = [(surface, *of_cell(surface, model, outcome)) for surface, model, _, each in refused if each == outcome]
        yield row(outcome, *answers(those))
    sentence = "Model 'veo-3.1' is not available on this server."
    yield row("any, without a key", *answers([(surface, *UNAVAILABLE[surface], sentence) for surface in SURFACES]))


def refusal_lines() -> Iterator[str]:
    yield from head("what is asked for", *HEADINGS.values(), "such as")
    for why in dict.fromkeys(each.why for each in REFUSALS):
        those = [(each.surface, each.status, each.code, each.sentence) for each in REFUSALS if each.why == why]
        yield row(why, *answers(those))


def late_lines() -> Iterator[str]:
    yield from head("what is asked for", "seen with", "code", "what the customer is told")
    for why in dict.fromkeys(each.why for each in LATE):
        those = [each for each in LATE if each.why == why]
        providers = ", ".join(dict.fromkeys(each.provider for each in those))
        yield row(why, providers, f"`{those[0].code.name}`", those[0].sentence)


def answers(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    """What each surface answers, and the last sentence of all."""
    columns = []
    for surface in SURFACES:
        codes = dict.fromkeys(f"{status} `{code}`" for each, status, code, _ in rows if each == surface)
        columns.append(", ".join(codes))
    return [*columns, f"`{rows[-1][3]}`" if "`" not in rows[-1][3] else f"`` {rows[-1][3]} ``"]


def parameter_lines() -> Iterator[str]:
    yield from head("such as", "natively", "Kyma")
    for name, (_, natively, at_kyma) in EXTRA.items():
        yield row(f"`{name}`", natively, at_kyma)


def test_the_page_shows_the_tables() -> None:
    page = PAGE.read_text("utf-8")
    for lines in (matrix_lines(), outcome_lines(), refusal_lines(), parameter_lines(), late_lines()):
        table = "\n".join(lines)
        assert f"\n\n{table}\n\n" in f"{page}\n", f"{PAGE.name} lacks this table:\n{table}"
