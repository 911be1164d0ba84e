"""Orders for providers, small enough to be rendered for real."""

from datetime import timedelta
from typing import Any

from reelgate_server.ports.provider import RenderOrder
from tests.support.builders import job_id, make_spec


def make_order(
    number: int = 1, *, seconds: int = 1, has_audio: bool = False, is_simulated: bool = False, **spec_changes: Any
) -> RenderOrder:
    """An order for job `number`: one second in 480p, unless told otherwise; keywords change its spec."""
    length = timedelta(seconds=seconds)
    fields = {"clip_duration": length, "render_duration": length, "resolution": "480p", **spec_changes}
    return RenderOrder(
        job_id=job_id(number),
        spec=make_spec(**fields),
        endpoint="storyboard",
        has_audio=has_audio,
        is_simulated=is_simulated,
    )
