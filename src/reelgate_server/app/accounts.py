"""Accounts, their keys, and who a key belongs to."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from reelgate_server.domain.accounts import Account, ApiKey, Caller, Plan
from reelgate_server.domain.errors import CredentialMissing, CredentialRevoked, CredentialUnknown
from reelgate_server.domain.ids import AccountId, KeyId, PlanName, TransferId
from reelgate_server.domain.ledger import Balance, credit
from reelgate_server.domain.money import Money
from reelgate_server.ports.accounts import AccountStore
from reelgate_server.ports.clock import Clock
from reelgate_server.ports.entropy import Entropy

KEY_RANDOM_BYTES = 24
"""192 random bits, printed as 32 characters: with GeekHub's prefix the 45 characters that its documentation says."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made."""

    key: ApiKey
    secret: str
    """What the client sends. Shown now and never again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The use cases."""

    store: AccountStore
    plans: Mapping[PlanName, Plan]
    clock: Clock
    entropy: Entropy

    async def authenticate(self, secret: str | None) -> Caller:
        """Find who sent a key.

        Args:
            secret: What the client sent; None if nothing.

        Raises:
            CredentialMissing: Nothing was sent.
            CredentialUnknown: No such key, or its account's plan is no longer configured.
            CredentialRevoked: It was revoked.
        """
        if secret is None:
            raise CredentialMissing
        found = await self.store.find_key(_hash(secret))
        if found is None:
            raise CredentialUnknown
        key, account = found
        if key.revoke_time is not None:
            raise CredentialRevoked
        plan = self.plans.get(account.plan)
        if plan is None:
            raise CredentialUnknown
        return Caller(account=account, plan=plan, key_id=key.key_id)

    async def create_account(self, name: str, plan: PlanName) -> Account:
        """Record a new account on a configured plan.

        Raises:
            KeyError: There is no such plan.
            AccountNameTaken: There is an account of that name.
        """
        account = Account(
            account_id=AccountId(self._uuid4()),
            name=name,
            plan=self.plans[plan].name,
            create_time=self.clock.now(),
        )
        await self.store.create_account(account)
        return account

    async def create_key(self, account: Account, name: str) -> NewKey:
        """Make a key for an account; only its hash is stored."""
        random = base64.urlsafe_b64encode(self.entropy.token_bytes(KEY_RANDOM_BYTES)).decode()
        secret = self.plans[account.plan].key_prefix + random
        key = ApiKey(
            key_id=KeyId(self._uuid4()),
            account_id=account.account_id,
            name=name,
            sha256=_hash(secret),
            create_time=self.clock.now(),
        )
        await self.store.create_key(key)
        return NewKey(key, secret)

    async def credit(self, account: Account, amount_micros: int, *, reference: str | None = None) -> Balance:
        """Give an account money in its plan's currency, and return what it has then.

        Args:
            account: Whose.
            amount_micros: > 0.
            reference: Names this credit, so that repeating it with the same amount changes nothing; None for one that
                stands alone. With another amount or account it is the store's error: a bug.
        """
        currency = self.plans[account.plan].currency
        transfer_id = TransferId(f"credit:{self._uuid4() if reference is None else reference}")
        amount = Money(amount_micros, currency)
        await self.store.record_transfer(credit(transfer_id, account.account_id, amount, self.clock.now()))
        return await self.store.load_balance(account.account_id, currency)

    async def balance(self, caller: Caller) -> Balance:
        """What the caller's account has, in its plan's currency."""
        return await self.store.load_balance(caller.account.account_id, caller.plan.currency)

    def _uuid4(self) -> str:
        return str(UUID(bytes=self.entropy.token_bytes(16), version=4))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
