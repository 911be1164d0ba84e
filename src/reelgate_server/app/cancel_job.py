"""Cancel a job."""

from reelgate_server.app.read_jobs import get_job
from reelgate_server.app.record import Recorder
from reelgate_server.domain.accounts import Caller
from reelgate_server.domain.decide import Cancel
from reelgate_server.domain.job import Job


async def cancel_job(recorder: Recorder, caller: Caller, job_id: str) -> Job:
    """End a job at once and release its hold; its driver then tells the provider.

    Returns:
        The cancelled job; the same if it was cancelled before.

    Raises:
        JobNotFound: No such job of this account.
        JobNotCancellable: It has ended otherwise, or is being stored.
        StoreContended: It kept changing meanwhile.
    """
    job = await get_job(recorder.store, caller.account.account_id, job_id)
    cancelled = await recorder.record_latest(job.job_id, Cancel())
    if cancelled.wants_driving:
        recorder.feed.publish(cancelled.job_id, is_due=True)
    return cancelled
