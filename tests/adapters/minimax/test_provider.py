"""The adapter against the simulator, over real HTTP: what it sends, to whom, and what it makes of bad days."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.providers.http import CHUNK_BYTES, ProviderHttp
from reelgate_server.adapters.providers.minimax.provider import MinimaxProvider
from reelgate_server.domain.events import FailureCode, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import ImageBytes, ImageUrl, TaskDone, TaskFailed, TaskRunning
from reelgate_simulators.faults import (
    CutBody,
    Delay,
    Hang,
    Html,
    HugeJson,
    Reset,
    RetryAfter,
    Status,
    TruncatedJson,
    WrongTypes,
    accepted_but_lost,
)
from reelgate_simulators.faults import Fault as SimulatedFault
from reelgate_simulators.minimax import MinimaxFailure, MinimaxSimulator, minimax_error
from reelgate_simulators.minimax_rules import MESSAGES
from tests.adapters.minimax.samples import PROMPT, make_order

KEY = "key-of-main-0123456789"
OLD_KEY = "key-of-old-0123456789"
KEYS = {"main": KEY, "old": OLD_KEY}
LIMIT_S = 0.75
"""Of a call and of silence, in these tests; nothing else waits."""
VIDEO = bytes(range(256)) * 4096
"""1 MiB: several chunks."""


@pytest.fixture
async def simulator() -> AsyncIterator[MinimaxSimulator]:
    """Renders end only when a test ends them."""
    knobs: dict[str, Any] = {"render_s": float("inf"), "video": VIDEO}
    async with MinimaxSimulator(keys=frozenset(KEYS.values()), **knobs) as simulator:
        yield simulator


@pytest.fixture
async def provider(simulator: MinimaxSimulator) -> AsyncIterator[MinimaxProvider]:
    async with make_provider(simulator) as provider:
        yield provider


def make_provider(simulator: MinimaxSimulator, **keys: str) -> MinimaxProvider:
    chosen = keys or KEYS
    http = ProviderHttp(secrets=chosen.values(), call_limit_s=LIMIT_S, read_limit_s=LIMIT_S)
    return MinimaxProvider(keys=chosen, base_url=simulator.base_url, http=http)


async def submit(provider: MinimaxProvider) -> Task:
    return (await provider.submit(make_order())).task


async def finish(simulator: MinimaxSimulator, provider: MinimaxProvider) -> tuple[Task, str]:
    """Render a video; the task and the reference to its file."""
    task = await submit(provider)
    simulator.finish(task.task_id)
    state = await provider.poll(task)
    assert isinstance(state, TaskDone)
    return task, state.source_url


async def read_all(provider: MinimaxProvider, task: Task, source_url: str) -> bytes:
    content = bytearray()
    await read_into(content, provider, task, source_url)
    return bytes(content)


async def read_into(content: bytearray, provider: MinimaxProvider, task: Task, source_url: str) -> None:
    async for chunk in provider.open(task, source_url):
        assert 0 < len(chunk) <= CHUNK_BYTES
        content += chunk


async def submit_fault(provider: MinimaxProvider, **order: Any) -> Fault:
    with pytest.raises(ProviderFault) as raised:
        await provider.submit(make_order(**order))
    return raised.value.fault


async def poll_fault(provider: MinimaxProvider, task: Task) -> Fault:
    with pytest.raises(ProviderFault) as raised:
        await provider.poll(task)
    assert not raised.value.fault.is_maybe_accepted
    return raised.value.fault


async def open_fault(provider: MinimaxProvider, task: Task, source_url: str) -> Fault:
    with pytest.raises(ProviderFault) as raised:
        await read_all(provider, task, source_url)
    assert not raised.value.fault.is_maybe_accepted
    return raised.value.fault


class TestWhatIsSent:
    async def test_a_submit_is_the_documented_call(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        await provider.submit(make_order(prompt="a red fox", seconds=10))
        [request] = simulator.requests
        assert (request.method, request.path, request.query) == ("POST", "/v1/video_generation", {})
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["content-type"] == "application/json"
        assert request.body == {
            "model": "MiniMax-Hailuo-02",
            "prompt": "a red fox",
            "duration": 10,
            "resolution": "768P",
            "prompt_optimizer": False,
        }
        assert type(request.body["duration"]) is int

    @pytest.mark.parametrize(
        ("image", "sent"),
        [
            (ImageUrl("https://images.test/first.png"), "https://images.test/first.png"),
            (ImageBytes(b"\x89PNG", "image/png"), "data:image/png;base64,iVBORw=="),
        ],
    )
    async def test_a_submit_with_an_image_is_the_documented_call(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider, image: ImageUrl | ImageBytes, sent: str
    ) -> None:
        await provider.submit(make_order(prompt="a red fox", resolution="512p", image=image))
        assert simulator.requests[0].body == {
            "model": "MiniMax-Hailuo-02",
            "prompt": "a red fox",
            "duration": 6,
            "resolution": "512P",
            "prompt_optimizer": False,
            "first_frame_image": sent,
        }

    @pytest.mark.parametrize("seconds", [6, 10])
    @pytest.mark.parametrize("resolution", ["512p", "768p", "1080p"])
    @pytest.mark.parametrize("image", [None, ImageUrl("https://images.test/first.png")])
    async def test_all_that_the_catalogue_asks_for_is_accepted(
        self, provider: MinimaxProvider, seconds: int, resolution: str, image: ImageUrl | None
    ) -> None:
        if resolution == "1080p" and seconds == 10:
            # The catalogue's row of 1080p has no such length; this is what would happen.
            fault = await submit_fault(provider, seconds=10, resolution="1080p", image=image)
            assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.INVALID, False)
        else:
            await provider.submit(make_order(seconds=seconds, resolution=resolution, image=image))

    async def test_a_query_and_a_retrieval_are_the_documented_calls(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        await read_all(provider, task, source_url)
        _, query, retrieval, download = simulator.requests
        assert (query.method, query.path) == ("GET", "/v1/query/video_generation")
        assert (query.query, query.headers["authorization"]) == ({"task_id": task.task_id}, f"Bearer {KEY}")
        assert (retrieval.method, retrieval.path) == ("GET", "/v1/files/retrieve")
        assert list(retrieval.query) == ["file_id"]
        assert retrieval.headers["authorization"] == f"Bearer {KEY}"
        assert download.method == "GET"
        assert "authorization" not in download.headers

    async def test_a_cancel_is_not_a_call_because_there_is_none(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task = await submit(provider)
        assert await provider.cancel(task) is False
        assert [request.operation for request in simulator.requests] == ["submit"]
        assert await provider.poll(task) == TaskRunning()

    async def test_no_callback_is_registered_because_none_would_be_signed(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        await submit(provider)
        assert not provider.announces_tasks
        assert "callback_url" not in simulator.requests[0].body


class TestWhoAsksWhom:
    async def test_a_task_is_pinned_to_the_key_and_the_host_that_made_it(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task = await submit(provider)
        [task_id] = simulator.renders
        assert task == Task(task_id=task_id, urls={"base": simulator.base_url}, credential="main")

    async def test_an_older_key_serves_the_tasks_it_made_after_another_became_the_first(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        async with make_provider(simulator, old=OLD_KEY) as before:
            task, source_url = await finish(simulator, before)
        assert provider.credentials == ("main", "old")
        assert await provider.poll(task) == TaskDone(source_url=source_url)
        assert await read_all(provider, task, source_url) == VIDEO
        keys = [request.headers.get("authorization") for request in simulator.requests]
        assert keys == [f"Bearer {OLD_KEY}"] * 4 + [None]

    async def test_a_key_that_is_gone_is_named_and_nobody_is_asked(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        asked = len(simulator.requests)
        async with make_provider(simulator, other="key-of-other") as after:
            expected = Fault(
                kind=FaultKind.UNAUTHORIZED, detail="no key named 'main' is configured for provider 'minimax'"
            )
            assert await poll_fault(after, task) == expected
            assert await open_fault(after, task, source_url) == expected
            assert await after.cancel(task) is False
            with pytest.raises(ProviderFault, match="no key named None is configured"):
                await after.check(None)
        assert len(simulator.requests) == asked

    async def test_a_task_is_asked_for_at_its_own_host_after_the_setting_changed(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        async with (
            MinimaxSimulator(keys=frozenset(KEYS.values())) as china,
            make_provider(china) as moved,
        ):
            assert await moved.poll(task) == TaskDone(source_url=source_url)
            assert await read_all(moved, task, source_url) == VIDEO
            assert (await submit(moved)).urls == {"base": china.base_url}
            assert [request.operation for request in china.requests] == ["submit"]

    async def test_our_key_is_not_sent_to_a_host_that_did_not_make_the_task(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        async with MinimaxSimulator() as elsewhere:
            foreign = source_url.replace(simulator.base_url, elsewhere.base_url)
            assert (await open_fault(provider, task, foreign)).kind is FaultKind.INVALID
            assert elsewhere.requests == []

    async def test_a_trailing_slash_of_the_host_does_not_matter(self, simulator: MinimaxSimulator) -> None:
        async with MinimaxProvider(keys=KEYS, base_url=f"{simulator.base_url}/") as provider:
            assert (await submit(provider)).urls == {"base": simulator.base_url}


class TestKeys:
    async def test_the_first_key_is_named_first(self, provider: MinimaxProvider) -> None:
        assert (provider.name, provider.credentials) == ("minimax", ("main", "old"))

    @pytest.mark.parametrize(
        ("keys", "message"),
        [({}, "provider 'minimax' needs an API key"), ({"main": "with space"}, "the key 'main' of")],
    )
    def test_keys_that_cannot_be_keys_are_refused(self, keys: dict[str, str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            MinimaxProvider(keys=keys)

    async def test_a_key_is_checked_by_asking_for_a_task_that_cannot_exist(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        await provider.check("main")
        await provider.check("old")
        assert [request.query for request in simulator.requests_of("status")] == [{"task_id": "0"}] * 2
        assert simulator.renders == {}

    async def test_a_refused_key_is_unauthorized(self, simulator: MinimaxSimulator, provider: MinimaxProvider) -> None:
        simulator.keys = frozenset({OLD_KEY})
        with pytest.raises(ProviderFault) as raised:
            await provider.check("main")
        assert raised.value.fault.kind is FaultKind.UNAUTHORIZED
        await provider.check("old")

    async def test_a_host_that_is_away_leaves_a_key_undecided(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        simulator.faults.queue("status", Html(503), Hang())
        for kind in (FaultKind.UNAVAILABLE, FaultKind.TIMEOUT):
            with pytest.raises(ProviderFault) as raised:
                await provider.check("main")
            assert raised.value.fault.kind is kind


class TestStates:
    async def test_a_task_goes_from_waiting_to_its_video(self) -> None:
        async with (
            MinimaxSimulator(queue_s=float("inf"), render_s=float("inf"), video=VIDEO) as simulator,
            make_provider(simulator) as provider,
        ):
            task = await submit(provider)
            assert [await provider.poll(task) for _ in range(2)] == [TaskRunning()] * 2
            simulator.start(task.task_id)
            assert await provider.poll(task) == TaskRunning()
            simulator.finish(task.task_id)
            state = await provider.poll(task)
            assert isinstance(state, TaskDone)
            assert await read_all(provider, task, state.source_url) == VIDEO

    @pytest.mark.parametrize(
        ("failure", "code", "kind"),
        [
            (MinimaxFailure(code=0), FailureCode.PROVIDER_ERROR, FaultKind.UNAVAILABLE),
            (MinimaxFailure(code=1026), FailureCode.REJECTED, FaultKind.REJECTED),
            (MinimaxFailure(code=1027), FailureCode.REJECTED, FaultKind.REJECTED),
            (MinimaxFailure(code=1033), FailureCode.PROVIDER_ERROR, FaultKind.UNAVAILABLE),
            (
                MinimaxFailure(code=2013, message="invalid params, first_frame_image"),
                FailureCode.IMAGE_UNUSABLE,
                FaultKind.IMAGE_UNUSABLE,
            ),
        ],
    )
    async def test_a_task_that_failed_says_why(
        self,
        simulator: MinimaxSimulator,
        provider: MinimaxProvider,
        failure: MinimaxFailure,
        code: FailureCode,
        kind: FaultKind,
    ) -> None:
        task = await submit(provider)
        simulator.fail(task.task_id, failure)
        state = await provider.poll(task)
        assert isinstance(state, TaskFailed)
        assert state.failure.fault is not None
        assert (state.failure.code, state.failure.fault.kind) == (code, kind)
        assert f"code {failure.code}: {failure.message or MESSAGES[failure.code]}" in state.failure.fault.detail

    async def test_another_keys_task_and_one_never_made_are_unknown(self, provider: MinimaxProvider) -> None:
        task = await submit(provider)
        for other in (Task(task_id="1", credential="main"), Task(task_id=task.task_id, credential="old")):
            assert (await poll_fault(provider, other)).kind is FaultKind.TASK_UNKNOWN

    @pytest.mark.parametrize("code", sorted(set(MESSAGES) - {0}))
    async def test_every_code_is_a_fault_of_a_submit_in_time(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider, code: int
    ) -> None:
        simulator.faults.queue("submit", minimax_error(code))
        fault = await submit_fault(provider)
        assert fault.is_maybe_accepted == (code in {1000, 1001, 1024, 1033})
        assert f"code {code}: {MESSAGES[code]}" in fault.detail

    async def test_an_empty_account_a_full_minute_and_refused_content_are_told_apart(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        assert (await submit_fault(provider, prompt="a fox [reject]")).kind is FaultKind.REJECTED
        simulator.submits_per_minute_max = 0
        assert (await submit_fault(provider)).kind is FaultKind.THROTTLED
        simulator.submits_per_minute_max = None
        simulator.has_balance = False
        assert (await submit_fault(provider)).kind is FaultKind.UNAUTHORIZED


class TestDownloads:
    async def test_a_stored_reference_carries_no_right(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        _, source_url = await finish(simulator, provider)
        [render] = simulator.renders.values()
        assert source_url == f"{simulator.base_url}/v1/files/retrieve?file_id={render.extra['file_id']}"

    async def test_every_opening_asks_for_a_fresh_address(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        assert await read_all(provider, task, source_url) == VIDEO
        simulator.expire_links()
        assert await read_all(provider, task, source_url) == VIDEO
        first, second = [request.path for request in simulator.requests_of("download")]
        assert first != second

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
    async def test_an_address_that_has_expired_is_a_fault_and_the_next_opening_gets_another(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider, status: int
    ) -> None:
        task, source_url = await finish(simulator, provider)
        simulator.faults.queue("download", Status(status, "<Error>s1gned</Error>"))
        fault = await open_fault(provider, task, source_url)
        assert fault == Fault(kind=FaultKind.UNAVAILABLE, detail=f"the download was answered with HTTP {status}")
        assert await read_all(provider, task, source_url) == VIDEO

    async def test_an_address_that_expires_between_question_and_download_is_such_a_fault(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        simulator.link_lifetime_s = 0.0
        assert (await open_fault(provider, task, source_url)).kind is FaultKind.UNAVAILABLE

    async def test_a_file_that_is_gone_is_a_fault(self, simulator: MinimaxSimulator, provider: MinimaxProvider) -> None:
        task, source_url = await finish(simulator, provider)
        simulator.faults.queue("result", minimax_error(2013))
        fault = await open_fault(provider, task, source_url)
        assert fault.kind is FaultKind.INVALID
        assert "code 2013: invalid params" in fault.detail

    async def test_a_download_that_breaks_off_is_a_fault_after_its_first_chunks(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        simulator.faults.queue("download", CutBody(600_000))
        content = bytearray()
        with pytest.raises(ProviderFault):
            await read_into(content, provider, task, source_url)
        assert VIDEO.startswith(bytes(content))
        assert len(content) < len(VIDEO)

    async def test_a_download_that_hangs_is_throttled_goes_elsewhere_or_is_a_page_is_a_fault_of_its_kind(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        elsewhere = Status(302, None, {"Location": "http://127.0.0.1:1/video.mp4"})
        simulator.faults.queue("download", Hang(), RetryAfter(9), elsewhere, Html(502), Html(200))
        faults = [await open_fault(provider, task, source_url) for _ in range(5)]
        assert [fault.kind for fault in faults] == [
            FaultKind.TIMEOUT,
            FaultKind.THROTTLED,
            FaultKind.UNINTELLIGIBLE,
            FaultKind.UNAVAILABLE,
            FaultKind.UNINTELLIGIBLE,
        ]
        assert faults[1].retry_after == timedelta(seconds=9)

    async def test_a_reader_that_leaves_early_leaves_nothing_open(
        self, simulator: MinimaxSimulator, provider: MinimaxProvider
    ) -> None:
        task, source_url = await finish(simulator, provider)
        chunks = provider.open(task, source_url)
        assert await anext(chunks)
        await chunks.aclose()
        assert await read_all(provider, task, source_url) == VIDEO


BAD_DAYS: list[tuple[str, Callable[[], SimulatedFault], FaultKind, str]] = [
    ("late", lambda: Delay(60), FaultKind.TIMEOUT, "ambiguous"),
    ("hung", Hang, FaultKind.TIMEOUT, "ambiguous"),
    ("reset", Reset, FaultKind.UNAVAILABLE, "ambiguous"),
    ("accepted but lost", accepted_but_lost, FaultKind.UNAVAILABLE, "ambiguous"),
    ("cut in the middle", lambda: CutBody(10), FaultKind.UNAVAILABLE, "ambiguous"),
    ("half", TruncatedJson, FaultKind.UNINTELLIGIBLE, "ambiguous"),
    ("huge", lambda: HugeJson(2_000_000), FaultKind.UNINTELLIGIBLE, "ambiguous"),
    ("of wrong types", WrongTypes, FaultKind.UNINTELLIGIBLE, "ambiguous"),
    ("a page with 200", lambda: Html(200), FaultKind.UNINTELLIGIBLE, "ambiguous"),
    ("a page with 502", Html, FaultKind.UNAVAILABLE, "ambiguous"),
    ("a page with 503", lambda: Html(503), FaultKind.UNAVAILABLE, "refused"),
    ("a redirect", lambda: Status(303, "", {"Location": "/elsewhere"}), FaultKind.UNINTELLIGIBLE, "ambiguous"),
    ("a page with 404", lambda: Html(404), FaultKind.INVALID, "refused"),
    ("500", lambda: Status(500, {"base_resp": None}), FaultKind.UNAVAILABLE, "ambiguous"),
    ("429", lambda: RetryAfter(7), FaultKind.THROTTLED, "refused"),
    ("nothing", lambda: Status(200, b""), FaultKind.UNINTELLIGIBLE, "ambiguous"),
    ("deep", lambda: Status(200, "[" * 100_000), FaultKind.UNINTELLIGIBLE, "ambiguous"),
]


@pytest.mark.parametrize(("bad", "kind", "outcome"), [row[1:] for row in BAD_DAYS], ids=[row[0] for row in BAD_DAYS])
class TestBadDays:
    async def test_a_submit_is_ambiguous_unless_it_was_refused_and_is_made_once(
        self,
        simulator: MinimaxSimulator,
        provider: MinimaxProvider,
        bad: Callable[[], SimulatedFault],
        kind: FaultKind,
        outcome: str,
    ) -> None:
        simulator.faults.queue("submit", bad())
        fault = await submit_fault(provider)
        assert (fault.kind, fault.is_maybe_accepted) == (kind, outcome == "ambiguous")
        assert len(simulator.requests_of("submit")) == 1
        assert len(simulator.renders) == 0 or fault.is_maybe_accepted
        assert fault.retry_after == (timedelta(seconds=7) if kind is FaultKind.THROTTLED else None)
        assert KEY not in fault.detail
        assert PROMPT not in fault.detail

    async def test_a_query_fails_and_says_nothing_of_its_task(
        self,
        simulator: MinimaxSimulator,
        provider: MinimaxProvider,
        bad: Callable[[], SimulatedFault],
        kind: FaultKind,
        outcome: str,
    ) -> None:
        assert outcome
        task = await submit(provider)
        simulator.faults.queue("status", bad())
        fault = await poll_fault(provider, task)
        assert fault.kind is kind
        assert KEY not in fault.detail
        assert await provider.poll(task) == TaskRunning()

    async def test_a_retrieval_fails_and_the_next_opening_gets_the_video(
        self,
        simulator: MinimaxSimulator,
        provider: MinimaxProvider,
        bad: Callable[[], SimulatedFault],
        kind: FaultKind,
        outcome: str,
    ) -> None:
        assert outcome
        task, source_url = await finish(simulator, provider)
        simulator.faults.queue("result", bad())
        assert (await open_fault(provider, task, source_url)).kind is kind
        assert await read_all(provider, task, source_url) == VIDEO


async def test_a_delay_within_the_limit_is_no_fault(simulator: MinimaxSimulator, provider: MinimaxProvider) -> None:
    simulator.faults.queue("submit", Delay(0.01))
    simulator.faults.queue("status", Delay(0.01))
    assert await provider.poll(await submit(provider)) == TaskRunning()


async def test_a_host_that_does_not_listen_has_surely_taken_nothing() -> None:
    async with MinimaxSimulator() as simulator:
        address = simulator.base_url
    async with MinimaxProvider(keys=KEYS, base_url=address) as provider:
        fault = await submit_fault(provider)
        assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNAVAILABLE, False)


async def test_an_error_repeats_neither_key_nor_image(simulator: MinimaxSimulator, provider: MinimaxProvider) -> None:
    url = "https://images.test/private.png?name=ada"
    text = f"no: {KEY} for {url}"
    simulator.faults.queue("submit", Status(200, {"base_resp": {"status_code": 2049, "status_msg": text}}))
    fault = await submit_fault(provider, image=ImageUrl(url))
    assert fault.detail == "HTTP 200: code 2049: no: [secret] for [address]"
