"""Accounts, keys and credit, straight in the job store: `reelgate accounts|keys|credit`."""

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import typer

from reelgate_server.app.accounts import Accounts
from reelgate_server.cli.operations import Operations
from reelgate_server.cli.refusals import Refusal, told_plainly
from reelgate_server.config import Settings
from reelgate_server.domain.accounts import Account
from reelgate_server.domain.ids import KeyId, PlanName
from reelgate_server.domain.money import to_micros
from reelgate_server.ports.accounts import AccountNameTaken

CREDIT_UNITS_MAX: Final = 1_000_000_000
"""Of the plan's currency, in one credit. More is a slip; thousands of these still fit the ledger's 64-bit micros."""

NAME_LENGTH_MAX: Final = 100
"""`Account.name` and `ApiKey.name` say so."""

AccountName = Annotated[str, typer.Option("--account", help="The account's name.")]


def add_commands(app: typer.Typer, operations: Operations) -> None:
    """Add the commands."""
    accounts_app = typer.Typer(help="Accounts.", no_args_is_help=True)
    keys_app = typer.Typer(help="API keys.", no_args_is_help=True)
    app.add_typer(accounts_app, name="accounts")
    app.add_typer(keys_app, name="keys")

    @accounts_app.command("create")
    @told_plainly
    def create_account(
        name: Annotated[str, typer.Argument(help="A name for people; unique.")],
        plan: Annotated[str, typer.Option(help="A configured plan.")] = "default",
    ) -> None:
        """Create an account."""
        account = asyncio.run(_create_account(operations, name, PlanName(plan)))
        print(f"account {account.account_id} ({account.name}) on plan {account.plan}")

    @keys_app.command("create")
    @told_plainly
    def create_key(account: AccountName, name: Annotated[str, typer.Option(help="A name for people.")]) -> None:
        """Create an API key and show it, this once."""
        key_id, secret = asyncio.run(_create_key(operations, account, name))
        print(f"key {key_id}; it is shown only now:\n{secret}")

    @keys_app.command("revoke")
    @told_plainly
    def revoke_key(key_id: Annotated[str, typer.Argument(help="The id that `keys create` printed.")]) -> None:
        """Revoke an API key, at once."""
        asyncio.run(_revoke_key(operations, KeyId(key_id)))
        print(f"key {key_id} is revoked")

    @app.command()
    @told_plainly
    def credit(
        account: AccountName, amount: Annotated[str, typer.Argument(help="In the plan's currency, such as 25.00.")]
    ) -> None:
        """Give an account money."""
        print(asyncio.run(_credit(operations, account, amount)))


async def _create_account(operations: Operations, name: str, plan: PlanName) -> Account:
    _require_name("an account's", name)
    async with operations.open_accounts(Settings()) as accounts:
        if plan not in accounts.plans:
            raise Refusal(f"there is no plan '{plan}'; there are {', '.join(sorted(accounts.plans))}")
        try:
            return await accounts.create_account(name, plan)
        except AccountNameTaken:
            raise Refusal(f"there is an account '{name}' already") from None


async def _create_key(operations: Operations, account_name: str, name: str) -> tuple[KeyId, str]:
    _require_name("a key's", name)
    async with operations.open_accounts(Settings()) as accounts:
        new = await accounts.create_key(await _find(accounts, account_name), name)
        return new.key.key_id, new.secret


async def _revoke_key(operations: Operations, key_id: KeyId) -> None:
    async with operations.open_accounts(Settings()) as accounts:
        if not await accounts.store.revoke_key(key_id, accounts.clock.now()):
            raise Refusal(f"there is no key {key_id}")


async def _credit(operations: Operations, account_name: str, amount: str) -> str:
    try:
        units = Decimal(amount)
    except InvalidOperation:
        raise Refusal(f"'{amount}' is not an amount of money") from None
    if not units.is_finite() or not 0 < units <= CREDIT_UNITS_MAX or to_micros(units) == 0:
        raise Refusal(f"the amount must be above zero, and at most {CREDIT_UNITS_MAX}")
    async with operations.open_accounts(Settings()) as accounts:
        balance = await accounts.credit(await _find(accounts, account_name), to_micros(units))
        return f"available: {balance.available.units()} {balance.available.currency}"


async def _find(accounts: Accounts, name: str) -> Account:
    account = await accounts.store.find_account(name)
    if account is None:
        raise Refusal(f"there is no account '{name}'")
    if account.plan not in accounts.plans:
        raise Refusal(f"account '{name}' is on plan '{account.plan}', which is no longer configured")
    return account


def _require_name(whose: str, name: str) -> None:
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise Refusal(f"{whose} name has 1 to {NAME_LENGTH_MAX} characters")
