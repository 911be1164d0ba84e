"""What must be true of every job, whatever went wrong: at any moment, and in the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from reelgate_server.domain.accounts import BillingPolicy
from reelgate_server.domain.events import SubmitUnanswered
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.ledger import Transfer, TransferKind, balances
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.store import JobFilter
from reelgate_simulators.base import Render, RenderState
from tests.simulation.vendors.bad_days import FALSE
from tests.simulation.vendors.case import Case
from tests.simulation.vendors.rules import SLACK, check_outcome, check_submits
from tests.simulation.vendors.studio import Studio, prompt_in
from tests.simulation.vendors.wishes import Wish, number_in
from tests.support.media import MemoryMediaStore
from tests.support.store_steps import Store
from tests.support.world import Customer


@dataclass(kw_only=True)
class Audit:
    """Looks at the store, the media and the simulators themselves."""

    store: Store
    studio: Studio
    media: MemoryMediaStore
    wishes: Mapping[JobId, Wish]
    """By the job that each became."""
    customers: Sequence[Customer]
    _ended: dict[JobId, Job] = field(default_factory=dict)

    async def jobs(self) -> list[Job]:
        """Every job there is."""
        return [
            job
            for customer in self.customers
            for job in await self.store.list_jobs(customer.account.account_id, JobFilter(), before=None, limit=10_000)
        ]

    async def cases(self) -> list[Case]:
        """Every job whose customer was told of it."""
        renders: defaultdict[int, list[tuple[str, Render[Any]]]] = defaultdict(list)
        for provider, render in self.studio.renders():
            renders[number_in(prompt_in(render.request))].append((provider, render))
        submits = Counter(number_in(prompt) for _, prompt in self.studio.submits())
        cases: list[Case] = []
        for job in await self.jobs():
            wish = self.wishes.get(job.job_id)
            if wish is not None:
                log = await self.store.events_after(job.job_id, 0)
                assert [each.sequence for each in log] == list(range(1, len(log) + 1)), f"{job.job_id}: a gap"
                case = Case(
                    wish=wish,
                    job=job,
                    log=tuple(each.event for each in log),
                    renders=tuple(renders[wish.number]),
                    submit_count=submits[wish.number],
                )
                cases.append(case)
        return cases

    async def check(self) -> list[Case]:
        """What holds at every moment; the jobs may move on meanwhile."""
        cases = await self.cases()
        for case in cases:
            before = self._ended.get(case.job.job_id)
            assert before is None or before == case.job, f"{case.job.job_id} left its end"
            if case.job.is_terminal:
                self._ended[case.job.job_id] = case.job
            check_submits(case)
        transfers = await self._transfers()
        _check_sums(transfers, self.customers)
        return cases

    async def check_end(self) -> list[Case]:
        """What holds when every job has ended and nobody works any more."""
        cases, transfers = await self.check(), await self._transfers()
        assert len(cases) == len(self.wishes) == len(await self.jobs()), "a job is lost, or was made twice"
        for case in cases:
            assert fold(case.log) == case.job, f"{case.job.job_id} is not what its log adds up to"
            assert case.job.is_terminal, f"{case.job.job_id} is stuck in {case.job.state}"
            assert case.job.idempotency_key == case.wish.key
            check_outcome(case)
            self._check_video(case)
            self._check_webhook(case)
        _check_charges(transfers, [case.job for case in cases])
        self._check_files(cases)
        for arrival in self.studio.doorstep.arrivals:
            is_false = self.studio.webhooks.ways[arrival.request_id] in FALSE
            assert arrival.code != 500
            assert arrival.code != (200 if is_false else 401), arrival
        return cases

    def _check_files(self, cases: Sequence[Case]) -> None:
        """Nothing is kept but the videos of those who succeeded."""
        stored = {case.job.media.object_name for case in cases if case.job.media is not None}
        # A process that dies in the middle of a create leaves an image of a job that never was.
        kept = {name for name in self.media.files if name.endswith(".mp4") or name.split("/")[2] in self.wishes}
        assert kept == stored, f"left behind: {kept - stored}; lost: {stored - kept}"

    def _check_video(self, case: Case) -> None:
        """Whoever succeeded has the video of their own render, whole."""
        media = case.job.media
        assert (media is not None) == (case.job.state is JobState.SUCCEEDED)
        if media is not None:
            render = case.own_render
            assert render is not None, f"{case.job.job_id} has somebody else's video"
            provider = self.studio.providers()[case.job.provider]
            content, _ = self.media.files[media.object_name]
            assert content == provider.video_of(render), f"{case.job.job_id}: another video, or a part"
            assert (media.size_bytes, media.sha256) == (len(content), sha256(content).hexdigest())

    def _check_webhook(self, case: Case) -> None:
        """A webhook that was taken in time saves a job whose submit was never answered."""
        arrivals = [
            each
            for each in self.studio.doorstep.arrivals
            if each.job_id == case.job.job_id and each.code == 200 and each.time <= case.job.expire_time - SLACK
        ]
        told = {each.request_id for each in arrivals}
        succeeded = {each.id for _, each in case.renders if each.state is RenderState.SUCCEEDED}
        if case.count(SubmitUnanswered) and told & succeeded and not case.was_cancelled:
            assert case.job.state is JobState.SUCCEEDED, f"{case.job.job_id} was announced, and is {case.job.state}"

    async def _transfers(self) -> list[Transfer]:
        entries = await self.store.list_transfers(None, before=None, limit=100_000)
        return [entry.transfer for entry in entries]


def _check_sums(transfers: Sequence[Transfer], customers: Sequence[Customer]) -> None:
    by_account = balances(transfers)
    posted: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for balance in by_account.values():
        posted[balance.posted.currency] += balance.posted.amount_micros
        held[balance.held.currency] += balance.held.amount_micros
    assert set(posted.values()) == {0}, f"posted amounts do not sum to zero: {posted}"
    assert set(held.values()) == {0}, f"held amounts do not sum to zero: {held}"
    for customer in customers:
        balance_of = by_account.get(customer.account.account_id)
        if balance_of is not None and customer.caller.plan.billing is BillingPolicy.HOLD:
            assert balance_of.available.amount_micros >= 0, f"{customer.account.name} owes {balance_of}"


def _check_charges(transfers: Sequence[Transfer], jobs: Sequence[Job]) -> None:
    """The posts are the prices of the jobs that succeeded, each once; every other hold was released."""
    charged = {job.job_id: job.quote.price for job in jobs if _is_charged(job)}
    posts = [each for each in transfers if each.kind is TransferKind.POST]
    assert len(posts) == len(charged)
    assert {each.job_id: each.amount for each in posts} == charged
    for currency in {price.currency for price in charged.values()}:
        total = sum(each.amount.amount_micros for each in posts if each.amount.currency == currency)
        assert total == sum(each.amount_micros for each in charged.values() if each.currency == currency)
    holds = {each.transfer_id for each in transfers if each.kind is TransferKind.HOLD}
    assert len(holds) == sum(job.billing is BillingPolicy.HOLD for job in jobs)
    settled = [each.hold_id for each in transfers if each.hold_id is not None]
    assert sorted(settled) == sorted(holds), "a hold was left, or resolved twice"


def _is_charged(job: Job) -> bool:
    return job.state is JobState.SUCCEEDED and job.billing is not BillingPolicy.UNMETERED
