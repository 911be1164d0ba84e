"""The `Provider` that renders with MiniMax (Hailuo). `request.py` and `answers.py` say what is asked and understood."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Self

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.api_keys import ApiKeys
from reelgate_server.adapters.providers.http import CHUNK_BYTES, ProviderHttp
from reelgate_server.adapters.providers.minimax.answers import (
    file_id_of,
    from_check,
    from_query,
    from_retrieve,
    from_submit,
)
from reelgate_server.adapters.providers.minimax.request import to_request
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import RenderOrder, TaskAccepted, TaskState

NAME: Final = ProviderName("minimax")
BASE_URL: Final = "https://api.minimax.io"
"""The global host. China's is `https://api.minimaxi.com`; a key of one is unknown to the other."""
SUBMIT_PATH: Final = "/v1/video_generation"
QUERY_PATH: Final = "/v1/query/video_generation"
BASE: Final = "base"
"""The role, among a task's addresses, of the host that made it."""
IMPOSSIBLE_TASK_ID: Final = "0"
"""Asking for it costs nothing, and is refused for another reason than the key if the key is good."""


class MinimaxProvider:
    """Renders with MiniMax's API v1. It knows no idempotency and no cancel."""

    def __init__(self, *, keys: Mapping[str, str], base_url: str = BASE_URL, http: ProviderHttp | None = None) -> None:
        """Remember the settings; nothing is connected.

        Args:
            keys: API keys by name, at least one; the first makes new tasks, the others serve the tasks they made.
            base_url: Scheme and host that new tasks are made at.
            http: Knows the keys as its secrets, and is closed with the provider; one with the usual limits if absent.

        Raises:
            ValueError: There is no key, or one that cannot be sent. Names the key, and does not quote it.
        """
        self._keys = ApiKeys(NAME, keys)
        self._base_url = base_url.rstrip("/")
        self._http = http or ProviderHttp(secrets=self._keys.secrets)

    @property
    def name(self) -> ProviderName:
        """`minimax`."""
        return NAME

    @property
    def is_idempotent(self) -> bool:
        """False: the same submit makes another task."""
        return False

    @property
    def announces_tasks(self) -> bool:
        """False: its callbacks are not signed, so none is registered."""
        return False

    @property
    def takes_image_bytes(self) -> bool:
        """False: it fetches addresses by itself."""
        return False

    @property
    def credentials(self) -> Sequence[str]:
        """The names of the keys; the first makes new tasks."""
        return self._keys.names

    async def __aenter__(self) -> Self:
        """Nothing to do: connections are made as they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._http.close()

    async def check(self, credential: str | None) -> None:
        """Ask for a task that cannot exist, to learn whether a key is accepted; see the port.

        Raises:
            ProviderFault: `UNAUTHORIZED` if it is not; otherwise what kept us from knowing.
        """
        from_check(await self._query(IMPOSSIBLE_TASK_ID, self._base_url, credential))

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        """Make a task with the first key; see the port.

        Raises:
            ProviderFault: Maybe accepted unless MiniMax's code states a check that comes before any work.
        """
        credential = self._keys.first
        answer = await self._http.call(
            "POST",
            f"{self._base_url}{SUBMIT_PATH}",
            is_submit=True,
            headers=self._headers(credential),
            json=to_request(order),
        )
        task = Task(task_id=from_submit(answer), urls={BASE: self._base_url}, credential=credential)
        return TaskAccepted(task=task)

    async def poll(self, task: Task) -> TaskState:
        """Ask how a task stands, at the host and with the key that made it; see the port.

        Raises:
            ProviderFault: `TASK_UNKNOWN`, or the question failed.
        """
        base_url = self._base_url_of(task)
        answer = await self._query(task.task_id, base_url, task.credential)
        return from_query(answer, task_id=task.task_id, base_url=base_url)

    async def cancel(self, task: Task) -> bool:  # noqa: ARG002 (the port's signature)
        """Do nothing: the API has no cancel, and a result that comes late is discarded.

        Returns:
            False.
        """
        return False

    async def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        """Ask for a fresh download address and stream what is there, without our key; see the port.

        Raises:
            ProviderFault: `INVALID` for an address that is not of this task's host; `UNAVAILABLE` if the download
                address was refused, as one is that has expired: opening again asks for another.
        """
        base_url = self._base_url_of(task)
        file_id = file_id_of(source_url, base_url)
        if file_id is None:
            # Our key goes with the question, so it is not put to a host that did not make the task.
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=f"no file of {base_url}: {source_url[:200]}"))
        answer = await self._http.call("GET", source_url, headers=self._headers(task.credential))
        link = from_retrieve(answer, file_id=file_id, is_plain_allowed=base_url.startswith("http://"))
        async with self._http.streaming("GET", link) as response:
            try:
                self._http.require_video(response)
            except ProviderFault as error:
                raise ProviderFault(_of_link(error.fault)) from error
            async for chunk in response.aiter_bytes(CHUNK_BYTES):
                yield chunk

    async def _query(self, task_id: str, base_url: str, credential: str | None) -> Answer:
        return await self._http.call(
            "GET", f"{base_url}{QUERY_PATH}", headers=self._headers(credential), params={"task_id": task_id}
        )

    def _base_url_of(self, task: Task) -> str:
        return task.urls.get(BASE, self._base_url)

    def _headers(self, credential: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys.find(credential)}"}


def _of_link(fault: Fault) -> Fault:
    """The fault of a download. A refusal is about the link, which expires, and not about our key, which is not sent."""
    is_refusal = fault.kind in {FaultKind.UNAUTHORIZED, FaultKind.INVALID}
    return replace(fault, kind=FaultKind.UNAVAILABLE) if is_refusal else fault
