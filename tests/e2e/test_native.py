"""The native surface over gRPC and over REST: create, get, list, cancel, watch, and the media it makes."""

import base64
import hashlib
import struct
import threading
from collections.abc import Iterator

import grpc
import httpx
import pytest
from google.protobuf import json_format
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from reelgate.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    job_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    video_service_pb2,
    video_service_pb2_grpc,
)
from tests.e2e.surfaces import refusal_of
from tests.e2e.watching import Fact, take, watch_grpc, watch_sse
from tests.support.product import Product, auth, bearer, create, follow, small_job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


@pytest.fixture(params=["direct", "through Envoy"])
def channel(request: pytest.FixtureRequest, product: Product) -> Iterator[grpc.Channel]:
    """A channel to the server, and one through Envoy's port."""
    with product.channel(through_envoy=request.param == "through Envoy") as opened:
        yield opened


@pytest.fixture(scope="module")
def done(shared_product: Product) -> job_pb2.Job:
    """A job that has succeeded."""
    with shared_product.http(shared_product.native_key) as http:
        return follow(shared_product, shared_product.native_key, create(http))


def test_grpc_and_rest_show_the_same_job_in_the_same_life(
    product: Product, native: httpx.Client, channel: grpc.Channel
) -> None:
    key = auth(product.native_key)
    videos = video_service_pb2_grpc.VideoServiceStub(channel)
    request = video_service_pb2.CreateJobRequest(
        model="local/storyboard", prompt="Both see the same", resolution="480p", idempotency_key=f"same-{id(channel)}"
    )
    request.clip_duration.FromSeconds(1)
    request.extra["seed"] = 11
    created = videos.CreateJob(request, metadata=key, timeout=30)
    assert videos.CreateJob(request, metadata=key, timeout=30).job_id == created.job_id
    assert created.state in {job_pb2.JOB_STATE_PENDING, job_pb2.JOB_STATE_PROCESSING}
    assert (created.price_micros, created.currency) == (10_000, "USD")
    assert not created.HasField("charged_micros")
    ended = follow(product, product.native_key, created.job_id)
    assert ended.state == job_pb2.JOB_STATE_SUCCEEDED
    assert ended.charged_micros == 10_000
    got = videos.GetJob(video_service_pb2.GetJobRequest(job_id=created.job_id), metadata=key, timeout=30)
    assert got == ended
    shown = native.get(f"/reelgate/v1/jobs/{created.job_id}")
    assert json_format.ParseDict(shown.json(), job_pb2.Job()) == ended
    assert shown.json()["extra"] == {"seed": 11}


def test_a_list_pages_through_every_job_once_newest_first(product: Product, channel: grpc.Channel) -> None:
    made = product.make_account(f"pages-{id(channel)}", "default", "5.00")
    with product.http(made.secret) as http:
        job_ids = [create(http, small_job(f"Page {index}", seconds=10)) for index in range(5)]
        for job_id in job_ids:
            http.post(f"/reelgate/v1/jobs/{job_id}:cancel", json={})
        rest, token = [], ""
        while True:
            page = http.get("/reelgate/v1/jobs", params={"page_size": 2, "page_token": token}).json()
            rest.append([job["job_id"] for job in page["jobs"]])
            if not (token := page["next_page_token"]):
                break
    newest_first = job_ids[::-1]
    assert rest == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    videos = video_service_pb2_grpc.VideoServiceStub(channel)
    request = video_service_pb2.ListJobsRequest(
        page_size=3, state=job_pb2.JOB_STATE_CANCELLED, model="local/storyboard"
    )
    first = videos.ListJobs(request, metadata=auth(made.secret), timeout=30)
    request.page_token = first.next_page_token
    second = videos.ListJobs(request, metadata=auth(made.secret), timeout=30)
    assert [job.job_id for job in (*first.jobs, *second.jobs)] == newest_first
    assert second.next_page_token == ""
    request = video_service_pb2.ListJobsRequest(state=job_pb2.JOB_STATE_SUCCEEDED)
    assert len(videos.ListJobs(request, metadata=auth(made.secret), timeout=30).jobs) == 0


