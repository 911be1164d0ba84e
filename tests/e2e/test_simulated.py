"""`reelgate up --simulate`: every provider behind its own adapter, and none of them real."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from reelgate.v1 import job_pb2
from reelgate_server.cli import simulated
from reelgate_server.cli.refusals import Refusal
from reelgate_server.config import Settings
from reelgate_server.domain.catalogue_toml import parse_catalogue
from tests.support.product import STOP_LIMIT_S, Product, balance, create, follow, run_reelgate
from tests.support.video_probe import probe

REPOSITORY = Path(__file__).parents[2]
ADDRESSES = {
    "fal": {"base_url": "http://127.0.0.1:1", "key": "simulated-fal-key"},
    "minimax": {"base_url": "http://127.0.0.1:2", "key": "simulated-minimax-key"},
    "vertex": {
        "base_url": "http://127.0.0.1:3",
        "project": "simulated-project",
        "location": "us-central1",
        "access_token": "simulated-vertex-token",
    },
    "openai": {"base_url": "http://127.0.0.1:4", "dialect": "sglang", "key": "simulated-openai-key"},
}
"""What the simulators tell of themselves."""
REAL_KEYS = {
    "REELGATE_FAL__KEYS__MAIN": "a-real-fal-key",
    "reelgate_fal__keys__lower": "another-real-fal-key",
    "REELGATE_FAL__SUBMIT_KEY": "main",
    "REELGATE_MINIMAX": '{"keys": {"main": "a-real-minimax-key"}}',
    "REELGATE_VERTEX__PROJECT": "a-real-project",
    "REELGATE_OPENAI__BASEMENT__BASE_URL": "http://192.0.2.1/v1",
    "REELGATE_OPENAI__BASEMENT__KEYS__MAIN": "a-real-openai-key",
    "REELGATE_PUBLIC_URL": "https://video.example.com",
}
OWN_ROW = """
[[model]]
id = "attic/wan"
name = "Wan"
provider = "attic"
surfaces = []
text_endpoint = "wan"
cost_per_second = "0"
durations = { default = 4, allowed = [4] }
render_durations = [4]
aspect_ratios = ["16:9"]
resolutions = ["720p"]
audio = false
image_input = "none"
deadline_s = 600
typical_render_s = 60
"""
QUICK = "--queue-seconds 0.1 --render-seconds 0.2"

e2e = pytest.mark.e2e


def test_nothing_of_a_real_provider_stays_in_the_environment_and_everything_else_does() -> None:
    other = {"PATH": "/bin", "REELGATE_LOG_LEVEL": "debug", "REELGATE_FALLBACK": "x", "FAL_KEY": "not ours"}
    assert simulated.without_providers({**REAL_KEYS, **other}) == other


def test_every_provider_is_routed_to_its_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("REELGATE_"):
            monkeypatch.delenv(name)
    for name, value in simulated.variables(ADDRESSES, "http://127.0.0.1:8080").items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.configured_providers() == {"local", "fal", "minimax", "vertex", "simulated"}
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.fal.queue_url == "http://127.0.0.1:1"
    assert settings.fal.jwks_url == "http://127.0.0.1:1/.well-known/jwks.json"
    assert {name: key.get_secret_value() for name, key in settings.fal.keys.items()} == {
        "simulated": "simulated-fal-key"
    }
    assert settings.minimax.base_url == "http://127.0.0.1:2"
    assert settings.minimax.keys["simulated"].get_secret_value() == "simulated-minimax-key"
    vertex = settings.vertex
    assert (vertex.base_url, vertex.project, vertex.location) == (
        "http://127.0.0.1:3",
        "simulated-project",
        "us-central1",
    )
    assert vertex.access_token is not None
    assert vertex.access_token.get_secret_value() == "simulated-vertex-token"
    server = settings.openai["simulated"]
    assert (server.base_url, server.dialect) == ("http://127.0.0.1:4/v1", "sglang")
    assert server.keys["simulated"].get_secret_value() == "simulated-openai-key"


@pytest.mark.parametrize("group", ["fal", "FAL", "minimax", "vertex", "openai.basement", "OpenAI.basement"])
def test_a_settings_file_with_a_provider_is_refused(tmp_path: Path, group: str) -> None:
    path = tmp_path / "reelgate.toml"
    path.write_text(f'log_level = "debug"\n[{group}]\n', encoding="utf-8")
    with pytest.raises(Refusal) as refused:
        simulated.require_no_other_providers({"REELGATE_CONFIG": str(path)})
    assert str(refused.value) == (
        f"--simulate uses no real provider, but {path} configures {group.partition('.')[0].lower()}; "
        "take that out, or unset REELGATE_CONFIG"
    )


def test_a_settings_file_without_a_provider_and_none_at_all_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "reelgate.toml"
    path.write_text('log_level = "debug"\n', encoding="utf-8")
    simulated.require_no_other_providers({"REELGATE_CONFIG": str(path)})
    simulated.require_no_other_providers({})
    simulated.require_no_other_providers({"REELGATE_CONFIG": ""})


def test_the_catalogue_is_the_shipped_one_with_the_times_of_the_simulators_and_a_model_for_the_fourth() -> None:
    shipped = (REPOSITORY / "src/reelgate_server/catalogue.toml").read_text("utf-8")
    before = parse_catalogue(shipped, "catalogue.toml").all()
    *others, added = parse_catalogue(simulated.catalogue_text(), "simulated-catalogue.toml").all()
    assert [replace(model, typical_render_time=timedelta(seconds=5)) for model in before] == others
    assert (added.model_id, added.provider) == ("simulated/wan-2.2", "simulated")
    assert added.typical_render_time == timedelta(seconds=5)


def test_what_the_simulators_need_is_what_their_extra_installs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert sorted(simulated.PACKAGES.values()) == project["optional-dependencies"]["simulators"]


def test_the_makefile_installs_them_and_starts_it() -> None:
    command = ["make", "--dry-run", "run-simulated", "PORT=1", "GRPC_PORT=2", "DATA_DIR=x", "--always-make"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "--editable '.[simulators]'" in done.stdout
    assert "reelgate up --simulate --die-with-parent" in done.stdout


def test_missing_packages_are_named_with_the_command_that_installs_them() -> None:
    """An interpreter that finds no package but what the server itself needs."""
    script = """
