"""Reading: one's own jobs only, in pages that neither miss nor repeat any."""

import base64
from datetime import timedelta

import pytest

from reelgate_server.app.read_jobs import get_job, list_jobs, list_ledger
from reelgate_server.domain.errors import InvalidRequest, JobNotFound
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.store import JobFilter
from tests.support.world import Customer, World

ANY = JobFilter()
PENDING = JobFilter(states=frozenset({JobState.PENDING, JobState.SUBMITTING}))


async def _create_several(world: World, customer: Customer, count: int) -> list[str]:
    job_ids = []
    for _ in range(count):
        job_ids.append(str((await world.create(customer)).job_id))
        await world.clock.advance(timedelta(milliseconds=1))
    return job_ids


async def _token(world: World, customer: Customer, job_filter: JobFilter = ANY) -> str:
    page = await list_jobs(world.store, customer.caller, job_filter, page_size=1, page_token="")
    assert page.next_page_token
    return page.next_page_token


class TestGetJob:
    async def test_the_owner_reads_it(self, world: World, ada: Customer) -> None:
        job = await world.create(ada)
        assert await get_job(world.store, ada.account.account_id, job.job_id) == job

    async def test_a_strangers_job_and_no_job_look_the_same(self, world: World, ada: Customer, bob: Customer) -> None:
        job = await world.create(ada)
        texts = []
        for asked in (job.job_id, "01940000-0000-7000-8000-00000000ffff"):
            with pytest.raises(JobNotFound) as raised:
                await get_job(world.store, bob.account.account_id, asked)
            assert raised.value.job_id == asked
            texts.append(str(raised.value))
        assert texts == ["Job not found.", "Job not found."]

    @pytest.mark.parametrize("job_id", ["", "x", "0194", "\0", "01940000-0000-7000-8000-00000000FFFF", "x" * 5000])
    async def test_what_is_no_id_is_not_found_and_cut(self, world: World, ada: Customer, job_id: str) -> None:
        with pytest.raises(JobNotFound) as raised:
            await get_job(world.store, ada.account.account_id, job_id)
        assert raised.value.job_id == job_id[:100]


class TestListJobs:
    async def test_pages_neither_miss_nor_repeat_a_job(self, world: World, ada: Customer, bob: Customer) -> None:
        job_ids = await _create_several(world, ada, 7)
        await _create_several(world, bob, 2)
        seen: list[str] = []
        token = ""
        for size in (3, 1, 2, 1):
            page = await list_jobs(world.store, ada.caller, ANY, page_size=size, page_token=token)
            assert len(page.jobs) == size
            seen += [job.job_id for job in page.jobs]
            token = page.next_page_token
            await _create_several(world, ada, 1)
        assert (seen, token) == (job_ids[::-1], "")

    async def test_an_empty_list_is_one_empty_page(self, world: World, ada: Customer) -> None:
        page = await list_jobs(world.store, ada.caller, ANY, page_size=10, page_token="")
        assert (list(page.jobs), page.next_page_token) == ([], "")

    @pytest.mark.parametrize(("size", "expected"), [(0, 50), (1, 1), (51, 51), (999_999, 52)])
    async def test_a_size_of_zero_is_fifty(self, world: World, size: int, expected: int) -> None:
        customer = await world.join("concurred")
        await _create_several(world, customer, 52)
        page = await list_jobs(world.store, customer.caller, ANY, page_size=size, page_token="")
        assert len(page.jobs) == expected

    async def test_a_size_beyond_a_thousand_is_a_thousand(self, world: World) -> None:
        customer = await world.join("concurred")
        for _ in range(1001):
            await world.create(customer)
        page = await list_jobs(world.store, customer.caller, ANY, page_size=1001, page_token="")
        assert len(page.jobs) == 1000
        assert page.next_page_token

    async def test_a_negative_size_is_refused(self, world: World, ada: Customer) -> None:
        with pytest.raises(InvalidRequest) as raised:
            await list_jobs(world.store, ada.caller, ANY, page_size=-1, page_token="")
        assert [each.field for each in raised.value.violations] == ["page_size"]

    async def test_a_token_goes_on_where_its_own_filter_left_off(self, world: World, ada: Customer) -> None:
        await _create_several(world, ada, 3)
        token = await _token(world, ada, PENDING)
        page = await list_jobs(world.store, ada.caller, PENDING, page_size=9, page_token=token)
        assert len(page.jobs) == 2

    @pytest.mark.parametrize(
        "other", [ANY, JobFilter(states=frozenset({JobState.PENDING})), JobFilter(model="x"), JobFilter(model="")]
    )
    async def test_a_token_of_another_filter_is_refused(self, world: World, ada: Customer, other: JobFilter) -> None:
        await _create_several(world, ada, 3)
        token = await _token(world, ada, PENDING)
        with pytest.raises(InvalidRequest) as raised:
            await list_jobs(world.store, ada.caller, other, page_size=9, page_token=token)
        assert [each.field for each in raised.value.violations] == ["page_token"]

    async def test_a_token_of_another_account_or_another_list_is_refused(
        self, world: World, ada: Customer, bob: Customer
    ) -> None:
        await _create_several(world, ada, 3)
        token = await _token(world, ada)
        with pytest.raises(InvalidRequest):
            await list_jobs(world.store, bob.caller, ANY, page_size=9, page_token=token)
        with pytest.raises(InvalidRequest):
            await list_ledger(world.store, ada.caller, page_size=9, page_token=token)
        ledger = await list_ledger(world.store, ada.caller, page_size=1, page_token="")
        with pytest.raises(InvalidRequest):
            await list_jobs(world.store, ada.caller, ANY, page_size=9, page_token=ledger.next_page_token)

    async def test_every_garbled_token_is_refused(self, world: World, ada: Customer) -> None:
        await _create_several(world, ada, 2)
        token = await _token(world, ada)
        fingerprint = base64.urlsafe_b64decode(token).decode().partition(".")[0]
        forged = [
            base64.urlsafe_b64encode(f"{fingerprint}{rest}".encode()).decode()
            for rest in ("", ".", ".x", ".12", ".01940000-0000-7000-8000-00000000FFFF", ".'; DROP TABLE jobs; --")
        ]
        for garbled in [*forged, "x", "====", "\0", "🎬", "\ud800", token[:-5], token[4:], token * 2, "A" * 100_000]:
            with pytest.raises(InvalidRequest) as raised:
                await list_jobs(world.store, ada.caller, ANY, page_size=9, page_token=garbled)
            assert [each.field for each in raised.value.violations] == ["page_token"]


class TestListLedger:
    async def test_pages_neither_miss_nor_repeat_a_transfer(self, world: World, ada: Customer, bob: Customer) -> None:
        for _ in range(3):
            await world.create(ada)
            await world.create(bob)
        await world.run_due()
        expected = [transfer.transfer_id for transfer in await world.transfers(ada)][::-1]
        seen: list[str] = []
        token = ""
        for _ in range(4):
            page = await list_ledger(world.store, ada.caller, page_size=2, page_token=token)
            seen += [entry.transfer.transfer_id for entry in page.entries]
            token = page.next_page_token
        assert (seen, token) == (expected, "")
        assert len(seen) == 7

    async def test_a_negative_size_is_refused(self, world: World, ada: Customer) -> None:
        with pytest.raises(InvalidRequest):
            await list_ledger(world.store, ada.caller, page_size=-1, page_token="")
