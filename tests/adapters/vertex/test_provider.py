"""The Vertex provider in front of the simulator, over real HTTP."""

import asyncio
import socket
from base64 import b64decode
from contextlib import aclosing

import pytest

from reelgate_server.adapters.providers.vertex.credentials import FixedToken
from reelgate_server.adapters.providers.vertex.provider import SUBMIT_LIMIT_S, VertexProvider
from reelgate_server.domain.events import FailureCode, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import ImageBytes, ImageUrl, TaskDone, TaskFailed, TaskRunning
from reelgate_simulators.faults import Delay, Html, RetryAfter, Status, accepted_but_lost
from reelgate_simulators.vertex import TOKEN, Filtered, VertexAccount, VertexSimulator
from reelgate_simulators.video import tiny_mp4
from tests.adapters.vertex.samples import (
    OPERATION,
    PNG,
    PROMPT,
    provider_of,
    read_all,
    simulated,
    task_at,
    veo_order,
)
from tests.support.waiting import wait_for_end

JOB_FOLDER = "gs://studio-results/veo/01940000-0000-7000-8000-000000000001/"
EXPIRED = {"error": {"code": 401, "message": "Request had invalid credentials.", "status": "UNAUTHENTICATED"}}


class NotedToken:
    """A token source that writes down what is asked of it."""

    def __init__(self, *tokens: str, quota_project: str | None = None) -> None:
        self.tokens = list(tokens)
        self.forgotten: list[str] = []
        self.is_closed = False
        self.is_slow = False
        """It gives no token for as long as anybody waits."""
        self.quota_project = quota_project

    async def token(self) -> str:
        if self.is_slow:
            await asyncio.Event().wait()
        if not self.tokens:
            raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE, detail="the token service is down"))
        return self.tokens[0]

    def forget(self, token: str) -> None:
        self.forgotten.append(token)
        self.tokens.remove(token)

    def close(self) -> None:
        self.is_closed = True


async def fault_of_submit(provider: VertexProvider) -> Fault:
    with pytest.raises(ProviderFault) as raised:
        await provider.submit(veo_order())
    return raised.value.fault


async def test_a_video_without_a_bucket_comes_out_of_the_operation() -> None:
    async with simulated() as (provider, simulator):
        task = (await provider.submit(veo_order(seconds=6))).task
        assert task == Task(
            task_id=task.task_id,
            urls={
                "poll": f"{simulator.base_url}/v1/projects/film/locations/us-central1/publishers/google/models/"
                "veo-3.1-generate-001:fetchPredictOperation"
            },
            credential="studio",
        )
        assert task.task_id.startswith(
            "projects/film/locations/us-central1/publishers/google/models/veo-3.1-generate-001/operations/"
        )
        assert await wait_for_end(provider, task) == TaskDone(source_url=f"vertex:{task.task_id}")
        assert await read_all(provider.open(task, f"vertex:{task.task_id}")) == tiny_mp4(6)


async def test_a_video_in_the_operators_bucket_is_read_from_there() -> None:
    async with simulated(storage_uri="gs://studio-results/veo") as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskDone)
        assert end.source_url.startswith(JOB_FOLDER)
        assert await read_all(provider.open(task, end.source_url)) == tiny_mp4(8)
    [download] = simulator.requests_of("media")
    assert download.raw_path.startswith("/storage/v1/b/studio-results/o/veo%2F01940000-0000-7000-8000-000000000001%2F")
    assert download.query == {"alt": "media"}
    assert download.headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_task_runs_until_it_is_done() -> None:
    async with simulated(VertexSimulator(render_s=60)) as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        assert await provider.poll(task) == TaskRunning()
        simulator.finish(task.task_id)
        assert await provider.poll(task) == TaskDone(source_url=f"vertex:{task.task_id}")


async def test_every_call_says_who_calls() -> None:
    source = NotedToken(TOKEN, quota_project="billing-project")
    async with simulated(storage_uri="gs://studio-results", credentials={"studio": source}) as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskDone)
        await read_all(provider.open(task, end.source_url))
        await provider.check("studio")
    assert {request.operation for request in simulator.requests} == {"submit", "status", "media"}
    for request in simulator.requests:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["x-goog-user-project"] == "billing-project"
    assert source.is_closed


