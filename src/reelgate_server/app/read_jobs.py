"""Read jobs: one, or a page of them. Reading changes nothing."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from reelgate_server.domain.accounts import Caller
from reelgate_server.domain.errors import FieldViolation, InvalidRequest, JobNotFound
from reelgate_server.domain.ids import AccountId, JobId, is_uuid
from reelgate_server.domain.job import Job
from reelgate_server.ports.accounts import AccountStore, LedgerEntry
from reelgate_server.ports.store import JobFilter, JobStore

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1000
POSITION_DIGITS_MAX = 18
"""No ledger grows that long; a longer number would not fit the stores' integers."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs."""

    jobs: Sequence[Job]
    next_page_token: str
    """Empty on the last page."""


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """One page of ledger entries."""

    entries: Sequence[LedgerEntry]
    next_page_token: str
    """Empty on the last page."""


async def get_job(store: JobStore, account_id: AccountId, job_id: str) -> Job:
    """Read one job of an account.

    Raises:
        JobNotFound: No such id, not an id at all, or another account's job.
    """
    if not is_uuid(job_id):
        raise JobNotFound(job_id)
    job = await store.load_job(JobId(job_id))
    if job.account_id != account_id:
        raise JobNotFound(job_id)
    return job


async def list_jobs(
    store: JobStore, caller: Caller, job_filter: JobFilter, *, page_size: int, page_token: str
) -> JobPage:
    """Read a page of an account's jobs, newest first.

    Args:
        store: Where they are.
        caller: Whose they are.
        job_filter: Which of them.
        page_size: 0 for the default; otherwise capped at `PAGE_SIZE_MAX`.
        page_token: From the page before, with the same filter; empty for the first.

    Raises:
        InvalidRequest: The token is not from this query, or the size is negative.
    """
    limit = _limit(page_size)
    states = sorted(job_filter.states) if job_filter.states is not None else None
    query = ["jobs", caller.account.account_id, states, job_filter.model]
    before = _read_token(page_token, query) if page_token else None
    if before is not None and not is_uuid(before):
        raise _token_violation()
    jobs = await store.list_jobs(
        caller.account.account_id, job_filter, before=JobId(before) if before else None, limit=limit + 1
    )
    page = jobs[:limit]
    return JobPage(page, _make_token(page[-1].job_id, query) if len(jobs) > limit else "")


async def list_ledger(store: AccountStore, caller: Caller, *, page_size: int, page_token: str) -> LedgerPage:
    """Read a page of an account's transfers, newest first; sizes and tokens as for `list_jobs`.

    Raises:
        InvalidRequest: The token is not from this query, or the size is negative.
    """
    limit = _limit(page_size)
    query = ["ledger", caller.account.account_id]
    before = _read_token(page_token, query) if page_token else None
    if before is not None and not (before.isdecimal() and len(before) <= POSITION_DIGITS_MAX):
        raise _token_violation()
    entries = await store.list_transfers(
        caller.account.account_id, before=int(before) if before else None, limit=limit + 1
    )
    page = entries[:limit]
    return LedgerPage(page, _make_token(str(page[-1].position), query) if len(entries) > limit else "")


def _limit(page_size: int) -> int:
    if page_size < 0:
        raise InvalidRequest([FieldViolation("page_size", "must not be negative")])
    return min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def _fingerprint(query: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(query).encode()).hexdigest()[:16]


def _make_token(position: str, query: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(f"{_fingerprint(query)}.{position}".encode()).decode()


def _read_token(token: str, query: Sequence[object]) -> str:
    try:
        fingerprint, _, position = _decode(token).partition(".")
    except ValueError:
        raise _token_violation() from None
    if fingerprint != _fingerprint(query) or not position:
        raise _token_violation()
    return position


def _decode(token: str) -> str:
    return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode("ascii")


def _token_violation() -> InvalidRequest:
    return InvalidRequest([FieldViolation("page_token", "must come from the page before, with the same filters")])
