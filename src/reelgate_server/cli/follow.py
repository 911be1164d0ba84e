"""Following a job to its end over a connection that may break.

A watch that ends without the job's end was interrupted, whatever its status says, and goes on after the last sequence.
Only a sequence that grew is progress: a server that is stopping answers every watch with the present state and an
error, and would otherwise be asked again and again without a pause.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import grpc

from reelgate.v1 import job_pb2, video_service_pb2, video_service_pb2_grpc
from reelgate_server.cli.refusals import Refusal

RESUMABLE: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}
)
"""What a client may be told when its server stops, or has not come back; cancelled, if it came at that very moment."""
TERMINAL: Final = frozenset(
    {
        job_pb2.JOB_STATE_SUCCEEDED,
        job_pb2.JOB_STATE_FAILED,
        job_pb2.JOB_STATE_CANCELLED,
        job_pb2.JOB_STATE_EXPIRED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a broken watch is resumed. A restart takes the server about ten seconds."""

    attempt_count_max: int = 10
    """Attempts in a row that bring no new event; > 0."""
    answer_limit_s: float = 5.0
    """How long one attempt waits for a connection and a first answer."""
    pause_s_min: float = 0.2
    """The pause after the first such attempt; each further one doubles it."""
    pause_s_max: float = 5.0


def follow(
    channel: grpc.Channel,
    job_id: str,
    metadata: tuple[tuple[str, str], ...],
    tell: Callable[[job_pb2.Job], None],
    patience: Patience,
) -> job_pb2.Job:
    """Watch a job to its end, resuming after the last event whenever the stream breaks.

    Args:
        channel: To the server.
        job_id: The job.
        metadata: The credential.
        tell: Called with every state of the job, in order; the present one again after each interruption.
        patience: When to give up.

    Returns:
        The job as it ended.

    Raises:
        Refusal: Patience is used up; the message says how to resume.
        grpc.RpcError: The server refused the watch.
    """
    stub = video_service_pb2_grpc.VideoServiceStub(channel)
    sequence, attempt_count = 0, 0
    while True:
        sequence_before = sequence
        try:
            # A watch has no limit of its own, so another call waits for the server first. grpc's future for that, from
            # `channel_ready_future`, has a thread that prints a traceback when the channel is closed soon after.
            present = video_service_pb2.GetJobRequest(job_id=job_id)
            stub.GetJob(present, metadata=metadata, timeout=patience.answer_limit_s, wait_for_ready=True)
            request = video_service_pb2.WatchJobRequest(job_id=job_id, after_sequence=sequence)
            for message in stub.WatchJob(request, metadata=metadata):
                sequence = message.sequence
                tell(message.job)
                if message.job.state in TERMINAL:
                    return message.job
            reason = "the stream ended early"
        except grpc.RpcError as error:
            if error.code() not in RESUMABLE:
                raise
            reason = f"{error.code().name}: {error.details()}"
        attempt_count = 1 if sequence > sequence_before else attempt_count + 1
        if attempt_count >= patience.attempt_count_max:
            raise Refusal(
                f"lost sight of job {job_id} after {attempt_count} attempts ({reason}); "
                f"it may go on without us: resume with `reelgate jobs watch {job_id}`"
            )
        time.sleep(min(patience.pause_s_min * 2 ** (attempt_count - 1), patience.pause_s_max))
