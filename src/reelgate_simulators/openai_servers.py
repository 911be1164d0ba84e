"""Self-hosted servers and the proxy that speak the OpenAI Videos shape, each with its own accent.

Source:
    PyPI sglang 0.5.23 (multimodal_gen/runtime/entrypoints/openai), vllm-omni 0.30.0 (vllm_omni/entrypoints/openai) and
    litellm 1.109.1 (litellm/types/videos, litellm/llms/*/videos, litellm/proxy/video_endpoints), as tabulated for this
    project on 2026-11-20.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

from reelgate_simulators.base import RenderState
from reelgate_simulators.catalogue import Fate
from reelgate_simulators.openai_dialect import (
    SECONDS_DEFAULT,
    SIZE_DEFAULT,
    Deletion,
    OpenAiDialect,
    VideoFailure,
    VideoRender,
    VideoSpec,
)
from reelgate_simulators.openai_fields import (
    Refusal,
    check_reference,
    json_object,
    match_of,
    prompt_of,
    read_body,
    text_of,
)
from reelgate_simulators.recording import RecordedRequest, Upload

SERVED_MODEL = "Wan-AI/Wan2.2-T2V-A14B-Diffusers"
"""What a self-hosted server has loaded; any other name is taken for it."""
TOO_EARLY = "Generation is still in-progress"
"""Verbatim, of both self-hosted servers."""
SIZE = re.compile(r"\d+x\d+")
WHOLE_SECONDS = re.compile(r"[1-9]\d*")


class SglangDialect(OpenAiDialect):
    """SGLang-diffusion."""

    deletion = Deletion.FORGETS
    whole_fields = ("seconds", "fps", "num_frames", "seed", "width", "height")
    """Integers in JSON, digits in a form."""
    text_fields = ("negative_prompt", "reference_url", "video_url")

    def new_id(self) -> str:
        """Make a bare request id."""
        return str(uuid4())

    def read_spec(self, request: RecordedRequest) -> VideoSpec:
        """Check what is to be rendered; unlike OpenAI's, `seconds` is a number in JSON."""
        # Every field but the prompt is optional, and null is absent.
        fields = {name: value for name, value in read_body(request).items() if value is not None}
        is_form = "json" not in request.headers.get("content-type", "")
        whole = {name: _whole(fields[name], name, is_form=is_form) for name in self.whole_fields if name in fields}
        if whole.get("seconds", 1) < 1:
            raise Refusal(400, "seconds must be positive")
        for name in self.text_fields:
            text_of(fields, name, "-")
        width, height = (int(part) for part in match_of(fields, "size", SIZE_DEFAULT, SIZE).split("x"))
        return VideoSpec(
            prompt=prompt_of(fields),
            model=text_of(fields, "model", SERVED_MODEL),
            seconds=whole.get("seconds", int(SECONDS_DEFAULT)),
            size=f"{whole.get('width', width)}x{whole.get('height', height)}",
        )

    def error(self, render: VideoRender) -> dict[str, Any] | None:
        """Write a message and no code."""
        error = super().error(render)
        return None if error is None else {"message": error["message"]}

    def adapt(self, video: dict[str, Any], render: VideoRender) -> dict[str, Any]:
        """Add what SGLang tells besides."""
        is_done = render.state is RenderState.SUCCEEDED
        return video | {
            "quality": "standard",
            "url": render.extra.get("url") if is_done else None,
            "urls": [render.extra["url"]] if is_done and "url" in render.extra else None,
            "file_path": f"outputs/{render.id}.mp4" if is_done and "url" not in render.extra else None,
            "num_outputs": 1,
            "peak_memory_mb": 40_960.0 if is_done else None,
            "inference_time_s": max(0.0, render.end_time_s - render.start_time_s) if is_done else None,
        }

    def refusal_body(self, refusal: Refusal) -> Any:
        """Write an error as FastAPI does."""
        return {"detail": refusal.message}

    def check_content(self, render: VideoRender) -> None:
        """Refuse what is not there, and what was put into somebody's cloud instead."""
        if render.state is not RenderState.SUCCEEDED:
            raise Refusal(404, TOO_EARLY)
        if "url" in render.extra:
            message = f"Video has been uploaded to cloud storage. Please use the cloud URL: {render.extra['url']}"
            raise Refusal(400, message)

    def content_type(self, variant: str | None) -> str:
        """Choose by index; there is one output."""
        if variant is not None and not variant.isdecimal():
            raise Refusal(422, "Input should be a valid integer")
        if int(variant or 0) > 0:
            raise Refusal(404, "Output not found")
        return "video/mp4"

    def deleted(self, video: dict[str, Any]) -> dict[str, Any]:
        """Show the video itself, with a status that nobody else has."""
        return video | {"status": "deleted"}


