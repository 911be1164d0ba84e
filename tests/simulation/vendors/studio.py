"""The simulated providers, their renders, and the address at which our webhooks arrive."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

from starlette.responses import Response

from reelgate_server.ports.webhooks import Webhook
from reelgate_simulators.base import Render, SimulatedProvider
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.faults import FaultPlan, Reset, Status
from reelgate_simulators.minimax import MinimaxSimulator
from reelgate_simulators.openai import OpenAiService, OpenAiSimulator
from reelgate_simulators.recording import RecordedRequest
from reelgate_simulators.server import SimulatorServer
from reelgate_simulators.vertex import VertexAccount, VertexSimulator
from tests.simulation.vendors.bad_days import SUBMITS, BadDay, UnsteadyWebhooks, spoil
from tests.simulation.vendors.flow import Flow, time_of

QUEUE_S: Final = 5.0
RENDER_S: Final = 30.0
FAL_KEYS: Final = {"first": "fal-one:5ecret-of-the-first", "second": "fal-two:5ecret-of-the-second"}
MINIMAX_KEYS: Final = {"first": "minimax-5ecret-of-the-first", "second": "minimax-5ecret-of-the-second"}
VERTEX_TOKEN: Final = "ya29.5ecret-token-of-vertex"
SERVER_KEY: Final = "5ecret-key-of-the-servers"
SECRETS: Final = (*FAL_KEYS.values(), *MINIMAX_KEYS.values(), VERTEX_TOKEN, SERVER_KEY, "5ecret")
PROJECT: Final = "film"
DIALECTS: Final = ("sglang", "vllm_omni")
"""Of the self-hosted servers; each provider is called as its dialect."""

Receiver = Callable[[str, str, Webhook], Awaitable[int]]
"""Takes a provider, a job and its webhook; answers with an HTTP status."""


class _OneOfAKind(SimulatedProvider[Any]):
    """Gives every render a video of its own, so that a wrong one would be noticed."""

    def video_of(self, render: Render[Any]) -> bytes:
        name = render.id.encode()
        return super().video_of(render) + (8 + len(name)).to_bytes(4) + b"free" + name


class _Fal(_OneOfAKind, FalSimulator):
    pass


class _Minimax(_OneOfAKind, MinimaxSimulator):
    pass


class _Vertex(_OneOfAKind, VertexSimulator):
    pass


class _OpenAi(_OneOfAKind, OpenAiSimulator):
    pass


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A webhook that a server of ours has answered."""

    time: datetime
    job_id: str
    request_id: str
    code: int


class Doorstep(SimulatorServer):
    """Where the providers' webhooks arrive; not a provider, but a server that meets faults like one."""

    def __init__(self, flow: Flow, faults: FaultPlan) -> None:
        """Wait for somebody to `receive`."""
        super().__init__(clock=flow.simulator_clock, faults=faults)
        self._flow = flow
        self.receive: Receiver | None = None
        self.arrivals: list[Arrival] = []

    def operations(self) -> Sequence[Operation]:
        return [Operation(name="hook", method="POST", path="/hooks/{provider}/{job_id}", handler=self._take)]

    async def _take(self, request: RecordedRequest) -> Response:
        place = request.path_parameters
        with self._flow.under_way():
            webhook = Webhook(headers=request.headers, body=request.content)
            code = 503 if self.receive is None else await self.receive(place["provider"], place["job_id"], webhook)
        request_id = request.headers["x-fal-webhook-request-id"]
        self.arrivals.append(
            Arrival(time=self._flow.clock.now(), job_id=place["job_id"], request_id=request_id, code=code)
        )
        return respond(code, None)


@dataclass(frozen=True, kw_only=True)
class Studio:
    """Everybody outside."""

    fal: FalSimulator
    minimax: MinimaxSimulator
    vertex: VertexSimulator
    servers: Mapping[str, OpenAiSimulator]
    """By name."""
    webhooks: UnsteadyWebhooks
    doorstep: Doorstep

    def providers(self) -> dict[str, SimulatedProvider[Any]]:
        """Every provider by name."""
        return {"fal": self.fal, "minimax": self.minimax, "vertex": self.vertex, **self.servers}

    def renders(self) -> Iterator[tuple[str, Render[Any]]]:
        """Every render that was accepted, and by which provider."""
        for name, provider in self.providers().items():
            yield from ((name, render) for render in provider.renders.values())

    def submits(self) -> Iterator[tuple[str, str]]:
        """Every submit that arrived, accepted or not: at which provider, and its prompt."""
        for name, provider in self.providers().items():
            for request in provider.requests:
                if request.operation in SUBMITS:
                    yield name, prompt_in(request.members)


def prompt_in(body: Mapping[str, Any]) -> str:
    """The prompt of any submit."""
    instances = body.get("instances")
    return str((instances[0] if instances else body)["prompt"])


def end_of(render: Render[Any]) -> datetime:
    """When a render ended, or will."""
    return time_of(render.end_time_s)


@asynccontextmanager
async def running(flow: Flow, seed: int) -> AsyncIterator[Studio]:
    """Start everybody, on a bad day."""
    random = Random(seed)  # noqa: S311 (repeatable on purpose)

    def knobs() -> dict[str, Any]:
        faults = BadDay(flow.simulator_clock, Random(random.random()))  # noqa: S311 (same)
        return {"clock": flow.simulator_clock, "faults": faults}

    times: dict[str, Any] = {"queue_s": QUEUE_S, "render_s": RENDER_S}
    services = {
        "sglang": OpenAiService(dialect="sglang", api_key=SERVER_KEY, uploads_to_cloud=True),
        "vllm_omni": OpenAiService(dialect="vllm_omni", api_key=SERVER_KEY, abort_s=7.0, poll_after_ms=3000),
    }
    studio = Studio(
        fal=_Fal(keys=frozenset(FAL_KEYS.values()), **times, **knobs()),
        minimax=_Minimax(keys=frozenset(MINIMAX_KEYS.values()), **times, **knobs()),
        vertex=_Vertex(account=VertexAccount(token=VERTEX_TOKEN, project=PROJECT), **times, **knobs()),
        servers={name: _OpenAi(service=services[name], **times, **knobs()) for name in DIALECTS},
        webhooks=UnsteadyWebhooks(flow.simulator_clock, Random(random.random())),  # noqa: S311 (same)
        doorstep=Doorstep(flow, FaultPlan(random=Random(random.random()))),  # noqa: S311 (same)
    )
    studio.fal.webhooks = studio.webhooks
    secrets = {"fal": FAL_KEYS["first"], "minimax": MINIMAX_KEYS["first"], "vertex": VERTEX_TOKEN}
    async with AsyncExitStack() as stack:
        for name, provider in studio.providers().items():
            spoil(provider, secrets.get(name, SERVER_KEY))
            await stack.enter_async_context(provider)
        for fault in (Reset(), Status(503), Status(502, takes_effect=True)):
            studio.doorstep.faults.sometimes("hook", fault, 0.05)
        await stack.enter_async_context(studio.doorstep)
        yield studio
