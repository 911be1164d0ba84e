"""Videos by fal's queue.

What the headers of a submit decide
===================================

- `X-Fal-Request-Timeout` bounds the wait for a start, not the render. A request that has not started after
  `START_LIMIT_S` has no customer left who waits for it, and must not cost anything later.
- `x-app-fal-disable-fallback`: fal would send what fails to another endpoint that it holds to be equivalent. The
  customer is promised the model of the catalogue, and the operator its price.
- `X-Fal-Object-Lifecycle-Preference`: the file stays long enough for the copy to be tried again, and not for ever at an
  address that is open to everybody.
- `X-Fal-No-Retry` is not sent. fal repeats what its own machines broke, under the same request id, and charges for
  nothing that ended with a 5xx: that can only save a video.
- `X-Fal-Store-IO: 0` is not sent. Without stored payloads a result is gone an hour after its end, after six minutes if
  it is large; with them a server that was away that long still finds it.

fal's own client sends a submit again after a lost answer, up to ten times. Nothing is ever sent again here.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final, Self

import httpx

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.api_keys import ApiKeys
from reelgate_server.adapters.providers.fal.addresses import (
    ROLES,
    app_of,
    built_addresses,
    is_own,
    is_request_id,
    submit_address,
)
from reelgate_server.adapters.providers.fal.answers import (
    carries_no_right,
    failure_in_result,
    failure_in_status,
    is_unfinished,
    refusal,
    request_id_of,
    status_of,
    video_url,
)
from reelgate_server.adapters.providers.fal.request import to_request
from reelgate_server.adapters.providers.fal.shapes import PLATFORM_KINDS, QueueState
from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import RenderOrder, TaskAccepted, TaskDone, TaskRunning, TaskState

QUEUE_URL: Final = "https://queue.fal.run"
START_LIMIT_S = 1800
"""The longest deadline of the catalogue's rows for fal. A row of an operator's own that waits longer gains nothing."""
FILE_LIFETIME_S = 7 * 24 * 3600
"""A week: what a weekend's outage of our own storage may take, and some."""
SUBMIT_HEADERS: Final[Mapping[str, str]] = {
    "X-Fal-Request-Timeout": str(START_LIMIT_S),
    "X-Fal-Object-Lifecycle-Preference": json.dumps({"expiration_duration_seconds": FILE_LIFETIME_S}),
    "x-app-fal-disable-fallback": "true",
}
CHECK_APP = "fal-ai/veo3.1"
CHECK_REQUEST_ID = "00000000-0000-0000-0000-000000000000"
"""The nil UUID (RFC 9562, 5.9), which fal gives to no request."""


