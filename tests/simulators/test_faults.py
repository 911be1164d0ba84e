"""The fault plan over a simulator that knows nothing but a counter."""

import asyncio
import email.utils
import json
from collections.abc import Sequence
from random import Random

import httpx
import pytest
from starlette.responses import Response

from reelgate_simulators.clock import MANUAL_START_UNIX_S, ManualClock
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.faults import (
    ANY_OPERATION,
    CutBody,
    Delay,
    Fault,
    FaultPlan,
    Hang,
    Html,
    HugeJson,
    Reset,
    RetryAfter,
    Status,
    TruncatedJson,
    WrongTypes,
    accepted_but_lost,
)
from reelgate_simulators.recording import RecordedRequest
from reelgate_simulators.server import HOST, SimulatorServer
from tests.support.waiting import wait_until

LIMIT_S = 5.0


class Counter(SimulatorServer):
    """Counts what took effect."""

    count = 0

    def operations(self) -> Sequence[Operation]:
        return [
            Operation(name="add", method="POST", path="/add/{amount:int}", handler=self.add),
            Operation(name="read", method="GET", path="/count", handler=self.read),
        ]

    async def add(self, request: RecordedRequest) -> Response:
        self.count += request.path_parameters["amount"]
        return respond(
            200, {"count": self.count, "text": "done", "is_even": self.count % 2 == 0, "list": [1], "none": None}
        )

    async def read(self, request: RecordedRequest) -> Response:
        return respond(200, {"count": self.count})


async def ask(counter: Counter, fault: Fault | None = None, *, timeout_s: float = LIMIT_S) -> httpx.Response:
    if fault is not None:
        counter.faults.queue("add", fault)
    async with httpx.AsyncClient(base_url=counter.base_url, timeout=timeout_s) as client:
        return await client.post("/add/2?why=so", json={"who": "me"}, headers={"X-Name": "value"})


async def wait_for_request(counter: Counter) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not counter.requests:  # noqa: ASYNC110 (a list has no event to wait for)
            await asyncio.sleep(0)


async def test_a_request_is_recorded_as_it_came() -> None:
    async with Counter() as counter:
        assert (await ask(counter)).json()["count"] == 2
    [request] = counter.requests_of("add")
    assert (request.method, request.path, request.query) == ("POST", "/add/2", {"why": "so"})
    assert request.headers["x-name"] == "value"
    assert (request.body, request.content) == ({"who": "me"}, b'{"who":"me"}')
    assert request.base_url == counter.base_url


async def test_a_form_is_recorded_by_its_fields() -> None:
    async with Counter() as counter, httpx.AsyncClient(base_url=counter.base_url) as client:
        await client.post("/add/1", data={"a": "b"}, files={"file": ("x.png", b"\x89PNG", "image/png")})
    body = counter.requests[0].body
    assert body["a"] == "b"
    assert (body["file"].filename, body["file"].content_type, body["file"].content) == (
        "x.png",
        "image/png",
        b"\x89PNG",
    )


async def test_a_path_that_nobody_serves_is_recorded_too() -> None:
    async with Counter() as counter, httpx.AsyncClient(base_url=counter.base_url) as client:
        assert (await client.put("/count")).status_code == 404
    assert [request.operation for request in counter.requests] == ["unknown"]


async def test_queued_faults_are_met_once_each_in_order() -> None:
    async with Counter() as counter:
        counter.faults.queue("add", Status(500), Status(503, {"why": "full"}, {"X-Why": "full"}))
        assert counter.faults.pending_count("add") == 2
        first, second, third = [await ask(counter) for _ in range(3)]
    assert (first.status_code, first.content) == (500, b"")
    assert (second.status_code, second.json(), second.headers["X-Why"]) == (503, {"why": "full"}, "full")
    assert (third.status_code, counter.count) == (200, 2)
    assert [operation for operation, _ in counter.faults.applied] == ["add", "add"]


async def test_a_fault_meets_only_its_operation() -> None:
    async with Counter() as counter, httpx.AsyncClient(base_url=counter.base_url) as client:
        counter.faults.queue("read", Status(500))
        assert (await ask(counter)).status_code == 200
        assert (await client.get("/count")).status_code == 500


@pytest.mark.parametrize(("fault", "count"), [(Reset(), 0), (accepted_but_lost(), 2)])
async def test_a_reset_cuts_the_connection_before_an_answer(fault: Fault, count: int) -> None:
    async with Counter() as counter:
        with pytest.raises(httpx.ReadError):
            await ask(counter, fault)
        assert counter.count == count


async def read(response: httpx.Response, into: bytearray) -> None:
    async for chunk in response.aiter_raw():
        into.extend(chunk)


@pytest.mark.parametrize("after_bytes", [0, 1, 20, 10_000])
async def test_a_body_is_cut_where_the_plan_says(after_bytes: int) -> None:
    async with Counter() as counter, httpx.AsyncClient(base_url=counter.base_url) as client:
        counter.faults.queue("add", CutBody(after_bytes))
        received = bytearray()
        async with client.stream("POST", "/add/2") as response:
            length = int(response.headers["content-length"])
            with pytest.raises(httpx.ReadError):
                await read(response, received)
    assert len(received) == min(after_bytes, length - 1)
    assert counter.count == 2


@pytest.mark.parametrize(("fault", "count"), [(Hang(), 0), (Hang(takes_effect=True), 2)])
async def test_a_hang_lasts_until_the_caller_gives_up(fault: Fault, count: int) -> None:
    async with Counter() as counter:
        with pytest.raises(httpx.ReadTimeout):
            await ask(counter, fault, timeout_s=0.05)
        assert counter.count == count


