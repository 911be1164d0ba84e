"""What a `JobStore` promises to drivers: due jobs, leases. `test_stores.py` runs it over every adapter."""

import asyncio
from datetime import timedelta
from typing import Any

from reelgate_server.domain.events import Cancelled, Fallback, SubmitIntended, SubmitRefused
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import JobId, ProviderName
from reelgate_server.domain.job import Job
from tests.support.builders import NOON, after_noon, job_id
from tests.support.store_steps import Store, append, create_unpaid

FAL, VERTEX = ProviderName("fal"), ProviderName("vertex")


async def _claim(
    store: Store, owner: str, *, at: float = 0, lease: float = 30, limit: int = 10, **places: Any
) -> list[JobId]:
    """Claim `at` seconds after noon for `lease` seconds; return the ids."""
    jobs = await store.claim(owner, now=after_noon(at), lease_until=after_noon(at + lease), limit=limit, **places)
    return [job.job_id for job in jobs]


async def _create(store: Store, number: int, *, due: float, **changes: Any) -> Job:
    """Create a job that becomes due that many seconds after noon."""
    return await create_unpaid(store, number, event_time=after_noon(due), **changes)


async def _create_queue(store: Store) -> None:
    """Create jobs 1 to 6, due a second apart: the odd ones are fal's, the even ones Vertex's."""
    for number in range(1, 7):
        await _create(store, number, due=number, provider=FAL if number % 2 else VERTEX)


