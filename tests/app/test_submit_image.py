"""A first frame for a provider that takes bytes: fetched before anything is sent, and only then."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.domain.decide import Cancel, IntendSubmit
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.images import ImageUnavailable
from reelgate_server.ports.provider import ImageBytes, ImageUrl
from tests.support.clock import settle
from tests.support.driving import run
from tests.support.fake_provider import FakeProvider
from tests.support.images import IMAGE_URL, PNG, FakeImageSource
from tests.support.world import Customer, World, working

DOWN = Fault(kind=FaultKind.UNAVAILABLE)
SIGNED_URL = "https://images.test/missing.png?right=0123456789"
UNUSABLE = "The image could not be fetched, or the provider cannot use it."


class Images(FakeImageSource):
    """Has one image; while a test has closed the gate, nothing is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, url: str) -> ImageBytes:
        image = await super().fetch(url)
        await self.gate.wait()
        return image


@pytest.fixture
def images() -> Images:
    return Images()


@pytest.fixture
def world(images: Images) -> World:
    """`fal` takes addresses, `vertex` takes bytes; `local` takes bytes here too, and is idempotent."""
    world = World(images=images)
    world.vertex.takes_image_bytes = world.local.takes_image_bytes = True
    return world


async def make_job(world: World, customer: Customer, model: str = "veo-3.1", image_url: str = IMAGE_URL) -> Job:
    """Two of its providers are configured: `vertex`, and after it `fal`."""
    return await world.create(customer, model=model, image_url=image_url)


async def test_a_provider_that_takes_bytes_gets_bytes(world: World, ada: Customer, images: Images) -> None:
    job = await run(world, await make_job(world, ada))
    [order] = world.vertex.orders
    assert order.image == ImageBytes(PNG, "image/png")
    assert images.fetched == [IMAGE_URL]
    assert job.state is JobState.SUCCEEDED


async def test_a_provider_that_takes_addresses_gets_the_address(world: World, ada: Customer, images: Images) -> None:
    await run(world, await make_job(world, ada, "fal/kling-2"))
    [order] = world.fal.orders
    assert order.image == ImageUrl(IMAGE_URL)
    assert images.fetched == []


async def test_without_an_image_nothing_is_fetched(world: World, ada: Customer, images: Images) -> None:
    await run(world, await world.create(ada, model="veo-3.1"))
    [order] = world.vertex.orders
    assert order.image is None
    assert images.fetched == []


async def test_the_image_is_fetched_before_the_intent(world: World, ada: Customer, images: Images) -> None:
    job = await make_job(world, ada)
    images.gate.clear()
    async with working(world):
        await settle()
        assert images.fetched == [IMAGE_URL]
        assert await world.history(job.job_id) == ["Created"]
        assert world.drive.submit.under_way == set()
        images.gate.set()
        await settle()
    assert (await world.history(job.job_id))[:3] == ["Created", "SubmitIntended", "Submitted"]


async def test_an_image_that_cannot_be_fetched_fails_the_job_before_anything_is_sent(
    world: World, ada: Customer, logs: list[Any]
) -> None:
    job = await run(world, await make_job(world, ada, image_url=SIGNED_URL))
    assert await world.history(job.job_id) == ["Created", "Failed"]
    detail = "the image was not fetched: not there"
    assert job.failure == JobFailure(
        code=FailureCode.IMAGE_UNUSABLE, message=UNUSABLE, fault=Fault(kind=FaultKind.IMAGE_UNUSABLE, detail=detail)
    )
    assert (world.vertex.calls, world.fal.calls) == ([], [])
    assert await world.ledger(ada) == ["credit", "hold", "void"]
    assert [entry["detail"] for entry in logs if entry["event"] == "first frame unusable"] == [detail]


async def test_the_address_is_not_in_what_the_operator_reads(logs: list[Any]) -> None:
    class Talking:
        async def fetch(self, url: str) -> ImageBytes:
            message = f"{url} is not there"
            raise ImageUnavailable(message)

    world = World(images=Talking())
    world.vertex.takes_image_bytes = True
    job = await run(world, await make_job(world, await world.join(), image_url=SIGNED_URL))
    assert job.failure is not None
    assert job.failure.fault is not None
    assert job.failure.fault.detail == "the image was not fetched: [address] is not there"
    assert not any("0123456789" in str(entry) for entry in logs)


async def test_the_next_provider_that_takes_the_address_gets_it_without_another_fetch(
    world: World, ada: Customer, images: Images
) -> None:
    world.vertex.submit_faults = [DOWN]
    job = await run(world, await make_job(world, ada))
    assert [order.image for order in world.vertex.orders] == [ImageBytes(PNG, "image/png")]
    assert [order.image for order in world.fal.orders] == [ImageUrl(IMAGE_URL)]
    assert images.fetched == [IMAGE_URL]
    assert job.state is JobState.SUCCEEDED


async def test_a_next_provider_that_takes_bytes_gets_them(world: World, ada: Customer, images: Images) -> None:
    world.vertex.takes_image_bytes, world.fal.takes_image_bytes = False, True
    world.vertex.submit_faults = [DOWN]
    await run(world, await make_job(world, ada))
    assert [order.image for order in world.vertex.orders] == [ImageUrl(IMAGE_URL)]
    assert [order.image for order in world.fal.orders] == [ImageBytes(PNG, "image/png")]
    assert images.fetched == [IMAGE_URL]


