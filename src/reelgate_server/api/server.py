"""The gRPC server: services, health, reflection, limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from reelgate.concurred.v1 import concurred_service_pb2, concurred_service_pb2_grpc
from reelgate.geekhub.v1 import geekhub_service_pb2, geekhub_service_pb2_grpc
from reelgate.hooks.v1 import hooks_service_pb2, hooks_service_pb2_grpc
from reelgate.kyma.v1 import kyma_service_pb2, kyma_service_pb2_grpc
from reelgate.shared.v1 import shared_service_pb2, shared_service_pb2_grpc
from reelgate.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    media_service_pb2,
    media_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
    video_service_pb2,
    video_service_pb2_grpc,
)
from reelgate_server.api.boundary import Boundary
from reelgate_server.api.convert import MediaUrl
from reelgate_server.api.dialects.concurred import ConcurredServicer, concurred_error
from reelgate_server.api.dialects.geekhub import GeekHubServicer, geekhub_error
from reelgate_server.api.dialects.kyma import KymaServicer, kyma_error
from reelgate_server.api.dialects.shared import SharedServicer, shared_error
from reelgate_server.api.hooks import HooksServicer, hooks_error
from reelgate_server.api.http_error import ErrorShape
from reelgate_server.api.native.accounts import AccountServicer
from reelgate_server.api.native.media import MediaServicer, media_error
from reelgate_server.api.native.models import ModelServicer
from reelgate_server.api.native.video import VideoServicer
from reelgate_server.app.accounts import Accounts
from reelgate_server.app.create_job import CreateJob
from reelgate_server.app.providers import Providers
from reelgate_server.app.receive_webhook import ReceiveWebhook
from reelgate_server.app.record import Recorder
from reelgate_server.app.watch_job import WatchJob
from reelgate_server.domain.accounts import Plan
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.ports.entropy import Entropy
from reelgate_server.ports.media import MediaStore
from reelgate_server.ports.store import JobStore

REQUEST_BYTES_MAX: Final = 32 * 1024 * 1024
"""Above Envoy's limit of 25 MiB for a body, so that Envoy is the one to refuse, in the surface's own shape."""
RESPONSE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Room for the longest page of jobs: 1,000 with 16 kB of prompt and 16 kB of parameters each."""
METADATA_BYTES_MAX: Final = 128 * 1024

SERVICES: Final = (
    video_service_pb2.DESCRIPTOR.services_by_name["VideoService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
    media_service_pb2.DESCRIPTOR.services_by_name["MediaService"].full_name,
    account_service_pb2.DESCRIPTOR.services_by_name["AccountService"].full_name,
    shared_service_pb2.DESCRIPTOR.services_by_name["SharedService"].full_name,
    geekhub_service_pb2.DESCRIPTOR.services_by_name["GeekHubService"].full_name,
    kyma_service_pb2.DESCRIPTOR.services_by_name["KymaService"].full_name,
    concurred_service_pb2.DESCRIPTOR.services_by_name["ConcurredService"].full_name,
    hooks_service_pb2.DESCRIPTOR.services_by_name["HooksService"].full_name,
)
"""Full names of the services this server offers, for health and reflection."""

ERROR_SHAPES: Final[Mapping[str, ErrorShape]] = {
    "reelgate.v1.MediaService": media_error,
    "reelgate.shared.v1.SharedService": shared_error,
    "reelgate.geekhub.v1.GeekHubService": geekhub_error,
    "reelgate.kyma.v1.KymaService": kyma_error,
    "reelgate.concurred.v1.ConcurredService": concurred_error,
    "reelgate.hooks.v1.HooksService": hooks_error,
}
"""How services say errors to REST callers; the other native services say them as `google.rpc.Status` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Everything the services need."""

    accounts: Accounts
    store: JobStore
    catalogue: Catalogue
    providers: Providers
    media: MediaStore
    create: CreateJob
    watch: WatchJob
    recorder: Recorder
    receive_webhook: ReceiveWebhook
    entropy: Entropy
    kyma_prices: Plan
    """The plan whose prices Kyma's public catalogue shows."""
    geekhub_submit_wait: timedelta
    media_url: MediaUrl


class Server:
    """A gRPC server with the services of an application."""

    def __init__(self, application: Application, *, concurrent_call_count_max: int) -> None:
        """Register the services; nothing listens yet."""
        self._server = grpc.aio.server(
            interceptors=[Boundary(ERROR_SHAPES, application.entropy, call_count_max=concurrent_call_count_max)],
            options=[
                ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
                ("grpc.max_send_message_length", RESPONSE_BYTES_MAX),
                # Above what Envoy lets through, twice, because it repeats a long path in a header. gRPC's own limit is
                # a soft one: between 8 and 16 kB it refuses calls at random.
                ("grpc.max_metadata_size", METADATA_BYTES_MAX),
                # A second server on the same port must fail instead of taking half of the calls.
                ("grpc.so_reuseport", 0),
                # Watches are idle between events; let clients probe their connection as often as every 10 s.
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        self._health = health.aio.HealthServicer()
        _add_services(self._server, application)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)

    async def start(self, host: str, port: int) -> int:
        """Listen and serve. Return the port, which the system chose if 0 was asked for.

        Raises:
            RuntimeError: The address is taken or not ours.
        """
        bound = self._server.add_insecure_port(f"{host}:{port}")
        await self._server.start()
        for service in ("", *SERVICES):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return bound

    async def drain(self) -> None:
        """Tell health checks to send nobody here any more; calls go on."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: timedelta) -> None:
        """Take no more calls, and cut those that are still open after `grace`."""
        await self._server.stop(grace.total_seconds())


def _add_services(server: grpc.aio.Server, application: Application) -> None:
    app = application
    geekhub = GeekHubServicer(
        accounts=app.accounts,
        store=app.store,
        catalogue=app.catalogue,
        create=app.create,
        watch=app.watch,
        submit_wait=app.geekhub_submit_wait,
        media_url=app.media_url,
    )
    kyma = KymaServicer(
        accounts=app.accounts,
        store=app.store,
        catalogue=app.catalogue,
        create=app.create,
        price_plan=app.kyma_prices,
        media_url=app.media_url,
    )
    concurred = ConcurredServicer(
        accounts=app.accounts,
        store=app.store,
        catalogue=app.catalogue,
        create=app.create,
        watch=app.watch,
        media_url=app.media_url,
    )
    video = VideoServicer(
        accounts=app.accounts,
        store=app.store,
        create=app.create,
        watch=app.watch,
        recorder=app.recorder,
        media_url=app.media_url,
    )
    models = ModelServicer(accounts=app.accounts, catalogue=app.catalogue, providers=app.providers)
    shared = SharedServicer(accounts=app.accounts, geekhub=geekhub, kyma=kyma)
    video_service_pb2_grpc.add_VideoServiceServicer_to_server(video, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
    media_service_pb2_grpc.add_MediaServiceServicer_to_server(MediaServicer(media=app.media), server)
    account_service_pb2_grpc.add_AccountServiceServicer_to_server(AccountServicer(accounts=app.accounts), server)
    shared_service_pb2_grpc.add_SharedServiceServicer_to_server(shared, server)
    geekhub_service_pb2_grpc.add_GeekHubServiceServicer_to_server(geekhub, server)
    kyma_service_pb2_grpc.add_KymaServiceServicer_to_server(kyma, server)
    concurred_service_pb2_grpc.add_ConcurredServiceServicer_to_server(concurred, server)
    hooks_service_pb2_grpc.add_HooksServiceServicer_to_server(HooksServicer(receive=app.receive_webhook), server)
