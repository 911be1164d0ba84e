"""A world in which everything that may go wrong does, in an order that one seed decides."""

import asyncio
from base64 import b64encode
from collections import defaultdict
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.domain.catalogue import Catalogue, Model
from reelgate_server.domain.errors import (
    InsufficientBalance,
    JobNotCancellable,
    JobNotFound,
    MediaUnavailable,
    ProviderUnavailable,
    ServerStopping,
    StoreContended,
    StoreUnavailable,
    WebhookRejected,
)
from reelgate_server.domain.ids import JobId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.ports.webhooks import Webhook
from tests.domain.builders import CATALOGUE, a_route
from tests.simulation.disorder import Disorder, UnreliableFeed
from tests.simulation.invariants import Invariants
from tests.simulation.providers import Attempt, ChaoticProvider, ChaoticWebhooks
from tests.support.clock import ManualClock, settle
from tests.support.interpose import interpose
from tests.support.media import MemoryMediaStore
from tests.support.world import Customer, World

DEADLINE = timedelta(minutes=3)
"""Of every model here; shorter than in the catalogue, or most of a run would be idle polling."""
TYPICAL_RENDER_TIME = timedelta(seconds=20)
"""The same."""
MODELS = {"fal/kling-2": 3, "kling-3-pro": 3, "veo-3": 4, "local/storyboard": 2}
"""With the weights by which they are chosen."""
EXTRA_ROUTES = {
    "kling-3-pro": (
        a_route(provider=ProviderName("vertex"), render_durations_s=(4, 10)),
        a_route(provider=ProviderName("local"), render_durations_s=(6, 10)),
    )
}
"""Besides those of the catalogue, in which Veo 3 goes from Vertex AI to fal."""
CUSTOMERS = (
    ("default", 2_000_000),
    ("patient", 3_000_000),
    ("patient", 3_000_000),
    ("geekhub", 1_000_000),
    ("concurred", 0),
)
"""Their plans, and what they start with; so little that creates compete for it."""
WEBHOOK_COUNT_MAX = 5
"""How often a webhook is sent that was not taken."""


