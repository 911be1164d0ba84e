"""A first frame that comes with the request: its bytes are kept before the job, and reach the provider."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.decide import IntendSubmit, RecordRendered
from reelgate_server.domain.errors import (
    IdempotencyKeyReused,
    InsufficientBalance,
    InvalidSpec,
    MediaUnavailable,
    ModelNotFound,
    StoreUnavailable,
)
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.spec import InlineImage, JobRequest
from reelgate_server.ports.provider import ImageBytes, ImageUrl
from tests.support.driving import due_in, run, run_when_due
from tests.support.interpose import Trouble, interpose
from tests.support.media import MemoryMediaStore
from tests.support.world import LEASE, Customer, World

PNG = b"\x89PNG\r\n\x1a\n and so on"
OTHER_PNG = b"\x89PNG\r\n\x1a\n and so forth"
SHA256 = "e103dc84851b76cf5ce939661e70bd97ad9accff3cc9c24a930f3bdf94f1ec46"
DOWN = Fault(kind=FaultKind.UNAVAILABLE)


def data_url(content: bytes = PNG, content_type: str = "image/png") -> str:
    return f"data:{content_type};base64,{b64encode(content).decode('ascii')}"


async def _yielding(_name: str, call: Callable[[], Awaitable[Any]]) -> Any:
    """Let other tasks run before and after every call."""
    await asyncio.sleep(0)
    answer = await call()
    await asyncio.sleep(0)
    return answer


class TestKeeping:
    async def test_the_bytes_are_kept_under_a_name_that_nobody_can_guess_without_them(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.create(ada, image_url=data_url())
        assert job.spec.image == InlineImage(sha256=SHA256, content_type="image/png")
        assert (job.spec.image_url, job.request.image_url, job.request.image) == (None, None, job.spec.image)
        name = f"generated-videos/{ada.account.account_id}/{job.job_id}/{SHA256}.png"
        assert world.media.files == {name: (PNG, "image/png")}

    @pytest.mark.parametrize(
        ("content", "content_type", "suffix"),
        [
            (b"\xff\xd8\xff and so on", "image/jpeg", ".jpg"),
            (PNG, "image/png", ".png"),
            (b"RIFF\x04\x00\x00\x00WEBPVP8 and so on", "image/webp", ".webp"),
        ],
    )
    async def test_each_type_has_its_suffix(
        self, *, world: World, ada: Customer, content: bytes, content_type: str, suffix: str
    ) -> None:
        await world.create(ada, image_url=data_url(content, content_type))
        ((name, file),) = world.media.files.items()
        assert name.endswith(suffix)
        assert file == (content, content_type)

    async def test_they_are_kept_before_the_job_exists(self) -> None:
        seen = []

        async def around(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            if name == "create_job":
                seen.append(len(world.media.files))
            return await call()

        world = World(store=interpose(MemoryStore(), around))
        await world.create(await world.join(), image_url=data_url())
        assert seen == [1]

    async def test_they_reach_the_provider(self, world: World, ada: Customer) -> None:
        job = await run(world, await world.create(ada, image_url=data_url()))
        (order,) = world.fal.orders
        assert order.image == ImageBytes(PNG, "image/png")
        assert order.image.data_url() == data_url()
        assert order.endpoint == "fal-ai/kling-video/v2/master/image-to-video"
        assert job.state is JobState.SUCCEEDED

    async def test_they_reach_the_next_provider_too(self, world: World, ada: Customer) -> None:
        world.vertex.submit_faults = [DOWN]
        await run(world, await world.create(ada, model="veo-3", image_url=data_url()))
        (first,), (second,) = world.vertex.orders, world.fal.orders
        assert first.image == second.image == ImageBytes(PNG, "image/png")

    async def test_an_address_is_passed_on_as_it_is_and_no_image_as_none(self, world: World, ada: Customer) -> None:
        addressed = await world.create(ada, image_url="https://images.test/a.png")
        plain = await world.create(ada)
        await world.run_due()
        images = {order.job_id: order.image for order in world.fal.orders}
        assert images == {addressed.job_id: ImageUrl("https://images.test/a.png"), plain.job_id: None}


class TestRefusals:
    async def test_a_job_that_is_not_affordable_leaves_no_file_and_no_hold(self, world: World) -> None:
        poor = await world.join(micros=199_999)
        with pytest.raises(InsufficientBalance):
            await world.create(poor, image_url=data_url())
        assert world.media.files == {}
        assert await world.ledger(poor) == ["credit"]

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"model": "no/model"}, ModelNotFound),
            ({"model": "wan-2.6", "image_url": data_url()}, InvalidSpec),
            ({"image_url": data_url(b"GIF89a", "image/gif")}, InvalidSpec),
            ({"image_url": data_url(PNG, "image/jpeg")}, InvalidSpec),
            ({"image_url": "data:image/png,plain"}, InvalidSpec),
            ({"image_url": "DATA:image/png;base64,!!!!"}, InvalidSpec),
        ],
    )
    async def test_what_is_refused_leaves_no_file_and_no_hold(
        self, world: World, ada: Customer, fields: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            await world.create(ada, **{"image_url": data_url(), **fields})
        assert world.media.files == {}
        assert await world.ledger(ada) == ["credit"]

    @pytest.mark.parametrize("surface", [surface for surface in Surface if surface is not Surface.NATIVE])
    async def test_the_documented_surfaces_take_addresses_only(self, world: World, surface: Surface) -> None:
        customer = await world.join("concurred")
        model = {"geekhub": "fal/kling-2", "kyma": "kling-3-pro", "concurred": "kling-3-pro-i2v"}[surface]
        request = JobRequest(model=model, prompt="a red kite", image_url=data_url())
        with pytest.raises(InvalidSpec) as raised:
            await world.create_job(customer.caller, surface, request)
        assert [each.field for each in raised.value.violations] == ["image_url"]
        assert world.media.files == {}

    async def test_an_image_that_cannot_be_kept_leaves_no_job(self, world: World, ada: Customer) -> None:
        world.media.is_down = True
        with pytest.raises(MediaUnavailable):
            await world.create(ada, image_url=data_url())
        assert await world.ledger(ada) == ["credit"]
        now = world.clock.now()
        assert await world.store.claim("one", now=now, lease_until=now, limit=9) == []

    async def test_a_file_that_cannot_be_removed_does_not_hide_the_refusal(self, logs: list[Any]) -> None:
        async def around(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            if name == "create_job":
                world.media.is_down = True
            return await call()

        world = World(store=interpose(MemoryStore(), around))
        poor = await world.join(micros=1)
        with pytest.raises(InsufficientBalance):
            await world.create(poor, image_url=data_url())
        assert [entry["event"] for entry in logs] == ["image of a refused job not removed"]

    @pytest.mark.parametrize(
        "error",
        [StoreUnavailable(), asyncio.CancelledError(), ZeroDivisionError("a bug in the store")],
        ids=["store unavailable", "client gone", "bug"],
    )
    async def test_a_job_that_may_have_been_recorded_keeps_its_file(self, error: BaseException) -> None:
        """A commit that has begun is finished, also for a client that has left."""
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join()
        trouble.after_method["create_job"] = error
        with pytest.raises(type(error)):
            await world.create(ada, image_url=data_url(), idempotency_key="k")
        job = await run(world, await world.create(ada, image_url=data_url(), idempotency_key="k"))
        assert job.state is JobState.SUCCEEDED
        assert world.fal.orders[0].image == ImageBytes(PNG, "image/png")


class TestIdempotency:
    async def test_the_same_bytes_under_the_same_key_are_the_same_job(self, world: World, ada: Customer) -> None:
        first = await world.create(ada, image_url=data_url(), idempotency_key="k")
        # Written otherwise, it is still the same image.
        rewritten = data_url().replace("data:image/png", "DATA:image/png;name=a.png")
        assert await world.create(ada, image_url=rewritten, idempotency_key="k") == first
        assert len(world.media.files) == 1
        assert await world.ledger(ada) == ["credit", "hold"]

    @pytest.mark.parametrize("image_url", [data_url(OTHER_PNG), "https://images.test/a.png", None])
    async def test_another_image_under_the_same_key_is_refused_as_another_image_url(
        self, world: World, ada: Customer, image_url: str | None
    ) -> None:
        await world.create(ada, image_url=data_url(), idempotency_key="k")
        with pytest.raises(IdempotencyKeyReused) as raised:
            await world.create(ada, image_url=image_url, idempotency_key="k")
        assert raised.value.field == "image_url"
        assert len(world.media.files) == 1

    @pytest.mark.parametrize("contents", [[PNG] * 5, [PNG, *[OTHER_PNG] * 4]])
    async def test_creates_at_the_same_moment_leave_the_file_of_the_one_job(
        self, world: World, ada: Customer, contents: list[bytes]
    ) -> None:
        slow = World(store=interpose(world.store, _yielding), clock=world.clock, seed=2)
        await asyncio.gather(
            *(slow.create(ada, image_url=data_url(content), idempotency_key="k") for content in contents),
            return_exceptions=True,
        )
        (name,) = slow.media.files
        job = await world.store.find_replay(ada.caller.key_id, "k")
        assert job is not None
        assert job.spec.image is not None
        assert name == f"generated-videos/{ada.account.account_id}/{job.job_id}/{job.spec.image.sha256}.png"


class StubbornMediaStore(MemoryMediaStore):
    """Keeps and reads everything, and deletes nothing while it is stubborn."""

    is_stubborn = True

    async def delete(self, object_name: str) -> None:
        if self.is_stubborn:
            raise MediaUnavailable
        await super().delete(object_name)


class TestForgetting:
    """Once a job has ended, nobody needs the image that came with it."""

    def _videos(self, world: World) -> list[str]:
        return [name.rpartition("/")[2] for name in world.media.files]

    async def test_a_job_that_succeeded_leaves_its_video_alone(self, world: World, ada: Customer) -> None:
        job = await run(world, await world.create(ada, image_url=data_url()))
        assert job.state is JobState.SUCCEEDED
        assert self._videos(world) == ["video.mp4"]
        assert await due_in(world, job) is None

    async def test_in_the_same_drive_in_which_the_job_ends(self, world: World, ada: Customer) -> None:
        job = await world.create(ada, image_url=data_url())
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert self._videos(world) == ["video.mp4"]

    @pytest.mark.parametrize("end", ["refused", "unanswered", "rendered without a video", "lost"])
    async def test_a_job_that_failed_leaves_nothing(self, world: World, ada: Customer, end: str) -> None:
        if end == "refused":
            world.fal.submit_faults = [Fault(kind=FaultKind.IMAGE_UNUSABLE)]
        elif end == "unanswered":
            world.fal.submit_faults = [Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)]
        elif end == "lost":
            world.fal.poll_faults = [Fault(kind=FaultKind.TASK_UNKNOWN)] * 3
        world.fal.is_held = True
        job = await world.create(ada, image_url=data_url())
        await world.run_due()
        if end == "rendered without a video":
            world.fal.fail("fal-task-1", JobFailure(code=FailureCode.REJECTED, message="Not this."))
        job = await run_when_due(world, job)
        assert (job.state, world.media.files) == (JobState.FAILED, {})
        assert await due_in(world, job) is None

    async def test_a_job_whose_model_left_the_catalogue_leaves_nothing(self, world: World, ada: Customer) -> None:
        job = await world.create(ada, image_url=data_url())
        later = World(
            store=world.store, clock=world.clock, media=world.media, catalogue=Catalogue([]), providers=[world.fal]
        )
        await later.run_due()
        assert ((await world.load(job)).state, world.media.files) == (JobState.FAILED, {})

    @pytest.mark.parametrize("state", [JobState.PENDING, JobState.SUBMITTING, JobState.PROCESSING])
    async def test_a_cancelled_job_leaves_nothing(self, world: World, ada: Customer, state: JobState) -> None:
        world.fal.is_held = True
        job = await world.create(ada, image_url=data_url())
        if state is JobState.SUBMITTING:
            job = await world.recorder.record(job, IntendSubmit())
        elif state is JobState.PROCESSING:
            await world.run_due()
        assert (await world.load(job)).state is state
        await cancel_job(world.recorder, ada.caller, job.job_id)
        assert len(world.media.files) == 1
        await world.run_due()
        assert world.media.files == {}
        assert await due_in(world, job) is None

    @pytest.mark.parametrize("is_rendered", [False, True])
    async def test_a_job_that_expired_leaves_neither_its_image_nor_a_video_that_nobody_paid_for(
        self, world: World, ada: Customer, *, is_rendered: bool
    ) -> None:
        world.fal.is_held = True
        job = await world.create(ada, image_url=data_url())
        await world.run_due()
        if is_rendered:
            job = await world.load(job)
            job = await world.recorder.record(job, RecordRendered("https://fake.test/videos/fal-task-1.mp4"))
            # A copy that was published, by a driver that died before it could say so.
            image = next(iter(world.media.files))
            world.media.files[image.rpartition("/")[0] + "/video.mp4"] = (b"a video", "video/mp4")
        await world.clock.advance(timedelta(minutes=30))
        await world.run_due()
        assert ((await world.load(job)).state, world.media.files) == (JobState.EXPIRED, {})
        assert await due_in(world, job) is None

    async def test_an_outage_of_the_media_store_puts_it_off_and_changes_nothing_else(self) -> None:
        media = StubbornMediaStore()
        world = World(media=media)
        ada = await world.join()
        world.fal.submit_faults = [Fault(kind=FaultKind.REJECTED)]
        job = await world.create(ada, image_url=data_url())
        await world.run_due()
        failed = await world.load(job)
        for _ in range(3):
            assert await due_in(world, job) == timedelta(seconds=5)
            await world.clock.advance(timedelta(seconds=5))
            await world.run_due()
        assert len(world.media.files) == 1
        media.is_stubborn = False
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert world.media.files == {}
        assert await due_in(world, job) is None
        assert await world.load(job) == failed
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_an_outage_that_does_not_end_is_borne_until_ten_minutes_after_the_deadline(self) -> None:
        world = World(media=StubbornMediaStore())
        job = await world.create(await world.join(), image_url=data_url())
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        await world.clock.advance(timedelta(minutes=39, seconds=59))
        await world.run_due()
        assert await due_in(world, job) == timedelta(seconds=5)
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert await due_in(world, job) is None

    async def test_a_task_that_was_told_to_stop_before_the_outage_is_told_again_without_harm(self) -> None:
        media = StubbornMediaStore()
        world = World(media=media)
        ada = await world.join()
        world.fal.is_held = True
        job = await world.create(ada, image_url=data_url())
        await world.run_due()
        cancelled = await cancel_job(world.recorder, ada.caller, job.job_id)
        await world.run_due()
        media.is_stubborn = False
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert (await world.load(job), media.files) == (cancelled, {})
        assert [name for name, _ in world.fal.calls] == ["submit", "poll", "cancel", "cancel"]

    async def test_a_cancelled_job_of_a_removed_provider_leaves_nothing_either(
        self, world: World, ada: Customer
    ) -> None:
        world.fal.is_held = True
        job = await world.create(ada, image_url=data_url())
        await world.run_due()
        await cancel_job(world.recorder, ada.caller, job.job_id)
        await World(store=world.store, clock=world.clock, media=world.media, providers=[]).run_due()
        assert world.media.files == {}

    async def test_an_image_that_is_gone_already_is_no_reason_to_go_on(self, world: World, ada: Customer) -> None:
        job = await world.create(ada, image_url=data_url())
        world.media.files.clear()
        await cancel_job(world.recorder, ada.caller, job.job_id)
        await world.run_due()
        assert await due_in(world, job) is None

    async def test_a_driver_that_died_after_the_end_leaves_it_to_the_next(self, world: World, ada: Customer) -> None:
        world.fal.submit_faults = [Fault(kind=FaultKind.REJECTED)]
        job = await world.create(ada, image_url=data_url())

        async def around(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            answer = await call()
            if name == "append" and (await world.load(job)).is_terminal:
                raise StoreUnavailable
            return answer

        dying = World(store=interpose(world.store, around), clock=world.clock, media=world.media, providers=[world.fal])
        with pytest.raises(StoreUnavailable):
            await dying.run_due("first")
        assert (await world.load(job)).state is JobState.FAILED
        assert len(world.media.files) == 1
        await world.clock.advance(LEASE)
        await world.run_due("second")
        assert world.media.files == {}


class TestLosing:
    async def test_a_media_store_that_cannot_give_the_image_now_is_asked_again(
        self, world: World, ada: Customer, logs: list[Any]
    ) -> None:
        job = await world.create(ada, image_url=data_url())
        world.media.is_down = True
        await world.run_due()
        assert await world.history(job.job_id) == ["Created"]
        assert await due_in(world, job) == timedelta(seconds=5)
        assert any(entry["event"] == "first frame not readable now" for entry in logs)
        world.media.is_down = False
        await world.clock.advance(timedelta(seconds=5))
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_read_that_breaks_off_is_made_again(self, world: World, ada: Customer) -> None:
        world.media.read_fault_count = 1
        job = await run(world, await world.create(ada, image_url=data_url()))
        assert (job.state, world.fal.call_count("submit")) == (JobState.SUCCEEDED, 1)

    async def test_an_image_that_is_gone_fails_the_job_before_anything_is_sent(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.create(ada, image_url=data_url())
        world.media.files.clear()
        job = await run(world, job)
        assert await world.history(job.job_id) == ["Created", "Failed"]
        assert job.failure is not None
        assert job.failure.code is FailureCode.IMAGE_UNUSABLE
        assert world.fal.calls == []
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_a_lost_task_whose_image_is_gone_is_looked_for_until_the_deadline(
        self, world: World, ada: Customer
    ) -> None:
        world.local.is_held = True
        job = await world.create(ada, model="local/storyboard", image_url=data_url())
        await world.run_due()
        world.local.forget(job.job_id)
        world.media.files.clear()
        job = await run(world, job)
        assert (job.state, world.local.call_count("submit")) == (JobState.EXPIRED, 1)
