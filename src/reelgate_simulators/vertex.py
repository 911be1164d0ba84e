"""Vertex AI Veo, simulated.

A submit answers with the name of an operation and nothing else; the operation is asked for by POST to the model. While
it runs it has no `done` at all. Its end is a response with videos, a response that says what the safety filter
withheld, or a google.rpc.Status; all three arrive with HTTP 200.

Source:
    cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation; the wire of google-genai
    2.34.0 and 3.4.0. Read 2026-11-20.
"""

import base64
import json
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from reelgate_simulators.base import RENDER_S, Render, RenderState, SimulatedProvider
from reelgate_simulators.catalogue import Fate, read_script
from reelgate_simulators.chunked import ChunkedResponse
from reelgate_simulators.clock import Clock
from reelgate_simulators.cloud_storage import OBJECT_PATH, Buckets, storage_error
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.faults import FaultPlan
from reelgate_simulators.quota import Quota
from reelgate_simulators.recording import RecordedRequest
from reelgate_simulators.vertex_rules import Refusal, read_spec

TOKEN = "simulated-vertex-token"  # noqa: S105 (it opens nothing but a simulator)
MODELS = frozenset(
    {
        "veo-3.1-generate-001",
        "veo-3.1-fast-generate-001",
        "veo-3.1-generate-preview",
        "veo-3.1-fast-generate-preview",
    }
)
RETIRED_MODELS = frozenset({"veo-3.0-generate-001", "veo-3.0-fast-generate-001"})
"""Gone since 2026-06-30."""
RESPONSE_TYPE = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"
FILTER_MESSAGE = (
    "Veo could not generate {0} videos based on the prompt provided. You will not be charged for this. "
    "Try rephrasing the prompt. Support codes: 42237218"
)
"""Begins and ends as in DaWe35/image-router issue 41; the middle is ours."""
BLOCK_MESSAGE = (
    "The prompt couldn't be submitted because it might violate the usage guidelines. Support codes: 15236754"
)
INVALID_ARGUMENT = 3
INTERNAL = 13
"""Numbers of google.rpc.Code: an operation's error carries these and not an HTTP status."""
MODEL_PATH = "/{version}/projects/{project}/locations/{location}/publishers/google/models/{model}"
VERSIONS = ("v1", "v1beta1")

