"""The table of rules for native requests."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelgate.v1 import (
    account_service_pb2,
    job_pb2,
    media_service_pb2,
    model_service_pb2,
    video_service_pb2,
)
from reelgate_server.api.validate import RULES, validate
from reelgate_server.domain.errors import InvalidRequest

JOB = "01940000-0000-7000-8000-00000000000a"

GOOD: list[Any] = [
    video_service_pb2.CreateJobRequest(model="m"),
    video_service_pb2.CreateJobRequest(model="m", clip_duration=Duration(seconds=86_400)),
    video_service_pb2.CreateJobRequest(model="m", clip_duration=Duration(nanos=1)),
    video_service_pb2.GetJobRequest(job_id=JOB),
    video_service_pb2.CancelJobRequest(job_id=JOB),
    video_service_pb2.ListJobsRequest(),
    video_service_pb2.ListJobsRequest(state=job_pb2.JOB_STATE_EXPIRED),
    video_service_pb2.WatchJobRequest(job_id=JOB),
    video_service_pb2.WatchJobRequest(job_id=JOB, after_sequence=2_147_483_647),
    model_service_pb2.EstimateCostRequest(model="m", clip_duration=Duration()),
    model_service_pb2.ListModelsRequest(),
    account_service_pb2.GetBalanceRequest(),
    account_service_pb2.ListLedgerEntriesRequest(page_size=-1),
    media_service_pb2.DownloadRequest(),
]

BAD: list[tuple[Any, list[tuple[str, bool]]]] = [
    (video_service_pb2.CreateJobRequest(), [("model", True)]),
    (
        video_service_pb2.CreateJobRequest(clip_duration=Duration(seconds=-1)),
        [("model", True), ("clip_duration", False)],
    ),
    (video_service_pb2.CreateJobRequest(model="m", clip_duration=Duration(nanos=-1)), [("clip_duration", False)]),
    (
        video_service_pb2.CreateJobRequest(model="m", clip_duration=Duration(seconds=86_401)),
        [("clip_duration", False)],
    ),
    (
        video_service_pb2.CreateJobRequest(model="m", extra={"n": [1.0] * 40_000}),
        [("extra", False)],
    ),
    (video_service_pb2.GetJobRequest(), [("job_id", True)]),
    (video_service_pb2.GetJobRequest(job_id=JOB.upper()), [("job_id", False)]),
    (video_service_pb2.CancelJobRequest(job_id="x"), [("job_id", False)]),
    (video_service_pb2.ListJobsRequest.FromString(b"\x18\x07"), [("state", False)]),
    (video_service_pb2.WatchJobRequest(after_sequence=-1), [("job_id", True), ("after_sequence", False)]),
    (model_service_pb2.EstimateCostRequest(), [("model", True)]),
]


@pytest.mark.parametrize("request_", GOOD, ids=lambda value: type(value).__name__)
def test_a_request_that_keeps_its_rules_passes(request_: Any) -> None:
    validate(request_)


@pytest.mark.parametrize(("request_", "violations"), BAD, ids=lambda value: type(value).__name__)
def test_every_rule_that_is_broken_is_named_in_order(request_: Any, violations: list[tuple[str, bool]]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        validate(request_)
    assert [(each.field, each.is_missing) for each in raised.value.violations] == violations
    assert all(each.description for each in raised.value.violations)


def test_every_rule_is_tested_here() -> None:
    tested = {(type(request), field) for request, violations in BAD for field, _ in violations}
    in_table = {(kind, rule.field) for kind, rules in RULES.items() for rule in rules}
    # Both messages share the row, which is tested once.
    assert in_table - tested == {(model_service_pb2.EstimateCostRequest, "clip_duration")}
    assert tested <= in_table
