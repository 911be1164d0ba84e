"""The `Provider` over a server that speaks the OpenAI Videos shape: SGLang, vLLM-Omni, LiteLLM, or a plain one.

`request.py` says what is asked, `answers.py` what is understood.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Self

from reelgate_server.adapters.providers.api_keys import ApiKeys
from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.adapters.providers.openai.addresses import checked_base_url, content_url, video_url
from reelgate_server.adapters.providers.openai.answers import from_check, from_create, from_delete, from_get, poll_after
from reelgate_server.adapters.providers.openai.content import stream
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.request import to_request
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import ImageUrl, RenderOrder, TaskAccepted, TaskRunning, TaskState

BASE: Final = "base"
"""The role, among a task's addresses, of the server that made it."""
_NO_KEYS: Final[Mapping[str, str]] = {}


class OpenAiProvider:
    """Renders with one server. It knows no idempotency; only vLLM-Omni knows a cancel."""

    def __init__(
        self,
        *,
        name: ProviderName,
        base_url: str,
        dialect: Dialect,
        keys: Mapping[str, str] = _NO_KEYS,
        passes_image_urls: bool = False,
        http: ProviderHttp | None = None,
    ) -> None:
        """Remember the settings; nothing is connected.

        Args:
            name: That catalogue rows refer to.
            base_url: As the OpenAI client takes it, `/v1` included; a slash at its end does no harm.
            dialect: Whose reading of the shape the server has.
            keys: API keys by name; the first makes new tasks, the others serve the tasks they made. None for a server
                that asks for none.
            passes_image_urls: The server is given a customer's address in place of the image. The servers follow such
                addresses and their redirects wherever they lead, so this is only for one that cannot reach into a
                network of its operator's.
            http: Knows the keys as its secrets, and is closed with the provider; one with the usual limits if absent.

        Raises:
            ValueError: The address is none that tasks can remember, or a key cannot be sent. Quotes neither.
        """
        self._name = name
        self._base_url = checked_base_url(base_url)
        self._dialect = dialect
        self._keys = ApiKeys(name, keys, is_optional=True)
        self._passes_image_urls = passes_image_urls
        self._http = http or ProviderHttp(secrets=self._keys.secrets)

    @property
    def name(self) -> ProviderName:
        """As it was given."""
        return self._name

    @property
    def is_idempotent(self) -> bool:
        """False: the same submit makes another task."""
        return False

    @property
    def announces_tasks(self) -> bool:
        """False: OpenAI's webhooks belonged to its own console, and the other servers have none."""
        return False

    @property
    def takes_image_bytes(self) -> bool:
        """True, unless the server is trusted with addresses."""
        return not self._passes_image_urls

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
        """Ask for a list, to learn whether the server is there and accepts a key; see the port.

        Raises:
            ProviderFault: `UNAUTHORIZED` if it does not; otherwise what kept us from knowing.
        """
        url = f"{self._base_url}{self._dialect.check_path}"
        from_check(await self._http.call("GET", url, headers=self._headers(credential)))

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        """Make a task with the first key, if there is one; see the port.

        Raises:
            ProviderFault: `INVALID`, without asking, for an address that is not to be passed on. Maybe accepted unless
                the server refused the task or was not reached.
        """
        if isinstance(order.image, ImageUrl) and not self._passes_image_urls:
            detail = "not sent: the first frame came as an address"
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=detail))
        credential = self._keys.first
        headers, request = self._headers(credential), to_request(order, self._dialect)
        url = f"{self._base_url}/videos"
        answer = await self._http.call("POST", url, is_submit=True, headers=headers, **request)
        if isinstance(order.image, ImageUrl):
            # The address may carry a right to what is there.
            answer = replace(answer, secrets=(*answer.secrets, order.image.url))
        task_id = from_create(answer, self._dialect)
        task = Task(task_id=task_id, urls={BASE: self._base_url}, credential=credential)
        return TaskAccepted(task=task, poll_after=poll_after(answer))

    async def poll(self, task: Task) -> TaskState:
        """Ask for the video; see the port.

        Raises:
            ProviderFault: `TASK_UNKNOWN` if the server keeps no such video; otherwise the question failed.
        """
        answer = await self._http.call("GET", self._video_url(task), headers=self._headers(task.credential))
        return from_get(answer, self._dialect, content=self._content_url(task))

    async def cancel(self, task: Task) -> bool:
        """Delete a running video where that stops it; see the port.

        One that has ended is left alone, because deleting it would take its file as well.

        Returns:
            False where deleting would only forget the render.
        """
        if not self._dialect.can_cancel:
            return False
        try:
            state = await self.poll(task)
        except ProviderFault as error:
            if error.fault.kind is not FaultKind.TASK_UNKNOWN:
                raise
            return True
        if isinstance(state, TaskRunning):
            headers = self._headers(task.credential)
            from_delete(await self._http.call("DELETE", self._video_url(task), headers=headers))
        return True

    async def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        """Stream the file, from where the server sends us if it does; see the port.

        Our key goes to the server that made the task, and never along when that sends us elsewhere.

        Raises:
            ProviderFault: There is no file. LiteLLM in front of Gemini calls a video completed that was filtered, and
                answers so to every attempt.
        """
        headers = self._headers(task.credential) if source_url == self._content_url(task) else {}
        chunks = stream(self._http, source_url, self._dialect, headers=headers, secrets=self._keys.secrets)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _video_url(self, task: Task) -> str:
        return video_url(task.urls.get(BASE, self._base_url), task.task_id)

    def _content_url(self, task: Task) -> str:
        return content_url(task.urls.get(BASE, self._base_url), task.task_id)

    def _headers(self, credential: str | None) -> dict[str, str]:
        return {} if credential is None else {"Authorization": f"Bearer {self._keys.find(credential)}"}
