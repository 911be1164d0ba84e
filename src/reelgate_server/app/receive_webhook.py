"""Take a provider's word that a task has ended as a reason to look, and as nothing more.

A webhook names its job in its address, which its signature does not cover, and whoever has an account with the provider
can have one signed. So nothing that it says is believed. If the job's task is the one that the webhook is about, the
job becomes due, and its driver asks the provider. If the job has no task because the answer to its submit was lost, the
provider is asked whether the webhook's task is ours; only then is it recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from reelgate_server.app.order import order_of
from reelgate_server.app.record import Recorder
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.decide import RecordAnnounced, RecordSubmitted
from reelgate_server.domain.errors import JobNotFound, ProviderUnavailable, WebhookRejected
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId, ProviderName, is_uuid
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.quotation import fault_without_quotations
from reelgate_server.ports.store import SequenceConflict
from reelgate_server.ports.webhooks import Webhook, WebhookReceiver, WebhookRefused

BODY_BYTES_MAX = 1 << 20
"""Longer bodies are refused unread; a notice of a finished render is a few kB. Envoy's limit is the same."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveWebhook:
    """The use case."""

    recorder: Recorder
    catalogue: Catalogue
    receivers: Mapping[ProviderName, WebhookReceiver]
    """By the provider whose webhooks each checks."""

    async def __call__(self, provider: str, job_id: str, webhook: Webhook) -> None:
        """Make a job due, and record its task if that was unknown. Repeating it is harmless.

        Args:
            provider: Whose webhook it claims to be.
            job_id: The job that its address names.
            webhook: As it came.

        Raises:
            WebhookRejected: It is not what it claims to be; nothing was changed.
            JobNotFound: There is no such job of that provider, or it takes no webhooks here.
            ProviderUnavailable: The provider could not be asked now; the webhook should be sent again.
            StoreUnavailable: The same.
            StoreContended: The same.
        """
        receiver = self.receivers.get(ProviderName(provider))
        if receiver is None or not is_uuid(job_id):
            raise JobNotFound(job_id)
        if len(webhook.body) > BODY_BYTES_MAX:
            raise WebhookRejected
        try:
            await self._receive(receiver, provider, job_id, webhook)
        except WebhookRefused as error:
            raise WebhookRejected from error
        except ProviderFault as error:
            raise ProviderUnavailable from error

    async def _receive(self, receiver: WebhookReceiver, provider: str, job_id: str, webhook: Webhook) -> None:
        task_id = await receiver.verify(webhook)
        job = await self.recorder.store.load_job(JobId(job_id))
        if job.provider != provider:
            raise JobNotFound(job_id)
        if _may_have_lost_an_answer(job):
            await self._recover(job, task_id, receiver)
        else:
            await self.recorder.record_latest(job.job_id, RecordAnnounced(task_id))
        # A driver on this machine need not wait for its next claim.
        self.recorder.feed.publish(job.job_id, is_due=True)

    async def _recover(self, job: Job, task_id: str, receiver: WebhookReceiver) -> None:
        """Record the task of a job whose submit was never answered."""
        try:
            task = await receiver.find_task(order_of(job, self.catalogue), task_id)
        except ProviderFault as error:
            if error.fault.kind is not FaultKind.TASK_UNKNOWN:
                # It is logged with what is answered to the webhook.
                raise ProviderFault(fault_without_quotations(error.fault, job.spec)) from error
            log.warning("webhook about a task that is not ours", job=job.job_id, provider=job.provider)
            return
        try:
            await self.recorder.record(job, RecordSubmitted(task))
        except SequenceConflict:
            # The answer to the submit has come meanwhile, or the job has ended.
            await self.recorder.record_latest(job.job_id, RecordAnnounced(task_id))
        else:
            log.info("task recovered by webhook", job=job.job_id, provider=job.provider, task=task_id)


def _may_have_lost_an_answer(job: Job) -> bool:
    is_unanswered = job.state is JobState.SUBMITTING or (job.state is JobState.PENDING and job.unanswered_count > 0)
    return is_unanswered and job.task is None
