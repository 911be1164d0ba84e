"""The Vertex provider: Veo, asked over HTTP.

A submit answers with the name of an operation; the operation is asked for by POST to the model. What is stored of a
task is that name and the very address to ask at, so that another project, location or address in the configuration does
not lead away from tasks that run.

A finished video is an object in the operator's bucket, or inside the operation's own answer; then what is stored is the
operation's name, and whoever opens it asks again. A poll does not read a video: it leaves off where its content begins.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import Final, Self

import httpx

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.http import CALL_LIMIT_S, CHUNK_BYTES, ProviderHttp
from reelgate_server.adapters.providers.vertex.addresses import is_folder, model_url, models_url, object_url
from reelgate_server.adapters.providers.vertex.answer_scanner import AnswerScanner, UnreadableAnswer
from reelgate_server.adapters.providers.vertex.answers import REFERENCE, operation_name, state_of
from reelgate_server.adapters.providers.vertex.caller import Caller
from reelgate_server.adapters.providers.vertex.credentials import REFRESH_LIMIT_S, TokenSource
from reelgate_server.adapters.providers.vertex.failures import fault_of_answer, is_error_of_google
from reelgate_server.adapters.providers.vertex.request import to_request
from reelgate_server.adapters.providers.vertex.shapes import PollRequest, SubmitRequest
from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import RenderOrder, TaskAccepted, TaskDone, TaskFailed, TaskState

NAME: Final = ProviderName("vertex")
POLL_URL: Final = "poll"
"""Role of the one address of a task."""
SUBMIT_LIMIT_S: Final = REFRESH_LIMIT_S + CALL_LIMIT_S
"""Seconds for a whole submit: `REFRESH_LIMIT_S` until its last call begins, a refused one before it included, and then
that call."""
PART_BYTES = 64 * 1024
"""The most that is read of an operation's answer at a time."""
REFUSAL_BYTES_MAX = 64 * 1024
"""Of an answer without success, what is read."""
CHECK_MODEL: Final = "veo-3.1-fast-generate-001"
CHECK_OPERATION: Final = "00000000-0000-0000-0000-000000000000"
"""No operation has the nil UUID."""


