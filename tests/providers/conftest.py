"""One bench for the folder, forgetful between tests."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from tests.providers.bench import Bench, running


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What was logged, instead of printing it."""
    with capture_logs() as entries:
        yield entries


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared_bench() -> AsyncIterator[Bench]:
    """The simulators and adapters of all tests; ask for `bench` to use them."""
    # Every adapter reads the authorities of the machine when it is made, which takes as long as several tests.
    async with running() as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """The same, without a memory."""
    shared_bench.reset()
    return shared_bench
