"""A world in which everything that may go wrong does, in an order that one seed decides."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from reelgate_server.adapters.feed.local import LocalSubscription
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.errors import (
    InsufficientBalance,
    JobNotCancellable,
    ServerStopping,
    StoreContended,
    StoreUnavailable,
)
from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job
from reelgate_server.ports.provider import RenderOrder, TaskFailed, TaskState
from tests.domain.builders import CATALOGUE
from tests.simulation.invariants import Invariants
from tests.support.clock import ManualClock, settle
from tests.support.fake_provider import FakeProvider
from tests.support.interpose import interpose
from tests.support.world import Customer, World

REFUSING = (FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.TIMEOUT, FaultKind.REJECTED, FaultKind.INVALID)
DEADLINE = timedelta(minutes=3)
"""Of every model here; shorter than in the catalogue, or most of a run would be idle polling."""
MODELS = {"fal/kling-2": 4, "kling-3-pro": 2, "local/storyboard": 3}
"""With the weights by which they are chosen."""
PLANS = {"default": 2_000_000, "patient": 2_000_000, "geekhub": 1_000_000, "concurred": 0}
"""With what their customers start with; so little that creates compete for it."""


class Disorder:
    """Chance. It rests when it is told to."""

    def __init__(self, seed: int) -> None:
        """Begin the sequence of `seed`."""
        self.random = Random(seed)  # noqa: S311 (repeatable on purpose)
        self.is_calm = False

    def happens(self, probability: float) -> bool:
        """Draw; never while it is calm."""
        return not self.is_calm and self.random.random() < probability

    async def dawdle(self) -> None:
        """Let others run for some turns of the event loop."""
        for _ in range(0 if self.is_calm else self.random.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)

    async def around(self, _name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """A store's call: late, failing before it is done, or done and failing all the same."""
        await self.dawdle()
        if self.happens(0.03):
            raise StoreUnavailable
        answer = await call()
        await self.dawdle()
        if self.happens(0.03):
            raise StoreUnavailable
        return answer


class UnreliableFeed:
    """Hints come, or come later, or never, and some come of nothing; always in the order of subscribing."""

    def __init__(self, clock: ManualClock, disorder: Disorder) -> None:
        """Start without subscribers."""
        self._clock = clock
        self._disorder = disorder
        self._by_job: defaultdict[JobId, list[LocalSubscription]] = defaultdict(list)
        self._due: list[LocalSubscription] = []
        self._late: list[LocalSubscription] = []

    def publish(self, job_id: JobId, *, is_due: bool = False) -> None:
        for subscription in [*self._by_job[job_id], *(self._due if is_due else [])]:
            if self._disorder.happens(0.2):
                continue
            if self._disorder.happens(0.3):
                self._late.append(subscription)
            else:
                subscription.hint()

    def deliver_late(self) -> None:
        """Let what was held back come now."""
        for subscription in self._late:
            subscription.hint()
        self._late.clear()

    def wake_all(self) -> None:
        for subscriptions in (*self._by_job.values(), self._due):
            for subscription in subscriptions:
                subscription.hint()

    @contextmanager
    def subscribe(self, job_id: JobId) -> Iterator[LocalSubscription]:
        with self._member(self._by_job[job_id]) as subscription:
            yield subscription

    @contextmanager
    def subscribe_due(self) -> Iterator[LocalSubscription]:
        with self._member(self._due) as subscription:
            yield subscription

    @contextmanager
    def _member(self, subscribers: list[LocalSubscription]) -> Iterator[LocalSubscription]:
        subscription = LocalSubscription(self._clock)
        subscribers.append(subscription)
        try:
            yield subscription
        finally:
            subscribers.remove(subscription)


