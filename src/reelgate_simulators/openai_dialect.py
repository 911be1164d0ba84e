"""The OpenAI Videos API as OpenAI documents it, and the seams at which other servers differ.

Source:
    github openai/openai-openapi, openapi.yaml at f85dbe2 (2026-08-21), and the wire of openai 3.52.0.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import uuid4

from reelgate_simulators.base import Render, RenderState
from reelgate_simulators.catalogue import Fate
from reelgate_simulators.openai_fields import Refusal, check_reference, choice_of, prompt_of, read_body, text_of
from reelgate_simulators.recording import RecordedRequest

MODEL_DEFAULT = "sora-2"
SECONDS_DEFAULT = "4"
SECONDS = frozenset({"4", "8", "12", "16", "20"})
"""16 and 20 are in the guide only."""
SIZE_DEFAULT = "720x1280"
SIZES = frozenset({"720x1280", "1280x720", "1024x1792", "1792x1024"})
PRO_SIZES = frozenset({"1920x1080", "1080x1920"})
"""In the guide only, and for `sora-2-pro` only."""
MODEL = re.compile(r"sora-2(-pro)?(-\d{4}-\d{2}-\d{2})?")
VARIANTS = {"video": "video/mp4", "thumbnail": "image/webp", "spritesheet": "image/webp"}
"""What can be downloaded of a video, and its content type."""


@dataclass(frozen=True, kw_only=True)
class VideoSpec:
    """What an accepted request asks for, defaults filled in."""

    prompt: str
    model: str
    seconds: int
    """> 0."""
    size: str
    """`{width}x{height}`."""


@dataclass(frozen=True, kw_only=True)
class VideoFailure:
    """How a render went wrong."""

    message: str
    code: str | int | None = None
    """Text with OpenAI and LiteLLM; an HTTP status as a number with vLLM-Omni; absent with SGLang."""
    is_filtered: bool = False
    """Rendered and then withheld, which some back ends do not call a failure."""


VideoRender = Render[VideoFailure]


class Deletion(Enum):
    """What `DELETE` does to a render that has not ended."""

    REFUSES = "refuses"
    FORGETS = "forgets"
    """The record goes, the render goes on."""
    ABORTS = "aborts"
    UNSUPPORTED = "unsupported"
    """Nothing can be deleted, ended or not."""


class OpenAiDialect:
    """OpenAI itself. The others override what differs."""

    deletion = Deletion.REFUSES

    def new_id(self) -> str:
        """Make an id."""
        return f"video_{uuid4().hex}"

    def read_spec(self, request: RecordedRequest) -> VideoSpec:
        """Check what is to be rendered.

        Raises:
            Refusal: 400, naming the first field that is wrong.
        """
        fields = read_body(request)
        model = text_of(fields, "model", MODEL_DEFAULT)
        if not MODEL.fullmatch(model):
            raise Refusal(400, f"Invalid value: '{model}'.", parameter="model", code="invalid_value")
        sizes = SIZES | PRO_SIZES if model.startswith("sora-2-pro") else SIZES
        check_reference(fields)
        return VideoSpec(
            prompt=prompt_of(fields),
            model=model,
            seconds=int(choice_of(fields, "seconds", SECONDS_DEFAULT, SECONDS)),
            size=choice_of(fields, "size", SIZE_DEFAULT, sizes),
        )

    def failure(self, fate: Fate) -> VideoFailure | None:
        """Say how a render of this fate fails."""
        match fate:
            case Fate.REJECTED:
                return VideoFailure(code="moderation_blocked", message="Your request was blocked by our moderation.")
            case Fate.FILTERED:
                message = "The generated video was blocked by our moderation."
                return VideoFailure(code="moderation_blocked", message=message, is_filtered=True)
            case Fate.FAILED:
                return VideoFailure(code="video_generation_failed", message="Video generation failed.")
            case _:
                return None

    def status(self, render: VideoRender) -> str:
        """Choose the word for a state."""
        match render.state:
            case RenderState.QUEUED:
                return "queued"
            case RenderState.RUNNING:
                return "in_progress"
            case RenderState.SUCCEEDED:
                return "completed"
            case _:
                return "failed"

    def error(self, render: VideoRender) -> dict[str, Any] | None:
        """Write the `error` of a video."""
        failure = render.failure
        if failure is None or self.status(render) != "failed":
            return None
        return {"code": failure.code, "message": failure.message}

    def adapt(self, video: dict[str, Any], render: VideoRender) -> dict[str, Any]:  # noqa: ARG002 (a seam)
        """Add and remove keys of the object."""
        return video

    def status_code(self, render: VideoRender) -> int:  # noqa: ARG002 (a seam)
        """Choose the HTTP status under which a video is shown."""
        return 200

    def refusal_body(self, refusal: Refusal) -> Any:
        """Write an error answer."""
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(refusal.status, "invalid_request_error")
        return {
            "error": {
                "message": refusal.message,
                "type": "server_error" if refusal.status >= 500 else kind,  # noqa: PLR2004 (where they begin)
                "param": refusal.parameter,
                "code": refusal.code,
            }
        }

    def check_content(self, render: VideoRender) -> None:
        """Let a download begin only if there is something.

        Raises:
            Refusal: There is nothing yet, or there never will be.
        """
        if render.state is not RenderState.SUCCEEDED:
            raise Refusal(404, "Video is not ready yet.", code="video_not_ready")

    def content_type(self, variant: str | None) -> str:
        """Choose what is downloaded.

        Raises:
            Refusal: There is no such variant.
        """
        if (variant or "video") not in VARIANTS:
            raise Refusal(400, f"Invalid value: '{variant}'.", parameter="variant", code="invalid_value")
        return VARIANTS[variant or "video"]

    def deleted(self, video: dict[str, Any]) -> dict[str, Any]:
        """Write the answer to a deletion."""
        return {"id": video["id"], "object": "video.deleted", "deleted": True}
