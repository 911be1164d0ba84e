"""What the answers mean."""

from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.providers.openai.addresses import (
    checked_base_url,
    content_url,
    elsewhere,
    source_url,
    video_url,
)
from reelgate_server.adapters.providers.openai.answers import (
    from_check,
    from_create,
    from_delete,
    from_get,
    poll_after,
)
from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.shapes import Video, read_video
from reelgate_server.domain.events import FailureCode
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning
from tests.adapters.openai.samples import CONTENT, PROMPT, make_answer, make_video

LITELLM_ID = "video_bGl0ZWxsbTpjdXN0b20/Pz8+Pj4tLQ=="


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("task_id", ["video_123", "video_gen_0af", "3c7a64f2-6a66-4ab1-8f0f-ad7ffb1fd1b9", LITELLM_ID])
def test_a_create_gives_an_id(dialect: Dialect, task_id: str) -> None:
    assert from_create(make_answer({"id": task_id, "status": "queued"}, is_submit=True), dialect) == task_id


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"id": ["video_1"]},
        {"id": "."},
        {"id": ".."},
        {"id": "video 1"},
        {"id": "video_1\n"},
        {"id": "x" * 2049},
        {"error": {"message": "An error under a success."}},
        [{"id": "video_1"}],
        "",
        "not JSON",
        '{"id": "video_',
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_a_success_without_an_id_may_have_been_accepted(body: object) -> None:
    with pytest.raises(ProviderFault) as raised:
        from_create(make_answer(body, is_submit=True), Dialect.OPENAI)
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNINTELLIGIBLE, True)


def test_what_cannot_be_read_is_not_quoted_because_it_may_repeat_the_prompt() -> None:
    body = f'{{"prompt": "{PROMPT[:20]}'
    with pytest.raises(ProviderFault) as raised:
        from_create(make_answer(body, is_submit=True, content_type="application/json"), Dialect.OPENAI)
    assert raised.value.fault.detail == "HTTP 200: no id; no known form: application/json, 32 bytes"


@pytest.mark.parametrize("status", ["queued", "in_progress", "processing"])
@pytest.mark.parametrize("dialect", Dialect)
def test_a_video_in_the_making_is_running(dialect: Dialect, status: str) -> None:
    assert state_of(make_video(status, progress=40), dialect) == TaskRunning(progress_percent=40)


@pytest.mark.parametrize(
    ("progress", "percent"),
    [
        (0, 0),
        (37, 37),
        (37.9, 37),
        (100, 100),
        (140, 100),
        (-5, 0),
        (10**400, 100),
        (None, None),
        ("40", None),
        (True, None),
        ({"percent": 40}, None),
    ],
)
def test_progress_is_a_percentage_or_unknown(progress: object, percent: int | None) -> None:
    assert state_of(make_video("in_progress", progress=progress)) == TaskRunning(progress_percent=percent)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_progress_that_is_no_number_is_unknown(text: str) -> None:
    body = f'{{"id": "video_1", "status": "in_progress", "progress": {text}}}'
    assert from_get(make_answer(body), Dialect.OPENAI, content=CONTENT) == TaskRunning()


def test_only_an_id_and_a_status_are_needed() -> None:
    assert state_of({"id": "video_1", "status": "in_progress"}) == TaskRunning()
    assert state_of({"id": "video_1", "status": "completed"}) == TaskDone(source_url=CONTENT)


@pytest.mark.parametrize("dialect", Dialect)
def test_a_completed_video_is_at_its_content_address(dialect: Dialect) -> None:
    assert state_of(make_video("completed", progress=100), dialect) == TaskDone(source_url=CONTENT)


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        ("cancelled", FaultKind.UNAVAILABLE, "The provider is not available."),
        ("deleted", FaultKind.TASK_UNKNOWN, "The provider has lost the job."),
    ],
)
def test_a_video_that_will_never_be_has_failed(status: str, kind: FaultKind, message: str) -> None:
    state = state_of(make_video(status))
    assert isinstance(state, TaskFailed)
    assert (state.failure.code, state.failure.message) == (FailureCode.PROVIDER_ERROR, message)
    assert state.failure.fault is not None
    assert (state.failure.fault.kind, state.failure.fault.detail) == (
        kind,
        f"HTTP 200: the server says that the video is {status}",
    )