async def test_it_says_what_it_is() -> None:
    async with simulated() as (provider, _):
        assert provider.name == "vertex"
        assert provider.credentials == ("studio",)
        assert not provider.is_idempotent
        assert not provider.announces_tasks


async def test_an_order_without_a_model_is_not_sent() -> None:
    async with simulated() as (provider, simulator):
        with pytest.raises(ProviderFault, match="names no model") as raised:
            await provider.submit(veo_order(endpoint=""))
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert simulator.requests == []


async def test_a_project_of_its_own_is_not_named_twice() -> None:
    async with simulated() as (provider, simulator):
        await provider.submit(veo_order())
    assert "x-goog-user-project" not in simulator.requests[0].headers


async def test_a_task_is_asked_for_where_it_was_made_whatever_is_configured_since() -> None:
    async with VertexSimulator() as simulator:
        async with provider_of(simulator, location="europe-west4") as before:
            task = (await before.submit(veo_order())).task
        async with provider_of(simulator, project="another", location="global") as after:
            assert isinstance(await wait_for_end(after, task), TaskDone)
    polls = simulator.requests_of("status")
    assert {request.path_parameters["location"] for request in polls} == {"europe-west4"}
    assert {request.path_parameters["project"] for request in polls} == {"film"}


async def test_a_task_is_asked_for_with_the_credential_that_made_it() -> None:
    simulator = VertexSimulator()
    simulator.allow("token-of-the-old-account")
    old, new = NotedToken("token-of-the-old-account"), NotedToken(TOKEN)
    async with simulated(simulator, credentials={"new": new, "old": old}) as (provider, _):
        assert provider.credentials == ("new", "old")
        made = (await provider.submit(veo_order())).task
        assert made.credential == "new"
        with pytest.raises(ProviderFault):
            await provider.poll(task_at(simulator, credential="old"))
    assert simulator.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert simulator.requests[1].headers["authorization"] == "Bearer token-of-the-old-account"


@pytest.mark.parametrize("credential", ["retired", None])
async def test_a_task_whose_credential_is_gone_says_which(credential: str | None) -> None:
    async with simulated() as (provider, simulator):
        task = task_at(simulator, credential=credential)
        for call in (provider.poll(task), read_all(provider.open(task, f"vertex:{OPERATION}"))):
            with pytest.raises(ProviderFault) as raised:
                await call
            assert raised.value.fault.kind is FaultKind.UNAUTHORIZED
            assert raised.value.fault.detail == f"the credential {credential!r} is no longer configured"
    assert simulator.requests == []


async def test_a_refused_token_is_dropped_and_the_order_sent_once_more_with_another() -> None:
    source = NotedToken("expired-token", TOKEN)
    async with simulated(credentials={"studio": source}) as (provider, simulator):
        task = (await provider.submit(veo_order(image=PNG))).task
        assert isinstance(await wait_for_end(provider, task), TaskDone)
    first, second = simulator.requests_of("submit")
    assert first.headers["authorization"] == "Bearer expired-token"
    assert second.headers["authorization"] == f"Bearer {TOKEN}"
    assert second.body["instances"] == [
        {"prompt": PROMPT, "image": {"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png"}}
    ]
    assert source.forgotten == ["expired-token"]


async def test_a_second_token_that_is_refused_says_that_the_credential_is_no_good() -> None:
    source = NotedToken("expired-token", "another-expired-token", TOKEN)
    async with simulated(credentials={"studio": source}) as (provider, simulator):
        fault = await fault_of_submit(provider)
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAUTHORIZED, False)
    assert len(simulator.requests_of("submit")) == 2
    assert source.forgotten == ["expired-token", "another-expired-token"]


async def test_a_token_that_is_refused_and_the_only_one_is_not_tried_again() -> None:
    async with simulated(credentials={"studio": FixedToken("expired-token")}) as (provider, simulator):
        fault = await fault_of_submit(provider)
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAUTHORIZED, False)
    assert len(simulator.requests_of("submit")) == 1