class ClaimContract:
    """Claiming, renewing and releasing."""

    async def test_a_new_job_is_due_at_once(self, store: Store) -> None:
        job = await create_unpaid(store)
        assert await store.claim("one", now=NOON, lease_until=after_noon(30), limit=10) == [job]

    async def test_a_job_is_not_claimed_before_it_is_due(self, store: Store) -> None:
        await _create(store, 1, due=5)
        assert await _claim(store, "one", at=4.999999) == []
        assert await _claim(store, "one", at=5) == [job_id(1)]

    async def test_the_longest_due_are_claimed_first(self, store: Store) -> None:
        for number, due in ((1, 3), (2, 1), (3, 2), (4, 0)):
            await _create(store, number, due=due)
        assert await _claim(store, "one", at=10, limit=3) == [job_id(4), job_id(2), job_id(3)]
        assert await _claim(store, "one", at=10, limit=3) == [job_id(1)]

    async def test_the_lag_is_that_of_the_longest_due_job_that_waits(self, store: Store) -> None:
        assert await store.lag(NOON) == timedelta()
        await _create(store, 1, due=3)
        await _create(store, 2, due=1)
        assert await store.lag(after_noon(0.5)) == timedelta()
        assert await store.lag(after_noon(10)) == timedelta(seconds=9)
        assert await _claim(store, "one", at=10, lease=30, limit=1) == [job_id(2)]
        assert await store.lag(after_noon(10)) == timedelta(seconds=7)
        await _claim(store, "one", at=11, lease=30, limit=1)
        assert await store.lag(after_noon(12)) == timedelta()
        # A lease that has run out makes its job wait again.
        assert await store.lag(after_noon(40)) == timedelta(seconds=39)

    async def test_the_lag_includes_jobs_that_wait_for_a_place_of_their_provider(self, store: Store) -> None:
        await _create_queue(store)
        await _claim(store, "one", at=10, provider_limit=1)
        assert await _claim(store, "one", at=10, provider_limit=1, driven={FAL: 1, VERTEX: 1}) == []
        assert await store.lag(after_noon(10)) == timedelta(seconds=7)

    async def test_a_claimed_job_is_in_its_present_state(self, store: Store) -> None:
        job = await append(store, await create_unpaid(store), SubmitIntended(event_time=after_noon(1), attempt=1))
        assert await store.claim("one", now=NOON, lease_until=after_noon(30), limit=10) == [job]

    async def test_a_claimed_job_is_not_claimed_again_while_its_lease_lasts(self, store: Store) -> None:
        await create_unpaid(store)
        assert await _claim(store, "one", lease=30) == [job_id(1)]
        assert await _claim(store, "two", at=29.999999) == []
        assert await _claim(store, "one", at=29.999999) == []

    async def test_a_job_whose_lease_has_run_out_can_be_taken_over(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one", lease=30)
        assert await _claim(store, "two", at=30) == [job_id(1)]

    async def test_a_lease_that_the_clock_set_back_made_too_long_has_run_out(self, store: Store) -> None:
        await create_unpaid(store)
        assert await _claim(store, "one", at=7200, lease=30) == [job_id(1)]
        assert await _claim(store, "two", at=3630) == []
        assert await _claim(store, "two", at=3629.999999) == [job_id(1)]

    async def test_leased_jobs_do_not_stand_in_the_way_of_others(self, store: Store) -> None:
        for number in (1, 2, 3):
            await _create(store, number, due=number)
        assert await _claim(store, "one", at=10, limit=2) == [job_id(1), job_id(2)]
        assert await _claim(store, "two", at=10, limit=2) == [job_id(3)]

    async def test_a_job_whose_provider_has_no_place_left_is_passed_over_and_keeps_its_turn(self, store: Store) -> None:
        await _create_queue(store)
        assert await _claim(store, "one", at=10, provider_limit=2, driven={FAL: 2}) == [job_id(2), job_id(4)]
        await _create(store, 7, due=0, provider=VERTEX)
        assert await _claim(store, "one", at=10, limit=4) == [job_id(7), job_id(1), job_id(3), job_id(5)]

    async def test_no_more_jobs_of_a_provider_are_claimed_than_it_has_places(self, store: Store) -> None:
        await _create_queue(store)
        assert await _claim(store, "one", at=10, provider_limit=2, driven={VERTEX: 1}) == [
            job_id(1),
            job_id(2),
            job_id(3),
        ]
        assert await _claim(store, "two", at=10, provider_limit=2) == [job_id(4), job_id(5), job_id(6)]

    async def test_a_provider_that_is_driven_beyond_its_places_has_none(self, store: Store) -> None:
        await _create_queue(store)
        assert await _claim(store, "one", at=3, provider_limit=1, driven={FAL: 2}) == [job_id(2)]

    async def test_the_longest_due_of_all_providers_are_claimed_first(self, store: Store) -> None:
        await _create_queue(store)
        assert await _claim(store, "one", at=10, limit=3, provider_limit=2) == [job_id(1), job_id(2), job_id(3)]

    async def test_leased_jobs_take_no_places_of_another_driver(self, store: Store) -> None:
        await _create_queue(store)
        assert await _claim(store, "one", at=10, provider_limit=1) == [job_id(1), job_id(2)]
        assert await _claim(store, "two", at=10, provider_limit=1) == [job_id(3), job_id(4)]

    async def test_a_job_that_has_moved_on_takes_a_place_of_its_next_provider(self, store: Store) -> None:
        following = Fallback(provider=VERTEX, render_duration=timedelta(seconds=8))
        job = await _create(store, 1, due=0, provider=FAL, fallbacks=(following,))
        fault = Fault(kind=FaultKind.UNAVAILABLE)
        refused = SubmitRefused(event_time=NOON, fault=fault, retry_time=NOON, next=following)
        await append(store, job, SubmitIntended(event_time=NOON, attempt=1), refused)
        assert await _claim(store, "one", provider_limit=1, driven={VERTEX: 1}) == []
        assert await _claim(store, "one", provider_limit=1, driven={FAL: 1}) == [job_id(1)]

    async def test_concurrent_claims_never_share_a_place(self, handles: tuple[Store, Store]) -> None:
        await asyncio.gather(*(create_unpaid(handles[0], number) for number in range(1, 51)))
        claims = await asyncio.gather(
            *(_claim(handles[each % 2], f"driver {each}", limit=7, provider_limit=5) for each in range(10))
        )
        assert sorted(each for claim in claims for each in claim) == [job_id(number) for number in range(1, 51)]
        assert {len(claim) for claim in claims} == {5}

    async def test_concurrent_claims_never_share_a_job(self, handles: tuple[Store, Store]) -> None:
        await asyncio.gather(*(create_unpaid(handles[0], number) for number in range(1, 51)))
        claims = await asyncio.gather(*(_claim(handles[each % 2], f"driver {each}", limit=7) for each in range(10)))
        claimed = [each for claim in claims for each in claim]
        assert sorted(claimed) == [job_id(number) for number in range(1, 51)]

    async def test_a_renewed_lease_lasts_longer(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one", lease=30)
        await store.renew({job_id(1): "one"}, lease_until=after_noon(60))
        assert await _claim(store, "two", at=59) == []
        assert await _claim(store, "two", at=60) == [job_id(1)]

    async def test_only_the_leases_that_are_named_are_renewed(self, store: Store) -> None:
        for number in (1, 2, 3, 4):
            await _create(store, number, due=0)
        await _claim(store, "one", lease=30, limit=3)
        await _claim(store, "two", lease=30)
        held = {job_id(1): "one", job_id(3): "one", job_id(4): "two"}
        await store.renew(held, lease_until=after_noon(60))
        assert await _claim(store, "three", at=30) == [job_id(2)]

    async def test_a_lease_that_another_owner_holds_by_now_is_not_renewed(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one", lease=30)
        await _claim(store, "two", at=30, lease=30)
        await store.renew({job_id(1): "one", job_id(2): "one"}, lease_until=after_noon(90))
        assert await _claim(store, "three", at=60) == [job_id(1)]

    async def test_renewing_never_shortens_a_lease(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one", lease=30)
        await store.renew({job_id(1): "one"}, lease_until=after_noon(10))
        assert await _claim(store, "two", at=20) == []

    async def test_renewing_without_a_lease_claims_nothing(self, store: Store) -> None:
        await create_unpaid(store)
        await store.renew({job_id(1): "one"}, lease_until=after_noon(60))
        assert await _claim(store, "two") == [job_id(1)]

    async def test_a_released_job_is_due_again_when_its_owner_said(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one")
        await store.release(job_id(1), "one", due_time=after_noon(8))
        assert await _claim(store, "two", at=7) == []
        assert await _claim(store, "two", at=8) == [job_id(1)]

    async def test_a_due_time_chosen_by_a_shorter_log_gives_way(self, store: Store) -> None:
        job = await create_unpaid(store)
        await _claim(store, "one")
        await append(store, job, Cancelled(event_time=after_noon(1)), due_time=after_noon(2))
        await store.release(job_id(1), "one", due_time=after_noon(90), expected_sequence=1)
        assert await _claim(store, "two", at=2) == [job_id(1)]

    async def test_a_due_time_chosen_by_the_present_log_counts(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one")
        await store.release(job_id(1), "one", due_time=after_noon(90), expected_sequence=1)
        assert await _claim(store, "two", at=89) == []
        assert await _claim(store, "two", at=90) == [job_id(1)]

    async def test_a_job_released_for_good_is_never_due(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one")
        await store.release(job_id(1), "one", due_time=None)
        assert await _claim(store, "two", at=1e9) == []

    async def test_only_the_owner_can_release_a_job(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one", lease=30)
        await store.release(job_id(1), "two", due_time=None)
        assert await _claim(store, "two", at=5) == []
        assert await _claim(store, "two", at=30) == [job_id(1)]

    async def test_an_owner_whose_job_was_taken_over_cannot_release_it(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one", lease=30)
        await _claim(store, "two", at=30, lease=30)
        await store.release(job_id(1), "one", due_time=NOON)
        assert await _claim(store, "three", at=59) == []

    async def test_a_job_that_nobody_holds_cannot_be_released(self, store: Store) -> None:
        await create_unpaid(store)
        await store.release(job_id(1), "one", due_time=None)
        await store.release(job_id(2), "one", due_time=NOON)
        assert await _claim(store, "two") == [job_id(1)]

    async def test_a_job_whose_claim_is_undone_is_due_since_when_it_was(self, store: Store) -> None:
        await _create_queue(store)
        assert await _claim(store, "one", at=10, limit=3) == [job_id(1), job_id(2), job_id(3)]
        await store.undo_claim(job_id(2), "one")
        assert await store.lag(after_noon(10)) == timedelta(seconds=8)
        assert await _claim(store, "two", at=10, limit=2) == [job_id(2), job_id(4)]

    async def test_only_the_owner_can_undo_a_claim(self, store: Store) -> None:
        await create_unpaid(store)
        await _claim(store, "one", lease=30)
        await store.undo_claim(job_id(1), "two")
        await store.undo_claim(job_id(2), "one")
        assert await _claim(store, "two", at=29) == []

    async def test_an_append_keeps_the_lease(self, store: Store) -> None:
        job = await create_unpaid(store)
        await _claim(store, "one", lease=30)
        await append(store, job, SubmitIntended(event_time=after_noon(1), attempt=1), due_time=after_noon(2))
        assert await _claim(store, "two", at=29) == []
        await store.release(job_id(1), "one", due_time=after_noon(3))
        assert await _claim(store, "two", at=3) == [job_id(1)]

    async def test_an_append_sets_when_the_job_is_due(self, store: Store) -> None:
        job = await create_unpaid(store)
        await append(store, job, SubmitIntended(event_time=after_noon(1), attempt=1), due_time=after_noon(20))
        assert await _claim(store, "one", at=19) == []
        assert await _claim(store, "one", at=20) == [job_id(1)]

    async def test_an_ended_job_that_is_due_never_is_not_claimed(self, store: Store) -> None:
        job = await _create(store, 1, due=0)
        await append(store, job, Cancelled(event_time=after_noon(1)), due_time=None)
        assert await _claim(store, "one", at=1e9) == []

    async def test_an_ended_job_may_be_due_once_more(self, store: Store) -> None:
        job = await _create(store, 1, due=0)
        await append(store, job, Cancelled(event_time=after_noon(1)), due_time=after_noon(1))
        assert await _claim(store, "one", at=1) == [job_id(1)]
