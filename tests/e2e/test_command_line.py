"""The command line against a running product, as a user who has sourced `dev.env` calls it."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest

from reelgate.v1 import job_pb2, video_service_pb2, video_service_pb2_grpc
from reelgate_server.cli.client import download
from reelgate_server.cli.follow import Patience
from reelgate_server.cli.follow import follow as watch
from reelgate_server.cli.refusals import Refusal
from tests.support.product import CHANNEL_OPTIONS, Product, auth, bearer, create, follow, run_reelgate, small_job
from tests.support.video_probe import probe

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


def test_generate_saves_a_video_that_plays(product: Product, tmp_path: Path) -> None:
    path = tmp_path / "lighthouse.mp4"
    options = ["-o", str(path), "--seconds", "1", "--resolution", "480p", "--aspect-ratio", "1:1"]
    finished = product.reelgate("generate", "A lighthouse in fog", *options)
    assert finished.returncode == 0, finished
    assert finished.stdout.strip() == f"{path}: {path.stat().st_size} bytes, 0.010000 USD"
    video = probe(path)
    assert (video.width, video.height, video.audio_codec) == (480, 480, "aac")
    assert video.duration_s == pytest.approx(1.0, abs=0.1)


def test_generate_says_that_it_simulates_and_why_it_cannot(product: Product, tmp_path: Path) -> None:
    path = tmp_path / "kling.mp4"
    simulated = product.reelgate("generate", "A kite", "-o", str(path), "--model", "fal/kling-2", "--seconds", "1")
    assert simulated.stdout.strip().endswith("(SIMULATED)")
    for arguments, words in (
        (("A kite", "--model", "fal/kling-9"), "NOT_FOUND: Model 'fal/kling-9' does not exist."),
        (("A kite", "--seconds", "99"), "INVALID_ARGUMENT"),
        (("A kite", "--key", "wrong"), "UNAUTHENTICATED"),
    ):
        refused = product.reelgate("generate", *arguments)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_jobs_are_listed_shown_watched_and_cancelled(product: Product) -> None:
    key = product.make_account("command-line", "default", "5.00").secret
    with product.http(key) as http:
        watched = create(http, small_job("To be watched"))
        cancelled = create(http, small_job("To be cancelled", seconds=10))
    finished = product.reelgate("jobs", "cancel", cancelled, "--key", key)
    assert json.loads(finished.stdout)["state"] == "JOB_STATE_CANCELLED"
    finished = product.reelgate("jobs", "watch", watched, "--key", key)
    assert json.loads(finished.stdout)["state"] == "JOB_STATE_SUCCEEDED"
    finished = product.reelgate("jobs", "get", watched, "--key", key)
    assert json.loads(finished.stdout)["charged_micros"] == "10000"
    finished = product.reelgate("jobs", "list", "--key", key)
    assert re.search(rf"{cancelled}\b.*\bcancelled\b", finished.stdout)
    assert re.search(rf"{watched}\b.*\bsucceeded\b.*local/storyboard", finished.stdout)
    finished = product.reelgate("jobs", "list", "--key", key, "--state", "cancelled")
    assert cancelled in finished.stdout
    assert watched not in finished.stdout
    refused = product.reelgate("jobs", "get", "nonsense", "--key", key)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    refused = product.reelgate("jobs", "list", "--key", key, "--state", "happy")
    assert refused.stderr == "reelgate: there is no state 'happy'\n"


def test_models_show_prices_of_the_account(product: Product) -> None:
    finished = product.reelgate("models", "--key", product.geekhub_key)
    assert re.search(r"fal/kling-2 .*\b1-10\b.*0\.840000 MXN.*simulated", finished.stdout)
    assert re.search(r"\bveo-3 .*\b4,6,8\b.*simulated", finished.stdout)
    assert re.search(r"local/storyboard .*available", finished.stdout)


def test_accounts_keys_and_credit_are_made_beside_the_running_server_and_a_revoked_key_is_refused_at_once(
    product: Product,
) -> None:
    made = product.reelgate("accounts", "create", "a-studio", "--plan", "geekhub")
    assert re.fullmatch(r"account [0-9a-f-]{36} \(a-studio\) on plan geekhub\n", made.stdout)
    key = product.reelgate("keys", "create", "--account", "a-studio", "--name", "laptop")
    first_line, secret = key.stdout.splitlines()
    key_id = first_line.split()[1].rstrip(";")
    assert re.fullmatch(r"ghub_sk_live_[\w-]{32}", secret)
    body = {"model": "fal/kling-2", "prompt": "A studio at night", "duration": 1}
    with httpx.Client(base_url=product.url, headers=bearer(secret), trust_env=False) as http:
        poor = http.post("/v1/videos/generations", json=body)
        assert poor.status_code == 402
        assert poor.json()["error"]["code"] == "insufficient_balance"
        credited = product.reelgate("credit", "0.01", "--account", "a-studio")
        assert credited.stdout == "available: 0.01 MXN\n"
        # A balance above zero is enough there, and may become a debt.
        taken = http.post("/v1/videos/generations", json=body)
        assert taken.status_code == 200
        follow(product, secret, taken.json()["id"])
        assert http.get("/reelgate/v1/balance").json()["available_micros"] == "-830000"
        assert http.post("/v1/videos/generations", json=body).status_code == 402
        revoked = product.reelgate("keys", "revoke", key_id)
        assert revoked.stdout == f"key {key_id} is revoked\n"
        refused = http.get("/v1/models")
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "key_revoked")
    assert secret not in product.store_path.read_bytes().decode("latin-1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("accounts", "create", "dev-kyma"), "there is an account 'dev-kyma' already"),
        (("accounts", "create", "x", "--plan", "gold"), "there is no plan 'gold'"),
        (("accounts", "create", ""), "an account's name has 1 to 100 characters"),
        (("keys", "create", "--account", "dev-kyma", "--name", ""), "a key's name has 1 to 100 characters"),
        (("keys", "create", "--account", "dev-kyma", "--name", "x" * 101), "a key's name has 1 to 100 characters"),
        (("keys", "create", "--account", "nobody", "--name", "x"), "there is no account 'nobody'"),
        (("keys", "revoke", "nothing"), "there is no key nothing"),
        (("credit", "lots", "--account", "dev-kyma"), "'lots' is not an amount of money"),
        (("credit", "0", "--account", "dev-kyma"), "the amount must be above zero"),
        (("credit", "NaN", "--account", "dev-kyma"), "the amount must be above zero"),
        (("credit", "1e30", "--account", "dev-kyma"), "at most 1000000000"),
        (("credit", "0.0000001", "--account", "dev-kyma"), "the amount must be above zero"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_an_operator_gets_wrong_is_told_in_one_line(
    product: Product, arguments: tuple[str, ...], words: str
) -> None:
    finished = product.reelgate(*arguments)
    assert finished.returncode == 1
    assert finished.stderr.startswith("reelgate: ")
    assert words in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    finished = run_reelgate("jobs", "list", "--key", "x", "--target", "127.0.0.1:1")
    assert finished.returncode == 1
    assert finished.stderr.startswith("reelgate: UNAVAILABLE")


def test_an_account_whose_plan_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "reelgate.toml"
    path.write_text("[plans.gold]\n", encoding="utf-8")
    today = {"REELGATE_STORE__PATH": str(tmp_path / "store.sqlite3")}
    before = {**today, "REELGATE_CONFIG": str(path)}
    assert run_reelgate("migrate", environment=today).returncode == 0
    assert run_reelgate("accounts", "create", "midas", "--plan", "gold", environment=before).returncode == 0
    for arguments in (("keys", "create", "--account", "midas", "--name", "x"), ("credit", "1", "--account", "midas")):
        assert run_reelgate(*arguments, environment=before).returncode == 0
        refused = run_reelgate(*arguments, environment=today)
        message = "reelgate: account 'midas' is on plan 'gold', which is no longer configured\n"
        assert (refused.returncode, refused.stderr) == (1, message)


Script = Iterator[tuple[int, "job_pb2.JobState"]]


class Unsteady(video_service_pb2_grpc.VideoServiceServicer):
    """Answers each watch by the next of some scripts, and further ones by the last."""

    def __init__(self, *scripts: Callable[[int, grpc.ServicerContext], Script]) -> None:
        self.scripts = scripts
        self.asked: list[int] = []

    def GetJob(self, request: video_service_pb2.GetJobRequest, context: grpc.ServicerContext) -> job_pb2.Job:  # noqa: N802 (the contract's name)
        return job_pb2.Job(job_id=request.job_id, state=job_pb2.JOB_STATE_PROCESSING)

    def WatchJob(  # noqa: N802 (the contract's name)
        self, request: video_service_pb2.WatchJobRequest, context: grpc.ServicerContext
    ) -> Iterator[video_service_pb2.WatchJobResponse]:
        self.asked.append(request.after_sequence)
        script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        for sequence, state in script(request.after_sequence, context):
            job = job_pb2.Job(job_id=request.job_id, state=state)
            yield video_service_pb2.WatchJobResponse(sequence=sequence, job=job)

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve for as long as the context lasts; yields the address."""
        server = grpc.server(ThreadPoolExecutor(2))
        video_service_pb2_grpc.add_VideoServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