@pytest.mark.parametrize("status", ["paused", "", "COMPLETED", "succeeded"])
def test_an_unknown_status_says_nothing_of_the_video(status: str) -> None:
    fault = fault_of(make_video(status))
    assert (fault.kind, fault.detail) == (FaultKind.UNINTELLIGIBLE, f"HTTP 200: unknown status {status!r}")


@pytest.mark.parametrize(
    "body",
    [{}, {"status": None}, {"status": 7}, {"status": ["completed"]}, [], "text", "", '{"status": "comp', "[" * 100_000],
)
def test_an_answer_that_is_no_video_says_nothing_of_it(body: object) -> None:
    assert fault_of(body).kind is FaultKind.UNINTELLIGIBLE


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"detail": "Video not found"}, FaultKind.TASK_UNKNOWN),
        ({"error": {"message": "Video not found", "code": "not_found"}}, FaultKind.TASK_UNKNOWN),
        ({"error": {"message": "litellm.NotFoundError: …", "type": None, "code": "404"}}, FaultKind.TASK_UNKNOWN),
        ({"detail": "Not Found"}, FaultKind.INVALID),
        ({"message": "no Route matched with those values"}, FaultKind.INVALID),
        ("<html>404</html>", FaultKind.INVALID),
        ("", FaultKind.INVALID),
    ],
)
def test_a_video_is_unknown_only_to_whoever_keeps_the_videos(body: object, kind: FaultKind) -> None:
    assert fault_of(body, status=404).kind is kind


def test_a_failed_job_under_an_error_status_is_no_failed_question() -> None:
    body = make_video("failed", error={"code": 500, "message": "CUDA out of memory"})
    state = state_of(body, Dialect.VLLM_OMNI, status=500)
    assert isinstance(state, TaskFailed)
    assert state.failure.fault is not None
    assert (state.failure.fault.kind, state.failure.fault.detail) == (
        FaultKind.UNAVAILABLE,
        "HTTP 500: 500: CUDA out of memory",
    )


def test_an_error_of_a_proxy_that_has_a_status_is_no_failed_job() -> None:
    assert fault_of({"status": "failed", "message": "bad gateway"}, status=502).kind is FaultKind.UNAVAILABLE


def test_a_job_that_runs_under_an_error_status_is_a_failed_question() -> None:
    assert fault_of(make_video("in_progress"), status=503).kind is FaultKind.UNAVAILABLE


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("250", timedelta(milliseconds=250)),
        (" 5000 ", timedelta(seconds=5)),
        ("0", timedelta(milliseconds=100)),
        ("99", timedelta(milliseconds=100)),
        ("60001", timedelta(minutes=1)),
        ("999999999", timedelta(minutes=1)),
        ("9999999999", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("", None),
    ],
)
def test_a_wish_for_the_next_look_is_bounded(header: str, pause: timedelta | None) -> None:
    answer = make_answer(make_video("in_progress"), openai_poll_after_ms=header)
    assert poll_after(answer) == pause
    assert from_get(answer, Dialect.OPENAI, content=CONTENT) == TaskRunning(progress_percent=0, poll_after=pause)


