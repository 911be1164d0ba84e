"""Call providers, and tell the operator how each call went."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import ProviderFault
from reelgate_server.domain.job import Job
from reelgate_server.domain.quotation import fault_without_quotations
from reelgate_server.ports.metrics import Metrics
from reelgate_server.ports.provider import Provider

T = TypeVar("T")

OK: Final = "ok"
"""The outcome of a call without a fault."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProviderCalls:
    """Counts and logs."""

    metrics: Metrics

    async def make(self, job: Job, operation: str, call: Awaitable[T]) -> T:
        """Await a call to the job's provider.

        Raises:
            ProviderFault: The call's own, noted; its detail repeats nothing of the prompt.
        """
        try:
            answer = await call
        except ProviderFault as error:
            fault = ProviderFault(fault_without_quotations(error.fault, job.spec))
            self.note_failure(job, operation, fault)
            raise fault from error
        self.note_success(job, operation)
        return answer

    async def cancel(self, job: Job, task: Task, provider: Provider) -> bool:
        """Stop a task that nobody wants, if the provider can. Return whether there is nothing more to do."""
        try:
            is_told = await self.make(job, "cancel", provider.cancel(task))
        except ProviderFault:
            log.warning("unwanted task not stopped", job=job.job_id, provider=job.provider, task=task.task_id)
            return False
        end = "told to stop" if is_told else "cannot be stopped; its result is discarded"
        log.info("unwanted task", job=job.job_id, provider=job.provider, task=task.task_id, end=end)
        return True

    def note_success(self, job: Job, operation: str) -> None:
        """Count a call that went well."""
        self.metrics.count_call(job.provider, operation, OK)

    def note_failure(self, job: Job, operation: str, error: Exception) -> None:
        """Count a call that failed, and log the provider's own account of it.

        Secrets have been struck out of that; what it repeats of the prompt is struck out here.
        """
        fault = fault_without_quotations(error.fault, job.spec) if isinstance(error, ProviderFault) else None
        kind = fault.kind.value if fault else "deadline" if isinstance(error, TimeoutError) else "storage"
        self.metrics.count_call(job.provider, operation, kind)
        log.warning(
            "provider call failed",
            job=job.job_id,
            sequence=job.sequence,
            provider=job.provider,
            operation=operation,
            fault=kind,
            is_maybe_accepted=fault.is_maybe_accepted if fault else False,
            detail=fault.detail if fault else str(error),
        )