IMPATIENCE = Patience(attempt_count_max=4, answer_limit_s=0.5, pause_s_min=0.05, pause_s_max=0.15)


def snapshot_then_stop(after: int, context: grpc.ServicerContext) -> Script:
    """As a server that drains."""
    yield after, job_pb2.JOB_STATE_PROCESSING
    context.abort(grpc.StatusCode.UNAVAILABLE, "the server is stopping")


def snapshot_then_end(after: int, context: grpc.ServicerContext) -> Script:
    """Cut off without an error."""
    yield after, job_pb2.JOB_STATE_PROCESSING


def one_event_then_end(after: int, context: grpc.ServicerContext) -> Script:
    """A step forward."""
    yield after, job_pb2.JOB_STATE_PROCESSING
    yield after + 1, job_pb2.JOB_STATE_PROCESSING


def the_end(after: int, context: grpc.ServicerContext) -> Script:
    """What everybody waits for."""
    yield after + 1, job_pb2.JOB_STATE_SUCCEEDED


def follow_at(target: str, seen: list[job_pb2.Job]) -> job_pb2.Job:
    with grpc.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
        return watch(channel, "a-job", auth("x"), seen.append, IMPATIENCE)


def test_a_broken_watch_goes_on_after_the_last_event_for_as_long_as_there_are_new_ones() -> None:
    steps = [snapshot_then_stop, snapshot_then_end, one_event_then_end] * 3
    server = Unsteady(*steps, the_end)  # type: ignore[abstract]
    seen: list[job_pb2.Job] = []
    with server.serve() as target:
        assert follow_at(target, seen).state == job_pb2.JOB_STATE_SUCCEEDED
    assert server.asked == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert len(seen) == 13


