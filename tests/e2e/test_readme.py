"""Every command and program of the README does what it says, in a folder that looks like a checkout."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.product import Product, bearer, clean_environment, free_ports

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
BASH = [text for language, text in BLOCKS if language == "bash"]
PYTHON = [text for language, text in BLOCKS if language == "python"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


@pytest.fixture
def checkout(product: Product, tmp_path: Path) -> Path:
    """A folder with `.venv` and `var` where the README expects them."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/reelgate").symlink_to(Path(sys.executable).parent / "reelgate")
    (tmp_path / "var").symlink_to(product.data_dir)
    return tmp_path


def run(checkout: Path, *command: str, environment: dict[str, str] | None = None) -> str:
    """Run a command there and return what it printed; it must succeed."""
    done = subprocess.run(
        command,
        cwd=checkout,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def bash(checkout: Path, word: str) -> str:
    """Run the one shell block that contains a word."""
    (block,) = [block for block in BASH if word in block]
    return run(checkout, "bash", "-euo", "pipefail", "-c", block)


def test_the_readme_has_no_block_that_these_tests_leave_out() -> None:
    languages = [language for language, _ in BLOCKS]
    assert (languages.count("bash"), languages.count("python"), languages.count("sh")) == (5, 2, 1)
    assert set(languages) == {"bash", "python", "sh", "mermaid"}


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    (block,) = [text for language, text in BLOCKS if language == "sh"]
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    assert commands == ["make run", "make test"]
    for command in commands:
        assert subprocess.run([*command.split(), "--dry-run"], cwd=REPOSITORY, check=True, capture_output=True).stdout


def test_the_command_line_saves_a_video(checkout: Path) -> None:
    assert "hummingbird.mp4" in bash(checkout, "reelgate generate")
    assert (checkout / "hummingbird.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_native_calls_end_with_the_job(checkout: Path) -> None:
    lines = bash(checkout, "paper-boat-1").split("\n\n")
    messages = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert messages[0]["kind"] == "WATCH_JOB_RESPONSE_KIND_SNAPSHOT"
    assert messages[-1]["job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert messages[-1]["sequence"] == messages[-1]["job"]["sequence"]


def test_the_geekhub_call_creates_a_job(checkout: Path) -> None:
    job = json.loads(bash(checkout, "REELGATE_GEEKHUB_KEY"))
    assert (job["object"], job["model"], job["duration"]) == ("video.job", "fal/kling-2", 5)


def test_the_kyma_call_holds_the_documented_price(checkout: Path) -> None:
    job = json.loads(bash(checkout, "REELGATE_KYMA_KEY"))
    assert (job["object"], job["estimated_cost"]) == ("video.job", 0.756)


def test_the_concurred_call_answers_with_an_operation(checkout: Path) -> None:
    data = json.loads(bash(checkout, "REELGATE_CONCURRED_KEY"))["data"]
    assert data["status"] == "processing"
    assert data["poll_url"].endswith(data["operation_id"])


@pytest.mark.parametrize("word", ["video_service_pb2", "openai"])
def test_the_python_programs_print_the_address_of_a_video(product: Product, checkout: Path, word: str) -> None:
    (program,) = [program for program in PYTHON if word in program]
    printed = run(checkout, sys.executable, "-c", program, environment=product.variables)
    address = re.findall(r"http\S+\.mp4", printed)[-1]
    with httpx.Client(trust_env=False, headers=bearer(None)) as http:
        assert http.head(address).headers["content-type"] == "video/mp4"


def test_make_run_is_the_product(tmp_path: Path) -> None:
    """The target itself, as it stands, on other ports."""
    instance = Product(data_dir=tmp_path / "data", port=(ports := free_ports(2))[0], grpc_port=ports[1])
    target = ["make", "--silent", "-C", str(REPOSITORY), "run"]
    try:
        instance.launch_command(target)
        instance.wait_until_ready()
        assert httpx.get(f"{instance.url}/healthz", trust_env=False).status_code == 200
        assert instance.stop() < 10
    finally:
        instance.close()
