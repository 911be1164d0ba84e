"""The command line against a running product, as a user who has sourced `dev.env` calls it."""

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.support.product import Product, bearer, create, follow, run_reelgate, small_job
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
