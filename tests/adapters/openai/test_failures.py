"""Every documented failure of a video: what the customer is told, and what the operator finds."""

from dataclasses import dataclass

import pytest

from reelgate_server.adapters.providers.openai.answers import from_get
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.ports.provider import TaskFailed
from tests.adapters.openai.samples import (
    CONTENT,
    IMAGE_REFUSED,
    NOT_AVAILABLE,
    NOT_RENDERED,
    PROMPT,
    REFUSED,
    make_answer,
    make_video,
)

REJECTED, INVALID, UNUSABLE = FaultKind.REJECTED, FaultKind.INVALID, FaultKind.IMAGE_UNUSABLE
THROTTLED, UNAVAILABLE = FaultKind.THROTTLED, FaultKind.UNAVAILABLE
OPENAI, SGLANG, VLLM_OMNI, LITELLM = Dialect


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A video that failed."""

    dialect: Dialect
    error: object
    kind: FaultKind
    customer: tuple[FailureCode, str]
    detail: str
    status: int = 200


FAILURES = [
    Failure(
        dialect=OPENAI,
        error={"code": "moderation_blocked", "message": f"Blocked: {PROMPT}!"},
        kind=REJECTED,
        customer=REFUSED,
        detail=f"HTTP 200: moderation_blocked: Blocked: {PROMPT}!",
    ),
    Failure(
        dialect=OPENAI,
        error={"code": "video_generation_failed", "message": "Video generation failed."},
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: video_generation_failed: Video generation failed.",
    ),
    Failure(
        dialect=OPENAI,
        error={"code": "rate_limit_exceeded", "message": "Too many."},
        kind=THROTTLED,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: rate_limit_exceeded: Too many.",
    ),
    Failure(
        dialect=OPENAI,
        error=None,
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: the video failed, and no error is told",
    ),
    # SGLang: a message, and no code.
    Failure(
        dialect=SGLANG,
        error={"message": "CUDA out of memory"},
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: CUDA out of memory",
    ),
    Failure(
        dialect=SGLANG,
        error={"message": "Guardrail blocked prompt."},
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 200: Guardrail blocked prompt.",
    ),
    Failure(
        dialect=SGLANG,
        error={"message": "cannot identify image file 'x.png'"},
        kind=UNUSABLE,
        customer=IMAGE_REFUSED,
        detail="HTTP 200: cannot identify image file 'x.png'",
    ),
    Failure(
        dialect=SGLANG,
        error={"message": "safetensors_rust.SafetensorError: header too large"},
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: safetensors_rust.SafetensorError: header too large",
    ),
    # vLLM-Omni: a number for a code, and the same number as the status of the answer.
    Failure(
        dialect=VLLM_OMNI,
        status=500,
        error={"code": 500, "message": "Video generation failed."},
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 500: 500: Video generation failed.",
    ),
    Failure(
        dialect=VLLM_OMNI,
        status=400,
        error={"code": 400, "message": "Input was blocked by Cosmos3 guardrails."},
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 400: 400: Input was blocked by Cosmos3 guardrails.",
    ),
    Failure(
        dialect=VLLM_OMNI,
        status=400,
        error={"code": 400, "message": "num_frames must be 4k + 1"},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 400: 400: num_frames must be 4k + 1",
    ),
    Failure(
        dialect=VLLM_OMNI,
        status=400,
        error={"code": 400, "message": "Invalid input_reference: provided content is not a valid image."},
        kind=UNUSABLE,
        customer=IMAGE_REFUSED,
        detail="HTTP 400: 400: Invalid input_reference: provided content is not a valid image.",
    ),
    Failure(
        dialect=VLLM_OMNI,
        status=404,
        error={"code": 404, "message": "LoRA not found"},
        kind=INVALID,
        customer=NOT_RENDERED,
        detail="HTTP 404: 404: LoRA not found",
    ),
    Failure(
        dialect=VLLM_OMNI,
        status=500,
        error=None,
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 500: the video failed, and no error is told",
    ),
    # LiteLLM: whatever the provider behind it said.
    Failure(
        dialect=LITELLM,
        error={
            "code": "fal_error",
            "message": "The content could not be processed because it contained material flagged by a content checker.",
        },
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 200: fal_error: The content could not be processed because it contained material flagged by a "
        "content checker.",
    ),
    Failure(
        dialect=LITELLM,
        error={"code": "fal_error", "message": "downstream_service_error"},
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: fal_error: downstream_service_error",
    ),
    Failure(
        dialect=LITELLM,
        error={"code": "3", "message": "The prompt violates Vertex AI's usage guidelines."},
        kind=REJECTED,
        customer=REFUSED,
        detail="HTTP 200: 3: The prompt violates Vertex AI's usage guidelines.",
    ),
    Failure(
        dialect=LITELLM,
        error="just words",
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: just words",
    ),
    Failure(
        dialect=LITELLM,
        error={"code": None, "message": ["not", "text"]},
        kind=UNAVAILABLE,
        customer=NOT_AVAILABLE,
        detail="HTTP 200: the video failed, and no error is told",
    ),
]


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: f"{row.dialect} {row.detail[-25:]}")
def test_a_failed_video_is_told_to_both(row: Failure) -> None:
    answer = make_answer(make_video("failed", error=row.error), status=row.status)
    state = from_get(answer, row.dialect, content=CONTENT)
    assert state == TaskFailed(
        failure=JobFailure(code=row.customer[0], message=row.customer[1], fault=Fault(kind=row.kind, detail=row.detail))
    )
