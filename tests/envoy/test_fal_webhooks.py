"""fal's own webhooks, signed by its simulator, through a real Envoy and server into the store."""

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from reelgate_server.adapters.clock import SystemClock
from reelgate_server.adapters.providers.fal.provider import FalProvider
from reelgate_server.adapters.providers.fal.webhooks import FalWebhooks
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.fal_webhooks import Delivery
from reelgate_simulators.faults import accepted_but_lost
from tests.envoy.conftest import run_envoy
from tests.support.rpc import serving
from tests.support.waiting import wait_until
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEYS = {"main": "a-key-of-fal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A server behind Envoy that hears fal, and a driver on the same store that asks it."""

    fal: FalSimulator
    world: World

    async def job(self) -> Job:
        """A job whose submit has been tried, and whose render has ended since."""
        job = await self.world.create(await self.world.join())
        await self.world.run_due()
        job = await self.world.load(job)
        self.fal.finish(next(iter(self.fal.renders)))
        return job

    async def until_attempts(self, *codes: int) -> None:
        """Wait until fal has sent that many webhooks, and compare what was answered."""
        attempts = self.fal.webhooks.attempts
        await wait_until(lambda: len(attempts) >= len(codes))
        assert [attempt.code for attempt in attempts] == list(codes)


@pytest_asyncio.fixture(loop_scope="session")
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    with capture_logs():
        async with AsyncExitStack() as stack:
            fal = await stack.enter_async_context(FalSimulator(keys=frozenset(KEYS.values()), render_s=math.inf))
            fal.webhooks.retry_delays_s = ()
            finder = await stack.enter_async_context(FalProvider(keys=KEYS, queue_url=fal.base_url))
            jwks_url = f"{fal.base_url}/.well-known/jwks.json"
            webhooks = await stack.enter_async_context(FalWebhooks(finder, jwks_url=jwks_url, clock=SystemClock()))
            hearing = World(providers=[finder], receivers={finder.name: webhooks})
            api = await stack.enter_async_context(serving(hearing))
            gateway = await stack.enter_async_context(run_envoy(tmp_path, api.port))
            provider = await stack.enter_async_context(
                FalProvider(keys=KEYS, queue_url=fal.base_url, webhook_base_url=gateway.base_url)
            )
            world = World(store=hearing.store, feed=hearing.feed, clock=hearing.clock, providers=[provider])
            yield Installation(fal=fal, world=world)


async def test_a_webhook_ends_a_job_without_a_look_by_the_clock(installation: Installation) -> None:
    job = await installation.job()
    assert job.state is JobState.PROCESSING
    await installation.until_attempts(200)
    await installation.world.run_due()
    assert (await installation.world.load(job)).state is JobState.SUCCEEDED
    assert await installation.world.history(job.job_id) == [
        "Created",
        "SubmitIntended",
        "Submitted",
        "Announced",
        "Rendered",
        "Stored",
    ]


async def test_a_submit_whose_answer_was_lost_is_recovered_by_the_webhook(installation: Installation) -> None:
    installation.fal.faults.queue("submit", accepted_but_lost())
    job = await installation.job()
    assert (job.state, job.task, job.unanswered_count) == (JobState.PENDING, None, 1)
    await installation.until_attempts(200)
    await installation.world.run_due()
    assert await installation.world.history(job.job_id) == [
        "Created",
        "SubmitIntended",
        "SubmitUnanswered",
        "Submitted",
        "Rendered",
        "Stored",
    ]
    assert len(installation.fal.renders) == 1
    kinds = [transfer.kind.value for transfer in await installation.world.transfers()]
    assert kinds == ["credit", "hold", "post"]


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(is_forged=True),
        Delivery(is_altered=True),
        Delivery(signature_age_s=301),
        Delivery(signature_age_s=-330),
    ],
    ids=["forged", "altered", "old", "of the future"],
)
async def test_a_webhook_that_is_not_genuine_is_401_and_changes_nothing(
    installation: Installation, delivery: Delivery
) -> None:
    installation.fal.webhooks.queue(delivery)
    job = await installation.job()
    await installation.until_attempts(401)
    await installation.world.run_due()
    assert await installation.world.load(job) == job


async def test_a_webhook_that_comes_thrice_is_taken_once(installation: Installation) -> None:
    installation.fal.webhooks.queue(Delivery(copy_count=3, is_of_other_attempt=True))
    job = await installation.job()
    await installation.until_attempts(200, 200, 200)
    history = await installation.world.history(job.job_id)
    assert history == ["Created", "SubmitIntended", "Submitted", "Announced"]
