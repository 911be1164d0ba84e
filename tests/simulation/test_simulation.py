"""Seeded runs: many jobs, two workers and three providers, with faults at every call; checked after each step.

Providers may refuse, fall silent or forget; their webhooks come late, twice, wrong or not at all.

A run that fails prints its seed; `SEED=7 pytest tests/simulation`, or `make simulate SEED=7`, repeats it.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from reelgate_server.domain.events import SubmitIntended, SubmitRefused, Submitted
from tests.simulation.chaos import Chaos

SEED_COUNT = 40
STEP_COUNT = 80
SEEDS = [int(os.environ["SEED"])] if os.environ.get("SEED") else list(range(1, SEED_COUNT + 1))


TURNS = (
    "SubmitRefused",
    "SubmitUnanswered",
    "Announced",
    "Progressed",
    "an image",
    "a second unanswered submit",
    "a throttled submit",
    "the next provider",
    "found by its webhook",
    "webhook about a task that is not ours",
    "told to stop",
    "cannot be stopped; its result is discarded",
    "drive failed",
    "drive interrupted by the store",
    "The provider has lost the job.",
    "The provider refused to render this content.",
    "The provider did not confirm that it took the job; it was not sent again.",
)
"""What should have happened in some run; a run in which it cannot happen shows nothing."""


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """Keep the log of a run to itself."""
    with capture_logs() as entries:
        yield entries


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_goes_wrong_no_job_is_lost_stuck_or_paid_twice(seed: int) -> None:
    chaos = Chaos(seed)
    try:
        await chaos.run(STEP_COUNT)
    except BaseException as error:
        error.add_note(f"Repeat this run with SEED={seed}.")
        raise


def test_a_seed_repeats_itself() -> None:
    async def trace() -> Any:
        chaos = Chaos(7)
        await chaos.run(STEP_COUNT)
        return await chaos.trace()

    first, second = asyncio.run(trace()), asyncio.run(trace())
    assert first == second
    assert len(first) > 100


async def test_the_runs_reach_every_end_and_whatever_leads_there(logs: list[Any]) -> None:
    ends: Counter[str] = Counter()
    turns: Counter[str] = Counter()
    for seed in range(1, 13):
        # With money for many jobs, and time: some turns are rare.
        chaos = Chaos(seed, wealth=10)
        await chaos.run(2 * STEP_COUNT)
        for job in await chaos.invariants.jobs():
            ends[job.state.value] += 1
            turns[job.failure_text or "no failure"] += 1
            turns["an image"] += job.spec.image is not None
            turns["a second unanswered submit"] += job.unanswered_count == 2
            turns["a throttled submit"] += job.throttled_count > 0
            for before, after in pairwise(each.event for each in await chaos.store.events_after(job.job_id, 0)):
                turns[type(after).__name__] += 1
                turns["the next provider"] += isinstance(after, SubmitRefused) and after.next is not None
                turns["found by its webhook"] += isinstance(after, Submitted) and not isinstance(before, SubmitIntended)
    turns.update(str(entry.get("end", entry["event"])) for entry in logs)
    assert set(ends) == {"succeeded", "failed", "cancelled", "expired"}
    assert [turn for turn in TURNS if not turns[turn]] == []
