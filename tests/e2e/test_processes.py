"""How the product starts, stops, dies and comes back."""

import os
import re
import shlex
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import httpx
import pytest

from reelgate.v1 import job_pb2, video_service_pb2, video_service_pb2_grpc
from tests.e2e.surfaces import refusal_of
from tests.support.product import (
    CHANNEL_OPTIONS,
    REELGATE,
    STOP_LIMIT_S,
    Product,
    auth,
    balance,
    clean_environment,
    create,
    eventually,
    follow,
    free_ports,
    run_reelgate,
    small_job,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Product]:
    """An instance that is not started, for one test to do with as it likes."""
    instance = Product.at(tmp_path / "data")
    try:
        yield instance
    finally:
        instance.close()


def keep_busy(product: Product) -> str:
    """Give it renders that outlast a stop, and return the id of the last."""
    with product.http(product.native_key) as http:
        made = [create(http, small_job(f"A long scene {index}", seconds=10, resolution="1080p")) for index in range(3)]
    return made[-1]


def test_it_stops_in_time_at_work_and_the_next_start_goes_on_where_it_left(own: Product, product: Product) -> None:
    """One life after the other at the same place, beside another instance."""
    variables = own.start().variables
    assert variables["REELGATE_URL"] != product.url
    # Credit for a thousand of the dearest jobs, eight seconds at 0.40 dollars, on each plan that charges.
    for key, available in ((own.native_key, 3_200), (own.geekhub_key, 67_200), (own.kyma_key, 4_320)):
        with own.http(key) as http:
            assert balance(http) == (available * 1_000_000, 0)
    with own.http(own.native_key) as http:
        finished = create(http)
        follow(own, own.native_key, finished)
        before = http.get(f"/reelgate/v1/jobs/{finished}").json()
    unfinished = keep_busy(own)
    # Somebody waits for a video, somebody watches, and somebody has a connection open.
    waited: list[httpx.Response] = []
    with own.channel() as channel, own.http() as idle:
        stub = video_service_pb2_grpc.VideoServiceStub(channel)
        request = video_service_pb2.WatchJobRequest(job_id=unfinished)
        messages = stub.WatchJob(request, metadata=auth(own.native_key), timeout=60)
        seen = [next(messages)]
        waiter = threading.Thread(target=wait_for_a_video, args=(own.url, own.concurred_key, waited))
        waiter.start()
        assert idle.get("/healthz").status_code == 200
        eventually(lambda: jobs_of(own, own.concurred_key), limit_s=20, what="a blocking create at work")
        took_s = own.stop(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as left:
            seen.extend(messages)
        waiter.join(STOP_LIMIT_S)
    assert took_s < STOP_LIMIT_S
    assert own.process.returncode == 0
    assert [(each.status_code, each.json()["error"]["code"]) for each in waited] == [(503, "INTERNAL_ERROR")]
    assert left.value.code() is grpc.StatusCode.UNAVAILABLE
    assert seen[-1].job.state in {job_pb2.JOB_STATE_PENDING, job_pb2.JOB_STATE_PROCESSING}

    # A shell that has sourced the file of the first life starts the second.
    own.environment = variables
    own.start()
    assert own.variables == variables
    with own.http(own.native_key) as http:
        assert http.get(f"/reelgate/v1/jobs/{finished}").json() == before
        assert http.head(before["video"]["uri"]).status_code == 200
        assert http.get(f"/reelgate/v1/jobs/{unfinished}").json()["state"] in {
            "JOB_STATE_PENDING",
            "JOB_STATE_PROCESSING",
        }
        cancelled = http.post(f"/reelgate/v1/jobs/{unfinished}:cancel")
        assert cancelled.json()["state"] == "JOB_STATE_CANCELLED"
    # Ctrl-C reaches every process of the terminal's group.
    os.killpg(own.process.pid, signal.SIGINT)
    assert own.process.wait(STOP_LIMIT_S) == 0
    assert own.processes() == []
    with product.http() as http:
        assert http.get("/healthz").status_code == 200


def jobs_of(product: Product, key: str) -> list[object]:
    """Every job of an account."""
    with product.http(key) as http:
        return list(http.get("/reelgate/v1/jobs").json()["jobs"])


def wait_for_a_video(url: str, key: str, waited: list[httpx.Response]) -> None:
    """Block for a video until it comes or the server goes."""
    body = {"model": "kling-3-pro", "prompt": "Somebody waits for this"}
    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60, trust_env=False) as http:
        waited.append(http.post("/api/v1/video/generate", json=body))


