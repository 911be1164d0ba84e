"""The outermost interceptor: what leaves a handler, leaves it as a status.

Facts it rests on, tried with grpcio 1.85: an exception that escapes a handler reaches the client with its type and
text; a `CancelledError` that is not the RPC's own cancellation sends nothing at all; `abort` raises an `Exception`;
a message that cannot be decoded fails before any handler runs.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from reelgate.v1.error_reason_pb2 import ErrorReason
from reelgate_server.api.http_error import ErrorShape
from reelgate_server.api.metadata import Context, request_id
from reelgate_server.api.status import error_info, make_status, to_status
from reelgate_server.domain.errors import (
    DomainError,
    FieldViolation,
    IllegalTransition,
    InvalidRequest,
    ServerBusy,
    ServerStopping,
)
from reelgate_server.ports.entropy import Entropy

log = structlog.get_logger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
"""A method, whatever its messages; None where there is none."""


class _Undecodable:
    """Stands for a message that could not be decoded."""


class Boundary(grpc.aio.ServerInterceptor):
    """Wraps every handler of every service."""

    def __init__(self, shapes: Mapping[str, ErrorShape], entropy: Entropy, *, call_count_max: int) -> None:
        """Take how each service says errors to REST callers.

        Args:
            shapes: By full service name, such as `reelgate.kyma.v1.KymaService`; others get gRPC's status alone.
            entropy: Makes error ids.
            call_count_max: Calls open at once, watches included; more are refused. Health checks are not counted:
                gRPC's own limit would refuse them too, and the proxy would take a busy server for a dead one.
        """
        self._shapes = shapes
        self._entropy = entropy
        self._call_count_max = call_count_max
        self._call_count = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = handler_call_details.method
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(method, handler.unary_unary),
                request_deserializer=_guarded(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, handler.unary_stream),
                request_deserializer=_guarded(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        # Reflection is the only service that takes streams; it is not ours and says nothing of us.
        return handler

    def _unary(self, method: str, behaviour: Any) -> Callable[[Any, Context], Awaitable[Any]]:
        async def guarded(request: Any, context: Context) -> Any:
            started, code = time.monotonic(), grpc.StatusCode.CANCELLED.name
            try:
                with self._counted(method):
                    _require_decoded(request)
                    response = await behaviour(request, context)
                code = grpc.StatusCode.OK.name
                return response
            except BaseException as error:
                status = self._status_of(method, context, error)
                if status is None:
                    raise
                code = status.code.name
                await context.abort_with_status(status)
            finally:
                _log_call(method, code, started, context)

        return guarded

    def _stream(self, method: str, behaviour: Any) -> Callable[[Any, Context], AsyncIterator[Any]]:
        async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
            started, code = time.monotonic(), grpc.StatusCode.CANCELLED.name
            try:
                with self._counted(method):
                    _require_decoded(request)
                    messages = behaviour(request, context)
                    if isinstance(messages, AsyncGenerator):
                        async with aclosing(messages):
                            async for message in messages:
                                yield message
                    else:
                        # A coroutine that writes to the context by itself, as the health service's Watch does.
                        await messages
                code = grpc.StatusCode.OK.name
            except BaseException as error:
                status = self._status_of(method, context, error)
                if status is None:
                    raise
                code = status.code.name
                await context.abort_with_status(status)
            finally:
                _log_call(method, code, started, context)

        return guarded

    @contextmanager
    def _counted(self, method: str) -> Iterator[None]:
        """Count a call as open.

        Raises:
            ServerBusy: There are too many.
        """
        if _is_health(method):
            yield
            return
        if self._call_count >= self._call_count_max:
            raise ServerBusy
        self._call_count += 1
        try:
            yield
        finally:
            self._call_count -= 1

    def _status_of(self, method: str, context: Context, error: BaseException) -> "_Status | None":
        """Choose the status that ends a call, saying neither too little nor too much; None lets the error pass."""
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                return None
            # Something of ours was cancelled, not the call; silence would leave the client waiting.
            error = ServerStopping()
        if not isinstance(error, Exception) or isinstance(error, grpc.aio.AbortError):
            return None
        shape = self._shapes.get(method.strip("/").partition("/")[0])
        if isinstance(error, DomainError) and not isinstance(error, IllegalTransition):
            if error.__cause__ is not None:
                # What the adapter met, such as a full disk, is for the operator alone.
                log.warning("refused", method=method, error=type(error).__name__, cause=repr(error.__cause__))
            status, told = to_status(error), error
        else:
            status, told = self._bug(method, error), None
        shaped = shape(told, request_id(context)) if shape is not None else None
        return _Status(status, shaped.metadata() if shaped is not None else ())

    def _bug(self, method: str, error: Exception) -> status_pb2.Status:
        error_id = self._entropy.token_bytes(8).hex()
        log.error("unexpected error", method=method, error_id=error_id, exc_info=error)
        info = error_info(ErrorReason.ERROR_REASON_INTERNAL, {"error_id": error_id})
        return make_status(grpc.StatusCode.INTERNAL, f"Internal error {error_id}.", [info])


class _Status(grpc.Status):
    """A rich status with further trailing metadata."""

    def __init__(self, status: status_pb2.Status, extra: tuple[tuple[str, str], ...]) -> None:
        rich = rpc_status.to_status(status)
        self.code = rich.code
        self.details = rich.details
        self.trailing_metadata = (*rich.trailing_metadata, *extra)


def _guarded(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if deserializer is None:
        return None

    def decode(data: bytes) -> Any:
        try:
            return deserializer(data)
        except Exception:  # noqa: BLE001 (whatever the decoder raises, the client sent it)
            return _Undecodable()

    return decode


def _is_health(method: str) -> bool:
    return method.startswith("/grpc.health.")


def _require_decoded(request: object) -> None:
    if isinstance(request, _Undecodable):
        raise InvalidRequest([FieldViolation("body", "is not a valid protobuf message of this method")])


def _log_call(method: str, code: str, started: float, context: Context) -> None:
    latency_ms = round((time.monotonic() - started) * 1000, 1)
    # Envoy asks for our health every second.
    level = "debug" if _is_health(method) else "info"
    getattr(log, level)("call", method=method, code=code, latency_ms=latency_ms, request_id=request_id(context))
