"""fal's queue: submit, status, result, cancel, webhooks and the files of its CDN.

Sources, read 2026-11-20: fal.ai/docs/api-reference/inference-api (queue.json), fal.ai/docs/inference-api/queue/result
and /cancel, docs.fal.ai/model-endpoints/queue and /webhooks, docs.fal.ai/errors. Queue, API and CDN are hosts of
their own at fal; here one server plays all three, with files under `/files/` and keys at
`/.well-known/jwks.json`.

Not documented, and settled here: the texts of 401, 404 and 429, the codes 400 and 404 of a cancel that comes too late
or finds nothing, 400 for a result asked for too early, that a request withdrawn while queued completes with
`client_cancelled` and sends no webhook, and that another account's key finds nothing.
"""

import asyncio
import json
import math
import uuid
from collections.abc import Sequence
from random import Random
from typing import Any, Literal

from starlette.responses import Response

from reelgate_simulators import fal_answers as answers
from reelgate_simulators.base import Render, RenderState, SimulatedProvider
from reelgate_simulators.catalogue import Fate, read_script
from reelgate_simulators.downloads import serve_file
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.fal_failures import (
    CANCELLED,
    CONTENT_POLICY,
    NO_MEDIA,
    RUNNER_LOST,
    START_TIMEOUT,
    FalFailure,
    model_failure_of,
)
from reelgate_simulators.fal_inputs import clip_duration_s, problems
from reelgate_simulators.fal_webhooks import FalWebhooks
from reelgate_simulators.recording import RecordedRequest

NAMESPACES = ("workflows", "comfy")
RETENTION_S = 3600.0
RETENTION_OF_LARGE_S = 360.0
LARGE_RESULT_BYTES = 10_000
"""A result is kept for an hour, one of 10 KB or more for six minutes."""
EXHAUSTED = "Exhausted balance. Top up your balance at fal.ai/dashboard/billing."

FalRender = Render[FalFailure]


