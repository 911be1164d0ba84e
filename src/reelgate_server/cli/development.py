"""The accounts that `reelgate up` makes, so that every documented call works at once."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from reelgate_server.app.accounts import Accounts
from reelgate_server.domain.accounts import Account, Plan
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

    Makes the account, with credit, if there is none.
    """
    keys: dict[str, str] = {}
    for variable, plan_name in KEY_VARIABLES.items():
        account = await _ensure_account(accounts, catalogue, accounts.plans[plan_name])
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


async def _ensure_account(accounts: Accounts, catalogue: Catalogue, plan: Plan) -> Account:
    name = f"dev-{plan.name}"
    account = await accounts.store.find_account(name)
    if account is None:
        account = await accounts.create_account(name, plan.name)
        dearest = max(
            price(timedelta(seconds=model.durations_s[-1]), model, plan).amount_micros for model in catalogue.all()
        )
        await accounts.credit(account, CREDIT_JOB_COUNT * dearest)
    return account


async def _new_key(accounts: Accounts, account: Account) -> str:
    return (await accounts.create_key(account, "reelgate up")).secret


async def _works(accounts: Accounts, secret: str) -> bool:
    try:
        await accounts.authenticate(secret)
    except (CredentialUnknown, CredentialRevoked):
        return False
    return True