class ChaoticProvider(FakeProvider):
    """Slow, refusing, forgetful; remembers what became of each submit."""

    def __init__(self, name: str, clock: ManualClock, disorder: Disorder, *, is_idempotent: bool) -> None:
        """Begin without tasks."""
        super().__init__(name, is_idempotent=is_idempotent)
        self._clock = clock
        self._disorder = disorder
        self.submits: defaultdict[JobId, list[str]] = defaultdict(list)
        """For each job, in order: `refused` if the provider surely did not take it, otherwise `open`."""

    async def submit(self, order: RenderOrder) -> Task:
        outcomes = self.submits[order.job_id]
        outcomes.append("open")
        place = len(outcomes) - 1
        await self._dawdle()
        if self._disorder.happens(0.15):
            outcomes[place] = "refused"
            raise ProviderFault(self._fault())
        self.progress_steps = [self._disorder.random.randrange(100) for _ in range(self._disorder.random.randrange(4))]
        # Some renders never end.
        self.is_held = self._disorder.happens(0.06)
        task = await super().submit(order)
        await self._dawdle()
        if self._disorder.happens(0.08):
            raise ProviderFault(Fault(kind=FaultKind.TIMEOUT, is_maybe_accepted=True))
        if self._disorder.happens(0.02):
            message = "a bug in the adapter"
            raise ZeroDivisionError(message)
        return task

    async def poll(self, task: Task) -> TaskState:
        await self._dawdle()
        if self._disorder.happens(0.1):
            raise ProviderFault(self._fault())
        if self._disorder.happens(0.02) and task.task_id in self.tasks:
            self.forget(task.task_id)
        if self._disorder.happens(0.03):
            return TaskFailed(failure=JobFailure(code=FailureCode.REJECTED, message="No."))
        return await super().poll(task)

    async def cancel(self, task: Task) -> None:
        await self._dawdle()
        if self._disorder.happens(0.2):
            raise ProviderFault(self._fault())
        await super().cancel(task)

    async def _dawdle(self) -> None:
        await self._disorder.dawdle()
        if self._disorder.happens(0.1):
            # Beyond the lease, now and then.
            await self._clock.sleep(timedelta(seconds=self._disorder.random.randrange(25)))

    def _fault(self) -> Fault:
        random = self._disorder.random
        retry_after = timedelta(seconds=random.randrange(60)) if random.random() < 0.3 else None
        return Fault(kind=random.choice(REFUSING), retry_after=retry_after)


