"""Orders and answers to test with."""

import json
from datetime import timedelta
from typing import Any

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.domain.events import FailureCode
from reelgate_server.ports.provider import FirstFrame, ImageBytes, ImageUrl, RenderOrder
from tests.support.builders import job_id, make_spec

WAN = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
PROMPT = "a red fox walks through fresh snow"
KEY = "sk-very-secret-key"
PNG = b"\x89PNG\r\n\x1a\n and so on"
IMAGE = ImageBytes(PNG, "image/png")
ADDRESS = ImageUrl("https://pictures.example/fox.png")
CONTENT = "http://gpu.example:8000/v1/videos/video_1/content"

REFUSED = (FailureCode.REJECTED, "The provider refused to render this content.")
NOT_AVAILABLE = (FailureCode.PROVIDER_ERROR, "The provider is not available.")
NOT_RENDERED = (FailureCode.PROVIDER_ERROR, "The provider could not render this request.")
NOT_UNDERSTOOD = (FailureCode.PROVIDER_ERROR, "The provider's answer could not be understood.")
IMAGE_REFUSED = (FailureCode.IMAGE_UNUSABLE, "The image could not be fetched, or the provider cannot use it.")
UNANSWERED = (
    FailureCode.SUBMIT_UNANSWERED,
    "The provider did not confirm that it took the job; it was not sent again.",
)
"""What customers are told."""


def make_order(
    number: int = 1,
    *,
    prompt: str = PROMPT,
    model: str = WAN,
    seconds: int = 4,
    aspect_ratio: str = "16:9",
    resolution: str = "720p",
    has_audio: bool = False,
    image: FirstFrame | None = None,
    extra: dict[str, Any] | None = None,
) -> RenderOrder:
    """An order as a catalogue row for one's own server leads to it."""
    length = timedelta(seconds=seconds)
    return RenderOrder(
        job_id=job_id(number),
        spec=make_spec(
            prompt=prompt,
            clip_duration=length - timedelta(seconds=1),
            render_duration=length,
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            extra=extra or {},
        ),
        endpoint=model,
        has_audio=has_audio,
        is_simulated=False,
        image=image,
    )


def make_answer(body: object, *, status: int = 200, is_submit: bool = False, **headers: str) -> Answer:
    """An answer with this body, as JSON unless it is text."""
    content = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=content.encode(), is_submit=is_submit, secrets=(KEY,))


def make_video(status: str, **changes: Any) -> dict[str, Any]:
    """A video as OpenAI documents it, with all its keys."""
    return {
        "id": "video_1",
        "object": "video",
        "model": WAN,
        "status": status,
        "progress": 0,
        "created_at": 1_790_000_000,
        "completed_at": None,
        "expires_at": None,
        "prompt": PROMPT,
        "size": "1280x720",
        "seconds": "4",
        "remixed_from_video_id": None,
        "error": None,
        **changes,
    }
