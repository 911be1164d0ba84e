"""A served world for each test, and its log."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.rpc import Api, serving
from tests.support.world import Customer, World


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What was logged, instead of printing it."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with serving(world) as api:
        yield api


@pytest.fixture
async def ada(world: World) -> Customer:
    """A customer on the default plan, with ten dollars."""
    return await world.join()


@pytest.fixture
async def bob(world: World) -> Customer:
    """Another one."""
    return await world.join()