class VertexProvider:
    """See the module; an async context manager."""

    def __init__(  # noqa: PLR0913 (what an operator may set, all by name)
        self,
        *,
        project: str,
        location: str = "us-central1",
        credentials: Mapping[str, TokenSource],
        storage_uri: str | None = None,
        base_url: str | None = None,
        storage_url: str = "https://storage.googleapis.com",
        token_limit_s: float = REFRESH_LIMIT_S,
        http: ProviderHttp | None = None,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            project: Whose models are used, and who pays.
            location: A region, `us`, `eu` or `global`.
            credentials: By name, the one that makes new tasks first. Closed with the provider.
            storage_uri: `gs://` folder that results are put into, each in a folder of its job; without it they come in
                the operation's answer.
            base_url: Of a proxy or simulator, instead of the location's own address.
            storage_url: Where Cloud Storage is.
            token_limit_s: Seconds from the beginning of a submit within which its last call must begin.
            http: Closed with the provider.

        Raises:
            ValueError: No credentials, or a project, location or folder that cannot be one.
        """
        if not credentials:
            message = "at least one credential is needed"
            raise ValueError(message)
        if storage_uri is not None and not is_folder(storage_uri):
            message = f"{storage_uri!r} is not a gs:// folder"
            raise ValueError(message)
        self._models = models_url(base_url, project, location)
        self._credentials = dict(credentials)
        self._storage_uri = storage_uri
        self._storage_url = storage_url
        self._token_limit_s = token_limit_s
        self._http = http or ProviderHttp()

    async def __aenter__(self) -> Self:
        """Nothing to do."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections and the credentials."""
        for source in self._credentials.values():
            source.close()
        await self._http.close()

    @property
    def name(self) -> ProviderName:
        """`vertex`."""
        return NAME

    @property
    def is_idempotent(self) -> bool:
        """False: every submit makes another operation."""
        return False

    @property
    def announces_tasks(self) -> bool:
        """False: it is asked."""
        return False

    @property
    def takes_image_bytes(self) -> bool:
        """True: Veo fetches nothing from the web."""
        return True

    @property
    def credentials(self) -> tuple[str, ...]:
        """The names; see the port."""
        return tuple(self._credentials)

    async def check(self, credential: str | None) -> None:
        """Ask for an operation that cannot exist; see the port.

        Raises:
            ProviderFault: `UNAUTHORIZED`, also for a project that the credential may not use; otherwise what came
                instead of Google's "not found".
        """
        url = model_url(self._models, CHECK_MODEL)
        name = f"{url.rpartition('/v1/')[2]}/operations/{CHECK_OPERATION}"
        body: PollRequest = {"operationName": name}
        caller = await Caller.of(self._source(credential))
        answer = caller.noted(
            await self._http.call("POST", f"{url}:fetchPredictOperation", json=body, headers=caller.headers)
        )
        is_refusal = answer.status in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND} and is_error_of_google(answer)
        if not answer.is_success and not is_refusal:
            raise ProviderFault(fault_of_answer(answer))

    async def submit(self, order: RenderOrder) -> TaskAccepted:
        """Start an operation; see the port.

        Raises:
            ProviderFault: `INVALID`, without asking, for an order without a model, or with the address of an image.
        """
        if not order.endpoint:
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail="the order names no model"))
        body = to_request(order, self._storage_uri)
        credential, source = next(iter(self._credentials.items()))
        url = model_url(self._models, order.endpoint)
        answer = await self._order(source, f"{url}:predictLongRunning", body)
        if not answer.is_success:
            raise ProviderFault(fault_of_answer(answer))
        urls = {POLL_URL: f"{url}:fetchPredictOperation"}
        return TaskAccepted(task=Task(task_id=operation_name(answer), urls=urls, credential=credential))

    async def poll(self, task: Task) -> TaskState:
        """Ask how the operation stands; see the port."""
        scanner = AnswerScanner()
        with _as_fault():
            async with aclosing(self._read(task, is_bounded=True)) as parts:
                async for part in parts:
                    scanner.feed(part)
                    members = scanner.members_so_far() if scanner.has_video else None
                    if members is not None and members.get("done") is True:
                        # The rest is the video itself.
                        return state_of(members, task.task_id)
            return state_of(scanner.close(), task.task_id)

    async def cancel(self, task: Task) -> bool:  # noqa: ARG002 (the port's signature)
        """Do nothing: Vertex documents no cancel for these operations.

        Returns:
            False.
        """
        return False

    async def open(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        """Stream the video from the bucket, or out of the operation's answer; see the port."""
        if source_url == f"{REFERENCE}{task.task_id}":
            video = self._decoded(task)
        else:
            video = self._downloaded(task, source_url)
        async with aclosing(video) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _order(self, source: TokenSource, url: str, body: SubmitRequest) -> Answer:
        """Send an order; once more if its token is refused and there is another. A refused one surely took nothing."""
        latest = asyncio.get_running_loop().time() + self._token_limit_s
        caller = await _caller_by(latest, source)
        answer = await self._send(caller, url, body)
        if answer.status != httpx.codes.UNAUTHORIZED:
            return answer
        another = await _caller_by(latest, source)
        return answer if another.token == caller.token else await self._send(another, url, body)

    async def _send(self, caller: Caller, url: str, body: SubmitRequest) -> Answer:
        return caller.noted(await self._http.call("POST", url, is_submit=True, json=body, headers=caller.headers))

    async def _decoded(self, task: Task) -> AsyncGenerator[bytes, None]:
        scanner = AnswerScanner()
        with _as_fault():
            async with aclosing(self._read(task)) as parts:
                async for part in parts:
                    if chunk := scanner.feed(part):
                        yield chunk
                    if scanner.is_complete:
                        return
            state = state_of(scanner.close(), task.task_id)
        if isinstance(state, TaskFailed) and state.failure.fault is not None:
            raise ProviderFault(state.failure.fault)
        what = "in a bucket" if isinstance(state, TaskDone) else "not there yet"
        raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE, detail=f"the video is {what}"))

    async def _downloaded(self, task: Task, source_url: str) -> AsyncGenerator[bytes, None]:
        try:
            url = object_url(self._storage_url, source_url)
        except ValueError as error:
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=f"not ours to open: {error}")) from error
        caller = await Caller.of(self._source(task.credential))
        async with self._http.streaming("GET", url, headers=caller.reading_headers) as response:
            caller.note(response.status_code)
            self._http.require_video(response)
            async for chunk in response.aiter_bytes(CHUNK_BYTES):
                yield chunk

    async def _read(self, task: Task, *, is_bounded: bool = False) -> AsyncGenerator[bytes, None]:
        """Ask for the operation of a task, and read the answer in parts of at most `PART_BYTES`.

        Args:
            task: Whose operation.
            is_bounded: Within the limit of one call; otherwise only each wait for the next byte is bounded.

        Raises:
            ProviderFault: Anything but a success, before the first part.
        """
        url = task.urls.get(POLL_URL)
        if url is None:
            raise ProviderFault(Fault(kind=FaultKind.INVALID, detail="a task without an address to ask at"))
        caller = await Caller.of(self._source(task.credential))
        body: PollRequest = {"operationName": task.task_id}
        async with self._http.streaming(
            "POST", url, is_bounded=is_bounded, json=body, headers=caller.reading_headers
        ) as response:
            if not response.is_success:
                raise ProviderFault(fault_of_answer(caller.noted(await _refusal(response))))
            async for part in response.aiter_bytes(PART_BYTES):
                yield part

    def _source(self, credential: str | None) -> TokenSource:
        source = self._credentials.get(credential or "")
        if source is None:
            detail = f"the credential {credential!r} is no longer configured"
            raise ProviderFault(Fault(kind=FaultKind.UNAUTHORIZED, detail=detail))
        return source


async def _caller_by(latest: float, source: TokenSource) -> Caller:
    """Get a token before the loop's clock says `latest`.

    Raises:
        ProviderFault: See `TokenSource.token`; `UNAVAILABLE` if it comes too late.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout_at(latest):
            caller = await Caller.of(source)
        if asyncio.get_running_loop().time() < latest:
            return caller
    raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE, detail="no access token in time"))


async def _refusal(response: httpx.Response) -> Answer:
    """Read the beginning of an answer without success; all of it, for any that Google writes."""
    body = bytearray()
    async for part in response.aiter_bytes(PART_BYTES):
        body += part
        if len(body) >= REFUSAL_BYTES_MAX:
            break
    return Answer(status=response.status_code, headers=response.headers, body=bytes(body), is_submit=False)


@contextmanager
def _as_fault() -> Iterator[None]:
    """Turn an answer that cannot be read into a fault of the question; it says nothing of the task."""
    try:
        yield
    except UnreadableAnswer as error:
        detail = f"the operation's answer: {error}"
        raise ProviderFault(Fault(kind=FaultKind.UNINTELLIGIBLE, detail=detail)) from error