Handler = Callable[[RecordedRequest], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """The operation succeeds, and the safety filter withholds videos."""

    count: int | None = None
    """How many; all of them if absent."""
    reasons: tuple[str, ...] = ()
    """One sentence with support codes each; a usual one if empty."""


@dataclass(frozen=True, kw_only=True)
class OperationError:
    """The operation ends with a google.rpc.Status."""

    code: int
    """Number of google.rpc.Code, such as 3 or 13."""
    message: str


VertexFailure = Filtered | OperationError


@dataclass(frozen=True, kw_only=True)
class VertexAccount:
    """Who may ask for what."""

    token: str = TOKEN
    """Accepted without end; `VertexSimulator.allow` and `expire` change what is accepted."""
    project: str | None = None
    """The only one that tokens may use; any if absent."""
    submits_per_minute: int | None = None
    """Beyond it 429; documented is 10 a project for Veo 3.0. No limit if absent."""
    refuses_at_submit: bool = False
    """`[reject]` is a 400 and not an operation that fails; both are documented."""


ACCOUNT = VertexAccount()


class VertexSimulator(SimulatedProvider[VertexFailure]):
    """Operations of the fault plan: `submit`, `status` and, for results in a bucket, `media`.

    `[reject]` ends the operation with an error, or already the submit with
    `VertexAccount.refuses_at_submit`; `[filter]` withholds
    every video. A part of several is withheld with `fail(name, Filtered(count=1))`.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        faults: FaultPlan | None = None,
        port: int = 0,
        queue_s: float = 0.0,
        render_s: float = RENDER_S,
        video: bytes | None = None,
        account: VertexAccount = ACCOUNT,
    ) -> None:
        """Prepare; nothing listens yet.

        Args:
            clock: See `SimulatedProvider`, as for all down to `video`.
            faults: Same.
            port: Same.
            queue_s: Same.
            render_s: Same.
            video: Same.
            account: Who may ask for what.
        """
        super().__init__(clock=clock, faults=faults, port=port, queue_s=queue_s, render_s=render_s, video=video)
        self.buckets = Buckets()
        """What was rendered with a `storageUri`."""
        self._account = account
        self._tokens = {account.token: math.inf}
        self._quota = Quota(self.clock, count_max=account.submits_per_minute)

    def operations(self) -> Sequence[Operation]:
        """List the table."""
        return [
            Operation(
                name="submit",
                method="POST",
                path=f"{MODEL_PATH}:predictLongRunning",
                handler=self._guarded(self._submit),
            ),
            Operation(
                name="status",
                method="POST",
                path=f"{MODEL_PATH}:fetchPredictOperation",
                handler=self._guarded(self._fetch),
            ),
            Operation(name="media", method="GET", path=OBJECT_PATH, handler=self._object),
        ]

    def allow(self, token: str, *, lifetime_s: float = math.inf) -> None:
        """Accept one more token.

        Args:
            token: Without `Bearer`.
            lifetime_s: Seconds from now on the simulator's clock, after which it is refused with 401.
        """
        self._tokens[token] = self.clock.monotonic_s() + lifetime_s

    def expire(self, token: str) -> None:
        """Accept a token no more."""
        self._tokens.pop(token, None)

    def scripted_failure(self, fate: Fate) -> VertexFailure | None:
        """Say how a render of this fate fails."""
        match fate:
            case Fate.REJECTED:
                return OperationError(code=INVALID_ARGUMENT, message=BLOCK_MESSAGE)
            case Fate.FILTERED:
                return Filtered()
            case Fate.FAILED:
                return OperationError(code=INTERNAL, message="Video generation failed. Please try again.")
            case _:
                return None

    def ended(self, render: Render[VertexFailure]) -> None:
        """Put what was rendered where it was asked for."""
        for video in _videos(render):
            if "gcsUri" in video:
                self.buckets.objects[video["gcsUri"]] = self.video_of(render)

    async def answer_unknown(self, request: RecordedRequest) -> Response:
        """Answer a path that Google does not have; its page for that is HTML."""
        page = f"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>{request.method} {request.path}"
        return Response(page, 404, media_type="text/html")

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: RecordedRequest) -> Response:
            try:
                self._check_caller(request)
                return await handler(request)
            except Refusal as refusal:
                return respond(refusal.code, refusal.body)

        return guarded

    def _check_caller(self, request: RecordedRequest) -> None:
        """Let a caller with a valid token and project through to a model that exists."""
        place: Mapping[str, str] = request.path_parameters
        if not self._is_authorized(request):
            raise Refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if self._account.project not in {None, place["project"]}:
            message = f"Permission denied on resource project {place['project']}."
            raise Refusal(403, "PERMISSION_DENIED", message)
        if place["model"] in RETIRED_MODELS:
            raise Refusal(404, "NOT_FOUND", f"Publisher Model `{place['model']}` is no longer available.")
        if place["model"] not in MODELS or place["version"] not in VERSIONS:
            raise Refusal(404, "NOT_FOUND", f"Publisher Model `{place['model']}` was not found.")

    def _is_authorized(self, request: RecordedRequest) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and self._tokens.get(token, -math.inf) > self.clock.monotonic_s()

    async def _submit(self, request: RecordedRequest) -> Response:
        spec = read_spec(request.members)
        if self._quota.take():
            message = "Quota exceeded for online prediction requests per base model. Please try again later."
            raise Refusal(429, "RESOURCE_EXHAUSTED", message)
        if self._account.refuses_at_submit and read_script(spec.prompt).fate is Fate.REJECTED:
            raise Refusal(400, "INVALID_ARGUMENT", BLOCK_MESSAGE)
        name = f"{_resource(request)}/operations/{uuid.uuid4()}"
        extra = {"spec": spec}
        self.accept(name, request.members, clip_duration_s=spec.duration_s, prompt=spec.prompt, extra=extra)
        return respond(200, {"name": name})

    async def _fetch(self, request: RecordedRequest) -> Response:
        name = request.members.get("operationName")
        if not isinstance(name, str) or name.rpartition("/operations/")[0] != _resource(request):
            message = "`operationName` must name an operation of this model."
            raise Refusal(400, "INVALID_ARGUMENT", message, field="operationName")
        render = self.render(name)
        if render is None:
            raise Refusal(404, "NOT_FOUND", f"Operation {name} was not found.")
        body = json.dumps({"name": name} | self._outcome(render)).encode()
        # Tens of megabytes for a real video, and no word about the size before.
        return ChunkedResponse(body, media_type="application/json; charset=UTF-8", is_length_known=False)

    def _outcome(self, render: Render[VertexFailure]) -> dict[str, Any]:
        """Say how an operation ended; nothing at all while it runs."""
        if not render.is_ended:
            return {}
        if isinstance(render.failure, OperationError):
            return {"done": True, "error": {"code": render.failure.code, "message": render.failure.message}}
        if render.state is RenderState.CANCELLED:
            return {"done": True, "error": {"code": 1, "message": "The operation was cancelled."}}
        response: dict[str, Any] = {"@type": RESPONSE_TYPE, "raiMediaFilteredCount": 0}
        if isinstance(render.failure, Filtered):
            count = _filtered_count(render)
            reasons = render.failure.reasons or (FILTER_MESSAGE.format(count),)
            response |= {"raiMediaFilteredCount": count, "raiMediaFilteredReasons": list(reasons)}
        if videos := _videos(render):
            content = base64.b64encode(self.video_of(render)).decode("ascii")
            response["videos"] = [
                video if "gcsUri" in video else video | {"bytesBase64Encoded": content} for video in videos
            ]
        return {"done": True, "response": response}

    async def _object(self, request: RecordedRequest) -> Response:
        if not self._is_authorized(request):
            return storage_error(401, "required", "Login Required")
        return self.buckets.get(request)


def _resource(request: RecordedRequest) -> str:
    """Name the model in full, as operations begin."""
    return request.path.rpartition(":")[0].split("/", 2)[2]


def _filtered_count(render: Render[VertexFailure]) -> int:
    sample_count: int = render.extra["spec"].sample_count
    if not isinstance(render.failure, Filtered):
        return 0
    return sample_count if render.failure.count is None else min(render.failure.count, sample_count)


def _videos(render: Render[VertexFailure]) -> list[dict[str, str]]:
    """List the videos of a render, without content."""
    if isinstance(render.failure, OperationError) or render.state is RenderState.CANCELLED:
        return []
    spec, serial = render.extra["spec"], render.id.rpartition("/")[2]
    indexes = range(spec.sample_count - _filtered_count(render))
    if spec.storage_uri is None:
        return [{"mimeType": "video/mp4"} for _ in indexes]
    folder = f"{spec.storage_uri.rstrip('/')}/{uuid.UUID(serial).int & 0xFFFFFFFF}"
    return [{"gcsUri": f"{folder}/sample_{index}.mp4", "mimeType": "video/mp4"} for index in indexes]
