"""The table from domain errors to statuses, and the contract's own list of reasons."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2, error_details_pb2

from reelgate.v1.error_reason_pb2 import ErrorReason
from reelgate_server.api.status import MESSAGE_CHARACTERS_MAX, STATUS, make_status, to_status
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
from reelgate_server.domain.ids import JobId, ModelId
from reelgate_server.domain.money import Money

JOB = JobId("01940000-0000-7000-8000-000000000001")
VIOLATIONS = (FieldViolation("prompt", "is required"), FieldViolation("extra", "must be small"))

ROWS: list[tuple[DomainError, str, str, dict[str, str], float | None]] = [
    (InvalidRequest(VIOLATIONS), "INVALID_ARGUMENT", "INVALID_REQUEST", {"field": "prompt"}, None),
    (InvalidSpec(VIOLATIONS), "INVALID_ARGUMENT", "INVALID_SPEC", {"field": "prompt"}, None),
    (ModelNotFound("fal/x"), "NOT_FOUND", "MODEL_NOT_FOUND", {"model": "fal/x"}, None),
    (ModelUnavailable(ModelId("fal/x")), "FAILED_PRECONDITION", "MODEL_UNAVAILABLE", {"model": "fal/x"}, None),
    (JobNotFound(JOB), "NOT_FOUND", "JOB_NOT_FOUND", {"job_id": JOB}, None),
    (JobNotCancellable(JOB, "storing"), "FAILED_PRECONDITION", "JOB_NOT_CANCELLABLE", {"job_id": JOB}, None),
    (
        JobUnsuccessful(JOB, "failed", "No video.", is_rejected=False),
        "FAILED_PRECONDITION",
        "JOB_UNSUCCESSFUL",
        {"job_id": JOB, "state": "failed"},
        None,
    ),
    (
        IdempotencyKeyReused(JOB, "prompt"),
        "ALREADY_EXISTS",
        "IDEMPOTENCY_KEY_REUSED",
        {"field": "prompt", "job_id": JOB},
        None,
    ),
    (SequenceOutOfRange(9, 4), "OUT_OF_RANGE", "SEQUENCE_OUT_OF_RANGE", {"asked": "9", "last": "4"}, None),
    (
        InsufficientBalance(required=Money(756_000, "USD"), available=Money(-20_000, "USD")),
        "FAILED_PRECONDITION",
        "INSUFFICIENT_BALANCE",
        {"required_micros": "756000", "available_micros": "-20000", "currency": "USD"},
        None,
    ),
    (CredentialMissing(), "UNAUTHENTICATED", "CREDENTIAL_MISSING", {}, None),
    (CredentialUnknown(), "UNAUTHENTICATED", "CREDENTIAL_UNKNOWN", {}, None),
    (CredentialRevoked(), "UNAUTHENTICATED", "CREDENTIAL_REVOKED", {}, None),
    (MediaNotFound(), "NOT_FOUND", "MEDIA_NOT_FOUND", {}, None),
    (RangeNotSatisfiable(48_213), "OUT_OF_RANGE", "RANGE_NOT_SATISFIABLE", {"size_bytes": "48213"}, None),
    (MediaUnavailable(), "UNAVAILABLE", "MEDIA_UNAVAILABLE", {}, 1.0),
    (WebhookRejected(), "UNAUTHENTICATED", "WEBHOOK_REJECTED", {}, None),
    (ProviderUnavailable(), "UNAVAILABLE", "PROVIDER_UNAVAILABLE", {}, 60.0),
    (StoreUnavailable(), "UNAVAILABLE", "STORE_UNAVAILABLE", {}, 1.0),
    (StoreContended(), "ABORTED", "STORE_CONTENDED", {}, None),
    (ServerBusy(), "RESOURCE_EXHAUSTED", "SERVER_BUSY", {}, 1.0),
    (ServerStopping(), "UNAVAILABLE", "SERVER_STOPPING", {}, 0.0),
    (IllegalTransition("failed", "Stored"), "INTERNAL", "INTERNAL", {}, None),
]

JOB_REASONS = {
    "JOB_REJECTED",
    "IMAGE_UNUSABLE",
    "PROVIDER_ERROR",
    "SUBMIT_UNANSWERED",
    "JOB_CANCELLED",
    "JOB_EXPIRED",
}
"""Those of the errors of jobs, which no call answers with."""


def _kinds(root: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _detail(error: DomainError, empty: Any) -> Any:
    for packed in to_status(error).details:
        if packed.Is(empty.DESCRIPTOR):
            packed.Unpack(empty)
            return empty
    return None


def _documented_keys() -> dict[str, set[str]]:
    """For each reason of the contract, the keys in its worked example."""
    text = (Path(__file__).parents[2] / "proto/reelgate/v1/error_reason.proto").read_text("utf-8")
    keys: dict[str, set[str]] = {}
    example = ""
    for line in text.splitlines():
        if line.startswith("  //     "):
            example += line.removeprefix("  //     ")
        elif match := re.match(r"  ERROR_REASON_(\w+) = ", line):
            metadata = re.search(r'"metadata": \{(.*)\}\}', example)
            keys[match[1]] = set(re.findall(r'"(\w+)": ', metadata[1])) if metadata else set()
            example = ""
    return keys


def test_every_domain_error_has_a_row_and_is_tested_here() -> None:
    assert set(_kinds()) == set(STATUS) == {type(row[0]) for row in ROWS}


def test_every_reason_of_the_contract_is_sent() -> None:
    sent = {row[2] for row in ROWS} | JOB_REASONS
    assert {value.name.removeprefix("ERROR_REASON_") for value in ErrorReason.DESCRIPTOR.values if value.number} == sent


@pytest.mark.parametrize(("error", "code", "reason", "metadata", "retry_s"), ROWS, ids=lambda value: f"{value}"[:40])
def test_an_error_is_told_as_its_row_says(
    error: DomainError, code: str, reason: str, metadata: dict[str, str], retry_s: float | None
) -> None:
    status = to_status(error)
    assert code_pb2.Code.Name(status.code) == code
    assert status.message == str(error)
    info = _detail(error, error_details_pb2.ErrorInfo())
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "reelgate", metadata)
    retry = _detail(error, error_details_pb2.RetryInfo())
    assert (retry.retry_delay.ToTimedelta() if retry else None) == (
        None if retry_s is None else timedelta(seconds=retry_s)
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2])
def test_the_metadata_keys_are_those_that_the_contract_documents(row: Any) -> None:
    # The boundary tells a bug, and knows its id.
    expected = {"error_id"} if row[2] == "INTERNAL" else set(row[3])
    assert _documented_keys()[row[2]] == expected


@pytest.mark.parametrize("kind", [InvalidRequest, InvalidSpec])
def test_every_violation_is_told(kind: type[InvalidRequest]) -> None:
    bad = _detail(kind(VIOLATIONS), error_details_pb2.BadRequest())
    assert [(each.field, each.description) for each in bad.field_violations] == [
        ("prompt", "is required"),
        ("extra", "must be small"),
    ]


def test_a_job_that_is_not_found_is_named_as_a_resource() -> None:
    resource = _detail(JobNotFound(JOB), error_details_pb2.ResourceInfo())
    assert (resource.resource_type, resource.resource_name) == ("reelgate.v1.Job", JOB)


def test_a_message_is_cut_to_what_a_header_can_carry() -> None:
    status = make_status(STATUS[StoreUnavailable].code, "x" * 5000, [])
    assert len(status.message) == MESSAGE_CHARACTERS_MAX == 1000
