"""A process that does nothing but render with a `LocalProvider`: something to kill. Takes the root as argument."""

import asyncio
import sys
from pathlib import Path

from reelgate_server.adapters.providers.local.provider import LocalProvider
from tests.support.render_orders import make_order


async def serve(root: Path) -> None:
    """Submit job 1 and wait to be killed."""
    async with LocalProvider(root, worker_count=1) as provider:
        await provider.submit(make_order(1, seconds=2, resolution="720p"))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
