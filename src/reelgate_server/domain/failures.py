"""What a customer is told of a provider's fault: a stable code and a safe sentence."""

from typing import assert_never

from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind


def failure_of(fault: Fault) -> JobFailure:
    """What a customer is told of a fault that ends a job."""
    match fault.kind:
        case FaultKind.REJECTED:
            code, message = FailureCode.REJECTED, "The provider refused to render this content."
        case FaultKind.IMAGE_UNUSABLE:
            code, message = FailureCode.IMAGE_UNUSABLE, "The image could not be fetched, or the provider cannot use it."
        case FaultKind.INVALID:
            code, message = FailureCode.PROVIDER_ERROR, "The provider could not render this request."
        case FaultKind.UNAUTHORIZED | FaultKind.THROTTLED | FaultKind.UNAVAILABLE | FaultKind.TIMEOUT:
            code, message = FailureCode.PROVIDER_ERROR, "The provider is not available."
        case FaultKind.UNINTELLIGIBLE:
            code, message = FailureCode.PROVIDER_ERROR, "The provider's answer could not be understood."
        case FaultKind.TASK_UNKNOWN:
            code, message = FailureCode.PROVIDER_ERROR, "The provider has lost the job."
        case _:
            assert_never(fault.kind)
    return JobFailure(code=code, message=message, fault=fault)
