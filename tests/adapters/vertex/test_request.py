"""Orders in the words of Google's requests, as they are sent."""

import json
from datetime import timedelta
from typing import Any

import pytest

from reelgate_server.adapters.providers.vertex.request import to_request
from reelgate_server.domain.extra import extra_violations
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import ImageBytes, ImageUrl, RenderOrder
from tests.adapters.vertex.samples import PNG, PROMPT, veo_order


def written(order: RenderOrder, storage_uri: str | None = None) -> Any:
    """The body of an order, its image written out."""
    return json.loads(json.dumps(to_request(order, storage_uri), default=str))


def test_a_text_order_is_written_in_camel_case() -> None:
    assert written(veo_order()) == {
        "instances": [{"prompt": "A kite over the sea, filmed from the dunes"}],
        "parameters": {
            "sampleCount": 1,
            "durationSeconds": 8,
            "aspectRatio": "16:9",
            "resolution": "720p",
            "generateAudio": True,
        },
    }


def test_the_length_is_what_the_provider_renders_and_a_number() -> None:
    order = veo_order(clip_duration=timedelta(seconds=5), render_duration=timedelta(seconds=6))
    seconds = written(order)["parameters"]["durationSeconds"]
    assert seconds == 6
    assert isinstance(seconds, int)


def test_a_silent_video_is_asked_for_in_so_many_words() -> None:
    assert written(veo_order(has_audio=False))["parameters"]["generateAudio"] is False


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "image/webp"])
def test_an_image_goes_along_as_bytes(content_type: str) -> None:
    image = ImageBytes(content=b"\x89PNG\r\n\x1a\n", content_type=content_type)
    assert written(veo_order(aspect_ratio="9:16", resolution="1080p", image=image)) == {
        "instances": [
            {
                "prompt": "A kite over the sea, filmed from the dunes",
                "image": {"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": content_type},
            }
        ],
        "parameters": {
            "sampleCount": 1,
            "durationSeconds": 8,
            "aspectRatio": "9:16",
            "resolution": "1080p",
            "generateAudio": True,
        },
    }


@pytest.mark.parametrize("folder", ["gs://studio-results/veo", "gs://studio-results/veo/"])
def test_each_job_has_a_folder_of_its_own(folder: str) -> None:
    parameters = written(veo_order(7), folder)["parameters"]
    assert parameters["storageUri"] == "gs://studio-results/veo/01940000-0000-7000-8000-000000000007/"


def test_parameters_of_the_customer_go_along_unchanged() -> None:
    extra = {"negativePrompt": "rain", "seed": 7, "personGeneration": "dont_allow", "enhancePrompt": True}
    parameters = written(veo_order(extra=extra))["parameters"]
    assert parameters == {
        "negativePrompt": "rain",
        "seed": 7,
        "personGeneration": "dont_allow",
        "enhancePrompt": True,
        "sampleCount": 1,
        "durationSeconds": 8,
        "aspectRatio": "16:9",
        "resolution": "720p",
        "generateAudio": True,
    }


def test_ours_win_over_parameters_of_the_customer() -> None:
    extra = {
        "sampleCount": 4,
        "durationSeconds": 8,
        "aspectRatio": "9:16",
        "resolution": "4k",
        "generateAudio": True,
        "storageUri": "gs://elsewhere",
    }
    order = veo_order(seconds=4, has_audio=False, extra=extra)
    assert written(order, "gs://studio-results")["parameters"] == {
        "sampleCount": 1,
        "durationSeconds": 4,
        "aspectRatio": "16:9",
        "resolution": "720p",
        "generateAudio": False,
        "storageUri": "gs://studio-results/01940000-0000-7000-8000-000000000001/",
    }


@pytest.mark.parametrize(
    "name",
    [
        "sampleCount", "sample_count", "SAMPLECOUNT", "numberOfVideos", "durationSeconds", "aspectRatio", "resolution",
        "generateAudio", "generate_audio", "storageUri", "storage_uri", "outputGcsUri", "pubsubTopic", "pubsub_topic",
    ],
)  # fmt: skip
def test_what_decides_the_price_or_the_destination_is_refused_at_create_in_every_spelling(name: str) -> None:
    [violation] = extra_violations({name: 4})
    assert violation.field == f"extra.{name}"


def test_an_address_of_an_image_is_our_mistake() -> None:
    with pytest.raises(ProviderFault) as raised:
        to_request(veo_order(image=ImageUrl("https://example.com/frame.png")))
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert fault.detail == "not sent: the first frame came as an address"


def test_the_prompt_and_the_image_are_not_in_the_order_of_the_parameters() -> None:
    request = written(veo_order(extra={"prompt": "another", "image": {"gcsUri": "gs://private/frame.png"}}, image=PNG))
    assert request["instances"][0]["prompt"] == PROMPT
    assert request["instances"][0]["image"] == {"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png"}