def test_no_wish_is_none() -> None:
    assert poll_after(make_answer(make_video("queued"))) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"id": "video_1", "object": "video.deleted", "deleted": True}),
        (409, {"detail": "Cancellation in progress. Please try again later."}),
        (404, {"detail": "Video not found"}),
        (204, ""),
    ],
)
def test_a_deletion_that_is_under_way_or_done_is_told(status: int, body: object) -> None:
    from_delete(make_answer(body, status=status))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, "<html>404 Not Found</html>", FaultKind.INVALID),
        (404, {"detail": "Not Found"}, FaultKind.INVALID),
        (200, "<html>Welcome</html>", FaultKind.UNINTELLIGIBLE),
    ],
)
def test_a_proxy_s_word_on_a_deletion_is_not_the_server_s(status: int, body: object, kind: FaultKind) -> None:
    """Or a render would go on for nobody, and nobody would tell it to stop."""
    with pytest.raises(ProviderFault) as raised:
        from_delete(make_answer(body, status=status))
    assert raised.value.fault.kind is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(401, FaultKind.UNAUTHORIZED), (405, FaultKind.INVALID), (500, FaultKind.UNAVAILABLE)]
)
def test_another_answer_to_a_deletion_is_a_fault(status: int, kind: FaultKind) -> None:
    with pytest.raises(ProviderFault) as raised:
        from_delete(make_answer({"detail": "no"}, status=status))
    assert raised.value.fault.kind is kind


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"object": "list", "data": []}), (404, {"detail": "Not Found"}), (404, "<html>404</html>")],
)
def test_a_check_passes_where_nobody_refuses_the_key(status: int, body: object) -> None:
    from_check(make_answer(body, status=status))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"detail": "Unauthorized"}, FaultKind.UNAUTHORIZED),
        (403, "", FaultKind.UNAUTHORIZED),
        (400, {"error": {"message": "No connected db.", "type": "no_db_connection"}}, FaultKind.UNAUTHORIZED),
        (400, {"detail": "not supported with --api-server-count > 1"}, FaultKind.INVALID),
        (429, {"detail": "slow down"}, FaultKind.THROTTLED),
        (502, "<html>502</html>", FaultKind.UNAVAILABLE),
        (301, "", FaultKind.UNINTELLIGIBLE),
        (200, "<html>Welcome</html>", FaultKind.UNINTELLIGIBLE),
    ],
)
def test_a_check_tells_what_is_wrong(status: int, body: object, kind: FaultKind) -> None:
    with pytest.raises(ProviderFault) as raised:
        from_check(make_answer(body, status=status))
    assert raised.value.fault.kind is kind


def test_ids_are_encoded_in_addresses() -> None:
    base = "http://proxy.example:4000/v1"
    encoded = "http://proxy.example:4000/v1/videos/video_bGl0ZWxsbTpjdXN0b20%2FPz8%2BPj4tLQ%3D%3D"
    assert video_url(base, LITELLM_ID) == encoded
    assert content_url(base, LITELLM_ID) == f"{encoded}/content"
    assert video_url(base, "a/../../admin?x#y") == f"{base}/videos/a%2F..%2F..%2Fadmin%3Fx%23y"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://gpu.example:8000/v1", "http://gpu.example:8000/v1"),
        ("http://gpu.example:8000/v1/", "http://gpu.example:8000/v1"),
        ("https://gpu.example", "https://gpu.example"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_a_base_url_is_taken_with_or_without_a_slash_at_its_end(given: str, base: str) -> None:
    assert checked_base_url(given) == base


@pytest.mark.parametrize(
    "given",
    [
        "",
        "gpu.example:8000",
        "ftp://gpu.example/v1",
        "http://",
        "http://gpu.example:port/v1",
        "https://user:s3cret@gpu.example/v1",
        "https://gpu.example/v1?key=s3cret",
        "https://gpu.example/v1#s3cret",
    ],
)
def test_a_base_url_that_cannot_be_stored_is_refused_and_not_quoted(given: str) -> None:
    with pytest.raises(ValueError, match="base_url of an OpenAI-shaped server") as raised:
        checked_base_url(given)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("keys", "source"),
    [
        ({"url": "https://bucket.example/v.mp4"}, "https://bucket.example/v.mp4"),
        ({"url": "http://minio.example:9000/b/v.mp4"}, "http://minio.example:9000/b/v.mp4"),
        ({"url": None, "urls": [None, "https://bucket.example/v.mp4"]}, "https://bucket.example/v.mp4"),
        ({"url": "https://bucket.example/v.mp4?X-Amz-Signature=abc"}, CONTENT),
        ({"url": "https://me:secret@bucket.example/v.mp4"}, CONTENT),
        ({"url": "/outputs/v.mp4"}, CONTENT),
        ({"url": "file:///outputs/v.mp4"}, CONTENT),
        ({"url": "https://"}, CONTENT),
        ({"url": "https://bucket.example:port/v.mp4"}, CONTENT),
        ({"url": "https://bucket.example/" + 2048 * "v"}, CONTENT),
        ({"url": 7, "urls": "https://bucket.example/v.mp4"}, CONTENT),
        ({"url": None, "urls": None}, CONTENT),
        ({}, CONTENT),
    ],
)
def test_sglang_may_say_where_a_file_was_uploaded(keys: dict[str, Any], source: str) -> None:
    assert state_of(make_video("completed", **keys), Dialect.SGLANG) == TaskDone(source_url=source)