import sys
from pathlib import Path
sys.modules.update({"starlette": None, "python_multipart": None})
from reelgate_server.cli.refusals import Refusal
from reelgate_server.cli.simulated import require_installed
try:
    require_installed(Path("constraints.txt"))
except Refusal as refusal:
    print(refusal)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "--simulate needs python-multipart, starlette: `make run-simulated` installs that, "
        f"or `{sys.executable} -m pip install --constraint constraints.txt python-multipart starlette`\n"
    )


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Product]:
    """An instance that is not started, for one test to do with as it likes."""
    instance = Product.at(tmp_path / "data")
    try:
        yield instance
    finally:
        instance.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """An instance with simulated providers, started by an operator who has real keys."""
    instance = Product.at(tmp_path_factory.mktemp("simulated") / "data", environment=REAL_KEYS)
    try:
        yield instance.start("--simulate", "--simulator-options", QUICK)
        assert instance.stop() < STOP_LIMIT_S
    finally:
        instance.close()


def render(product: Product, model: str, seconds: int) -> job_pb2.Job:
    """Make a video natively and follow it to its end."""
    with product.http(product.native_key) as http:
        body = {"model": model, "prompt": "A fox crossing a frozen lake", "clip_duration": f"{seconds}s"}
        return follow(product, product.native_key, create(http, body))


@e2e
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("model", "seconds"),
    [("fal/kling-2", 5), ("hailuo-02-768p", 6), ("google/veo-3.1", 8), ("simulated/wan-2.2", 4)],
)
def test_a_model_of_each_provider_comes_from_its_simulator(
    studio: Product, tmp_path: Path, model: str, seconds: int
) -> None:
    job = render(studio, model, seconds)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job
    # It is not the stand-in's: its own provider rendered it.
    assert not job.simulated
    path = tmp_path / "video.mp4"
    path.write_bytes(httpx.get(job.video.uri, trust_env=False).content)
    video = probe(path)
    assert (video.video_codec, video.width, video.height, video.frame_count) == ("h264", 640, 360, seconds * 24)


