"""`reelgate doctor`: which providers are configured, answer, and accept the credentials they are given."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, assert_never

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from reelgate_server.cli.operations import CredentialReport, Operations, ProviderReport
from reelgate_server.cli.refusals import told_plainly
from reelgate_server.config import Settings
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import ProviderName

LOCAL: Final = ProviderName("local")
ADVICE: Final[Mapping[ProviderName, str]] = {
    ProviderName("fal"): "set REELGATE_FAL__KEYS__MAIN to an API key",
    ProviderName("minimax"): "set REELGATE_MINIMAX__KEYS__MAIN to an API key",
    ProviderName("vertex"): "set REELGATE_VERTEX__PROJECT to a Google Cloud project",
}
"""How to configure each provider of its own kind, in the order in which they are shown."""
OPENAI_ADVICE: Final = "set REELGATE_OPENAI__{}__BASE_URL to the address of a server that speaks the OpenAI shape"
"""How to configure a provider of the kind of which there may be several, each with a name."""
UNUSED: Final = "no row of the catalogue names it"
SOME_OPENAI: Final = ProviderName("openai")
"""Stands for all of that kind while there is none."""


class State(StrEnum):
    """What is known of one credential of a provider, or of one that needs none."""

    READY = "ready"
    """It answers, and needs no credential."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    """It knows the credential, and has enough of us for now."""
    UNUSABLE = "unusable"
    """Its settings name something that cannot be used, such as a file that is missing."""
    UNCLEAR = "unclear"
    NOT_CONFIGURED = "not_configured"


WORDS: Final[Mapping[State, str]] = {
    State.READY: "ready",
    State.ACCEPTED: "accepted",
    State.REFUSED: "refused",
    State.UNREACHABLE: "not reachable",
    State.THROTTLED: "accepted but throttled",
    State.UNUSABLE: "not usable",
    State.UNCLEAR: "unclear",
    State.NOT_CONFIGURED: "not configured",
}
COLOURS: Final[Mapping[State, str]] = {
    State.READY: "green",
    State.ACCEPTED: "green",
    State.REFUSED: "red",
    State.UNREACHABLE: "red",
    State.THROTTLED: "yellow",
    State.UNUSABLE: "red",
    State.UNCLEAR: "yellow",
    State.NOT_CONFIGURED: "dim",
}
FINE: Final = frozenset({State.READY, State.ACCEPTED, State.THROTTLED, State.NOT_CONFIGURED})
"""Nothing that an operator has to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the table."""

    provider: ProviderName
    model_count: int
    """Models of the catalogue that it renders, or would."""
    credential: str | None
    """The name of one; None where there is none."""
    state: State
    detail: str
    """What the provider said, or how to configure it; may be empty."""


def add_command(app: typer.Typer, operations: Operations) -> None:
    """Add the command."""

    @app.command()
    @told_plainly
    def doctor(
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,  # noqa: FBT002
    ) -> None:
        """Check every provider: configured, reachable, credentials accepted. It costs nothing.

        Ends with code 1 if a configured one is not fine.
        """
        settings = Settings()
        catalogue = operations.load_catalogue(settings)
        findings = examine(operations.check_providers(settings), catalogue)
        print_json(findings) if as_json else print_table(findings)
        if not is_fine(findings):
            # Not typer's own Exit, which is an error like any other to whoever tells errors plainly.
            sys.exit(1)


def examine(reports: Sequence[ProviderReport], catalogue: Catalogue) -> list[Finding]:
    """Put into words what was reported, and what could have been configured besides.

    Args:
        reports: Of the configured providers.
        catalogue: Names the providers that there could be.

    Returns:
        The configured ones first, `local` before the others and each credential on its own, then the missing ones.
    """
    findings = [
        Finding(
            provider=report.provider,
            model_count=(count := _model_count(catalogue, report.provider)),
            credential=each.credential,
            state=state_of(each),
            detail=each.fault.detail if each.fault is not None else "" if count else UNUSED,
        )
        for report in sorted(reports, key=_rank)
        for each in report.credentials
    ]
    missing = (
        Finding(
            provider=name,
            model_count=_model_count(catalogue, name),
            credential=None,
            state=State.NOT_CONFIGURED,
            detail=advice,
        )
        for name, advice in _missing({report.provider for report in reports}, catalogue)
    )
    return [*findings, *missing]


def _rank(report: ProviderReport) -> tuple[int, str]:
    order = (LOCAL, *ADVICE)
    return order.index(report.provider) if report.provider in order else len(order), report.provider


def is_fine(findings: Sequence[Finding]) -> bool:
    """Tell whether every configured provider can be used with every credential."""
    return all(finding.state in FINE for finding in findings)


def state_of(report: CredentialReport) -> State:
    """Put the outcome of a check into a word."""
    if report.fault is None:
        return State.READY if report.credential is None else State.ACCEPTED
    if report.fault.kind is FaultKind.INVALID and report.credential is None:
        return State.UNUSABLE
    return _state_of_fault(report.fault)


def _state_of_fault(fault: Fault) -> State:
    match fault.kind:
        case FaultKind.UNAUTHORIZED:
            return State.REFUSED
        case FaultKind.UNAVAILABLE | FaultKind.TIMEOUT:
            return State.UNREACHABLE
        case FaultKind.THROTTLED:
            return State.THROTTLED
        case (
            FaultKind.REJECTED
            | FaultKind.INVALID
            | FaultKind.IMAGE_UNUSABLE
            | FaultKind.UNINTELLIGIBLE
            | FaultKind.TASK_UNKNOWN
        ):
            return State.UNCLEAR
        case _:
            assert_never(fault.kind)


def _missing(configured: Collection[ProviderName], catalogue: Catalogue) -> Iterator[tuple[ProviderName, str]]:
    """What is not configured, and how to mend that."""
    yield from ((name, advice) for name, advice in ADVICE.items() if name not in configured)
    known = {*configured, *ADVICE, LOCAL}
    named = {route.provider for model in catalogue.all() for route in model.routes} - known
    yield from ((name, OPENAI_ADVICE.format(name.upper())) for name in sorted(named))
    if not named and not set(configured) - {*ADVICE, LOCAL}:
        yield SOME_OPENAI, OPENAI_ADVICE.format("NAME")


def _model_count(catalogue: Catalogue, name: ProviderName) -> int:
    routes = (model.route(name) for model in catalogue.all())
    return sum(route is not None and route.withdrawn is None for route in routes)


def print_table(findings: Sequence[Finding]) -> None:
    """Print for people."""
    # Wide where it is read by a program, so that no line is broken.
    console = Console(width=None if sys.stdout.isatty() else 200)
    table = Table(
        Column("Provider", no_wrap=True),
        Column("Models", justify="right"),
        Column("Credential", no_wrap=True),
        Column("State", no_wrap=True),
        Column("Detail", overflow="fold"),
    )
    for finding in findings:
        table.add_row(
            finding.provider,
            str(finding.model_count),
            # Names and a provider's words are not markup.
            Text(finding.credential or "-"),
            Text(WORDS[finding.state], COLOURS[finding.state]),
            Text(finding.detail),
        )
    console.print(table)


def print_json(findings: Sequence[Finding]) -> None:
    """Print for programs."""
    lines = [
        {
            "provider": finding.provider,
            "model_count": finding.model_count,
            "credential": finding.credential,
            "state": finding.state.value,
            "detail": finding.detail,
        }
        for finding in findings
    ]
    print(json.dumps({"is_fine": is_fine(findings), "findings": lines}, indent=2))
