"""Create through each surface's own service, drive to the end, and read the answer as a client of that surface does."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reelgate.concurred.v1 import concurred_service_pb2 as concurred
from reelgate.geekhub.v1 import geekhub_service_pb2 as geekhub
from reelgate.kyma.v1 import kyma_service_pb2 as kyma
from reelgate.v1 import video_service_pb2 as native
from reelgate_server.domain.ids import JobId
from reelgate_server.domain.job import Job
from tests.providers.matrix import CONCURRED, GEEKHUB, KYMA, NATIVE
from tests.support.clock import settle
from tests.support.driving import run
from tests.support.rpc import Api, from_json, key, serving, to_json
from tests.support.world import START_MICROS, Customer, World

PLANS: Final = {NATIVE: "default", GEEKHUB: "geekhub", KYMA: "kyma", CONCURRED: "concurred"}
"""The plan of each surface's customers."""


RICH_MICROS: Final = 10_000_000_000


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of a create."""

    job: Job
    created: Any
    """What the create answered, as JSON."""
    told: Any
    """The surface's last word of it, as JSON."""
    transfers: list[tuple[str, int]]
    """The customer's, oldest first: kind, and millionths of the account's currency."""
    video: bytes | None
    """What was stored; None if nothing was."""


async def create(api: Api, customer: Customer, surface: str, body: Mapping[str, Any]) -> Any:
    """Send a create in the words of the surface; return the answer as JSON."""
    metadata = key(customer)
    match surface:
        case "native":
            answer = await api.video.CreateJob(from_json(native.CreateJobRequest(), body), metadata=metadata)
        case "geekhub":
            answer = await api.geekhub.CreateVideo(from_json(geekhub.CreateVideoRequest(), body), metadata=metadata)
        case "kyma":
            answer = await api.kyma.CreateVideo(from_json(kyma.CreateVideoRequest(), body), metadata=metadata)
        case _:
            request = from_json(concurred.GenerateVideoRequest(), body)
            answer = await api.concurred.GenerateVideo(request, metadata=metadata)
    return to_json(answer)


async def make(world: World, surface: str, body: Mapping[str, Any]) -> Ended:
    """Create a job for a new customer, and drive it to its end.

    Concurred answers only then for all but Veo, so the create goes on beside the driving.
    """
    customer = await world.join(PLANS[surface])
    async with serving(world) as api:
        async with asyncio.TaskGroup() as group:
            creating = group.create_task(create(api, customer, surface, body))
            job = await run(world, await _first_job(api, world, customer))
        told = await _read(api, customer, surface, job.job_id, creating.result())
    job = await world.load(job)
    file = world.media.files.get(job.media.object_name) if job.media else None
    return Ended(
        job=job,
        created=creating.result(),
        told=told,
        transfers=await transfers_of(world, customer),
        video=file[0] if file else None,
    )


async def make_all(world: World, surface: str, bodies: Sequence[Mapping[str, Any]]) -> list[Job]:
    """Create several jobs for one rich customer, and drive all to their ends. Not for creates that wait for a video.

    Returns:
        The jobs, in the order of `bodies`.
    """
    customer = await world.join(PLANS[surface], micros=RICH_MICROS)
    async with serving(world) as api:
        answers = [await create(api, customer, surface, body) for body in bodies]
    jobs = [await world.store.load_job(JobId(_job_id(answer))) for answer in answers]
    return [await run(world, job) for job in jobs]


def _job_id(created: Any) -> str:
    operation = created.get("data", {}).get("operation_id", "")
    return str(operation.removeprefix("operations/") or created.get("job_id") or created["id"])


async def transfers_of(world: World, customer: Customer) -> list[tuple[str, int]]:
    """A customer's transfers, oldest first."""
    return [(each.kind.value, each.amount.amount_micros) for each in await world.transfers(customer)]


async def job_count(api: Api, customer: Customer) -> int:
    """How many jobs a customer has."""
    return len((await api.video.ListJobs(native.ListJobsRequest(), metadata=key(customer))).jobs)


async def _first_job(api: Api, world: World, customer: Customer) -> Job:
    while not (jobs := (await api.video.ListJobs(native.ListJobsRequest(), metadata=key(customer))).jobs):
        await settle()
    return await world.store.load_job(JobId(jobs[0].job_id))


async def _read(api: Api, customer: Customer, surface: str, job_id: JobId, created: Any) -> Any:
    metadata = key(customer)
    match surface:
        case "native":
            answer = await api.video.GetJob(native.GetJobRequest(job_id=job_id), metadata=metadata)
        case "geekhub":
            answer = await api.geekhub.GetVideo(geekhub.GetVideoRequest(id=job_id), metadata=metadata)
        case "kyma":
            answer = await api.kyma.GetJob(kyma.GetJobRequest(id=job_id), metadata=metadata)
        case _ if "operation_id" in created["data"]:
            query = {"provider": "google", "operation_id": created["data"]["operation_id"]}
            answer = await api.concurred.GetVideoStatus(concurred.GetVideoStatusRequest(**query), metadata=metadata)
        case _:
            return created
    return to_json(answer)


def paid(surface: str, price_micros: int) -> list[tuple[str, int]]:
    """The transfers of a customer who got one video."""
    credit = ("credit", START_MICROS)
    match surface:
        case "geekhub":
            return [credit, ("post", price_micros)]
        case "concurred":
            return [credit]
        case _:
            return [credit, ("hold", price_micros), ("post", price_micros)]


def success_of(surface: str, ended: Ended, clip_s: int, price_micros: int) -> None:
    """Check that the surface says what it documents of a job that has its video."""
    told, job = ended.told, ended.job
    url = f"https://reelgate.test/media/generated-videos/{job.account_id}/{job.job_id}/video.mp4"
    CHECKS[surface](told, url, clip_s, price_micros)


def _check_native(told: Any, url: str, clip_s: int, price_micros: int) -> None:
    assert told["state"] == "JOB_STATE_SUCCEEDED"
    assert told["video"]["uri"] == url
    assert told["clip_duration"] == f"{clip_s}s"
    assert told["price_micros"] == told["charged_micros"] == str(price_micros)
    assert told["simulated"] is False


def _check_geekhub(told: Any, url: str, clip_s: int, _: int) -> None:
    assert (told["status"], told["video_url"], told["duration"], told["error"]) == ("completed", url, clip_s, None)


def _check_kyma(told: Any, url: str, clip_s: int, price_micros: int) -> None:
    assert (told["status"], told["error"]) == ("succeeded", None)
    assert told["output"] == {"url": url, "metadata": {"duration": clip_s}}
    assert told["estimated_cost"] == told["charged_amount"] == price_micros / 1_000_000


def _check_concurred(told: Any, url: str, _: int, __: int) -> None:
    assert told["success"] is True
    assert (told["data"]["status"], told["data"]["video_url"]) == ("completed", url)


CHECKS: Final[Mapping[str, Callable[[Any, str, int, int], None]]] = {
    NATIVE: _check_native,
    GEEKHUB: _check_geekhub,
    KYMA: _check_kyma,
    CONCURRED: _check_concurred,
}
