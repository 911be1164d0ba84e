"""Fail-over at create: who is asked first, who next, and when nobody else is."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from reelgate_server.domain.catalogue import Catalogue, ImageInput, Model
from reelgate_server.domain.decide import IntendSubmit
from reelgate_server.domain.errors import InvalidSpec, ModelUnavailable
from reelgate_server.domain.events import Fallback, SubmitRefused
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import ModelId, ProviderName
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.money import Money
from tests.domain.builders import a_model, a_route
from tests.support.driving import run
from tests.support.fake_provider import FakeProvider
from tests.support.world import Customer, World

VERTEX, FAL, LOCAL = ProviderName("vertex"), ProviderName("fal"), ProviderName("local")
FIRST = a_route(provider=VERTEX, text_endpoint="veo", image_endpoint="veo", render_durations_s=(8, 10))
SECOND = a_route(render_durations_s=(6, 10))
MODEL = a_model(model_id=ModelId("two/routes"), routes=(FIRST, SECOND), cost_per_second=Decimal("0.1"))
DOWN = Fault(kind=FaultKind.UNAVAILABLE)
LOST = Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True)
NEXT = Fallback(provider=FAL, render_duration=timedelta(seconds=6))
TRIED = ["Created", "SubmitIntended", "SubmitRefused"]
DONE = ["SubmitIntended", "Submitted", "Rendered", "Stored"]


def world_of(
    model: Model = MODEL, *, providers: list[FakeProvider] | None = None, stand_in: str | None = None
) -> World:
    """A world with one model, called `two/routes`."""
    return World(catalogue=Catalogue([model]), providers=providers, stand_in=stand_in)


@pytest.fixture
def world() -> World:
    return world_of()


class TestCreate:
    async def test_a_job_begins_with_the_first_route_and_knows_the_others(self, world: World, ada: Customer) -> None:
        job = await world.create(ada, model="two/routes")
        assert (job.provider, job.fallbacks, job.is_simulated) == ("vertex", (NEXT,), False)
        assert job.spec.render_duration == timedelta(seconds=8)
        assert job.quote.price == Money(500_000, "USD")

    async def test_a_route_without_credentials_is_skipped(self) -> None:
        world = world_of(providers=[FakeProvider("fal")])
        job = await world.create(await world.join(), model="two/routes")
        assert (job.provider, job.fallbacks, job.is_simulated) == ("fal", (), False)
        assert job.spec.render_duration == timedelta(seconds=6)
        assert job.quote.price == Money(500_000, "USD")
        await world.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED

    async def test_a_withdrawn_route_is_skipped(self) -> None:
        world = world_of(replace(MODEL, routes=(replace(FIRST, withdrawn="It was retired."), SECOND)))
        job = await world.create(await world.join(), model="two/routes")
        assert (job.provider, job.fallbacks) == ("fal", ())

    async def test_a_withdrawn_model_is_refused_with_its_reason(self) -> None:
        model = replace(MODEL, routes=(replace(FIRST, withdrawn="It was retired."),))
        for stand_in in (None, "local"):
            world = world_of(model, stand_in=stand_in)
            ada = await world.join()
            with pytest.raises(ModelUnavailable, match=r"on this server\. It was retired\.$"):
                await world.create(ada, model="two/routes")
            assert await world.ledger(ada) == ["credit"]

    async def test_a_withdrawn_model_is_simulated_where_its_provider_has_no_credentials(self) -> None:
        model = replace(MODEL, routes=(replace(FIRST, withdrawn="It was retired."),))
        world = world_of(model, providers=[FakeProvider("local")], stand_in="local")
        job = await world.create(await world.join(), model="two/routes")
        assert (job.provider, job.is_simulated) == ("local", True)


class TestLengths:
    async def test_each_provider_is_asked_for_what_it_renders_at_the_resolution(self) -> None:
        sharp = replace(SECOND, render_durations_at={"1080p": (9, 10)})
        world = world_of(replace(MODEL, routes=(FIRST, sharp)))
        ada = await world.join()
        for resolution, expected_s in (("720p", 6), ("1080p", 9)):
            job = await world.create(ada, model="two/routes", resolution=resolution)
            assert job.spec.render_duration == timedelta(seconds=8)
            assert job.fallbacks == (Fallback(provider=FAL, render_duration=timedelta(seconds=expected_s)),)
            assert job.quote.price == Money(500_000, "USD")


class TestRefusedRatios:
    async def test_a_ratio_that_no_provider_renders_is_refused(self) -> None:
        world = world_of(replace(MODEL, routes=(replace(FIRST, refused_aspect_ratios=("9:16", "1:1")),)))
        ada = await world.join()
        with pytest.raises(InvalidSpec) as raised:
            await world.create(ada, model="two/routes", aspect_ratio="9:16")
        (violation,) = raised.value.violations
        assert violation.field == "aspect_ratio"
        assert violation.description == "9:16 is not rendered by the provider of model 'two/routes'"
        assert await world.ledger(ada) == ["credit"]
        assert (await world.create(ada, model="two/routes")).spec.aspect_ratio == "16:9"

    async def test_a_ratio_goes_to_the_route_that_renders_it(self) -> None:
        world = world_of(replace(MODEL, routes=(replace(FIRST, refused_aspect_ratios=("9:16",)), SECOND)))
        ada = await world.join()
        tall = await world.create(ada, model="two/routes", aspect_ratio="9:16")
        assert (tall.provider, tall.fallbacks) == ("fal", ())
        wide = await world.create(ada, model="two/routes")
        assert (wide.provider, wide.fallbacks) == ("vertex", (NEXT,))

    async def test_a_fallback_that_does_not_render_the_ratio_is_left_out(self) -> None:
        world = world_of(replace(MODEL, routes=(FIRST, replace(SECOND, refused_aspect_ratios=("9:16",)))))
        job = await world.create(await world.join(), model="two/routes", aspect_ratio="9:16")
        assert (job.provider, job.fallbacks) == ("vertex", ())

    async def test_a_stand_in_renders_every_ratio(self) -> None:
        model = replace(MODEL, routes=(replace(FIRST, refused_aspect_ratios=("9:16",)),))
        world = world_of(model, providers=[FakeProvider("local")], stand_in="local")
        job = await world.create(await world.join(), model="two/routes", aspect_ratio="9:16")
        assert (job.provider, job.is_simulated) == ("local", True)


class TestKindsOfInput:
    async def test_a_route_for_another_kind_of_input_is_left_out(self) -> None:
        world = world_of(replace(MODEL, routes=(FIRST, replace(SECOND, image_endpoint=None))))
        ada = await world.join()
        assert (await world.create(ada, model="two/routes")).fallbacks == (NEXT,)
        pictured = await world.create(ada, model="two/routes", image_url="https://images.test/a.png")
        assert (pictured.provider, pictured.fallbacks) == ("vertex", ())

    @pytest.mark.parametrize(
        ("endpoint", "image_url", "description", "is_missing"),
        [
            ("image_endpoint", "https://a.test/b", "is not accepted by the provider of model 'two/routes'", False),
            ("text_endpoint", None, "is required by the provider of model 'two/routes'", True),
        ],
    )
    async def test_where_the_only_route_takes_no_such_input_it_is_refused(
        self, *, endpoint: str, image_url: str | None, description: str, is_missing: bool
    ) -> None:
        only_fal = a_route(**{endpoint: None})
        world = world_of(replace(MODEL, routes=(FIRST, only_fal)), providers=[FakeProvider("fal")])
        ada = await world.join()
        with pytest.raises(InvalidSpec) as raised:
            await world.create(ada, model="two/routes", image_url=image_url)
        (violation,) = raised.value.violations
        assert violation.field == "image_url"
        assert (violation.description, violation.is_missing) == (description, is_missing)
        assert await world.ledger(ada) == ["credit"]

    async def test_a_model_that_needs_an_image_falls_back_with_it(self) -> None:
        routes = (replace(FIRST, text_endpoint=None), replace(SECOND, text_endpoint=None))
        world = world_of(replace(MODEL, routes=routes, image_input=ImageInput.REQUIRED))
        world.vertex.submit_faults = [DOWN]
        job = await world.create(await world.join(), model="two/routes", image_url="https://images.test/a.png")
        await run(world, job)
        assert [order.endpoint for order in (*world.vertex.orders, *world.fal.orders)] == ["veo", "owner/app/image"]


class TestTheNext:
    @pytest.mark.parametrize(
        "kind", [kind for kind in FaultKind if kind not in {FaultKind.REJECTED, FaultKind.IMAGE_UNUSABLE}]
    )
    async def test_is_asked_at_once_when_the_first_surely_did_not_take_it(
        self, world: World, ada: Customer, kind: FaultKind
    ) -> None:
        fault = Fault(kind=kind, retry_after=timedelta(minutes=5))
        world.vertex.submit_faults = [fault]
        job = await world.create(ada, model="two/routes")
        await world.run_due()
        job = await world.load(job)
        assert await world.history(job.job_id) == [*TRIED, *DONE]
        refused = (await world.store.events_after(job.job_id, 2))[0].event
        assert refused == SubmitRefused(
            event_time=world.clock.now(), fault=fault, retry_time=world.clock.now(), next=NEXT
        )
        assert (world.vertex.call_count("submit"), world.fal.call_count("submit")) == (1, 1)
        assert (job.provider, job.fallbacks, job.attempt_count) == ("fal", (), 2)

    async def test_is_asked_for_its_own_length_and_endpoint_at_the_same_price(
        self, world: World, ada: Customer
    ) -> None:
        world.vertex.submit_faults = [DOWN]
        job = await run(world, await world.create(ada, model="two/routes"))
        (asked_first,), (asked_next,) = world.vertex.orders, world.fal.orders
        assert (asked_first.endpoint, asked_first.spec.render_duration) == ("veo", timedelta(seconds=8))
        assert (asked_next.endpoint, asked_next.spec.render_duration) == ("owner/app/text", timedelta(seconds=6))
        assert asked_first.spec.clip_duration == asked_next.spec.clip_duration == timedelta(seconds=5)
        assert job.quote.price == Money(500_000, "USD")
        assert await world.money(ada) == (9_500_000, 0)
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_is_who_is_followed_copied_from_and_cancelled(self, world: World, ada: Customer) -> None:
        world.vertex.submit_faults = [DOWN]
        await run(world, await world.create(ada, model="two/routes"))
        assert [name for name, _ in world.vertex.calls] == ["submit"]
        assert [name for name, _ in world.fal.calls] == ["submit", "poll", "open"]

    @pytest.mark.parametrize("kind", [FaultKind.REJECTED, FaultKind.IMAGE_UNUSABLE])
    async def test_is_not_offered_what_the_first_will_not_have(
        self, world: World, ada: Customer, kind: FaultKind
    ) -> None:
        world.vertex.submit_faults = [Fault(kind=kind)]
        job = await run(world, await world.create(ada, model="two/routes"))
        assert await world.history(job.job_id) == [*TRIED, "Failed"]
        assert world.fal.calls == []

    @pytest.mark.parametrize("kind", FaultKind)
    async def test_is_never_asked_for_what_the_first_may_have_taken(
        self, world: World, ada: Customer, kind: FaultKind
    ) -> None:
        world.vertex.submit_faults = [Fault(kind=kind, is_maybe_accepted=True)]
        job = await run(world, await world.create(ada, model="two/routes"))
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitUnanswered", "Failed"]
        assert world.fal.calls == []

    async def test_is_not_asked_after_an_interrupted_submit(self, world: World, ada: Customer) -> None:
        job = await world.recorder.record(await world.create(ada, model="two/routes"), IntendSubmit())
        job = await run(world, job)
        assert (job.state, world.vertex.calls, world.fal.calls) == (JobState.FAILED, [], [])

    async def test_is_not_asked_after_a_lost_answer_even_if_the_plan_has_it_sent_once_more(self, world: World) -> None:
        patient = await world.join("patient")
        world.vertex.submit_faults = [LOST, DOWN]
        job = await run(world, await world.create(patient, model="two/routes"))
        assert (job.state, job.provider) == (JobState.SUCCEEDED, "vertex")
        assert (world.vertex.call_count("submit"), world.fal.call_count("submit")) == (3, 0)

    async def test_is_asked_again_as_anybody_is(self, world: World, ada: Customer) -> None:
        world.vertex.submit_faults = [DOWN]
        world.fal.submit_faults = [DOWN] * 3
        job = await run(world, await world.create(ada, model="two/routes"))
        assert (job.state, job.attempt_count) == (JobState.SUCCEEDED, 5)

    async def test_counts_among_the_five_tries_of_a_job(self, world: World, ada: Customer) -> None:
        world.vertex.submit_faults = [DOWN] * 9
        world.fal.submit_faults = [DOWN] * 9
        job = await run(world, await world.create(ada, model="two/routes"))
        assert (job.state, job.attempt_count) == (JobState.FAILED, 5)
        assert (world.vertex.call_count("submit"), world.fal.call_count("submit")) == (1, 4)
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_may_have_another_after_it(self) -> None:
        third = a_route(provider=LOCAL, render_durations_s=(10,))
        world = world_of(replace(MODEL, routes=(FIRST, SECOND, third)))
        world.vertex.submit_faults, world.fal.submit_faults = [DOWN], [DOWN]
        job = await run(world, await world.create(await world.join(), model="two/routes"))
        assert (job.state, job.provider, job.spec.render_duration) == (
            JobState.SUCCEEDED,
            "local",
            timedelta(seconds=10),
        )

    async def test_is_remembered_across_a_crash(self, world: World, ada: Customer) -> None:
        world.vertex.submit_faults = [DOWN]
        world.fal.submit_faults = [DOWN]
        job = await world.create(ada, model="two/routes")
        await world.run_due()
        again = World(
            store=world.store, clock=world.clock, catalogue=Catalogue([MODEL]), providers=[world.vertex, world.fal]
        )
        job = await run(again, job)
        assert (job.state, job.provider, world.vertex.call_count("submit")) == (JobState.SUCCEEDED, "fal", 1)

    async def test_counts_as_down_if_it_has_lost_its_credentials_meanwhile(self, world: World, ada: Customer) -> None:
        job = await world.create(ada, model="two/routes")
        world.vertex.submit_faults = [DOWN]
        later = World(store=world.store, clock=world.clock, catalogue=Catalogue([MODEL]), providers=[world.vertex])
        job = await run(later, job)
        assert (job.failure_text, job.attempt_count) == ("The provider is not available.", 5)
        assert (world.vertex.call_count("submit"), world.fal.call_count("submit")) == (1, 0)
        assert await world.ledger(ada) == ["credit", "hold", "void"]

    async def test_is_asked_at_once_if_the_first_has_lost_its_credentials_meanwhile(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.create(ada, model="two/routes")
        later = World(store=world.store, clock=world.clock, catalogue=Catalogue([MODEL]), providers=[world.fal])
        await later.run_due()
        job = await world.load(job)
        assert await world.history(job.job_id) == [*TRIED, *DONE]
        assert (job.provider, job.update_time) == ("fal", job.create_time)
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_is_not_asked_if_the_first_lost_its_credentials_while_it_was_asked(
        self, world: World, ada: Customer
    ) -> None:
        job = await world.recorder.record(await world.create(ada, model="two/routes"), IntendSubmit())
        later = World(store=world.store, clock=world.clock, catalogue=Catalogue([MODEL]), providers=[world.fal])
        job = await run(later, job)
        assert await world.history(job.job_id) == ["Created", "SubmitIntended", "SubmitUnanswered", "Failed"]
        assert world.fal.calls == []

    async def test_is_asked_at_once_when_the_first_throttles_us(self, world: World, ada: Customer) -> None:
        world.vertex.submit_faults = [Fault(kind=FaultKind.THROTTLED, retry_after=timedelta(minutes=5))]
        job = await world.create(ada, model="two/routes")
        await world.run_due()
        job = await world.load(job)
        assert (job.state, job.provider, job.throttled_count) == (JobState.SUCCEEDED, "fal", 1)