def test_calls_that_meet_a_stop_are_told_to_come_back(own: Product) -> None:
    own.start()
    statuses: Counter[int] = Counter()

    def ask() -> None:
        with own.http(own.native_key) as http, suppress(httpx.TransportError):
            # The first answer after the end is a refused connection.
            while True:
                statuses[http.get("/reelgate/v1/jobs").status_code] += 1

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    eventually(lambda: statuses[200] > 100, limit_s=20, what="busy")
    own.stop()
    for thread in threads:
        thread.join(STOP_LIMIT_S)
    assert set(statuses) <= {200, 503}, statuses


def test_nothing_outlives_a_kill_of_its_first_process_or_of_its_group(own: Product) -> None:
    own.start()
    keep_busy(own)
    # The command, the server, Envoy, two renderers, and Python's tracker of their resources.
    eventually(lambda: len(own.processes()) >= 5, limit_s=10, what="all processes up")
    own.process.kill()
    own.process.wait(1)
    own.wait_until_gone()

    own.start()
    keep_busy(own)
    own.kill_group()


def test_it_ends_with_the_process_that_started_it_if_it_was_told_to(own: Product) -> None:
    # Two commands, so that the shell stays: as under make.
    shell = own.launch_command(["sh", "-c", f"{REELGATE} up --die-with-parent; true"])
    own.wait_until_ready()
    assert len(own.processes()) >= 4
    shell.kill()
    shell.wait(1)
    own.wait_until_gone(STOP_LIMIT_S)


