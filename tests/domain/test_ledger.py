"""Transfers move money once, and the books always balance."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.accounts import BillingPolicy
from reelgate_server.domain.ids import AccountId, JobId, TransferId
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import (
    Balance,
    Change,
    Transfer,
    TransferKind,
    available_min,
    balances,
    changes,
    charged,
    credit,
    funding_account,
    opening,
    revenue_account,
    settlement,
)
from reelgate_server.domain.lifecycle import JobState
from reelgate_server.domain.money import Money
from reelgate_server.domain.pricing import Quote
from tests.domain.builders import ACCOUNT_ID, JOB_ID, NOW, a_job

PRICE = Money(500_000, "USD")
HOLD_ID = TransferId("01980000-0000-7000-8000-000000000001:hold")
SETTLE_ID = TransferId("01980000-0000-7000-8000-000000000001:settle")
REVENUE = AccountId("platform:revenue:USD")
HOLD = Transfer(
    transfer_id=HOLD_ID,
    kind=TransferKind.HOLD,
    debit_account_id=ACCOUNT_ID,
    credit_account_id=REVENUE,
    amount=PRICE,
    create_time=NOW,
    job_id=JOB_ID,
    hold_id=None,
)
POST = replace(HOLD, transfer_id=SETTLE_ID, kind=TransferKind.POST, hold_id=HOLD_ID)
VOID = replace(HOLD, transfer_id=SETTLE_ID, kind=TransferKind.VOID, hold_id=HOLD_ID)
POST_ALONE = replace(POST, hold_id=None)
CREDIT = credit(TransferId("credit-1"), ACCOUNT_ID, Money(2_000_000, "USD"), NOW)


def test_only_the_hold_policy_reserves_the_price_at_create() -> None:
    assert opening(a_job(billing=BillingPolicy.HOLD)) == (HOLD,)
    assert opening(a_job(billing=BillingPolicy.ON_COMPLETION)) == ()
    assert opening(a_job(billing=BillingPolicy.UNMETERED)) == ()


def test_a_create_needs_the_price_or_anything_above_zero_or_nothing() -> None:
    assert available_min(a_job(billing=BillingPolicy.HOLD)) == Money(500_000, "USD")
    assert available_min(a_job(billing=BillingPolicy.ON_COMPLETION)) == Money(1, "USD")
    assert available_min(a_job(billing=BillingPolicy.UNMETERED)) is None


@pytest.mark.parametrize(
    ("billing", "state", "expected"),
    [
        (BillingPolicy.HOLD, JobState.SUCCEEDED, (POST,)),
        (BillingPolicy.HOLD, JobState.FAILED, (VOID,)),
        (BillingPolicy.HOLD, JobState.CANCELLED, (VOID,)),
        (BillingPolicy.HOLD, JobState.EXPIRED, (VOID,)),
        (BillingPolicy.ON_COMPLETION, JobState.SUCCEEDED, (POST_ALONE,)),
        (BillingPolicy.ON_COMPLETION, JobState.FAILED, ()),
        (BillingPolicy.ON_COMPLETION, JobState.CANCELLED, ()),
        (BillingPolicy.ON_COMPLETION, JobState.EXPIRED, ()),
        (BillingPolicy.UNMETERED, JobState.SUCCEEDED, ()),
        (BillingPolicy.UNMETERED, JobState.FAILED, ()),
        (BillingPolicy.UNMETERED, JobState.CANCELLED, ()),
        (BillingPolicy.UNMETERED, JobState.EXPIRED, ()),
    ],
)
def test_each_end_settles_as_its_policy_says(
    billing: BillingPolicy, state: JobState, expected: tuple[Transfer, ...]
) -> None:
    assert settlement(a_job(state, billing=billing)) == expected


@pytest.mark.parametrize("billing", BillingPolicy)
@pytest.mark.parametrize("state", [JobState.PENDING, JobState.SUBMITTING, JobState.PROCESSING, JobState.STORING])
def test_a_job_that_has_not_ended_settles_nothing(billing: BillingPolicy, state: JobState) -> None:
    assert settlement(a_job(state, billing=billing)) == ()


def test_only_a_metered_success_is_charged() -> None:
    paid = {
        (billing, state)
        for billing in BillingPolicy
        for state in JobState
        if charged(a_job(state, billing=billing)) == PRICE
    }
    unpaid = {
        (billing, state)
        for billing in BillingPolicy
        for state in JobState
        if charged(a_job(state, billing=billing)) is None
    }
    assert paid == {("hold", "succeeded"), ("on_completion", "succeeded")}
    assert len(paid) + len(unpaid) == 3 * 8


def test_a_credit_comes_from_the_platforms_funding() -> None:
    made = credit(TransferId("credit-1"), ACCOUNT_ID, Money(2_000_000, "USD"), NOW)
    assert made == Transfer(
        transfer_id=TransferId("credit-1"),
        kind=TransferKind.CREDIT,
        debit_account_id=AccountId("platform:funding:USD"),
        credit_account_id=ACCOUNT_ID,
        amount=Money(2_000_000, "USD"),
        create_time=NOW,
        job_id=None,
        hold_id=None,
    )
    assert funding_account("MXN") == "platform:funding:MXN"
    assert revenue_account("MXN") == "platform:revenue:MXN"


@pytest.mark.parametrize(
    ("transfer", "debited", "credited"),
    [
        (CREDIT, (-2_000_000, 0), (2_000_000, 0)),
        (HOLD, (0, 500_000), (0, -500_000)),
        (POST, (-500_000, -500_000), (500_000, 500_000)),
        (POST_ALONE, (-500_000, 0), (500_000, 0)),
        (VOID, (0, -500_000), (0, 500_000)),
    ],
    ids=["credit", "hold", "post", "post alone", "void"],
)
def test_each_kind_of_transfer_moves_posted_and_held_money(
    transfer: Transfer, debited: tuple[int, int], credited: tuple[int, int]
) -> None:
    assert changes(transfer) == (
        Change(transfer.debit_account_id, *debited),
        Change(transfer.credit_account_id, *credited),
    )


@pytest.mark.parametrize(
    ("transfers", "posted", "held", "available"),
    [
        ([CREDIT], 2_000_000, 0, 2_000_000),
        ([CREDIT, HOLD], 2_000_000, 500_000, 1_500_000),
        ([CREDIT, HOLD, POST], 1_500_000, 0, 1_500_000),
        ([CREDIT, HOLD, VOID], 2_000_000, 0, 2_000_000),
        ([POST_ALONE], -500_000, 0, -500_000),
    ],
)
def test_a_balance_is_what_the_transfers_add_up_to(
    transfers: list[Transfer], posted: int, held: int, available: int
) -> None:
    balance = balances(transfers)[ACCOUNT_ID]
    assert balance == Balance(Money(posted, "USD"), Money(held, "USD"))
    assert balance.available == Money(available, "USD")


def test_a_ledger_without_transfers_has_no_accounts() -> None:
    assert balances([]) == {}


def test_one_account_cannot_hold_two_currencies() -> None:
    with pytest.raises(ValueError, match="do not mix"):
        balances([CREDIT, replace(CREDIT, amount=Money(1, "MXN"))])


@dataclass(frozen=True)
class Credited:
    """A step of a random ledger: money comes in."""

    account: int
    amount_micros: int


@dataclass(frozen=True)
class Worked:
    """A step of a random ledger: a job is created and, unless it is still running, ends."""

    account: int
    amount_micros: int
    billing: BillingPolicy
    state: JobState


amounts = st.integers(min_value=0, max_value=10**12)
accounts = st.integers(min_value=0, max_value=3)
steps = st.one_of(
    st.builds(Credited, accounts, amounts),
    st.builds(Worked, accounts, amounts, st.sampled_from(BillingPolicy), st.sampled_from(JobState)),
)


def currency_of(account: int) -> str:
    """Two accounts pay in dollars and two in pesos."""
    return "USD" if account < 2 else "MXN"


def worked_job(number: int, step: Worked) -> Job:
    """The job of a step."""
    quote = Quote(
        price=Money(step.amount_micros, currency_of(step.account)),
        cost_per_second=Decimal(1),
        markup=Decimal(1),
        fx=Decimal(1),
    )
    return a_job(
        step.state,
        job_id=JobId(f"job-{number}"),
        account_id=AccountId(f"account-{step.account}"),
        quote=quote,
        billing=step.billing,
    )


def transfers_of(number: int, step: Credited | Worked) -> tuple[Transfer, ...]:
    """Everything a step writes."""
    if isinstance(step, Worked):
        job = worked_job(number, step)
        return (*opening(job), *settlement(job))
    amount = Money(step.amount_micros, currency_of(step.account))
    return (credit(TransferId(f"credit-{number}"), AccountId(f"account-{step.account}"), amount, NOW),)


def predicted(steps: list[Credited | Worked]) -> dict[str, tuple[int, int]]:
    """What each customer should have, posted and held, by a model that knows no transfers."""
    result: dict[str, tuple[int, int]] = {}
    for step in steps:
        posted, held = result.get(f"account-{step.account}", (0, 0))
        match step:
            case Credited():
                posted += step.amount_micros
            case Worked(state=JobState.SUCCEEDED, billing=BillingPolicy.HOLD | BillingPolicy.ON_COMPLETION):
                posted -= step.amount_micros
            case Worked(
                state=JobState.PENDING | JobState.SUBMITTING | JobState.PROCESSING | JobState.STORING,
                billing=BillingPolicy.HOLD,
            ):
                held += step.amount_micros
            case _:
                pass
        result[f"account-{step.account}"] = (posted, held)
    return result


@given(st.lists(steps, max_size=30))
def test_every_ledger_sums_to_zero_and_agrees_with_a_model(steps: list[Credited | Worked]) -> None:
    ledger = [transfer for number, step in enumerate(steps) for transfer in transfers_of(number, step)]
    result = balances(ledger)
    for currency in ("USD", "MXN"):
        own = [balance for balance in result.values() if balance.posted.currency == currency]
        assert sum(balance.posted.amount_micros for balance in own) == 0
        assert sum(balance.held.amount_micros for balance in own) == 0
    for account_id, (posted, held) in predicted(steps).items():
        # An account that nothing was written for has no balance, which is the same as an empty one.
        balance = result.get(AccountId(account_id), Balance(Money(0, "USD"), Money(0, "USD")))
        assert (balance.posted.amount_micros, balance.held.amount_micros) == (posted, held)
        assert balance.held.amount_micros >= 0
    assert len({transfer.transfer_id for transfer in ledger}) == len(ledger)
