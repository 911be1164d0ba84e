"""Where accounts, keys and the ledger are kept. The promises at the top of `store.py` hold here too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reelgate_server.domain.accounts import Account, ApiKey
from reelgate_server.domain.ids import AccountId, KeyId
from reelgate_server.domain.ledger import Balance, Transfer


class AccountNameTaken(Exception):
    """Another account has this name; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A transfer, in its place in the ledger."""

    position: int
    """Grows with every transfer; gaps are possible."""
    transfer: Transfer


class AccountStore(Protocol):
    """Accounts, their keys, and their money. The ledger has no operation that changes or removes a row."""

    async def create_account(self, account: Account) -> None:
        """Record a new account.

        Raises:
            AccountNameTaken: There is one of that name.
        """
        ...

    async def find_account(self, name: str) -> Account | None:
        """Read the account of this name; None if there is none."""
        ...

    async def create_key(self, key: ApiKey) -> None:
        """Record a new key of an account that exists."""
        ...

    async def revoke_key(self, key_id: KeyId, now: datetime) -> bool:
        """Set the key's `revoke_time` unless it has one. Return whether there is such a key."""
        ...

    async def find_key(self, sha256: str) -> tuple[ApiKey, Account] | None:
        """Read the key with this hash, and its account; None if there is none."""
        ...

    async def record_transfer(self, transfer: Transfer) -> None:
        """Add a transfer that belongs to no job. The same transfer again changes nothing."""
        ...

    async def load_balance(self, account_id: AccountId, currency: str) -> Balance:
        """Read what an account's transfers in one currency add up to; zero if there are none."""
        ...

    async def list_transfers(
        self, account_id: AccountId | None, *, before: int | None, limit: int
    ) -> list[LedgerEntry]:
        """Read transfers that debit or credit an account (None: any account), newest first.

        Args:
            account_id: Whose.
            before: Only entries whose position is lower; None starts at the newest.
            limit: At most this many; > 0.
        """
        ...
