"""Create: idempotency first, then the model, the spec, and last the balance; refused creates leave nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy, Surface
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.errors import (
    IdempotencyKeyReused,
    InsufficientBalance,
    InvalidRequest,
    InvalidSpec,
    ModelNotFound,
    ModelUnavailable,
    StoreUnavailable,
)
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.money import Money
from reelgate_server.domain.spec import JobRequest
from tests.domain.builders import CATALOGUE
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import Trouble, interpose
from tests.support.world import Customer, World

REQUEST = JobRequest(model="fal/kling-2", prompt="a red kite")


class TestANewJob:
    async def test_it_is_recorded_with_all_that_was_decided(self, world: World, ada: Customer) -> None:
        outcome = await world.create_job(ada.caller, Surface.NATIVE, REQUEST, idempotency_key="k")
        job = outcome.job
        assert not outcome.is_replay
        assert await world.load(job) == job
        assert (job.state, job.sequence, job.idempotency_key) == (JobState.PENDING, 1, "k")
        assert (job.account_id, job.key_id) == (ada.account.account_id, ada.caller.key_id)
        assert job.request == REQUEST
        assert (job.spec.clip_duration, job.spec.aspect_ratio) == (timedelta(seconds=5), "16:9")
        assert job.quote.price == Money(200_000, "USD")
        assert (job.quote.cost_per_second, job.quote.markup, job.quote.fx) == (Decimal("0.04"), Decimal(1), Decimal(1))
        assert (job.billing, job.ambiguous_submit) == (BillingPolicy.HOLD, AmbiguousSubmit.FAIL)
        assert (job.provider, job.is_simulated) == ("fal", False)
        assert job.expire_time - job.create_time == timedelta(minutes=30)
        assert await world.history(job.job_id) == ["Created"]

    async def test_it_holds_the_whole_price(self, world: World, ada: Customer) -> None:
        await world.create(ada)
        assert await world.ledger(ada) == ["credit", "hold"]
        assert await world.money(ada) == (9_800_000, 200_000)

    @pytest.mark.parametrize(("plan", "price"), [("geekhub", (4_200_000, "MXN")), ("concurred", (200_000, "USD"))])
    async def test_other_billing_policies_hold_nothing(self, world: World, plan: str, price: tuple[int, str]) -> None:
        customer = await world.join(plan)
        job = await world.create(customer)
        assert job.quote.price == Money(*price)
        assert await world.ledger(customer) == ["credit"]

    async def test_it_is_due_at_once_and_hinted_to_drivers_and_watchers(self, world: World, ada: Customer) -> None:
        with world.feed.subscribe_due() as hints:
            job = await world.create(ada)
            assert await hints.wait(timedelta(seconds=1))
        now = world.clock.now()
        assert await world.store.claim("one", now=now, lease_until=now, limit=9) == [job]

    async def test_ids_of_later_jobs_sort_after_ids_of_earlier_ones(self, world: World, ada: Customer) -> None:
        job_ids = []
        for _ in range(20):
            job_ids.append((await world.create(ada)).job_id)
            await world.clock.advance(timedelta(milliseconds=1))
        assert job_ids == sorted(job_ids)
        assert len(set(job_ids)) == 20

    async def test_the_price_is_frozen_when_the_catalogue_changes(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        dearer = Catalogue(replace(model, cost_per_second=Decimal(9)) for model in CATALOGUE.all())
        later = World(store=world.store, clock=world.clock, catalogue=dearer)
        await later.run_due()
        assert (await world.load(job)).state is JobState.SUCCEEDED
        assert await world.money(ada) == (9_800_000, 0)

    async def test_a_stand_in_renders_what_nobody_else_does_and_the_job_says_so(self) -> None:
        world = World(providers=[FakeProvider("fal"), FakeProvider("local")], stand_in="local")
        ada = await world.join()
        job = await world.create(ada, model="google/veo-3.1", clip_duration=timedelta(seconds=7))
        assert (job.provider, job.is_simulated, job.fallbacks) == ("local", True, ())
        assert job.spec.render_duration == timedelta(seconds=8)
        job = await world.create(ada)
        assert (job.provider, job.is_simulated) == ("fal", False)


class TestIdempotency:
    async def test_the_same_key_and_content_answer_with_the_job_as_it_stands(self, world: World, ada: Customer) -> None:
        first = await world.create(ada, idempotency_key="k")
        await world.run_due()
        outcome = await world.create_job(ada.caller, Surface.NATIVE, REQUEST, idempotency_key="k")
        assert outcome.is_replay
        assert (outcome.job.job_id, outcome.job.state) == (first.job_id, JobState.SUCCEEDED)
        assert await world.ledger(ada) == ["credit", "hold", "post"]

    async def test_without_a_key_every_create_makes_a_job(self, world: World, ada: Customer) -> None:
        assert (await world.create(ada)).job_id != (await world.create(ada)).job_id

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"model": "fal/luma-ray-2"}, "model"),
            ({"prompt": "a blue kite"}, "prompt"),
            ({"clip_duration": timedelta(seconds=5)}, "clip_duration"),
            ({"aspect_ratio": "16:9"}, "aspect_ratio"),
            ({"resolution": "720p"}, "resolution"),
            ({"image_url": "https://images.test/a"}, "image_url"),
            ({"extra": {"seed": 1}}, "extra"),
            ({"extra": {"seed": 1}, "prompt": "a blue kite", "resolution": "4k"}, "prompt"),
        ],
    )
    async def test_other_content_is_refused_and_names_the_first_field_that_differs(
        self, world: World, ada: Customer, change: dict[str, Any], field: str
    ) -> None:
        first = await world.create(ada, idempotency_key="k")
        with pytest.raises(IdempotencyKeyReused) as raised:
            await world.create(ada, idempotency_key="k", **change)
        assert (raised.value.job_id, raised.value.field) == (first.job_id, field)
        assert await world.ledger(ada) == ["credit", "hold"]

    async def test_where_reuse_is_not_refused_other_content_answers_with_the_first_job(
        self, world: World, ada: Customer
    ) -> None:
        first = await world.create(ada, idempotency_key="k")
        outcome = await world.create_job(
            ada.caller, Surface.KYMA, JobRequest(model="x", prompt=""), idempotency_key="k", is_reuse_refused=False
        )
        assert (outcome.job, outcome.is_replay) == (first, True)

    async def test_it_comes_before_every_other_rule(self, world: World, ada: Customer) -> None:
        drained = await world.join(micros=200_000)
        await world.create(drained, idempotency_key="k")
        # The balance is gone, and so is the model.
        later = World(store=world.store, clock=world.clock, catalogue=Catalogue([]), providers=[])
        outcome = await later.create_job(drained.caller, Surface.CONCURRED, REQUEST, idempotency_key="k")
        assert outcome.is_replay

    async def test_the_same_key_under_another_api_key_is_another_job(
        self, world: World, ada: Customer, bob: Customer
    ) -> None:
        first = await world.create(ada, idempotency_key="k")
        assert (await world.create(bob, idempotency_key="k")).job_id != first.job_id
        key = await world.accounts.create_key(ada.account, "second")
        same_account = replace(ada, caller=replace(ada.caller, key_id=key.key.key_id))
        assert (await world.create(same_account, idempotency_key="k")).job_id != first.job_id
        assert len(await world.transfers(ada)) == 3

    @pytest.mark.parametrize("idempotency_key", ["", "x" * 129, "a\0b", "\0"])
    async def test_a_key_that_breaks_its_rule_is_refused(
        self, world: World, ada: Customer, idempotency_key: str
    ) -> None:
        with pytest.raises(InvalidRequest) as raised:
            await world.create(ada, idempotency_key=idempotency_key)
        assert [each.field for each in raised.value.violations] == ["idempotency_key"]
        assert await world.ledger(ada) == ["credit"]

    async def test_creates_with_one_key_at_the_same_moment_make_one_job(self, world: World, ada: Customer) -> None:
        slow = World(store=interpose(world.store, _yielding), clock=world.clock, seed=2)
        jobs = await asyncio.gather(*(slow.create(ada, idempotency_key="k") for _ in range(10)))
        assert len({job.job_id for job in jobs}) == 1
        assert await world.ledger(ada) == ["credit", "hold"]

    async def test_creates_with_one_key_and_other_content_at_the_same_moment_make_one_job(
        self, world: World, ada: Customer
    ) -> None:
        slow = World(store=interpose(world.store, _yielding), clock=world.clock, seed=2)
        outcomes = await asyncio.gather(
            *(slow.create(ada, idempotency_key="k", prompt=f"kite {number}") for number in range(5)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, Job) for each in outcomes) == 1
        assert sum(isinstance(each, IdempotencyKeyReused) for each in outcomes) == 4
        assert await world.ledger(ada) == ["credit", "hold"]

    async def test_a_create_whose_answer_was_lost_can_be_repeated(self) -> None:
        trouble = Trouble()
        world = World(store=interpose(MemoryStore(), trouble))
        ada = await world.join()
        trouble.after_method["create_job"] = StoreUnavailable()
        with pytest.raises(StoreUnavailable):
            await world.create(ada, idempotency_key="k")
        await world.create(ada, idempotency_key="k")
        assert await world.ledger(ada) == ["credit", "hold"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"model": "no/model"}, ModelNotFound),
            ({"model": "fal/runway-gen-4"}, ModelUnavailable),
            ({"prompt": ""}, InvalidSpec),
            ({"clip_duration": timedelta(seconds=11)}, InvalidSpec),
            ({"model": "fal/hailuo-02", "aspect_ratio": "9:16"}, InvalidSpec),
            ({"image_url": "data:image/png;base64,AAAA"}, InvalidSpec),
            ({"model": "google/veo-3.1", "prompt": "p" * 4001}, InvalidSpec),
        ],
    )
    async def test_they_leave_nothing_behind(
        self, world: World, ada: Customer, change: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            await world.create(ada, **change)
        assert await world.ledger(ada) == ["credit"]
        now = world.clock.now()
        assert await world.store.claim("one", now=now, lease_until=now, limit=9) == []

    @pytest.mark.parametrize(
        ("surface", "is_offered"),
        [(Surface.NATIVE, True), (Surface.GEEKHUB, True), (Surface.KYMA, False), (Surface.CONCURRED, False)],
    )
    async def test_a_surface_offers_its_own_models(
        self, world: World, ada: Customer, surface: Surface, *, is_offered: bool
    ) -> None:
        if is_offered:
            await world.create_job(ada.caller, surface, REQUEST)
        else:
            with pytest.raises(ModelNotFound):
                await world.create_job(ada.caller, surface, REQUEST)

    async def test_the_model_comes_before_the_spec_and_the_spec_before_the_balance(self, world: World) -> None:
        poor = await world.join(micros=0)
        with pytest.raises(ModelNotFound):
            await world.create(poor, model="no/model", prompt="")
        with pytest.raises(ModelUnavailable):
            await world.create(poor, model="fal/runway-gen-4", prompt="")
        with pytest.raises(InvalidSpec):
            await world.create(poor, prompt="")
        with pytest.raises(InsufficientBalance):
            await world.create(poor)


class TestBalance:
    async def test_the_whole_price_must_be_there(self, world: World) -> None:
        customer = await world.join(micros=199_999)
        with pytest.raises(InsufficientBalance) as raised:
            await world.create(customer)
        assert raised.value.required == Money(200_000, "USD")
        assert raised.value.available == Money(199_999, "USD")
        assert await world.ledger(customer) == ["credit"]
        await world.accounts.credit(customer.account, 1)
        await world.create(customer)
        assert await world.money(customer) == (0, 200_000)

    async def test_what_is_held_is_not_available(self, world: World) -> None:
        customer = await world.join(micros=399_999)
        await world.create(customer)
        with pytest.raises(InsufficientBalance):
            await world.create(customer)

    async def test_what_was_released_is_available_again(self, world: World) -> None:
        customer = await world.join(micros=200_000)
        await world.create(customer)
        await world.clock.advance(timedelta(minutes=30))
        await world.run_due()
        await world.create(customer)
        assert await world.money(customer) == (0, 200_000)

    async def test_charging_on_completion_needs_a_balance_above_zero(self, world: World) -> None:
        customer = await world.join("geekhub", micros=0)
        with pytest.raises(InsufficientBalance):
            await world.create(customer)
        await world.accounts.credit(customer.account, 1)
        await asyncio.gather(*(world.create(customer) for _ in range(3)))
        await world.run_due()
        assert await world.money(customer) == (1 - 3 * 4_200_000, 0)
        with pytest.raises(InsufficientBalance):
            await world.create(customer)

    async def test_an_unmetered_account_needs_none(self, world: World) -> None:
        customer = await world.join("concurred", micros=0)
        await world.create(customer)
        await world.run_due()
        assert await world.ledger(customer) == []

    async def test_concurrent_creates_cannot_use_the_same_money(self, world: World) -> None:
        customer = await world.join(micros=500_000)
        slow = World(store=interpose(world.store, _yielding), clock=world.clock, seed=2)
        outcomes = await asyncio.gather(*(slow.create(customer) for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(each, Job) for each in outcomes) == 2
        assert sum(isinstance(each, InsufficientBalance) for each in outcomes) == 18
        assert await world.money(customer) == (100_000, 400_000)


async def _yielding(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
    """Let other tasks run before and after every call."""
    await asyncio.sleep(0)
    answer = await call()
    await asyncio.sleep(0)
    return answer
