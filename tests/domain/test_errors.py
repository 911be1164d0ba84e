"""Errors are a closed tree whose messages are safe to show."""

import pytest

from reelgate_server.domain.errors import (
    CredentialMissing,
    CredentialRevoked,
    CredentialUnknown,
    DomainError,
    FieldViolation,
    IdempotencyKeyReused,
    IllegalTransition,
    InsufficientBalance,
    InvalidRequest,
    InvalidSpec,
    JobNotCancellable,
    JobNotFound,
    JobUnsuccessful,
    MediaNotFound,
    MediaUnavailable,
    ModelNotFound,
    ModelUnavailable,
    ProviderUnavailable,
    RangeNotSatisfiable,
    SequenceOutOfRange,
    ServerBusy,
    ServerStopping,
    StoreContended,
    StoreUnavailable,
    WebhookRejected,
)
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId, ModelId
from reelgate_server.domain.money import Money

JOB = JobId("01980000-0000-7000-8000-000000000001")
MESSAGES = [
    (ModelNotFound("no/such"), "Model 'no/such' does not exist."),
    (ModelUnavailable(ModelId("veo-3")), "Model 'veo-3' is not available on this server."),
    (JobNotFound(JOB), "Job not found."),
    (
        JobUnsuccessful(JOB, "failed", "The provider is not available.", is_rejected=False),
        "The provider is not available.",
    ),
    (JobNotCancellable(JOB, "storing"), "A job that is storing cannot be cancelled."),
    (IdempotencyKeyReused(JOB, "prompt"), "The idempotency key was used before with another prompt."),
    (SequenceOutOfRange(9, 4), "The log ends at sequence 4; 9 is beyond it."),
    (
        InsufficientBalance(required=Money(2, "USD"), available=Money(1, "USD")),
        "The available balance does not cover this job.",
    ),
    (CredentialMissing(), "An API key is required: send it as 'Authorization: Bearer KEY'."),
    (CredentialUnknown(), "The API key is not valid."),
    (CredentialRevoked(), "The API key has been revoked."),
    (MediaNotFound(), "No such file."),
    (RangeNotSatisfiable(10), "The file has 10 bytes; the range lies beyond it."),
    (MediaUnavailable(), "The media store is not available; try again."),
    (WebhookRejected(), "The webhook is not signed by its provider, or not lately."),
    (ProviderUnavailable(), "The provider cannot be asked now; try again."),
    (StoreUnavailable(), "The store is not available; try again."),
    (StoreContended(), "The job changed while this was tried; try again."),
    (ServerBusy(), "The server is busy; try again."),
    (ServerStopping(), "The server is stopping; continue on another connection."),
    (IllegalTransition("failed", "Stored"), "Stored is not possible in state failed."),
]


@pytest.mark.parametrize(("error", "message"), MESSAGES, ids=lambda each: type(each).__name__)
def test_each_error_says_what_is_wrong(error: DomainError, message: str) -> None:
    assert isinstance(error, DomainError)
    assert str(error) == message


def test_every_leaf_of_the_tree_is_tested_here() -> None:
    tested = {type(error) for error, _ in MESSAGES} | {InvalidRequest, InvalidSpec}
    assert set(_descendants(DomainError)) == tested


def test_errors_carry_what_a_surface_needs_to_answer() -> None:
    balance = InsufficientBalance(required=Money(756_000, "USD"), available=Money(1, "USD"))
    assert (balance.required, balance.available) == (Money(756_000, "USD"), Money(1, "USD"))
    sequence = SequenceOutOfRange(9, 4)
    assert (sequence.asked, sequence.last) == (9, 4)
    reused = IdempotencyKeyReused(JOB, "prompt")
    assert (reused.job_id, reused.field) == (JOB, "prompt")
    cancellable = JobNotCancellable(JOB, "storing")
    assert (cancellable.job_id, cancellable.state) == (JOB, "storing")
    assert ModelUnavailable(ModelId("veo-3")).model_id == "veo-3"
    assert RangeNotSatisfiable(10).size_bytes == 10


def test_violations_keep_their_order_and_read_as_one_sentence() -> None:
    violations = [FieldViolation("prompt", "is required", is_missing=True), FieldViolation("extra", "is too big")]
    error = InvalidSpec(iter(violations))
    assert isinstance(error, InvalidRequest)
    assert error.violations == tuple(violations)
    assert str(error) == "prompt: is required; extra: is too big"


def test_what_a_customer_sent_is_cut_before_it_is_echoed() -> None:
    assert ModelNotFound("m" * 101).model_id == "m" * 100
    assert str(ModelNotFound("m" * 101)) == f"Model '{'m' * 100}' does not exist."
    assert JobNotFound("j" * 101).job_id == "j" * 100


def test_a_provider_fault_is_no_error_of_the_domain_and_carries_its_fault() -> None:
    fault = Fault(kind=FaultKind.THROTTLED, detail="slow down")
    raised = ProviderFault(fault)
    assert not isinstance(raised, DomainError)
    assert raised.fault is fault
    assert str(raised) == "throttled: slow down"


def _descendants(root: type[DomainError]) -> list[type[DomainError]]:
    return [each for child in root.__subclasses__() for each in (child, *_descendants(child))]