class FalProvider:
    """One account of fal, or several; the first key makes new tasks."""

    def __init__(
        self,
        *,
        keys: Mapping[str, str],
        queue_url: str = QUEUE_URL,
        webhook_base_url: str | None = None,
        http: ProviderHttp | None = None,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            keys: API keys by the name under which tasks remember them; at least one.
            queue_url: Without a slash at its end.
            webhook_base_url: Where the internet reaches our webhooks, `https://`; without it fal is not asked for any.
            http: For tests with limits of their own. It must strike the keys out of what it keeps.

        Raises:
            ValueError: There is no key, or one that cannot stand in a header. The text names the key and not its value.
        """
        self._keys = ApiKeys("fal", keys)
        self._queue_url = queue_url.rstrip("/")
        self._webhook_base_url = webhook_base_url.rstrip("/") if webhook_base_url else None
        self._http = http or ProviderHttp(secrets=self._keys.secrets)

    async def __aenter__(self) -> Self:
        """Nothing to do: connections are made as they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._http.close()

    @property
    def name(self) -> ProviderName:
        """`fal`."""
        return ProviderName("fal")

    @property
    def is_idempotent(self) -> bool:
        """Never: there is no idempotency key."""
        return False

    @property
    def announces_tasks(self) -> bool:
        """Each submit asks for a webhook that names its job, if we can be reached."""
        return self._webhook_base_url is not None

    @property
    def takes_image_bytes(self) -> bool:
        """False: it fetches addresses by itself."""
        return False

    @property
    def credentials(self) -> Sequence[str]:
        """The names of the keys."""
        return self._keys.names

    async def check(self, credential: str | None) -> None:
        """Ask for a request that cannot exist. A locked account passes: fal lets it look, and refuses its submits."""
        address = built_addresses(self._queue_url, CHECK_APP, CHECK_REQUEST_ID)["status"]
        try:
            status_of(await self._ask("GET", address, credential))
        except ProviderFault as error:
            if error.fault.kind is not FaultKind.TASK_UNKNOWN:
                raise

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        """Put an order into the queue, once."""
        app = app_of(order.endpoint)
        if app is None:
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=f"not an endpoint of fal: {order.endpoint!r}"))
        credential = self._keys.first
        answer = await self._http.call(
            "POST",
            submit_address(self._queue_url, order.endpoint),
            is_submit=True,
            headers={**SUBMIT_HEADERS, **self._authorization(credential)},
            params=self._webhook_of(order),
            json=to_request(order),
        )
        if not answer.is_success:
            raise refusal(answer)
        return TaskAccepted(task=self._task_of(answer, app, credential))

    async def poll(self, task: Task) -> TaskState:
        """Ask for the status and, once it says that the request has ended, for the result."""
        answer = await self._ask("GET", self._address(task, "status"), task.credential)
        status = status_of(answer)
        if status.state is not QueueState.COMPLETED:
            return TaskRunning()
        if status.error_type in PLATFORM_KINDS:
            return failure_in_status(answer, status)
        response_url = self._address(task, "response")
        answer = await self._ask("GET", response_url, task.credential)
        if is_unfinished(answer):
            return TaskRunning()
        if not answer.is_success:
            return failure_in_result(answer, status)
        url = video_url(answer)
        return TaskDone(source_url=url if carries_no_right(url) else response_url)

    async def cancel(self, task: Task) -> bool:
        """Tell fal; a request that waits is withdrawn, one that runs is asked to stop."""
        answer = await self._ask("PUT", self._address(task, "cancel"), task.credential)
        # 400 and 404 say that it has ended or is unknown, which is not documented with certainty.
        if answer.is_success or answer.status in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND}:
            if answer.body:
                answer.object()
            return True
        raise refusal(answer)

    async def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        """Stream a file of fal's CDN, which is public: no key goes there."""
        url = source_url
        if source_url == task.urls.get("response"):
            # The file's address must not be kept, so the result is asked for it again.
            answer = await self._ask("GET", source_url, task.credential)
            if not answer.is_success:
                raise refusal(answer)
            url = video_url(answer)
        if self._queue_url.startswith("https:") and not url.startswith("https:"):
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail="the file has an address without encryption"))
        async with aclosing(self._http.download(url)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def find(self, endpoint: str, request_id: str) -> Task:
        """Find a request whose submit was never answered, by asking for it with every key.

        Raises:
            ProviderFault: `TASK_UNKNOWN` if it is none of ours under this endpoint; otherwise a question failed.
        """
        unknown = ProviderFault(Fault(kind=FaultKind.TASK_UNKNOWN, detail="no key of ours made this request"))
        app = app_of(endpoint)
        if app is None or not is_request_id(request_id):
            raise unknown
        urls = built_addresses(self._queue_url, app, request_id)
        failed: ProviderFault | None = None
        for credential in self._keys.names:
            try:
                status_of(await self._ask("GET", urls["status"], credential))
            except ProviderFault as error:
                if error.fault.kind is not FaultKind.TASK_UNKNOWN:
                    failed = failed or error
            else:
                return Task(task_id=request_id, urls=urls, credential=credential)
        raise failed or unknown

    def _task_of(self, answer: Answer, app: str, credential: str | None) -> Task:
        request_id, given = request_id_of(answer), answer.object()
        urls = built_addresses(self._queue_url, app, request_id)
        for role in ROLES:
            # The documented answer to a submit with a webhook has no addresses. One on another host is not used
            # either, because our key would go there; the request is there all the same, and must not be lost.
            if is_own(given.get(f"{role}_url"), self._queue_url):
                urls[role] = given[f"{role}_url"]
        return Task(task_id=request_id, urls=urls, credential=credential)

    async def _ask(self, method: str, address: str, credential: str | None) -> Answer:
        return await self._http.call(method, address, headers=self._authorization(credential))

    def _authorization(self, credential: str | None) -> dict[str, str]:
        return {"Authorization": f"Key {self._keys.find(credential)}"}

    def _address(self, task: Task, role: str) -> str:
        address = task.urls.get(role)
        if address is None:
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=f"the task has no {role} address"))
        return address

    def _webhook_of(self, order: RenderOrder) -> dict[str, str]:
        if self._webhook_base_url is None:
            return {}
        return {"fal_webhook": f"{self._webhook_base_url}/hooks/fal/{order.job_id}"}