class Chaos:
    """Customers, two workers, watchers, and what befalls them."""

    def __init__(self, seed: int) -> None:
        """Wire everything to one seed."""
        self.disorder = Disorder(seed)
        self.random = self.disorder.random
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.feed = UnreliableFeed(self.clock, self.disorder)
        self.fal = ChaoticProvider("fal", self.clock, self.disorder, is_idempotent=False)
        self.local = ChaoticProvider("local", self.clock, self.disorder, is_idempotent=True)
        self.world = World(
            store=interpose(self.store, self.disorder.around),
            feed=self.feed,
            clock=self.clock,
            providers=[self.fal, self.local],
            catalogue=Catalogue(replace(model, deadline=DEADLINE) for model in CATALOGUE.all()),
            seed=seed,
        )
        self.steady = World(store=self.store, clock=self.clock, providers=[], seed=seed + 1)
        """The same store without faults, to begin with and to look at."""
        self.customers: list[Customer] = []
        self.watchers: dict[JobId, list[int]] = {}
        """The sequences that the watcher of a job has seen."""
        self.invariants = Invariants(self.store, self.fal)
        self._workers: list[asyncio.Task[None]] = []
        self._worker_count = 0
        self._create_count = 0

    async def run(self, step_count: int) -> None:
        """Do so many things, checking after each; then let all calm down, and check the end."""
        for plan, micros in PLANS.items():
            self.customers.append(await self.steady.join(plan, micros=micros))
        self.invariants.watch_over(self.customers)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                self._start_worker(group)
            for _ in range(step_count):
                await self._step(group)
                await self.invariants.check()
            self.disorder.is_calm = True
            self.world.media.put_fault_count = 0
            self.feed.deliver_late()
            # Longer than any deadline, any back-off, and any lease.
            for _ in range(10):
                await self.clock.advance(DEADLINE / 5)
                await self.invariants.check()
            for worker in self._workers:
                worker.cancel()
        await self.invariants.check_end(self.clock.now())
        await self._check_watchers()

    async def _step(self, group: asyncio.TaskGroup) -> None:
        action = self.random.choices(
            (self._create, self._cancel, self._intrude, self._advance, self._crash, self._hint, self._watch),
            weights=(6, 2, 1, 8, 1, 2, 1),
        )[0]
        await action(group)
        if self.random.random() < 0.5:
            await settle()
        else:
            for _ in range(self.random.randrange(10)):
                await asyncio.sleep(0)

    async def _create(self, group: asyncio.TaskGroup) -> None:
        for _ in range(self.random.randrange(1, 4)):
            group.create_task(self._create_one(self.random.choice(self.customers)))

    async def _create_one(self, customer: Customer) -> None:
        self._create_count += 1
        key = f"order-{self._create_count}"
        model = self.random.choices(list(MODELS), weights=list(MODELS.values()))[0]
        while True:
            try:
                job = await self.world.create(customer, idempotency_key=key, model=model)
            except StoreUnavailable:
                # As a client does who was told nothing: the same again.
                await self.clock.sleep(timedelta(seconds=1))
            except InsufficientBalance:
                return
            else:
                self.invariants.accept(job.job_id, key)
                return

    async def _cancel(self, group: asyncio.TaskGroup) -> None:
        if (job := await self._any_job()) is not None:
            group.create_task(self._cancel_one(job))

    async def _cancel_one(self, job: Job) -> None:
        customer = next(each for each in self.customers if each.account.account_id == job.account_id)
        with suppress(JobNotCancellable, StoreUnavailable, StoreContended):
            await cancel_job(self.world.recorder, customer.caller, job.job_id)

    async def _intrude(self, group: asyncio.TaskGroup) -> None:
        """Somebody who believes to hold a job drives it too."""
        if (job := await self._any_job()) is not None:
            group.create_task(self._intrude_one(job))

    async def _intrude_one(self, job: Job) -> None:
        with suppress(StoreUnavailable, ZeroDivisionError):
            await self.world.drive(job, "intruder")

    async def _advance(self, _group: asyncio.TaskGroup) -> None:
        await self.clock.advance(timedelta(seconds=self.random.choice((0.1, 1, 3, 10, 30))))

    async def _crash(self, group: asyncio.TaskGroup) -> None:
        """A worker dies wherever it is, and another is started."""
        worker = self._workers.pop(self.random.randrange(2))
        worker.cancel()
        self._start_worker(group)

    def _start_worker(self, group: asyncio.TaskGroup) -> None:
        self._worker_count += 1
        worker = self.world.worker(f"worker-{self._worker_count}", concurrency=self.random.randrange(1, 6))
        self._workers.append(group.create_task(worker.run()))

    async def _hint(self, _group: asyncio.TaskGroup) -> None:
        self.feed.deliver_late()
        self.world.media.put_fault_count += self.random.randrange(2)
        if (job := await self._any_job()) is not None:
            self.feed.publish(job.job_id, is_due=True)

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        job = await self._any_job()
        if job is not None and job.job_id not in self.watchers:
            self.watchers[job.job_id] = []
            group.create_task(self._watch_one(job))

    async def _watch_one(self, job: Job) -> None:
        """Follow a job to its end, resuming whenever the stream breaks off."""
        seen = self.watchers[job.job_id]
        while True:
            try:
                updates = self.world.watch(job.account_id, job.job_id, after=seen[-1] if seen else 0)
                async with aclosing(updates):
                    async for update in updates:
                        if update.logged is not None:
                            seen.append(update.sequence)
            except (StoreUnavailable, ServerStopping):
                await self.clock.sleep(timedelta(seconds=1))
            else:
                return

    async def _any_job(self) -> Job | None:
        jobs = await self.invariants.jobs()
        return self.random.choice(jobs) if jobs else None

    async def _check_watchers(self) -> None:
        for job_id, seen in self.watchers.items():
            job = await self.store.load_job(job_id)
            assert seen == list(range(1, job.sequence + 1)), f"the watcher of {job_id} saw {seen}"

    async def trace(self) -> list[tuple[str, datetime]]:
        """Everything that was recorded, to compare two runs."""
        return [
            (type(logged.event).__name__, logged.event.event_time)
            for job in await self.invariants.jobs()
            for logged in await self.store.events_after(job.job_id, 0)
        ]
