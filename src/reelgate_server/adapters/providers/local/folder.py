"""A render's whole state, as files, so that it outlives every process.

`{root}/{job_id}/` holds `order.json` from submit on, and before it `image`, if the first frame came with the order;
`lock`, under an advisory lock for as long as a process renders; `progress`; and at the end one of `video.mp4`,
`failure.json` and `cancelled`. Every file but `progress` appears whole, under its name, or not at all. A folder with an
order, no end and no lock is a render that a crash interrupted.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reelgate_server.adapters.providers.local.shot import Shot
from reelgate_server.domain.events import FailureCode, JobFailure
from reelgate_server.domain.faults import Fault, FaultKind
from reelgate_server.domain.ids import JobId

PROGRESS_MAX = 99
"""Percent; 100 is the video itself."""
FAILURE_DETAIL_CHARACTERS_MAX = 500
"""The end of a traceback says what happened; more is noise in a job's log."""

_LOCK_ATTEMPT_COUNT = 50
_LOCK_INTERVAL_S = 0.02


class WorkFolder:
    """One job's folder. Cheap to make; holds no file open. Its methods block, and raise `OSError`."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it need not exist."""
        self.path = path
        self.video_path = path / "video.mp4"
        self.part_path = path / "video.part"
        self.image_path = path / "image"
        self._order_path = path / "order.json"
        self._progress_path = path / "progress"
        self._failure_path = path / "failure.json"
        self._cancelled_path = path / "cancelled"
        self._lock_path = path / "lock"

    @property
    def job_id(self) -> JobId:
        """The last segment of the path."""
        return JobId(self.path.name)

    def create(self, shot: Shot, image: bytes | None = None) -> None:
        """Record the order and the image that came with it, durably; what is already there stays as it is."""
        if self.has_order():
            return
        self.path.mkdir(exist_ok=True)
        # The order comes last: where there is one, everything is there that it speaks of.
        if image is not None:
            _write_whole(self.image_path, image)
        _write_whole(self._order_path, shot.to_json().encode("ascii"))
        _sync_directory(self.path.parent)

    def has_order(self) -> bool:
        """The task is known."""
        return self._order_path.exists()

    def shot(self) -> Shot:
        """Read the order.

        Raises:
            ValueError, TypeError: It was not written by this version.
        """
        return Shot.from_json(self._order_path.read_text(encoding="ascii"))

    def is_done(self) -> bool:
        """The video is complete."""
        return self.video_path.exists()

    def is_cancelled(self) -> bool:
        """The render was told to stop; a video that was complete by then stays."""
        return self._cancelled_path.exists()

    def has_ended(self) -> bool:
        """There is nothing left to render."""
        return self.is_done() or self._failure_path.exists() or self.is_cancelled()

    def failure(self) -> JobFailure | None:
        """Why there will be no video; None if that is not known or not so."""
        try:
            fields = json.loads(self._failure_path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        return JobFailure(
            code=FailureCode(fields["code"]),
            message=fields["message"],
            # A note of before there was a choice has no word of it.
            fault=Fault(kind=FaultKind(fields.get("kind", FaultKind.UNAVAILABLE)), detail=fields["detail"]),
        )

    def fail(self, code: FailureCode, message: str, detail: str, *, kind: FaultKind = FaultKind.UNAVAILABLE) -> None:
        """End the render without a video; `detail` is for the operator, the message for the customer."""
        fields = {"code": code, "message": message, "kind": kind, "detail": detail[-FAILURE_DETAIL_CHARACTERS_MAX:]}
        _write_whole(self._failure_path, json.dumps(fields).encode("ascii"))

    def cancel(self) -> None:
        """Tell whoever renders to stop; no more than a note if nobody does."""
        with suppress(FileNotFoundError):
            self._cancelled_path.touch()

    def discard_part(self) -> None:
        """Remove the unfinished file, if there is one."""
        self.part_path.unlink(missing_ok=True)

    def publish(self) -> None:
        """Make the finished file visible in one step; durable on return."""
        with self.part_path.open("rb") as file:
            os.fsync(file.fileno())
        self.part_path.replace(self.video_path)
        _sync_directory(self.path)

    def progress_percent(self) -> int:
        """0 to `PROGRESS_MAX`; 0 if nothing was noted."""
        try:
            return min(max(int(self._progress_path.read_text(encoding="ascii")), 0), PROGRESS_MAX)
        except (FileNotFoundError, ValueError):
            return 0

    def note_progress(self, percent: int) -> None:
        """Note how far the render is; a reader sees this or the note before it."""
        # Three characters in one write are seen whole; a rename for each percent would cost more than it gives.
        descriptor = os.open(self._progress_path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, f"{min(percent, PROGRESS_MAX):3}".encode("ascii"), 0)
        finally:
            os.close(descriptor)

    def is_being_rendered(self) -> bool:
        """Some process, this one or another, holds the lock."""
        try:
            with self._lock_path.open("rb") as file:
                return not _try_lock(file.fileno(), fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Hold the lock for the length of the body; the system releases it if the process dies.

        Yields:
            Whether it was had. A second's patience covers those who only look; whoever renders keeps it for longer.
        """
        try:
            file = self._lock_path.open("ab")
        except FileNotFoundError:
            yield False
            return
        with file:
            yield _lock_patiently(file.fileno())

    def remove(self) -> None:
        """Remove everything, unless it is being rendered."""
        with self.lock() as is_ours:
            if is_ours:
                shutil.rmtree(self.path, ignore_errors=True)


def _lock_patiently(descriptor: int) -> bool:
    for _ in range(_LOCK_ATTEMPT_COUNT):
        if _try_lock(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(_LOCK_INTERVAL_S)
    return False


def _try_lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_whole(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
        part_path = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            part_path.replace(path)
        except BaseException:
            part_path.unlink()
            raise
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
