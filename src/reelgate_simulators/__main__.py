"""All simulated providers at once, for demos and load tests: `python -m reelgate_simulators`.

They run until SIGINT, SIGTERM or the end of a given parent. Where they are and which credentials they take is told as
one JSON object when all of them listen:

    {"fal": {"base_url": …, "key": …}, "minimax": {"base_url": …, "key": …},
     "vertex": {"base_url": …, "project": …, "location": …, "access_token": …},
     "openai": {"base_url": …, "dialect": …, "key": …}}

Whatever else one asks for with a credential is refused, as the providers do.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reelgate_simulators.base import Render, SimulatedProvider
from reelgate_simulators.demo import demo_mp4
from reelgate_simulators.demo_faults import UnsteadyWebhooks, faults_of
from reelgate_simulators.fal import FalSimulator
from reelgate_simulators.minimax import MinimaxSimulator
from reelgate_simulators.openai import API_KEY, OpenAiService, OpenAiSimulator
from reelgate_simulators.vertex import TOKEN, VertexAccount, VertexSimulator

FAL_KEY: Final = "simulated-fal-key"
MINIMAX_KEY: Final = "simulated-minimax-key"
PROJECT: Final = "simulated-project"
LOCATION: Final = "us-central1"
DIALECT: Final = "sglang"
QUEUE_S: Final = 1.0
RENDER_S: Final = 4.0
"""Long enough that a demo shows a job at work, short enough that nobody waits."""
DAY_S: Final = 86_400
"""The longest time one can ask for."""
PORT_MAX: Final = 65_535
LOOK_INTERVAL_S: Final = 0.25
"""How often it is looked whether the parent lives."""


class _DemoVideo(SimulatedProvider[Any]):
    """Gives a video that browsers play, as long as it was asked for, unless there is a file to give."""

    def video_of(self, render: Render[Any]) -> bytes:
        """Content of a result."""
        return demo_mp4(render.clip_duration_s) if self._video is None else self._video


class _Fal(_DemoVideo, FalSimulator):
    pass


class _Minimax(_DemoVideo, MinimaxSimulator):
    pass


class _Vertex(_DemoVideo, VertexSimulator):
    pass


class _OpenAi(_DemoVideo, OpenAiSimulator):
    pass


@dataclass(frozen=True, kw_only=True)
class Studio:
    """One of each provider; nothing listens yet."""

    fal: FalSimulator
    minimax: MinimaxSimulator
    vertex: VertexSimulator
    openai: OpenAiSimulator

    def all(self) -> tuple[SimulatedProvider[Any], ...]:
        """Every provider."""
        return (self.fal, self.minimax, self.vertex, self.openai)

    def addresses(self) -> dict[str, dict[str, str]]:
        """Where they are and what they take; valid once they listen."""
        return {
            "fal": {"base_url": self.fal.base_url, "key": FAL_KEY},
            "minimax": {"base_url": self.minimax.base_url, "key": MINIMAX_KEY},
            "vertex": {
                "base_url": self.vertex.base_url,
                "project": PROJECT,
                "location": LOCATION,
                "access_token": TOKEN,
            },
            "openai": {"base_url": self.openai.base_url, "dialect": DIALECT, "key": API_KEY},
        }


def build(options: argparse.Namespace) -> Studio:
    """Make the providers.

    Args:
        options: As `parse` reads them.
    """
    knobs: dict[str, Any] = {
        "queue_s": options.queue_seconds,
        "render_s": options.render_seconds,
        "video": None if options.video is None else options.video.read_bytes(),
    }
    studio = Studio(
        fal=_Fal(keys=frozenset({FAL_KEY}), port=options.fal_port, **knobs),
        minimax=_Minimax(keys=frozenset({MINIMAX_KEY}), port=options.minimax_port, **knobs),
        vertex=_Vertex(account=VertexAccount(project=PROJECT), port=options.vertex_port, **knobs),
        openai=_OpenAi(service=OpenAiService(dialect=DIALECT), port=options.openai_port, **knobs),
    )
    studio.fal.webhooks = UnsteadyWebhooks(studio.fal.clock, options.faults)
    for provider in studio.all():
        for operation in provider.operations():
            for fault, probability in faults_of(operation.name, options.faults):
                provider.faults.sometimes(operation.name, fault, probability)
    return studio


async def run(options: argparse.Namespace) -> None:
    """Serve until told to stop.

    Raises:
        OSError: A port is taken, or the video or the ready file cannot be read or written.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    studio = build(options)
    async with AsyncExitStack() as stack:
        for provider in studio.all():
            await stack.enter_async_context(provider)
        _tell(json.dumps(studio.addresses()), options.ready_file)
        while not stop.is_set() and options.parent in {None, os.getppid()}:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_INTERVAL_S)


def _tell(text: str, path: Path | None) -> None:
    """Print a line, or write it to a file in one step, so that nobody reads a half."""
    if path is None:
        print(text, flush=True)  # noqa: T201 (a program)
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(f"{text}\n", encoding="utf-8")
    partial.replace(path)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; what is wrong with it ends the process with a message."""
    parser = argparse.ArgumentParser(prog="python -m reelgate_simulators", description="Runs the simulated providers.")
    parser.add_argument("--queue-seconds", type=_seconds, default=QUEUE_S, help="how long a task waits (%(default)s)")
    parser.add_argument(
        "--render-seconds", type=_seconds, default=RENDER_S, help="how long a render takes (%(default)s)"
    )
    parser.add_argument("--video", type=Path, metavar="FILE", help="every result; a drawn one of its length if absent")
    parser.add_argument(
        "--faults",
        type=_probability,
        default=0.0,
        metavar="PROBABILITY",
        help="share of requests and webhooks that go wrong (0)",
    )
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="what to write the addresses to; else printed")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop when this is no longer the parent process")
    for name in ("fal", "minimax", "vertex", "openai"):
        parser.add_argument(
            f"--{name}-port", type=_port, default=0, metavar="PORT", help="the system's choice if absent"
        )
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    return _number(text, DAY_S)


def _probability(text: str) -> float:
    return _number(text, 1)


def _port(text: str) -> int:
    return int(_number(text, PORT_MAX))


def _number(text: str, most: float) -> float:
    """Read a number.

    Raises:
        ArgumentTypeError: It is none, or not within 0 and `most`.
    """
    with suppress(ValueError):
        if 0 <= (value := float(text)) <= most:
            return value
    raise argparse.ArgumentTypeError(f"must be from 0 to {most}, not {text!r}")


def main() -> None:
    """Run the command."""
    options = parse()
    try:
        asyncio.run(run(options))
    except OSError as error:
        sys.exit(f"reelgate_simulators: {error}")


if __name__ == "__main__":
    main()
