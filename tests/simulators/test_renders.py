"""What all simulated providers share: time, scripts, ends, and the video that they give."""

import io
import math
from collections.abc import Sequence

import pytest

from reelgate_simulators.base import Render, RenderState, SimulatedProvider
from reelgate_simulators.catalogue import SLOW_FACTOR, Fate, Script, read_script
from reelgate_simulators.clock import ManualClock, SystemClock
from reelgate_simulators.endpoint import Operation
from reelgate_simulators.video import tiny_mp4
from tests.simulators.receiver import wait_until

STATES = RenderState


class Studio(SimulatedProvider[str]):
    """A provider without an API."""

    def __init__(self, clock: ManualClock | SystemClock, *, queue_s: float, render_s: float) -> None:
        super().__init__(clock=clock, queue_s=queue_s, render_s=render_s)
        self.told: list[tuple[str, RenderState, str | None]] = []

    def operations(self) -> Sequence[Operation]:
        return []

    def scripted_failure(self, fate: Fate) -> str | None:
        return None if fate is Fate.SUCCESS else fate.value

    def ended(self, render: Render[str]) -> None:
        self.told.append((render.id, render.state, render.failure))

    def ask(self, render_id: str, prompt: str = "a fox") -> None:
        self.accept(render_id, {"prompt": prompt}, clip_duration_s=5, prompt=prompt)

    def state(self, render_id: str) -> RenderState:
        render = self.render(render_id)
        assert render is not None
        return render.state


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_a_render_is_queued_runs_and_ends_once(clock: ManualClock) -> None:
    studio = Studio(clock, queue_s=10, render_s=60)
    studio.ask("a")
    seen = [studio.state("a")]
    for seconds in (9, 1, 59, 1, 1000):
        clock.advance(seconds)
        seen.append(studio.state("a"))
    assert seen == [STATES.QUEUED] * 2 + [STATES.RUNNING] * 2 + [STATES.SUCCEEDED] * 2
    assert studio.told == [("a", STATES.SUCCEEDED, None)]
    assert studio.renders["a"].end_time_s == 70


def test_an_end_is_told_though_nobody_asks(clock: ManualClock) -> None:
    studio = Studio(clock, queue_s=0, render_s=60)
    studio.ask("a", "[fail]")
    clock.advance(60)
    assert studio.told == [("a", STATES.FAILED, "fail")]


def test_a_test_may_hurry_everything(clock: ManualClock) -> None:
    studio = Studio(clock, queue_s=math.inf, render_s=60)
    for render_id in "abcd":
        studio.ask(render_id)
    studio.start("a")
    studio.finish("b")
    studio.fail("c", "because")
    studio.cancel("d")
    assert [studio.state(render_id) for render_id in "abcd"] == [
        STATES.RUNNING,
        STATES.SUCCEEDED,
        STATES.FAILED,
        STATES.CANCELLED,
    ]
    studio.fail("b", "too late")
    studio.start("b")
    clock.advance(60)
    assert studio.state("a") is STATES.SUCCEEDED
    assert [render_id for render_id, _, _ in studio.told] == ["b", "c", "d", "a"]
    assert studio.renders["b"].failure is None


def test_a_render_that_takes_no_time_has_ended_when_accepted(clock: ManualClock) -> None:
    studio = Studio(clock, queue_s=0, render_s=0)
    studio.ask("a")
    studio.ask("b", "[stuck]")
    assert studio.told == [("a", STATES.SUCCEEDED, None)]
    assert studio.state("b") is STATES.RUNNING


def test_nobody_is_found_under_an_unknown_id(clock: ManualClock) -> None:
    studio = Studio(clock, queue_s=0, render_s=0)
    assert studio.render("x") is None
    with pytest.raises(KeyError):
        studio.finish("x")


async def test_the_machines_clock_ends_renders_too() -> None:
    async with Studio(SystemClock(), queue_s=0.01, render_s=0.01) as studio:
        studio.ask("a")
        await wait_until(lambda: bool(studio.told))


def test_calls_are_made_at_their_moments_in_order(clock: ManualClock) -> None:
    made: list[float] = []
    clock.call_at(5, lambda: made.append(clock.monotonic_s()))
    clock.call_at(3, lambda: clock.call_at(4, lambda: made.append(clock.monotonic_s())))
    clock.call_at(0, lambda: made.append(clock.monotonic_s()))
    clock.advance(4.5)
    assert made == [0, 4]
    clock.advance(0.5)
    assert made == [0, 4, 5]


@pytest.mark.parametrize(
    ("prompt", "fate", "factor"),
    [
        ("a fox", Fate.SUCCESS, 1),
        ("a [Reject]ed fox", Fate.REJECTED, 1),
        ("[filter]", Fate.FILTERED, 1),
        ("[fail] [filter]", Fate.FILTERED, 1),
        ("[slow] [fail]", Fate.FAILED, SLOW_FACTOR),
        ("[stuck] [slow]", Fate.SUCCESS, math.inf),
        (None, Fate.SUCCESS, 1),
    ],
)
def test_a_prompt_is_a_script(prompt: object, fate: Fate, factor: float) -> None:
    assert read_script(prompt) == Script(fate, factor)


@pytest.mark.parametrize("duration_s", [1.0, 5, 15])
def test_the_tiny_video_is_a_tree_of_boxes(duration_s: float) -> None:
    content = tiny_mp4(duration_s)
    names = []
    start = 0
    while start < len(content):
        names.append(content[start + 4 : start + 8])
        start += int.from_bytes(content[start : start + 4])
    assert (names, start) == ([b"ftyp", b"moov", b"mdat"], len(content))
    assert len(content) < 4000


def test_the_tiny_video_can_be_decoded() -> None:
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(tiny_mp4(5))) as container:
        frames = list(container.decode(video=0))
        assert container.duration == 5_000_000
    assert (len(frames), frames[0].width, frames[0].height) == (40, 32, 18)
