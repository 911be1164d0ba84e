"""A gRPC client: `reelgate generate|jobs|models`."""

import sys
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import grpc
import httpx
import typer
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from reelgate.v1 import job_pb2, model_service_pb2, model_service_pb2_grpc, video_service_pb2, video_service_pb2_grpc
from reelgate_server.cli.follow import Patience, follow
from reelgate_server.cli.refusals import Refusal, told_plainly

Target = Annotated[str, typer.Option(envvar="REELGATE_GRPC", help="The server's address, host:port.")]
Key = Annotated[str, typer.Option(envvar="REELGATE_API_KEY", help="The API key.", show_default=False)]

TARGET_DEFAULT: Final = "127.0.0.1:50051"
CALL_LIMIT_S: Final = 30.0
CHANNEL_OPTIONS: Final = (("grpc.max_reconnect_backoff_ms", 1000),)
"""A server that comes back is found within a second; gRPC would wait for up to two minutes."""

_console = Console(width=None if sys.stdout.isatty() else 200)
"""Wide where it is read by a program, so that no id is cut."""


def add_commands(app: typer.Typer) -> None:
    """Add the commands."""
    jobs = typer.Typer(help="Jobs of this key's account.", no_args_is_help=True)
    app.add_typer(jobs, name="jobs")
    app.command()(told_plainly(generate))
    app.command()(told_plainly(models))
    jobs.command("list")(told_plainly(list_jobs))
    jobs.command("get")(told_plainly(get_job))
    jobs.command("watch")(told_plainly(watch_job))
    jobs.command("cancel")(told_plainly(cancel_job))


def generate(
    prompt: Annotated[str, typer.Argument(help="What the video shows.")],
    key: Key,
    target: Target = TARGET_DEFAULT,
    model: Annotated[str, typer.Option(help="A model of `reelgate models`.")] = "local/storyboard",
    seconds: Annotated[int | None, typer.Option(help="The length; the model's default if absent.")] = None,
    aspect_ratio: Annotated[str, typer.Option(help="Such as 9:16; the model's default if absent.")] = "",
    resolution: Annotated[str, typer.Option(help="Such as 480p; the model's default if absent.")] = "",
    image_url: Annotated[str, typer.Option(help="The https address of the first frame.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; JOB.mp4 if absent.")] = None,
) -> None:
    """Make a video: create a job, follow it, save the file."""
    request = video_service_pb2.CreateJobRequest(
        model=model,
        prompt=prompt,
        clip_duration=Duration(seconds=seconds) if seconds is not None else None,
        aspect_ratio=aspect_ratio,
        resolution=resolution,
        image_url=image_url,
        # Makes it safe to send the request again should the answer be lost.
        idempotency_key=str(uuid4()),
    )
    with _open_channel(target) as channel:
        stub = video_service_pb2_grpc.VideoServiceStub(channel)
        created = stub.CreateJob(request, timeout=CALL_LIMIT_S, metadata=_auth(key), wait_for_ready=True)
        job = _follow(channel, created.job_id, key)
    if job.state != job_pb2.JOB_STATE_SUCCEEDED:
        raise Refusal(f"job {job.job_id} {_state(job)}: {job.error.message}")
    path = output or Path(f"{job.job_id}.mp4")
    try:
        download(job.video.uri, path)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Refusal(f"job {job.job_id} succeeded, but its video {job.video.uri} is not saved: {error}") from error
    note = " (SIMULATED)" if job.simulated else ""
    _console.print(f"{path}: {job.video.size_bytes} bytes, {_money(job)}{note}", highlight=False, soft_wrap=True)


def models(key: Key, target: Target = TARGET_DEFAULT) -> None:
    """Show the models and what a second of each costs this account."""
    with _open_channel(target) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        response = stub.ListModels(model_service_pb2.ListModelsRequest(), timeout=CALL_LIMIT_S, metadata=_auth(key))
    table = Table(Column("model", no_wrap=True), "seconds", "ratios", "resolutions", "per second", "availability")
    for model in response.models:
        lengths = [duration.seconds for duration in model.clip_durations]
        table.add_row(
            model.model,
            f"{lengths[0]}-{lengths[-1]}"
            if len(lengths) == lengths[-1] - lengths[0] + 1
            else ",".join(map(str, lengths)),
            " ".join(model.aspect_ratios),
            " ".join(model.resolutions),
            f"{model.price_per_second_micros / 1_000_000:.6f} {model.currency}",
            model_service_pb2.Availability.Name(model.availability).removeprefix("AVAILABILITY_").lower(),
        )
    _console.print(table)