class OlderSglangDialect(SglangDialect):
    """SGLang before it reported progress."""

    def read_spec(self, request: RecordedRequest) -> VideoSpec:
        """Refuse a multipart form without a file, too."""
        is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
        if is_form and not isinstance(request.members.get("input_reference"), Upload):
            raise Refusal(400, "input_reference file is required")
        return super().read_spec(request)

    def status(self, render: VideoRender) -> str:
        """Choose the word for a state; nothing is ever in progress."""
        word = super().status(render)
        return "queued" if word == "in_progress" else word


class VllmOmniDialect(OpenAiDialect):
    """vLLM-Omni: forms only, and a failed job is a failed request."""

    deletion = Deletion.ABORTS

    def new_id(self) -> str:
        """Make an id."""
        return f"video_gen_{uuid4().hex}"

    def read_spec(self, request: RecordedRequest) -> VideoSpec:
        """Check what is to be rendered; an image by address is JSON inside a form field."""
        fields = read_body(request, has_json=False)
        reference = fields.get("image_reference")
        if reference is not None and not isinstance((json_object(reference) or {}).get("image_url"), str):
            message = "'image_reference' must be a JSON object with 'image_url'; 'file_id' is not implemented."
            raise Refusal(400, message, parameter="image_reference")
        if not isinstance(fields.get("input_reference"), Upload | None):
            raise Refusal(400, "'input_reference' must be a file.", parameter="input_reference")
        return VideoSpec(
            prompt=prompt_of(fields),
            model=text_of(fields, "model", SERVED_MODEL),
            seconds=int(match_of(fields, "seconds", SECONDS_DEFAULT, WHOLE_SECONDS)),
            size=match_of(fields, "size", SIZE_DEFAULT, SIZE),
        )

    def failure(self, fate: Fate) -> VideoFailure | None:
        """Say how a render of this fate fails; the code is an HTTP status."""
        plain = super().failure(fate)
        code = {Fate.REJECTED: 400, Fate.FILTERED: 422}.get(fate, 500)
        return None if plain is None else VideoFailure(code=code, message=plain.message, is_filtered=plain.is_filtered)

    def adapt(self, video: dict[str, Any], render: VideoRender) -> dict[str, Any]:
        """Add what vLLM-Omni tells besides."""
        is_done = render.state is RenderState.SUCCEEDED
        return video | {
            "quality": "standard",
            "media_type": "video/mp4",
            "file_name": f"{render.id}.mp4" if is_done else None,
            "metrics": {},
            "stage_durations": {},
            "peak_memory_mb": 40_960.0 if is_done else None,
        }

    def status_code(self, render: VideoRender) -> int:
        """Show a failed job under the status that its error names."""
        code = render.failure.code if render.failure else None
        return code if render.state is RenderState.FAILED and isinstance(code, int) else super().status_code(render)

    def refusal_body(self, refusal: Refusal) -> Any:
        """Write an error as FastAPI does, or as OpenAI does with a number for a code if a field is wrong."""
        if refusal.parameter is None:
            return {"detail": refusal.message}
        body = super().refusal_body(refusal)
        return {"error": body["error"] | {"code": refusal.status}}

    def check_content(self, render: VideoRender) -> None:
        """Tell a failed job from one that runs."""
        if render.state is RenderState.FAILED:
            raise Refusal(422, "Video generation failed")
        if render.state is not RenderState.SUCCEEDED:
            raise Refusal(404, TOO_EARLY)

    def content_type(self, variant: str | None) -> str:  # noqa: ARG002 (ignored, as there)
        """There is only the video."""
        return "video/mp4"


