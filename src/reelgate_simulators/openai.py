"""The OpenAI Videos API, simulated in any of its dialects.

OpenAI's own is shut down since 2026-09-24; the shape lives on in SGLang, vLLM-Omni and LiteLLM. What is the same for
all of them is here, what differs in `openai_dialect` (OpenAI itself) and `openai_servers` (the others).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from starlette.responses import Response

from reelgate_simulators.base import RENDER_S, Render, RenderState, SimulatedProvider
from reelgate_simulators.catalogue import Fate
from reelgate_simulators.chunked import ChunkedResponse
from reelgate_simulators.clock import Clock
from reelgate_simulators.downloads import serve_file
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.faults import FaultPlan
from reelgate_simulators.openai_dialect import Deletion, VideoFailure, VideoRender, VideoSpec
from reelgate_simulators.openai_fields import Refusal
from reelgate_simulators.openai_servers import DIALECTS
from reelgate_simulators.quota import Quota
from reelgate_simulators.recording import RecordedRequest

API_KEY = "simulated-openai-key"
LIST_LIMIT_DEFAULT = 20
LIST_LIMIT_MAX = 100
PICTURE = bytes.fromhex("524946461a000000574542505650384c0d0000002f00000010071011118888fe0700")
"""A WebP of one pixel: stands for thumbnails and sprite sheets."""

Handler = Callable[[RecordedRequest], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class OpenAiService:
    """How one server is run."""

    dialect: str = "openai"
    """A key of `openai_servers.DIALECTS`."""
    api_key: str | None = API_KEY
    """None asks for no key, as self-hosted servers do by default."""
    poll_after_ms: int | None = None
    """Sent as `openai-poll-after-ms` with every video; not sent if absent."""
    creates_per_minute: int | None = None
    """Beyond it 429 with `Retry-After`; no limit if absent."""
    content_lifetime_s: float | None = None
    """Seconds from the end of a render until its content is gone, told in `expires_at`; for good if absent."""
    abort_s: float = 0.0
    """How long vLLM-Omni takes to abort a render once it was told to; until then `DELETE` answers 409."""
    uploads_to_cloud: bool = False
    """SGLang only: results are behind a URL and not behind `content`."""


SERVICE = OpenAiService()


class OpenAiSimulator(SimulatedProvider[VideoFailure]):
    """Operations of the fault plan: `create`, `get`, `list`, `delete`, `content` and `cloud`."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        faults: FaultPlan | None = None,
        port: int = 0,
        queue_s: float = 0.0,
        render_s: float = RENDER_S,
        video: bytes | None = None,
        service: OpenAiService = SERVICE,
    ) -> None:
        """Prepare; nothing listens yet.

        Args:
            clock: See `SimulatedProvider`, as for all down to `video`.
            faults: Same.
            port: Same.
            queue_s: Same.
            render_s: Same.
            video: Same.
            service: How the server is run.

        Raises:
            KeyError: There is no such dialect.
        """
        super().__init__(clock=clock, faults=faults, port=port, queue_s=queue_s, render_s=render_s, video=video)
        self.deleted_ids: set[str] = set()
        """Videos that are no longer shown; `renders` tells what became of them."""
        self._service = service
        self._dialect = DIALECTS[service.dialect]
        self._quota = Quota(self.clock, count_max=service.creates_per_minute)
        self._aborts: set[str] = set()

    def operations(self) -> Sequence[Operation]:
        """List the table."""
        rows = (
            ("create", "POST", "/v1/videos", self._create),
            ("list", "GET", "/v1/videos", self._list),
            ("content", "GET", "/v1/videos/{video_id:path}/content", self._content),
            ("get", "GET", "/v1/videos/{video_id:path}", self._get),
            ("delete", "DELETE", "/v1/videos/{video_id:path}", self._delete),
        )
        return [
            *(
                Operation(name=name, method=method, path=path, handler=self._guarded(handler))
                for name, method, path, handler in rows
            ),
            Operation(name="cloud", method="GET", path="/cloud/{video_id}.mp4", handler=self._cloud),
        ]

    def scripted_failure(self, fate: Fate) -> VideoFailure | None:
        """Say how a render of this fate fails."""
        return self._dialect.failure(fate)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: RecordedRequest) -> Response:
            try:
                key = self._service.api_key
                if key is not None and request.headers.get("authorization") != f"Bearer {key}":
                    raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")
                return await handler(request)
            except Refusal as refusal:
                return respond(refusal.status, self._dialect.refusal_body(refusal))

        return guarded

    async def _create(self, request: RecordedRequest) -> Response:
        spec = self._dialect.read_spec(request)
        if wait_s := self._quota.take():
            refusal = Refusal(429, "Rate limit reached.", code="rate_limit_exceeded")
            return respond(429, self._dialect.refusal_body(refusal), {"Retry-After": str(-int(-wait_s // 1))})
        video_id = self._dialect.new_id()
        extra: dict[str, Any] = {"spec": spec}
        if self._service.uploads_to_cloud:
            extra["url"] = f"{request.base_url}/cloud/{video_id}.mp4"
        render = self.accept(video_id, request.members, clip_duration_s=spec.seconds, prompt=spec.prompt, extra=extra)
        # However fast the render is, its acceptance is told first: no creation is answered with a failed video.
        return self._show(replace(render, state=RenderState.QUEUED, failure=None))

    async def _get(self, request: RecordedRequest) -> Response:
        return self._show(self._find(request))

    async def _list(self, request: RecordedRequest) -> Response:
        limit_text, order = request.query.get("limit", str(LIST_LIMIT_DEFAULT)), request.query.get("order", "desc")
        if not limit_text.isdecimal() or int(limit_text) > LIST_LIMIT_MAX:
            raise Refusal(400, f"'limit' must be 0 to {LIST_LIMIT_MAX}.", parameter="limit", code="invalid_value")
        if order not in {"asc", "desc"}:
            raise Refusal(400, "'order' must be asc or desc.", parameter="order", code="invalid_value")
        ids = [video_id for video_id in self.renders if video_id not in self.deleted_ids]
        if order == "desc":
            ids.reverse()
        after = request.query.get("after")
        rest = ids[ids.index(after) + 1 :] if after in ids else ids
        shown = rest[: int(limit_text)]
        renders = (self.render(video_id) for video_id in shown)
        page = {
            "object": "list",
            "data": [self._describe(render) for render in renders if render is not None],
            "first_id": shown[0] if shown else None,
            "last_id": shown[-1] if shown else None,
            "has_more": len(rest) > len(shown),
        }
        return respond(200, page)

    async def _content(self, request: RecordedRequest) -> Response:
        render = self._find(request)
        self._dialect.check_content(render)
        expire_time_s = self._expire_time_s(render)
        if expire_time_s is not None and self.clock.monotonic_s() >= expire_time_s:
            raise Refusal(404, "The content of this video has expired.", code="video_expired")
        content_type = self._dialect.content_type(request.query.get("variant"))
        content = self.video_of(render) if content_type == "video/mp4" else PICTURE
        return ChunkedResponse(content, media_type=content_type)

    async def _delete(self, request: RecordedRequest) -> Response:
        render = self._find(request)
        if self._dialect.deletion is Deletion.UNSUPPORTED:
            raise Refusal(400, "Videos of this provider cannot be deleted.", code="unsupported")
        if not render.is_ended and self._dialect.deletion is Deletion.REFUSES:
            raise Refusal(409, "Only completed and failed videos can be deleted.", code="video_not_ended")
        if not render.is_ended and self._dialect.deletion is Deletion.ABORTS:
            self._abort(render)
        body = self._dialect.deleted(self._describe(render))
        self.deleted_ids.add(render.id)
        return respond(200, body)

    async def _cloud(self, request: RecordedRequest) -> Response:
        """Give a result from a bucket that asks for no key."""
        render = self.render(request.path_parameters["video_id"])
        if render is None or render.state is not RenderState.SUCCEEDED or "url" not in render.extra:
            return respond(404, "Not Found")
        return serve_file(request, self.video_of(render))

    def _abort(self, render: VideoRender) -> None:
        """Stop a render: at once, or by itself after a while of answering 409."""
        if not self._service.abort_s:
            self.cancel(render.id)
            return
        if render.id not in self._aborts:
            self._aborts.add(render.id)
            self.clock.call_at(self.clock.monotonic_s() + self._service.abort_s, lambda: self.cancel(render.id))
        raise Refusal(409, "Cancellation in progress…")

    def _find(self, request: RecordedRequest) -> VideoRender:
        """Look up the video that a path names."""
        # The path as it was sent, because base64 ids have slashes that only an encoded one may stand for.
        segment = request.raw_path.removeprefix("/v1/videos/")
        if request.operation == "content":
            segment = segment.removesuffix("/content")
        render = self.render(unquote(segment))
        if render is None or render.id in self.deleted_ids or "/" in segment:
            raise Refusal(404, "Video not found", code="not_found")
        return render

    def _show(self, render: VideoRender) -> Response:
        pause = self._service.poll_after_ms
        headers = {} if pause is None else {"openai-poll-after-ms": str(pause)}
        return respond(self._dialect.status_code(render), self._describe(render), headers)

    def _describe(self, render: VideoRender) -> dict[str, Any]:
        spec: VideoSpec = render.extra["spec"]
        expire_time_s = self._expire_time_s(render)
        video = {
            "id": render.id,
            "object": "video",
            "model": spec.model,
            "status": self._dialect.status(render),
            "progress": self._progress(render),
            "created_at": self._unix(render.accept_time_s),
            "completed_at": self._unix(render.end_time_s) if render.state is RenderState.SUCCEEDED else None,
            "expires_at": None if expire_time_s is None else self._unix(expire_time_s),
            "prompt": spec.prompt,
            "size": spec.size,
            "seconds": str(spec.seconds),
            "remixed_from_video_id": None,
            "error": self._dialect.error(render),
        }
        return self._dialect.adapt(video, render)

    def _expire_time_s(self, render: Render[VideoFailure]) -> float | None:
        lifetime_s = self._service.content_lifetime_s
        if lifetime_s is None or render.state is not RenderState.SUCCEEDED:
            return None
        return render.end_time_s + lifetime_s

    def _progress(self, render: VideoRender) -> int:
        """Percent; 100 only once it succeeded."""
        if render.state is RenderState.SUCCEEDED:
            return 100
        if render.state is RenderState.QUEUED:
            return 0
        span_s = render.end_time_s - render.start_time_s
        done_s = min(self.clock.monotonic_s(), render.end_time_s) - render.start_time_s
        # A test may end what never started, whose span is less than nothing.
        return min(99, int(100 * done_s / span_s)) if span_s > 0 else 0

    def _unix(self, moment_s: float) -> int:
        """Turn a moment of the monotonic scale into Unix seconds."""
        return int(self.clock.unix_s() - (self.clock.monotonic_s() - moment_s))
