"""A simulator of one OpenAI dialect with everything to drive it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from reelgate_simulators.clock import ManualClock
from reelgate_simulators.openai import API_KEY, OpenAiService, OpenAiSimulator

AUTHORIZATION = {"Authorization": f"Bearer {API_KEY}"}
FILE = {"input_reference": ("cat.png", b"\x89PNG", "image/png")}
QUEUE_S = 1
RENDER_S = 10


class Bench:
    """A simulator of one dialect, a caller and a clock that the test moves."""

    def __init__(self, dialect: str, **service: Any) -> None:
        self.clock = ManualClock()
        self.dialect = dialect
        self.simulator = OpenAiSimulator(
            clock=self.clock,
            queue_s=QUEUE_S,
            render_s=RENDER_S,
            service=OpenAiService(dialect=dialect, **service),
        )
        self.caller = httpx.AsyncClient(headers=AUTHORIZATION, timeout=10)

    async def create(self, prompt: str = "a cat") -> str:
        """Create in the way that every dialect understands, and return the id."""
        fields: dict[str, Any] = {"prompt": (None, prompt), "model": (None, "sora-2"), "seconds": (None, "4")}
        response = await self.caller.post("/v1/videos", files=fields | FILE)
        assert response.status_code == 200, response.text
        return str(response.json()["id"])

    async def get(self, video_id: str, rest: str = "", **query: Any) -> httpx.Response:
        return await self.caller.get(f"/v1/videos/{quote(video_id, safe='')}{rest}", params=query)

    async def delete(self, video_id: str) -> httpx.Response:
        return await self.caller.delete(f"/v1/videos/{quote(video_id, safe='')}")

    async def ended(self, prompt: str = "a cat") -> str:
        """Create and let all its time pass."""
        video_id = await self.create(prompt)
        self.clock.advance(QUEUE_S + RENDER_S)
        return video_id


@asynccontextmanager
async def bench(dialect: str, **service: Any) -> AsyncIterator[Bench]:
    made = Bench(dialect, **service)
    async with made.simulator, made.caller:
        made.caller.base_url = httpx.URL(made.simulator.base_url)
        yield made
