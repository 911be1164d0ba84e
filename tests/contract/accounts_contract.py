"""What an `AccountStore` promises. `test_stores.py` runs it over every adapter."""

import asyncio
from dataclasses import replace

import pytest

from reelgate_server.adapters.store.rules import LedgerRuleBroken
from reelgate_server.domain.accounts import BillingPolicy
from reelgate_server.domain.events import Cancelled
from reelgate_server.domain.ids import AccountId, TransferId
from reelgate_server.domain.ledger import Transfer, TransferKind, balances, funding_account, revenue_account
from reelgate_server.domain.money import Money
from reelgate_server.ports.accounts import AccountNameTaken
from tests.support.builders import (
    account_id,
    after_noon,
    key_id,
    make_account,
    make_credit,
    make_key,
    make_transfer,
    steps_to_success,
    usd,
)
from tests.support.store_steps import Store, append, create

HOLD_1 = TransferId("transfer-1")


class AccountContract:
    """Accounts and their keys."""

    async def test_an_account_is_found_by_its_name(self, store: Store) -> None:
        await store.create_account(make_account(1, name="Ñandú 🪁"))
        assert await store.find_account("Ñandú 🪁") == make_account(1, name="Ñandú 🪁")
        assert await store.find_account("nandu") is None

    async def test_a_name_is_taken_once(self, store: Store) -> None:
        await store.create_account(make_account(1, name="same"))
        with pytest.raises(AccountNameTaken):
            await store.create_account(make_account(2, name="same"))
        assert await store.find_account("same") == make_account(1, name="same")

    async def test_of_concurrent_accounts_of_one_name_one_wins(self, handles: tuple[Store, Store]) -> None:
        outcomes = await asyncio.gather(
            *(handles[number % 2].create_account(make_account(number, name="same")) for number in range(1, 11)),
            return_exceptions=True,
        )
        assert outcomes.count(None) == 1
        assert sum(isinstance(outcome, AccountNameTaken) for outcome in outcomes) == 9

    async def test_a_key_is_found_with_its_account(self, store: Store) -> None:
        await store.create_account(make_account(1))
        await store.create_account(make_account(2))
        for key in (make_key(1, of=1), make_key(2, of=2), make_key(3, of=2)):
            await store.create_key(key)
        assert await store.find_key(f"{3:064x}") == (make_key(3, of=2), make_account(2))

    async def test_an_unknown_key_is_not_found(self, store: Store) -> None:
        assert await store.find_key(f"{1:064x}") is None

    async def test_a_revoked_key_says_when(self, store: Store) -> None:
        await store.create_account(make_account())
        await store.create_key(make_key(1))
        await store.create_key(make_key(2))
        assert await store.revoke_key(key_id(1), after_noon(0.000001)) is True
        assert await store.find_key(f"{1:064x}") == (make_key(1, revoke_time=after_noon(0.000001)), make_account())
        assert await store.find_key(f"{2:064x}") == (make_key(2), make_account())

    async def test_revoking_a_key_again_keeps_the_first_time(self, store: Store) -> None:
        await store.create_account(make_account())
        await store.create_key(make_key())
        await store.revoke_key(key_id(), after_noon(1))
        assert await store.revoke_key(key_id(), after_noon(2)) is True
        assert await store.find_key(f"{1:064x}") == (make_key(revoke_time=after_noon(1)), make_account())

    async def test_revoking_an_unknown_key_says_so(self, store: Store) -> None:
        assert await store.revoke_key(key_id(), after_noon(1)) is False


