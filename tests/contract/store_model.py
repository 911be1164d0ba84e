"""A model of the store: dictionaries that predict each reply, and a random user of both.

It is not the reference store again: it knows jobs as bare dictionaries and money as one number an account.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from reelgate_server.domain.errors import InsufficientBalance, JobNotFound
from reelgate_server.domain.events import (
    Cancelled,
    JobEvent,
    Progressed,
    Rendered,
    Stored,
    SubmitIntended,
    Submitted,
    Task,
)
from reelgate_server.domain.ids import ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.ports.store import JobFilter, SequenceConflict
from tests.support.builders import account_id, after_noon, job_id, key_id, make_credit, make_media
from tests.support.store_steps import Store, append, create

PRICE_MICROS = 100
OWNERS = ("one", "two", "three")
PROVIDERS = (ProviderName("fal"), ProviderName("local"), ProviderName("vertex"))


@dataclass
class Model:
    """What the store must answer next. Times are seconds after noon, jobs and accounts are numbers."""

    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    replays: dict[tuple[int, str], int] = field(default_factory=dict)
    credits: dict[int, int] = field(default_factory=dict)
    available: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    now: int = 0

    def create(self, number: int, of: int, key: str | None) -> int | type[Exception]:
        """Predict which job a create returns."""
        if key is not None and (of, key) in self.replays:
            return self.replays[of, key]
        if self.available[of] < PRICE_MICROS:
            return InsufficientBalance
        self.available[of] -= PRICE_MICROS
        self.jobs[number] = {"of": of, "sequence": 1, "due": self.now, "owner": None, "until": 0, "state": "pending"}
        self.jobs[number]["provider"] = PROVIDERS[number % 3]
        if key is not None:
            self.replays[of, key] = number
        return number

    def append(self, number: int, sequence: int, state: str, due: int | None) -> int | type[Exception]:
        """Predict the length of the log after one more event."""
        job = self.jobs[number]
        if job["sequence"] != sequence:
            return SequenceConflict
        job |= {"sequence": sequence + 1, "state": state, "due": due}
        self.available[job["of"]] += PRICE_MICROS if state == "cancelled" else 0
        return sequence + 1

    def waiting(self) -> list[int]:
        """The jobs that a claim may take, the longest due first."""
        free = [
            (job["due"], number)
            for number, job in self.jobs.items()
            if job["due"] is not None and job["due"] <= self.now and (not job["owner"] or job["until"] <= self.now)
        ]
        return [number for _, number in sorted(free)]

    def claim(self, owner: str, lease: int, limit: int, room: dict[ProviderName, int]) -> list[int]:
        """Predict which jobs a claim returns."""
        waiting = self.waiting()
        of = {name: [number for number in waiting if self.jobs[number]["provider"] == name] for name in room}
        allowed = {number for name in room for number in of[name][: room[name]]}
        claimed = [number for number in waiting if number in allowed][:limit]
        for number in claimed:
            self.jobs[number] |= {"owner": owner, "until": self.now + lease}
        return claimed

    def release(self, number: int, owner: str, due: int | None) -> None:
        """Predict nothing; remember."""
        if self.jobs[number]["owner"] == owner:
            self.jobs[number] |= {"owner": None, "due": due}

    def undo_claim(self, number: int, owner: str) -> None:
        """Predict nothing; remember."""
        if self.jobs[number]["owner"] == owner:
            self.jobs[number]["owner"] = None

    def renew(self, held: dict[int, str], until: int) -> None:
        """Predict nothing; remember."""
        for number, owner in held.items():
            if self.jobs[number]["owner"] == owner:
                self.jobs[number]["until"] = max(self.jobs[number]["until"], until)

    def listed(self, of: int, state: str | None) -> list[int]:
        """Predict a whole list."""
        own = [n for n, job in self.jobs.items() if job["of"] == of and state in (None, job["state"])]
        return sorted(own, reverse=True)


class RandomUser:
    """Does the same to a store and to a model, and compares every reply."""

    def __init__(self, store: Store, seed: int) -> None:
        """Begin with an empty store."""
        self.store = store
        self.model = Model()
        self.random = Random(seed)  # noqa: S311 (a repeatable sequence, not a secret)
        self.created_count = 0

    async def run(self, step_count: int) -> None:
        """Take that many random steps."""
        steps = (
            *(self.create_a_job, self.credit_an_account, self.append_an_event, self.append_an_event),
            *(self.claim_jobs, self.release_a_job, self.renew_leases, self.read_a_job, self.list_jobs),
            self.undo_a_claim,
        )
        for _ in range(step_count):
            self.model.now += self.random.choice((0, 0, 1, 7))
            await self.random.choice(steps)()

    async def create_a_job(self) -> None:
        """Create a job, perhaps under a used idempotency key."""
        self.created_count += 1
        number, of = self.created_count, self.random.choice((1, 2))
        key = self.random.choice((None, "a", "b", f"key {number}"))
        made = create(
            self.store,
            number,
            of=of,
            price_micros=PRICE_MICROS,
            idempotency_key=key,
            event_time=after_noon(self.model.now),
            provider=PROVIDERS[number % 3],
        )
        reply = await _reply(made)
        expected = self.model.create(number, of, key)
        assert (reply.job_id if isinstance(reply, Job) else reply) == (
            job_id(expected) if isinstance(expected, int) else expected
        )

    async def credit_an_account(self) -> None:
        """Credit an account, perhaps once more by the same transfer."""
        number, of = self.random.randrange(30), self.random.choice((1, 2))
        of = self.model.credits.get(number, of)
        await self.store.record_transfer(make_credit(number, to=of, amount_micros=3 * PRICE_MICROS))
        if number not in self.model.credits:
            self.model.credits[number] = of
            self.model.available[of] += 3 * PRICE_MICROS

    async def append_an_event(self) -> None:
        """Append a legal event to a job; sometimes another writer has just done so."""
        if not self.model.jobs:
            return
        number = self.random.choice(list(self.model.jobs))
        job = await self.store.load_job(job_id(number))
        choices = self._events(job, number)
        for _ in range(self.random.choice((1, 1, 1, 2)) if choices else 0):
            event, state = self.random.choice(choices)
            due = self.random.choice((None, self.model.now, self.model.now + 5))
            reply = await _reply(append(self.store, job, event, due_time=_at(due)))
            expected = self.model.append(number, job.sequence, state, due)
            assert (reply.sequence if isinstance(reply, Job) else reply) == expected

    async def claim_jobs(self) -> None:
        """Claim some jobs, perhaps only so many of each provider, and measure the lag before."""
        owner, lease, limit = self.random.choice(OWNERS), self.random.choice((1, 20)), self.random.randrange(1, 5)
        now, until = after_noon(self.model.now), after_noon(self.model.now + lease)
        places = self.random.choice((None, 1, 2))
        driven = {name: self.random.choice((0, 1, 3)) for name in PROVIDERS[:2]}
        room = {name: limit if places is None else max(0, places - driven.get(name, 0)) for name in PROVIDERS}
        waiting = self.model.waiting()
        due = self.model.jobs[waiting[0]]["due"] if waiting else self.model.now
        assert await self.store.lag(now) == timedelta(seconds=self.model.now - due)
        jobs = await self.store.claim(
            owner, now=now, lease_until=until, limit=limit, provider_limit=places, driven=driven
        )
        expected = self.model.claim(owner, lease, limit, room)
        assert [job.job_id for job in jobs] == [job_id(number) for number in expected]

    async def release_a_job(self) -> None:
        """Release a job, perhaps somebody else's."""
        if self.model.jobs:
            number, owner = self.random.choice(list(self.model.jobs)), self.random.choice(OWNERS)
            due = self.random.choice((None, self.model.now, self.model.now + 3))
            await self.store.release(job_id(number), owner, due_time=_at(due))
            self.model.release(number, owner, due)

    async def undo_a_claim(self) -> None:
        """Give a job back as it was found, perhaps somebody else's."""
        if self.model.jobs:
            number, owner = self.random.choice(list(self.model.jobs)), self.random.choice(OWNERS)
            await self.store.undo_claim(job_id(number), owner)
            self.model.undo_claim(number, owner)

    async def renew_leases(self) -> None:
        """Renew some leases, not all of them held by whom we think."""
        until = self.model.now + self.random.randrange(30)
        held = {number: self.random.choice(OWNERS) for number in self.model.jobs if self.random.random() < 0.5}
        await self.store.renew({job_id(number): owner for number, owner in held.items()}, lease_until=after_noon(until))
        self.model.renew(held, until)

    async def read_a_job(self) -> None:
        """Read a job, perhaps an unknown one, its log, a replay and a balance."""
        number = self.random.randrange(1, self.created_count + 2)
        reply = await _reply(self.store.load_job(job_id(number)))
        length = self.model.jobs.get(number, {}).get("sequence", 0)
        assert (reply.sequence if isinstance(reply, Job) else reply) == (length or JobNotFound)
        log = await self.store.events_after(job_id(number), 0)
        assert [each.sequence for each in log] == list(range(1, length + 1))
        of = self.random.choice((1, 2))
        replay = await self.store.find_replay(key_id(of), "a")
        expected_replay = self.model.replays.get((of, "a"))
        assert (replay and replay.job_id) == (expected_replay and job_id(expected_replay))
        balance = await self.store.load_balance(account_id(of), "USD")
        assert balance.available.amount_micros == self.model.available[of]

    async def list_jobs(self) -> None:
        """List an account's jobs, perhaps only those of one state, in two pages."""
        of, state = self.random.choice((1, 2)), self.random.choice((None, *JobState))
        wanted = JobFilter(states=None if state is None else frozenset({state}))
        pages = await self.store.list_jobs(account_id(of), wanted, before=None, limit=3)
        if pages:
            pages += await self.store.list_jobs(account_id(of), wanted, before=pages[-1].job_id, limit=1000)
        assert [job.job_id for job in pages] == [job_id(number) for number in self.model.listed(of, state)]

    def _events(self, job: Job, number: int) -> list[tuple[JobEvent, str]]:
        """The events that may come next, each with the state it leads to."""
        time = after_noon(self.model.now)
        cancelled = (Cancelled(event_time=time), "cancelled")
        task = Task(task_id="task", urls={})
        more = min(job.progress_percent + 1, 99)
        choices: dict[JobState, list[tuple[JobEvent, str]]] = {
            JobState.PENDING: [(SubmitIntended(event_time=time, attempt=1), "submitting"), cancelled],
            JobState.SUBMITTING: [(Submitted(event_time=time, task=task), "processing"), cancelled],
            JobState.PROCESSING: [
                (Progressed(event_time=time, progress_percent=more), "processing"),
                (Rendered(event_time=time, source_url="https://example.test/v.mp4"), "storing"),
                cancelled,
            ],
            JobState.STORING: [(Stored(event_time=time, media=make_media(number)), "succeeded")],
        }
        return choices.get(job.state, [])


async def _reply(answer: Awaitable[Any]) -> Any:
    """The answer, or the type of the refusal."""
    try:
        return await answer
    except (InsufficientBalance, JobNotFound, SequenceConflict) as refusal:
        return type(refusal)


def _at(seconds: int | None) -> datetime | None:
    return None if seconds is None else after_noon(seconds)
