"""What holds at every moment, whatever goes wrong, and what holds at the end."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy
from reelgate_server.domain.catalogue import Catalogue, Model
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.ledger import Transfer, TransferKind, balances
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.spec import whole_seconds
from reelgate_server.ports.store import JobFilter
from tests.simulation.providers import Attempts, ChaoticProvider
from tests.support.media import MemoryMediaStore
from tests.support.store_steps import Store
from tests.support.world import Customer

ANY = JobFilter()


LOST = "The provider has lost the job."


class Invariants:
    """Looks at the store and at the providers themselves, past all faults."""

    def __init__(
        self,
        store: Store,
        media: MemoryMediaStore,
        catalogue: Catalogue,
        providers: Sequence[ChaoticProvider],
        attempts: Attempts,
    ) -> None:
        """Take what is looked at."""
        self._store = store
        self._media = media
        self._catalogue = catalogue
        self._providers = {provider.name: provider for provider in providers}
        self._attempts = attempts
        self._customers: Sequence[Customer] = ()
        self._checked: dict[JobId, Job] = {}
        self._accepted: dict[str, JobId] = {}

    def watch_over(self, customers: Sequence[Customer]) -> None:
        """Take whose jobs they are."""
        self._customers = customers

    def accept(self, job_id: JobId, idempotency_key: str) -> None:
        """Remember that a client was told of this job."""
        self._accepted[idempotency_key] = job_id

    async def jobs(self) -> list[Job]:
        """Every job, newest first within each account."""
        return [
            job
            for customer in self._customers
            for job in await self._store.list_jobs(customer.account.account_id, ANY, before=None, limit=10_000)
        ]

    async def check(self) -> None:
        """What holds at every moment."""
        jobs = await self.jobs()
        for job in jobs:
            before = self._checked.get(job.job_id)
            if before == job:
                continue
            assert before is None or not before.is_terminal, f"{job.job_id} left its end"
            await self._check_log(job)
            self._check_task(job)
            self._checked[job.job_id] = job
        self._check_submits(jobs)
        transfers = await self._transfers()
        self._check_ledger(transfers, jobs)
        self._check_charges(transfers, jobs)

    async def check_end(self, now: datetime) -> None:
        """What holds when all has calmed down."""
        await self.check()
        jobs = {job.job_id: job for job in await self.jobs()}
        transfers = await self._transfers()
        for key, job_id in self._accepted.items():
            assert job_id in jobs, f"{key} was accepted and is lost"
            assert jobs[job_id].idempotency_key == key
        assert len({job.idempotency_key for job in jobs.values()}) == len(jobs), "one request made two jobs"
        for job in jobs.values():
            assert job.is_terminal, f"{job.job_id} is stuck in {job.state}"
        # The image of a create that the store did not answer is left alone: its job may have been recorded.
        files = {name for name in self._media.files if JobId(name.split("/")[2]) in jobs}
        stored = {job.media.object_name for job in jobs.values() if job.media is not None}
        assert files == stored, f"left behind, or not paid for: {files - stored}; lost: {stored - files}"
        assert all(balance.held.amount_micros == 0 for balance in balances(transfers).values()), "a hold was left"
        due = await self._store.claim("end", now=now + timedelta(days=1), lease_until=now, limit=10_000)
        assert due == [], f"ended jobs are due: {[job.job_id for job in due]}"

    async def _check_log(self, job: Job) -> None:
        log = await self._store.events_after(job.job_id, 0)
        assert [each.sequence for each in log] == list(range(1, len(log) + 1)), f"{job.job_id} has a gap in its log"
        assert fold(each.event for each in log) == job, f"{job.job_id} is not what its log adds up to"

    def _check_task(self, job: Job) -> None:
        """A job follows a task of its own, of the provider that it names, in the length that this provider renders."""
        route = self._model(job).route(job.provider)
        assert route is not None
        seconds = whole_seconds(job.spec.clip_duration)
        assert whole_seconds(job.spec.render_duration) == route.render_duration_s(seconds, job.spec.resolution)
        provider = self._providers[job.provider]
        if job.task is not None:
            owner = provider.owners.get(job.task.task_id)
            assert owner in {job.job_id, None}, f"{job.job_id} follows the task of {owner}"
            assert any(each.provider == job.provider and not each.is_refused for each in self._attempts[job.job_id])
        if job.failure is not None and job.failure.message == LOST:
            assert job.task is not None
            count = provider.unknown_counts[job.task.task_id]
            assert count >= 3, f"{job.job_id} was given up after {count} answers that there is no such task"

    def _check_submits(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            attempts = self._attempts.get(job.job_id, [])
            for place, attempt in enumerate(attempts):
                earlier = attempts[:place]
                for each in earlier:
                    assert each.provider == attempt.provider or each.is_refused, (
                        f"{job.job_id} went on to {attempt.provider}, though {each.provider} may have taken it"
                    )
            may_have_been_taken = [not each.is_refused for each in attempts if not each.is_idempotent]
            allowed = 1 if job.ambiguous_submit is AmbiguousSubmit.FAIL else 2
            count = sum(may_have_been_taken)
            assert count <= allowed, f"{job.job_id} was sent {count} times that may have been taken"
            if job.ambiguous_submit is AmbiguousSubmit.FAIL:
                assert not any(may_have_been_taken[:-1]), f"{job.job_id} was sent again after {attempts}"

    def _check_charges(self, transfers: Sequence[Transfer], jobs: Sequence[Job]) -> None:
        """Whoever has a video has paid its price, once, and nobody else has paid anything."""
        posts = sorted(
            (each.job_id or "", each.amount.amount_micros, each.amount.currency)
            for each in transfers
            if each.kind is TransferKind.POST
        )
        prices = sorted(
            (job.job_id, job.quote.price.amount_micros, job.quote.price.currency)
            for job in jobs
            if job.state is JobState.SUCCEEDED and job.billing is not BillingPolicy.UNMETERED
        )
        assert posts == prices, f"charged: {posts}; to be charged: {prices}"

    def _check_ledger(self, transfers: Sequence[Transfer], jobs: Sequence[Job]) -> None:
        by_account = balances(transfers)
        posted: Counter[str] = Counter()
        held: Counter[str] = Counter()
        for balance in by_account.values():
            posted[balance.posted.currency] += balance.posted.amount_micros
            held[balance.held.currency] += balance.held.amount_micros
        assert set(posted.values()) == {0}, f"posted amounts do not sum to zero: {posted}"
        assert set(held.values()) == {0}, f"held amounts do not sum to zero: {held}"
        resolved = Counter(each.hold_id for each in transfers if each.hold_id is not None)
        assert not resolved or max(resolved.values()) == 1, "a hold was resolved twice"
        settled = Counter(each.job_id for each in transfers if each.kind in {TransferKind.POST, TransferKind.VOID})
        assert not settled or max(settled.values()) == 1, "a job was settled twice"
        ended = {job.job_id for job in jobs if job.is_terminal}
        assert set(settled) <= ended, "a job was settled before its end"
        for customer in self._customers:
            balance_of = by_account.get(customer.account.account_id)
            if balance_of is not None and customer.caller.plan.billing is BillingPolicy.HOLD:
                assert balance_of.available.amount_micros >= 0, f"{customer.account.name} owes {balance_of}"

    def _model(self, job: Job) -> Model:
        model = self._catalogue.row(job.spec.model)
        assert model is not None
        return model

    async def _transfers(self) -> list[Transfer]:
        entries = await self._store.list_transfers(None, before=None, limit=100_000)
        return [entry.transfer for entry in entries]
