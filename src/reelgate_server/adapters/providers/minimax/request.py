"""What MiniMax is asked for.

Source: platform.minimax.io/docs/api-reference/video-generation-t2v, -i2v and -fl2v, read 2026-11-20.
"""

from typing import Any, Final, TypedDict

from reelgate_server.adapters.providers.json_body import Base64Text, data_url
from reelgate_server.domain.spec import whole_seconds
from reelgate_server.ports.provider import ImageUrl, RenderOrder

ONLY_FROM_IMAGES: Final = "512P"
SMALLEST_FROM_TEXT: Final = "768P"


class Submission(TypedDict, total=False):
    """The body of a submit, without `callback_url`. There is neither a ratio, which an image sets, nor a seed."""

    model: str
    prompt: str
    """At most 2,000 characters."""
    duration: int
    """6 or 10 seconds; 10 not at 1080P."""
    resolution: str
    """`512P` (only with a first frame), `768P` or `1080P`."""
    first_frame_image: str | Base64Text
    """`https://…` or `data:image/…;base64,…`; JPEG, PNG or WebP, smaller than 20 MB."""
    prompt_optimizer: bool
    """Rewrite the prompt; true if absent."""


def to_request(order: RenderOrder) -> dict[str, Any]:
    """Make the body of a submit, in what `JsonBody` takes.

    The customer's extra parameters come first, so that ours win. Only `prompt_optimizer` gives way to them: a customer
    may want a prompt rewritten, but nobody's is rewritten unasked.
    """
    ours: Submission = {
        "model": order.endpoint,
        "prompt": order.spec.prompt,
        "duration": whole_seconds(order.spec.render_duration),
        "resolution": _resolution(order),
    }
    if order.image is not None:
        ours["first_frame_image"] = order.image.url if isinstance(order.image, ImageUrl) else data_url(order.image)
    return {"prompt_optimizer": False, **order.spec.extra, **ours}


def _resolution(order: RenderOrder) -> str:
    resolution = order.spec.resolution.upper()
    # The documented gateway sells 512p from text too; the customer then gets more than was paid for.
    return SMALLEST_FROM_TEXT if resolution == ONLY_FROM_IMAGES and order.image is None else resolution