@pytest.mark.parametrize("dialect", [Dialect.OPENAI, Dialect.VLLM_OMNI, Dialect.LITELLM])
def test_nobody_else_is_asked_where_a_file_is(dialect: Dialect) -> None:
    body = make_video("completed", url="https://bucket.example/v.mp4")
    assert state_of(body, dialect) == TaskDone(source_url=CONTENT)


def test_a_file_behind_https_is_not_fetched_in_the_clear() -> None:
    video = read_video(make_video("completed", url="http://bucket.example/v.mp4"))
    assert isinstance(video, Video)
    content = "https://gpu.example/v1/videos/video_1/content"
    assert source_url(video, Dialect.SGLANG, content=content) == content


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://cdn.example/v.mp4?sig=abc", "https://cdn.example/v.mp4?sig=abc"),
        ("http://cdn.example/v.mp4", "http://cdn.example/v.mp4"),
        ("/files/v.mp4", "http://gpu.example:8000/files/v.mp4"),
        ("//cdn.example/v.mp4", "http://cdn.example/v.mp4"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_says_where_a_file_is(status: int, location: str, target: str) -> None:
    answer = make_answer("", status=status, location=location)
    assert elsewhere(answer, Dialect.OPENAI, address=CONTENT) == target


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("http://cdn.example/v.mp4", "https://gpu.example/v1/videos/video_1/content"),
        ("ftp://cdn.example/v.mp4", CONTENT),
        ("file:///etc/passwd", CONTENT),
        ("https://me:secret@cdn.example/v.mp4", CONTENT),
        ("https://cdn.example:port/v.mp4", CONTENT),
        ("https://cdn.example/" + 2048 * "v", CONTENT),
        ("", CONTENT),
    ],
)
def test_an_address_that_is_less_safe_is_not_followed(location: str, address: str) -> None:
    with pytest.raises(ProviderFault) as raised:
        elsewhere(make_answer("", status=302, location=location), Dialect.OPENAI, address=address)
    assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE
    assert "secret" not in raised.value.fault.detail


def test_sglangs_refusal_says_where_a_file_was_uploaded() -> None:
    detail = "Video has been uploaded to cloud storage. Please use the cloud URL: https://bucket.example/v.mp4"
    answer = make_answer({"detail": detail}, status=400)
    assert elsewhere(answer, Dialect.SGLANG, address=CONTENT) == "https://bucket.example/v.mp4"
    with pytest.raises(ProviderFault) as raised:
        elsewhere(answer, Dialect.VLLM_OMNI, address=CONTENT)
    assert raised.value.fault.kind is FaultKind.INVALID


def state_of(body: object, dialect: Dialect = Dialect.OPENAI, *, status: int = 200) -> object:
    return from_get(make_answer(body, status=status), dialect, content=CONTENT)


def fault_of(body: object, *, status: int = 200) -> Any:
    with pytest.raises(ProviderFault) as raised:
        from_get(make_answer(body, status=status), Dialect.OPENAI, content=CONTENT)
    assert not raised.value.fault.is_maybe_accepted
    return raised.value.fault
