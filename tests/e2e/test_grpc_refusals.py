"""Bad input over direct gRPC, and clients that go away in the middle."""

import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest

from reelgate.v1 import video_service_pb2, video_service_pb2_grpc
from tests.e2e.surfaces import refusal_of
from tests.e2e.watching import take, watch_grpc, watch_sse
from tests.support.product import Product, auth, balance, create, eventually, follow, small_job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

VIDEO_SERVICE = "/reelgate.v1.VideoService"


@pytest.fixture
def channel(product: Product) -> Iterator[grpc.Channel]:
    """A channel to the server itself."""
    with product.channel() as opened:
        yield opened


@pytest.fixture(scope="module")
def payer_key(shared_product: Product) -> str:
    """A key of an account with money."""
    return shared_product.make_account("grpc-refusals", "default", "1.00").secret


@pytest.fixture
def payer(product: Product, payer_key: str) -> Iterator[str]:
    """The same; each test leaves the account as it was."""
    yield payer_key
    with product.http(payer_key) as http:
        assert balance(http) == (1_000_000, 0)


REQUESTS: list[tuple[str, Any, tuple[str, str]]] = [
    ("CreateJob", {"prompt": "No model"}, ("INVALID_ARGUMENT", "INVALID_REQUEST")),
    ("CreateJob", {"model": "fal/ñ", "prompt": "x"}, ("NOT_FOUND", "MODEL_NOT_FOUND")),
    ("CreateJob", {"model": "m" * 100_000, "prompt": "x"}, ("NOT_FOUND", "MODEL_NOT_FOUND")),
    ("CreateJob", {"model": "local/storyboard"}, ("INVALID_ARGUMENT", "INVALID_SPEC")),
    ("CreateJob", {"model": "local/storyboard", "prompt": "🎬" * 4001}, ("INVALID_ARGUMENT", "INVALID_SPEC")),
    ("CreateJob", {"model": "local/storyboard", "prompt": "\0"}, ("INVALID_ARGUMENT", "INVALID_SPEC")),
    (
        "CreateJob",
        {"model": "local/storyboard", "prompt": "x", "clip_duration": {"seconds": 5, "nanos": 1}},
        ("INVALID_ARGUMENT", "INVALID_SPEC"),
    ),
    (
        "CreateJob",
        {"model": "local/storyboard", "prompt": "x", "clip_duration": {"seconds": 2**62}},
        ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    ),
    (
        "CreateJob",
        {"model": "local/storyboard", "prompt": "x", "clip_duration": {"nanos": -(2**31)}},
        ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    ),
    (
        "CreateJob",
        {"model": "local/storyboard", "prompt": "x", "extra": {"seed": float("nan")}},
        ("INVALID_ARGUMENT", "INVALID_SPEC"),
    ),
    (
        "CreateJob",
        {"model": "local/storyboard", "prompt": "x", "idempotency_key": ""},
        ("INVALID_ARGUMENT", "INVALID_REQUEST"),
    ),
    ("GetJob", {"job_id": "abc"}, ("INVALID_ARGUMENT", "INVALID_REQUEST")),
    ("GetJob", {"job_id": "00000000-0000-0000-0000-000000000000"}, ("NOT_FOUND", "JOB_NOT_FOUND")),
    ("CancelJob", {"job_id": ""}, ("INVALID_ARGUMENT", "INVALID_REQUEST")),
    ("CancelJob", {"job_id": "00000000-0000-0000-0000-000000000000"}, ("NOT_FOUND", "JOB_NOT_FOUND")),
    ("ListJobs", {"page_token": "x"}, ("INVALID_ARGUMENT", "INVALID_REQUEST")),
    ("ListJobs", {"state": 77}, ("INVALID_ARGUMENT", "INVALID_REQUEST")),
    ("ListJobs", {"page_size": -1}, ("INVALID_ARGUMENT", "INVALID_REQUEST")),
]


@pytest.mark.parametrize(("method", "fields", "expected"), REQUESTS, ids=lambda value: str(value)[:60])
def test_a_bad_request_is_refused_with_its_reason(
    channel: grpc.Channel, payer: str, method: str, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    request = getattr(video_service_pb2, f"{method}Request")(**fields)
    call = getattr(video_service_pb2_grpc.VideoServiceStub(channel), method)
    with pytest.raises(grpc.RpcError) as error:
        call(request, metadata=auth(payer), timeout=30)
    assert refusal_of(error.value) == expected


def call_raw(channel: grpc.Channel, path: str, data: bytes, key: str) -> Iterable[bytes]:
    """Send bytes as they are; a method that answers once looks like one that streams a single message."""
    call: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path, None, None)
    return call(data, metadata=auth(key), timeout=30)


