"""What Google's answers mean, on literal payloads."""

from typing import Any

import pytest

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.vertex.answer_scanner import UnreadableAnswer
from reelgate_server.adapters.providers.vertex.answers import operation_name, state_of
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning
from tests.adapters.vertex.samples import OPERATION

RESPONSE_TYPE = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"


def answer(body: bytes) -> Answer:
    return Answer(status=200, headers={}, body=body, is_submit=True, secrets=("ya29.secret",))


def test_a_submit_answers_with_a_name() -> None:
    assert operation_name(answer(b'{"name": "projects/film/operations/1"}')) == "projects/film/operations/1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"name": 7}',
        b'{"name": ""}',
        b'{"name": ["a"]}',
        b'{"name": "two words"}',
        b'{"name": "line\\nbreak"}',
        b'{"name": "caf\\u00e9"}',
        b'{"name": "' + b"x" * 1025 + b'"}',
        b'{"name": "projects/fi',
        b"<html>ya29.secret</html>",
    ],
)
def test_a_success_without_a_readable_name_may_have_been_accepted(body: bytes) -> None:
    with pytest.raises(ProviderFault) as raised:
        operation_name(answer(body))
    assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE
    assert raised.value.fault.is_maybe_accepted
    assert "ya29" not in raised.value.fault.detail


@pytest.mark.parametrize("operation", [{"name": OPERATION}, {"name": OPERATION, "done": False}, {}, {"metadata": {}}])
def test_an_operation_runs_as_long_as_it_is_not_done(operation: dict[str, Any]) -> None:
    assert state_of(operation, OPERATION) == TaskRunning()


def done(**response: Any) -> dict[str, Any]:
    return {"name": OPERATION, "done": True, "response": {"@type": RESPONSE_TYPE, **response}}


def test_a_video_in_a_bucket_is_where_it_is() -> None:
    video = {"gcsUri": "gs://studio-results/veo/1/1234/sample_0.mp4", "mimeType": "video/mp4"}
    operation = done(raiMediaFilteredCount=0, videos=[video])
    assert state_of(operation, OPERATION) == TaskDone(source_url="gs://studio-results/veo/1/1234/sample_0.mp4")


def test_a_video_in_the_answer_is_named_after_its_operation() -> None:
    operation = done(videos=[{"bytesBase64Encoded": "(elided)", "mimeType": "video/mp4"}])
    assert state_of(operation, OPERATION) == TaskDone(
        source_url="vertex:projects/film/locations/us-central1/publishers/google/models/veo-3.1-generate-001"
        "/operations/7a0c1fd5-3f6e-4a44-8f5c-5b2f6d0f4c11"
    )


def test_a_success_without_a_video_or_a_reason_is_a_failure() -> None:
    for operation in (done(), done(videos=[]), done(videos=[], raiMediaFilteredCount=0)):
        state = state_of(operation, OPERATION)
        assert isinstance(state, TaskFailed)
        assert state.failure.code is FailureCode.PROVIDER_ERROR
        assert state.failure.fault is not None
        assert state.failure.fault.kind is FaultKind.UNINTELLIGIBLE


@pytest.mark.parametrize(
    "operation",
    [
        {"done": "true"},
        {"done": 1},
        {"done": None},
        {"done": True},
        {"done": True, "response": None},
        {"done": True, "response": []},
        {"done": True, "response": "ok"},
        {"done": True, "error": {}},
        {"done": True, "error": "it failed", "response": {}},
        {"done": True, "error": 13},
        done(videos="gs://bucket/video.mp4"),
        done(videos={}),
        done(videos=["gs://bucket/video.mp4"]),
        done(videos=[None]),
        done(videos=[{}]),
        done(videos=[{"mimeType": "video/mp4"}]),
        done(videos=[{"gcsUri": 7}]),
        done(videos=[{"gcsUri": ""}]),
        done(videos=[{"gcsUri": "https://example.com/video.mp4"}]),
        done(videos=[{"gcsUri": "gs://bucket"}]),
        done(videos=[{"gcsUri": "gs://bucket/"}]),
        done(videos=[{"gcsUri": "gs://Bucket!/video.mp4"}]),
        done(videos=[{"gcsUri": "gs://bucket/a\nb"}]),
        done(videos=[{"bytesBase64Encoded": ""}]),
        done(videos=[{"bytesBase64Encoded": ["AAAA"]}]),
    ],
    ids=str,
)
def test_an_operation_of_the_wrong_types_is_unreadable(operation: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        state_of(operation, OPERATION)
