"""Every way in which a connection goes wrong, at every call: how long it takes, and what may have happened."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.faults import (
    CutBody,
    Delay,
    Hang,
    Html,
    HugeJson,
    Reset,
    RetryAfter,
    TruncatedJson,
    WrongTypes,
    accepted_but_lost,
)
from reelgate_simulators.faults import Fault as SimulatedFault
from tests.adapters.fal.samples import SECRET, make_order, make_provider

BOUND_S = 3.0
"""What any call may take here: its limit is 0.75 s, and the machine may be busy."""


@pytest.fixture
async def fal() -> AsyncIterator[FalSimulator]:
    async with FalSimulator(render_s=0) as simulator:
        yield simulator


@pytest.fixture
async def provider(fal: FalSimulator) -> AsyncIterator[FalProvider]:
    async with make_provider(fal.base_url) as provider:
        yield provider


BAD_DAYS: list[tuple[SimulatedFault, FaultKind, bool, int]] = [
    # The fault, its kind, whether a submit that meets it may have been accepted, and how many requests fal then has.
    (Delay(5), FaultKind.TIMEOUT, True, 0),
    (Hang(), FaultKind.TIMEOUT, True, 0),
    (Hang(takes_effect=True), FaultKind.TIMEOUT, True, 1),
    (Reset(), FaultKind.UNAVAILABLE, True, 0),
    (accepted_but_lost(), FaultKind.UNAVAILABLE, True, 1),
    (CutBody(0), FaultKind.UNAVAILABLE, True, 1),
    (CutBody(20), FaultKind.UNAVAILABLE, True, 1),
    (TruncatedJson(), FaultKind.UNINTELLIGIBLE, True, 1),
    (HugeJson(2 << 20), FaultKind.UNINTELLIGIBLE, True, 1),
    (WrongTypes(), FaultKind.UNINTELLIGIBLE, True, 1),
    (Html(502), FaultKind.UNAVAILABLE, True, 0),
    (Html(503), FaultKind.UNAVAILABLE, False, 0),
    (Html(504), FaultKind.TIMEOUT, True, 0),
    (Html(200), FaultKind.UNINTELLIGIBLE, True, 0),
    (Html(200, takes_effect=True), FaultKind.UNINTELLIGIBLE, True, 1),
    (RetryAfter(7), FaultKind.THROTTLED, False, 0),
    (RetryAfter(7, code=503), FaultKind.UNAVAILABLE, False, 0),
]
IDS = [repr(each[0]) for each in BAD_DAYS]


def retry_after_of(fault: SimulatedFault) -> timedelta | None:
    return timedelta(seconds=7) if isinstance(fault, RetryAfter) else None


def check(fault: Fault, simulated: SimulatedFault) -> None:
    assert fault.retry_after == retry_after_of(simulated)
    assert SECRET not in fault.detail
    assert len(fault.detail) <= 500


@pytest.mark.parametrize(("simulated", "kind", "is_maybe_accepted", "accepted_count"), BAD_DAYS, ids=IDS)
async def test_a_submit_on_a_bad_day_is_sent_once_and_says_whether_it_may_have_been_accepted(
    fal: FalSimulator,
    provider: FalProvider,
    *,
    simulated: SimulatedFault,
    kind: FaultKind,
    is_maybe_accepted: bool,
    accepted_count: int,
) -> None:
    fal.faults.queue("submit", simulated)
    async with asyncio.timeout(BOUND_S):
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(make_order())
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (kind, is_maybe_accepted)
    check(fault, simulated)
    assert (len(fal.requests_of("submit")), len(fal.renders)) == (1, accepted_count)


@pytest.mark.parametrize("operation", ["status", "result"])
@pytest.mark.parametrize(("simulated", "kind"), [each[:2] for each in BAD_DAYS], ids=IDS)
async def test_a_look_on_a_bad_day_says_nothing_of_the_task(
    fal: FalSimulator, provider: FalProvider, operation: str, simulated: SimulatedFault, kind: FaultKind
) -> None:
    task = (await provider.submit(make_order())).task
    fal.faults.queue(operation, simulated)
    async with asyncio.timeout(BOUND_S):
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(task)
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (kind, False)
    check(raised.value.fault, simulated)
    assert isinstance(await provider.poll(task), TaskDone)


@pytest.mark.parametrize("simulated", [Hang(), Reset(), CutBody(3), TruncatedJson(), HugeJson(2 << 20), Html(502)])
async def test_a_cancel_on_a_bad_day_is_a_fault_and_can_be_repeated(simulated: SimulatedFault) -> None:
    async with FalSimulator(render_s=math.inf) as fal, make_provider(fal.base_url) as provider:
        task = (await provider.submit(make_order())).task
        fal.faults.queue("cancel", simulated)
        async with asyncio.timeout(BOUND_S):
            with pytest.raises(ProviderFault):
                await provider.cancel(task)
        assert await provider.cancel(task)


@pytest.mark.parametrize("simulated", [Hang(), Reset(), CutBody(100_000), Html(503), RetryAfter(7)])
async def test_a_download_on_a_bad_day_is_a_fault_and_can_be_repeated(simulated: SimulatedFault) -> None:
    async with FalSimulator(render_s=0, video=bytes(1 << 20)) as fal, make_provider(fal.base_url) as provider:
        task = (await provider.submit(make_order())).task
        end = await provider.poll(task)
        assert isinstance(end, TaskDone)
        fal.faults.queue("download", simulated)
        async with asyncio.timeout(BOUND_S):
            with pytest.raises(ProviderFault):
                await length(provider, task, end.source_url)
        assert await length(provider, task, end.source_url) == 1 << 20


async def length(provider: FalProvider, task: Task, source_url: str) -> int:
    return sum([len(chunk) async for chunk in provider.open(task, source_url)])


async def test_a_queue_that_is_not_there_has_surely_not_accepted() -> None:
    async with FalSimulator() as fal:
        gone = fal.base_url
    async with make_provider(gone) as provider:
        with pytest.raises(ProviderFault) as raised:
            await provider.submit(make_order())
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_a_cancelled_submit_is_cancelled(fal: FalSimulator, provider: FalProvider) -> None:
    fal.faults.queue("submit", Hang())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await provider.submit(make_order())