async def test_a_fetch_that_lasts_until_the_deadline_expires_the_job_without_a_submit(
    world: World, ada: Customer, images: Images
) -> None:
    job = await make_job(world, ada)
    images.gate.clear()
    async with working(world):
        await world.clock.advance(job.expire_time - world.clock.now() - timedelta(seconds=1))
        assert await world.history(job.job_id) == ["Created"]
        await world.clock.advance(timedelta(seconds=1))
        assert await world.history(job.job_id) == ["Created", "Expired"]
        images.gate.set()
        await settle()
    assert world.vertex.calls == []
    assert await world.ledger(ada) == ["credit", "hold", "void"]


async def test_a_machine_that_slept_over_the_deadline_while_it_fetched_sends_nothing(
    world: World, ada: Customer, images: Images
) -> None:
    job = await make_job(world, ada)
    images.gate.clear()
    async with working(world):
        await settle()
        world.clock.jump(timedelta(hours=3))
        images.gate.set()
        await settle()
        assert await world.history(job.job_id) == ["Created", "Expired"]
    assert world.vertex.calls == []


async def test_a_crash_during_a_fetch_leaves_a_job_that_is_simply_taken_up_again(
    world: World, ada: Customer, images: Images
) -> None:
    job = await make_job(world, ada)
    images.gate.clear()
    async with working(world) as worker:
        await settle()
        worker.stop()
        # As in a stop that cannot wait: only a submit under way is spared.
        worker.abandon()
        await settle()
    assert (await world.load(job)).state is JobState.PENDING
    images.gate.set()
    await world.clock.advance(timedelta(seconds=10))
    job = await run(world, job)
    assert (job.state, world.vertex.call_count("submit")) == (JobState.SUCCEEDED, 1)


async def test_a_job_that_is_cancelled_during_a_fetch_is_not_submitted(
    world: World, ada: Customer, images: Images
) -> None:
    job = await make_job(world, ada)
    images.gate.clear()
    async with working(world):
        await settle()
        await world.recorder.record_latest(job.job_id, Cancel())
        images.gate.set()
        await settle()
    assert await world.history(job.job_id) == ["Created", "Cancelled"]
    assert world.vertex.calls == []


async def test_every_try_fetches_anew(images: Images) -> None:
    """Nothing keeps an image of up to 20 MiB between two tries."""
    only = FakeProvider("vertex", takes_image_bytes=True)
    world = World(providers=[only], images=images)
    only.submit_faults = [DOWN]
    job = await run(world, await make_job(world, await world.join()))
    assert job.state is JobState.SUCCEEDED
    assert images.fetched == [IMAGE_URL, IMAGE_URL]


async def interrupted(world: World, customer: Customer) -> Job:
    """A job of the idempotent provider, found in the middle of its submit."""
    job = await make_job(world, customer, "local/storyboard")
    job = await world.recorder.record(job, IntendSubmit())
    assert job.state is JobState.SUBMITTING
    return job


async def test_an_interrupted_submit_is_taken_up_with_bytes_and_without_another_intent(
    world: World, ada: Customer, images: Images
) -> None:
    job = await run(world, await interrupted(world, ada))
    assert job.state is JobState.SUCCEEDED
    assert (await world.history(job.job_id))[:3] == ["Created", "SubmitIntended", "Submitted"]
    assert [order.image for order in world.local.orders] == [ImageBytes(PNG, "image/png")]
    assert images.fetched == [IMAGE_URL]


async def test_an_interrupted_submit_whose_image_is_gone_fails(world: World, ada: Customer, images: Images) -> None:
    job = await interrupted(world, ada)
    images.images.clear()
    job = await run(world, job)
    assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Failed"]
    assert job.failure is not None
    assert job.failure.code is FailureCode.IMAGE_UNUSABLE
    assert world.local.calls == []


async def test_an_interrupted_submit_expires_during_its_fetch(world: World, ada: Customer, images: Images) -> None:
    job = await interrupted(world, ada)
    images.gate.clear()
    async with working(world):
        await world.clock.advance(job.expire_time - world.clock.now())
    assert await world.history(job.job_id) == ["Created", "SubmitIntended", "Expired"]
    assert world.local.calls == []


async def test_a_lost_task_is_given_back_with_bytes(world: World, ada: Customer, images: Images) -> None:
    world.local.is_held = True
    job = await make_job(world, ada, "local/storyboard")
    await world.run_due()
    world.local.forget(job.job_id)
    world.local.is_held = False
    job = await run(world, job)
    assert job.state is JobState.SUCCEEDED
    assert [order.image for order in world.local.orders] == [ImageBytes(PNG, "image/png")] * 2


async def test_a_lost_task_whose_image_is_gone_is_looked_for_until_the_deadline(
    world: World, ada: Customer, images: Images
) -> None:
    world.local.is_held = True
    job = await make_job(world, ada, "local/storyboard")
    await world.run_due()
    world.local.forget(job.job_id)
    images.images.clear()
    job = await run(world, job)
    assert (job.state, world.local.call_count("submit")) == (JobState.EXPIRED, 1)
