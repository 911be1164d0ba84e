"""The documented calls of the three APIs, word for word but for host and key, to a video that plays."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from reelgate.v1 import job_pb2
from tests.e2e.curl import Answer, run_documented
from tests.support.product import END_LIMIT_S, Product, balance, bearer, eventually, follow
from tests.support.video_probe import Probe, probe

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

GEEKHUB_CREATE = """\
curl -X POST https://api.geekhub.mx/v1/videos/generations \\
    -H "Authorization: Bearer ghub_sk_live_xxx" \\
    -H "Content-Type: application/json" \\
    -d '{
      "model": "fal/kling-2",
      "prompt": "An astronaut surfing a giant wave of green salsa",
      "duration": 5,
      "aspect_ratio": "16:9"
    }'
"""
"""docs.geekhub.mx, POST /v1/videos/generations, the example of curl."""

GEEKHUB_TEMPLATE = """\
curl --request POST \\
  --url https://api.geekhub.mx/v1/videos/generations \\
  --header 'Content-Type: application/json' \\
  --data '
{
  "model": "<string>",
  "prompt": "<string>",
  "duration": 123,
  "aspect_ratio": "<string>"
}
'
"""
"""The same page, the reference's form; it sends no key."""

KYMA_CREATE = """\
curl -X POST https://kymaapi.com/v1/videos/generations \\
  -H "Authorization: Bearer $KYMA_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "kling-3-pro",
    "prompt": "a cinematic close-up of an hourglass on a wooden desk, golden hour, slow camera push-in",
    "duration": 5
  }'
"""
"""docs.kymaapi.com, models/video-generation."""

CONCURRED_BODY = """\
{
  "model": "veo-3.1",
  "prompt": "A cinematic sunset over ocean waves, slow motion",
  "duration": "8",
  "aspect_ratio": "16:9",
  "resolution": "1080p"
}
"""
"""www.concurred.ai, docs/api/video."""

NO_IMAGE_THERE = "https://192.0.2.7/first-frame.png"
"""Of a network that is reserved for documentation: nothing is asked, and the picture says that the image is missing."""

