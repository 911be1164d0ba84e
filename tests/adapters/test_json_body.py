"""Bodies in JSON: what they are to who reads them, and how they go out."""

import asyncio
import json
from base64 import b64encode
from time import perf_counter
from typing import Any

import pytest

from reelgate_server.adapters.providers.http import ProviderHttp
from reelgate_server.adapters.providers.json_body import PIECE_BYTES, Base64Text, JsonBody, data_url
from reelgate_server.ports.provider import ImageBytes
from reelgate_simulators.fal import FalSimulator

PROMPT = 'ein "Fuchs" \\ 狐狸 \U0001f98a\nim Schnee'


async def written(value: Any) -> bytes:
    body = JsonBody(value)
    content = b"".join([piece async for piece in body])
    assert body.size_bytes == len(content)
    return content


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"prompt": PROMPT},
        {"a": [], "b": {}, "c": [1, 2.5, None, True, False, "x"], "d": {"e": {"f": [[{}]]}}},
        {"half of a pair": "\ud83e"},
        {"\u0000": "\u0000", 'a "name"': "b"},
        [],
        ["a", {"b": "c"}],
        "text",
        7,
        None,
    ],
)
async def test_a_value_without_images_is_written_at_once(value: Any) -> None:
    assert json.loads(await written(value)) == value
    assert JsonBody(value).whole == await written(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        JsonBody({"a": {"b": [number]}})


@pytest.mark.parametrize("size_bytes", [0, 1, 2, 3, 4, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 700_000])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", 'a "quote"'])
async def test_an_image_stands_where_it_was_put(size_bytes: int, prefix: str) -> None:
    content = (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]
    text = prefix + b64encode(content).decode("ascii")
    image = Base64Text(content, prefix)
    assert json.loads(await written({"prompt": PROMPT, "list": [{"image": image}, image], "last": 1})) == {
        "prompt": PROMPT,
        "list": [{"image": text}, text],
        "last": 1,
    }
    assert str(image) == text


async def test_a_body_with_an_image_comes_in_pieces_of_bounded_size_and_again_if_asked_again() -> None:
    body = JsonBody({"image": Base64Text(bytes(2 << 20))})
    first, second = [[piece async for piece in body] for _ in range(2)]
    assert first == second
    assert max(map(len, first)) <= 256 * 1024
    assert body.whole is None


def test_an_image_is_written_as_a_data_url() -> None:
    assert str(data_url(ImageBytes(b"\x89PNG", "image/png"))) == "data:image/png;base64,iVBORw=="


async def test_a_body_goes_out_as_json_with_its_length_whether_with_an_image_or_without() -> None:
    content = bytes(range(250)) * 4_000
    async with FalSimulator() as server, ProviderHttp() as http:
        for value in ({"prompt": PROMPT}, {"image": Base64Text(content)}):
            await http.call("POST", f"{server.base_url}/any", is_submit=True, json=value, headers={"X-Mine": "1"})
    plain, pictured = server.requests
    for request in (plain, pictured):
        assert request.headers["content-type"] == "application/json"
        assert request.headers["content-length"] == str(len(request.content))
        assert "transfer-encoding" not in request.headers
        assert request.headers["x-mine"] == "1"
    assert json.loads(plain.content) == {"prompt": PROMPT}
    assert json.loads(pictured.content) == {"image": b64encode(content).decode("ascii")}


async def test_the_largest_image_holds_nothing_else_up() -> None:
    stalls: list[float] = []
    body = JsonBody({"image": Base64Text(bytes(20 << 20))})
    assert body.size_bytes == 27_962_028 + len('{"image":""}')
    started = perf_counter()
    async for _ in body:
        stalls.append(perf_counter() - started)
        # What sends a piece waits for the connection.
        await asyncio.sleep(0)
        started = perf_counter()
    # 0.3 ms each, and 80 ms for a codec that takes it all at once; a busy machine may interrupt one.
    assert sorted(stalls)[len(stalls) // 2] < 0.005
