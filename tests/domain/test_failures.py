"""What a customer is told of a fault."""

import pytest

from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        (FaultKind.REJECTED, "rejected", "The provider refused to render this content."),
        (
            FaultKind.IMAGE_UNUSABLE,
            "image_unusable",
            "The image could not be fetched, or the provider cannot use it.",
        ),
        (FaultKind.INVALID, "provider_error", "The provider could not render this request."),
        (FaultKind.UNAUTHORIZED, "provider_error", "The provider is not available."),
        (FaultKind.THROTTLED, "provider_error", "The provider is not available."),
        (FaultKind.UNAVAILABLE, "provider_error", "The provider is not available."),
        (FaultKind.TIMEOUT, "provider_error", "The provider is not available."),
        (FaultKind.UNINTELLIGIBLE, "provider_error", "The provider's answer could not be understood."),
        (FaultKind.TASK_UNKNOWN, "provider_error", "The provider has lost the job."),
    ],
)
def test_a_customer_is_told_of_a_fault_without_its_detail(kind: FaultKind, code: str, message: str) -> None:
    fault = Fault(kind=kind, detail="upstream said: key sk-123 is bad")
    assert failure_of(fault) == JobFailure(code=FailureCode(code), message=message, fault=fault)
