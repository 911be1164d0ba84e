"""One `reelgate up` for one folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelgate_server.cli.refusals import Refusal


@contextmanager
def hold_alone(data_dir: Path) -> Iterator[None]:
    """Keep every other instance out of a folder for as long as the context, or this process, lasts.

    The kernel releases the lock with the process, however it ends. The descriptor is closed in what is executed, so
    that no child keeps it.

    Raises:
        Refusal: Another process holds it.
    """
    with (data_dir / ".lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(f"another `reelgate up` uses {data_dir}; stop it, or choose another --data-dir") from None
        yield
