"""The accounts that `reelgate up` makes, so that every documented call works at once."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from reelgate_server.app.accounts import Accounts
from reelgate_server.cli.refusals import Refusal
from reelgate_server.domain.accounts import Account
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.errors import CredentialRevoked, CredentialUnknown
from reelgate_server.domain.ids import PlanName
from reelgate_server.domain.pricing import price

KEY_VARIABLES: Final[Mapping[str, PlanName]] = {
    "REELGATE_API_KEY": PlanName("default"),
    "REELGATE_GEEKHUB_KEY": PlanName("geekhub"),
    "REELGATE_KYMA_KEY": PlanName("kyma"),
    "REELGATE_CONCURRED_KEY": PlanName("concurred"),
}
"""The variables that clients read, and the plan of the account behind each."""

CREDIT_JOB_COUNT: Final = 1000
"""A new account has credit for this many of the dearest jobs its plan can ask for."""


async def ensure_keys(accounts: Accounts, catalogue: Catalogue, earlier: Mapping[str, str]) -> dict[str, str]:
    """Return a working key for each variable: the earlier one if it still works, or a new one.

    Makes each account that is missing, and gives credit to each whose ledger is empty. Safe to repeat after a crash at
    any point.

    Raises:
        Refusal: Somebody made an account of such a name, on a plan that is no longer configured.
    """
    keys: dict[str, str] = {}
    for variable, plan_name in KEY_VARIABLES.items():
        account = await _ensure_account(accounts, catalogue, plan_name)
        secret = earlier.get(variable, "")
        keys[variable] = secret if await _works(accounts, secret) else (await _new_key(accounts, account))
    return keys


def read_environment_file(path: Path) -> dict[str, str]:
    """Read the names and values of a file that `write_environment_file` wrote; empty if there is none."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {name.removeprefix("export ").strip(): value.strip() for name, _, value in pairs}


def write_environment_file(path: Path, variables: Mapping[str, str]) -> None:
    """Write a file that a shell can source, in one step, readable by its owner alone: it holds keys."""
    lines: Iterable[str] = (f"export {name}={value}\n" for name, value in variables.items())
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# Written by `reelgate up`: for clients; the server ignores these names.\n")
        file.writelines(lines)
    Path(partial).replace(path)


async def _ensure_account(accounts: Accounts, catalogue: Catalogue, plan_name: PlanName) -> Account:
    name = f"dev-{plan_name}"
    account = await accounts.store.find_account(name)
    if account is None:
        account = await accounts.create_account(name, plan_name)
    plan = accounts.plans.get(account.plan)
    if plan is None:
        raise Refusal(f"account '{name}' is on plan '{account.plan}', which is no longer configured")
    # Not only for a new account: an earlier start may have ended between making it and this.
    if not await accounts.store.list_transfers(account.account_id, before=None, limit=1):
        dearest = max(
            price(timedelta(seconds=model.durations_s[-1]), model, plan).amount_micros for model in catalogue.all()
        )
        await accounts.credit(account, CREDIT_JOB_COUNT * dearest, reference=name)
    return account


async def _new_key(accounts: Accounts, account: Account) -> str:
    return (await accounts.create_key(account, "reelgate up")).secret


async def _works(accounts: Accounts, secret: str) -> bool:
    try:
        await accounts.authenticate(secret)
    except (CredentialUnknown, CredentialRevoked):
        return False
    return True
