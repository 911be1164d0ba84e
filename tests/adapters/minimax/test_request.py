"""An order becomes the documented body, field by field."""

from typing import Any

import pytest

from reelgate_server.adapters.providers.minimax.request import to_request
from reelgate_server.ports.provider import ImageBytes, ImageUrl
from tests.adapters.minimax.samples import make_order

URL = ImageUrl("https://images.test/first.png")
BYTES = ImageBytes(b"\x89PNG", "image/png")


def test_a_text_order_becomes_the_documented_body() -> None:
    assert to_request(make_order(prompt="a red fox")) == {
        "model": "MiniMax-Hailuo-02",
        "prompt": "a red fox",
        "duration": 6,
        "resolution": "768P",
        "prompt_optimizer": False,
    }


def test_an_image_is_sent_as_the_address_that_was_given() -> None:
    assert to_request(make_order(prompt="a red fox", image=URL)) == {
        "model": "MiniMax-Hailuo-02",
        "prompt": "a red fox",
        "duration": 6,
        "resolution": "768P",
        "prompt_optimizer": False,
        "first_frame_image": "https://images.test/first.png",
    }


def test_an_image_at_hand_is_sent_as_a_data_url() -> None:
    assert str(to_request(make_order(image=BYTES))["first_frame_image"]) == "data:image/png;base64,iVBORw=="


@pytest.mark.parametrize(("seconds", "resolution", "sent"), [(6, "1080p", "1080P"), (10, "768p", "768P")])
def test_length_and_resolution_are_sent_as_minimax_writes_them(seconds: int, resolution: str, sent: str) -> None:
    body = to_request(make_order(seconds=seconds, resolution=resolution))
    assert (body["duration"], body["resolution"]) == (seconds, sent)
    assert type(body["duration"]) is int


def test_512p_is_asked_for_only_with_a_first_frame() -> None:
    assert to_request(make_order(resolution="512p"))["resolution"] == "768P"
    assert to_request(make_order(resolution="512p", image=URL))["resolution"] == "512P"
    assert to_request(make_order(resolution="512p", image=BYTES))["resolution"] == "512P"


def test_a_ratio_is_never_sent() -> None:
    assert "aspect_ratio" not in to_request(make_order())


def test_a_prompt_is_rewritten_only_if_the_customer_asks_for_it() -> None:
    assert to_request(make_order())["prompt_optimizer"] is False
    assert to_request(make_order(extra={"prompt_optimizer": True}))["prompt_optimizer"] is True


def test_extra_parameters_are_passed_on_and_never_win_over_ours() -> None:
    extra: dict[str, Any] = {
        "fast_pretreatment": True,
        "last_frame_image": "https://images.test/last.png",
        "model": "MiniMax-H3",
        "prompt": "something else",
        "duration": 10,
        "resolution": "1080P",
        "first_frame_image": "https://images.test/other.png",
    }
    assert to_request(make_order(prompt="a red fox", image=URL, extra=extra)) == {
        "model": "MiniMax-Hailuo-02",
        "prompt": "a red fox",
        "duration": 6,
        "resolution": "768P",
        "prompt_optimizer": False,
        "first_frame_image": "https://images.test/first.png",
        "fast_pretreatment": True,
        "last_frame_image": "https://images.test/last.png",
    }
