"""The reference store: dictionaries, for tests and for reading.

Nothing here awaits, so each method is one step on its event loop: it checks everything first, then changes everything.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reelgate_server.adapters.store.rules import (
    LEASE_MAX,
    LedgerRuleBroken,
    is_repeated,
    is_resolution,
    is_storable,
    logged,
)
from reelgate_server.domain.accounts import Account, ApiKey
from reelgate_server.domain.errors import InsufficientBalance, JobNotFound
from reelgate_server.domain.events import JobEvent, LoggedEvent
from reelgate_server.domain.ids import AccountId, JobId, KeyId, ProviderName, TransferId
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import Balance, Change, Transfer, changes
from reelgate_server.domain.money import Money
from reelgate_server.ports.accounts import AccountNameTaken, LedgerEntry
from reelgate_server.ports.store import JobFilter, SequenceConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lease:
    owner: str
    until: datetime


@dataclass(slots=True, kw_only=True)
class _Record:
    """One job and what the store knows of it beside its log."""

    job: Job
    due_time: datetime | None
    lease: _Lease | None = None
    log: list[LoggedEvent] = field(default_factory=list)


class MemoryStore:
    """`JobStore` and `AccountStore` for one process. Durable only as long as the process."""

    def __init__(self) -> None:
        """Begin empty."""
        self._records: dict[JobId, _Record] = {}
        self._replays: dict[tuple[KeyId, str], JobId] = {}
        self._accounts: dict[AccountId, Account] = {}
        self._keys: dict[KeyId, ApiKey] = {}
        self._transfers: dict[TransferId, Transfer] = {}
        self._resolved: set[TransferId] = set()
        self._changes: defaultdict[tuple[AccountId, str], list[Change]] = defaultdict(list)

    async def create_job(
        self, job: Job, event: JobEvent, transfers: Sequence[Transfer], *, available_min: Money | None
    ) -> Job:
        """See `JobStore.create_job`."""
        log = logged(job, [event], expected_sequence=0)
        earlier = self._find_replay(job.key_id, job.idempotency_key)
        if earlier is not None:
            return earlier
        if available_min is not None:
            available = self._balance(job.account_id, available_min.currency).available
            if available < available_min:
                raise InsufficientBalance(required=available_min, available=available)
        if job.job_id in self._records:
            raise SequenceConflict
        self._check_transfers(transfers)

        self._records[job.job_id] = _Record(job=job, due_time=job.create_time, log=[*log])
        if job.idempotency_key is not None:
            self._replays[job.key_id, job.idempotency_key] = job.job_id
        self._record_transfers(transfers)
        return job

    async def append(
        self,
        job: Job,
        events: Sequence[JobEvent],
        transfers: Sequence[Transfer],
        *,
        expected_sequence: int,
        due_time: datetime | None,
    ) -> None:
        """See `JobStore.append`."""
        log = logged(job, events, expected_sequence=expected_sequence)
        record = self._records.get(job.job_id)
        if record is None or len(record.log) != expected_sequence:
            raise SequenceConflict
        self._check_transfers(transfers)

        record.job = job
        record.due_time = due_time
        record.log.extend(log)
        self._record_transfers(transfers)

    async def load_job(self, job_id: JobId) -> Job:
        """See `JobStore.load_job`."""
        record = self._records.get(job_id)
        if record is None:
            raise JobNotFound(job_id)
        return record.job

    async def find_replay(self, key_id: KeyId, idempotency_key: str) -> Job | None:
        """See `JobStore.find_replay`."""
        return self._find_replay(key_id, idempotency_key)

    async def list_jobs(
        self, account_id: AccountId, job_filter: JobFilter, *, before: JobId | None, limit: int
    ) -> list[Job]:
        """See `JobStore.list_jobs`."""
        jobs = [
            record.job
            for record in self._records.values()
            if record.job.account_id == account_id
            and (before is None or record.job.job_id < before)
            and (job_filter.states is None or record.job.state in job_filter.states)
            and (job_filter.model is None or record.job.spec.model == job_filter.model)
        ]
        return sorted(jobs, key=lambda job: job.job_id, reverse=True)[:limit]

    async def events_after(self, job_id: JobId, sequence: int) -> list[LoggedEvent]:
        """See `JobStore.events_after`."""
        record = self._records.get(job_id)
        return [each for each in record.log if each.sequence > sequence] if record else []

    async def claim(
        self,
        owner: str,
        *,
        now: datetime,
        lease_until: datetime,
        limit: int,
        provider_limit: int | None = None,
        driven: Mapping[ProviderName, int] | None = None,
    ) -> list[Job]:
        """See `JobStore.claim`."""
        taken = Counter(driven or {})
        claimed: list[Job] = []
        for _, job_id in self._waiting(now):
            record = self._records[job_id]
            provider = record.job.provider
            if len(claimed) < limit and (provider_limit is None or taken[provider] < provider_limit):
                taken[provider] += 1
                record.lease = _Lease(owner=owner, until=lease_until)
                claimed.append(record.job)
        return claimed

    async def lag(self, now: datetime) -> timedelta:
        """See `JobStore.lag`."""
        waiting = self._waiting(now)
        return now - waiting[0][0] if waiting else timedelta()

    def _waiting(self, now: datetime) -> list[tuple[datetime, JobId]]:
        """Due times and ids of the jobs that a claim may take, the longest due first."""
        return sorted(
            (record.due_time, record.job.job_id)
            for record in self._records.values()
            if record.due_time is not None
            and record.due_time <= now
            and (record.lease is None or record.lease.until <= now or record.lease.until > now + LEASE_MAX)
        )

    async def renew(self, held: Mapping[JobId, str], *, lease_until: datetime) -> None:
        """See `JobStore.renew`."""
        for job_id, owner in held.items():
            record = self._records.get(job_id)
            if record is not None and record.lease is not None and record.lease.owner == owner:
                record.lease = _Lease(owner=owner, until=max(record.lease.until, lease_until))

    async def undo_claim(self, job_id: JobId, owner: str) -> None:
        """See `JobStore.undo_claim`."""
        record = self._records.get(job_id)
        if record is not None and record.lease is not None and record.lease.owner == owner:
            record.lease = None

    async def release(
        self, job_id: JobId, owner: str, *, due_time: datetime | None, expected_sequence: int | None = None
    ) -> None:
        """See `JobStore.release`."""
        record = self._records.get(job_id)
        if record is not None and record.lease is not None and record.lease.owner == owner:
            record.lease = None
            if expected_sequence in {None, record.job.sequence}:
                record.due_time = due_time

    async def create_account(self, account: Account) -> None:
        """See `AccountStore.create_account`."""
        if any(each.name == account.name for each in self._accounts.values()):
            raise AccountNameTaken
        self._accounts[account.account_id] = account

    async def find_account(self, name: str) -> Account | None:
        """See `AccountStore.find_account`."""
        return next((account for account in self._accounts.values() if account.name == name), None)

    async def create_key(self, key: ApiKey) -> None:
        """See `AccountStore.create_key`."""
        self._keys[key.key_id] = key

    async def revoke_key(self, key_id: KeyId, now: datetime) -> bool:
        """See `AccountStore.revoke_key`."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        self._keys[key_id] = replace(key, revoke_time=key.revoke_time or now)
        return True

    async def find_key(self, sha256: str) -> tuple[ApiKey, Account] | None:
        """See `AccountStore.find_key`."""
        key = next((key for key in self._keys.values() if key.sha256 == sha256), None)
        return (key, self._accounts[key.account_id]) if key else None

    async def record_transfer(self, transfer: Transfer) -> None:
        """See `AccountStore.record_transfer`."""
        earlier = self._transfers.get(transfer.transfer_id)
        if earlier is not None and is_repeated(transfer, earlier):
            return
        self._check_transfers([transfer])
        self._record_transfers([transfer])

    async def load_balance(self, account_id: AccountId, currency: str) -> Balance:
        """See `AccountStore.load_balance`."""
        return self._balance(account_id, currency)

    async def list_transfers(
        self, account_id: AccountId | None, *, before: int | None, limit: int
    ) -> list[LedgerEntry]:
        """See `AccountStore.list_transfers`."""
        entries = [
            LedgerEntry(position=position, transfer=transfer)
            for position, transfer in enumerate(self._transfers.values(), 1)
            if (before is None or position < before)
            and (account_id is None or account_id in (transfer.debit_account_id, transfer.credit_account_id))
        ]
        return entries[::-1][:limit]

    def _find_replay(self, key_id: KeyId, idempotency_key: str | None) -> Job | None:
        job_id = self._replays.get((key_id, idempotency_key)) if idempotency_key is not None else None
        return self._records[job_id].job if job_id is not None else None

    def _balance(self, account_id: AccountId, currency: str) -> Balance:
        own = self._changes.get((account_id, currency), [])
        return Balance(
            posted=Money(sum(change.posted_micros for change in own), currency),
            held=Money(sum(change.held_micros for change in own), currency),
        )

    def _check_transfers(self, transfers: Sequence[Transfer]) -> None:
        for index, transfer in enumerate(transfers):
            earlier = {each.transfer_id: each for each in transfers[:index]}
            resolved = self._resolved | {each.hold_id for each in earlier.values()}
            if transfer.transfer_id in self._transfers or transfer.transfer_id in earlier:
                message = f"transfer {transfer.transfer_id} exists already"
                raise LedgerRuleBroken(message)
            if not self._is_bearable(transfer, transfers[:index]):
                message = f"transfer {transfer.transfer_id} is too large, or makes a balance too large"
                raise LedgerRuleBroken(message)
            if transfer.hold_id is None:
                continue
            hold = self._transfers.get(transfer.hold_id) or earlier.get(transfer.hold_id)
            if hold is None or not is_resolution(transfer, hold) or transfer.hold_id in resolved:
                message = f"transfer {transfer.transfer_id} cannot resolve {transfer.hold_id}"
                raise LedgerRuleBroken(message)

    def _is_bearable(self, transfer: Transfer, before: Sequence[Transfer]) -> bool:
        currency = transfer.amount.currency
        added = [change for each in (*before, transfer) if each.amount.currency == currency for change in changes(each)]
        for account_id in (transfer.debit_account_id, transfer.credit_account_id):
            own = [change for change in added if change.account_id == account_id]
            balance = self._balance(account_id, currency)
            posted = balance.posted.amount_micros + sum(change.posted_micros for change in own)
            held = balance.held.amount_micros + sum(change.held_micros for change in own)
            if not (is_storable(posted) and is_storable(held)):
                return False
        return is_storable(transfer.amount.amount_micros)

    def _record_transfers(self, transfers: Iterable[Transfer]) -> None:
        for transfer in transfers:
            self._transfers[transfer.transfer_id] = transfer
            if transfer.hold_id is not None:
                self._resolved.add(transfer.hold_id)
            for change in changes(transfer):
                self._changes[change.account_id, transfer.amount.currency].append(change)
