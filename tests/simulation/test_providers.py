"""Five hundred jobs through the real adapters, over HTTP, at providers whose every operation goes wrong now and then.

Processes are killed and started again meanwhile, over one store file. A run that fails prints its seed;
`make simulate SEED=7`, or `SEED=7 pytest tests/simulation/test_providers.py`, repeats its chances. Calls are real, so
that their order is not repeated to the last one.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from reelgate_server.adapters.store.migrate import migrate
from reelgate_server.adapters.store.sqlite import SqliteStore
from tests.simulation.vendors.audit import outcomes_of
from tests.simulation.vendors.flow import Flow
from tests.simulation.vendors.run import Run
from tests.simulation.vendors.safety import check_safety
from tests.simulation.vendors.studio import running

SEED = int(os.environ.get("SEED") or 1)


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    """What the application logged, with tracebacks."""
    with capture_logs(processors=[format_exc_info]) as entries:
        yield entries


@pytest.mark.timeout(120)
async def test_no_provider_s_bad_day_becomes_a_lost_job_or_a_wrong_bill(
    tmp_path: Path, logs: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "reelgate.sqlite3"
    migrate(path)
    flow = Flow()
    start_s = time.monotonic()
    try:
        async with await SqliteStore.open(path) as store, running(flow, SEED) as studio:
            run = Run(SEED, flow=flow, studio=studio, store=store, path=path)
            cases = await run.run()
            check_safety(path, [*logs, *caplog.messages], cases, studio, run.customers)
    except BaseException as error:
        error.add_note(f"Repeat this run with SEED={SEED}.")
        raise
    finally:
        print("wall", time.monotonic() - start_s, "virtual", flow.clock.now())
    bugs = [f"{entry}" for entry in logs if entry["log_level"] in {"error", "critical"}]
    bugs += [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    if bugs:
        pytest.fail("\n".join(bug.replace("\\n", "\n")[-3000:] for bug in bugs[:3]))
    outcomes = Counter(outcome for case in cases for outcome in outcomes_of(case))
    print(outcomes)
    print("kills", run.kill_count, "refused", run.refused_count)
    for name, provider in studio.providers().items():
        print(
            name, len(provider.requests), Counter(r.operation for r in provider.requests), len(provider.faults.applied)
        )
