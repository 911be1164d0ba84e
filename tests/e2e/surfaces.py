"""What the four REST surfaces have in common, for tests that do the same to each."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from google.rpc import error_details_pb2, status_pb2

from tests.support.product import Product

LEAKS = (
    "Traceback",
    "Error:",
    "Exception",
    "reelgate_server",
    "site-packages",
    ".py",
    "sqlite",
    "grpcio",
    "upstream",
    "envoy",
    "127.0.0.1",
    "0x",
)
"""Words that would tell a caller what we are made of."""


def _geekhub_code(body: Mapping[str, Any]) -> str:
    assert list(body) == ["error"]
    error = body["error"]
    assert list(error) == ["message", "type", "code", "request_id"]
    assert error["type"] == error["code"]
    assert error["message"]
    assert len(error["request_id"]) == len("req_") + 24
    return str(error["code"])


def _kyma_code(body: Mapping[str, Any]) -> str:
    assert list(body) == ["error"]
    error = body["error"]
    assert set(error) - {"cta_url"} == {"message", "type", "code"}
    assert error["message"]
    return str(error["code"])


def _concurred_code(body: Mapping[str, Any]) -> str:
    assert list(body) == ["error"]
    error = body["error"]
    assert list(error) == ["code", "message", "details"]
    assert error["message"]
    return str(error["code"])


def _native_code(body: Mapping[str, Any]) -> str:
    assert list(body) == ["code", "message", "details"]
    assert body["message"]
    assert 0 < body["code"] <= 16
    (info,) = (each for each in body["details"] if each["@type"].endswith("/google.rpc.ErrorInfo"))
    assert info["domain"] == "reelgate"
    return str(info["reason"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One of them."""

    name: str
    plan: str
    create_paths: tuple[str, ...]
    """Every path of its create."""
    read_path: str
    """Of one job, with a place for its id."""
    good_body: Mapping[str, Any]
    """A create that is taken, and whose job lasts long enough to be cancelled."""
    code_of: Callable[[Mapping[str, Any]], str]
    """The code of an error; checks the documented shape."""


NATIVE = Surface(
    name="native",
    plan="default",
    create_paths=("/reelgate/v1/jobs",),
    read_path="/reelgate/v1/jobs/{}",
    good_body={"model": "local/storyboard", "prompt": "A good one", "clip_duration": "10s", "resolution": "480p"},
    code_of=_native_code,
)
GEEKHUB = Surface(
    name="geekhub",
    plan="geekhub",
    create_paths=("/v1/videos/generations", "/geekhub/v1/videos/generations"),
    read_path="/v1/videos/{}",
    good_body={"model": "fal/kling-2", "prompt": "A good one", "duration": 10},
    code_of=_geekhub_code,
)
KYMA = Surface(
    name="kyma",
    plan="kyma",
    create_paths=("/v1/videos/generations", "/kyma/v1/videos/generations", "/v1/genmedia/jobs"),
    read_path="/v1/jobs/{}",
    good_body={"model": "hailuo-02-512p", "prompt": "A good one", "duration": 10},
    code_of=_kyma_code,
)
CONCURRED = Surface(
    name="concurred",
    plan="concurred",
    create_paths=("/api/v1/video/generate", "/concurred/api/v1/video/generate"),
    read_path="/api/v1/video/status?provider=google&operation_id=operations/{}",
    good_body={"model": "veo-3.1-fast", "prompt": "A good one", "duration": "8"},
    code_of=_concurred_code,
)
SURFACES = {surface.name: surface for surface in (NATIVE, GEEKHUB, KYMA, CONCURRED)}


@dataclass(frozen=True, slots=True)
class Caller:
    """A customer of one surface."""

    surface: Surface
    http: httpx.Client
    """With a key of an account that has money, on the surface's plan."""

    def post(self, path: str, body: object) -> httpx.Response:
        """Send a JSON body, lone surrogates and all."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(path, content=content, headers={"content-type": "application/json"})

    def require_refusal(self, response: httpx.Response, status: int, code: str) -> None:
        """Check status, code, shape and headers of an error, and that it tells nothing of us."""
        assert (response.status_code, self.surface.code_of(response.json())) == (status, code), response.text
        require_discretion(response)


def require_discretion(response: httpx.Response) -> None:
    """Check that an answer is the client's fault and tells nothing of what we are made of."""
    assert response.status_code < 500, response.text
    assert [word for word in LEAKS if word in response.text] == [], response.text
    ours = ("grpc-", "x-http-status", "x-error-body", "x-content-length", "x-envoy", "x-reelgate")
    assert [name for name in response.headers if name.startswith(ours)] == []


def make_key(product: Product, surface: Surface, name: str) -> str:
    """A key of a new account with money."""
    return product.make_account(name, surface.plan, "100.00").secret


def refusal_of(error: grpc.RpcError) -> tuple[str, str]:
    """Code and reason of a gRPC refusal, which must tell nothing of us."""
    trailers = {each.key: each.value for each in error.trailing_metadata()}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "reelgate"
    assert status.message == error.details()
    assert [word for word in LEAKS if word in status.message] == []
    return error.code().name, info.reason
