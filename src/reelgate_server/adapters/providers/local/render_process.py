"""What runs in a worker process: one render after another, until the parent hangs up or dies."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from PIL import Image

from reelgate_server.adapters.images import HttpImageSource
from reelgate_server.adapters.providers.local.encode import encode
from reelgate_server.adapters.providers.local.folder import WorkFolder
from reelgate_server.adapters.providers.local.images import decode, fetch
from reelgate_server.adapters.providers.local.look import look_of
from reelgate_server.adapters.providers.local.shot import Shot
from reelgate_server.adapters.providers.local.storyboard import Storyboard
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.failures import failure_of
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.ports.images import ImageSource, ImageUnavailable

RENDER_ATTEMPT_COUNT_MAX = 2
"""A full disk or a lost file may pass; what fails twice is a defect."""

_NICENESS = 10
"""Renders give way to the server, which shares the machine."""
_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


class RenderStopped(Exception):
    """The render was cancelled."""


def serve(connection: Connection) -> None:
    """Render each folder whose path arrives, and answer None when it needs no more work.

    Every outcome is in the folder's files, so the answer carries nothing.
    """
    _follow_parent()
    while True:
        try:
            path = connection.recv()
            render(WorkFolder(Path(path)))
            connection.send(None)
        except (EOFError, BrokenPipeError):
            return


def render(folder: WorkFolder, images: ImageSource | None = None) -> None:
    """Bring a folder to its end, unless another process is at it; a repeat does nothing.

    Args:
        folder: With an order.
        images: Gets a first frame that has an address; by default from the public internet.
    """
    with folder.lock() as is_ours:
        if not is_ours or not folder.has_order() or folder.has_ended():
            return
        for attempt in range(1, RENDER_ATTEMPT_COUNT_MAX + 1):
            try:
                _render_video(folder, images)
            except RenderStopped:
                folder.discard_part()
                return
            except ImageUnavailable as error:
                folder.discard_part()
                _fail_for_want_of_an_image(folder, str(error))
                return
            except Exception as error:  # noqa: BLE001 (whatever breaks a render is the job's failure, not the worker's)
                if attempt == RENDER_ATTEMPT_COUNT_MAX:
                    folder.discard_part()
                    _fail(folder, error)
            else:
                return


def _render_video(folder: WorkFolder, images: ImageSource | None) -> None:
    shot = folder.shot()
    folder.note_progress(0)
    image = _first_frame(shot, folder, images)
    encode(folder.part_path, shot, _frames(folder, shot, image), pitch_hz=look_of(shot).pitch_hz)
    _stop_if_cancelled(folder)
    folder.publish()


def _frames(folder: WorkFolder, shot: Shot, image: Image.Image | None) -> Iterator[Image.Image]:
    storyboard = Storyboard(shot, image)
    noted = 0
    for index in range(shot.frame_count):
        _stop_if_cancelled(folder)
        yield storyboard.frame(index)
        percent = 100 * (index + 1) // shot.frame_count
        if percent > noted:
            folder.note_progress(percent)
            noted = percent


def _first_frame(shot: Shot, folder: WorkFolder, images: ImageSource | None) -> Image.Image | None:
    if shot.has_image_file:
        return decode(folder.image_path.read_bytes())
    if shot.image_url is None:
        return None
    try:
        return decode(fetch(images or HttpImageSource(), shot.image_url, folder.is_cancelled))
    except ImageUnavailable:
        _stop_if_cancelled(folder)
        if shot.is_simulated:
            # A stand-in must work without a network: the picture says what is missing.
            return None
        raise


def _stop_if_cancelled(folder: WorkFolder) -> None:
    if folder.is_cancelled():
        raise RenderStopped


def _fail_for_want_of_an_image(folder: WorkFolder, detail: str) -> None:
    fault = Fault(kind=FaultKind.IMAGE_UNUSABLE, detail=detail)
    failure = failure_of(fault)
    folder.fail(failure.code, failure.message, fault.detail, kind=fault.kind)


def _fail(folder: WorkFolder, error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    folder.fail(
        FailureCode.PROVIDER_ERROR,
        "The local renderer could not render this video.",
        f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})",
    )


def _follow_parent() -> None:
    """Arrange to die with the parent, however it dies, and to leave its signals to it."""
    # Ctrl-C reaches the whole process group; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    parent = multiprocessing.parent_process()
    if parent is None:
        message = "a render process must be started with multiprocessing"
        raise RuntimeError(message)
    # The thread covers every system, the signal also a process that is stuck in native code.
    threading.Thread(target=_die_after, args=(parent,), name="parent-watch", daemon=True).start()
    if sys.platform == "linux":
        # The system sends it when the *thread* that started this process ends, which is the one that waits for it.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent.pid:
            os._exit(1)


def _die_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
