"""The local provider: real renders in real processes, and what becomes of them when processes are killed."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from reelgate_server.adapters.providers.local.folder import WorkFolder
from reelgate_server.adapters.providers.local.provider import CHUNK_BYTES, POLL_AFTER, LocalProvider
from reelgate_server.domain.events import FailureCode, Task
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.domain.ids import JobId
from reelgate_server.ports.provider import RenderOrder, TaskAccepted, TaskDone, TaskFailed, TaskRunning
from tests.support.builders import job_id
from tests.support.render_orders import make_order
from tests.support.video_probe import Probe, probe
from tests.support.waiting import wait_for_end, wait_for_progress, wait_until

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[LocalProvider]:
    async with LocalProvider(tmp_path, worker_count=1) as provider:
        yield provider


async def test_a_video_is_what_was_ordered_in_the_customers_length(provider: LocalProvider, tmp_path: Path) -> None:
    order = make_order(1, has_audio=True, aspect_ratio="9:16", render_duration=timedelta(seconds=5))
    task = (await provider.submit(order)).task
    assert await wait_for_end(provider, task) == TaskDone(source_url="local:01940000-0000-7000-8000-000000000001")
    assert probe(tmp_path / task.task_id / "video.mp4") == Probe(
        video_codec="h264",
        pixel_format="yuv420p",
        width=480,
        height=854,
        frame_count=24,
        duration_s=1.0,
        audio_codec="aac",
        is_fast_start=True,
    )


async def test_a_video_without_sound_has_no_audio_stream(provider: LocalProvider, tmp_path: Path) -> None:
    task = (await provider.submit(make_order(1, seconds=2, aspect_ratio="1:1"))).task
    await wait_for_end(provider, task)
    found = probe(tmp_path / task.task_id / "video.mp4")
    assert (found.audio_codec, found.duration_s, found.width, found.height) == (None, 2.0, 480, 480)


async def test_it_takes_a_task_at_once_and_says_when_to_look(provider: LocalProvider) -> None:
    accepted = await provider.submit(_long_order(1))
    assert accepted == TaskAccepted(task=Task(task_id=job_id(1)), poll_after=POLL_AFTER)


async def test_it_needs_no_credentials_and_announces_nothing(provider: LocalProvider) -> None:
    assert (provider.name, provider.is_idempotent, provider.announces_tasks) == ("local", True, False)
    assert provider.credentials == ()


async def test_its_check_fails_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(ProviderFault) as raised:
        await LocalProvider(tmp_path / "taken").check(None)
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE


async def test_its_check_starts_and_makes_nothing(tmp_path: Path) -> None:
    provider = LocalProvider(tmp_path / "new" / "folder")
    await provider.check(None)
    assert provider.worker_pids() == []
    assert not (tmp_path / "new").exists()


async def test_a_cancel_is_told_whether_or_not_there_is_such_a_task(provider: LocalProvider) -> None:
    assert await provider.cancel((await provider.submit(_long_order(1))).task)
    assert await provider.cancel(Task(task_id="no such task"))


async def test_a_task_is_running_even_while_it_waits_and_says_when_to_look_again(provider: LocalProvider) -> None:
    tasks = [(await provider.submit(order)).task for order in (_long_order(1), make_order(2))]
    for task in tasks:
        assert await provider.poll(task) == TaskRunning(progress_percent=0, poll_after=POLL_AFTER)


async def test_open_reads_bounded_chunks_of_the_very_file(provider: LocalProvider, tmp_path: Path) -> None:
    task = (await provider.submit(make_order(1, prompt="A city", seconds=2, resolution="720p"))).task
    await wait_for_end(provider, task)
    chunks = [chunk async for chunk in provider.open(task, f"local:{task.task_id}")]
    assert len(chunks) > 1
    assert {len(chunk) for chunk in chunks[:-1]} == {CHUNK_BYTES}
    assert b"".join(chunks) == (tmp_path / task.task_id / "video.mp4").read_bytes()


@pytest.mark.parametrize(
    ("task_id", "source_url", "kind"),
    [
        ("../secret", "local:../secret", FaultKind.TASK_UNKNOWN),
        (job_id(1), "local:../../etc/passwd", FaultKind.INVALID),
        (job_id(1), f"local:{job_id(2)}", FaultKind.INVALID),
        (job_id(1), "https://example.com/video.mp4", FaultKind.INVALID),
        (job_id(2), f"local:{job_id(2)}", FaultKind.TASK_UNKNOWN),
        (job_id(1), f"local:{job_id(1)}", FaultKind.UNAVAILABLE),
    ],
)
async def test_open_leads_nowhere_but_to_the_tasks_own_finished_video(
    provider: LocalProvider, task_id: str, source_url: str, kind: FaultKind
) -> None:
    await provider.submit(_long_order(1))
    with pytest.raises(ProviderFault) as raised:
        await anext(provider.open(Task(task_id=task_id), source_url))
    assert raised.value.fault.kind is kind


@pytest.mark.parametrize("task_id", ["", "..", "../../etc", "01940000-0000-7000-8000-00000000000A", "x" * 5000])
async def test_what_is_no_job_id_is_an_unknown_task(provider: LocalProvider, task_id: str) -> None:
    with pytest.raises(ProviderFault) as raised:
        await provider.poll(Task(task_id=task_id))
    assert raised.value.fault.kind is FaultKind.TASK_UNKNOWN
    await provider.cancel(Task(task_id=task_id))


@pytest.mark.parametrize(
    "changes",
    [{"resolution": "8k"}, {"resolution": "9000p"}, {"aspect_ratio": "wide"}, {"aspect_ratio": "0:1"}, {"seconds": 0}],
)
async def test_what_cannot_be_drawn_is_refused_and_surely_not_accepted(
    provider: LocalProvider, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(ProviderFault) as raised:
        await provider.submit(make_order(1, **changes))  # type: ignore[arg-type]  # One table, several types.
    assert (raised.value.fault.kind, raised.value.fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert not (tmp_path / job_id(1)).exists()


async def test_a_job_id_that_is_no_uuid_never_becomes_a_path(provider: LocalProvider, tmp_path: Path) -> None:
    order = make_order(1)
    object.__setattr__(order, "job_id", JobId("../escaped"))
    with pytest.raises(ProviderFault):
        await provider.submit(order)
    assert not (tmp_path.parent / "escaped").exists()


async def test_a_render_is_cancelled_between_two_frames(provider: LocalProvider, tmp_path: Path) -> None:
    task = (await provider.submit(_long_order(1))).task
    await wait_for_progress(provider, task)
    await provider.cancel(task)
    folder = WorkFolder(tmp_path / task.task_id)
    await wait_until(lambda: not folder.is_being_rendered(), limit_s=2)
    assert not folder.part_path.exists()
    state = await provider.poll(task)
    assert isinstance(state, TaskFailed)
    assert state.failure.message == "The render was cancelled."
    # The worker is free for the next.
    assert isinstance(await wait_for_end(provider, (await provider.submit(make_order(2))).task), TaskDone)


async def test_a_render_that_waits_is_cancelled_without_being_begun(provider: LocalProvider, tmp_path: Path) -> None:
    running = (await provider.submit(_long_order(1))).task
    waiting = (await provider.submit(make_order(2))).task
    await provider.cancel(waiting)
    await provider.cancel(running)
    assert isinstance(await wait_for_end(provider, (await provider.submit(make_order(3))).task), TaskDone)
    assert not (tmp_path / waiting.task_id / "progress").exists()


async def test_a_killed_worker_is_replaced_and_the_render_done(provider: LocalProvider) -> None:
    task = (await provider.submit(make_order(1, seconds=3))).task
    await wait_for_progress(provider, task)
    (killed,) = provider.worker_pids()
    os.kill(killed, signal.SIGKILL)
    assert isinstance(await wait_for_end(provider, task), TaskDone)
    assert killed not in provider.worker_pids()


async def test_a_render_that_takes_three_workers_down_fails(provider: LocalProvider, tmp_path: Path) -> None:
    task = (await provider.submit(_long_order(1))).task
    for _ in range(3):
        (tmp_path / task.task_id / "progress").unlink(missing_ok=True)
        await wait_for_progress(provider, task)
        os.kill(provider.worker_pids()[0], signal.SIGKILL)
    state = await wait_for_end(provider, task)
    assert isinstance(state, TaskFailed)
    assert state.failure.code is FailureCode.INTERNAL
    assert isinstance(await wait_for_end(provider, (await provider.submit(make_order(2))).task), TaskDone)


async def test_a_defect_in_the_renderer_is_a_failure_with_its_place_for_the_operator(
    provider: LocalProvider, tmp_path: Path
) -> None:
    (tmp_path / job_id(1)).mkdir()
    (tmp_path / job_id(1) / "order.json").write_text('{"written": "by another version"}')
    state = await wait_for_end(provider, Task(task_id=job_id(1)))
    assert isinstance(state, TaskFailed)
    assert state.failure.code is FailureCode.PROVIDER_ERROR
    assert state.failure.message == "The local renderer could not render this video."
    assert state.failure.fault is not None
    assert state.failure.fault.detail.startswith("TypeError: ")


async def test_what_a_closed_provider_left_is_finished_by_the_next(tmp_path: Path) -> None:
    async with LocalProvider(tmp_path, worker_count=1) as provider:
        task = (await provider.submit(make_order(1, seconds=2, resolution="720p"))).task
        await wait_for_progress(provider, task)
    assert not (tmp_path / task.task_id / "video.mp4").exists()
    async with LocalProvider(tmp_path, worker_count=1) as successor:
        assert isinstance(await successor.poll(task), TaskRunning)
        assert isinstance(await wait_for_end(successor, task), TaskDone)
    assert probe(tmp_path / task.task_id / "video.mp4").frame_count == 48


async def test_closing_stops_a_render_at_once_and_a_provider_can_start_again(tmp_path: Path) -> None:
    provider = LocalProvider(tmp_path, worker_count=2)
    await provider.start()
    await provider.start()
    tasks = [(await provider.submit(_long_order(number))).task for number in (1, 2)]
    for task in tasks:
        await wait_for_progress(provider, task)
    async with asyncio.timeout(2):
        await provider.close()
    await provider.close()
    assert not any(WorkFolder(tmp_path / task.task_id).is_being_rendered() for task in tasks)
    with pytest.raises(ProviderFault) as raised:
        await provider.submit(make_order(3))
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE
    async with provider:
        assert isinstance(await wait_for_end(provider, (await provider.submit(make_order(3))).task), TaskDone)


async def test_workers_die_with_a_server_that_is_killed_and_the_next_one_finishes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.render_server", str(tmp_path)]
    # Not with asyncio: it would be the test that stalls then.
    with subprocess.Popen(command, cwd=REPOSITORY) as server:  # noqa: ASYNC220 (our own program)
        folder = WorkFolder(tmp_path / job_id(1))
        await wait_until(lambda: folder.progress_percent() > 0)
        server.kill()
    # The lock is the system's proof that the worker is gone; its process id may linger until it is reaped.
    await wait_until(lambda: not folder.is_being_rendered(), limit_s=2)
    assert not folder.has_ended()
    async with LocalProvider(tmp_path, worker_count=1) as provider:
        assert isinstance(await wait_for_end(provider, Task(task_id=job_id(1))), TaskDone)
    assert probe(folder.video_path).frame_count == 48


async def test_two_servers_over_one_root_agree(tmp_path: Path) -> None:
    async with LocalProvider(tmp_path, worker_count=1) as one, LocalProvider(tmp_path, worker_count=1) as other:
        task = (await one.submit(make_order(1, seconds=4))).task
        await wait_for_progress(one, task)
        assert isinstance(await other.poll(task), TaskRunning)
        assert await wait_for_end(other, task) == await wait_for_end(one, task)
        assert (await other.submit(make_order(1, seconds=4))).task == task


async def test_the_first_order_of_a_job_stands(provider: LocalProvider, tmp_path: Path) -> None:
    task = (await provider.submit(make_order(1, prompt="one"))).task
    await wait_for_end(provider, task)
    await provider.submit(make_order(1, prompt="other"))
    assert json.loads((tmp_path / task.task_id / "order.json").read_text())["prompt"] == "one"


async def test_old_folders_are_swept_and_young_ones_kept(tmp_path: Path) -> None:
    async with LocalProvider(tmp_path, worker_count=1) as provider:
        for number in (1, 2):
            await wait_for_end(provider, (await provider.submit(make_order(number))).task)
    unfinished = tmp_path / job_id(3)
    shutil.copytree(tmp_path / job_id(1), unfinished, ignore=shutil.ignore_patterns("video.mp4"))
    foreign = tmp_path / "not-ours"
    foreign.mkdir()
    for path in (tmp_path / job_id(1), unfinished, foreign):
        _make_older(path, timedelta(hours=2))
    async with LocalProvider(tmp_path, worker_count=1):
        assert _folder_names(tmp_path) == [job_id(2), job_id(3), "not-ours"]
    _make_older(unfinished, timedelta(days=2))
    async with LocalProvider(tmp_path, worker_count=1):
        assert not unfinished.exists()


async def test_a_submit_sweeps_if_that_was_not_done_for_long(provider: LocalProvider, tmp_path: Path) -> None:
    old = tmp_path / job_id(1)
    old.mkdir()
    (old / "cancelled").touch()
    _make_older(old, timedelta(hours=2))
    await provider.submit(_long_order(2))
    _make_older(tmp_path / ".swept", timedelta(minutes=11))
    await provider.submit(_long_order(3))
    await wait_until(lambda: not old.exists())


def _long_order(number: int) -> RenderOrder:
    """Takes much longer to render than any test waits."""
    return make_order(number, seconds=120)


def _folder_names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def _make_older(path: Path, age: timedelta) -> None:
    then_s = path.stat().st_mtime - age.total_seconds()
    os.utime(path, (then_s, then_s))