class Patient(Counter):
    """Answers nobody before everybody has left."""

    async def add(self, request: RecordedRequest) -> Response:
        await wait_until(lambda: not self._state.connections)
        return await super().add(request)


@pytest.mark.parametrize("fault", [Reset(takes_effect=True), CutBody(3), Hang(takes_effect=True), None])
async def test_a_caller_that_has_left_is_no_error(fault: Fault | None, caplog: pytest.LogCaptureFixture) -> None:
    async with Patient() as counter:
        with pytest.raises(httpx.ReadTimeout):
            await ask(counter, fault, timeout_s=0.05)
        await wait_until(lambda: not counter._state.tasks)
    assert counter.count == 2
    assert caplog.messages == []


async def test_a_caller_that_leaves_before_its_request_is_whole_asked_for_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Counter() as counter:
        _, writer = await asyncio.open_connection(HOST, counter.port)
        writer.write(b"POST /add/2 HTTP/1.1\r\nHost: simulator\r\nContent-Length: 9\r\n\r\n{")
        await wait_until(lambda: bool(counter._state.tasks))
        writer.transport.abort()
        await wait_until(lambda: not counter._state.tasks)
    assert (counter.count, counter.requests) == (0, [])
    assert caplog.messages == []


async def test_stopping_ends_a_hang() -> None:
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        async with Counter() as counter:
            hanging = group.create_task(_ask_and_be_cut(counter, Hang()))
            await wait_for_request(counter)
        await hanging


async def _ask_and_be_cut(counter: Counter, fault: Fault) -> None:
    with pytest.raises(httpx.TransportError):
        await ask(counter, fault)


async def test_a_delay_goes_by_the_simulators_clock() -> None:
    clock = ManualClock()
    async with asyncio.timeout(LIMIT_S), Counter(clock=clock) as counter, asyncio.TaskGroup() as group:
        asked = group.create_task(ask(counter, Delay(3600)))
        await wait_for_request(counter)
        clock.advance(3599)
        assert counter.count == 0
        clock.advance(1)
        assert (await asked).json()["count"] == 2


async def test_stopping_ends_a_delay_without_effect(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        async with Counter(clock=ManualClock()) as counter:
            delayed = group.create_task(_ask_and_be_cut(counter, Delay(3600)))
            await wait_for_request(counter)
        await delayed
    assert (counter.count, caplog.records) == (0, [])


async def test_retry_after_comes_in_seconds_or_as_a_date() -> None:
    async with Counter(clock=ManualClock()) as counter:
        seconds = await ask(counter, RetryAfter(1.5))
        date = await ask(counter, RetryAfter(60, code=503, is_date=True, body="later"))
    assert (seconds.status_code, seconds.headers["Retry-After"]) == (429, "2")
    assert (date.status_code, date.text) == (503, "later")
    assert date.headers["Retry-After"].endswith(" GMT")
    moment = email.utils.parsedate_to_datetime(date.headers["Retry-After"])
    assert moment.timestamp() == MANUAL_START_UNIX_S + 60
    assert counter.count == 0


async def test_html_comes_instead_of_json() -> None:
    async with Counter() as counter:
        response = await ask(counter, Html(502))
    assert (response.status_code, response.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert "nginx" in response.text
    assert counter.count == 0


async def test_truncated_json_is_whole_as_http() -> None:
    async with Counter() as counter:
        response = await ask(counter, TruncatedJson())
    assert response.status_code == 200
    assert response.text.startswith('{"count": 2')
    with pytest.raises(json.JSONDecodeError):
        response.json()


async def test_huge_json_is_true_and_huge() -> None:
    async with Counter() as counter:
        response = await ask(counter, HugeJson(3_000_000))
    assert response.json()["count"] == 2
    assert len(response.content) > 3_000_000


async def test_wrong_types_keep_the_keys() -> None:
    async with Counter() as counter:
        response = await ask(counter, WrongTypes())
    assert response.json() == {
        "count": {"number": 2},
        "text": ["done"],
        "is_even": "perhaps",
        "list": "a list",
        "none": 0,
    }


async def test_likely_faults_are_the_same_in_every_run() -> None:
    runs = []
    for _ in range(2):
        plan = FaultPlan(random=Random(7))  # noqa: S311 (repeatable on purpose)
        plan.sometimes(ANY_OPERATION, Reset(), 0.3)
        runs.append([plan.take("add") is not None for _ in range(200)])
    assert runs[0] == runs[1]
    assert 30 < sum(runs[0]) < 90


async def test_a_queued_fault_goes_before_a_likely_one() -> None:
    plan = FaultPlan()
    plan.sometimes("add", Reset(), 1.0)
    plan.queue(ANY_OPERATION, Hang())
    assert [plan.take("add"), plan.take("add"), plan.take("read")] == [Hang(), Reset(), None]
    plan.clear()
    assert plan.take("add") is None


def test_a_server_in_a_thread_serves_callers_that_block() -> None:
    counter = Counter()
    with counter.in_thread():
        assert httpx.post(f"{counter.base_url}/add/3", timeout=LIMIT_S).json()["count"] == 3
        assert counter.call(lambda: counter.count) == 3
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{counter.base_url}/count", timeout=LIMIT_S)


def test_a_taken_port_is_said() -> None:
    with Counter().in_thread() as counter, pytest.raises(OSError, match="address already in use"):  # noqa: SIM117
        with Counter(port=counter.port).in_thread():
            pass


async def test_what_a_test_raises_leaves_the_server_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with Counter():
            raise KeyError("mine")


async def test_a_server_can_be_started_again_where_it_was() -> None:
    counter = Counter()
    for count in (2, 4):
        async with counter:
            assert (await ask(counter)).json()["count"] == count
