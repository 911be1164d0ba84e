"""All simulated providers as one process, as a demo or a load test starts it."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from reelgate_simulators.__main__ import build, parse
from reelgate_simulators.demo import demo_mp4
from reelgate_simulators.demo_faults import faults_of
from reelgate_simulators.fal_webhooks import Delivery
from reelgate_simulators.faults import Delay, FaultPlan, Reset, TruncatedJson
from tests.support.video_probe import probe

COMMAND = [sys.executable, "-m", "reelgate_simulators"]
START_LIMIT_S = 15.0
STOP_LIMIT_S = 2.0
VEO = "projects/simulated-project/locations/us-central1/publishers/google/models/veo-3.1-generate-001"

T = TypeVar("T")


def eventually(look: Callable[[], T | None], *, limit_s: float, what: str) -> T:
    """Look again and again until there is something to return.

    Raises:
        AssertionError: There was nothing, or something false, for `limit_s` seconds.
    """
    deadline = time.monotonic() + limit_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"after {limit_s:.0f} s still not: {what}"
        time.sleep(0.02)
    return seen


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, dict[str, str]]]]:
    """The process and what it tells of itself."""
    ready = folder / "ready.json"
    with subprocess.Popen([*COMMAND, "--ready-file", str(ready), *options]) as process:
        try:
            eventually(lambda: ready.exists() or process.poll() is not None, limit_s=START_LIMIT_S, what="ready")
            yield process, json.loads(ready.read_text("utf-8"))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Of a process that renders at once."""
    with running(tmp_path_factory.mktemp("all"), "--queue-seconds", "0", "--render-seconds", "0.05") as (_, told):
        yield told


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


def ended(http: httpx.Client, method: str, url: str, is_end: Any, **request: Any) -> dict[str, Any]:
    """Ask until the answer is an end."""

    def look() -> dict[str, Any] | None:
        answer = http.request(method, url, **request)
        assert answer.is_success, answer.text
        return answer.json() if is_end(answer.json()) else None

    return eventually(look, limit_s=10, what=f"the end at {url}")


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "video.mp4"
    path.write_bytes(content)
    return path


def test_every_provider_renders_for_the_credential_that_was_told(
    addresses: dict[str, dict[str, str]], http: httpx.Client, tmp_path: Path
) -> None:
    fal, minimax, vertex, openai = (addresses[name] for name in ("fal", "minimax", "vertex", "openai"))
    contents = []

    key = {"authorization": f"Key {fal['key']}"}
    endpoint = "fal-ai/kling-video/v2/master/text-to-video"
    task = http.post(f"{fal['base_url']}/{endpoint}", json={"prompt": "A fox", "duration": "10"}, headers=key).json()
    ended(http, "GET", task["status_url"], lambda body: body["status"] == "COMPLETED", headers=key)
    result = http.get(task["response_url"], headers=key).json()
    contents.append(http.get(result["video"]["url"]).content)

    key, url = {"authorization": f"Bearer {minimax['key']}"}, f"{minimax['base_url']}/v1"
    order = {"model": "MiniMax-Hailuo-02", "prompt": "A fox", "duration": 10}
    task = http.post(f"{url}/video_generation", json=order, headers=key).json()
    query = f"{url}/query/video_generation?task_id={task['task_id']}"
    file = ended(http, "GET", query, lambda body: body["status"] == "Success", headers=key)["file_id"]
    found = http.get(f"{url}/files/retrieve?file_id={file}", headers=key).json()
    contents.append(http.get(found["file"]["download_url"]).content)

    key, url = {"authorization": f"Bearer {vertex['access_token']}"}, f"{vertex['base_url']}/v1/{VEO}"
    assert VEO.startswith(f"projects/{vertex['project']}/locations/{vertex['location']}/")
    veo = {"instances": [{"prompt": "A fox"}], "parameters": {"durationSeconds": 8}}
    task = http.post(f"{url}:predictLongRunning", json=veo, headers=key).json()
    done = ended(
        http,
        "POST",
        f"{url}:fetchPredictOperation",
        lambda body: "done" in body,
        json={"operationName": task["name"]},
        headers=key,
    )
    assert list(done["response"]["videos"][0]) == ["mimeType", "bytesBase64Encoded"]

    assert openai["dialect"] == "sglang"
    key, url = {"authorization": f"Bearer {openai['key']}"}, f"{openai['base_url']}/v1/videos"
    task = http.post(url, json={"prompt": "A fox", "seconds": 10}, headers=key).json()
    ended(http, "GET", f"{url}/{task['id']}", lambda body: body["status"] == "completed", headers=key)
    contents.append(http.get(f"{url}/{task['id']}/content", headers=key).content)

    assert len(set(contents)) == 1
    video = probe(saved(tmp_path, contents[0]))
    assert (video.video_codec, video.pixel_format, video.width, video.height) == ("h264", "yuv420p", 640, 360)
    assert (video.duration_s, video.frame_count, video.is_fast_start) == (10.0, 240, True)