NO_MESSAGES = [b"\xff\xff\xff", b"\x0a\xffshort", b'{"model": "JSON"}']
BAD_TEXT = b"\x12\x02\xed\xa0"
"""Half a character, in the second field: a string in the first two of the methods."""


@pytest.mark.parametrize(
    ("method", "data"),
    [
        *((method, data) for method in ("CreateJob", "ListJobs", "CancelJob", "WatchJob") for data in NO_MESSAGES),
        ("CreateJob", BAD_TEXT),
        ("ListJobs", BAD_TEXT),
    ],
)
def test_bytes_that_are_no_message_are_refused(channel: grpc.Channel, payer: str, method: str, data: bytes) -> None:
    path = f"{VIDEO_SERVICE}/{method}"
    with pytest.raises(grpc.RpcError) as error:
        list(call_raw(channel, path, data, payer))
    assert refusal_of(error.value) == ("INVALID_ARGUMENT", "INVALID_REQUEST")


def test_a_message_over_the_limit_and_an_unknown_method_are_refused(channel: grpc.Channel, payer: str) -> None:
    with pytest.raises(grpc.RpcError) as large:
        list(call_raw(channel, f"{VIDEO_SERVICE}/CreateJob", b"x" * (33 << 20), payer))
    assert large.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as unknown:
        list(call_raw(channel, f"{VIDEO_SERVICE}/DropTables", b"", payer))
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "CREDENTIAL_MISSING"),
        ((("authorization", "Bearer nobody"),), "CREDENTIAL_UNKNOWN"),
        ((("authorization", "Basic bWU6cHc="),), "CREDENTIAL_UNKNOWN"),
        ((("x-api-key", "k" * 10_000),), "CREDENTIAL_UNKNOWN"),
    ],
    ids=["none", "unknown", "basic", "long"],
)
def test_a_caller_without_a_good_key_is_refused(
    channel: grpc.Channel, metadata: tuple[tuple[str, str], ...], reason: str
) -> None:
    videos = video_service_pb2_grpc.VideoServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        videos.ListJobs(video_service_pb2.ListJobsRequest(), metadata=metadata, timeout=30)
    assert refusal_of(error.value) == ("UNAUTHENTICATED", reason)


def test_a_watch_from_beyond_the_log_is_refused(channel: grpc.Channel, native: httpx.Client, product: Product) -> None:
    job_id = create(native)
    with pytest.raises(grpc.RpcError) as error:
        take(watch_grpc(channel, product.native_key, job_id, after=999))
    assert refusal_of(error.value) == ("OUT_OF_RANGE", "SEQUENCE_OUT_OF_RANGE")
    native.post(f"/reelgate/v1/jobs/{job_id}:cancel", json={})


def test_watchers_that_go_away_leave_the_job_and_the_server_alone(product: Product, native: httpx.Client) -> None:
    job_id = create(native, small_job("Everybody leaves", seconds=5))
    for _ in range(20):
        with product.channel() as channel:
            next(watch_grpc(channel, product.native_key, job_id))
        with product.http(product.native_key) as http:
            next(watch_sse(http, job_id))
    assert follow(product, product.native_key, job_id).video.size_bytes > 0
    assert native.get("/healthz").status_code == 200


def test_a_client_that_goes_away_in_the_middle_of_a_download_harms_nobody(
    product: Product, native: httpx.Client
) -> None:
    job = follow(product, product.native_key, create(native, small_job("Half of it is enough", seconds=5)))
    address = urlsplit(job.video.uri)
    request = f"GET {address.path} HTTP/1.1\r\nhost: {address.netloc}\r\n\r\n".encode()
    for read_bytes in (1, 1000, 65_536, 0):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(request)
            assert len(connection.recv(read_bytes)) <= read_bytes
    whole = httpx.get(job.video.uri, trust_env=False)
    assert len(whole.content) == job.video.size_bytes


def test_a_client_that_never_finishes_its_request_holds_nothing_up(product: Product, native: httpx.Client) -> None:
    head = b"POST /reelgate/v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
    connections = [socket.create_connection(("127.0.0.1", product.port), timeout=10) for _ in range(50)]
    try:
        for connection in connections:
            connection.sendall(head)
        begin = time.monotonic()
        assert native.get("/reelgate/v1/balance").status_code == 200
        assert time.monotonic() - begin < 5
    finally:
        for connection in connections:
            connection.close()
    eventually(lambda: native.get("/healthz").status_code == 200, limit_s=5, what="healthy")
