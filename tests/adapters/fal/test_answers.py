"""What the documented bodies mean, to the letter."""

from typing import Any

import pytest

from reelgate_server.adapters.providers.fal.addresses import app_of, built_addresses
from reelgate_server.adapters.providers.fal.answers import (
    carries_no_right,
    is_unfinished,
    request_id_of,
    status_of,
    trouble_of,
    video_url,
)
from reelgate_server.adapters.providers.fal.shapes import QueueState, Status, Trouble
from reelgate_server.domain.faults import ProviderFault
from tests.adapters.fal.samples import REQUEST_ID, make_answer

ADDRESS = f"https://queue.fal.run/fal-ai/kling-video/requests/{REQUEST_ID}"
ADDRESSES = {
    "request_id": REQUEST_ID,
    "response_url": ADDRESS,
    "status_url": f"{ADDRESS}/status",
    "cancel_url": f"{ADDRESS}/cancel",
}
FILE = "https://v3.fal.media/files/elephant/8teUPbRRMtAUTORDvqy0l.mp4"


@pytest.mark.parametrize(
    ("code", "body", "state", "error", "error_type"),
    [
        (202, {"status": "IN_QUEUE", "queue_position": 0, **ADDRESSES}, QueueState.IN_QUEUE, "", ""),
        (202, {"status": "IN_PROGRESS", "logs": None, **ADDRESSES}, QueueState.IN_PROGRESS, "", ""),
        (
            200,
            {"status": "COMPLETED", "logs": None, "metrics": {"inference_time": 12.3}, **ADDRESSES},
            QueueState.COMPLETED,
            "",
            "",
        ),
        (
            200,
            {"status": "COMPLETED", "metrics": {}, "error": "It is gone", "error_type": "runner_disconnected"},
            QueueState.COMPLETED,
            "It is gone",
            "runner_disconnected",
        ),
        (200, {"status": "COMPLETED", "error": None, "error_type": None}, QueueState.COMPLETED, "", ""),
    ],
)
def test_a_documented_status_is_read(code: int, body: Any, state: QueueState, error: str, error_type: str) -> None:
    status = status_of(make_answer(body, status=code))
    assert status == Status(state=state, error=error, error_type=error_type)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "IN_QUEUE", "queue_position": 0, **ADDRESSES},
        {"request_id": REQUEST_ID, "gateway_request_id": REQUEST_ID},
    ],
)
def test_both_documented_answers_to_a_submit_name_the_request(body: Any) -> None:
    assert request_id_of(make_answer(body, is_submit=True)) == REQUEST_ID


@pytest.mark.parametrize(
    "body",
    [
        {"video": {"url": FILE, "content_type": "video/mp4", "file_name": "output.mp4", "file_size": 8_431_922}},
        {"video": {"url": FILE, "content_type": None, "file_name": None, "file_size": None}, "seed": 123},
        {"video": {"url": FILE, "width": 1280, "height": 720, "fps": 24, "duration": 5.0}, "actual_prompt": "a fox"},
        {"video": {"url": FILE}},
    ],
)
def test_a_documented_result_names_the_file(body: Any) -> None:
    assert video_url(make_answer(body)) == FILE
    assert carries_no_right(FILE)


def test_an_address_with_a_query_may_carry_a_right() -> None:
    assert not carries_no_right(f"{FILE}?X-Goog-Signature=5e1f")


@pytest.mark.parametrize(
    ("body", "headers", "trouble"),
    [
        (
            {
                "detail": [
                    {"loc": ["body", "prompt"], "msg": "Too long", "type": "sequence_too_long", "url": "https://d"}
                ]
            },
            {},
            Trouble(types=("sequence_too_long",), is_of_model=True, text="sequence_too_long at body.prompt: Too long"),
        ),
        (
            {"detail": "Request timed out", "error_type": "request_timeout"},
            {"x-fal-error-type": "request_timeout"},
            Trouble(types=("request_timeout",), is_of_model=False, text="request_timeout; Request timed out"),
        ),
        ({"detail": "Not found"}, {}, Trouble(types=(), is_of_model=False, text="Not found")),
        (
            "gateway",
            {"x-fal-error-type": "internal_error"},
            Trouble(types=("internal_error",), is_of_model=False, text="internal_error"),
        ),
        ({"detail": []}, {}, None),
        ({"message": "something else"}, {}, None),
        ("<html>", {}, None),
    ],
)
def test_an_error_is_read_in_each_of_its_forms(body: Any, headers: dict[str, str], trouble: Trouble | None) -> None:
    assert trouble_of(make_answer(body, status=422, headers=headers)) == trouble


def test_only_the_first_errors_of_many_are_quoted_and_all_count() -> None:
    rows = [{"type": f"type_{number}", "msg": "no"} for number in range(9)]
    trouble = trouble_of(make_answer({"detail": rows}, status=422))
    assert trouble is not None
    assert trouble.text == "type_0: no; type_1: no; type_2: no; type_3: no; type_4: no"
    assert trouble.types[-1] == "type_8"


def test_a_result_that_is_not_there_yet_is_told_from_one_that_is_bad() -> None:
    assert is_unfinished(make_answer({"detail": "Request is still in progress"}, status=400))
    assert is_unfinished(make_answer({}, status=202))
    assert not is_unfinished(make_answer({"video": {"url": FILE}}))
    assert not is_unfinished(make_answer({"detail": "Bad request"}, status=400))


def test_the_documented_addresses_are_built_of_the_first_two_parts() -> None:
    app = app_of("fal-ai/kling-video/v2/master/text-to-video")
    assert app is not None
    assert built_addresses("https://queue.fal.run", app, REQUEST_ID) == {
        "status": f"{ADDRESS}/status",
        "response": ADDRESS,
        "cancel": f"{ADDRESS}/cancel",
    }


def test_what_cannot_be_read_is_described_and_not_quoted() -> None:
    secret = "0c40a33a1f17b2d1"
    with pytest.raises(ProviderFault) as raised:
        status_of(make_answer(f"<p>{secret}</p>"))
    assert raised.value.fault.detail == "HTTP 200: not JSON (no content type, 23 bytes)"
