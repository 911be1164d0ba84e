"""`reelgate doctor`: what an operator is told of the providers, and what never."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner, Result

from reelgate_server.app.accounts import Accounts
from reelgate_server.cli.app import build_cli
from reelgate_server.cli.doctor import Finding, State, examine, is_fine
from reelgate_server.cli.operations import CredentialReport, ProviderReport
from reelgate_server.config import Settings
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.catalogue_toml import parse_catalogue
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import ProviderName


def row(model_id: str, provider: str, more: str = "") -> str:
    """A model of the catalogue."""
    return f"""
[[model]]
id = "{model_id}"
name = "A model"
provider = "{provider}"
surfaces = []
text_endpoint = "some/model"
cost_per_second = "0"
durations = {{ default = 4, allowed = [4] }}
render_durations = [4]
aspect_ratios = ["16:9"]
resolutions = ["720p"]
audio = false
image_input = "none"
deadline_s = 600
typical_render_s = 60
{more}
"""


FALLBACK = 'fallbacks = [{ provider = "fal", text_endpoint = "other/model", render_durations = [4] }]'
CATALOGUE = parse_catalogue(
    row("a/storyboard", "local")
    + row("a/kling", "fal")
    + row("a/hailuo", "minimax", FALLBACK)
    + row("a/hailuo-2", "minimax")
    + row("a/runway", "fal", 'withdrawn = "It is gone."'),
    "catalogue.toml",
)
OPENAI_HINT = "set REELGATE_OPENAI__NAME__BASE_URL to the address of a server that speaks the OpenAI shape"


@dataclass
class Reported:
    """The seam to the server, with reports that a test wrote."""

    reports: Sequence[ProviderReport]
    catalogue: Catalogue = CATALOGUE

    def serve(self, settings: Settings) -> None:
        pytest.fail("nothing may be served")

    def migrate_store(self, settings: Settings) -> list[int]:
        pytest.fail("no store may be touched")

    def open_accounts(self, settings: Settings) -> AbstractAsyncContextManager[Accounts]:
        pytest.fail("no store may be touched")

    def load_catalogue(self, settings: Settings) -> Catalogue:
        return self.catalogue

    def check_providers(self, settings: Settings) -> Sequence[ProviderReport]:
        return self.reports


def report(name: str, *credentials: tuple[str | None, Fault | None]) -> ProviderReport:
    """What became of the checks of one provider; fine and without a credential if none is given."""
    made = tuple(CredentialReport(credential=key, fault=fault) for key, fault in credentials or ((None, None),))
    return ProviderReport(provider=ProviderName(name), credentials=made)


def fault(kind: FaultKind, detail: str = "") -> Fault:
    return Fault(kind=kind, detail=detail)


def run(reports: Sequence[ProviderReport], *options: str, catalogue: Catalogue = CATALOGUE) -> Result:
    return CliRunner().invoke(build_cli(Reported(reports, catalogue)), ["doctor", *options])


def lines(result: Result) -> list[list[str]]:
    """The cells of the table, without its frame."""
    return [
        [cell.strip() for cell in line.strip()[1:-1].replace("┃", "│").split("│")]
        for line in result.stdout.splitlines()
        if line.startswith(("│", "┃"))
    ]


def test_without_any_key_everything_is_fine_and_what_could_be_set_is_named() -> None:
    result = run([report("local")])
    assert result.exit_code == 0
    assert lines(result) == [
        ["Provider", "Models", "Credential", "State", "Detail"],
        ["local", "1", "-", "ready", ""],
        ["fal", "2", "-", "not configured", "set REELGATE_FAL__KEYS__MAIN to an API key"],
        ["minimax", "2", "-", "not configured", "set REELGATE_MINIMAX__KEYS__MAIN to an API key"],
        ["vertex", "0", "-", "not configured", "set REELGATE_VERTEX__PROJECT to a Google Cloud project"],
        ["openai", "0", "-", "not configured", OPENAI_HINT],
    ]


def test_every_credential_has_a_line_of_its_own_and_one_that_is_refused_ends_with_code_1() -> None:
    detail = "HTTP 401: Cannot access application. Authentication is required. Key [secret]"
    result = run(
        [
            report("minimax", ("main", None)),
            report("fal", ("old", fault(FaultKind.UNAUTHORIZED, detail)), ("new", None)),
            report("local"),
        ]
    )
    assert result.exit_code == 1
    assert lines(result)[1:5] == [
        ["local", "1", "-", "ready", ""],
        ["fal", "2", "old", "refused", detail],
        ["fal", "2", "new", "accepted", ""],
        ["minimax", "2", "main", "accepted", ""],
    ]


@pytest.mark.parametrize(
    ("kind", "state", "words", "exit_code"),
    [
        (FaultKind.UNAUTHORIZED, "refused", "refused", 1),
        (FaultKind.UNAVAILABLE, "unreachable", "not reachable", 1),
        (FaultKind.TIMEOUT, "unreachable", "not reachable", 1),
        (FaultKind.THROTTLED, "throttled", "accepted but throttled", 0),
        (FaultKind.UNINTELLIGIBLE, "unclear", "unclear", 1),
        (FaultKind.INVALID, "unclear", "unclear", 1),
        (FaultKind.REJECTED, "unclear", "unclear", 1),
        (FaultKind.IMAGE_UNUSABLE, "unclear", "unclear", 1),
        (FaultKind.TASK_UNKNOWN, "unclear", "unclear", 1),
    ],
)
def test_every_fault_has_a_word_for_people_and_one_for_programs(
    kind: FaultKind, state: str, words: str, exit_code: int
) -> None:
    reports = [report("local"), report("fal", ("main", fault(kind, "why")))]
    table, document = run(reports), run(reports, "--json")
    assert lines(table)[2] == ["fal", "2", "main", words, "why"]
    assert (table.exit_code, document.exit_code) == (exit_code, exit_code)
    read = json.loads(document.stdout)
    assert read["is_fine"] is (exit_code == 0)
    assert read["findings"][1] == {
        "provider": "fal",
        "model_count": 2,
        "credential": "main",
        "state": state,
        "detail": "why",
    }


def test_a_local_renderer_that_cannot_start_is_told_too() -> None:
    broken = fault(FaultKind.INVALID, "[Errno 13] Permission denied: 'var/render'")
    result = run([report("local", (None, broken))])
    assert lines(result)[1] == ["local", "1", "-", "not usable", "[Errno 13] Permission denied: 'var/render'"]
    assert result.exit_code == 1


def test_a_server_of_the_openai_shape_is_shown_by_its_name_and_asked_for_by_the_row_that_needs_it() -> None:
    catalogue = parse_catalogue(row("own/wan", "basement"), "own.toml")
    missing = examine([report("local")], catalogue)
    assert missing[-1] == Finding(
        provider=ProviderName("basement"),
        model_count=1,
        credential=None,
        state=State.NOT_CONFIGURED,
        detail="set REELGATE_OPENAI__BASEMENT__BASE_URL to the address of a server that speaks the OpenAI shape",
    )
    configured = examine([report("attic"), report("local"), report("basement")], catalogue)
    assert [(each.provider, each.model_count, each.state, each.detail) for each in configured] == [
        ("local", 0, State.READY, "no row of the catalogue names it"),
        ("attic", 0, State.READY, "no row of the catalogue names it"),
        ("basement", 1, State.READY, ""),
        ("fal", 0, State.NOT_CONFIGURED, "set REELGATE_FAL__KEYS__MAIN to an API key"),
        ("minimax", 0, State.NOT_CONFIGURED, "set REELGATE_MINIMAX__KEYS__MAIN to an API key"),
        ("vertex", 0, State.NOT_CONFIGURED, "set REELGATE_VERTEX__PROJECT to a Google Cloud project"),
    ]
    assert is_fine(configured)


def test_a_providers_words_are_shown_as_they_are() -> None:
    """Rich would take brackets for its markup and colons for pictures."""
    text = "HTTP 403: [bold]locked[/bold] [/] :warning: [secret]"
    result = run([report("fal", ("[red]main", fault(FaultKind.UNAUTHORIZED, text)))])
    assert lines(result)[1] == ["fal", "2", "[red]main", "refused", text]
