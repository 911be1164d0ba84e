"""A server's bad day: what each way of failing means for a submit and for a question."""

from typing import Any

import pytest

from reelgate_server.domain.faults import FaultKind
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
from tests.adapters.openai.bench import SHORT_S, bench, fault_of, provider_at
from tests.adapters.openai.samples import PROMPT, make_order

UNAVAILABLE, TIMEOUT, UNINTELLIGIBLE = FaultKind.UNAVAILABLE, FaultKind.TIMEOUT, FaultKind.UNINTELLIGIBLE
THROTTLED, INVALID = FaultKind.THROTTLED, FaultKind.INVALID

SUBMITS: list[tuple[Fault, FaultKind, bool]] = [
    (Hang(), TIMEOUT, True),
    (Hang(takes_effect=True), TIMEOUT, True),
    (Delay(3600), TIMEOUT, True),
    (Reset(), UNAVAILABLE, True),
    (accepted_but_lost(), UNAVAILABLE, True),
    (CutBody(20), UNAVAILABLE, True),
    (TruncatedJson(), UNINTELLIGIBLE, True),
    (HugeJson(2 << 20), UNINTELLIGIBLE, True),
    (WrongTypes(), UNINTELLIGIBLE, True),
    (Html(200), UNINTELLIGIBLE, True),
    (Html(502), UNAVAILABLE, True),
    (Status(500), UNAVAILABLE, True),
    (Status(500, takes_effect=True), UNAVAILABLE, True),
    (Status(504), TIMEOUT, True),
    (Status(503), UNAVAILABLE, False),
    (Status(429), THROTTLED, False),
    (RetryAfter(3), THROTTLED, False),
    (RetryAfter(3, is_date=True), THROTTLED, False),
    (RetryAfter(3, code=503), UNAVAILABLE, False),
    (Status(400, {"detail": "no"}), INVALID, False),
    (Status(302, headers={"Location": "/v2/videos"}), UNINTELLIGIBLE, True),
]


@pytest.mark.parametrize("accent", ["openai", "sglang", "vllm_omni"])
@pytest.mark.parametrize(("fault", "kind", "is_maybe_accepted"), SUBMITS, ids=repr)
async def test_a_submit_that_goes_wrong(accent: str, fault: Fault, kind: FaultKind, is_maybe_accepted: Any) -> None:
    async with bench(accent, limit_s=SHORT_S) as made:
        made.simulator.faults.queue("create", fault)
        found = await fault_of(made.provider.submit(make_order(model="sora-2")))
        assert (found.kind, found.is_maybe_accepted) == (kind, is_maybe_accepted)
        assert PROMPT[:12] not in found.detail
        # Whoever decides to submit again, it is not the adapter.
        assert len(made.simulator.requests_of("create")) == 1


@pytest.mark.parametrize("status", [408, 503])
async def test_a_proxy_that_says_that_nobody_answered_may_have_been_heard(status: int) -> None:
    async with bench("litellm") as made:
        made.simulator.faults.queue("create", Status(status, takes_effect=True))
        assert (await fault_of(made.provider.submit(make_order()))).is_maybe_accepted
        assert len(made.simulator.renders) == 1


async def test_a_server_that_is_not_there_has_surely_accepted_nothing() -> None:
    async with bench() as made:
        pass
    async with provider_at(made.simulator.base_url) as provider:
        found = await fault_of(provider.submit(make_order()))
    assert (found.kind, found.is_maybe_accepted) == (UNAVAILABLE, False)


QUESTIONS = [(fault, kind) for fault, kind, _ in SUBMITS]


@pytest.mark.parametrize("accent", ["sglang", "vllm_omni", "litellm"])
@pytest.mark.parametrize(("fault", "kind"), QUESTIONS, ids=repr)
async def test_a_question_that_goes_wrong_says_nothing_of_the_task(accent: str, fault: Fault, kind: FaultKind) -> None:
    async with bench(accent, limit_s=SHORT_S) as made:
        task = (await made.provider.submit(make_order())).task
        made.simulator.faults.queue("get", fault)
        found = await fault_of(made.provider.poll(task))
        assert (found.kind, found.is_maybe_accepted) == (kind, False)
        assert PROMPT[:12] not in found.detail
        assert isinstance(await made.provider.poll(task), TaskDone)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Hang(), TIMEOUT),
        (Reset(), UNAVAILABLE),
        (Html(502), UNAVAILABLE),
        (Html(200), UNINTELLIGIBLE),
        (TruncatedJson(), UNINTELLIGIBLE),
        (HugeJson(2 << 20), UNINTELLIGIBLE),
        (RetryAfter(3), THROTTLED),
    ],
    ids=repr,
)
async def test_a_check_that_goes_wrong(fault: Fault, kind: FaultKind) -> None:
    async with bench(limit_s=SHORT_S) as made:
        made.simulator.faults.queue("list", fault)
        assert (await fault_of(made.provider.check("main"))).kind is kind
        await made.provider.check("main")


@pytest.mark.parametrize("fault", [Hang(), Reset(), Html(502), Status(500)], ids=repr)
async def test_a_deletion_that_goes_wrong_can_be_tried_again(fault: Fault) -> None:
    async with bench("vllm_omni", limit_s=SHORT_S, render_s=3600) as made:
        task = (await made.provider.submit(make_order())).task
        made.simulator.faults.queue("delete", fault)
        assert not (await fault_of(made.provider.cancel(task))).is_maybe_accepted
        assert await made.provider.cancel(task) is True
        assert made.simulator.renders[task.task_id].state.value == "cancelled"
