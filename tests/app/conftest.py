"""A world for each test, and its log."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

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
async def ada(world: World) -> Customer:
    """A customer who pays by hold and has ten dollars."""
    return await world.join()


@pytest.fixture
async def bob(world: World) -> Customer:
    """Another one."""
    return await world.join()
