"""House rules that no linter has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelgate.v1.error_reason_pb2 import ErrorReason
from reelgate_server.config import Settings

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src/reelgate_server"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

PINNED_TO_ONE_MODULE = {
    r"\bdatetime\.now\(|\btime\.time\(": {"adapters/clock.py"},
    r"\bsecrets\.|\brandom\.(random|choice|uniform)\(|\buuid[147]\(\)": {"adapters/entropy.py", "cli/client.py"},
    r"\bos\.environ\b|\bos\.getenv\(": {"config.py", "cli/up.py"},
}
"""What reads the world directly, and the modules that may: time, randomness, the environment.

`cli/up.py` hands its own environment on to the server that it starts.
"""

CONTRACTS = {
    "store": "test_stores.py",
    "accounts": "test_stores.py",
    "provider": "test_providers.py",
    "media": "test_media.py",
    "images": "test_images.py",
    "metrics": "test_metrics.py",
    "webhooks": "test_webhooks.py",
    "feed": "test_feed.py",
    "clock": "test_clock.py",
    "entropy": "test_entropy.py",
}
"""The suite of each port, in `tests/contract`."""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def names_of_settings() -> Iterator[str]:
    """The environment variable of every setting."""
    for field, info in Settings.model_fields.items():
        members = getattr(info.annotation, "model_fields", None)
        prefix = f"REELGATE_{field.upper()}"
        yield from (f"{prefix}__{member.upper()}" for member in members) if members else (prefix,)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_fits_in_one_head(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MODULE_LINES_MAX


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [
        f"{function.name}: {function.end_lineno - function.lineno + 1} lines"
        for function in functions(ast.parse(path.read_text("utf-8")))
        if function.end_lineno is not None
        and function.end_lineno - function.lineno + 1 > FUNCTION_LINES_MAX
        # The composition root is one list of what stands behind what.
        and (name(path), function.name) != ("main.py", "serve")
    ]
    assert long == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_world_is_read_in_one_place(path: Path) -> None:
    text = path.read_text("utf-8")
    for pattern, allowed in PINNED_TO_ONE_MODULE.items():
        assert name(path) in allowed or not re.search(pattern, text), f"{pattern} belongs in {allowed}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_background_tasks_belong_to_a_group(path: Path) -> None:
    assert not re.search(r"\b(asyncio|loop)\.(create_task|ensure_future)\(", path.read_text("utf-8"))


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_no_marks_of_unfinished_work(path: Path) -> None:
    marks = "TO" + "DO|FIX" + "ME|XX" + "X|NotImplemented" + "Error"
    assert not re.search(rf"\b({marks})\b", path.read_text("utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_type_error_is_silenced(path: Path) -> None:
    assert "# type: " + "ignore" not in path.read_text("utf-8")


def test_every_port_has_a_contract_suite() -> None:
    ports = {path.stem for path in (SOURCE / "ports").glob("*.py")} - {"__init__"}
    assert ports == set(CONTRACTS)
    for suite in CONTRACTS.values():
        assert (REPOSITORY / "tests/contract" / suite).is_file(), suite


def test_every_error_reason_is_tested() -> None:
    text = "\n".join(path.read_text("utf-8") for path in TESTS if path.name != "test_tidy.py")
    reasons = [reason.removeprefix("ERROR_REASON_") for reason in ErrorReason.keys()[1:]]
    assert [reason for reason in reasons if not re.search(rf"\b(ERROR_REASON_)?{reason}\b", text)] == []


def test_every_setting_is_documented() -> None:
    page = (REPOSITORY / "docs/configuration.md").read_text("utf-8")
    assert [variable for variable in names_of_settings() if f"`{variable}`" not in page] == []


def test_every_documented_variable_exists() -> None:
    page = (REPOSITORY / "docs/configuration.md").read_text("utf-8")
    clients = {"URL", "GRPC", "API_KEY", "GEEKHUB_KEY", "KYMA_KEY", "CONCURRED_KEY", "CONFIG"}
    known = {*names_of_settings(), *(f"REELGATE_{client}" for client in clients)}
    assert set(re.findall(r"`(REELGATE_[A-Z_]+)`", page)) <= known


def test_no_page_names_a_registry_or_a_path_of_a_machine() -> None:
    registries = "py" + "pi|python" + "hosted|npm" + "js|crates"
    suspicious = re.compile(
        rf"https?://[a-z0-9.-]*({registries})[a-z0-9.-]*\.(org|io|com)|(?<![\w.])/(root|home|work)/"
    )
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*.txt"), *REPOSITORY.glob("*.toml"), REPOSITORY / "Makefile"]
    pages += [*(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "envoy").rglob("*.yaml")]
    assert [path.name for path in pages if suspicious.search(path.read_text("utf-8"))] == []


def test_the_diagram_in_the_readme_is_the_table() -> None:
    import runpy  # noqa: PLC0415 (a script, not a module)

    script = runpy.run_path(str(REPOSITORY / "scripts/draw_lifecycle.py"))
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert script["insert"](readme, script["draw"]()) == readme


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
