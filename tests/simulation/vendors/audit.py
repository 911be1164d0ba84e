"""What must be true of every job, whatever went wrong: at any moment, and in the end."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from reelgate_server.domain.accounts import AmbiguousSubmit, BillingPolicy
from reelgate_server.domain.events import (
    Cancelled,
    Failed,
    FailureCode,
    JobEvent,
    SubmitIntended,
    SubmitRefused,
    Submitted,
    SubmitUnanswered,
)
from reelgate_server.domain.faults import FaultKind
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.ledger import Transfer, TransferKind, balances
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.retry import SUBMIT_ATTEMPT_COUNT_MAX
from reelgate_server.ports.store import JobFilter
from reelgate_simulators.base import Render, RenderState
from tests.simulation.vendors.bad_days import FALSE
from tests.simulation.vendors.studio import Studio, end_of, prompt_in
from tests.simulation.vendors.wishes import MISSING_URL, Wish, number_in
from tests.support.media import MemoryMediaStore
from tests.support.store_steps import Store
from tests.support.world import Customer

SLACK: Final = timedelta(minutes=3)
"""Before its deadline, within which a job may lack the time for all the looks that its bad day costs."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A job, and what is known of it inside and outside."""

    wish: Wish
    job: Job
    log: tuple[JobEvent, ...]
    renders: tuple[tuple[str, Render[Any]], ...]
    """What was accepted for it, and by which provider."""
    submit_count: int
    """Requests to make something for it, accepted or not."""

    @property
    def was_cancelled(self) -> bool:
        """Its customer ended it."""
        return self.job.state is JobState.CANCELLED

    @property
    def own_render(self) -> Render[Any] | None:
        """The render that it follows."""
        task = self.job.task
        return next((each for _, each in self.renders if task is not None and each.id == task.task_id), None)

    def count(self, kind: type[JobEvent]) -> int:
        """How often something happened."""
        return sum(isinstance(event, kind) for event in self.log)


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
            _check_submits(case)
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
            _check_outcome(case)
            self._check_video(case)
            self._check_webhook(case)
        _check_charges(transfers, [case.job for case in cases])
        stored = {case.job.media.object_name for case in cases if case.job.media is not None}
        assert {name for name in self.media.files if name.endswith(".mp4")} == stored
        for arrival in self.studio.doorstep.arrivals:
            is_false = self.studio.webhooks.ways[arrival.request_id] in FALSE
            assert arrival.code != 500
            assert arrival.code != (200 if is_false else 401), arrival
        return cases

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


def _check_submits(case: Case) -> None:
    """Nobody makes for a job twice, unless its plan says so and an answer was lost."""
    job, providers = case.job, {provider for provider, _ in case.renders}
    unanswered_count = case.count(SubmitUnanswered)
    allowed = 2 if job.ambiguous_submit is AmbiguousSubmit.RETRY and unanswered_count else 1
    assert len(case.renders) <= allowed, f"{job.job_id} was accepted {len(case.renders)} times: {case.log}"
    assert len(providers) <= 1 or unanswered_count, f"{job.job_id} was accepted by {providers}"
    intents = [event.attempt for event in case.log if isinstance(event, SubmitIntended)]
    assert intents == list(range(1, len(intents) + 1)), f"{job.job_id}: attempts {intents}"
    throttled_count = sum(_is_throttling(event) for event in case.log)
    assert len(intents) <= SUBMIT_ATTEMPT_COUNT_MAX + throttled_count, f"{job.job_id}: {case.log}"
    assert case.submit_count <= len(intents), f"{job.job_id} was sent {case.submit_count} times, {case.log}"
    assert unanswered_count <= allowed
    outcomes = case.count(SubmitRefused) + unanswered_count + case.count(Submitted)
    # The last may be under way, or was broken off by an end; and a webhook may tell of one that was not answered.
    assert len(intents) - 1 <= outcomes <= len(intents) + 1, f"{job.job_id}: {case.log}"


def _is_throttling(event: JobEvent) -> bool:
    return isinstance(event, SubmitRefused) and event.fault.kind is FaultKind.THROTTLED


def _check_outcome(case: Case) -> None:
    """A job ended as its render did, or for a reason of its own."""
    job, render, prompt = case.job, case.own_render, case.wish.prompt
    is_harmless = "[" not in prompt or "[slow]" in prompt
    if job.state is JobState.SUCCEEDED:
        assert render is not None
        assert render.state is RenderState.SUCCEEDED
        assert is_harmless
    if job.task is not None:
        assert render is not None, f"{job.job_id} follows a task that nobody made for it"
        is_early = render.is_ended and end_of(render) <= job.expire_time - SLACK
        is_followed = job.submit_time is not None and job.submit_time <= job.expire_time - SLACK
        if render.state is RenderState.SUCCEEDED:
            lost = job.state not in {JobState.SUCCEEDED, JobState.CANCELLED}
            assert job.state is not JobState.FAILED, f"{job.job_id} failed though its render did not: {job.failure}"
            assert not (lost and is_early and is_followed), f"{job.job_id} is {job.state}: {case.log}"
        if job.state in {JobState.CANCELLED, JobState.EXPIRED} and job.provider in {"fal", "vllm_omni"}:
            assert render.is_ended, f"{job.job_id} renders for nobody"
    if job.state is JobState.FAILED:
        _check_failure(case)
    assert (job.state is JobState.CANCELLED) == (case.count(Cancelled) == 1)


def _check_failure(case: Case) -> None:
    """A customer is not told of a bad day what is not true of what they asked for."""
    job, failure = case.job, case.job.failure
    assert failure is not None
    prompt, image_url = case.wish.prompt, case.wish.fields.get("image_url")
    match failure.code:
        case FailureCode.REJECTED:
            assert "[reject]" in prompt or "[filter]" in prompt, f"{job.job_id}: {failure}"
        case FailureCode.IMAGE_UNUSABLE:
            assert image_url == MISSING_URL, f"{job.job_id}: {case.log[1:]}"
        case FailureCode.SUBMIT_UNANSWERED:
            assert isinstance(case.log[-2], SubmitUnanswered), f"{job.job_id}: {case.log}"
        case FailureCode.PROVIDER_ERROR if job.task is None:
            assert isinstance(case.log[-2], SubmitRefused | SubmitUnanswered), f"{job.job_id}: {case.log}"
        case FailureCode.PROVIDER_ERROR:
            assert case.own_render is not None
            assert case.own_render.state is RenderState.FAILED, f"{job.job_id}: {failure}"
        case _:
            raise AssertionError(f"{job.job_id}: {failure}")


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


def outcomes_of(case: Case) -> Iterator[str]:
    """What happened to a job, in words that a run can be asked for."""
    yield case.job.state.value
    if case.job.failure is not None:
        yield f"failed: {case.job.failure.code}"
    names = [type(event) for event in case.log]
    has_refusal = any(isinstance(event, SubmitRefused) and event.next is not None for event in case.log)
    if has_refusal and case.job.state is JobState.SUCCEEDED:
        yield "failed over"
    if (SubmitUnanswered, Submitted) in pairwise(names):
        yield "recovered by webhook"
    if len(case.renders) > 1:
        yield "made twice"
    if SubmitUnanswered in names and case.job.state is JobState.SUCCEEDED:
        yield "succeeded in spite of a lost answer"
    if Failed in names and case.renders and case.job.task is None:
        yield "made for nobody"
