"""MiniMax's video API v1: submit, query, file retrieval, downloads and callbacks.

Sources, read 2026-11-20: platform.minimax.io/docs/api-reference/video-generation-t2v, -i2v, -fl2v, -query, -download
and errorcode; the rate limits page. Errors are HTTP 200 with `base_resp.status_code` other than 0.

Not documented, and settled here: an unknown task or file, or another account's, is 2013; a missing or malformed
Authorization is 1004 and a well-formed unknown key 2049; an expired download address is a 403 in XML, as object
stores answer; the texts of all errors.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.responses import Response

from reelgate_simulators.base import Render, RenderState, SimulatedProvider
from reelgate_simulators.catalogue import Fate, read_script
from reelgate_simulators.clock import sleep
from reelgate_simulators.downloads import serve_file
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.faults import Status
from reelgate_simulators.minimax_rules import (
    BAD_PARAMETERS,
    DOWNSTREAM,
    INPUT_SENSITIVE,
    INVALID_KEY,
    MESSAGES,
    NO_BALANCE,
    OUTPUT_SENSITIVE,
    RATE_LIMIT,
    RESOLUTION_DEFAULT,
    SUCCESS,
    UNAUTHENTICATED,
    clip_duration_s,
    problem,
)
from reelgate_simulators.recording import RecordedRequest

LINK_LIFETIME_S = 9 * 3600.0
"""Third parties: a download address works for about nine hours."""
CHALLENGE_TIMEOUT_S = 3.0
"""A callback address has this long to repeat its challenge."""
RATE_WINDOW_S = 60.0
EXPIRED_PAGE = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>{}</Message></Error>"
SIZES = {"512P": (912, 512), "768P": (1366, 768), "1080P": (1920, 1080)}
"""Pixels that a successful query names. Only the last pair is documented."""


@dataclass(frozen=True, kw_only=True)
class MinimaxFailure:
    """The end of a task that did not succeed."""

    code: int
    """Of `base_resp`; 0 for a failure without a reason, which third parties have seen."""
    message: str = ""
    """Instead of the usual text of the code."""


MinimaxRender = Render[MinimaxFailure]


def base_resp(code: int, message: str = "") -> dict[str, Any]:
    """Build the envelope that every answer carries."""
    return {"status_code": code, "status_msg": message or MESSAGES[code]}


def minimax_error(code: int) -> Status:
    """Build a fault that answers as MiniMax does: HTTP 200 and a code."""
    return Status(200, {"base_resp": base_resp(code)})


class MinimaxSimulator(SimulatedProvider[MinimaxFailure]):
    """Operations: submit, status (the query), result (files/retrieve), download.

    A test may set the public attributes at any time; they apply to what is asked from then on.
    """

    def __init__(self, *, keys: frozenset[str] | None = None, **knobs: Any) -> None:
        """Prepare; nothing listens yet.

        Args:
            keys: The API keys that exist; every one if absent.
            knobs: Those of `SimulatedProvider`.
        """
        super().__init__(**knobs)
        self.keys = keys
        self.has_balance = True
        """False refuses submits with 1008."""
        self.submits_per_minute_max: int | None = None
        """Beyond it a submit is refused with 1002; 5 on the free plan, 20 on the paid one."""
        self.tells_size = True
        """False leaves `bytes` of a file at 0, as the documented example does."""
        self.link_lifetime_s = LINK_LIFETIME_S
        self.callback_delay_s = 0.0
        """From an end to its callback."""
        self.callback_copy_count = 1
        """How often each callback is sent."""
        self._by_file: dict[int, str] = {}
        self._links: dict[str, tuple[str, float]] = {}
        self._submit_times_s: deque[float] = deque()

    def operations(self) -> Sequence[Operation]:
        """List MiniMax's paths; downloads are on another host there."""
        return [
            Operation(name="submit", method="POST", path="/v1/video_generation", handler=self._submit),
            Operation(name="status", method="GET", path="/v1/query/video_generation", handler=self._query),
            Operation(name="result", method="GET", path="/v1/files/retrieve", handler=self._retrieve),
            Operation(name="download", method="GET", path="/files/{token}/output_aigc.mp4", handler=self._download),
        ]

    def scripted_failure(self, fate: Fate) -> MinimaxFailure | None:
        """Fail in two of MiniMax's ways; what is rejected is so at submit."""
        codes = {Fate.FILTERED: OUTPUT_SENSITIVE, Fate.FAILED: DOWNSTREAM}
        return MinimaxFailure(code=codes[fate]) if fate in codes else None

    def expire_links(self) -> None:
        """Let every download address given so far expire."""
        self._links = dict.fromkeys(self._links, ("", 0.0))

    def ended(self, render: MinimaxRender) -> None:
        """Let the callback go out."""
        render.extra["end"].set()

    async def _submit(self, request: RecordedRequest) -> Response:
        key, code = self._key(request)
        if key is None:
            return _answer(code)
        if self._is_over_rate():
            return _answer(RATE_LIMIT)
        if not self.has_balance:
            return _answer(NO_BALANCE)
        trouble = problem(request.body)
        if trouble is not None:
            return _answer(BAD_PARAMETERS, message=f"{MESSAGES[BAD_PARAMETERS]}, {trouble}")
        body = request.members
        if read_script(body.get("prompt")).fate is Fate.REJECTED:
            return _answer(INPUT_SENSITIVE)
        file_id = 10**14 + secrets.randbelow(9 * 10**14)
        render = self.accept(
            str(10**14 + secrets.randbelow(9 * 10**14)),
            body,
            clip_duration_s=clip_duration_s(body),
            prompt=body.get("prompt"),
            extra={"key": key, "file_id": file_id, "end": asyncio.Event(), "query_count": 0},
        )
        self._by_file[file_id] = render.id
        if body.get("callback_url"):
            self.spawn(self._call_back(render, body["callback_url"]))
        return _answer(SUCCESS, {"task_id": render.id})

    async def _query(self, request: RecordedRequest) -> Response:
        render = self._find(request, request.query.get("task_id", ""))
        if isinstance(render, Response):
            return render
        render.extra["query_count"] += 1
        return respond(200, _progress(render), {"Trace-Id": secrets.token_hex(16)})

    async def _retrieve(self, request: RecordedRequest) -> Response:
        text = request.query.get("file_id", "")
        file_id = int(text) if text.isdecimal() else 0
        render = self._find(request, self._by_file.get(file_id, ""))
        if isinstance(render, Response):
            return render
        if render.state is not RenderState.SUCCEEDED:
            return _answer(BAD_PARAMETERS, message="invalid params, file not found")
        token = secrets.token_urlsafe(24)
        self._links[token] = (render.id, self.clock.monotonic_s() + self.link_lifetime_s)
        file = {
            "file_id": file_id,
            "bytes": len(self.video_of(render)) if self.tells_size else 0,
            "created_at": int(self.clock.unix_s()),
            "filename": "output_aigc.mp4",
            "purpose": "video_generation",
            "download_url": f"{request.base_url}/files/{token}/output_aigc.mp4",
        }
        return _answer(SUCCESS, {"file": file})

    async def _download(self, request: RecordedRequest) -> Response:
        """Serve to whoever holds a fresh address."""
        render_id, end_s = self._links.get(request.path_parameters["token"], ("", 0.0))
        render = self.render(render_id)
        if render is None or self.clock.monotonic_s() >= end_s:
            return Response(EXPIRED_PAGE.format("Request has expired."), 403, media_type="application/xml")
        return serve_file(request, self.video_of(render))

    async def _call_back(self, render: MinimaxRender, url: str) -> None:
        """Register an address by its challenge, then tell it of the progress and the end."""
        async with httpx.AsyncClient(timeout=CHALLENGE_TIMEOUT_S, trust_env=False) as client:
            challenge = secrets.token_urlsafe(16)
            if await _post(client, url, {"challenge": challenge}) != {"challenge": challenge}:
                return
            if not render.is_ended:
                await self._notify(client, url, render)
                await render.extra["end"].wait()
            await sleep(self.clock, self.callback_delay_s)
            await self._notify(client, url, render)

    async def _notify(self, client: httpx.AsyncClient, url: str, render: MinimaxRender) -> None:
        body = _progress(render)
        body["status"] = {"Success": "success", "Fail": "failed"}.get(body["status"], "processing")
        for _ in range(self.callback_copy_count):
            await _post(client, url, body)

    def _find(self, request: RecordedRequest, render_id: str) -> MinimaxRender | Response:
        key, code = self._key(request)
        if key is None:
            return _answer(code)
        render = self.render(render_id)
        if render is None or render.extra["key"] != key:
            return _answer(BAD_PARAMETERS, message="invalid params, task or file not found")
        return render

    def _key(self, request: RecordedRequest) -> tuple[str | None, int]:
        """Read the caller's key, or the code that refuses it."""
        word, _, key = request.headers.get("authorization", "").partition(" ")
        if word != "Bearer" or not key:
            return None, UNAUTHENTICATED
        is_known = self.keys is None or key in self.keys
        return (key, SUCCESS) if is_known else (None, INVALID_KEY)

    def _is_over_rate(self) -> bool:
        now_s, times_s = self.clock.monotonic_s(), self._submit_times_s
        while times_s and times_s[0] <= now_s - RATE_WINDOW_S:
            times_s.popleft()
        if self.submits_per_minute_max is not None and len(times_s) >= self.submits_per_minute_max:
            return True
        times_s.append(now_s)
        return False