@pytest.mark.parametrize(
    ("provider", "path", "word"),
    [
        ("fal", "/fal-ai/veo3.1", "Key"),
        ("vertex", f"/v1/{VEO}:predictLongRunning", "Bearer"),
        ("openai", "/v1/videos", "Bearer"),
    ],
)
def test_another_credential_is_refused(
    addresses: dict[str, dict[str, str]], http: httpx.Client, provider: str, path: str, word: str
) -> None:
    url = addresses[provider]["base_url"] + path
    assert http.post(url, json={"prompt": "A fox"}, headers={"authorization": f"{word} stolen"}).status_code == 401


def test_another_minimax_key_is_refused_within_http_200(
    addresses: dict[str, dict[str, str]], http: httpx.Client
) -> None:
    url = f"{addresses['minimax']['base_url']}/v1/video_generation"
    answer = http.post(url, json={"prompt": "A fox"}, headers={"authorization": "Bearer stolen"})
    assert (answer.status_code, answer.json()["base_resp"]["status_code"]) == (200, 2049)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_at_once_with_renders_and_hanging_calls_under_way(
    tmp_path: Path, http: httpx.Client, number: signal.Signals
) -> None:
    with running(tmp_path, "--render-seconds", "3600") as (process, told):
        fal = told["fal"]
        headers = {"authorization": f"Key {fal['key']}"}
        url = f"{fal['base_url']}/fal-ai/veo3.1?fal_webhook=http%3A%2F%2F127.0.0.1%3A1%2F"
        task = http.post(url, json={"prompt": "A fox"}, headers=headers).json()
        with socket.create_connection(("127.0.0.1", int(fal["base_url"].rpartition(":")[2]))) as hanging:
            path = task["status_url"].removeprefix(fal["base_url"]) + "/stream"
            hanging.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Key {fal['key']}\r\n\r\n".encode())
            assert http.get(task["status_url"], headers=headers).status_code == 202
            process.send_signal(number)
            assert process.wait(STOP_LIMIT_S) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]
    with pytest.raises(httpx.ConnectError):
        http.get(fal["base_url"])


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """A shell starts it, says who it is, and is killed."""

    def is_gone() -> bool:
        try:
            httpx.get(address, trust_env=False)
        except httpx.HTTPError:
            return True
        return False

    ready = tmp_path / "ready.json"
    script = f'"{sys.executable}" -m reelgate_simulators --parent $$ --ready-file "{ready}" & wait'
    with subprocess.Popen(["/bin/sh", "-c", script]) as shell:
        eventually(ready.exists, limit_s=START_LIMIT_S, what="ready")
        address = json.loads(ready.read_text("utf-8"))["fal"]["base_url"]
        assert not is_gone()
        shell.kill()
    eventually(is_gone, limit_s=5, what="gone")


