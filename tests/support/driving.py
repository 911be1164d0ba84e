"""Drive jobs by hand, as a worker would in the course of time."""

from datetime import timedelta

from reelgate_server.domain.job import Job
from tests.support.world import World

STEP = timedelta(minutes=2)
"""Longer than any delay between two tries or two looks."""


async def run(world: World, job: Job, times: int = 30, step: timedelta = STEP) -> Job:
    """Drive until the job has ended, a step at a time."""
    for _ in range(times):
        await world.run_due()
        job = await world.load(job)
        if job.is_terminal:
            break
        await world.clock.advance(step)
    await world.run_due()
    return job


async def run_when_due(world: World, job: Job, times: int = 30) -> Job:
    """Drive until the job has ended, each time when the last drive asked for, as an idle worker would."""
    for _ in range(times):
        await world.run_due()
        job = await world.load(job)
        delay = None if job.is_terminal else await due_in(world, job)
        if delay is None:
            break
        await world.clock.advance(delay)
    return job


async def due_in(world: World, job: Job) -> timedelta | None:
    """When the job wants driving again, from now, to the tenth of a second; None if not within the hour."""
    start = world.clock.now()
    for tenths in range(36_000):
        now = start + timedelta(seconds=tenths / 10)
        claimed = await world.store.claim("probe", now=now, lease_until=now, limit=1000)
        for each in claimed:
            await world.store.release(each.job_id, "probe", due_time=now)
        if job.job_id in {each.job_id for each in claimed}:
            return now - start
    return None