def _answer(code: int, members: dict[str, Any] | None = None, *, message: str = "") -> Response:
    body = (members or {}) | {"base_resp": base_resp(code, message)}
    return respond(200, body, {"Trace-Id": secrets.token_hex(16)})


def _progress(render: MinimaxRender) -> dict[str, Any]:
    """Build the body of a query, whose `file_id` is a string."""
    body: dict[str, Any] = {"task_id": render.id}
    match render.state:
        case RenderState.SUCCEEDED:
            width, height = SIZES.get(render.request.get("resolution", RESOLUTION_DEFAULT), SIZES[RESOLUTION_DEFAULT])
            file_id = str(render.extra["file_id"])
            body |= {"status": "Success", "file_id": file_id, "video_width": width, "video_height": height}
        case RenderState.FAILED | RenderState.CANCELLED:
            failure = render.failure or MinimaxFailure(code=SUCCESS)
            return body | {"status": "Fail", "base_resp": base_resp(failure.code, failure.message)}
        case RenderState.RUNNING:
            body |= {"status": "Processing", "file_id": ""}
        case RenderState.QUEUED:
            is_new = render.extra["query_count"] <= 1
            body |= {"status": "Preparing" if is_new else "Queueing", "file_id": ""}
    return body | {"base_resp": base_resp(SUCCESS)}


async def _post(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> Any:
    try:
        return (await client.post(url, json=body)).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