class FalSimulator(SimulatedProvider[FalFailure]):
    """Operations: submit, status, stream, result, cancel, download, jwks.

    A test may set the public attributes at any time; they apply to what is asked from then on.
    """

    def __init__(self, *, keys: frozenset[str] | None = None, **knobs: Any) -> None:
        """Prepare; nothing listens yet.

        Args:
            keys: The API keys that exist, without the word `Key`; every one if absent.
            knobs: Those of `SimulatedProvider`.
        """
        super().__init__(**knobs)
        self.webhooks = FalWebhooks(self.clock)
        self.keys = keys
        self.locked_reason: str | None = None
        """Why submits are refused with 403, such as `EXHAUSTED`; None lets them through."""
        self.refuses_at: Literal["submit", "result"] = "submit"
        """Where a bad or forbidden input is said; fal documents both."""
        self.honours_cancel = True
        """A running request ends when it is told to; if not, the runner goes on."""
        self.file_facts: Literal["present", "null", "absent"] = "present"
        """Whether a result describes its file; not all endpoints do."""
        self.file_lifetime_s = math.inf
        """From the end of a request to the end of its file, unless the request says."""
        self._seeds = Random(1)  # noqa: S311 (repeatable on purpose)

    def operations(self) -> Sequence[Operation]:
        """List fal's paths, the specific ones first."""
        request = "/{app:path}/requests/{request_id}"
        return [
            Operation(name="jwks", method="GET", path="/.well-known/jwks.json", handler=self._jwks),
            Operation(name="download", method="GET", path="/files/{request_id}/{name}", handler=self._download),
            Operation(name="stream", method="GET", path=request + "/status/stream", handler=self._stream),
            Operation(name="status", method="GET", path=request + "/status", handler=self._status),
            Operation(name="cancel", method="PUT", path=request + "/cancel", handler=self._cancel),
            Operation(name="result", method="GET", path=request, handler=self._result),
            Operation(name="submit", method="POST", path="/{endpoint:path}", handler=self._submit),
        ]

    def scripted_failure(self, fate: Fate) -> FalFailure | None:
        """Fail in three of fal's ways: refused input, nothing left to give, a lost runner."""
        return {Fate.REJECTED: CONTENT_POLICY, Fate.FILTERED: NO_MEDIA, Fate.FAILED: RUNNER_LOST}.get(fate)

    def expire_file(self, request_id: str) -> None:
        """Delete a file from the CDN."""
        self.renders[request_id].extra["file_end_s"] = -math.inf

    def expire_result(self, request_id: str) -> None:
        """Forget a result; its status stays."""
        self.renders[request_id].extra["result_end_s"] = -math.inf

    def ended(self, render: FalRender) -> None:
        """Keep the result for as long as documented, wake the streams, send the notice."""
        now_s, extra = self.clock.monotonic_s(), render.extra
        code, body, _ = self._result_of(render)
        is_large = len(json.dumps(body)) >= LARGE_RESULT_BYTES
        extra["result_end_s"] = now_s + (RETENTION_OF_LARGE_S if is_large else RETENTION_S)
        extra["file_end_s"] = now_s + extra["file_lifetime_s"]
        extra["end"].set()
        if extra["webhook"] is not None and render.state is not RenderState.CANCELLED:
            notice = answers.notice(render.id, code, body)
            self.spawn(self.webhooks.deliver(extra["webhook"], notice, self.webhooks.choose()))

    async def _submit(self, request: RecordedRequest) -> Response:
        key, endpoint = self._key(request), request.path_parameters["endpoint"].strip("/")
        app = app_of(endpoint)
        if key is None:
            return answers.unauthorized()
        if app is None:
            return answers.not_found()
        if self.locked_reason is not None:
            return respond(403, {"detail": f"User is locked. Reason: {self.locked_reason}"})
        length_max = request.query.get("fal_max_queue_length", "")
        if length_max.isdecimal() and len(self._queued(app)) >= int(length_max):
            return respond(429, {"detail": "Queue is full"})
        refusal = self._refusal(endpoint, request.body)
        if refusal is not None and self.refuses_at == "submit":
            return respond(refusal.code, refusal.body, refusal.headers)
        render = self._accept(request, key, endpoint, app, refusal)
        self._limit_start(render, request.headers.get("x-fal-request-timeout", ""))
        return answers.submitted(render, self._address(request, render), self._queue_position(render))

    def _accept(
        self, request: RecordedRequest, key: str, endpoint: str, app: str, refusal: FalFailure | None
    ) -> FalRender:
        body = request.members
        lifetime_s = answers.lifetime_s(request.headers.get("x-fal-object-lifecycle-preference", ""))
        extra = {
            "app": app,
            "endpoint": endpoint,
            "key": key,
            "webhook": request.query.get("fal_webhook"),
            "base_url": request.base_url,
            "seed": self._seeds.randrange(1 << 31),
            "end": asyncio.Event(),
            "file_lifetime_s": self.file_lifetime_s if lifetime_s is None else lifetime_s,
        }
        return self.accept(
            str(uuid.uuid4()),
            body,
            clip_duration_s=clip_duration_s(endpoint, body),
            prompt=body.get("prompt"),
            failure=refusal,
            extra=extra,
        )

    async def _status(self, request: RecordedRequest) -> Response:
        render = self._find(request)
        if isinstance(render, Response):
            return render
        has_logs = request.query.get("logs", "").lower() in {"1", "true"}
        body = answers.status(render, self._address(request, render), self._queue_position(render), has_logs=has_logs)
        return respond(200 if render.is_ended else 202, body, {"x-fal-request-id": render.id})

    async def _stream(self, request: RecordedRequest) -> Response:
        """Give the present status and the last one, as server-sent events; the answer ends with the request."""
        render = self._find(request)
        if isinstance(render, Response):
            return render
        address = self._address(request, render)
        seen = [answers.status(render, address, self._queue_position(render), has_logs=False)]
        if not render.is_ended:
            await render.extra["end"].wait()
            seen.append(answers.status(render, address, 0, has_logs=False))
        text = "".join(f"data: {json.dumps(body)}\n\n" for body in seen)
        return Response(text, 200, {"x-fal-request-id": render.id}, "text/event-stream")

    async def _result(self, request: RecordedRequest) -> Response:
        render = self._find(request)
        if isinstance(render, Response):
            return render
        headers = {"x-fal-request-id": render.id}
        if not render.is_ended:
            return respond(400, {"detail": "Request is still in progress"}, headers)
        if self.clock.monotonic_s() >= render.extra["result_end_s"]:
            return answers.not_found()
        code, body, more = self._result_of(render)
        return respond(code, body, headers | more)

    async def _cancel(self, request: RecordedRequest) -> Response:
        render = self._find(request)
        if isinstance(render, Response):
            is_unknown = render.status_code == 404  # noqa: PLR2004 (HTTP's)
            return respond(404, {"status": "NOT_FOUND"}) if is_unknown else render
        if render.is_ended:
            return respond(400, {"status": "ALREADY_COMPLETED"})
        was_queued = render.state is RenderState.QUEUED
        if was_queued or self.honours_cancel:
            self.cancel(render.id, CANCELLED)
        return respond(200, {"status": "OK"}) if was_queued else respond(202, {"status": "CANCELLATION_REQUESTED"})

    async def _download(self, request: RecordedRequest) -> Response:
        """Serve a file to anybody, as the CDN does."""
        render = self.render(request.path_parameters["request_id"])
        has_file = render is not None and render.state is RenderState.SUCCEEDED
        if render is None or not has_file or self.clock.monotonic_s() >= render.extra["file_end_s"]:
            return answers.not_found()
        return serve_file(request, self.video_of(render))

    async def _jwks(self, _request: RecordedRequest) -> Response:
        return respond(200, self.webhooks.jwks())

    def _refusal(self, endpoint: str, body: Any) -> FalFailure | None:
        detail = problems(endpoint, body)
        if detail:
            return model_failure_of(detail)
        script = read_script(body.get("prompt"))
        return CONTENT_POLICY if script.fate is Fate.REJECTED else None

    def _result_of(self, render: FalRender) -> tuple[int, Any, dict[str, str]]:
        if render.failure is not None:
            return render.failure.code, render.failure.body, dict(render.failure.headers)
        return 200, answers.output(render, len(self.video_of(render)), self.file_facts), {}

    def _find(self, request: RecordedRequest) -> FalRender | Response:
        """Look a request up; only under its own `owner/app`, and only for the account that made it."""
        key = self._key(request)
        if key is None:
            return answers.unauthorized()
        render = self.render(request.path_parameters["request_id"])
        is_theirs = render is not None and render.extra["key"] == key
        if render is None or not is_theirs or render.extra["app"] != request.path_parameters["app"]:
            return answers.not_found()
        return render

    def _key(self, request: RecordedRequest) -> str | None:
        word, _, key = request.headers.get("authorization", "").partition(" ")
        is_known = bool(key) and (self.keys is None or key in self.keys)
        return key if word == "Key" and is_known else None

    def _address(self, request: RecordedRequest, render: FalRender) -> str:
        return f"{request.base_url}/{render.extra['app']}/requests/{render.id}"

    def _queued(self, app: str) -> list[str]:
        """Find who waits for an app, the first in line first."""
        present = [self.render(request_id) for request_id in list(self.renders)]
        return [
            render.id
            for render in present
            if render is not None and render.state is RenderState.QUEUED and render.extra["app"] == app
        ]

    def _queue_position(self, render: FalRender) -> int:
        if render.state is not RenderState.QUEUED:
            return 0
        queued = self._queued(render.extra["app"])
        # Looking at the queue lets time catch up with it.
        return queued.index(render.id) if render.id in queued else 0

    def _limit_start(self, render: FalRender, timeout_s: str) -> None:
        """End a request that has not started in time; the header limits the wait and not the render."""
        try:
            deadline_s = render.accept_time_s + float(timeout_s)
        except ValueError:
            return

        def give_up() -> None:
            if (present := self.render(render.id)) is not None and present.state is RenderState.QUEUED:
                self.fail(render.id, START_TIMEOUT)

        self.clock.call_at(deadline_s, give_up)


def app_of(endpoint: str) -> str | None:
    """Reduce an endpoint id to the part that status, result and cancel use; None if it is too short."""
    parts = endpoint.split("/")
    length = 3 if parts[0] in NAMESPACES else 2
    return "/".join(parts[:length]) if len(parts) >= length and all(parts) else None
