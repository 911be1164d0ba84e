"""The files that the children of `reelgate up` log to."""

import os
from pathlib import Path
from typing import Final

LOG_SIZE_BYTES_MAX: Final = 10_000_000
"""A larger log is put aside at the next start, so that no more than this, twice, and one life's lines are kept."""
TAIL_SIZE_BYTES: Final = 4096
"""As much of a log's end as is read to say why a process ended."""


def rotate(path: Path) -> None:
    """Rename a log that has grown too large to `NAME.1`, in place of an earlier one. Nobody may be writing to it."""
    if path.exists() and path.stat().st_size > LOG_SIZE_BYTES_MAX:
        path.replace(path.with_name(f"{path.name}.1"))


def last_line(path: Path) -> str:
    """Return the last line of a log that is not blank, or the last 4 kB of it; empty if there is none."""
    with path.open("rb") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(size_bytes - TAIL_SIZE_BYTES, 0))
        lines = file.read(TAIL_SIZE_BYTES).decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
