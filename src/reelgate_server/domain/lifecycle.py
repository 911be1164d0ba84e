"""The lifecycle of a job, as one table.

Rules:

1. Everything that changes a job's state is in this file. `decide.py` chooses events; it cannot choose states.
2. An entry that is missing is illegal. Nothing ends in two ways, and nothing leaves an end.

Theory of operation
===================

A job is recorded before anything is done for it (`PENDING`), so that an accepted job survives any crash. Before the
provider is called, the intent is recorded (`SUBMITTING`); after it, the outcome. A job found in `SUBMITTING` by a
driver that did not put it there was interrupted in the middle of the call: nobody knows whether the provider took the
task. That is why `SUBMITTING` is a state of its own, and why two events lead back from it: `SubmitRefused` when the
provider surely did not take the task, `SubmitUnanswered` when it may have. Both return to `PENDING`, and the log says
which; when the plan forbids a second try, `Failed` follows in the same append. A provider that announces its tasks may
tell us later that it did take one: then the job waits for that, and `Submitted` leads on from `PENDING`.

`PROCESSING` lasts while the provider renders. `STORING` begins when it is done and lasts until our copy is
complete: the provider has been paid by then, so a customer can no longer cancel.

Every state but the ends can expire. Ends have no way out, so settling money on entering one settles it once.

The README's diagram is printed from this table by `scripts/draw_lifecycle.py`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from reelgate_server.domain.errors import IllegalTransition
from reelgate_server.domain.events import (
    Announced,
    Cancelled,
    Created,
    Expired,
    Failed,
    JobEvent,
    Progressed,
    Rendered,
    Stored,
    SubmitIntended,
    SubmitRefused,
    Submitted,
    SubmitUnanswered,
)


class JobState(StrEnum):
    """Where a job stands. Customers see a coarser view; each surface maps it in one place."""

    PENDING = "pending"
    """Recorded and paid for; nothing sent, or the last try surely failed."""
    SUBMITTING = "submitting"
    """The intent is recorded; the call to the provider is under way, or was interrupted."""
    PROCESSING = "processing"
    """The provider has the task."""
    STORING = "storing"
    """The provider is done; the file is being copied."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TERMINAL: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
"""The ends."""

TRANSITIONS: Final[Mapping[tuple[JobState | None, type[JobEvent]], JobState]] = MappingProxyType(
    {
        (None, Created): JobState.PENDING,
        (JobState.PENDING, SubmitIntended): JobState.SUBMITTING,
        (JobState.PENDING, Submitted): JobState.PROCESSING,
        (JobState.PENDING, Failed): JobState.FAILED,
        (JobState.PENDING, Cancelled): JobState.CANCELLED,
        (JobState.PENDING, Expired): JobState.EXPIRED,
        (JobState.SUBMITTING, Submitted): JobState.PROCESSING,
        (JobState.SUBMITTING, SubmitRefused): JobState.PENDING,
        (JobState.SUBMITTING, SubmitUnanswered): JobState.PENDING,
        (JobState.SUBMITTING, Failed): JobState.FAILED,
        (JobState.SUBMITTING, Cancelled): JobState.CANCELLED,
        (JobState.SUBMITTING, Expired): JobState.EXPIRED,
        (JobState.PROCESSING, Announced): JobState.PROCESSING,
        (JobState.PROCESSING, Progressed): JobState.PROCESSING,
        (JobState.PROCESSING, Rendered): JobState.STORING,
        (JobState.PROCESSING, Failed): JobState.FAILED,
        (JobState.PROCESSING, Cancelled): JobState.CANCELLED,
        (JobState.PROCESSING, Expired): JobState.EXPIRED,
        (JobState.STORING, Stored): JobState.SUCCEEDED,
        (JobState.STORING, Failed): JobState.FAILED,
        (JobState.STORING, Expired): JobState.EXPIRED,
    }
)
"""(state, event) to the state after it. `None` is the state of a job that does not exist yet."""


def next_state(state: JobState | None, event: type[JobEvent]) -> JobState:
    """Look up the table.

    Raises:
        IllegalTransition: There is no such entry.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(str(state), event.__name__) from None
