"""Literal answers of MiniMax, and what they mean."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.minimax.answers import (
    file_id_of,
    from_check,
    from_query,
    from_retrieve,
    from_submit,
    retrieve_url,
)
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.provider import TaskDone, TaskFailed, TaskRunning, TaskState
from tests.adapters.minimax.samples import base_resp, make_answer

BASE = "https://api.minimax.io"
TASK = "106916112212032"
FILE = "176844028768320"
OK = {"status_code": 0, "status_msg": "success"}


def query(body: object, **more: Any) -> TaskState:
    return from_query(make_answer(body, **more), task_id=TASK, base_url=BASE)


def retrieve(body: object, *, is_plain_allowed: bool = False) -> str:
    return from_retrieve(make_answer(body), file_id=FILE, is_plain_allowed=is_plain_allowed)


def fault_of_submit(body: object, **more: Any) -> Fault:
    with pytest.raises(ProviderFault) as raised:
        from_submit(make_answer(body, is_submit=True, **more))
    return raised.value.fault


def fault_of_query(body: object, **more: Any) -> Fault:
    with pytest.raises(ProviderFault) as raised:
        query(body, **more)
    assert not raised.value.fault.is_maybe_accepted
    return raised.value.fault


@pytest.mark.parametrize("task_id", [TASK, 106916112212032])
def test_a_submit_answers_with_the_task_as_text_or_as_a_number(task_id: object) -> None:
    assert from_submit(make_answer({"task_id": task_id, "base_resp": OK}, is_submit=True)) == TASK


def test_a_status_without_a_text_is_a_status() -> None:
    assert from_submit(make_answer({"task_id": TASK, "base_resp": {"status_code": 0}}, is_submit=True)) == TASK
    assert fault_of_submit({"base_resp": {"status_code": 1004, "status_msg": ["?"]}}).kind is FaultKind.UNAUTHORIZED


UNREADABLE: list[object] = [
    "",
    "not JSON",
    '{"task_id": "1069',
    "[1]",
    "null",
    {},
    {"task_id": TASK},
    {"task_id": TASK, "status": "Success", "file_id": FILE},
    {"task_id": TASK, "base_resp": None},
    {"task_id": TASK, "base_resp": []},
    {"task_id": TASK, "base_resp": {}},
    {"task_id": TASK, "base_resp": {"status_code": "0"}},
    {"task_id": TASK, "base_resp": {"status_code": False}},
    {"task_id": TASK, "base_resp": {"status_code": 0.0}},
    {"task_id": TASK, "base_resp": {"status_code": None}},
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_an_answer_without_a_readable_base_resp_is_unintelligible_and_a_submit_so_answered_ambiguous(
    body: object,
) -> None:
    fault = fault_of_submit(body)
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNINTELLIGIBLE, True)
    assert fault_of_query(body).kind is FaultKind.UNINTELLIGIBLE


@pytest.mark.parametrize("task_id", ["", " ", "a b", "x" * 129, 0, -1, True, 1.5, None, ["1"], {"id": "1"}])
def test_a_good_submit_that_names_no_task_is_ambiguous(task_id: object) -> None:
    fault = fault_of_submit({"task_id": task_id, "base_resp": OK})
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.UNINTELLIGIBLE, True)


@pytest.mark.parametrize("code", [1002, 1004, 1008, 1026, 2013, 2049])
def test_a_refusal_that_names_a_task_nevertheless_is_ambiguous(code: int) -> None:
    assert fault_of_submit({"task_id": TASK, "base_resp": base_resp(code)}).is_maybe_accepted
    assert not fault_of_submit({"task_id": "", "base_resp": base_resp(code)}).is_maybe_accepted
    assert not fault_of_submit({"task_id": 0, "base_resp": base_resp(code)}).is_maybe_accepted


@pytest.mark.parametrize("status", ["Preparing", "Queueing", "Processing"])
def test_a_task_that_has_not_ended_is_running(status: str) -> None:
    assert query({"task_id": TASK, "status": status, "file_id": "", "base_resp": OK}) == TaskRunning()


@pytest.mark.parametrize("file_id", [FILE, 176844028768320])
def test_a_success_is_a_reference_to_its_file_without_any_signature(file_id: object) -> None:
    body = {
        "task_id": TASK,
        "status": "Success",
        "file_id": file_id,
        "video_width": 1920,
        "video_height": 1080,
        "base_resp": OK,
    }
    assert query(body) == TaskDone(source_url="https://api.minimax.io/v1/files/retrieve?file_id=176844028768320")


@pytest.mark.parametrize("file_id", ["", None, 0, -1, True, 1.5, [FILE], {}, "1&key=2", "a/b"])
def test_a_success_without_a_file_is_unintelligible(file_id: object) -> None:
    fault = fault_of_query({"task_id": TASK, "status": "Success", "file_id": file_id, "base_resp": OK})
    assert fault.kind is FaultKind.UNINTELLIGIBLE


@pytest.mark.parametrize("status", ["", None, "Paused", "success", "failed", ["Success"], {"a": 1}, 7, True])
def test_a_status_that_we_do_not_know_is_unintelligible_and_ends_nothing(status: object) -> None:
    fault = fault_of_query({"task_id": TASK, "status": status, "file_id": FILE, "base_resp": OK})
    assert fault.kind is FaultKind.UNINTELLIGIBLE


@pytest.mark.parametrize("status", ["Success", "Fail", "Processing"])
def test_an_answer_about_another_task_is_not_believed(status: str) -> None:
    fault = fault_of_query({"task_id": "2", "status": status, "file_id": FILE, "base_resp": OK})
    assert (fault.kind, fault.detail) == (
        FaultKind.UNINTELLIGIBLE,
        "HTTP 200: the answer is about another task",
    )


def test_an_answer_to_a_query_may_name_its_task_by_a_number_or_not_at_all() -> None:
    assert query({"task_id": 106916112212032, "status": "Processing", "base_resp": OK}) == TaskRunning()
    assert query({"status": "Processing", "base_resp": OK}) == TaskRunning()


@pytest.mark.parametrize("code", [1002, 1004, 1039, 1041, 2045, 2049])
@pytest.mark.parametrize("status", ["Fail", "Processing", "", None])
def test_a_code_that_refuses_the_caller_ends_no_task(code: int, status: str | None) -> None:
    body = {"task_id": TASK, "status": status, "base_resp": base_resp(code)}
    assert fault_of_query(body).kind in {FaultKind.THROTTLED, FaultKind.UNAUTHORIZED}


@pytest.mark.parametrize("code", [1026, 1027])
def test_a_verdict_on_content_ends_its_task_even_without_a_status(code: int) -> None:
    for status in ("Fail", "", None):
        state = query({"task_id": TASK, "status": status, "base_resp": base_resp(code)})
        assert isinstance(state, TaskFailed)
        assert state.failure.fault is not None
        assert state.failure.fault.kind is FaultKind.REJECTED


@pytest.mark.parametrize("status", ["Preparing", "Processing", "Success", "Paused"])
def test_a_verdict_on_content_beside_another_state_is_a_contradiction(status: str) -> None:
    body = {"task_id": TASK, "status": status, "file_id": FILE, "base_resp": base_resp(1027)}
    assert fault_of_query(body).kind is FaultKind.UNINTELLIGIBLE


UNKNOWN_TASK = {"base_resp": {"status_code": 2013, "status_msg": "invalid params, task or file not found"}}


@pytest.mark.parametrize("more", [{}, {"status": ""}, {"status": None, "task_id": ""}, {"task_id": TASK}])
def test_a_bad_parameter_that_is_the_task_means_that_there_is_no_such_task(more: dict[str, Any]) -> None:
    assert fault_of_query({**UNKNOWN_TASK, **more}).kind is FaultKind.TASK_UNKNOWN


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"base_resp": base_resp(2013, "invalid params")}, FaultKind.INVALID),
        ({"status": "Processing", **UNKNOWN_TASK}, FaultKind.INVALID),
        ({"status": "Unknown", **UNKNOWN_TASK}, FaultKind.INVALID),
        ({"base_resp": base_resp(1000, "task not found")}, FaultKind.UNAVAILABLE),
        ({"base_resp": base_resp(1004, "task of another group")}, FaultKind.UNAUTHORIZED),
        ({"base_resp": base_resp(4040, "no such task")}, FaultKind.UNINTELLIGIBLE),
        ({"status": "", "base_resp": base_resp(0)}, FaultKind.UNINTELLIGIBLE),
    ],
)
def test_nothing_else_says_definitely_that_there_is_no_such_task(body: object, kind: FaultKind) -> None:
    assert fault_of_query(body).kind is kind


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_http_error_says_nothing_of_a_task_whatever_its_body(status: int) -> None:
    assert fault_of_query(UNKNOWN_TASK, status=status).kind is FaultKind.INVALID
    failed = {"task_id": TASK, "status": "Fail", "base_resp": base_resp(1000)}
    assert fault_of_query(failed, status=status).kind is FaultKind.UNAVAILABLE
    rejected = {"task_id": TASK, "status": "Fail", "base_resp": base_resp(1027)}
    assert fault_of_query(rejected, status=status).kind is FaultKind.UNINTELLIGIBLE


RETRIEVED = {
    "file_id": 176844028768320,
    "bytes": 0,
    "created_at": 1700469398,
    "filename": "output_aigc.mp4",
    "purpose": "video_generation",
    "download_url": "https://video-product.cdn.test/a.mp4?Expires=1&Signature=x",
}


@pytest.mark.parametrize("file_id", [176844028768320, FILE, None])
def test_a_file_has_a_download_address(file_id: object) -> None:
    body = {"file": {**RETRIEVED, "file_id": file_id}, "base_resp": OK}
    assert retrieve(body) == "https://video-product.cdn.test/a.mp4?Expires=1&Signature=x"


@pytest.mark.parametrize(
    "file",
    [
        None,
        [],
        "file",
        {},
        {**RETRIEVED, "file_id": 2},
        {**RETRIEVED, "download_url": None},
        {**RETRIEVED, "download_url": ""},
        {**RETRIEVED, "download_url": ["https://a.test"]},
        {**RETRIEVED, "download_url": "ftp://a.test/b"},
        {**RETRIEVED, "download_url": "http://a.test/b"},
        {**RETRIEVED, "download_url": "file:///etc/passwd"},
    ],
)
def test_any_other_file_is_unintelligible(file: object) -> None:
    with pytest.raises(ProviderFault) as raised:
        retrieve({"file": file, "base_resp": OK})
    assert raised.value.fault.kind is FaultKind.UNINTELLIGIBLE


def test_an_address_without_tls_is_taken_only_from_a_host_without_tls() -> None:
    body = {"file": {**RETRIEVED, "download_url": "http://127.0.0.1:1/a.mp4"}, "base_resp": OK}
    assert retrieve(body, is_plain_allowed=True) == "http://127.0.0.1:1/a.mp4"


def test_a_reference_names_its_file_and_only_at_its_own_host() -> None:
    url = "https://api.minimax.io/v1/files/retrieve?file_id=176844028768320"
    assert retrieve_url(BASE, FILE) == url
    assert file_id_of(url, BASE) == FILE
    assert file_id_of(url, "https://api.minimaxi.com") is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://api.minimax.io/v1/files/retrieve",
        "https://api.minimax.io/v1/files/retrieve?file_id=",
        "https://api.minimax.io/v1/files/retrieve?file_id=1&file_id=2",
        "https://api.minimax.io/v1/files/retrieve?file_id=1/../../x",
        "https://api.minimax.io/v1/files/list?file_id=1",
        "https://api.minimax.io.evil.test/v1/files/retrieve?file_id=1",
        "https://evil.test/?https://api.minimax.io/v1/files/retrieve?file_id=1",
    ],
)
def test_any_other_address_is_no_reference(url: str) -> None:
    assert file_id_of(url, BASE) is None


@pytest.mark.parametrize("code", [0, 2013])
def test_a_key_that_may_ask_for_a_task_is_accepted(code: int) -> None:
    from_check(make_answer({"base_resp": base_resp(code)}))
    if code:
        from_check(make_answer({"base_resp": base_resp(code)}, status=400))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1002, FaultKind.THROTTLED),
        (1004, FaultKind.UNAUTHORIZED),
        (2049, FaultKind.UNAUTHORIZED),
        (1024, FaultKind.UNAVAILABLE),
        (9999, FaultKind.UNINTELLIGIBLE),
    ],
)
def test_a_key_is_not_known_to_be_good_from_any_other_answer(code: int, kind: FaultKind) -> None:
    with pytest.raises(ProviderFault) as raised:
        from_check(make_answer({"base_resp": base_resp(code)}))
    assert raised.value.fault.kind is kind


def test_what_is_kept_of_an_error_is_its_code_its_text_and_its_trace_without_secrets() -> None:
    body = {"base_resp": base_resp(1004, "login fail for s3cret-key"), "prompt": "a red fox"}
    fault = fault_of_submit(body, trace_id="06697a" + "x" * 100)
    assert fault.detail == f"HTTP 200: Trace-Id 06697a{'x' * 58}, code 1004: login fail for [secret]"


def test_the_text_of_an_error_is_bounded() -> None:
    assert len(fault_of_submit({"base_resp": base_resp(1024, "x" * 10_000)}).detail) == 500


def test_who_is_throttled_waits_as_long_as_the_header_says_if_there_is_one() -> None:
    body = {"base_resp": base_resp(1002, "rate limit")}
    assert fault_of_submit(body).retry_after is None
    assert fault_of_submit(body, retry_after="7").retry_after == timedelta(seconds=7)
    assert fault_of_query(body).retry_after is None
    assert fault_of_query(body, retry_after="7").retry_after == timedelta(seconds=7)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "task_id": _JSON | st.just(TASK),
        "status": _JSON | st.sampled_from(["Success", "Fail", "Processing"]),
        "file_id": _JSON | st.just(FILE),
        "file": _JSON | st.fixed_dictionaries({}, optional={"file_id": _JSON, "download_url": _JSON}),
        "base_resp": _JSON
        | st.fixed_dictionaries(
            {}, optional={"status_code": _JSON | st.sampled_from([0, 1000, 1027, 2013]), "status_msg": _JSON}
        ),
    },
)


@given(_JSON | _ANSWERS, st.sampled_from([200, 204, 302, 400, 401, 429, 500, 503]))
def test_no_answer_raises_anything_but_a_fault(body: Any, status: int) -> None:
    for is_submit in (False, True):
        for fault in faults_of(make_answer(body, status=status, is_submit=is_submit)):
            assert len(fault.detail) <= 500
            assert is_submit or not fault.is_maybe_accepted


def faults_of(answer: Answer) -> Iterator[Fault]:
    """What each reader finds wrong with an answer."""
    readers: list[Callable[[Answer], object]] = [
        from_submit,
        from_check,
        lambda each: from_query(each, task_id=TASK, base_url=BASE),
        lambda each: from_retrieve(each, file_id=FILE, is_plain_allowed=False),
    ]
    for read in readers:
        try:
            read(answer)
        except ProviderFault as error:
            yield error.fault
