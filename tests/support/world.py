"""The whole application on memory adapters and a manual clock; what a test talks to stands behind the ports."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from reelgate_server.adapters.feed.local import LocalFeed
from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.api.server import Application, Server
from reelgate_server.app.accounts import Accounts
from reelgate_server.app.calls import ProviderCalls
from reelgate_server.app.create_job import CreateJob
from reelgate_server.app.drive_job import DriveJob
from reelgate_server.app.following import Following
from reelgate_server.app.providers import Providers
from reelgate_server.app.receive_webhook import ReceiveWebhook
from reelgate_server.app.record import Recorder
from reelgate_server.app.submit_job import SubmitJob
from reelgate_server.app.watch_job import WatchJob
from reelgate_server.app.worker import Worker
from reelgate_server.domain.accounts import Account, AmbiguousSubmit, BillingPolicy, Caller, Plan, Surface
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.ids import JobId, PlanName, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.ledger import Transfer
from reelgate_server.domain.spec import JobRequest
from reelgate_server.ports.feed import JobFeed
from reelgate_server.ports.images import ImageSource
from reelgate_server.ports.provider import Provider
from reelgate_server.ports.webhooks import WebhookReceiver
from tests.domain.builders import CATALOGUE
from tests.support.clock import ManualClock, settle
from tests.support.entropy import SeededEntropy
from tests.support.fake_provider import FakeProvider
from tests.support.images import FakeImageSource
from tests.support.media import MemoryMediaStore
from tests.support.metrics import MemoryMetrics
from tests.support.store_steps import Store

PLANS: Final[Mapping[PlanName, Plan]] = {
    plan.name: plan
    for plan in (
        Plan(
            name=PlanName("default"),
            currency="USD",
            markup=Decimal(1),
            fx=Decimal(1),
            billing=BillingPolicy.HOLD,
            surface=Surface.NATIVE,
        ),
        Plan(
            name=PlanName("patient"),
            currency="USD",
            markup=Decimal(1),
            fx=Decimal(1),
            billing=BillingPolicy.HOLD,
            surface=Surface.NATIVE,
            ambiguous_submit=AmbiguousSubmit.RETRY,
        ),
        Plan(
            name=PlanName("geekhub"),
            currency="MXN",
            markup=Decimal("1.05"),
            fx=Decimal(20),
            billing=BillingPolicy.ON_COMPLETION,
            surface=Surface.GEEKHUB,
            key_prefix="ghub_sk_live_",
        ),
        Plan(
            name=PlanName("kyma"),
            currency="USD",
            markup=Decimal("1.35"),
            fx=Decimal(1),
            billing=BillingPolicy.HOLD,
            surface=Surface.KYMA,
            key_prefix="ky-",
            tier=4,
        ),
        Plan(
            name=PlanName("concurred"),
            currency="USD",
            markup=Decimal(1),
            fx=Decimal(1),
            billing=BillingPolicy.UNMETERED,
            surface=Surface.CONCURRED,
            key_prefix="ck_",
        ),
    )
}
"""One of each documented gateway, and two without markup; `patient` submits once more when an answer was lost."""

START_MICROS: Final = 10_000_000
"""What a customer starts with, in millionths of the plan's currency: ten units."""
LEASE: Final = timedelta(seconds=10)
HEARTBEAT_INTERVAL: Final = timedelta(seconds=15)
POLL_INTERVAL: Final = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Customer:
    """An account and one key to it."""

    account: Account
    caller: Caller
    secret: str


