"""Orders and answers to test with."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.api_keys import ApiKeys
from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.domain.events import Task
from reelgate_server.ports.provider import FirstFrame, ImageUrl, RenderOrder
from tests.support.builders import job_id, make_spec

KLING = "fal-ai/kling-video/v2/master/text-to-video"
KLING_FROM_IMAGE = "fal-ai/kling-video/v2/master/image-to-video"
PROMPT = "a red fox walks through fresh snow"
PHOTO = "https://example.com/photo.jpg"
SECRET = "5e68dfbc-4b1c-4a28-a79d:0c40a33a1f17b2d1"
KEYS = {"main": SECRET, "old": "key-of-old-0123456789"}
LIMIT_S = 0.75
"""Of a call and of silence, in these tests."""
REQUEST_ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"


def make_order(
    number: int = 1,
    *,
    endpoint: str = KLING,
    seconds: int = 5,
    has_audio: bool = False,
    image: FirstFrame | None = None,
    **spec_changes: Any,
) -> RenderOrder:
    """Five silent seconds of Kling 2 from text, unless told otherwise; keywords change the spec."""
    length = timedelta(seconds=seconds)
    fields = {"prompt": PROMPT, "clip_duration": length, "render_duration": length, **spec_changes}
    return RenderOrder(
        job_id=job_id(number),
        spec=make_spec(**fields, image_url=image.url if isinstance(image, ImageUrl) else None),
        endpoint=endpoint,
        has_audio=has_audio,
        is_simulated=False,
        image=image,
    )


def make_answer(
    body: object, *, status: int = 200, is_submit: bool = False, headers: Mapping[str, str] | None = None
) -> Answer:
    """An answer with this body, as JSON unless it is text."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    secrets = ApiKeys("fal", KEYS).secrets
    return Answer(status=status, headers=headers or {}, body=content, is_submit=is_submit, secrets=secrets)


def make_provider(queue_url: str, **changes: Any) -> FalProvider:
    """A provider with short limits; two keys, of which the first makes new tasks."""
    keys = changes.pop("keys", KEYS)
    http = ProviderHttp(secrets=ApiKeys("fal", keys).secrets, call_limit_s=LIMIT_S, read_limit_s=LIMIT_S)
    return FalProvider(keys=keys, queue_url=queue_url, http=http, **changes)


def make_task(queue_url: str, request_id: str = REQUEST_ID, credential: str | None = "main") -> Task:
    """A task of Kling 2."""
    address = f"{queue_url}/fal-ai/kling-video/requests/{request_id}"
    urls = {"status": f"{address}/status", "response": address, "cancel": f"{address}/cancel"}
    return Task(task_id=request_id, urls=urls, credential=credential)


def row(kind: str, **changes: Any) -> dict[str, Any]:
    """One error of a model, with the parts that repeat what the customer sent."""
    return {
        "loc": ["body", "prompt"],
        "msg": "words of the model",
        "type": kind,
        "url": f"https://docs.fal.ai/errors#{kind}",
        "ctx": {"echo": PROMPT},
        "input": PROMPT,
        **changes,
    }
