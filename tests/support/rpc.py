"""A real gRPC server over a `World`, and what its clients see."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import grpc
import grpc.aio
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc

from reelgate.concurred.v1 import concurred_service_pb2_grpc
from reelgate.geekhub.v1 import geekhub_service_pb2_grpc
from reelgate.hooks.v1 import hooks_service_pb2_grpc
from reelgate.kyma.v1 import kyma_service_pb2_grpc
from reelgate.shared.v1 import shared_service_pb2_grpc
from reelgate.v1 import (
    account_service_pb2_grpc,
    media_service_pb2_grpc,
    model_service_pb2_grpc,
    video_service_pb2_grpc,
)
from reelgate_server.api.server import Server
from tests.support.world import Customer, World

M = TypeVar("M", bound=Message)
Metadata: TypeAlias = tuple[tuple[str, str], ...]

NO_GRACE = timedelta()
CALL_LIMIT_S = 10.0
"""Longer than any call of these tests takes; what hangs fails."""


class Api:
    """A channel to one server, with a stub for each service."""

    def __init__(self, channel: grpc.aio.Channel, server: Server, port: int) -> None:
        """Take an open channel."""
        self.channel = channel
        self.server = server
        self.port = port
        # The generated stubs are typed for the synchronous channel, too.
        stub: Any = channel
        self.video: Any = video_service_pb2_grpc.VideoServiceStub(stub)
        self.models: Any = model_service_pb2_grpc.ModelServiceStub(stub)
        self.media: Any = media_service_pb2_grpc.MediaServiceStub(stub)
        self.accounts: Any = account_service_pb2_grpc.AccountServiceStub(stub)
        self.shared: Any = shared_service_pb2_grpc.SharedServiceStub(stub)
        self.geekhub: Any = geekhub_service_pb2_grpc.GeekHubServiceStub(stub)
        self.kyma: Any = kyma_service_pb2_grpc.KymaServiceStub(stub)
        self.concurred: Any = concurred_service_pb2_grpc.ConcurredServiceStub(stub)
        self.hooks: Any = hooks_service_pb2_grpc.HooksServiceStub(stub)
        self.health: Any = health_pb2_grpc.HealthStub(stub)
        self.reflection: Any = reflection_pb2_grpc.ServerReflectionStub(stub)


@asynccontextmanager
async def serving(world: World, *, concurrent_call_count_max: int = 1000) -> AsyncIterator[Api]:
    """Serve a world on a free port of this machine."""
    server = world.server(concurrent_call_count_max=concurrent_call_count_max)
    port = await server.start("127.0.0.1", 0)
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            yield Api(channel, server, port)
    finally:
        await server.stop(NO_GRACE)


def key(customer: Customer, *more: tuple[str, str]) -> Metadata:
    """The metadata of a customer's call."""
    return (("authorization", f"Bearer {customer.secret}"), *more)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """How a call ended that did not succeed."""

    code: str
    """Name of the gRPC code."""
    message: str
    reason: str
    """Of the `ErrorInfo`; empty without one."""
    info: Mapping[str, str]
    """Metadata of the `ErrorInfo`."""
    fields: tuple[str, ...]
    """The fields that a `BadRequest` names."""
    resource: str
    """What a `ResourceInfo` names; empty without one."""
    retry_s: float | None
    """The delay of a `RetryInfo`."""
    trailers: Mapping[str, str]
    """Text metadata that came with the status."""

    @property
    def http_status(self) -> str | None:
        """What a REST caller gets."""
        return self.trailers.get("x-http-status")

    @property
    def body(self) -> Any:
        """What a REST caller reads."""
        return json.loads(self.trailers["x-error-body"])


async def refusal(call: Awaitable[object]) -> Refusal:
    """Await a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async with asyncio.timeout(CALL_LIMIT_S):
            await call
    return read_refusal(raised.value)


def read_refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """Unpack what came with a status."""
    trailers = {name: value for name, value in error.trailing_metadata() or () if isinstance(value, str)}
    status = status_pb2.Status()
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            status.ParseFromString(value)
    info = _detail(status, error_details_pb2.ErrorInfo())
    if info.reason:
        assert info.domain == "reelgate"
        assert (status.code, status.message) == (error.code().value[0], error.details())
    bad = _detail(status, error_details_pb2.BadRequest())
    retry = _detail(status, error_details_pb2.RetryInfo())
    return Refusal(
        code=error.code().name,
        message=error.details() or "",
        reason=info.reason,
        info=dict(info.metadata),
        fields=tuple(each.field for each in bad.field_violations),
        resource=_detail(status, error_details_pb2.ResourceInfo()).resource_name,
        retry_s=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        trailers=trailers,
    )


def _detail(status: status_pb2.Status, empty: M) -> M:
    for packed in status.details:
        if packed.Is(empty.DESCRIPTOR):
            packed.Unpack(empty)
    return empty


def from_json(message: M, plain: Any) -> M:
    """Read a JSON body into a request as Envoy does."""
    return json_format.ParseDict(plain, message, ignore_unknown_fields=True)


def to_json(message: Message) -> Any:
    """Write a response as JSON as Envoy does."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


async def initial_metadata(call: Any) -> dict[str, str]:
    """What came before the answer; gRPC's own entries left out."""
    return {name: value for name, value in await call.initial_metadata() if not name.startswith("grpc-")}