class Chaos:
    """Customers, two workers, watchers, providers, and what befalls them."""

    def __init__(self, seed: int, *, wealth: int = 1) -> None:
        """Wire everything to one seed; customers start with `wealth` times what is usual."""
        self.disorder = Disorder(seed)
        self.random = self.disorder.random
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.feed = UnreliableFeed(self.clock, self.disorder)
        self.media = MemoryMediaStore()
        attempts: defaultdict[JobId, list[Attempt]] = defaultdict(list)
        self.fal = ChaoticProvider("fal", self.clock, self.disorder, attempts, announces_tasks=True)
        self.vertex = ChaoticProvider("vertex", self.clock, self.disorder, attempts, can_cancel=False)
        self.local = ChaoticProvider("local", self.clock, self.disorder, attempts, is_idempotent=True)
        self.providers = [self.fal, self.vertex, self.local]
        self.webhooks = ChaoticWebhooks(self.fal, self.disorder)
        self.catalogue = Catalogue(_hastened(model) for model in CATALOGUE.all() if model.model_id in MODELS)
        self._seed = seed
        self._wealth = wealth
        self._start_count = 0
        self.world = self._start()
        self.steady = World(store=self.store, clock=self.clock, providers=[], seed=seed)
        """The same store without faults, to begin with and to look at."""
        self.customers: list[Customer] = []
        self.watchers: dict[JobId, list[int]] = {}
        """The sequences that the watcher of a job has seen."""
        self.invariants = Invariants(self.store, self.media, self.catalogue, self.providers, attempts)
        self._workers: list[asyncio.Task[None]] = []
        self._worker_count = 0
        self._create_count = 0

    async def run(self, step_count: int) -> None:
        """Do so many things, checking after each; then let all calm down, and check the end."""
        for plan, micros in CUSTOMERS:
            self.customers.append(await self.steady.join(plan, micros=micros * self._wealth))
        self.invariants.watch_over(self.customers)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                self._start_worker(group)
            for _ in range(step_count):
                await self._step(group)
                await self.invariants.check()
            self.disorder.is_calm = True
            self.media.put_fault_count = 0
            self.feed.deliver_late()
            # Longer than any deadline, any back-off, and any lease.
            for _ in range(8):
                await self.clock.advance(DEADLINE / 5)
                await self.invariants.check()
            for worker in self._workers:
                worker.cancel()
        await self.invariants.check_end(self.clock.now())
        await self._check_watchers()

    def _start(self) -> World:
        """A server process: what it only remembers is new, everything else is as it was."""
        self._start_count += 1
        return World(
            store=interpose(self.store, self.disorder.around),
            feed=self.feed,
            clock=self.clock,
            media=self.media,
            providers=self.providers,
            receivers={self.fal.name: self.webhooks},
            catalogue=self.catalogue,
            seed=self._seed * 1000 + self._start_count,
        )

    async def _step(self, group: asyncio.TaskGroup) -> None:
        weights = {
            self._create: 6,
            self._cancel: 2,
            self._intrude: 1,
            self._advance: 8,
            self._crash: 1,
            self._hint: 2,
            self._watch: 1,
            self._announce: 4,
            self._lie: 1,
        }
        action = self.random.choices(list(weights), weights=list(weights.values()))[0]
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
        image_url = _image(self._create_count) if self.random.random() < 0.2 else None
        while True:
            try:
                job = await self.world.create(customer, idempotency_key=key, model=model, image_url=image_url)
            except (StoreUnavailable, MediaUnavailable):
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
        """A worker dies wherever it is, or both do with the process that they are in; others are started."""
        is_restart = self.random.random() < 0.3
        if is_restart:
            self.world = self._start()
        for _ in range(2 if is_restart else 1):
            self._workers.pop(self.random.randrange(len(self._workers))).cancel()
        while len(self._workers) < 2:
            self._start_worker(group)

    def _start_worker(self, group: asyncio.TaskGroup) -> None:
        self._worker_count += 1
        worker = self.world.worker(
            f"worker-{self._worker_count}",
            concurrency=self.random.randrange(1, 6),
            provider_concurrency=self.random.randrange(1, 4),
        )
        self._workers.append(group.create_task(worker.run()))

    async def _hint(self, _group: asyncio.TaskGroup) -> None:
        self.feed.deliver_late()
        self.media.put_fault_count += self.random.randrange(2)
        if (job := await self._any_job()) is not None:
            self.feed.publish(job.job_id, is_due=True)

    async def _announce(self, group: asyncio.TaskGroup) -> None:
        """Some renders end, and the provider tells of those that have ended: late, twice, or not at all."""
        for provider in self.providers:
            provider.finish_some()
        while self.fal.ended:
            task_id = self.fal.ended.pop()
            for _ in range(self.random.choices((0, 1, 2), weights=(2, 6, 2))[0]):
                delay = timedelta(seconds=self.random.choice((0, 0, 1, 10, 60)))
                group.create_task(self._send(self.fal.owners[task_id], self.webhooks.webhook(task_id), delay))

    async def _lie(self, group: asyncio.TaskGroup) -> None:
        """A webhook that is forged, or stale, or about a task that runs on or belongs to another job."""
        job = await self._any_job()
        if job is None or not self.fal.owners:
            return
        task_id = self.random.choice([*self.fal.owners, "a task that never was"])
        age = timedelta(minutes=self.random.choice((0, 0, 9)))
        webhook = self.webhooks.webhook(task_id, age=age, is_forged=self.random.random() < 0.2)
        job_id = self.fal.owners.get(task_id, job.job_id) if self.random.random() < 0.5 else job.job_id
        group.create_task(self._send(job_id, webhook, timedelta()))

    async def _send(self, job_id: JobId, webhook: Webhook, delay: timedelta) -> None:
        await self.clock.sleep(delay)
        for _ in range(WEBHOOK_COUNT_MAX):
            try:
                await self.world.receive_webhook("fal", job_id, webhook)
            except (ProviderUnavailable, StoreUnavailable, StoreContended):
                await self.clock.sleep(timedelta(seconds=10))
            except (JobNotFound, WebhookRejected):
                return
            else:
                return

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


def _hastened(model: Model) -> Model:
    """A model of the catalogue, in haste and cheap."""
    return replace(
        model,
        routes=(*model.routes, *EXTRA_ROUTES.get(model.model_id, ())),
        cost_per_second=min(model.cost_per_second, Decimal("0.112")),
        deadline=DEADLINE,
        typical_render_time=TYPICAL_RENDER_TIME,
    )


def _image(number: int) -> str:
    """A first frame in a request; each is another."""
    content = b"\x89PNG\r\n\x1a\n" + str(number).encode()
    return f"data:image/png;base64,{b64encode(content).decode()}"
