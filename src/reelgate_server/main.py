"""The composition root: which adapter stands behind which port, and in what order things start and stop."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib.resources import files

import structlog

from reelgate_server import logs
from reelgate_server.adapters.clock import SystemClock
from reelgate_server.adapters.entropy import SystemEntropy
from reelgate_server.adapters.feed.local import LocalFeed
from reelgate_server.adapters.images import HttpImageSource
from reelgate_server.adapters.media.directory import DirectoryMediaStore
from reelgate_server.adapters.metrics import PrometheusMetrics
from reelgate_server.adapters.providers.local.provider import NAME as LOCAL
from reelgate_server.adapters.store.migrate import SchemaMismatch, migrate
from reelgate_server.adapters.store.sqlite import SqliteStore
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
from reelgate_server.checkup import check_providers
from reelgate_server.cli.app import build_cli
from reelgate_server.cli.operations import ProviderReport
from reelgate_server.cli.refusals import Refusal
from reelgate_server.config import Settings
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.catalogue_toml import extend, parse_catalogue
from reelgate_server.domain.ids import PlanName
from reelgate_server.wiring import open_providers

SUBMIT_LIMIT = timedelta(seconds=35)
"""How long a stopping server waits for submits under way, at most. The longest of an adapter's own limits is 30 s."""

log = structlog.get_logger(__name__)


def load_catalogue(settings: Settings) -> Catalogue:
    """Read the shipped catalogue and the operator's own rows.

    Raises:
        BrokenCatalogue: A row is broken; the message says where.
        OSError: The operator's file cannot be read.
    """
    shipped = files("reelgate_server").joinpath("catalogue.toml").read_text("utf-8")
    catalogue = parse_catalogue(shipped, "catalogue.toml")
    if settings.catalogue_path is None:
        return catalogue
    own = settings.catalogue_path.read_text("utf-8")
    return extend(catalogue, parse_catalogue(own, str(settings.catalogue_path)))


def migrate_store(settings: Settings) -> list[int]:
    """Bring the job store to the schema of this version; return the migrations that ran.

    Raises:
        Refusal: The file is no store of ours.
        OSError: Its folder cannot be made.
    """
    settings.store.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return migrate(settings.store.path)
    except (SchemaMismatch, sqlite3.Error) as error:
        raise _store_refusal(settings, error) from error


async def open_store(settings: Settings) -> SqliteStore:
    """Open the configured store.

    Raises:
        Refusal: It needs `reelgate migrate`, or the file is no store of ours.
    """
    try:
        return await SqliteStore.open(settings.store.path)
    except (SchemaMismatch, sqlite3.Error) as error:
        raise _store_refusal(settings, error) from error


def _store_refusal(settings: Settings, error: SchemaMismatch | sqlite3.Error) -> Refusal:
    # SQLite does not say which file it means.
    return Refusal(str(error) if isinstance(error, SchemaMismatch) else f"{settings.store.path}: {error}")