async def test_what_becomes_of_the_second_try_is_what_counts() -> None:
    source = NotedToken("expired-token", TOKEN)
    async with simulated(credentials={"studio": source}) as (provider, simulator):
        simulator.faults.queue("submit", Status(401, EXPIRED), accepted_but_lost())
        fault = await fault_of_submit(provider)
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, True)
    assert len(simulator.requests_of("submit")) == 2


async def test_a_token_service_that_fails_after_a_refusal_says_nothing_against_the_credential() -> None:
    source = NotedToken("expired-token")
    async with simulated(credentials={"studio": source}) as (provider, simulator):
        fault = await fault_of_submit(provider)
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)
    assert fault.detail == "the token service is down"
    assert len(simulator.requests_of("submit")) == 1


async def test_no_call_begins_after_the_time_for_tokens_is_up() -> None:
    source = NotedToken("expired-token", TOKEN)
    async with simulated(credentials={"studio": source}, token_limit_s=0.3) as (provider, simulator):
        simulator.faults.queue("submit", Delay(0.4))
        fault = await fault_of_submit(provider)
        assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)
        assert fault.detail == "no access token in time"
        assert len(simulator.requests_of("submit")) == 1
        assert source.forgotten == ["expired-token"]
        await provider.submit(veo_order())


async def test_a_token_that_does_not_come_is_surely_no_submit() -> None:
    source = NotedToken(TOKEN)
    source.is_slow = True
    async with simulated(credentials={"studio": source}, token_limit_s=0.1) as (provider, simulator):
        fault = await fault_of_submit(provider)
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)
    assert simulator.requests == []


def test_a_submit_lasts_as_long_as_a_token_and_a_call_may() -> None:
    assert SUBMIT_LIMIT_S == 30


async def test_a_token_that_storage_refuses_is_not_used_again() -> None:
    source = NotedToken("expired-token")
    async with simulated(credentials={"studio": source}) as (provider, simulator):
        with pytest.raises(ProviderFault) as raised:
            await read_all(provider.open(task_at(simulator), "gs://studio-results/veo/sample_0.mp4"))
    assert raised.value.fault.kind is FaultKind.UNAUTHORIZED
    assert source.forgotten == ["expired-token"]


async def test_a_project_that_may_not_be_used_says_nothing_against_the_token_or_the_task() -> None:
    source = NotedToken(TOKEN)
    simulator = VertexSimulator(account=VertexAccount(project="another"))
    async with simulated(simulator, credentials={"studio": source}) as (provider, _):
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(task_at(simulator))
    assert raised.value.fault.kind is FaultKind.UNAUTHORIZED
    assert "Permission denied on resource project film" in raised.value.fault.detail
    assert source.forgotten == []


async def test_an_image_is_sent_as_bytes() -> None:
    async with simulated() as (provider, simulator):
        assert provider.takes_image_bytes
        await provider.submit(veo_order(image=ImageBytes(content=b"\xff\xd8\xff", content_type="image/jpeg")))
        await provider.submit(veo_order(image=ImageBytes(content=b"RIFF", content_type="image/webp")))
    assert [request.body["instances"][0]["image"] for request in simulator.requests] == [
        {"bytesBase64Encoded": "/9j/", "mimeType": "image/jpeg"},
        {"bytesBase64Encoded": "UklGRg==", "mimeType": "image/webp"},
    ]


async def test_a_large_image_arrives_whole() -> None:
    image = ImageBytes(content=bytes(range(256)) * 12_345, content_type="image/png")
    async with simulated() as (provider, simulator):
        await provider.submit(veo_order(image=image))
    [request] = simulator.requests
    assert b64decode(request.body["instances"][0]["image"]["bytesBase64Encoded"]) == image.content
    assert "transfer-encoding" not in request.headers


async def test_an_address_of_an_image_is_not_sent() -> None:
    async with simulated() as (provider, simulator):
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(veo_order(image=ImageUrl("https://example.com/frame.png")))
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert simulator.requests == []


