"""Every source of images keeps the promises of `ports/images.py`."""

import socket
from collections.abc import Sequence

import httpx
import pytest

from reelgate_server.adapters.images import HttpImageSource
from tests.contract.images_contract import HOSTED, ImageSourceContract
from tests.support.images import FakeImageSource

BY_HOST_AND_PATH = {url.split("://")[-1].lower(): content for url, content in HOSTED.items()}


def _resolve(host: str, _port: int) -> Sequence[str]:
    if host == "images.test":
        return ["93.184.215.14"]
    # The system knows every form of an address; no name server is asked.
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)]


def _answer(request: httpx.Request) -> httpx.Response:
    asked = request.headers["host"] + request.url.raw_path.decode("ascii")
    content = BY_HOST_AND_PATH.get(asked)
    # Given as `content`, it would count as read, and could not be streamed.
    return httpx.Response(404) if content is None else httpx.Response(200, stream=httpx.ByteStream(content))


class TestHttpImageSource(ImageSourceContract):
    @pytest.fixture
    def images(self) -> HttpImageSource:
        return HttpImageSource(resolve=_resolve, open_transport=lambda: httpx.MockTransport(_answer))


class TestFakeImageSource(ImageSourceContract):
    @pytest.fixture
    def images(self) -> FakeImageSource:
        return FakeImageSource(HOSTED)