class LitellmDialect(OpenAiDialect):
    """LiteLLM's proxy in front of fal, Vertex AI, Gemini or MiniMax."""

    deletion = Deletion.UNSUPPORTED
    running_words: ClassVar[Mapping[str, str]] = {"gemini": "processing", "vertex_ai": "processing"}

    def __init__(self, provider: str) -> None:
        """Stand in front of a provider.

        Args:
            provider: `fal_ai`, `vertex_ai`, `gemini` or `minimax`.
        """
        self._provider = provider

    def new_id(self) -> str:
        """Make an id with every character of base64 that a path does not take as it is."""
        # Three of a kind in a row are at each of the three places of a base64 group: `?` gives a slash at the last,
        # `>` a plus sign, and the length leaves two bytes over, which gives an equals sign.
        text = f"litellm:custom_llm_provider:{self._provider};model_id:video-model;video_id:{uuid4().hex}???>>>"
        text += "-" * ((2 - len(text)) % 3)
        return "video_" + base64.b64encode(text.encode()).decode("ascii")

    def read_spec(self, request: RecordedRequest) -> VideoSpec:
        """Check what is to be rendered: OpenAI's fields, with the models and sizes of whoever is behind."""
        fields = read_body(request)
        check_reference(fields)
        return VideoSpec(
            prompt=prompt_of(fields),
            model=text_of(fields, "model", ""),
            seconds=int(match_of(fields, "seconds", SECONDS_DEFAULT, WHOLE_SECONDS)),
            size=match_of(fields, "size", SIZE_DEFAULT, SIZE),
        )

    def failure(self, fate: Fate) -> VideoFailure | None:
        """Say how a render of this fate fails; fal's have all the same code."""
        plain = super().failure(fate)
        if plain is None or self._provider != "fal_ai":
            return plain
        return VideoFailure(code="fal_error", message=plain.message, is_filtered=plain.is_filtered)

    def status(self, render: VideoRender) -> str:
        """Choose the word for a state, as the adapter for the provider behind does."""
        if not render.is_ended and self._provider in self.running_words:
            return self.running_words[self._provider]
        if render.state is RenderState.CANCELLED and self._provider == "minimax":
            return "cancelled"
        return "completed" if self._is_failure_hidden(render) else super().status(render)

    def adapt(self, video: dict[str, Any], render: VideoRender) -> dict[str, Any]:
        """Leave out what OpenAI requires and LiteLLM does not always know, and add usage."""
        known = {name: value for name, value in video.items() if name not in {"progress", "size"}}
        return known | {"created_at": None, "usage": {"duration_seconds": render.clip_duration_s}}

    def check_content(self, render: VideoRender) -> None:
        """Fail at last where the failure was hidden."""
        if self._is_failure_hidden(render):
            raise Refusal(500, "No video in the response of the provider.")
        if render.state is not RenderState.SUCCEEDED:
            raise Refusal(400, "Video is not ready yet.")

    def _is_failure_hidden(self, render: VideoRender) -> bool:
        """Whether it is reported as completed: with Gemini always, with Vertex if it was only filtered."""
        if render.failure is None:
            return False
        return self._provider == "gemini" or (self._provider == "vertex_ai" and render.failure.is_filtered)


def _whole(value: Any, name: str, *, is_form: bool) -> int:
    if is_form and isinstance(value, str) and value.isdecimal():
        return int(value)
    if is_form or not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(422, f"{name}: Input should be a valid integer")
    return value


DIALECTS: Mapping[str, OpenAiDialect] = {
    "openai": OpenAiDialect(),
    "sglang": SglangDialect(),
    "sglang_older": OlderSglangDialect(),
    "vllm_omni": VllmOmniDialect(),
    "litellm": LitellmDialect("fal_ai"),
    "litellm_vertex_ai": LitellmDialect("vertex_ai"),
    "litellm_gemini": LitellmDialect("gemini"),
    "litellm_minimax": LitellmDialect("minimax"),
}
"""Every accent by name; none of them keeps anything."""
