"""`reelgate.hooks.v1.HooksService`: providers' own word that a task has ended."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reelgate.hooks.v1 import hooks_service_pb2 as pb
from reelgate.hooks.v1 import hooks_service_pb2_grpc
from reelgate_server.api.http_error import INTERNAL_SERVER_ERROR, ErrorTable, HttpError
from reelgate_server.api.metadata import Context
from reelgate_server.api.status import STATUS
from reelgate_server.app.receive_webhook import ReceiveWebhook
from reelgate_server.domain.errors import (
    DomainError,
    InvalidRequest,
    JobNotFound,
    ProviderUnavailable,
    ServerBusy,
    ServerStopping,
    StoreContended,
    StoreUnavailable,
    WebhookRejected,
)
from reelgate_server.ports.webhooks import Webhook

ERRORS: Final = ErrorTable(
    {
        InvalidRequest: (400, "invalid_request"),
        WebhookRejected: (401, "webhook_rejected"),
        JobNotFound: (404, "not_found"),
        ProviderUnavailable: (503, "unavailable"),
        StoreUnavailable: (503, "unavailable"),
        StoreContended: (503, "unavailable"),
        ServerBusy: (503, "unavailable"),
        ServerStopping: (503, "unavailable"),
    },
    otherwise="internal_error",
)
"""HTTP status and code of each error. A provider sends again after a 503; so it does after others, in vain."""


def hooks_error(error: DomainError | None, request_id: str) -> HttpError:  # noqa: ARG001 (providers know none of ours)
    """Say an error in as few words as a provider needs."""
    status, code = ERRORS.find(error)
    message = "Internal error." if status == INTERNAL_SERVER_ERROR else str(error)
    delay = STATUS[type(error)].retry_delay if error is not None else None
    headers = {"retry-after": str(math.ceil(delay.total_seconds()))} if delay else {}
    return HttpError(status, {"error": {"code": code, "message": message}}, headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksServicer(hooks_service_pb2_grpc.HooksServiceServicer):
    """Webhooks of all providers."""

    receive: ReceiveWebhook

    async def ReceiveWebhook(self, request: pb.ReceiveWebhookRequest, context: Context) -> pb.ReceiveWebhookResponse:
        """Take a webhook."""
        webhook = Webhook(headers=_headers(context), body=request.body.data)
        await self.receive(request.provider, request.job_id, webhook)
        return pb.ReceiveWebhookResponse()


def _headers(context: Context) -> Mapping[str, str]:
    """The headers as they came. One that came several times is one list, as RFC 9110, section 5.3, has it."""
    headers: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers
