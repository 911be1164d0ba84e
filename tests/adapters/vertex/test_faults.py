"""Bad days of Google's: what the network and the server can do to each call."""

from dataclasses import dataclass

import pytest

from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone
from reelgate_simulators.faults import (
    CutBody,
    Delay,
    Fault,
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
from reelgate_simulators.vertex import VertexSimulator
from tests.adapters.vertex.samples import read_all, simulated, veo_order
from tests.support.waiting import wait_for_end

LIMIT_S = 0.8
"""For one call; long enough for a busy machine, where nothing is delayed."""
MIB = 1 << 20
BUSY = {"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}}
BROKEN = {"error": {"code": 500, "message": "Internal error encountered.", "status": "INTERNAL"}}


@dataclass(frozen=True, kw_only=True)
class Case:
    fault: Fault
    kind: FaultKind
    is_maybe_accepted: bool = False
    """Of a submit."""


SUBMITS = {
    "too slow": Case(fault=Delay(5), kind=FaultKind.TIMEOUT, is_maybe_accepted=True),
    "no answer ever": Case(fault=Hang(), kind=FaultKind.TIMEOUT, is_maybe_accepted=True),
    "no answer ever, although taken": Case(
        fault=Hang(takes_effect=True), kind=FaultKind.TIMEOUT, is_maybe_accepted=True
    ),
    "a reset": Case(fault=Reset(), kind=FaultKind.UNAVAILABLE, is_maybe_accepted=True),
    "accepted but lost": Case(fault=accepted_but_lost(), kind=FaultKind.UNAVAILABLE, is_maybe_accepted=True),
    "a reset in the body": Case(fault=CutBody(20), kind=FaultKind.UNAVAILABLE, is_maybe_accepted=True),
    "half the JSON": Case(fault=TruncatedJson(), kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=True),
    "much too much JSON": Case(fault=HugeJson(2 * MIB), kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=True),
    "other types": Case(fault=WrongTypes(), kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=True),
    "a page": Case(fault=Html(200), kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=True),
    "an empty success": Case(fault=Status(200), kind=FaultKind.UNINTELLIGIBLE, is_maybe_accepted=True),
    "a bad gateway": Case(fault=Html(502), kind=FaultKind.UNAVAILABLE, is_maybe_accepted=True),
    "an internal error": Case(fault=Status(500, BROKEN), kind=FaultKind.UNAVAILABLE, is_maybe_accepted=True),
    "a timed out gateway": Case(fault=Html(504), kind=FaultKind.TIMEOUT, is_maybe_accepted=True),
    "unavailable": Case(fault=Status(503, BUSY), kind=FaultKind.UNAVAILABLE),
    "throttled": Case(fault=RetryAfter(7), kind=FaultKind.THROTTLED),
    "a page for another path": Case(fault=Html(404), kind=FaultKind.INVALID),
    "a redirect": Case(
        fault=Status(302, headers={"Location": "https://example.com"}),
        kind=FaultKind.UNINTELLIGIBLE,
        is_maybe_accepted=True,
    ),
}


@pytest.mark.parametrize("case", SUBMITS.values(), ids=SUBMITS.keys())
async def test_a_submit_that_goes_wrong_is_made_once(case: Case) -> None:
    async with simulated(limit_s=LIMIT_S) as (provider, simulator):
        simulator.faults.queue("submit", case.fault)
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(veo_order())
        assert raised.value.fault.kind is case.kind
        assert raised.value.fault.is_maybe_accepted is case.is_maybe_accepted
        assert "kite" not in raised.value.fault.detail
        assert len(simulator.requests_of("submit")) == 1
        await provider.submit(veo_order())


async def test_a_wish_of_the_server_is_passed_on() -> None:
    async with simulated() as (provider, simulator):
        for fault in (RetryAfter(7), RetryAfter(7, code=503)):
            simulator.faults.queue("submit", fault)
            with pytest.raises(ProviderFault) as raised:
                await provider.submit(veo_order())
            assert raised.value.fault.retry_after is not None
            assert raised.value.fault.retry_after.total_seconds() == 7


POLLS = {
    "too slow": Case(fault=Delay(5), kind=FaultKind.TIMEOUT),
    "no answer ever": Case(fault=Hang(), kind=FaultKind.TIMEOUT),
    "a reset": Case(fault=Reset(), kind=FaultKind.UNAVAILABLE),
    "half the JSON": Case(fault=TruncatedJson(), kind=FaultKind.UNINTELLIGIBLE),
    "much too much JSON": Case(fault=HugeJson(2 * MIB), kind=FaultKind.UNINTELLIGIBLE),
    "other types": Case(fault=WrongTypes(), kind=FaultKind.UNINTELLIGIBLE),
    "a page": Case(fault=Html(200), kind=FaultKind.UNINTELLIGIBLE),
    "an empty success": Case(fault=Status(200), kind=FaultKind.UNINTELLIGIBLE),
    "a list": Case(fault=Status(200, b"[]"), kind=FaultKind.UNINTELLIGIBLE),
    "a bad gateway": Case(fault=Html(502), kind=FaultKind.UNAVAILABLE),
    "an internal error": Case(fault=Status(500, BROKEN), kind=FaultKind.UNAVAILABLE),
    "unavailable": Case(fault=Status(503, BUSY), kind=FaultKind.UNAVAILABLE),
    "throttled": Case(fault=RetryAfter(7), kind=FaultKind.THROTTLED),
    "a page for another path": Case(fault=Html(404), kind=FaultKind.INVALID),
    "a long page": Case(fault=Status(500, b"<p>" + b"x" * MIB), kind=FaultKind.UNAVAILABLE),
    "a redirect": Case(fault=Status(302, headers={"Location": "https://example.com"}), kind=FaultKind.UNINTELLIGIBLE),
}


@pytest.mark.parametrize("case", POLLS.values(), ids=POLLS.keys())
async def test_a_poll_that_goes_wrong_says_nothing_of_the_task(case: Case) -> None:
    async with simulated(limit_s=LIMIT_S, storage_uri="gs://studio-results/veo") as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        end = await wait_for_end(provider, task)
        simulator.faults.queue("status", case.fault)
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(task)
        assert raised.value.fault.kind is case.kind
        assert not raised.value.fault.is_maybe_accepted
        assert await provider.poll(task) == end


@pytest.mark.parametrize("fault", [TruncatedJson(), CutBody(100_000)], ids=["half the JSON", "a reset in the body"])
async def test_a_poll_has_read_enough_once_a_finished_video_begins(fault: Fault) -> None:
    async with simulated(VertexSimulator(video=VIDEO)) as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        await wait_for_end(provider, task)
        simulator.faults.queue("status", fault)
        assert await provider.poll(task) == TaskDone(source_url=f"vertex:{task.task_id}")


VIDEO = bytes(range(256)) * 1024
OPENS = {
    "no answer ever": Case(fault=Hang(), kind=FaultKind.TIMEOUT),
    "a reset": Case(fault=Reset(), kind=FaultKind.UNAVAILABLE),
    "a reset in the body": Case(fault=CutBody(100_000), kind=FaultKind.UNAVAILABLE),
    "half the JSON": Case(fault=TruncatedJson(), kind=FaultKind.UNINTELLIGIBLE),
    "other types": Case(fault=WrongTypes(), kind=FaultKind.UNINTELLIGIBLE),
    "a page": Case(fault=Html(200), kind=FaultKind.UNINTELLIGIBLE),
    "a bad gateway": Case(fault=Html(502), kind=FaultKind.UNAVAILABLE),
    "throttled": Case(fault=RetryAfter(7), kind=FaultKind.THROTTLED),
    "no base64": Case(
        fault=Status(200, {"done": True, "response": {"videos": [{"bytesBase64Encoded": "AA!A"}]}}),
        kind=FaultKind.UNINTELLIGIBLE,
    ),
}


@pytest.mark.parametrize("case", OPENS.values(), ids=OPENS.keys())
async def test_a_video_that_breaks_off_is_never_taken_for_whole(case: Case) -> None:
    async with simulated(VertexSimulator(video=VIDEO), limit_s=LIMIT_S) as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        await wait_for_end(provider, task)
        simulator.faults.queue("status", case.fault)
        with pytest.raises(ProviderFault) as raised:
            await read_all(provider.open(task, f"vertex:{task.task_id}"))
        assert raised.value.fault.kind is case.kind
        assert await read_all(provider.open(task, f"vertex:{task.task_id}")) == VIDEO


async def test_what_follows_a_whole_video_does_not_matter() -> None:
    async with simulated(VertexSimulator(video=VIDEO)) as (provider, simulator):
        task = (await provider.submit(veo_order())).task
        await wait_for_end(provider, task)
        simulator.faults.queue("status", HugeJson(2 * MIB))
        assert await read_all(provider.open(task, f"vertex:{task.task_id}")) == VIDEO


DOWNLOADS = {
    "no answer ever": Case(fault=Hang(), kind=FaultKind.TIMEOUT),
    "a reset": Case(fault=Reset(), kind=FaultKind.UNAVAILABLE),
    "a reset in the body": Case(fault=CutBody(100_000), kind=FaultKind.UNAVAILABLE),
    "not found": Case(fault=Status(404, {"error": {"code": 404}}), kind=FaultKind.INVALID),
    "no permission": Case(fault=Status(403, {"error": {"code": 403}}), kind=FaultKind.UNAUTHORIZED),
    "throttled": Case(fault=RetryAfter(7), kind=FaultKind.THROTTLED),
    "unavailable": Case(fault=Status(503), kind=FaultKind.UNAVAILABLE),
    "a page": Case(fault=Html(200), kind=FaultKind.UNINTELLIGIBLE),
    "an error under a success": Case(fault=Status(200, {"error": {"code": 13}}), kind=FaultKind.UNINTELLIGIBLE),
    "a part of it": Case(fault=Status(206, b"part"), kind=FaultKind.UNINTELLIGIBLE),
}


@pytest.mark.parametrize("case", DOWNLOADS.values(), ids=DOWNLOADS.keys())
async def test_a_download_that_goes_wrong_is_never_taken_for_whole(case: Case) -> None:
    simulator = VertexSimulator(video=VIDEO)
    async with simulated(simulator, limit_s=LIMIT_S, storage_uri="gs://studio-results/veo") as (provider, _):
        task = (await provider.submit(veo_order())).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskDone)
        simulator.faults.queue("media", case.fault)
        with pytest.raises(ProviderFault) as raised:
            await read_all(provider.open(task, end.source_url))
        assert raised.value.fault.kind is case.kind
        assert await read_all(provider.open(task, end.source_url)) == VIDEO
