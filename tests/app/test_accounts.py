"""Accounts, keys, credits, and who a key belongs to."""

import hashlib
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from reelgate_server.app.accounts import Accounts
from reelgate_server.cli.development import ensure_keys
from reelgate_server.cli.refusals import Refusal
from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.errors import CredentialMissing, CredentialRevoked, CredentialUnknown
from reelgate_server.domain.ids import PlanName
from reelgate_server.domain.money import Money
from reelgate_server.ports.accounts import AccountNameTaken
from tests.domain.builders import CATALOGUE
from tests.support.world import PLANS, Customer, World


class TestAccounts:
    async def test_an_account_is_recorded_on_its_plan(self, world: World) -> None:
        account = await world.accounts.create_account("Ada's films", PlanName("kyma"))
        assert await world.store.find_account("Ada's films") == account
        assert (account.plan, account.create_time) == ("kyma", world.clock.now())
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", account.account_id)

    async def test_a_name_is_taken_once(self, world: World) -> None:
        await world.accounts.create_account("Ada", PlanName("default"))
        with pytest.raises(AccountNameTaken):
            await world.accounts.create_account("Ada", PlanName("kyma"))

    async def test_a_plan_that_is_not_configured_is_refused(self, world: World) -> None:
        with pytest.raises(KeyError):
            await world.accounts.create_account("Ada", PlanName("gold"))
        assert await world.store.find_account("Ada") is None


class TestKeys:
    @pytest.mark.parametrize(
        ("plan", "form"),
        [
            ("default", r"rg_live_[A-Za-z0-9_-]{32}"),
            # GeekHub documents 45 characters.
            ("geekhub", r"ghub_sk_live_[A-Za-z0-9_-]{32}"),
            ("kyma", r"ky-[A-Za-z0-9_-]{32}"),
            ("concurred", r"ck_[A-Za-z0-9_-]{32}"),
        ],
    )
    async def test_a_key_begins_as_its_plan_says(self, world: World, plan: str, form: str) -> None:
        assert re.fullmatch(form, (await world.join(plan)).secret)

    async def test_only_a_keys_hash_is_stored(self, world: World, ada: Customer) -> None:
        sha256 = hashlib.sha256(ada.secret.encode()).hexdigest()
        found = await world.store.find_key(sha256)
        assert found is not None
        key, account = found
        assert (key.key_id, key.sha256, account) == (ada.caller.key_id, sha256, ada.account)
        assert ada.secret not in repr(vars(world.store))

    async def test_no_two_keys_are_the_same(self, world: World, ada: Customer) -> None:
        keys = [await world.accounts.create_key(ada.account, "again") for _ in range(50)]
        assert len({key.secret for key in keys}) == len({key.key.key_id for key in keys}) == 50

    async def test_a_key_opens_its_account(self, world: World, ada: Customer, bob: Customer) -> None:
        assert await world.accounts.authenticate(ada.secret) == ada.caller
        assert await world.accounts.authenticate(bob.secret) == bob.caller

    async def test_no_key_is_told_from_a_wrong_one(self, world: World, ada: Customer) -> None:
        with pytest.raises(CredentialMissing):
            await world.accounts.authenticate(None)
        for wrong in ("", "x", ada.secret.upper(), ada.secret[:-1], ada.secret + " ", "🔑", "\udcff"):
            with pytest.raises(CredentialUnknown):
                await world.accounts.authenticate(wrong)

    async def test_a_revoked_key_opens_nothing(self, world: World, ada: Customer) -> None:
        await world.store.revoke_key(ada.caller.key_id, world.clock.now())
        with pytest.raises(CredentialRevoked):
            await world.accounts.authenticate(ada.secret)

    async def test_a_key_of_a_plan_that_is_no_longer_configured_opens_nothing(
        self, world: World, ada: Customer
    ) -> None:
        plans = {name: plan for name, plan in PLANS.items() if name != "default"}
        accounts = Accounts(store=world.store, plans=plans, clock=world.clock, entropy=world.entropy)
        with pytest.raises(CredentialUnknown):
            await accounts.authenticate(ada.secret)

    async def test_a_changed_plan_holds_from_the_next_call_on(self, world: World, ada: Customer) -> None:
        changed = {**PLANS, PlanName("default"): replace(PLANS[PlanName("default")], surface=Surface.KYMA)}
        accounts = Accounts(store=world.store, plans=changed, clock=world.clock, entropy=world.entropy)
        assert (await accounts.authenticate(ada.secret)).plan.surface is Surface.KYMA


class TestMoney:
    async def test_a_credit_is_in_the_plans_currency_and_adds_up(self, world: World) -> None:
        customer = await world.join("geekhub", micros=0)
        await world.accounts.credit(customer.account, 1)
        balance = await world.accounts.credit(customer.account, 2_500_000)
        assert balance.available == Money(2_500_001, "MXN")
        assert balance == await world.accounts.balance(customer.caller)
        assert await world.ledger(customer) == ["credit", "credit"]

    async def test_credits_come_from_the_platforms_funding(self, world: World, ada: Customer) -> None:
        (credit,) = await world.transfers(ada)
        assert (credit.debit_account_id, credit.credit_account_id) == (
            "platform:funding:USD",
            ada.account.account_id,
        )

    async def test_a_credit_with_a_reference_is_given_once(self, world: World) -> None:
        customer = await world.join("kyma", micros=0)
        for _ in range(2):
            balance = await world.accounts.credit(customer.account, 5, reference="a-gift")
            assert balance.available == Money(5, "USD")
            await world.clock.advance(timedelta(days=1))
        (transfer,) = await world.transfers(customer)
        assert transfer.transfer_id == "credit:a-gift"


class TestDevelopmentAccounts:
    """What `reelgate up` makes."""

    async def test_each_gets_a_key_and_credit_once_whatever_happens_to_the_prices(self, world: World) -> None:
        keys = await ensure_keys(world.accounts, CATALOGUE, {})
        balances = {name: await self.balance(world, key) for name, key in keys.items()}
        assert balances["REELGATE_GEEKHUB_KEY"].currency == "MXN"
        assert all(balance.amount_micros > 0 for balance in balances.values())
        dearer = {name: replace(plan, markup=plan.markup * 2) for name, plan in PLANS.items()}
        accounts = Accounts(store=world.store, plans=dearer, clock=world.clock, entropy=world.entropy)
        assert await ensure_keys(accounts, CATALOGUE, keys) == keys
        assert {name: await self.balance(world, key) for name, key in keys.items()} == balances

    async def test_one_that_a_crash_left_without_credit_gets_it_at_the_next_start(self, world: World) -> None:
        account = await world.accounts.create_account("dev-kyma", PlanName("kyma"))
        keys = await ensure_keys(world.accounts, CATALOGUE, {})
        caller = await world.accounts.authenticate(keys["REELGATE_KYMA_KEY"])
        assert caller.account == account
        assert (await world.accounts.balance(caller)).available.amount_micros > 0

    async def test_one_of_a_plan_that_is_gone_is_told(self, world: World) -> None:
        plans = {**PLANS, PlanName("gold"): replace(PLANS[PlanName("kyma")], name=PlanName("gold"))}
        earlier = Accounts(store=world.store, plans=plans, clock=world.clock, entropy=world.entropy)
        await earlier.create_account("dev-kyma", PlanName("gold"))
        with pytest.raises(Refusal, match="'dev-kyma' is on plan 'gold', which is no longer configured"):
            await ensure_keys(world.accounts, CATALOGUE, {})

    @staticmethod
    async def balance(world: World, key: str) -> Money:
        return (await world.accounts.balance(await world.accounts.authenticate(key))).available
