"""Bodies of fal's answers, pure.

Sources: fal-js `types/common.ts` and `types/endpoints.ts` (`VideoFile`), commit 381105e of 2026-08-02;
docs.fal.ai/model-endpoints/webhooks.
"""

import json
from typing import Any, Literal

from starlette.responses import Response

from reelgate_simulators.base import Render, RenderState
from reelgate_simulators.endpoint import respond
from reelgate_simulators.fal_failures import FalFailure
from reelgate_simulators.fal_inputs import ENDPOINTS

LOG_TIME = "2026-11-20T00:00:00.000000"
"""Timestamp of every log row; nobody reads it."""

FileFacts = Literal["present", "null", "absent"]


def submitted(render: Render[FalFailure], address: str, queue_position: int) -> Response:
    """Say that a request is in the queue.

    The documents show another body where a webhook was named, which the official client could not read; both bodies'
    members are sent then.
    """
    body = {"status": "IN_QUEUE", **_addresses(render, address), "queue_position": queue_position}
    if render.extra["webhook"] is not None:
        body["gateway_request_id"] = render.id
    return respond(200, body, {"x-fal-request-id": render.id})


def status(render: Render[FalFailure], address: str, queue_position: int, *, has_logs: bool) -> dict[str, Any]:
    """Say where a request is. The key `logs` is present whenever it may be, and null unless asked for."""
    addresses = _addresses(render, address)
    if render.state is RenderState.QUEUED:
        return {"status": "IN_QUEUE", "queue_position": queue_position, **addresses}
    logs = [_log("Rendering"), *([_log("Done")] if render.is_ended else [])] if has_logs else None
    if not render.is_ended:
        return {"status": "IN_PROGRESS", "logs": logs, **addresses}
    duration_s = max(0.0, render.end_time_s - min(render.start_time_s, render.end_time_s))
    body = {"status": "COMPLETED", "logs": logs, "metrics": {"inference_time": duration_s}, **addresses}
    if render.failure is not None and render.failure.error is not None:
        body |= {"error": render.failure.error, "error_type": render.failure.error_type}
    return body


def output(render: Render[FalFailure], size_bytes: int, facts: FileFacts) -> dict[str, Any]:
    """Build what the model returns."""
    extra = render.extra
    file = {"content_type": "video/mp4", "file_name": "output.mp4", "file_size": size_bytes}
    file_or_less = {"present": file, "null": dict.fromkeys(file), "absent": {}}[facts]
    url = f"{extra['base_url']}/files/{render.id}/output.mp4"
    body: dict[str, Any] = {"video": {"url": url, **file_or_less}}
    endpoint = ENDPOINTS.get(extra["endpoint"])
    if endpoint is not None and endpoint.has_seed:
        body["seed"] = render.request.get("seed", extra["seed"])
    if endpoint is not None and endpoint.has_actual_prompt:
        body["actual_prompt"] = f"{render.request.get('prompt')}, cinematic"
    return body


def notice(request_id: str, code: int, body: Any) -> dict[str, Any]:
    """Build the body of a webhook from the result."""
    if code == 200:  # noqa: PLR2004 (HTTP's)
        return {"request_id": request_id, "status": "OK", "payload": body}
    return {"request_id": request_id, "status": "ERROR", "error": f"Invalid status code: {code}", "payload": body}


def unauthorized() -> Response:
    """Refuse a key that is missing or wrong."""
    return respond(401, {"detail": "Cannot access application. Authentication is required to access this application."})


def not_found() -> Response:
    """Refuse what does not exist, or not for this account, or no longer."""
    return respond(404, {"detail": "Not found"})


def lifetime_s(preference: str) -> float | None:
    """Read the header `X-Fal-Object-Lifecycle-Preference`; None if it says nothing."""
    try:
        seconds = json.loads(preference)["expiration_duration_seconds"]
    except (ValueError, KeyError, TypeError):
        return None
    return float(seconds) if isinstance(seconds, int | float) else None


def _addresses(render: Render[FalFailure], address: str) -> dict[str, Any]:
    return {
        "request_id": render.id,
        "response_url": address,
        "status_url": f"{address}/status",
        "cancel_url": f"{address}/cancel",
    }


def _log(message: str) -> dict[str, str]:
    return {"message": message, "level": "INFO", "source": "USER", "timestamp": LOG_TIME}