class World:
    """Everything wired together; each part can be reached."""

    def __init__(
        self,
        *,
        store: Store | None = None,
        feed: JobFeed | None = None,
        clock: ManualClock | None = None,
        providers: Sequence[Provider] | None = None,
        receivers: Mapping[ProviderName, WebhookReceiver] | None = None,
        stand_in: str | None = None,
        catalogue: Catalogue = CATALOGUE,
        media: MemoryMediaStore | None = None,
        images: ImageSource | None = None,
        geekhub_submit_wait: timedelta = timedelta(),
        seed: int = 1,
    ) -> None:
        """Wire it.

        Args:
            store: Where jobs and accounts are; a fresh `MemoryStore` if None.
            feed: A fresh `LocalFeed` if None.
            clock: One that stands at noon if None.
            providers: Who is configured. If None: fakes called `fal` and `vertex`, and an idempotent one called
                `local`; nobody called `minimax`.
            receivers: Who checks webhooks; nobody if None.
            stand_in: Which of them renders for providers that are not configured.
            catalogue: The models; those that ship with the package unless told otherwise.
            media: Where videos are kept; a fresh store if None.
            images: Where first frames are fetched for providers that take bytes; one with a single image if None.
            geekhub_submit_wait: How long GeekHub's create waits; not at all unless told otherwise.
            seed: Of all randomness.
        """
        self.clock = clock or ManualClock()
        self.entropy = SeededEntropy(seed)
        self.store: Store = store or MemoryStore()
        self.feed: JobFeed = feed or LocalFeed(self.clock)
        self.media = media or MemoryMediaStore()
        self.fal = FakeProvider("fal")
        self.vertex = FakeProvider("vertex")
        self.local = FakeProvider("local", is_idempotent=True)
        chosen = (self.fal, self.vertex, self.local) if providers is None else providers
        self.providers = Providers(
            {each.name: each for each in chosen}, stand_in=ProviderName(stand_in) if stand_in else None
        )
        self.catalogue = catalogue
        self.accounts = Accounts(store=self.store, plans=PLANS, clock=self.clock, entropy=self.entropy)
        self.recorder = Recorder(store=self.store, feed=self.feed, clock=self.clock)
        self.create_job = CreateJob(
            store=self.store,
            catalogue=catalogue,
            providers=self.providers,
            feed=self.feed,
            clock=self.clock,
            entropy=self.entropy,
            media=self.media,
        )
        self.receive_webhook = ReceiveWebhook(recorder=self.recorder, catalogue=catalogue, receivers=receivers or {})
        self.watch = self.another_watch()
        self.metrics = MemoryMetrics()
        self.following = Following(catalogue)
        calls = ProviderCalls(self.metrics)
        self.drive = DriveJob(
            recorder=self.recorder,
            providers=self.providers,
            media=self.media,
            entropy=self.entropy,
            following=self.following,
            calls=calls,
            submit=SubmitJob(
                recorder=self.recorder,
                media=self.media,
                images=images or FakeImageSource(),
                catalogue=catalogue,
                entropy=self.entropy,
                following=self.following,
                calls=calls,
            ),
        )
        self._geekhub_submit_wait = geekhub_submit_wait
        self._customer_count = 0

    def another_watch(self) -> WatchJob:
        """The watch of one more server process on the same store."""
        return WatchJob(
            store=self.store,
            feed=self.feed,
            clock=self.clock,
            heartbeat_interval=HEARTBEAT_INTERVAL,
            poll_interval=POLL_INTERVAL,
        )

    def worker(self, owner: str = "worker", *, concurrency: int = 4, provider_concurrency: int = 4) -> Worker:
        """A worker that has not begun."""
        return Worker(
            store=self.store,
            feed=self.feed,
            clock=self.clock,
            drive=self.drive,
            owner=owner,
            concurrency=concurrency,
            provider_concurrency=provider_concurrency,
            metrics=self.metrics,
            lease=LEASE,
        )

    def application(self) -> Application:
        """What the services need."""
        return Application(
            accounts=self.accounts,
            store=self.store,
            catalogue=self.catalogue,
            providers=self.providers,
            media=self.media,
            create=self.create_job,
            watch=self.watch,
            recorder=self.recorder,
            receive_webhook=self.receive_webhook,
            entropy=self.entropy,
            kyma_prices=PLANS[PlanName("kyma")],
            geekhub_submit_wait=self._geekhub_submit_wait,
            media_url=lambda object_name: f"https://reelgate.test/media/{object_name}",
        )

    def server(self, *, concurrent_call_count_max: int = 1000) -> Server:
        """A server that listens nowhere yet."""
        return Server(self.application(), concurrent_call_count_max=concurrent_call_count_max)

    async def join(self, plan: str = "default", *, micros: int = START_MICROS) -> Customer:
        """A new customer with money and a key."""
        self._customer_count += 1
        account = await self.accounts.create_account(f"customer {self._customer_count}", PlanName(plan))
        if micros:
            await self.accounts.credit(account, micros)
        key = await self.accounts.create_key(account, "first")
        caller = Caller(account=account, plan=PLANS[account.plan], key_id=key.key.key_id)
        return Customer(account=account, caller=caller, secret=key.secret)

    async def create(self, customer: Customer, *, idempotency_key: str | None = None, **changes: Any) -> Job:
        """Create a job through the native surface; five seconds of Kling 2 for 0.20 dollars unless told otherwise."""
        fields: dict[str, Any] = {"model": "fal/kling-2", "prompt": "a red kite", **changes}
        outcome = await self.create_job(
            customer.caller, Surface.NATIVE, JobRequest(**fields), idempotency_key=idempotency_key
        )
        return outcome.job

    async def run_due(self, owner: str = "driver") -> None:
        """Drive every job that is due, once each, as a worker would."""
        now = self.clock.now()
        for job in await self.store.claim(owner, now=now, lease_until=now + LEASE, limit=1000):
            await self.drive(job, owner)

    async def load(self, job: Job) -> Job:
        """The job as it stands."""
        return await self.store.load_job(job.job_id)

    async def history(self, job_id: JobId) -> list[str]:
        """The names of a job's events, in order."""
        return [type(logged.event).__name__ for logged in await self.store.events_after(job_id, 0)]

    async def money(self, customer: Customer) -> tuple[int, int]:
        """What a customer has available, and held, in micros."""
        balance = await self.accounts.balance(customer.caller)
        return balance.available.amount_micros, balance.held.amount_micros

    async def ledger(self, customer: Customer) -> list[str]:
        """The kinds of a customer's transfers, oldest first."""
        return [transfer.kind.value for transfer in await self.transfers(customer)]

    async def transfers(self, customer: Customer | None = None) -> list[Transfer]:
        """A customer's transfers, or everybody's, oldest first."""
        account_id = customer.account.account_id if customer else None
        entries = await self.store.list_transfers(account_id, before=None, limit=100_000)
        return [entry.transfer for entry in reversed(entries)]


@asynccontextmanager
async def working(world: World, owner: str = "worker") -> AsyncIterator[Worker]:
    """Run a worker beside the body; it is stopped at the end, and gives back what it holds."""
    worker = world.worker(owner)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        try:
            await settle()
            yield worker
        finally:
            worker.stop()
