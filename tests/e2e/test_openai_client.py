"""Python's `openai` client drives the GeekHub surface as its documentation shows."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import AuthenticationError, BadRequestError, DefaultHttpxClient, NotFoundError, OpenAI

from tests.support.product import END_LIMIT_S, Product, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


@pytest.fixture
def client(product: Product) -> Iterator[OpenAI]:
    """The documented client; only host and key differ."""
    with (
        DefaultHttpxClient(trust_env=False) as http_client,
        OpenAI(base_url=f"{product.url}/v1", api_key=product.geekhub_key, http_client=http_client) as openai,
    ):
        yield openai


def test_the_documented_usage_pattern_ends_with_a_video(client: OpenAI) -> None:
    job = client.post(
        "/videos/generations",
        body={
            "model": "fal/kling-2",
            "prompt": "A hummingbird drinking from a cempasúchil flower at dawn",
            "duration": 1,
        },
        cast_to=dict[str, Any],
    )
    job_id = job["id"]

    def completed() -> dict[str, Any] | None:
        status = client.get(f"/videos/{job_id}", cast_to=dict[str, Any])
        assert status["status"] != "failed", status["error"]
        return status if status["status"] == "completed" else None

    status = eventually(completed, limit_s=END_LIMIT_S, what="completed")
    assert httpx.head(status["video_url"], trust_env=False).status_code == 200


def test_refusals_arrive_as_the_exceptions_its_users_expect(client: OpenAI) -> None:
    body = {"model": "fal/kling-2", "prompt": "A hummingbird"}
    with pytest.raises(NotFoundError) as unknown_model:
        client.post("/videos/generations", body={**body, "model": "fal/kling-9"}, cast_to=dict[str, Any])
    assert (unknown_model.value.code, unknown_model.value.type) == ("model_not_found", "model_not_found")
    with pytest.raises(BadRequestError) as too_long:
        client.post("/videos/generations", body={**body, "duration": 11}, cast_to=dict[str, Any])
    assert too_long.value.code == "invalid_request_error"
    assert "duration" in too_long.value.message
    with pytest.raises(AuthenticationError) as unknown_key:
        client.with_options(api_key="ghub_sk_live_xxx").get("/models", cast_to=dict[str, Any])
    assert unknown_key.value.code == "invalid_api_key"