def test_it_prints_the_addresses_without_a_file_and_takes_the_ports_that_it_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probing:
        port = probing.getsockname()[1]
    with subprocess.Popen([*COMMAND, "--vertex-port", str(port)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
        finally:
            process.terminate()
        assert process.wait(STOP_LIMIT_S) == 0
    assert list(told) == ["fal", "minimax", "vertex", "openai"]
    assert told["vertex"]["base_url"] == f"http://127.0.0.1:{port}"


def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [*COMMAND, "--fal-port", str(listener.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_LIMIT_S, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("reelgate_simulators: ")
    assert "address already in use" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--faults", "1.5", "argument --faults: must be from 0 to 1, not '1.5'"),
        ("--render-seconds", "nan", "argument --render-seconds: must be from 0 to 86400, not 'nan'"),
        ("--fal-port", "soon", "argument --fal-port: must be from 0 to 65535, not 'soon'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse([option, value])
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err


async def test_a_file_can_take_the_place_of_every_video(tmp_path: Path) -> None:
    path = saved(tmp_path, b"what somebody chose")
    studio = build(parse(["--video", str(path)]))
    for provider in studio.all():
        async with provider:
            render = provider.accept("a", {}, clip_duration_s=5, prompt="A fox")
            assert provider.video_of(render) == b"what somebody chose"


def test_a_demo_video_has_the_length_that_was_asked_for(tmp_path: Path) -> None:
    for asked_s, frame_count in ((0.001, 1), (1, 24), (5, 120), (8.5, 204), (3600, 1440)):
        video = probe(saved(tmp_path, demo_mp4(asked_s)))
        assert video.frame_count == frame_count
        assert video.duration_s == pytest.approx(frame_count / 24, abs=1e-6)


def test_a_share_of_all_requests_goes_wrong_in_every_way() -> None:
    plan = FaultPlan()
    for fault, probability in faults_of("status", 0.3):
        plan.sometimes("status", fault, probability)
    met = [plan.take("status") for _ in range(20_000)]
    assert sum(fault is not None for fault in met) == pytest.approx(6000, rel=0.05)
    for fault, _ in faults_of("status", 0.3):
        assert met.count(fault) == pytest.approx(500, rel=0.2), fault


def test_certainty_leaves_no_request_alone_and_none_leaves_all() -> None:
    plan = FaultPlan()
    for fault, probability in faults_of("submit", 1.0):
        plan.sometimes("submit", fault, probability)
    assert None not in [plan.take("submit") for _ in range(1000)]
    assert faults_of("submit", 0.0) == []


def test_a_video_is_never_given_by_half_without_a_sign_of_it() -> None:
    of_files = [fault for fault, _ in faults_of("download", 0.5)]
    assert TruncatedJson() not in of_files
    assert Delay(2.0) in of_files
    submits = [fault for fault, _ in faults_of("submit", 0.5)]
    assert TruncatedJson() in submits
    assert Reset(takes_effect=True) in submits


def test_a_share_of_all_notices_goes_wrong_and_none_if_nothing_is_to() -> None:
    webhooks = build(parse(["--faults", "0.3"])).fal.webhooks
    chosen = [webhooks.choose() for _ in range(10_000)]
    assert sum(delivery != Delivery() for delivery in chosen) == pytest.approx(3000, rel=0.1)
    assert sum(delivery.copy_count == 0 for delivery in chosen) == pytest.approx(500, rel=0.3)
    steady = build(parse([])).fal.webhooks
    assert [steady.choose() for _ in range(1000)] == [Delivery()] * 1000


def test_the_options_reach_every_provider() -> None:
    studio = build(parse(["--faults", "1", "--render-seconds", "7", "--queue-seconds", "2"]))
    for provider in studio.all():
        assert (provider.render_s, provider.queue_s) == (7.0, 2.0)
        for operation in provider.operations():
            assert provider.faults.take(operation.name) is not None, operation


def test_it_needs_nothing_of_the_server() -> None:
    script = "import reelgate_simulators.__main__, sys; print({'reelgate_server', 'reelgate', 'av'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
