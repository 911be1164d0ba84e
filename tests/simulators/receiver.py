"""Somebody else's server, to which simulated providers send notices."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from starlette.responses import Response

from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.recording import RecordedRequest
from reelgate_simulators.server import SimulatorServer

LIMIT_S = 10.0


class Receiver(SimulatorServer):
    """Records notices under `/hook`; repeats a challenge unless told not to."""

    def __init__(self, *codes: int, repeats_challenge: bool = True) -> None:
        """Answer with these codes, one each, then with 200."""
        super().__init__()
        self._codes = deque(codes)
        self._repeats_challenge = repeats_challenge

    def operations(self) -> Sequence[Operation]:
        return [Operation(name="hook", method="POST", path="/hook/{name:path}", handler=self._hook)]

    def url(self, name: str = "job-1?token=a&b=c d") -> str:
        return f"{self.base_url}/hook/{name}"

    @property
    def notices(self) -> list[RecordedRequest]:
        return self.requests_of("hook")

    async def wait_for(self, count: int) -> list[RecordedRequest]:
        await wait_until(lambda: len(self.notices) >= count)
        return self.notices

    async def _hook(self, request: RecordedRequest) -> Response:
        code = self._codes.popleft() if self._codes else 200
        has_challenge = "challenge" in request.members and self._repeats_challenge
        return respond(code, request.body if has_challenge else {})


async def wait_until(is_so: Callable[[], bool]) -> None:
    """Return as soon as `is_so` answers true.

    Raises:
        TimeoutError: It did not within `LIMIT_S`.
    """
    async with asyncio.timeout(LIMIT_S):
        while not is_so():  # noqa: ASYNC110 (what is waited for is on the other side of a socket)
            await asyncio.sleep(0.002)
