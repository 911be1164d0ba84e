"""Downloading a finished video, from wherever the server keeps it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Final

import httpx

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.http import CALL_LIMIT_S, CHUNK_BYTES, ProviderHttp
from reelgate_server.adapters.providers.openai.addresses import elsewhere
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.errors import refusal

REFUSAL_BYTES_MAX: Final = 16 * 1024
"""Read of the body of a refused download."""


async def stream(
    http: ProviderHttp, address: str, dialect: Dialect, *, headers: Mapping[str, str], secrets: tuple[str, ...]
) -> AsyncGenerator[bytes]:
    """Yield a file in bounded chunks, going on to where the server sends us if it does, once and without the headers.

    Args:
        http: Bounds the waiting.
        address: Where to begin.
        dialect: Of the server.
        headers: For the first address only.
        secrets: Struck out of what is kept of a refusal.

    Raises:
        ProviderFault: There is no file, or it ends early.
    """
    for is_last in (False, True):
        async with http.streaming("GET", address, headers=headers) as response:
            answer = Answer(
                status=response.status_code, headers=response.headers, body=b"", is_submit=False, secrets=secrets
            )
            if response.status_code == httpx.codes.OK:
                http.require_video(response)
                async for chunk in response.aiter_bytes(CHUNK_BYTES):
                    yield chunk
                return
            answer = replace(answer, body=await _beginning(response))
        if is_last:
            raise refusal(answer)
        address, headers = elsewhere(answer, dialect, address=address), {}


async def _beginning(response: httpx.Response) -> bytes:
    content = bytearray()
    async with asyncio.timeout(CALL_LIMIT_S):
        async for chunk in response.aiter_bytes(REFUSAL_BYTES_MAX):
            content += chunk
            if len(content) >= REFUSAL_BYTES_MAX:
                break
    return bytes(content)