def list_jobs(
    key: Key,
    target: Target = TARGET_DEFAULT,
    state: Annotated[str, typer.Option(help="Only jobs in this state, such as succeeded.")] = "",
    model: Annotated[str, typer.Option(help="Only jobs of this model.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
) -> None:
    """Show the newest jobs."""
    name = f"JOB_STATE_{state.upper() or 'UNSPECIFIED'}"
    if name not in job_pb2.JobState.keys():  # noqa: SIM118 (an enum wrapper is not a mapping)
        raise Refusal(f"there is no state '{state}'")
    request = video_service_pb2.ListJobsRequest(page_size=limit, state=name, model=model)
    with _open_channel(target) as channel:
        stub = video_service_pb2_grpc.VideoServiceStub(channel)
        response = stub.ListJobs(request, timeout=CALL_LIMIT_S, metadata=_auth(key))
    table = Table(Column("job", no_wrap=True), "state", "%", "model", "created", "price")
    for job in response.jobs:
        created = job.create_time.ToDatetime().isoformat(" ", "seconds")
        table.add_row(job.job_id, _state(job), str(job.progress_percent), job.model, created, _money(job))
    _console.print(table)


def get_job(job_id: str, key: Key, target: Target = TARGET_DEFAULT) -> None:
    """Show one job as JSON."""
    with _open_channel(target) as channel:
        stub = video_service_pb2_grpc.VideoServiceStub(channel)
        _print_job(
            stub.GetJob(video_service_pb2.GetJobRequest(job_id=job_id), timeout=CALL_LIMIT_S, metadata=_auth(key))
        )


def watch_job(job_id: str, key: Key, target: Target = TARGET_DEFAULT) -> None:
    """Follow one job to its end, then show it as JSON."""
    with _open_channel(target) as channel:
        _print_job(_follow(channel, job_id, key))


def cancel_job(job_id: str, key: Key, target: Target = TARGET_DEFAULT) -> None:
    """Cancel one job."""
    with _open_channel(target) as channel:
        stub = video_service_pb2_grpc.VideoServiceStub(channel)
        _print_job(
            stub.CancelJob(video_service_pb2.CancelJobRequest(job_id=job_id), timeout=CALL_LIMIT_S, metadata=_auth(key))
        )


def _auth(key: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),)


def _open_channel(target: str) -> grpc.Channel:
    return grpc.insecure_channel(target, options=CHANNEL_OPTIONS)


def _follow(channel: grpc.Channel, job_id: str, key: str) -> job_pb2.Job:
    """Watch a job to its end and show how far it is."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_console, transient=not sys.stdout.isatty()) as progress:
        bar = progress.add_task(job_id)

        def tell(job: job_pb2.Job) -> None:
            progress.update(bar, completed=job.progress_percent, description=_state(job))

        return follow(channel, job_id, _auth(key), tell, Patience())


def download(uri: str, path: Path) -> None:
    """Save a file, in one step: until all of it is there, it grows beside `path` under another name.

    Raises:
        httpx.HTTPError: It cannot be had, or breaks off. What was at `path` is as it was.
        httpx.InvalidURL: `uri` is no address.
        OSError: It cannot be written.
    """
    if path.exists() and not path.is_file():
        # Such as /dev/null, which must not be replaced.
        _fetch(uri, path)
        return
    # Through a link, which is to stay one.
    path = path.resolve()
    partial = path.with_name(f".reelgate-{uuid4()}.partial")
    try:
        _fetch(uri, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _fetch(uri: str, path: Path) -> None:
    with httpx.stream("GET", uri, timeout=CALL_LIMIT_S, trust_env=False) as response:
        response.raise_for_status()
        with path.open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)


def _state(job: job_pb2.Job) -> str:
    return job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()


def _money(job: job_pb2.Job) -> str:
    return f"{job.price_micros / 1_000_000:.6f} {job.currency}"


def _print_job(job: job_pb2.Job) -> None:
    _console.print_json(json_format.MessageToJson(job, preserving_proto_field_name=True))