@e2e
@pytest.mark.timeout(120)
def test_fal_tells_of_an_end_by_webhook(studio: Product) -> None:
    assert render(studio, "fal/kling-2", 5).state == job_pb2.JOB_STATE_SUCCEEDED
    calls = [json.loads(line) for line in studio.server_log.splitlines() if "HooksService/ReceiveWebhook" in line]
    assert {call["code"] for call in calls} == {"OK"}


@e2e
@pytest.mark.timeout(120)
def test_it_says_that_nothing_is_real_and_stands_in_for_nothing(studio: Product) -> None:
    lines = studio.console.splitlines()
    assert (
        "SIMULATED: fal, MiniMax, Vertex AI and a server of the OpenAI shape are simulators on this machine; "
        "no provider is called, and no key of yours is used."
    ) in lines
    assert "The server of the OpenAI shape renders simulated/wan-2.2." in lines
    assert "stands in" not in studio.console
    with studio.http(studio.native_key) as http:
        models = http.get("/reelgate/v1/models").json()["models"]
    availability = {model["model"]: model["availability"] for model in models}
    assert availability["fal/kling-2"] == "AVAILABILITY_AVAILABLE"
    assert "AVAILABILITY_SIMULATED" not in availability.values()


@e2e
@pytest.mark.timeout(120)
def test_no_process_of_it_has_a_real_key(studio: Product) -> None:
    checked = [process for process in studio.processes() if process.pid != studio.process.pid]
    assert {"reelgate_simulators", "reelgate_server"} <= {
        word for process in checked for word in process.command.split()
    }
    for process in checked:
        environment = Path(f"/proc/{process.pid}/environ").read_text("utf-8")
        if "--config-path" not in process.command:
            assert not re.search("a-real|another-real|192.0.2.1|video.example.com", environment), process.command


@e2e
@pytest.mark.timeout(120)
def test_a_prompt_that_the_provider_refuses_costs_nothing(studio: Product) -> None:
    key = studio.make_account("refused", "default", "10.00").secret
    with studio.http(key) as http:
        job_id = create(http, {"model": "fal/kling-2", "prompt": "[reject] A fox", "clip_duration": "5s"})
        job = follow(studio, key, job_id)
        assert job.state == job_pb2.JOB_STATE_FAILED
        assert balance(http) == (10_000_000, 0)


@e2e
@pytest.mark.timeout(120)
def test_the_doctor_finds_every_simulator_fine_and_tells_of_one_that_refuses(studio: Product) -> None:
    told = json.loads((studio.data_dir / "simulators.json").read_text("utf-8"))
    variables = simulated.variables(told, studio.url)
    environment = {
        **variables,
        "REELGATE_CATALOGUE_PATH": str(studio.data_dir / "simulated-catalogue.toml"),
        "REELGATE_LOCAL_RENDERER__DIRECTORY": str(studio.data_dir / "doctor"),
    }
    fine = run_reelgate("doctor", "--json", environment=environment)
    assert fine.returncode == 0, fine
    findings = json.loads(fine.stdout)["findings"]
    assert [(each["provider"], each["credential"], each["state"]) for each in findings] == [
        ("local", None, "ready"),
        ("fal", "simulated", "accepted"),
        ("minimax", "simulated", "accepted"),
        ("vertex", "access_token", "accepted"),
        ("simulated", "simulated", "accepted"),
    ]
    changes = {
        "REELGATE_FAL__KEYS__STOLEN": "stolen-fal-key-0123456789",
        "REELGATE_FAL__SUBMIT_KEY": "simulated",
        "REELGATE_MINIMAX__KEYS__SIMULATED": "stolen-minimax-key-0123456789",
        "REELGATE_VERTEX__ACCESS_TOKEN": "stolen-vertex-token-0123456789",
        "REELGATE_OPENAI__SIMULATED__KEYS__SIMULATED": "stolen-openai-key-0123456789",
        "REELGATE_OPENAI__GONE__BASE_URL": "http://127.0.0.1:1/v1",
    }
    bad = run_reelgate("doctor", environment={**environment, **changes})
    assert bad.returncode == 1
    rows = [[cell.strip() for cell in line.split("│")[1:5]] for line in bad.stdout.splitlines() if line[:1] == "│"]
    assert [[row[0], *row[2:]] for row in rows] == [
        ["local", "-", "ready"],
        ["fal", "simulated", "accepted"],
        ["fal", "stolen", "refused"],
        ["minimax", "simulated", "refused"],
        ["vertex", "access_token", "refused"],
        ["gone", "-", "not reachable"],
        ["simulated", "simulated", "refused"],
    ]
    assert "0123456789" not in bad.stdout + bad.stderr