def test_a_cancelled_job_ends_at_once_and_releases_its_hold(product: Product, channel: grpc.Channel) -> None:
    key = product.make_account(f"cancel-{id(channel)}", "default", "1.00").secret
    videos = video_service_pb2_grpc.VideoServiceStub(channel)
    accounts = account_service_pb2_grpc.AccountServiceStub(channel)

    def look() -> tuple[int, int]:
        balance = accounts.GetBalance(account_service_pb2.GetBalanceRequest(), metadata=auth(key), timeout=30)
        return balance.available_micros, balance.held_micros

    with product.http(key) as http:
        job_id = create(http, small_job(seconds=10))
    assert look() == (900_000, 100_000)
    request = video_service_pb2.CancelJobRequest(job_id=job_id)
    cancelled = videos.CancelJob(request, metadata=auth(key), timeout=30)
    assert cancelled.state == job_pb2.JOB_STATE_CANCELLED
    assert cancelled.HasField("end_time")
    assert look() == (1_000_000, 0)
    again = videos.CancelJob(request, metadata=auth(key), timeout=30)
    assert (again.state, again.sequence) == (cancelled.state, cancelled.sequence)
    entries = accounts.ListLedgerEntries(
        account_service_pb2.ListLedgerEntriesRequest(), metadata=auth(key), timeout=30
    ).entries
    assert [entry.available_change_micros for entry in entries] == [100_000, -100_000, 1_000_000]


def test_a_job_that_has_ended_cannot_be_cancelled(native: httpx.Client, done: job_pb2.Job) -> None:
    response = native.post(f"/reelgate/v1/jobs/{done.job_id}:cancel", json={})
    assert response.status_code == 400
    assert response.json()["details"][0]["reason"] == "JOB_NOT_CANCELLABLE"


def test_models_and_estimates_agree_with_what_a_job_costs(product: Product, channel: grpc.Channel) -> None:
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    request = model_service_pb2.EstimateCostRequest(model="fal/kling-2")
    estimate = models.EstimateCost(request, metadata=auth(product.geekhub_key), timeout=30)
    assert (estimate.price_micros, estimate.currency, estimate.affordable) == (4_200_000, "MXN", True)
    with product.http(product.geekhub_key) as http:
        shown = http.post("/reelgate/v1/models:estimate", json={"model": "fal/kling-2", "clip_duration": "10s"}).json()
    assert shown["price_micros"] == "8400000"