@pytest.mark.parametrize("taken", ["port", "grpc_port"])
def test_a_busy_port_is_refused_in_one_line(own: Product, taken: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        setattr(own, taken, port)
        assert own.launch().wait(20) == 1
    assert own.console == f"reelgate: port {port} on 127.0.0.1 is not free: Address already in use\n"
    assert own.processes() == []


def test_a_running_instance_keeps_its_port_and_its_peace(product: Product, own: Product) -> None:
    own.port, own.grpc_port = product.port, product.grpc_port
    assert own.launch().wait(20) == 1
    assert own.console.count("\n") == 1
    with product.http() as http:
        assert http.get("/healthz").status_code == 200


def test_a_folder_serves_one_instance(product: Product) -> None:
    port, grpc_port = map(str, free_ports(2))
    refused = run_reelgate("up", "--data-dir", str(product.data_dir), "--port", port, "--grpc-port", grpc_port)
    message = f"reelgate: another `reelgate up` uses {product.data_dir}; stop it, or choose another --data-dir\n"
    assert (refused.returncode, refused.stderr) == (1, message)
    # Killed, it must not be outlived by its lock.
    lock = product.data_dir / ".lock"
    assert [each.pid for each in product.processes() if lock in open_files(each.pid)] == [product.process.pid]


def open_files(pid: int) -> set[Path]:
    """What a process has open."""
    return {Path(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()}


def test_only_envoy_is_open_to_other_machines_and_large_logs_are_put_aside(own: Product) -> None:
    own.data_dir.mkdir()
    for name, size_bytes in (("server", 10_000_001), ("envoy", 10_000_000)):
        with (own.data_dir / f"{name}.log").open("wb") as log:
            log.truncate(size_bytes)
    own.start("--host", "0.0.0.0")  # noqa: S104 (the subject)
    assert (own.data_dir / "server.log.1").stat().st_size == 10_000_001
    assert (own.data_dir / "server.log").stat().st_size < 10_000
    assert (own.data_dir / "envoy.log").stat().st_size >= 10_000_000
    assert not (own.data_dir / "envoy.log.1").exists()

    assert own.variables["REELGATE_URL"] == f"http://127.0.0.1:{own.port}"
    assert own.variables["REELGATE_GRPC"] == f"127.0.0.1:{own.grpc_port}"
    # Another address of this machine stands for another machine.
    assert httpx.get(f"http://127.0.0.2:{own.port}/healthz", trust_env=False).status_code == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", own.grpc_port), 5)
    with own.http(own.native_key) as http:
        finished = create(http)
    assert follow(own, own.native_key, finished).video.uri.startswith(f"http://127.0.0.1:{own.port}/media/")

    (envoy,) = (each for each in own.processes() if "--config-path" in each.command)
    with (own.data_dir / "envoy.log").open("ab") as log:
        log.write(b"A long line. " * 10_000 + b"\nThe last words.\n\n")
    os.kill(envoy.pid, signal.SIGKILL)
    assert own.process.wait(STOP_LIMIT_S) == 1
    assert own.console.endswith("reelgate: envoy ended with code -9: The last words.\n")


def test_addresses_begin_with_the_public_url_and_a_video_that_cannot_be_had_is_told(
    own: Product, tmp_path: Path
) -> None:
    own.start("--public-url", "http://127.0.0.1:1/videos/")
    assert own.variables["REELGATE_URL"] == "http://127.0.0.1:1/videos"
    path = tmp_path / "video.mp4"
    refused = own.reelgate("generate", "A closed shop", "--seconds", "1", "--resolution", "480p", "-o", str(path))
    assert refused.returncode == 1
    assert re.fullmatch(
        r"reelgate: job [0-9a-f-]{36} succeeded, but its video http://127\.0\.0\.1:1/videos/media/\S+ is not saved: "
        r".*refused\n",
        refused.stderr,
    )
    assert sorted(tmp_path.iterdir()) == [own.data_dir, own.console_path]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--host", "localhost", "--host is an IP address, such as 127.0.0.1 or 0.0.0.0, and not 'localhost'"),
        ("--public-url", "video.example.com", "--public-url is an http or https address, and not 'video.example.com'"),
    ],
)
def test_an_address_that_is_none_is_refused_in_one_line(tmp_path: Path, option: str, value: str, words: str) -> None:
    refused = run_reelgate("up", "--data-dir", str(tmp_path / "data"), option, value)
    assert (refused.returncode, refused.stderr) == (1, f"reelgate: {words}\n")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('\n\n[[model]]\nid = "x/y"\nname = "X"\n', ":3: [[model]] 'x/y': provider: is missing"),
        ('[[model]]\nid = "x/y"\n[[model]\n', ":3: not TOML: "),
    ],
)
def test_a_broken_catalogue_is_refused_with_its_file_and_line(
    own: Product, tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "own-catalogue.toml"
    path.write_text(content, encoding="utf-8")
    own.environment = {"REELGATE_CATALOGUE_PATH": str(path)}
    assert own.launch().wait(20) == 1
    assert own.console.startswith(f"reelgate: {path}{complaint}")
    assert own.console.count("\n") == 1


def test_the_configuration_is_read_from_a_file_and_its_mistakes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "reelgate.toml"
    path.write_text('[store]\npath = "elsewhere.sqlite3"\ncolour = "red"\n', encoding="utf-8")
    finished = run_reelgate("migrate", environment={"REELGATE_CONFIG": str(path)})
    assert finished.returncode == 1
    assert "store.colour" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_commands_refuse_a_store_that_is_not_one_without_a_traceback(tmp_path: Path) -> None:
    missing, other = tmp_path / "missing.sqlite3", tmp_path / "notes.txt"
    other.write_text("These are notes, and not a database at all. " * 100, encoding="utf-8")
    for path, words in ((missing, "migrate it first"), (other, "not a database")):
        for command in (("accounts", "create", "somebody"), ("serve",)):
            finished = run_reelgate(*command, environment={"REELGATE_STORE__PATH": str(path)})
            assert finished.returncode == 1
            assert words in finished.stderr
            assert finished.stderr.count("\n") == 1


def test_serve_alone_refuses_models_without_a_provider_and_simulates_nothing(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    environment = {
        "REELGATE_STORE__PATH": str(tmp_path / "serve.sqlite3"),
        "REELGATE_MEDIA__DIRECTORY": str(tmp_path / "media"),
        "REELGATE_LOCAL_RENDERER__DIRECTORY": str(tmp_path / "render"),
        "REELGATE_LOCAL_RENDERER__WORKER_COUNT": "1",
        "REELGATE_GRPC_SERVER__PORT": str(port),
    }
    assert run_reelgate("migrate", environment=environment).stdout == "applied migrations: 1, 2\n"
    run_reelgate("accounts", "create", "own", environment=environment)
    run_reelgate("credit", "1.00", "--account", "own", environment=environment)
    made = run_reelgate("keys", "create", "--account", "own", "--name", "tests", environment=environment)
    key = made.stdout.splitlines()[-1]
    with (
        (tmp_path / "serve.log").open("wb") as log,
        subprocess.Popen(
            [str(REELGATE), "serve"], env=clean_environment(environment), stdout=log, stderr=log
        ) as server,
    ):
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS) as channel:
                stub = video_service_pb2_grpc.VideoServiceStub(channel)
                refused = video_service_pb2.CreateJobRequest(model="fal/kling-2", prompt="Nobody renders this")
                with pytest.raises(grpc.RpcError) as error:
                    stub.CreateJob(refused, metadata=auth(key), timeout=30, wait_for_ready=True)
                assert refusal_of(error.value) == ("FAILED_PRECONDITION", "MODEL_UNAVAILABLE")
                taken = video_service_pb2.CreateJobRequest(model="local/storyboard", prompt="This one is real")
                taken.clip_duration.FromSeconds(1)
                assert stub.CreateJob(taken, metadata=auth(key), timeout=30).simulated is False
            server.send_signal(signal.SIGTERM)
            assert server.wait(STOP_LIMIT_S) == 0
        finally:
            server.kill()


def test_up_says_that_it_simulates(product: Product, native: httpx.Client) -> None:
    assert "SIMULATED: 22 models have no provider credentials" in product.console
    models = {each["model"]: each["availability"] for each in native.get("/reelgate/v1/models").json()["models"]}
    assert len(models) == 23
    assert models.pop("local/storyboard") == "AVAILABILITY_AVAILABLE"
    assert set(models.values()) == {"AVAILABILITY_SIMULATED"}
    job = native.post("/reelgate/v1/jobs", json={"model": "fal/kling-2", "prompt": "A", "clip_duration": "1s"}).json()
    assert job["simulated"] is True
    native.post(f"/reelgate/v1/jobs/{job['job_id']}:cancel")


def test_a_shell_can_source_what_it_writes(product: Product) -> None:
    path = product.data_dir / "dev.env"
    assert path.stat().st_mode & 0o777 == 0o600
    names = ["REELGATE_URL", "REELGATE_GRPC", "REELGATE_API_KEY"]
    names += [f"REELGATE_{plan}_KEY" for plan in ("GEEKHUB", "KYMA", "CONCURRED")]
    script = f". {shlex.quote(str(path))} && env"
    finished = subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    )
    variables = dict(line.split("=", 1) for line in finished.stdout.splitlines())
    assert {name: variables[name] for name in names} == product.variables