@pytest.mark.parametrize(
    ("script", "reason"),
    [(snapshot_then_stop, "UNAVAILABLE: the server is stopping"), (snapshot_then_end, "the stream ended early")],
)
def test_a_watch_without_progress_pauses_and_then_says_how_to_resume(
    script: Callable[[int, grpc.ServicerContext], Script], reason: str
) -> None:
    server = Unsteady(script)  # type: ignore[abstract]
    begin = time.monotonic()
    with server.serve() as target, pytest.raises(Refusal) as refused:
        follow_at(target, [])
    assert time.monotonic() - begin >= 0.05 + 0.1 + 0.15
    assert server.asked == [0, 0, 0, 0]
    assert str(refused.value) == (
        f"lost sight of job a-job after 4 attempts ({reason}); "
        "it may go on without us: resume with `reelgate jobs watch a-job`"
    )


def test_a_watch_of_a_server_that_does_not_return_ends() -> None:
    with pytest.raises(Refusal, match=r"after 4 attempts \(DEADLINE_EXCEEDED: "):
        follow_at("127.0.0.1:1", [])


def test_a_watch_that_is_refused_is_not_tried_again(product: Product) -> None:
    refused = product.reelgate("jobs", "watch", "00000000-0000-4000-8000-000000000000", limit_s=10)
    assert refused.returncode == 1
    assert "reelgate: NOT_FOUND" in refused.stderr


def test_a_file_is_saved_whole_or_not_at_all(product: Product, native: httpx.Client, tmp_path: Path) -> None:
    video = follow(product, product.native_key, create(native)).video
    path, link = tmp_path / "video.mp4", tmp_path / "link.mp4"
    path.write_bytes(b"the old one")
    link.symlink_to(path)
    with pytest.raises(httpx.HTTPStatusError):
        download(video.uri + "x", path)
    with pytest.raises(httpx.ConnectError):
        download("http://127.0.0.1:1/", path)
    assert path.read_bytes() == b"the old one"
    download(video.uri, link)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == video.sha256
    assert sorted(tmp_path.iterdir()) == [link, path]
    assert link.is_symlink()
    # What is no file is written to, and not replaced.
    download(video.uri, Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