@pytest.mark.parametrize(
    ("prompt", "code", "kind", "detail"),
    [
        ("[reject] it", FailureCode.REJECTED, FaultKind.REJECTED, "[15236754 celebrity] The prompt couldn't be"),
        ("[filter] it", FailureCode.REJECTED, FaultKind.REJECTED, "[42237218 video safety violation] Veo could not"),
        (
            "[fail] it",
            FailureCode.PROVIDER_ERROR,
            FaultKind.UNAVAILABLE,
            "operation error 13 INTERNAL: Video generation",
        ),
    ],
)
async def test_a_render_that_ends_without_a_video_says_why(
    prompt: str, code: FailureCode, kind: FaultKind, detail: str
) -> None:
    async with simulated() as (provider, _):
        task = (await provider.submit(veo_order(prompt=prompt))).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskFailed)
        assert end.failure.code is code
        assert end.failure.fault is not None
        assert end.failure.fault.kind is kind
        assert detail in end.failure.fault.detail
        with pytest.raises(ProviderFault) as raised:
            await read_all(provider.open(task, f"vertex:{task.task_id}"))
        assert raised.value.fault == end.failure.fault


async def test_a_prompt_may_be_refused_at_once() -> None:
    async with simulated(VertexSimulator(account=VertexAccount(refuses_at_submit=True))) as (provider, _):
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(veo_order(prompt="[reject] it"))
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.REJECTED, False)


async def test_a_filter_that_withholds_nothing_of_one_video_is_a_video() -> None:
    async with simulated(VertexSimulator(render_s=60)) as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        simulator.fail(task.task_id, Filtered(count=0))
        assert isinstance(await provider.poll(task), TaskDone)


async def test_a_quota_says_when_to_come_again() -> None:
    async with simulated(VertexSimulator(account=VertexAccount(submits_per_minute=1))) as (provider, simulator):
        await provider.submit(veo_order())
        simulator.faults.queue("status", RetryAfter(30))
        for call in (provider.submit(veo_order()), provider.poll(task_at(simulator))):
            with pytest.raises(ProviderFault) as raised:
                await call
            assert raised.value.fault.kind is FaultKind.THROTTLED
            assert not raised.value.fault.is_maybe_accepted
        assert raised.value.fault.retry_after is not None
        assert raised.value.fault.retry_after.total_seconds() == 30


async def test_a_model_that_is_gone_is_our_mistake() -> None:
    async with simulated() as (provider, _):
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(veo_order(endpoint="veo-3.0-generate-001"))
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert "Publisher Model `veo-3.0-generate-001` is no longer available." in fault.detail


async def test_nothing_is_sent_to_cancel_a_task() -> None:
    async with simulated() as (provider, simulator):
        assert await provider.cancel(task_at(simulator)) is False
        assert await provider.cancel(Task(task_id="whatever")) is False
    assert simulator.requests == []


async def test_a_check_asks_for_an_operation_that_cannot_exist() -> None:
    async with simulated() as (provider, simulator):
        await provider.check("studio")
    [request] = simulator.requests
    assert request.path == (
        "/v1/projects/film/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001"
        ":fetchPredictOperation"
    )
    assert request.body == {
        "operationName": "projects/film/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001"
        "/operations/00000000-0000-0000-0000-000000000000"
    }


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}}), FaultKind.UNAUTHORIZED),
        (Status(403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}}), FaultKind.UNAUTHORIZED),
        (Status(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}), FaultKind.THROTTLED),
        (Status(503, {"error": {"code": 503, "status": "UNAVAILABLE"}}), FaultKind.UNAVAILABLE),
        (Html(404), FaultKind.INVALID),
        (Html(502), FaultKind.UNAVAILABLE),
    ],
)
async def test_a_check_that_fails_says_how(answer: Status | Html, kind: FaultKind) -> None:
    async with simulated() as (provider, simulator):
        simulator.faults.queue("status", answer)
        with pytest.raises(ProviderFault) as raised:
            await provider.check("studio")
    assert raised.value.fault.kind is kind


@pytest.mark.parametrize("status", [200, 400])
async def test_a_check_that_is_understood_in_another_way_passes_too(status: int) -> None:
    async with simulated() as (provider, simulator):
        simulator.faults.queue("status", Status(status, {"error": {"code": status, "status": "INVALID_ARGUMENT"}}))
        await provider.check("studio")