@asynccontextmanager
async def open_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The account use cases over the configured store, for the command line.

    Raises:
        Refusal: See `open_store`.
    """
    async with await open_store(settings) as store:
        yield Accounts(store=store, plans=settings.all_plans(), clock=SystemClock(), entropy=SystemEntropy())


async def serve(settings: Settings) -> None:
    """Serve gRPC and drive jobs until SIGINT or SIGTERM.

    Stops in this order: health checks say so, and proxies get time to notice; watches leave and can be resumed
    elsewhere; no more jobs are claimed; open calls and drives get a bounded grace, and submits under way the time that
    they need; the store closes last.

    Raises:
        BrokenCatalogue: See `load_catalogue`.
        Refusal: See `open_store`.
        RuntimeError: The address to listen on is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    catalogue = load_catalogue(settings)
    clock, entropy = SystemClock(), SystemEntropy()
    feed = LocalFeed(clock)
    async with AsyncExitStack() as stack:
        opened = await open_providers(settings, clock, stack)
        metrics = stack.enter_context(PrometheusMetrics(settings.metrics.host, settings.metrics.port))
        store = await stack.enter_async_context(await open_store(settings))
        media = DirectoryMediaStore(settings.media.directory)
        stack.callback(media.close)
        stand_in = LOCAL if settings.local_renderer.is_stand_in else None
        providers = Providers(opened.by_name, stand_in=stand_in)
        recorder = Recorder(store=store, feed=feed, clock=clock)
        following, calls = Following(catalogue), ProviderCalls(metrics)
        watch = WatchJob(
            store=store,
            feed=feed,
            clock=clock,
            heartbeat_interval=settings.watch.heartbeat_interval,
            poll_interval=settings.watch.poll_interval,
        )
        plans = settings.all_plans()
        server = Server(
            Application(
                accounts=Accounts(store=store, plans=plans, clock=clock, entropy=entropy),
                store=store,
                catalogue=catalogue,
                providers=providers,
                media=media,
                create=CreateJob(
                    store=store,
                    catalogue=catalogue,
                    providers=providers,
                    feed=feed,
                    clock=clock,
                    entropy=entropy,
                    media=media,
                ),
                receive_webhook=ReceiveWebhook(
                    recorder=recorder, catalogue=catalogue, receivers=opened.webhook_receivers
                ),
                watch=watch,
                recorder=recorder,
                entropy=entropy,
                kyma_prices=plans[PlanName("kyma")],
                geekhub_submit_wait=settings.geekhub_submit_wait,
                media_url=lambda object_name: f"{settings.media.base_url}/{object_name}",
            ),
            concurrent_call_count_max=settings.grpc_server.concurrent_call_count_max,
        )
        worker = Worker(
            store=store,
            feed=feed,
            clock=clock,
            drive=DriveJob(
                recorder=recorder,
                providers=providers,
                media=media,
                entropy=entropy,
                following=following,
                calls=calls,
                submit=SubmitJob(
                    recorder=recorder,
                    media=media,
                    images=HttpImageSource(),
                    catalogue=catalogue,
                    entropy=entropy,
                    following=following,
                    calls=calls,
                ),
            ),
            metrics=metrics,
            owner=entropy.token_bytes(8).hex(),
            concurrency=settings.worker.concurrency,
            provider_concurrency=settings.worker.provider_concurrency,
            lease=settings.worker.lease,
        )
        await _run(settings, server, worker, watch, stop)


async def _run(settings: Settings, server: Server, worker: Worker, watch: WatchJob, stop: asyncio.Event) -> None:
    grace = settings.grpc_server.stop_grace
    port = await server.start(settings.grpc_server.host, settings.grpc_server.port)
    log.info("serving", host=settings.grpc_server.host, port=port)
    async with asyncio.TaskGroup() as group:
        driving = group.create_task(worker.run())
        await stop.wait()
        log.info("stopping")
        await server.drain()
        await asyncio.sleep(settings.grpc_server.drain_delay.total_seconds())
        watch.stop()
        worker.stop()
        await asyncio.gather(server.stop(grace), asyncio.wait([driving], timeout=grace.total_seconds()))
        worker.abandon()
        await asyncio.wait([driving], timeout=SUBMIT_LIMIT.total_seconds())
        driving.cancel()
    log.info("stopped")


class Operations:
    """What the command line asks of this server's own machinery."""

    migrate_store = staticmethod(migrate_store)
    open_accounts = staticmethod(open_accounts)
    load_catalogue = staticmethod(load_catalogue)

    @staticmethod
    def check_providers(settings: Settings) -> list[ProviderReport]:
        """Check every credential of every configured provider."""
        return asyncio.run(check_providers(settings))

    @staticmethod
    def serve(settings: Settings) -> None:
        """Serve until told to stop."""
        logs.configure(settings.log_level)
        asyncio.run(serve(settings))


def main() -> None:
    """Run the command line."""
    build_cli(Operations())()