@e2e
@pytest.mark.timeout(120)
def test_ctrl_c_ends_everything(own: Product) -> None:
    own.start("--simulate")
    os.killpg(own.process.pid, signal.SIGINT)
    assert own.process.wait(STOP_LIMIT_S) == 0
    assert own.processes() == []


@e2e
@pytest.mark.timeout(120)
def test_nothing_outlives_a_kill(own: Product) -> None:
    own.start("--simulate")
    own.process.kill()
    own.process.wait(1)
    own.wait_until_gone()
    own.start("--simulate")
    own.kill_group()


@e2e
@pytest.mark.timeout(120)
def test_simulators_that_end_by_themselves_are_told(own: Product) -> None:
    own.start("--simulate")
    (process,) = (each for each in own.processes() if "reelgate_simulators" in each.command)
    os.kill(process.pid, signal.SIGKILL)
    assert own.process.wait(STOP_LIMIT_S) == 1
    assert "reelgate: simulators ended with code -9" in own.console
    assert own.processes() == []


@e2e
@pytest.mark.timeout(120)
def test_a_second_signal_stops_at_once_what_a_submit_would_hold_up(own: Product) -> None:
    own.start("--simulate", "--simulator-options", "--faults 1")
    with own.http(own.native_key) as http:
        for index in range(40):
            create(http, {"model": "fal/kling-2", "prompt": f"A fox {index}", "clip_duration": "5s"})
    own.process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        own.process.wait(8)
    own.process.send_signal(signal.SIGTERM)
    assert own.process.wait(2) == 0
    own.wait_until_gone()


@e2e
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--simulator-options", "--faults 1"], "reelgate: --simulator-options are for --simulate\n"),
        (
            ["--simulate", "--simulator-options", "--faults 9"],
            (
                "reelgate: simulators ended with code 2: python -m reelgate_simulators: error: "
                "argument --faults: must be from 0 to 1, not '9'\n"
            ),
        ),
        (["--simulate", "--simulator-options", "'"], "reelgate: No closing quotation\n"),
    ],
    ids=["for-nothing", "out-of-range", "half-quoted"],
)
def test_options_that_make_no_sense_are_refused_in_one_line(own: Product, options: list[str], words: str) -> None:
    assert own.launch(*options).wait(20) == 1
    assert own.console == words
    assert own.processes() == []


@e2e
@pytest.mark.timeout(120)
def test_a_catalogue_of_the_operators_is_kept_and_that_is_told(own: Product, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN_ROW, encoding="utf-8")
    own.environment = {"REELGATE_CATALOGUE_PATH": str(path)}
    own.start("--simulate", "--simulator-options", QUICK)
    assert (
        f'Your catalogue {path} is used as it is: a model with provider = "simulated" goes to the '
        "server of the OpenAI shape, and one with typical_render_s = 5 is looked at in time."
    ) in own.console.splitlines()
    assert "SIMULATED: 1 model has no provider credentials; the local renderer stands in for it." in own.console
    assert not (own.data_dir / "simulated-catalogue.toml").exists()
