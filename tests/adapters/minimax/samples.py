"""Orders and answers to test with."""

import json
from datetime import timedelta
from typing import Any

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.ports.provider import FirstFrame, RenderOrder
from tests.support.builders import job_id, make_spec

HAILUO = "MiniMax-Hailuo-02"
PROMPT = "a red fox walks through fresh snow"


def make_order(
    number: int = 1,
    *,
    prompt: str = PROMPT,
    seconds: int = 6,
    resolution: str = "768p",
    image: FirstFrame | None = None,
    extra: dict[str, Any] | None = None,
) -> RenderOrder:
    """An order as the catalogue's Hailuo rows lead to it."""
    length = timedelta(seconds=seconds)
    return RenderOrder(
        job_id=job_id(number),
        spec=make_spec(
            prompt=prompt,
            clip_duration=timedelta(seconds=min(seconds, 5)),
            render_duration=length,
            resolution=resolution,
            extra=extra or {},
        ),
        endpoint=HAILUO,
        has_audio=False,
        is_simulated=False,
        image=image,
    )


def make_answer(body: object, *, status: int = 200, is_submit: bool = False, **headers: str) -> Answer:
    """An answer with this body, as JSON unless it is text."""
    content = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=content.encode(), is_submit=is_submit, secrets=("s3cret-key",))


def base_resp(code: int, text: str = "words of the provider") -> dict[str, Any]:
    """The part that every answer has."""
    return {"status_code": code, "status_msg": text}
