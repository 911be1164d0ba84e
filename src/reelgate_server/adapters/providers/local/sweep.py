"""Removal of work folders that nobody needs any more."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from reelgate_server.adapters.providers.local.folder import WorkFolder
from reelgate_server.domain.ids import is_uuid

ENDED_AGE_MAX = timedelta(hours=1)
"""A finished video is copied within seconds; a copy that keeps failing is given this long."""
ABANDONED_AGE_MAX = timedelta(days=1)
"""An order that was neither finished nor stopped for so long has outlived every job's deadline."""
SWEEP_INTERVAL = timedelta(minutes=10)


class Sweep:
    """Removes old folders under a root.

    Ages are differences of file times, taken from a file that the sweep itself has just touched: they hold for a root
    on another machine's disk too, whose clock may differ from ours.
    """

    def __init__(self, root: Path) -> None:
        """Remember the root; it need not exist yet."""
        self._root = root
        self._stamp_path = root / ".swept"

    def run(self) -> None:
        """Make the root if need be, and remove what is due and not being rendered. Blocks.

        Raises:
            OSError: The root cannot be made or read; a folder that cannot be removed is only left.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        self._stamp_path.touch()
        now_s = self._stamp_path.stat().st_mtime
        for folder in self._folders():
            with suppress(OSError):
                limit = ENDED_AGE_MAX if folder.has_ended() else ABANDONED_AGE_MAX
                # A folder's time is that of the last file to appear in it, which is its end.
                if timedelta(seconds=now_s - folder.path.stat().st_mtime) > limit:
                    folder.remove()

    def run_if_due(self) -> None:
        """Sweep unless one has begun within `SWEEP_INTERVAL`, in any process. Call it after a file was made."""
        with suppress(FileNotFoundError):
            since_last_s = self._root.stat().st_mtime - self._stamp_path.stat().st_mtime
            if timedelta(seconds=since_last_s) <= SWEEP_INTERVAL:
                return
        self.run()

    def _folders(self) -> Iterator[WorkFolder]:
        return (WorkFolder(path) for path in self._root.iterdir() if is_uuid(path.name))