GEEKHUB_KEYS = ["id", "object", "status", "model", "prompt", "video_url", "duration", "error", "created", "completed"]
KYMA_KEYS = ["id", "object", "status", "model", "created_at", "completed_at", "output", "error"]
KYMA_KEYS += ["estimated_cost", "charged_amount"]
ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What the documented creates answered, all sent before the first of them could end."""

    geekhub_key: str
    geekhub: Answer
    geekhub_balance: tuple[int, int]
    """Available and held micros, right after."""
    kyma_key: str
    kyma: Answer
    kyma_balance: Mapping[str, Any]
    concurred: httpx.Response
    left_key: str
    """Of the account whose client left a blocking create."""


@pytest.fixture(scope="module")
def documented(shared_product: Product) -> Documented:
    """Send every documented create, so that the renders go on while the first tests look."""
    url = shared_product.url
    geekhub_key = shared_product.make_account("documented-geekhub", "geekhub", "50.00").secret
    kyma_key = shared_product.make_account("documented-kyma", "kyma", "10.00").secret
    left_key = shared_product.make_account("documented-leaver", "concurred", None).secret
    geekhub = run_documented(GEEKHUB_CREATE, {"https://api.geekhub.mx": url, "ghub_sk_live_xxx": geekhub_key})
    with shared_product.http(geekhub_key) as http:
        geekhub_balance = balance(http)
    kyma = run_documented(KYMA_CREATE, {"https://kymaapi.com": url, "$KYMA_API_KEY": kyma_key})
    with shared_product.http(kyma_key) as http:
        kyma_balance = http.get("/v1/credits/balance").json()
    with shared_product.http(shared_product.concurred_key) as http:
        headers = {"content-type": "application/json"}
        concurred = http.post("/api/v1/video/generate", content=CONCURRED_BODY, headers=headers)
    with shared_product.http(left_key, limit_s=0.5) as http, pytest.raises(httpx.ReadTimeout):
        http.post("/api/v1/video/generate", json={"model": "wan-2.6", "prompt": "A train leaves without its passenger"})
    return Documented(
        geekhub_key=geekhub_key,
        geekhub=geekhub,
        geekhub_balance=geekhub_balance,
        kyma_key=kyma_key,
        kyma=kyma,
        kyma_balance=kyma_balance,
        concurred=concurred,
        left_key=left_key,
    )


def download(url: str, path: Path) -> Probe:
    """Get a finished video without any key, as a player does, and look at it."""
    response = httpx.get(url, trust_env=False, timeout=30)
    assert response.status_code == 200
    assert response.headers["content-type"] == "video/mp4"
    assert int(response.headers["content-length"]) == len(response.content)
    path.write_bytes(response.content)
    return probe(path)


def ledger(http: httpx.Client) -> list[tuple[str, int, str]]:
    """Kind, amount and currency of every entry of an account, oldest first."""
    entries = http.get("/reelgate/v1/ledger").json()["entries"]
    return [
        (each["kind"].removeprefix("LEDGER_ENTRY_KIND_"), int(each["amount_micros"]), each["currency"])
        for each in reversed(entries)
    ]


def test_the_documented_geekhub_call_creates_a_job_and_charges_nothing_yet(
    documented: Documented, product: Product
) -> None:
    answer = documented.geekhub
    assert answer.status == 200
    assert list(answer.body) == GEEKHUB_KEYS
    assert str(UUID(answer.body["id"])) == answer.body["id"]
    assert answer.body["status"] in {"pending", "processing"}
    assert abs(answer.body["created"] - time.time()) < 60
    assert {name: answer.body[name] for name in GEEKHUB_KEYS if name not in {"id", "status", "created"}} == {
        "object": "video.job",
        "model": "fal/kling-2",
        "prompt": "An astronaut surfing a giant wave of green salsa",
        "video_url": None,
        "duration": 5,
        "error": None,
        "completed": None,
    }
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer.headers["x-request-id"])
    assert answer.headers["content-type"] == "application/json"
    assert [name for name in answer.headers if name.startswith(("grpc", "x-http", "x-error", "x-envoy"))] == []
    assert documented.geekhub_balance == (50_000_000, 0)


def test_the_geekhub_reference_without_a_key_is_told_so(product: Product) -> None:
    answer = run_documented(GEEKHUB_TEMPLATE, {"https://api.geekhub.mx": product.url})
    assert answer.status == 401
    assert answer.body["error"]["code"] == answer.body["error"]["type"] == "missing_api_key"


def test_polling_geekhub_ends_with_a_video_that_plays_and_a_charge_of_exactly_4_20_pesos(
    documented: Documented, product: Product, tmp_path: Path
) -> None:
    poll = f'curl {product.url}/v1/videos/{documented.geekhub.body["id"]} -H "Authorization: Bearer KEY"'

    def completed() -> Answer | None:
        answer = run_documented(poll, {"KEY": documented.geekhub_key})
        assert answer.status == 200
        assert list(answer.body) == GEEKHUB_KEYS
        assert answer.body["status"] in {"pending", "processing", "completed"}
        return answer if answer.body["status"] == "completed" else None

    job = eventually(completed, limit_s=END_LIMIT_S, what="completed").body
    assert job["error"] is None
    assert job["completed"] >= job["created"]
    assert re.fullmatch(
        re.escape(product.url) + rf"/media/generated-videos/[0-9a-f-]{{36}}/{job['id']}/video\.mp4", job["video_url"]
    )
    video = download(job["video_url"], tmp_path / "video.mp4")
    assert (video.video_codec, video.pixel_format, video.width, video.height) == ("h264", "yuv420p", 1280, 720)
    assert video.duration_s == pytest.approx(5.0, abs=0.1)
    assert video.audio_codec is None
    assert video.is_fast_start
    with product.http(documented.geekhub_key) as http:
        assert balance(http) == (45_800_000, 0)
        assert ledger(http) == [("CREDIT", 50_000_000, "MXN"), ("POST", 4_200_000, "MXN")]
        native = http.get(f"/reelgate/v1/jobs/{job['id']}").json()
    assert native["simulated"] is True


def test_the_documented_kyma_call_answers_202_and_holds_the_price(documented: Documented, product: Product) -> None:
    answer = documented.kyma
    assert answer.status == 202
    assert list(answer.body) == KYMA_KEYS
    assert answer.body["status"] in {"pending", "processing"}
    assert ISO_8601.fullmatch(answer.body["created_at"])
    assert {name: answer.body[name] for name in KYMA_KEYS if name not in {"id", "status", "created_at"}} == {
        "object": "video.job",
        "model": "kling-3-pro",
        "completed_at": None,
        "output": None,
        "error": None,
        "estimated_cost": 0.756,
        "charged_amount": None,
    }
    assert documented.kyma_balance == {"balance": 9.244, "low_balance": False, "held": 0.756}


def test_polling_kyma_ends_with_an_output_and_the_hold_becomes_the_charge(
    documented: Documented, product: Product, tmp_path: Path
) -> None:
    with product.http(documented.kyma_key) as http:

        def succeeded() -> dict[str, Any] | None:
            response = http.get(f"/v1/jobs/{documented.kyma.body['id']}")
            assert response.status_code == 200
            body: dict[str, Any] = response.json()
            assert list(body) == KYMA_KEYS
            assert body["status"] in {"pending", "processing", "succeeded"}
            return body if body["status"] == "succeeded" else None

        job = eventually(succeeded, limit_s=END_LIMIT_S, what="succeeded")
        assert ISO_8601.fullmatch(job["completed_at"])
        assert job["error"] is None
        assert job["estimated_cost"] == job["charged_amount"] == 0.756
        assert job["output"] == {"url": job["output"]["url"], "metadata": {"duration": 5}}
        assert http.get("/v1/credits/balance").json() == {"balance": 9.244, "low_balance": False, "held": 0}
        assert ledger(http) == [("CREDIT", 10_000_000, "USD"), ("HOLD", 756_000, "USD"), ("POST", 756_000, "USD")]
    video = download(job["output"]["url"], tmp_path / "video.mp4")
    assert (video.video_codec, video.pixel_format, video.width, video.height) == ("h264", "yuv420p", 1920, 1080)
    assert video.duration_s == pytest.approx(5.0, abs=0.1)
    assert video.is_fast_start


def test_a_repeated_kyma_call_with_the_same_key_is_the_same_job_held_once(product: Product) -> None:
    key = product.make_account("replay-kyma", "kyma", "1.00").secret
    body = {
        "model": "hailuo-02-512p",
        "prompt": "A kite repeats its loop",
        "duration": 1,
        "idempotency_key": "retry-1",
        "extra": {"seed": 7, "aspect_ratio": "16:9"},
    }
    with product.http(key) as http:
        first, second = (http.post("/v1/videos/generations", json=body) for _ in range(2))
        assert (first.status_code, second.status_code) == (202, 200)
        assert second.json()["id"] == first.json()["id"]
        # The Vertex models are documented here too; any of Kyma's is taken.
        third = http.post("/v1/genmedia/jobs", json=body)
        assert (third.status_code, third.json()["id"]) == (200, first.json()["id"])
        assert http.get("/v1/credits/balance").json()["held"] in {0.02295, 0}
        follow(product, key, first.json()["id"])
        assert ledger(http) == [("CREDIT", 1_000_000, "USD"), ("HOLD", 22_950, "USD"), ("POST", 22_950, "USD")]


def test_the_documented_concurred_call_gives_an_operation_to_poll(documented: Documented, product: Product) -> None:
    assert documented.concurred.status_code == 200
    body = documented.concurred.json()
    assert list(body) == ["success", "data"]
    assert body["success"] is True
    operation_id = body["data"]["operation_id"]
    assert operation_id.startswith("operations/")
    assert body["data"] == {
        "model": "veo-3.1",
        "provider": "google",
        "status": "processing",
        "operation_id": operation_id,
        "poll_url": f"/api/v1/video/status?provider=google&operation_id={operation_id}",
    }


def test_a_concurred_operation_is_polled_raw_or_encoded_until_done(
    documented: Documented, product: Product, tmp_path: Path
) -> None:
    data = documented.concurred.json()["data"]
    encoded = f"/api/v1/video/status?provider=google&operation_id={quote(data['operation_id'], safe='')}"
    assert "%2F" in encoded
    # The other documented header.
    with httpx.Client(
        base_url=product.url, headers={"X-API-Key": product.concurred_key}, trust_env=False, timeout=30
    ) as http:

        def done() -> dict[str, Any] | None:
            raw, other = http.get(data["poll_url"]), http.get(encoded)
            assert (raw.status_code, other.status_code) == (200, 200)
            body: dict[str, Any] = other.json()
            assert body["success"] is True
            assert body["data"]["operation_id"] == data["operation_id"]
            if not body["data"]["done"]:
                assert body["data"] == {"done": False, "status": "processing", "operation_id": data["operation_id"]}
                return None
            return body

        status = eventually(done, limit_s=END_LIMIT_S, what="done")["data"]
        assert http.get(data["poll_url"]).json()["data"] == status
    assert list(status) == ["done", "status", "operation_id", "video_url"]
    assert status["status"] == "completed"
    video = download(status["video_url"], tmp_path / "video.mp4")
    assert (video.video_codec, video.width, video.height, video.audio_codec) == ("h264", 1920, 1080, "aac")
    assert video.duration_s == pytest.approx(8.0, abs=0.1)
    assert video.is_fast_start


def test_a_blocking_concurred_create_with_an_image_answers_with_the_video_of_the_i2v_model(
    documented: Documented, product: Product, tmp_path: Path
) -> None:
    with product.http(product.concurred_key, limit_s=END_LIMIT_S) as http:
        response = http.post(
            "/api/v1/video/generate",
            json={
                "model": "kling-3-pro",
                "prompt": "The picture comes alive",
                "image_url": NO_IMAGE_THERE,
                "aspect_ratio": "9:16",
            },
        )
    assert response.status_code == 200, response.text
    body = response.json()
    video_url = body["data"]["video_url"]
    assert body == {
        "success": True,
        "data": {"model": "kling-3-pro-i2v", "provider": "fal", "status": "completed", "video_url": video_url},
    }
    video = download(video_url, tmp_path / "video.mp4")
    assert (video.width, video.height) == (1080, 1920)


def test_the_job_of_a_client_that_left_a_blocking_create_goes_on_and_ends(
    documented: Documented, product: Product
) -> None:
    with product.http(documented.left_key) as http:
        (job,) = http.get("/reelgate/v1/jobs", params={"model": "wan-2.6"}).json()["jobs"]
    assert follow(product, documented.left_key, job["job_id"]).state == job_pb2.JOB_STATE_SUCCEEDED


def test_the_documented_lists_answer_as_documented(product: Product) -> None:
    with product.http() as http:
        geekhub = http.get("/v1/models", headers=bearer(product.geekhub_key)).json()
        kyma = http.get("/v1/models", headers=bearer(product.kyma_key)).json()
        pricing = http.get("/v1/pricing")
        tiers = http.get("/v1/limits/tiers")
    assert geekhub["object"] == kyma["object"] == "list"
    (kling,) = (row for row in geekhub["data"] if row["id"] == "fal/kling-2")
    assert kling == {
        "id": "fal/kling-2",
        "object": "model",
        "kind": "video",
        "owned_by": "fal",
        "pricing": {"per_second_usd": 0.04},
        "default_duration": 5,
        "max_duration": 10,
        "aspect_ratios": ["16:9", "9:16", "1:1"],
    }
    assert len(geekhub["data"]) == 7
    assert len(kyma["data"]) == 10
    assert pricing.headers["cache-control"] == "public, max-age=60"
    assert pricing.json()["object"] == "pricing.catalog"
    (veo,) = (row for row in pricing.json()["media"] if row["id"] == "veo-3")
    assert veo == {
        "id": "veo-3",
        "name": "Veo 3",
        "modality": "video",
        "pricing_mode": "per-second",
        "usd_per_call": 0.54,
        "detail": {
            "provider_cost_per_sec": 0.4,
            "min_duration_sec": 4,
            "max_duration_sec": 8,
            "allowed_durations": [4, 6, 8],
        },
    }
    assert tiers.headers["cache-control"] == "public, max-age=300"
    assert tiers.json()["object"] == "tier.matrix"
    assert tiers.json()["tiers"][0] == {
        "tier": 0,
        "name": "Tier 0",
        "min_deposit": 0,
        "rpm": 30,
        "per_model_rpm": 25,
        "tpm": 200_000,
        "max_single_request": 200_000,
        "image_concurrent": 2,
        "image_queue_depth_cap": 6,
        "video_concurrent": 0,
        "video_queue_depth_cap": 0,
        "audio_concurrent": 2,
        "audio_concurrent_per_provider": {"groq": 1, "vertex": 2, "elevenlabs": 1, "minimax": 1, "openai": 1},
    }
