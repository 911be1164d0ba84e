"""A gRPC server that answers what a test told it to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

MESSAGE_BYTES_MAX = 32 << 20
"""More than Envoy lets a body have, so that it is Envoy who refuses."""

CALLS_WITHIN_S = 10

Metadata = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one method answers."""

    messages: Sequence[Message] = ()
    """In order. One for a unary method that succeeds."""
    initial: Metadata = ()
    """Initial metadata; sent before the first message, or not at all if there is none and `status` is an error."""
    status: status_pb2.Status | None = None
    """The error after the messages; none for OK."""
    trailing: Metadata = ()
    """Trailing metadata."""
    then_wait_for: asyncio.Event | None = None
    """Keeps a stream open after its messages until this is set."""
    before: asyncio.Event | None = None
    """Keeps a call unanswered until this is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the server was asked."""

    method: str
    """As in `reelgate.v1.VideoService/GetJob`."""
    request: Message
    metadata: dict[str, str]


def load_methods(descriptor: Path) -> dict[str, MethodDescriptor]:
    """Read every method of the contract from a descriptor set, by the name that `Call.method` has."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptor.read_bytes())
    pool = descriptor_pool.Default()
    services = [
        pool.FindServiceByName(f"{file.package}.{service.name}") for file in files.file for service in file.service
    ]
    return {f"{each.full_name}/{method.name}": method for each in services for method in each.methods}


@dataclass(slots=True, kw_only=True)
class ScriptedUpstream(grpc.GenericRpcHandler):
    """Serves every method of the contract, health and reflection on one port that survives a restart."""

    methods: dict[str, MethodDescriptor]
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    """Oldest first; every method."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """By method. A method without one answers UNIMPLEMENTED."""
    health: health.aio.HealthServicer = field(default_factory=health.aio.HealthServicer)
    _called: asyncio.Event = field(default_factory=asyncio.Event)
    _server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Serve, on the port of before if there was one, and be healthy."""
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)]
        )
        server.add_generic_rpc_handlers((self,))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        names = {method.containing_service.full_name for method in self.methods.values()}
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self.set_healthy(healthy=True)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Stop at once."""
        if self._server is not None:
            await self._server.stop(grace=None)
            self._server = None

    async def set_healthy(self, *, healthy: bool) -> None:
        """Say SERVING or NOT_SERVING to health checks."""
        status = health_pb2.HealthCheckResponse
        await self.health.set("", status.SERVING if healthy else status.NOT_SERVING)

    def reset(self) -> None:
        """Forget calls and replies."""
        self.calls.clear()
        self.replies.clear()

    def make(self, method: str, **fields: Any) -> Message:
        """Make a message that a method may answer."""
        return message_factory.GetMessageClass(self.methods[method].output_type)(**fields)

    async def until_calls(self, count: int) -> None:
        """Wait until that many calls have come."""
        async with asyncio.timeout(CALLS_WITHIN_S):
            while len(self.calls) < count:
                self._called.clear()
                await self._called.wait()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Find the method: `grpc.GenericRpcHandler`."""
        name = handler_call_details.method.removeprefix("/")
        method = self.methods.get(name)
        if method is None:
            return None

        async def unary(request: Message, context: grpc.aio.ServicerContext[Message, Message]) -> Message | None:
            async for message in self._answer(name, request, context):
                return message
            return None

        async def stream(
            request: Message, context: grpc.aio.ServicerContext[Message, Message]
        ) -> AsyncIterator[Message]:
            async for message in self._answer(name, request, context):
                yield message

        parse = message_factory.GetMessageClass(method.input_type).FromString
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, parse, _serialize)
        return grpc.unary_unary_rpc_method_handler(unary, parse, _serialize)

    async def _answer(
        self, name: str, request: Message, context: grpc.aio.ServicerContext[Message, Message]
    ) -> AsyncIterator[Message]:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        self.calls.append(Call(method=name, request=request, metadata=metadata))
        self._called.set()
        reply = self.replies.get(name)
        if reply is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not scripted")
        if reply.before is not None:
            await reply.before.wait()
        if reply.initial:
            await context.send_initial_metadata(tuple(reply.initial))
        context.set_trailing_metadata(tuple(reply.trailing))
        for message in reply.messages:
            yield message
        if reply.then_wait_for is not None:
            await reply.then_wait_for.wait()
        if reply.status is not None:
            await _abort(context, reply)


async def _abort(context: grpc.aio.ServicerContext[Message, Message], reply: Reply) -> None:
    status = reply.status
    assert status is not None
    code = next(each for each in grpc.StatusCode if each.value[0] == status.code)
    details = (("grpc-status-details-bin", status.SerializeToString()),) if status.details else ()
    await context.abort(code, status.message, (*reply.trailing, *details))


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
