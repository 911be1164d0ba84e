"""The paths that GeekHub and Kyma share: the caller's plan decides which of the two answers."""

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from google.api import httpbody_pb2
from google.protobuf import json_format
from google.protobuf.message import Message

from reelgate.geekhub.v1 import geekhub_service_pb2
from reelgate.kyma.v1 import kyma_service_pb2
from reelgate.shared.v1 import shared_service_pb2_grpc
from reelgate_server.api.auth import authenticate
from reelgate_server.api.dialects.geekhub import GeekHubServicer, geekhub_error
from reelgate_server.api.dialects.kyma import KymaServicer, kyma_error
from reelgate_server.api.http_error import ErrorShape, HttpError
from reelgate_server.api.metadata import Context
from reelgate_server.app.accounts import Accounts
from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.errors import DomainError, FieldViolation, InvalidRequest

M = TypeVar("M", bound=Message)

JSON_BYTES_MAX = 256 * 1024
"""More is not read, because reading JSON holds up every other call: 4 MiB took 3 s. The largest valid body, with every
character escaped, stays below a third of it."""

_shape: ContextVar[ErrorShape] = ContextVar("_shape", default=geekhub_error)
"""Who answers the present call. Each call runs in a task, hence in a context, of its own."""


def shared_error(error: DomainError | None, request_id: str) -> HttpError | None:
    """Say an error as the dialect does that answers this call: GeekHub, until a Kyma plan is known."""
    return _shape.get()(error, request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedServicer(shared_service_pb2_grpc.SharedServiceServicer):
    """Looks at the key, then hands the raw body to the dialect that the plan names."""

    accounts: Accounts
    geekhub: GeekHubServicer
    kyma: KymaServicer

    async def CreateVideo(self, request: httpbody_pb2.HttpBody, context: Context) -> httpbody_pb2.HttpBody:
        """Create a job."""
        if await self._is_kyma(context):
            body = parse_json(request.data, kyma_service_pb2.CreateVideoRequest())
            return _to_body(await self.kyma.CreateVideo(body, context))
        return _to_body(
            await self.geekhub.CreateVideo(parse_json(request.data, geekhub_service_pb2.CreateVideoRequest()), context)
        )

    async def ListModels(self, request: httpbody_pb2.HttpBody, context: Context) -> httpbody_pb2.HttpBody:
        """List models."""
        if await self._is_kyma(context):
            return _to_body(await self.kyma.ListModels(kyma_service_pb2.ListModelsRequest(), context))
        return _to_body(await self.geekhub.ListModels(geekhub_service_pb2.ListModelsRequest(), context))

    async def _is_kyma(self, context: Context) -> bool:
        caller = await authenticate(self.accounts, context)
        is_kyma = caller.plan.surface is Surface.KYMA
        _shape.set(kyma_error if is_kyma else geekhub_error)
        return is_kyma


def parse_json(data: bytes, message: M) -> M:
    """Read a JSON object into a message as Envoy does: unknown fields are ignored, no body is an empty object.

    Raises:
        InvalidRequest: It is not a JSON object in UTF-8.
    """
    if len(data) > JSON_BYTES_MAX:
        raise InvalidRequest([FieldViolation("body", "is larger than any valid request")])
    try:
        plain = json.loads(data.decode() or "{}", parse_constant=_refuse_constant)
        if not isinstance(plain, dict):
            raise TypeError
        return json_format.ParseDict(plain, message, ignore_unknown_fields=True)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, json_format.Error):
        raise InvalidRequest([FieldViolation("body", "must be a JSON object")]) from None


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _to_body(message: Message) -> httpbody_pb2.HttpBody:
    plain = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    text = json.dumps(_whole(plain), ensure_ascii=False)
    return httpbody_pb2.HttpBody(content_type="application/json", data=text.encode())


def _whole(plain: Any) -> Any:
    """Write whole numbers without a fraction, as Envoy does: many clients read `5.0` as no integer."""
    match plain:
        case dict():
            return {name: _whole(value) for name, value in plain.items()}
        case list():
            return [_whole(value) for value in plain]
        case float() if plain.is_integer():
            return int(plain)
        case _:
            return plain
