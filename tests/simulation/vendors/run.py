"""Five hundred jobs over processes that come and go."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from reelgate_server.adapters.store.sqlite import SqliteStore
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.domain.errors import (
    InsufficientBalance,
    JobNotCancellable,
    MediaUnavailable,
    StoreContended,
    StoreUnavailable,
)
from reelgate_server.domain.ids import JobId
from reelgate_server.ports.webhooks import Webhook
from tests.simulation.vendors.audit import Audit
from tests.simulation.vendors.case import Case
from tests.simulation.vendors.flow import Flow
from tests.simulation.vendors.replica import Replica, ReplicaDied
from tests.simulation.vendors.studio import Studio
from tests.simulation.vendors.wishes import PURSES, Wish, catalogue, renderable, wish
from tests.support.media import MemoryMediaStore
from tests.support.world import Customer, World

JOB_COUNT: Final = 500
KILL_PROBABILITY: Final = 0.02
"""In each second."""
CREATES: Final = (0, 1, 1, 2, 2)
"""How many jobs are wanted in a second, each as likely."""
CANCEL_PROBABILITY: Final = 0.08
MEDIA_FAULT_PROBABILITY: Final = 0.03
SHIFT_S: Final = 100
"""How long there is one process, before there are two for as long."""
CHECK_INTERVAL: Final = 20
"""Seconds between two looks at the invariants."""
AFTERMATH: Final = 180
"""Seconds after the last end, for what is to be cleaned up."""
SECOND_COUNT_MAX: Final = 7200
"""After which the run has gone wrong: no job lasts longer than seven minutes."""


class Run:
    """Customers, processes, and what befalls them."""

    def __init__(self, seed: int, *, flow: Flow, studio: Studio, store: SqliteStore, path: Path) -> None:
        """Prepare.

        Args:
            seed: Of everything that is left to chance here.
            flow: Time.
            studio: Everybody outside.
            store: Over `path`, to begin with and to look at; it belongs to no process that is killed.
            path: The store's file.
        """
        self.random = Random(seed)  # noqa: S311 (repeatable on purpose)
        self.seed = seed
        self.flow = flow
        self.studio = studio
        self.path = path
        self.media = MemoryMediaStore()
        self.catalogue = catalogue()
        self.office = World(store=store, clock=flow.clock, providers=[], seed=-seed, catalogue=self.catalogue)
        self.wishes: dict[JobId, Wish] = {}
        """Those that became jobs."""
        self.kill_count = 0
        self.refused_count = 0
        """Creates that a customer had no money for."""
        self.customers: list[Customer] = []
        self.audit = Audit(store=store, studio=studio, media=self.media, wishes=self.wishes, customers=self.customers)
        self._second = 0
        self._wish_count = 0
        self._waiting_count = 0
        self._replica_count = 0
        self._replicas: dict[Replica, asyncio.Task[None]] = {}
        studio.doorstep.receive = self._receive

    async def run(self) -> list[Case]:
        """Do all of it, checking now and then, and at the end. Return what became of the jobs."""
        for plan, micros in PURSES:
            self.customers.append(await self.office.join(plan, micros=micros))
        async with asyncio.TaskGroup() as group:
            while not await self._is_over():
                await self._pass_second(group)
            for _ in range(AFTERMATH):
                await self._pass_second(group)
            for replica in list(self._replicas):
                await self._kill(replica)
        return await self.audit.check_end()

    async def _pass_second(self, group: asyncio.TaskGroup) -> None:
        self._second += 1
        self._staff(group)
        self._act(group)
        await self.flow.pass_step()
        await self._perhaps_kill()

    def _staff(self, group: asyncio.TaskGroup) -> None:
        """Start a process where one is missing, not always at once."""
        wanted = 1 + self._second // SHIFT_S % 2
        if len(self._replicas) < wanted and self.random.random() < 0.2:
            self._replica_count += 1
            replica = Replica(
                self.seed * 1000 + self._replica_count,
                flow=self.flow,
                studio=self.studio,
                catalogue=self.catalogue,
                path=self.path,
                media=self.media,
            )
            self._replicas[replica] = group.create_task(replica.run())

    def _act(self, group: asyncio.TaskGroup) -> None:
        wanted = min(self.random.choice(CREATES), JOB_COUNT - len(self.wishes) - self._waiting_count)
        if (replica := self._any_replica()) is not None:
            models = renderable(self.catalogue, replica.world.providers)
            for _ in range(wanted):
                self._wish_count += 1
                self._waiting_count += 1
                group.create_task(self._create(wish(self._wish_count, self.random, models, self.customers)))
        if self.wishes and self.random.random() < CANCEL_PROBABILITY:
            # The latest are the most likely to be still there.
            job_id = self.random.choice(list(self.wishes)[-60:])
            group.create_task(self._cancel(job_id))
        if self.random.random() < MEDIA_FAULT_PROBABILITY:
            self.media.put_fault_count += 1

    async def _create(self, wanted: Wish) -> None:
        """Ask until there is an answer, with the same key, as a client does that was told nothing."""
        while True:
            replica = self._any_replica()
            try:
                if replica is None:
                    raise ReplicaDied
                job = await replica.do(
                    replica.world.create(wanted.customer, idempotency_key=wanted.key, **wanted.fields)
                )
            except (ReplicaDied, StoreUnavailable, MediaUnavailable):
                await self.flow.clock.sleep(timedelta(seconds=1))
                continue
            except InsufficientBalance:
                self.refused_count += 1
            else:
                self.wishes[job.job_id] = wanted
            self._waiting_count -= 1
            return

    async def _cancel(self, job_id: JobId) -> None:
        replica, caller = self._any_replica(), self.wishes[job_id].customer.caller
        if replica is not None:
            with suppress(JobNotCancellable, StoreContended, StoreUnavailable, ReplicaDied):
                await replica.do(cancel_job(replica.world.recorder, caller, job_id))

    async def _receive(self, provider: str, job_id: str, webhook: Webhook) -> int:
        """A proxy in front of the processes."""
        replica = self._any_replica()
        return 503 if replica is None else await replica.receive(provider, job_id, webhook)

    async def _perhaps_kill(self) -> None:
        if self.random.random() >= KILL_PROBABILITY or not self._replicas:
            return
        # Somewhere in the middle of the calls that this second has brought.
        for _ in range(self.random.randrange(80)):
            await asyncio.sleep(0)
        await self._kill(self.random.choice(list(self._replicas)))

    async def _kill(self, replica: Replica) -> None:
        task = self._replicas.pop(replica)
        task.cancel()
        await asyncio.wait([task])
        self.kill_count += 1

    def _any_replica(self) -> Replica | None:
        up = [replica for replica in self._replicas if replica.is_up]
        return self.random.choice(up) if up else None

    async def _is_over(self) -> bool:
        """Look at everything now and then, and tell whether every job has ended."""
        assert self._second < SECOND_COUNT_MAX, "jobs do not end"
        if self._second % CHECK_INTERVAL:
            return False
        cases = await self.audit.check()
        return len(cases) == JOB_COUNT and all(case.job.is_terminal for case in cases)
