"""Child processes that die with their parent, whatever kills it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

SHARE_MIN_S: Final = 2.0
"""What each process gets even if those before it used up the limit."""

_PR_SET_PDEATHSIG: Final = 1
"""From <linux/prctl.h>."""


def start(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None, is_shielded: bool = False
) -> subprocess.Popen[bytes]:
    """Start a process whose output goes to a file, and which Linux kills when this thread's process ends.

    Call it from the main thread.

    Args:
        command: The program and its arguments.
        log: Appended to.
        environment: This process's own if absent.
        is_shielded: It gets a process group of its own, so that Ctrl-C in a terminal does not reach it before `stop`
            does. The others stay in this one, and a signal to the group reaches them.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=0 if is_shielded else None,
            # The parent has one thread, so that running Python between fork and exec is safe.
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )


def stop(processes: Sequence[subprocess.Popen[bytes]], *, limit_s: float) -> None:
    """Ask each process to end, in order, and kill those that have not when the limit is used up."""
    deadline = time.monotonic() + limit_s
    for process in processes:
        process.terminate()
        try:
            process.wait(max(deadline - time.monotonic(), SHARE_MIN_S))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It died before the call.
        os._exit(1)