def test_every_watcher_sees_the_same_events_whenever_and_however_it_watches(
    product: Product, native: httpx.Client
) -> None:
    key = product.native_key
    seen: dict[str, list[Fact]] = {}
    # Two renders before it in the queue of two renderers: it has not begun when the first watches open.
    blockers = [create(native, small_job(f"Blocker {index}", seconds=3)) for index in range(2)]
    job_id = create(native, small_job("Watched by many", seconds=10))

    def watch_from_the_start(name: str) -> None:
        if name == "SSE from the start":
            with product.http(key) as http:
                seen[name] = take(watch_sse(http, job_id))
        else:
            with product.channel(through_envoy="Envoy" in name) as channel:
                seen[name] = take(watch_grpc(channel, key, job_id))

    names = ["SSE from the start", "gRPC from the start", "gRPC through Envoy from the start"]
    threads = [threading.Thread(target=watch_from_the_start, args=(name,)) for name in names]
    for thread in threads:
        thread.start()

    # One is cut after every second event, with its whole connection, and resumes by sequence.
    resumed: list[Fact] = []
    while not resumed or resumed[-1].state != job_pb2.JOB_STATE_SUCCEEDED:
        with product.channel() as channel:
            after = resumed[-1].sequence if resumed else 0
            resumed += take(watch_grpc(channel, key, job_id, after=after), until_event_count=2)
        if len(resumed) == 4:
            assert native.get(f"/reelgate/v1/jobs/{job_id}").json()["state"] == "JOB_STATE_PROCESSING"
            with product.channel() as channel:
                seen["during"] = take(watch_grpc(channel, key, job_id))
    seen["gRPC, cut and resumed"] = resumed

    resumed_sse: list[Fact] = []
    while not resumed_sse or resumed_sse[-1].state != job_pb2.JOB_STATE_SUCCEEDED:
        with product.http(key) as http:
            after = resumed_sse[-1].sequence if resumed_sse else 0
            resumed_sse += take(watch_sse(http, job_id, after=after), until_event_count=3)
    seen["SSE, cut and resumed"] = resumed_sse

    for thread in threads:
        thread.join(60)
    with product.channel(through_envoy=True) as channel:
        seen["gRPC after the end"] = take(watch_grpc(channel, key, job_id))
        last = seen["gRPC after the end"][-1].sequence
        assert take(watch_grpc(channel, key, job_id, after=last)) == []
    seen["SSE after the end"] = take(watch_sse(native, job_id))

    events = seen["gRPC after the end"]
    assert [fact.sequence for fact in events] == list(range(1, len(events) + 1))
    assert len(seen) == 8
    assert {name: facts for name, facts in seen.items() if facts != events} == {}
    types = [fact.event_type for fact in events]
    assert types[:3] == [
        job_pb2.JOB_EVENT_TYPE_CREATED,
        job_pb2.JOB_EVENT_TYPE_SUBMIT_INTENDED,
        job_pb2.JOB_EVENT_TYPE_SUBMITTED,
    ]
    assert types[-2:] == [job_pb2.JOB_EVENT_TYPE_RENDERED, job_pb2.JOB_EVENT_TYPE_STORED]
    assert set(types[3:-2]) == {job_pb2.JOB_EVENT_TYPE_PROGRESSED}
    progress = [fact.progress_percent for fact in events]
    assert progress == sorted(progress)
    assert [fact.progress_percent == 100 for fact in events] == [False] * (len(events) - 1) + [True]
    for blocker in blockers:
        follow(product, key, blocker)


def test_a_video_is_served_whole_in_part_or_not_at_all(done: job_pb2.Job) -> None:
    uri, size = done.video.uri, done.video.size_bytes
    with httpx.Client(trust_env=False) as http:
        whole = http.get(uri)
        assert whole.status_code == 200
        assert hashlib.sha256(whole.content).hexdigest() == done.video.sha256
        assert len(whole.content) == size
        etag = whole.headers["etag"]
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["content-type"] == "video/mp4"

        head = http.head(uri)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(size)
        assert head.headers["etag"] == etag

        ranges = {"0-0": (0, 1), "100-199": (100, 200), f"{size - 5}-": (size - 5, size), "-7": (size - 7, size)}
        for asked, (start, end) in ranges.items():
            part = http.get(uri, headers={"range": f"bytes={asked}"})
            assert part.status_code == 206
            assert part.content == whole.content[start:end]
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
            assert part.headers["content-length"] == str(end - start)

        beyond = http.get(uri, headers={"range": f"bytes={size}-"})
        assert beyond.status_code == 416
        assert beyond.headers["content-range"] == f"bytes */{size}"
        assert beyond.json()["details"][0]["reason"] == "RANGE_NOT_SATISFIABLE"

        assert http.get(uri, headers={"range": "bytes=0-1,5-6"}).content == whole.content
        assert http.get(uri, headers={"range": "bytes=0-9", "if-range": etag}).status_code == 206
        assert http.get(uri, headers={"range": "bytes=0-9", "if-range": '"other"'}).content == whole.content
        same = http.get(uri, headers={"if-none-match": etag})
        assert (same.status_code, same.content) == (304, b"")
        assert http.get(uri, headers={"if-none-match": '"other"'}).status_code == 200
        # The connection is still in step after answers without a body.
        assert http.get(uri, headers={"range": "bytes=-1"}).content == whole.content[-1:]


