"""The ledger: immutable transfers between accounts, and what they add up to.

Theory of operation
===================

Every transfer debits one account and credits another, so the sum over all accounts of a currency is zero at every
moment. A `hold` reserves: it moves pending money only. It is resolved by a new transfer that names it: a `post` moves
the money for good, a `void` releases it. A hold resolves at most once. `credit` and a `post` that names no hold move
money at once. Nothing is ever changed or removed; a mistake is mended by another transfer.

The platform owns two accounts per currency: `funding`, from which credits come, and `revenue`, to which jobs pay.

A job has at most one hold and at most one settlement, because their ids are made from the job's.

Source:
    TigerBeetle, "Two-phase transfers", for the shape of hold, post and void.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from reelgate_server.domain.accounts import BillingPolicy
from reelgate_server.domain.ids import AccountId, JobId, TransferId
from reelgate_server.domain.job import Job
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.money import Money


class TransferKind(StrEnum):
    """What a transfer does."""

    CREDIT = "credit"
    """Money comes in; posted at once."""
    HOLD = "hold"
    """Reserves; pending until a post or a void names it."""
    POST = "post"
    """Moves money for good: what a hold reserved, or, under `on_completion`, by itself."""
    VOID = "void"
    """Releases what a hold reserved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One immutable row of the ledger."""

    transfer_id: TransferId
    kind: TransferKind
    debit_account_id: AccountId
    credit_account_id: AccountId
    amount: Money
    """>= 0."""
    create_time: datetime
    job_id: JobId | None = None
    """The job it is for; None for a credit."""
    hold_id: TransferId | None = None
    """The hold that a void, or a post after a hold, resolves."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What the transfers of one account add up to."""

    posted: Money
    """Credits minus debits that are final."""
    held: Money
    """Reserved by holds that are not resolved; >= 0 for a customer."""

    @property
    def available(self) -> Money:
        """What a new job may use: posted minus held."""
        return self.posted - self.held


def funding_account(currency: str) -> AccountId:
    """The platform's account that credits come from."""
    return AccountId(f"platform:funding:{currency}")


def revenue_account(currency: str) -> AccountId:
    """The platform's account that jobs pay to."""
    return AccountId(f"platform:revenue:{currency}")


def credit(transfer_id: TransferId, account_id: AccountId, amount: Money, now: datetime) -> Transfer:
    """Money for an account, from the platform's funding."""
    return Transfer(
        transfer_id=transfer_id,
        kind=TransferKind.CREDIT,
        debit_account_id=funding_account(amount.currency),
        credit_account_id=account_id,
        amount=amount,
        create_time=now,
    )


def opening(job: Job) -> tuple[Transfer, ...]:
    """The transfers that belong in the transaction that creates a job: a hold of the whole price, or none."""
    match job.billing:
        case BillingPolicy.HOLD:
            return (_from_job(job, TransferKind.HOLD, _hold_id(job), None, job.create_time),)
        case BillingPolicy.ON_COMPLETION | BillingPolicy.UNMETERED:
            return ()
        case _:
            assert_never(job.billing)


def required_balance(billing: BillingPolicy, price: Money) -> Money | None:
    """What must be available, before any hold, for a job of this price to be created; None if nothing need be."""
    match billing:
        case BillingPolicy.HOLD:
            return price
        case BillingPolicy.ON_COMPLETION:
            return Money(1, price.currency)
        case BillingPolicy.UNMETERED:
            return None
        case _:
            assert_never(billing)


def available_min(job: Job) -> Money | None:
    """What must be available, before its hold, for this job to be created; None if nothing need be."""
    return required_balance(job.billing, job.quote.price)


def settlement(job: Job) -> tuple[Transfer, ...]:
    """The transfers that belong in the transaction that ends a job; none while it has not ended.

    Success posts the frozen price. Every other end voids the hold, if the policy made one.
    """
    if not job.is_terminal:
        return ()
    is_success = job.state is JobState.SUCCEEDED
    settle_id = TransferId(f"{job.job_id}:settle")
    match job.billing:
        case BillingPolicy.HOLD:
            kind = TransferKind.POST if is_success else TransferKind.VOID
            return (_from_job(job, kind, settle_id, _hold_id(job), job.update_time),)
        case BillingPolicy.ON_COMPLETION:
            return (_from_job(job, TransferKind.POST, settle_id, None, job.update_time),) if is_success else ()
        case BillingPolicy.UNMETERED:
            return ()
        case _:
            assert_never(job.billing)


def charged(job: Job) -> Money | None:
    """What the account has paid for this job; None until it succeeds or where nothing is charged."""
    is_charged = job.state is JobState.SUCCEEDED and job.billing is not BillingPolicy.UNMETERED
    return job.quote.price if is_charged else None


@dataclass(frozen=True, slots=True)
class Change:
    """What one transfer does to one account, in micros."""

    account_id: AccountId
    posted_micros: int
    held_micros: int


def changes(transfer: Transfer) -> tuple[Change, Change]:
    """What a transfer does to the account it debits and the one it credits; each pair of columns sums to zero."""
    amount = transfer.amount.amount_micros
    match transfer.kind:
        case TransferKind.CREDIT:
            posted, held = amount, 0
        case TransferKind.HOLD:
            posted, held = 0, amount
        case TransferKind.POST:
            posted, held = amount, (-amount if transfer.hold_id else 0)
        case TransferKind.VOID:
            posted, held = 0, -amount
        case _:
            assert_never(transfer.kind)
    return (
        Change(transfer.debit_account_id, -posted, held),
        Change(transfer.credit_account_id, posted, -held),
    )


def balances(transfers: Iterable[Transfer]) -> Mapping[AccountId, Balance]:
    """Add up a whole ledger. For each currency the posted amounts, and the held ones, sum to zero."""
    result: dict[AccountId, Balance] = {}
    for transfer in transfers:
        currency = transfer.amount.currency
        for change in changes(transfer):
            before = result.get(change.account_id, Balance(Money(0, currency), Money(0, currency)))
            result[change.account_id] = Balance(
                before.posted + Money(change.posted_micros, currency),
                before.held + Money(change.held_micros, currency),
            )
    return result


def _hold_id(job: Job) -> TransferId:
    return TransferId(f"{job.job_id}:hold")


def _from_job(
    job: Job, kind: TransferKind, transfer_id: TransferId, hold_id: TransferId | None, now: datetime
) -> Transfer:
    return Transfer(
        transfer_id=transfer_id,
        kind=kind,
        debit_account_id=job.account_id,
        credit_account_id=revenue_account(job.quote.price.currency),
        amount=job.quote.price,
        create_time=now,
        job_id=job.job_id,
        hold_id=hold_id,
    )
