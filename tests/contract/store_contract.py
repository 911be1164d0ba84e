"""What a `JobStore` promises. `test_stores.py` runs it over every adapter."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from reelgate_server.adapters.store.rules import LedgerRuleBroken
from reelgate_server.domain.accounts import BillingPolicy
from reelgate_server.domain.errors import InsufficientBalance, JobNotFound
from reelgate_server.domain.events import (
    Cancelled,
    Failed,
    FailureCode,
    JobFailure,
    LoggedEvent,
    SubmitIntended,
    SubmitRefused,
)
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import TransferId
from reelgate_server.domain.job import Job, apply, fold
from reelgate_server.domain.ledger import TransferKind, opening
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.store import JobFilter, SequenceConflict
from tests.support.builders import (
    NOON,
    account_id,
    after_noon,
    job_id,
    key_id,
    make_created,
    make_credit,
    make_job,
    make_quote,
    make_request,
    make_spec,
    make_transfer,
    steps_to_success,
    usd,
)
from tests.support.store_steps import Store, append, create, create_unpaid

ANY_JOB = JobFilter()


class CreateContract:
    """Creating, replaying and paying."""

    async def test_a_created_job_can_be_loaded(self, store: Store) -> None:
        job = await create_unpaid(store)
        assert await store.load_job(job_id(1)) == job == make_job(1, billing=BillingPolicy.UNMETERED)

    async def test_a_job_that_was_never_created_is_not_found(self, store: Store) -> None:
        await create_unpaid(store, 1)
        with pytest.raises(JobNotFound):
            await store.load_job(job_id(2))

    async def test_a_job_comes_back_exactly_as_it_was(self, store: Store) -> None:
        extra = {"cfg": 0.1, "seed": 2**60, "whole": 5.0, "text": "2026-01-01", "nested": [None, True, {"é": "🪁"}]}
        created = make_created(
            event_time=NOON + timedelta(microseconds=1),
            request=make_request(prompt='Ñandú 🪁\n"quoted" \\ \u2028', clip_duration=None, extra=extra),
            spec=make_spec(render_duration=timedelta(seconds=6, microseconds=1), extra=extra),
            quote=make_quote(markup=Decimal("1.350"), fx=Decimal("0.10000000000000000000000000000000000001")),
        )
        job = fold([created])
        await store.create_job(job, created, (), available_min=None)
        loaded = await store.load_job(job_id(1))
        assert loaded == job
        assert str(loaded.quote.markup) == "1.350"
        assert loaded.create_time.utcoffset() == timedelta()
        assert [type(value) for value in loaded.spec.extra.values()] == [float, int, float, str, list]
        assert await store.events_after(job_id(1), 0) == [LoggedEvent(sequence=1, event=created)]

    async def test_a_replay_returns_the_earlier_job_in_its_present_state_and_changes_nothing(
        self, store: Store
    ) -> None:
        await store.record_transfer(make_credit())
        first = await create(store, 1, idempotency_key="same", price_micros=400_000)
        grown = await append(store, first, SubmitIntended(event_time=after_noon(1), attempt=1))
        assert await create(store, 2, idempotency_key="same", price_micros=300_000) == grown
        assert await store.list_jobs(account_id(), ANY_JOB, before=None, limit=10) == [grown]
        assert (await store.load_balance(account_id(), "USD")).held == usd(400_000)

    async def test_a_replay_is_recognised_before_the_balance_is_looked_at(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=400_000))
        first = await create(store, 1, idempotency_key="same", price_micros=400_000)
        assert await create(store, 2, idempotency_key="same", price_micros=400_000) == first

    async def test_an_idempotency_key_belongs_to_one_api_key(self, store: Store) -> None:
        await create_unpaid(store, 1, idempotency_key="same")
        other = await create_unpaid(store, 2, idempotency_key="same", key_id=key_id(2))
        assert other.job_id == job_id(2)
        assert await store.find_replay(key_id(2), "same") == other

    async def test_jobs_without_an_idempotency_key_are_never_replays(self, store: Store) -> None:
        assert (await create_unpaid(store, 1)).job_id == job_id(1)
        assert (await create_unpaid(store, 2)).job_id == job_id(2)

    async def test_an_unused_idempotency_key_has_no_job(self, store: Store) -> None:
        await create_unpaid(store, 1, idempotency_key="same")
        assert await store.find_replay(key_id(1), "other") is None
        assert await store.find_replay(key_id(2), "same") is None

    async def test_concurrent_creates_with_one_idempotency_key_make_one_job(self, handles: tuple[Store, Store]) -> None:
        jobs = await asyncio.gather(
            *(create_unpaid(handles[number % 2], number, idempotency_key="same") for number in range(1, 41))
        )
        assert len({job.job_id for job in jobs}) == 1
        assert len(await handles[0].list_jobs(account_id(), ANY_JOB, before=None, limit=100)) == 1

    async def test_a_job_id_is_taken_once(self, store: Store) -> None:
        first = await create_unpaid(store, 1)
        with pytest.raises(SequenceConflict):
            await create_unpaid(store, 1, price_micros=7)
        assert await store.load_job(job_id(1)) == first

    async def test_a_create_that_the_balance_does_not_cover_changes_nothing(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=999_999))
        with pytest.raises(InsufficientBalance) as refusal:
            await create(store, 1, price_micros=1_000_000, idempotency_key="key")
        assert (refusal.value.required, refusal.value.available) == (usd(1_000_000), usd(999_999))
        assert await store.list_jobs(account_id(), ANY_JOB, before=None, limit=10) == []
        assert await store.events_after(job_id(1), 0) == []
        assert await store.find_replay(key_id(), "key") is None
        assert (await store.load_balance(account_id(), "USD")).held == usd(0)

    async def test_a_balance_of_exactly_what_is_needed_is_enough(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=1_000_000))
        await create(store, 1, price_micros=1_000_000)
        assert (await store.load_balance(account_id(), "USD")).available == usd(0)

    async def test_money_in_another_currency_does_not_count(self, store: Store) -> None:
        await store.record_transfer(make_credit(currency="EUR", amount_micros=5_000_000))
        with pytest.raises(InsufficientBalance) as refusal:
            await create(store, 1)
        assert refusal.value.available == usd(0)

    async def test_a_create_that_needs_no_balance_is_not_checked(self, store: Store) -> None:
        job = make_job(1, price_micros=500)
        await store.create_job(job, make_created(1, price_micros=500), opening(job), available_min=None)
        assert (await store.load_balance(account_id(), "USD")).available == usd(-500)

    async def test_concurrent_creates_cannot_use_the_same_money(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=1_000_000))
        outcomes = await asyncio.gather(
            *(create(store, number, price_micros=100_000) for number in range(1, 101)), return_exceptions=True
        )
        await _assert_ten_of_a_hundred(store, outcomes)

    async def test_concurrent_creates_of_two_processes_cannot_use_the_same_money(
        self, handles: tuple[Store, Store]
    ) -> None:
        await handles[0].record_transfer(make_credit(amount_micros=1_000_000))
        outcomes = await asyncio.gather(
            *(create(handles[number % 2], number, price_micros=100_000) for number in range(1, 101)),
            return_exceptions=True,
        )
        await _assert_ten_of_a_hundred(handles[1], outcomes)


class LogContract:
    """Appending to a log and reading it."""

    async def test_appended_events_follow_in_order(self, store: Store) -> None:
        job = await create_unpaid(store)
        job = await append(store, job, *steps_to_success())
        assert await store.load_job(job_id(1)) == job
        assert job.state is JobState.SUCCEEDED
        log = await store.events_after(job_id(1), 0)
        assert [each.sequence for each in log] == [1, 2, 3, 4, 5, 6]
        assert [each.event for each in log[1:]] == list(steps_to_success())

    async def test_events_after_a_sequence_are_the_rest_of_the_log(self, store: Store) -> None:
        job = await create_unpaid(store)
        await append(store, job, *steps_to_success())
        assert [each.sequence for each in await store.events_after(job_id(1), 4)] == [5, 6]
        assert await store.events_after(job_id(1), 6) == []
        assert await store.events_after(job_id(1), 99) == []
        assert await store.events_after(job_id(2), 0) == []

    @pytest.mark.parametrize("expected_sequence", [1, 3])
    async def test_an_append_at_another_length_of_the_log_changes_nothing(
        self, store: Store, expected_sequence: int
    ) -> None:
        await store.record_transfer(make_credit())
        job = await create(store)
        job = await append(store, job, SubmitIntended(event_time=after_noon(1), attempt=1))
        stale = apply(make_job(1), Cancelled(event_time=after_noon(2)))
        stale = replace(stale, sequence=expected_sequence + 1)
        with pytest.raises(SequenceConflict):
            await store.append(
                stale,
                [Cancelled(event_time=after_noon(2))],
                [make_transfer("other", TransferKind.CREDIT)],
                expected_sequence=expected_sequence,
                due_time=None,
            )
        assert await store.load_job(job_id(1)) == job
        assert [each.sequence for each in await store.events_after(job_id(1), 0)] == [1, 2]
        assert (await store.load_balance(account_id(), "USD")).posted == usd(1_000_000)
        assert len(await store.claim("driver", now=NOON, lease_until=after_noon(30), limit=10)) == 1

    async def test_an_append_to_an_unknown_job_is_a_conflict(self, store: Store) -> None:
        with pytest.raises(SequenceConflict):
            await append(store, make_job(1), Cancelled(event_time=after_noon(1)))
        assert await store.events_after(job_id(1), 0) == []

    async def test_of_concurrent_appends_at_one_place_one_wins(self, handles: tuple[Store, Store]) -> None:
        job = await create_unpaid(handles[0])
        events = [SubmitIntended(event_time=after_noon(number), attempt=1) for number in range(1, 21)]
        outcomes = await asyncio.gather(
            *(append(handles[number % 2], job, event) for number, event in enumerate(events)), return_exceptions=True
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, Job)]
        assert len(winners) == 1
        assert sum(isinstance(outcome, SequenceConflict) for outcome in outcomes) == 19
        assert await handles[0].load_job(job_id(1)) == winners[0]

    async def test_the_end_of_a_job_and_its_settlement_are_one_step(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=1_000_000))
        job = await create(store, price_micros=400_000)
        await append(store, job, *steps_to_success())
        balance = await store.load_balance(account_id(), "USD")
        assert (balance.posted, balance.held) == (usd(600_000), usd(0))

    async def test_a_settled_hold_cannot_be_resolved_again(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=1_000_000))
        job = await create(store, price_micros=400_000)
        hold = opening(job)[0]
        await append(store, job, Cancelled(event_time=after_noon(1)))
        again = make_transfer(
            "again", TransferKind.POST, amount=usd(400_000), hold_id=TransferId(hold.transfer_id), job_id=job_id(1)
        )
        with pytest.raises(LedgerRuleBroken):
            await store.record_transfer(again)
        assert (await store.load_balance(account_id(), "USD")).posted == usd(1_000_000)

    async def test_an_append_whose_transfer_breaks_a_rule_changes_nothing(self, store: Store) -> None:
        await store.record_transfer(make_credit())
        job = await create_unpaid(store)
        cancelled = apply(job, Cancelled(event_time=after_noon(1)))
        with pytest.raises(LedgerRuleBroken):
            await store.append(
                cancelled, [Cancelled(event_time=after_noon(1))], [make_credit()], expected_sequence=1, due_time=None
            )
        assert await store.load_job(job_id(1)) == job
        assert await store.events_after(job_id(1), 1) == []

    async def test_a_sum_that_does_not_fit_the_length_of_the_log_is_refused(self, store: Store) -> None:
        job = await create_unpaid(store)
        with pytest.raises(ValueError, match="do not make a job at sequence 1"):
            await store.append(job, [Cancelled(event_time=NOON)], [], expected_sequence=1, due_time=None)

    async def test_every_log_folds_to_its_job(self, store: Store) -> None:
        fault = Fault(kind=FaultKind.THROTTLED, retry_after=timedelta(milliseconds=1500), detail="429: später")
        refused = SubmitRefused(event_time=after_noon(2), fault=fault, retry_time=after_noon(3.5))
        failure = JobFailure(code=FailureCode.PROVIDER_ERROR, message="The provider is not available.", fault=fault)
        jobs = [await create_unpaid(store, number) for number in (1, 2, 3)]
        await append(store, jobs[0], *steps_to_success())
        tried = await append(store, jobs[1], SubmitIntended(event_time=after_noon(1), attempt=1), refused)
        await append(store, tried, Failed(event_time=after_noon(4), failure=failure))
        for job in jobs:
            log = await store.events_after(job.job_id, 0)
            assert fold(each.event for each in log) == await store.load_job(job.job_id)


class ListContract:
    """Listing an account's jobs."""

    async def test_jobs_are_listed_newest_first(self, store: Store) -> None:
        for number in (2, 1, 3):
            await create_unpaid(store, number)
        jobs = await store.list_jobs(account_id(), ANY_JOB, before=None, limit=10)
        assert jobs == [make_job(number, billing=BillingPolicy.UNMETERED) for number in (3, 2, 1)]

    async def test_a_page_continues_where_the_one_before_ended(self, store: Store) -> None:
        for number in (1, 2, 3):
            await create_unpaid(store, number)
        first = await store.list_jobs(account_id(), ANY_JOB, before=None, limit=2)
        assert [job.job_id for job in first] == [job_id(3), job_id(2)]
        second = await store.list_jobs(account_id(), ANY_JOB, before=job_id(2), limit=2)
        assert [job.job_id for job in second] == [job_id(1)]
        assert await store.list_jobs(account_id(), ANY_JOB, before=job_id(1), limit=2) == []

    async def test_a_list_shows_one_account(self, store: Store) -> None:
        await create_unpaid(store, 1, of=1)
        await create_unpaid(store, 2, of=2)
        jobs = await store.list_jobs(account_id(2), ANY_JOB, before=None, limit=10)
        assert [job.job_id for job in jobs] == [job_id(2)]

    @pytest.mark.parametrize(
        ("job_filter", "numbers"),
        [
            (JobFilter(), [4, 3, 2, 1]),
            (JobFilter(states=frozenset({JobState.PENDING})), [4, 3, 1]),
            (JobFilter(states=frozenset({JobState.CANCELLED, JobState.PENDING})), [4, 3, 2, 1]),
            (JobFilter(states=frozenset({JobState.EXPIRED})), []),
            (JobFilter(states=frozenset()), []),
            (JobFilter(model="veo-3"), [3, 2]),
            (JobFilter(model="veo-3", states=frozenset({JobState.CANCELLED})), [2]),
            (JobFilter(model="veo-3", states=frozenset({JobState.CANCELLED, JobState.PENDING})), [3, 2]),
            (JobFilter(model="veo-3", states=frozenset()), []),
        ],
    )
    async def test_a_filter_shows_the_jobs_that_match_it(
        self, store: Store, job_filter: JobFilter, numbers: list[int]
    ) -> None:
        for number, model in ((1, "kling-3-pro"), (2, "veo-3"), (3, "veo-3"), (4, "kling-3-pro")):
            await create_unpaid(store, number, spec=make_spec(model=model))
        await append(store, await store.load_job(job_id(2)), Cancelled(event_time=after_noon(1)))
        jobs = await store.list_jobs(account_id(), job_filter, before=None, limit=10)
        assert [job.job_id for job in jobs] == [job_id(number) for number in numbers]

    async def test_a_filtered_page_is_full_if_enough_jobs_match(self, store: Store) -> None:
        for number in range(1, 7):
            await create_unpaid(store, number, spec=make_spec(model="veo-3" if number % 2 else "kling-3-pro"))
        jobs = await store.list_jobs(account_id(), JobFilter(model="veo-3"), before=job_id(5), limit=2)
        assert [job.job_id for job in jobs] == [job_id(3), job_id(1)]

    async def test_a_page_of_several_states_is_in_one_order(self, store: Store) -> None:
        for number in range(1, 8):
            job = await create_unpaid(store, number)
            if number in {2, 3, 6}:
                await append(store, job, Cancelled(event_time=after_noon(1)))
        either = JobFilter(states=frozenset({JobState.CANCELLED, JobState.PENDING}))
        first = await store.list_jobs(account_id(), either, before=None, limit=3)
        assert [job.job_id for job in first] == [job_id(7), job_id(6), job_id(5)]
        second = await store.list_jobs(account_id(), either, before=job_id(5), limit=3)
        assert [job.job_id for job in second] == [job_id(4), job_id(3), job_id(2)]


async def _assert_ten_of_a_hundred(store: Store, outcomes: list[Job | BaseException]) -> None:
    assert sum(isinstance(outcome, Job) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, InsufficientBalance) for outcome in outcomes) == 90
    balance = await store.load_balance(account_id(), "USD")
    assert (balance.posted, balance.held) == (usd(1_000_000), usd(1_000_000))
    assert len(await store.list_jobs(account_id(), ANY_JOB, before=None, limit=100)) == 10
