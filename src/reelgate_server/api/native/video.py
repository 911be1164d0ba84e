"""`reelgate.v1.VideoService`."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from reelgate.v1 import job_pb2, video_service_pb2, video_service_pb2_grpc
from reelgate_server.api import convert
from reelgate_server.api.auth import authenticate
from reelgate_server.api.metadata import Context
from reelgate_server.api.validate import validate
from reelgate_server.app.accounts import Accounts
from reelgate_server.app.cancel_job import cancel_job
from reelgate_server.app.create_job import CreateJob
from reelgate_server.app.read_jobs import get_job, list_jobs
from reelgate_server.app.record import Recorder
from reelgate_server.app.watch_job import WatchJob
from reelgate_server.domain.accounts import Surface
from reelgate_server.ports.store import JobFilter, JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoServicer(video_service_pb2_grpc.VideoServiceServicer):
    """Jobs, as the contract says in `video_service.proto`."""

    accounts: Accounts
    store: JobStore
    create: CreateJob
    watch: WatchJob
    recorder: Recorder
    media_url: convert.MediaUrl

    async def CreateJob(self, request: video_service_pb2.CreateJobRequest, context: Context) -> job_pb2.Job:
        """Create a job."""
        caller = await authenticate(self.accounts, context)
        validate(request)
        key = request.idempotency_key if request.HasField("idempotency_key") else None
        outcome = await self.create(caller, Surface.NATIVE, convert.from_create_request(request), idempotency_key=key)
        return convert.to_job(outcome.job, self.media_url)

    async def GetJob(self, request: video_service_pb2.GetJobRequest, context: Context) -> job_pb2.Job:
        """Get a job."""
        caller = await authenticate(self.accounts, context)
        validate(request)
        job = await get_job(self.store, caller.account.account_id, request.job_id)
        return convert.to_job(job, self.media_url)

    async def ListJobs(
        self, request: video_service_pb2.ListJobsRequest, context: Context
    ) -> video_service_pb2.ListJobsResponse:
        """List the account's jobs."""
        caller = await authenticate(self.accounts, context)
        validate(request)
        job_filter = JobFilter(states=convert.from_state(request.state), model=request.model or None)
        page = await list_jobs(
            self.store, caller, job_filter, page_size=request.page_size, page_token=request.page_token
        )
        return video_service_pb2.ListJobsResponse(
            jobs=[convert.to_job(job, self.media_url) for job in page.jobs], next_page_token=page.next_page_token
        )

    async def CancelJob(self, request: video_service_pb2.CancelJobRequest, context: Context) -> job_pb2.Job:
        """Cancel a job."""
        caller = await authenticate(self.accounts, context)
        validate(request)
        job = await cancel_job(self.recorder, caller, request.job_id)
        return convert.to_job(job, self.media_url)

    async def WatchJob(
        self, request: video_service_pb2.WatchJobRequest, context: Context
    ) -> AsyncIterator[video_service_pb2.WatchJobResponse]:
        """Watch a job to its end."""
        caller = await authenticate(self.accounts, context)
        validate(request)
        updates = self.watch(caller.account.account_id, request.job_id, after=request.after_sequence)
        async with aclosing(updates):
            async for update in updates:
                yield convert.to_update(update, self.media_url)
