"""Watches over gRPC and as server-sent events, in the same terms."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import grpc
import httpx
from google.protobuf import json_format

from reelgate.v1 import job_pb2, video_service_pb2, video_service_pb2_grpc
from tests.support.product import END_LIMIT_S, auth

TERMINAL = {
    job_pb2.JOB_STATE_SUCCEEDED,
    job_pb2.JOB_STATE_FAILED,
    job_pb2.JOB_STATE_CANCELLED,
    job_pb2.JOB_STATE_EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as a watcher sees it."""

    sequence: int
    event_type: int
    state: int
    progress_percent: int


Messages: TypeAlias = Iterator[video_service_pb2.WatchJobResponse]


def watch_grpc(channel: grpc.Channel, key: str, job_id: str, *, after: int = 0) -> Messages:
    """Every message of a watch over gRPC."""
    request = video_service_pb2.WatchJobRequest(job_id=job_id, after_sequence=after)
    call = video_service_pb2_grpc.VideoServiceStub(channel).WatchJob(request, metadata=auth(key), timeout=END_LIMIT_S)
    try:
        yield from call
    finally:
        call.cancel()


def watch_sse(http: httpx.Client, job_id: str, *, after: int = 0) -> Messages:
    """Every message of a watch as server-sent events."""
    path = f"/reelgate/v1/jobs/{job_id}:watch"
    with http.stream("GET", path, params={"after_sequence": after}, timeout=END_LIMIT_S) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        for line in response.iter_lines():
            if line:
                name, _, text = line.partition(": ")
                assert name == "data", line
                yield json_format.ParseDict(json.loads(text), video_service_pb2.WatchJobResponse())


def take(messages: Messages, *, until_event_count: int | None = None) -> list[Fact]:
    """Read a watch to its end, or until some events came; check its form and return its events."""
    facts: list[Fact] = []
    is_first = True
    message = None
    for message in messages:
        is_snapshot = message.kind == video_service_pb2.WATCH_JOB_RESPONSE_KIND_SNAPSHOT
        assert is_snapshot == is_first
        is_first = False
        if message.kind == video_service_pb2.WATCH_JOB_RESPONSE_KIND_EVENT:
            assert message.sequence == message.event.sequence == message.job.sequence
            job = message.job
            facts.append(Fact(message.sequence, message.event.type, job.state, job.progress_percent))
            if len(facts) == until_event_count:
                return facts
        else:
            assert not message.HasField("event")
    # It ended by itself: then it must have said so.
    assert message is not None
    assert message.job.state in TERMINAL
    assert message.sequence == message.job.sequence
    return facts