async def test_a_credential_that_is_not_configured_cannot_be_checked() -> None:
    async with simulated() as (provider, simulator):
        with pytest.raises(ProviderFault, match="'other' is no longer configured"):
            await provider.check("other")
    assert simulator.requests == []


@pytest.mark.parametrize("source_url", ["https://example.com/video.mp4", "vertex:another", "gs://bucket", "", "gs://"])
async def test_an_address_that_is_not_of_the_task_is_not_opened(source_url: str) -> None:
    async with simulated() as (provider, simulator):
        with pytest.raises(ProviderFault) as raised:
            await read_all(provider.open(task_at(simulator), source_url))
    assert raised.value.fault.kind is FaultKind.INVALID
    assert simulator.requests == []


async def test_a_video_that_is_not_there_yet_cannot_be_opened() -> None:
    async with simulated(VertexSimulator(render_s=60)) as (provider, _):
        task = (await provider.submit(veo_order())).task
        with pytest.raises(ProviderFault, match="not there yet"):
            await read_all(provider.open(task, f"vertex:{task.task_id}"))


async def test_a_video_that_went_into_a_bucket_is_not_in_the_answer() -> None:
    async with simulated(storage_uri="gs://studio-results") as (provider, _):
        task = (await provider.submit(veo_order())).task
        await wait_for_end(provider, task)
        with pytest.raises(ProviderFault, match="in a bucket"):
            await read_all(provider.open(task, f"vertex:{task.task_id}"))


async def test_a_task_without_an_address_cannot_be_asked_for() -> None:
    async with simulated() as (provider, _):
        with pytest.raises(ProviderFault, match="without an address") as raised:
            await provider.poll(Task(task_id=OPERATION, credential="studio"))
    assert raised.value.fault.kind is FaultKind.INVALID


async def test_a_reader_that_stops_early_leaves_nothing_open() -> None:
    video = bytes(range(256)) * 8192
    async with simulated(VertexSimulator(video=video)) as (provider, _):
        task = (await provider.submit(veo_order())).task
        await wait_for_end(provider, task)
        async with aclosing(provider.open(task, f"vertex:{task.task_id}")) as chunks:
            first = await anext(chunks)
        assert video.startswith(first)
        assert await read_all(provider.open(task, f"vertex:{task.task_id}")) == video


async def test_many_tasks_are_followed_at_once() -> None:
    async with simulated() as (provider, _):
        orders = [veo_order(number) for number in range(1, 21)]
        tasks = [accepted.task for accepted in await asyncio.gather(*map(provider.submit, orders))]
        ends = await asyncio.gather(*(wait_for_end(provider, task) for task in tasks))
    assert ends == [TaskDone(source_url=f"vertex:{task.task_id}") for task in tasks]


async def test_a_server_that_is_not_there_has_surely_taken_nothing() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        credentials = {"studio": FixedToken(TOKEN)}
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        async with VertexProvider(project="film", credentials=credentials, base_url=address) as provider:
            with pytest.raises(ProviderFault) as raised:
                await provider.submit(veo_order())
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"credentials": {}}, "at least one credential"),
        ({"project": "a/b"}, "not a project"),
        ({"location": "moon!"}, "not a location"),
        ({"storage_uri": "s3://bucket"}, "not a gs:// folder"),
        ({"storage_uri": "gs://"}, "not a gs:// folder"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(arguments: dict[str, object], message: str) -> None:
    usual: dict[str, object] = {"project": "film", "credentials": {"studio": FixedToken("t")}}
    with pytest.raises(ValueError, match=message):
        VertexProvider(**(usual | arguments))  # type: ignore[arg-type]


async def test_no_secret_is_seen_from_outside() -> None:
    async with simulated() as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        simulator.expire(TOKEN)
        simulator.faults.queue("status", Status(400, {"error": {"message": f"Bearer {TOKEN} and {TOKEN}"}}))
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(task)
    assert TOKEN not in raised.value.fault.detail
    assert TOKEN not in repr(provider)
    assert TOKEN not in repr(task)
    assert TOKEN not in repr(FixedToken(TOKEN))