class LedgerContract:
    """Transfers and what they add up to."""

    async def test_an_account_without_transfers_has_nothing(self, store: Store) -> None:
        balance = await store.load_balance(account_id(), "USD")
        assert (balance.posted, balance.held, balance.available) == (usd(0), usd(0), usd(0))

    async def test_a_credit_comes_from_funding(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=1_500_000))
        assert (await store.load_balance(account_id(), "USD")).available == usd(1_500_000)
        assert (await store.load_balance(funding_account("USD"), "USD")).posted == usd(-1_500_000)

    async def test_a_hold_makes_money_unavailable_but_keeps_it(self, store: Store) -> None:
        await store.record_transfer(make_credit(amount_micros=3_000_000))
        await store.record_transfer(make_transfer())
        balance = await store.load_balance(account_id(), "USD")
        assert (balance.posted, balance.held, balance.available) == (usd(3_000_000), usd(1_000_000), usd(2_000_000))

    @pytest.mark.parametrize(("kind", "posted"), [(TransferKind.POST, -1_000_000), (TransferKind.VOID, 0)])
    async def test_resolving_a_hold_frees_it(self, store: Store, kind: TransferKind, posted: int) -> None:
        await store.record_transfer(make_transfer())
        await store.record_transfer(make_transfer("transfer-2", kind, hold_id=HOLD_1))
        balance = await store.load_balance(account_id(), "USD")
        assert (balance.posted, balance.held) == (usd(posted), usd(0))
        assert (await store.load_balance(revenue_account("USD"), "USD")).posted == usd(-posted)

    async def test_currencies_do_not_mix(self, store: Store) -> None:
        await store.record_transfer(make_credit(1, amount_micros=7, currency="USD"))
        await store.record_transfer(make_credit(2, amount_micros=11, currency="EUR"))
        assert (await store.load_balance(account_id(), "USD")).posted == Money(7, "USD")
        assert (await store.load_balance(account_id(), "EUR")).posted == Money(11, "EUR")
        assert (await store.load_balance(account_id(), "GBP")).posted == Money(0, "GBP")

    async def test_the_same_transfer_again_changes_nothing(self, store: Store) -> None:
        await store.record_transfer(make_credit())
        await store.record_transfer(make_credit())
        await store.record_transfer(replace(make_credit(), create_time=after_noon(60)))
        assert (await store.load_balance(account_id(), "USD")).posted == usd(1_000_000)
        entries = await store.list_transfers(None, before=None, limit=10)
        assert [entry.transfer for entry in entries] == [make_credit()]

    async def test_concurrent_repeats_of_a_transfer_count_once(self, handles: tuple[Store, Store]) -> None:
        await asyncio.gather(*(handles[each % 2].record_transfer(make_credit()) for each in range(20)))
        assert (await handles[0].load_balance(account_id(), "USD")).posted == usd(1_000_000)

    async def test_a_hold_may_be_resolved_by_the_same_transfer_twice(self, store: Store) -> None:
        await store.record_transfer(make_transfer())
        await store.record_transfer(make_transfer("transfer-2", TransferKind.VOID, hold_id=HOLD_1))
        await store.record_transfer(make_transfer("transfer-2", TransferKind.VOID, hold_id=HOLD_1))
        assert (await store.load_balance(account_id(), "USD")).held == usd(0)

    @pytest.mark.parametrize(
        "transfer",
        [
            pytest.param(make_transfer(amount=usd(1)), id="an id that is taken, with another amount"),
            pytest.param(make_transfer("new", TransferKind.POST, hold_id="none"), id="a hold that does not exist"),
            pytest.param(make_transfer("new", TransferKind.POST, hold_id="resolved"), id="a hold that is resolved"),
            pytest.param(make_transfer("new", TransferKind.POST, hold_id="posted"), id="a transfer that is no hold"),
            pytest.param(
                make_transfer("new", TransferKind.POST, hold_id=HOLD_1, amount=usd(999_999)), id="another amount"
            ),
            pytest.param(
                make_transfer("new", TransferKind.VOID, hold_id=HOLD_1, debit_account_id=account_id(2)),
                id="another account",
            ),
        ],
    )
    async def test_a_transfer_that_breaks_a_rule_changes_nothing(self, store: Store, transfer: Transfer) -> None:
        await store.record_transfer(make_credit())
        await store.record_transfer(make_transfer())
        await store.record_transfer(make_transfer("posted", TransferKind.POST))
        await store.record_transfer(make_transfer("resolved"))
        await store.record_transfer(make_transfer("void", TransferKind.VOID, hold_id=TransferId("resolved")))
        with pytest.raises(LedgerRuleBroken):
            await store.record_transfer(transfer)
        balance = await store.load_balance(account_id(), "USD")
        assert (balance.posted, balance.held) == (usd(0), usd(1_000_000))
        assert len(await store.list_transfers(None, before=None, limit=10)) == 5

    @pytest.mark.parametrize("amount_micros", [1 << 63, 1 << 200, (1 << 63) - 1_000_000])
    async def test_what_no_column_can_hold_is_refused_and_changes_nothing(
        self, store: Store, amount_micros: int
    ) -> None:
        await store.record_transfer(make_credit(1))
        outcomes = await asyncio.gather(
            store.record_transfer(make_credit(2)),
            store.record_transfer(make_credit(3, amount_micros=amount_micros)),
            store.record_transfer(make_credit(4)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), LedgerRuleBroken, type(None)]
        assert (await store.load_balance(account_id(), "USD")).posted == usd(3_000_000)
        assert await _listed(store, None) == ["credit-4", "credit-2", "credit-1"]

    async def test_transfers_are_listed_newest_first(self, store: Store) -> None:
        for number in (3, 1, 2):
            await store.record_transfer(make_credit(number))
        entries = await store.list_transfers(None, before=None, limit=10)
        assert [entry.transfer for entry in entries] == [make_credit(2), make_credit(1), make_credit(3)]
        assert [entry.position for entry in entries] == sorted((entry.position for entry in entries), reverse=True)

    async def test_a_list_shows_what_debits_or_credits_an_account(self, store: Store) -> None:
        await store.record_transfer(make_credit(1, to=1))
        await store.record_transfer(make_credit(2, to=2))
        await store.record_transfer(make_transfer())
        assert await _listed(store, account_id(1)) == ["transfer-1", "credit-1"]
        assert await _listed(store, account_id(2)) == ["credit-2"]
        assert await _listed(store, account_id(3)) == []
        assert await _listed(store, funding_account("USD")) == ["credit-2", "credit-1"]

    async def test_a_page_of_transfers_continues_where_the_one_before_ended(self, store: Store) -> None:
        for number in (1, 2, 3, 4, 5):
            await store.record_transfer(make_credit(number, to=1 + number % 2))
        first = await store.list_transfers(None, before=None, limit=2)
        assert await _listed(store, None, before=first[-1].position, limit=2) == ["credit-3", "credit-2"]
        own = await store.list_transfers(account_id(2), before=None, limit=2)
        assert [entry.transfer.transfer_id for entry in own] == ["credit-5", "credit-3"]
        assert await _listed(store, account_id(2), before=own[-1].position, limit=2) == ["credit-1"]
        paid = await store.list_transfers(funding_account("USD"), before=None, limit=2)
        assert await _listed(store, funding_account("USD"), before=paid[-1].position, limit=2) == [
            "credit-3",
            "credit-2",
        ]

    async def test_the_sum_over_all_accounts_is_zero_in_every_currency(self, store: Store) -> None:
        await store.record_transfer(make_credit(1, amount_micros=5_000_000))
        await store.record_transfer(make_credit(2, to=2, amount_micros=3_000_000, currency="EUR"))
        await append(store, await create(store, 1, price_micros=400_000), *steps_to_success())
        await append(store, await create(store, 2, price_micros=300_000), Cancelled(event_time=after_noon(1)))
        await create(store, 3, price_micros=200_000)
        paid_later = await create(store, 4, price_micros=9_000_000, billing=BillingPolicy.ON_COMPLETION)
        await append(store, paid_later, *steps_to_success(4))
        assert (await store.load_balance(account_id(), "USD")).available == usd(-4_600_000)
        for currency in ("USD", "EUR"):
            accounts = [account_id(1), account_id(2), funding_account(currency), revenue_account(currency)]
            sums = [await store.load_balance(each, currency) for each in accounts]
            assert sum(balance.posted.amount_micros for balance in sums) == 0
            assert sum(balance.held.amount_micros for balance in sums) == 0

    async def test_a_balance_is_what_the_listed_transfers_add_up_to(self, store: Store) -> None:
        await store.record_transfer(make_credit(1, amount_micros=5_000_000))
        await append(store, await create(store, 1, price_micros=400_000), *steps_to_success())
        await create(store, 2, price_micros=200_000)
        entries = await store.list_transfers(None, before=None, limit=10)
        totals = balances(entry.transfer for entry in reversed(entries))
        assert set(totals) == {account_id(), funding_account("USD"), revenue_account("USD")}
        for each, total in totals.items():
            assert await store.load_balance(each, "USD") == total


async def _listed(
    store: Store, account: AccountId | None, *, before: int | None = None, limit: int = 10
) -> list[TransferId]:
    return [entry.transfer.transfer_id for entry in await store.list_transfers(account, before=before, limit=limit)]
