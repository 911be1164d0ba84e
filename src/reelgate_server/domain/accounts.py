"""Who asks and who pays: surfaces, plans, accounts, keys."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from reelgate_server.domain.ids import AccountId, KeyId, PlanName


class Surface(StrEnum):
    """A way in."""

    NATIVE = "native"
    GEEKHUB = "geekhub"
    KYMA = "kyma"
    CONCURRED = "concurred"


class BillingPolicy(StrEnum):
    """When an account pays. DESIGN 5 gives the theory."""

    HOLD = "hold"
    """Create reserves the whole price or is refused; success posts it, every other end voids it."""
    ON_COMPLETION = "on_completion"
    """Create needs a balance above zero; success posts the price, and the balance may go negative."""
    UNMETERED = "unmetered"
    """Nothing moves; the job still records its price."""


class AmbiguousSubmit(StrEnum):
    """What to do when a submit's answer was lost and the provider may have taken the task."""

    FAIL = "fail"
    """End the job as failed and release its hold; the operator may owe the provider one render."""
    RETRY = "retry"
    """Submit once more; the operator may owe the provider a second render."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The terms of an account."""

    name: PlanName
    currency: str
    """ISO 4217, upper case."""
    markup: Decimal
    """Factor on the provider's cost; > 0."""
    fx: Decimal
    """Units of `currency` for one US dollar; > 0; 1 for USD."""
    billing: BillingPolicy
    surface: Surface
    """Who answers this account on the paths that two dialects share."""
    ambiguous_submit: AmbiguousSubmit = AmbiguousSubmit.FAIL
    key_prefix: str = "rg_live_"
    """Leads every new key, so that a leaked one can be recognised."""
    tier: int = 0
    """Kyma's tier, 0 to 4; its limits take effect with the accounts feature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who pays."""

    account_id: AccountId
    name: str
    """For people; unique; 1 to 100 characters."""
    plan: PlanName
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A credential of an account. The secret itself is shown once and stored nowhere."""

    key_id: KeyId
    account_id: AccountId
    name: str
    """For people; 1 to 100 characters."""
    sha256: str
    """Lower-case hex of the whole key, prefix included."""
    create_time: datetime
    revoke_time: datetime | None = None
    """Set once, when the key was revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request, once their key has been checked."""

    account: Account
    plan: Plan
    key_id: KeyId