@pytest.mark.parametrize(
    "path",
    [
        "{account}/{job}/other.mp4",
        "{account}/{job}/video.mp4.part",
        "{job}/{account}/video.mp4",
        "{account}/00000000-0000-0000-0000-000000000000/video.mp4",
        "{account}/..%2f..%2f..%2freelgate.sqlite3/video.mp4",
        "..%2f..%2f/reelgate.sqlite3/video.mp4",
        "%2e%2e/%2e%2e/reelgate.sqlite3",
        "{account}/%00/video.mp4",
    ],
)
def test_media_that_does_not_exist_is_not_found(product: Product, done: job_pb2.Job, path: str) -> None:
    account = done.video.uri.split("/")[-3]
    url = f"{product.url}/media/generated-videos/{path.format(account=account, job=done.job_id)}"
    with httpx.Client(trust_env=False) as http:
        for method in ("GET", "HEAD"):
            response = http.request(method, url)
            assert response.status_code in {400, 404}, response.text
            assert "SQLite" not in response.text


def test_grpc_web_reaches_the_same_services(product: Product, done: job_pb2.Job) -> None:
    message = video_service_pb2.GetJobRequest(job_id=done.job_id).SerializeToString()
    frame = struct.pack(">BI", 0, len(message)) + message
    path = "/reelgate.v1.VideoService/GetJob"
    with product.http(product.native_key) as http:
        binary = http.post(path, content=frame, headers={"content-type": "application/grpc-web+proto"})
        text = http.post(
            path,
            content=base64.b64encode(frame),
            headers={
                "content-type": "application/grpc-web-text",
                "accept": "application/grpc-web-text",
                "origin": "https://app.example",
            },
        )
    assert (binary.status_code, text.status_code) == (200, 200)
    assert text.headers["access-control-allow-origin"] == "https://app.example"
    # The text may be padded wherever it was flushed, so each quantum is decoded by itself.
    quanta = (text.content[index : index + 4] for index in range(0, len(text.content), 4))
    for body in (binary.content, b"".join(map(base64.b64decode, quanta))):
        flag, length = struct.unpack(">BI", body[:5])
        assert flag == 0
        assert job_pb2.Job.FromString(body[5 : 5 + length]) == done
        assert b"grpc-status:0" in body[5 + length :].replace(b" ", b"")


def test_grpc_through_envoy_gets_rich_errors(product: Product, channel: grpc.Channel) -> None:
    videos = video_service_pb2_grpc.VideoServiceStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        videos.GetJob(video_service_pb2.GetJobRequest(job_id="x"), metadata=auth(product.native_key), timeout=30)
    assert refusal_of(error.value) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    with pytest.raises(grpc.RpcError) as nobody:
        videos.GetJob(video_service_pb2.GetJobRequest(job_id="x"), timeout=30)
    assert refusal_of(nobody.value) == ("UNAUTHENTICATED", "CREDENTIAL_MISSING")


def test_health_and_reflection_answer_directly_and_through_envoy(product: Product, channel: grpc.Channel) -> None:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        health_pb2.HealthCheckRequest.SerializeToString,
        health_pb2.HealthCheckResponse.FromString,
    )
    for service in ("", "reelgate.v1.VideoService", "reelgate.kyma.v1.KymaService"):
        answer = check(health_pb2.HealthCheckRequest(service=service), timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflect = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    (listed,) = reflect(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=30)
    names = {each.name for each in listed.list_services_response.service}
    assert {"reelgate.v1.VideoService", "reelgate.v1.MediaService", "reelgate.geekhub.v1.GeekHubService"} <= names
    with product.http() as http:
        assert http.get("/healthz").status_code == 200
        assert http.head("/healthz").status_code == 200


def test_a_watch_is_refused_before_its_first_message(product: Product) -> None:
    with product.http() as http:
        response = http.get(
            "/reelgate/v1/jobs/00000000-0000-0000-0000-000000000000:watch", headers=bearer(product.native_key)
        )
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert response.json()["details"][0]["reason"] == "JOB_NOT_FOUND"
