"""Seeded runs: many jobs over two workers, with faults at every call; the invariants are checked after each step.

A run that fails prints its seed; `SEED=7 pytest tests/simulation`, or `make simulate SEED=7`, repeats it.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.simulation.chaos import Chaos

SEED_COUNT = 40
STEP_COUNT = 80
SEEDS = [int(os.environ["SEED"])] if os.environ.get("SEED") else list(range(1, SEED_COUNT + 1))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[list[Any]]:
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


async def test_the_runs_reach_every_end() -> None:
    ends: Counter[str] = Counter()
    events: Counter[str] = Counter()
    for seed in range(1, 6):
        chaos = Chaos(seed)
        await chaos.run(STEP_COUNT)
        ends.update(job.state.value for job in await chaos.invariants.jobs())
        events.update(name for name, _ in await chaos.trace())
    assert set(ends) == {"succeeded", "failed", "cancelled", "expired"}
    assert {"SubmitRefused", "SubmitUnanswered", "Progressed"} <= set(events)
