"""Things to test with, each valid as it comes. Numbers make them distinct; keywords change what matters to a test."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from reelgate_server.domain.accounts import Account, AmbiguousSubmit, ApiKey, BillingPolicy
from reelgate_server.domain.events import (
    Created,
    JobEvent,
    Progressed,
    Rendered,
    Stored,
    StoredMedia,
    SubmitIntended,
    Submitted,
    Task,
)
from reelgate_server.domain.ids import AccountId, JobId, KeyId, ModelId, PlanName, ProviderName, TransferId
from reelgate_server.domain.job import Job, fold
from reelgate_server.domain.ledger import Transfer, TransferKind, credit, revenue_account
from reelgate_server.domain.money import Money
from reelgate_server.domain.pricing import Quote
from reelgate_server.domain.spec import JobRequest, Spec

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When everything here happens, unless a test says otherwise."""


def after_noon(seconds: float) -> datetime:
    """That many seconds later; exact to the microsecond."""
    return NOON + timedelta(seconds=seconds)


def usd(amount_micros: int) -> Money:
    """Micros of a US dollar."""
    return Money(amount_micros, "USD")


def job_id(number: int) -> JobId:
    """A job's id; a greater number sorts later, as a later job's would."""
    return JobId(f"01940000-0000-7000-8000-{number:012x}")


def account_id(number: int = 1) -> AccountId:
    """An account's id."""
    return AccountId(f"00000000-0000-4000-8000-{number:012x}")


def key_id(number: int = 1) -> KeyId:
    """A key's id."""
    return KeyId(f"00000000-0000-4000-9000-{number:012x}")


def make_account(number: int = 1, **changes: Any) -> Account:
    """An account of its own name."""
    account = Account(
        account_id=account_id(number), name=f"account {number}", plan=PlanName("standard"), create_time=NOON
    )
    return replace(account, **changes)


def make_key(number: int = 1, *, of: int = 1, **changes: Any) -> ApiKey:
    """A key of account `of`, not revoked; its hash is the number in hex."""
    key = ApiKey(
        key_id=key_id(number),
        account_id=account_id(of),
        name=f"key {number}",
        sha256=f"{number:064x}",
        create_time=NOON,
    )
    return replace(key, **changes)


def make_request(**changes: Any) -> JobRequest:
    """A request that leaves some choices to us."""
    request = JobRequest(model="kling-3-pro", prompt="A kite over the sea", clip_duration=timedelta(seconds=5))
    return replace(request, **changes)


def make_spec(**changes: Any) -> Spec:
    """The spec of `make_request`."""
    spec = Spec(
        model=ModelId("kling-3-pro"),
        prompt="A kite over the sea",
        clip_duration=timedelta(seconds=5),
        render_duration=timedelta(seconds=5),
        aspect_ratio="16:9",
        resolution="720p",
        image_url=None,
        extra={},
    )
    return replace(spec, **changes)


def make_quote(price_micros: int = 560_000, **changes: Any) -> Quote:
    """A price in US dollars; by default that of five seconds at 0.112."""
    quote = Quote(price=usd(price_micros), cost_per_second=Decimal("0.112"), markup=Decimal(1), fx=Decimal(1))
    return replace(quote, **changes)


def make_created(number: int = 1, *, of: int = 1, price_micros: int = 560_000, **changes: Any) -> Created:
    """The first event of job `number` of account `of`, billed by hold, under that account's first key."""
    created = Created(
        event_time=NOON,
        job_id=job_id(number),
        account_id=account_id(of),
        key_id=key_id(of),
        request=make_request(),
        spec=make_spec(),
        quote=make_quote(price_micros),
        billing=BillingPolicy.HOLD,
        ambiguous_submit=AmbiguousSubmit.FAIL,
        provider=ProviderName("local"),
        is_simulated=False,
        expire_time=after_noon(600),
    )
    return replace(created, **changes)


def make_job(number: int = 1, *, of: int = 1, price_micros: int = 560_000, **changes: Any) -> Job:
    """A pending job: what `make_created` with the same arguments adds up to."""
    return fold([make_created(number, of=of, price_micros=price_micros, **changes)])


def make_media(number: int = 1) -> StoredMedia:
    """The finished file of job `number` of the first account."""
    return StoredMedia(
        object_name=f"generated-videos/{account_id()}/{job_id(number)}/video.mp4",
        content_type="video/mp4",
        size_bytes=1_000_000,
        sha256=f"{number:064x}",
    )


def steps_to_success(number: int = 1) -> Sequence[JobEvent]:
    """What follows `Created` when all goes well: five events, a second apart."""
    return (
        SubmitIntended(event_time=after_noon(1), attempt=1),
        Submitted(
            event_time=after_noon(2), task=Task(task_id=f"task-{number}", urls={"poll": "https://example.test/p"})
        ),
        Progressed(event_time=after_noon(3), progress_percent=40),
        Rendered(event_time=after_noon(4), source_url="https://example.test/video.mp4"),
        Stored(event_time=after_noon(5), media=make_media(number)),
    )


def make_credit(number: int = 1, *, to: int = 1, amount_micros: int = 1_000_000, currency: str = "USD") -> Transfer:
    """Money for account `to`."""
    return credit(TransferId(f"credit-{number}"), account_id(to), Money(amount_micros, currency), NOON)


def make_transfer(transfer_id: str = "transfer-1", kind: TransferKind = TransferKind.HOLD, **changes: Any) -> Transfer:
    """A transfer of a dollar from the first account to revenue, for no job."""
    transfer = Transfer(
        transfer_id=TransferId(transfer_id),
        kind=kind,
        debit_account_id=account_id(),
        credit_account_id=revenue_account("USD"),
        amount=usd(1_000_000),
        create_time=NOON,
    )
    return replace(transfer, **changes)
