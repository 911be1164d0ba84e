"""Extra parameters pass, but for those that would change what a job costs, whose it is, or where it goes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.errors import FieldViolation
from reelgate_server.domain.extra import REFUSALS, REFUSED, REFUSED_BEGINNINGS, extra_violations, normalize

LENGTH = "must not be set here: use `clip_duration`"
SIZE = "must not be set here: use `resolution`"
SOUND = "must not be set here: the model decides about sound"
COUNT = "must not be set here: a job is one video"
PROMPT = "must not be set here: use `prompt`"
MODEL = "must not be set here: use `model`"
IMAGE = "must not be set here: use `image_url`"
VIDEO = "must not be set here: a video cannot be put in"
PRICE = "must not be set here: it changes the price"
DESTINATION = "must not be set here: this service keeps the result and tells of it"
OPERATOR = "must not be set here: it is for the operator to set"
CONTAINER = "must not be set here: name its members in `extra` itself"


def refusals(*names: str) -> list[tuple[str, str]]:
    return [(each.field, each.description) for each in extra_violations(dict.fromkeys(names, 1))]


REFUSED_ROWS = [
    # fal.
    ("duration", LENGTH),
    ("num_frames", LENGTH),
    ("frames_per_second", LENGTH),
    ("resolution", SIZE),
    ("aspect_ratio", "must not be set here: use `aspect_ratio`"),
    ("generate_audio", SOUND),
    ("voice_ids", SOUND),
    ("prompt", PROMPT),
    ("multi_prompt", PROMPT),
    ("image_url", IMAGE),
    ("start_image_url", IMAGE),
    ("video_url", VIDEO),
    ("fal_webhook", DESTINATION),
    ("webhook_url", DESTINATION),
    ("webhookUrl", DESTINATION),
    ("sync_mode", DESTINATION),
    ("end_user_id", OPERATOR),
    # Vertex AI, and the snake case that clients write instead.
    ("durationSeconds", LENGTH),
    ("duration_seconds", LENGTH),
    ("fps", LENGTH),
    ("aspectRatio", "must not be set here: use `aspect_ratio`"),
    ("generateAudio", SOUND),
    ("sampleCount", COUNT),
    ("numberOfVideos", COUNT),
    ("storageUri", DESTINATION),
    ("outputGcsUri", DESTINATION),
    ("pubsubTopic", DESTINATION),
    ("webhookConfig", DESTINATION),
    ("labels", OPERATOR),
    ("instances", CONTAINER),
    ("parameters", CONTAINER),
    ("video", VIDEO),
    # MiniMax.
    ("model", MODEL),
    ("first_frame_image", IMAGE),
    ("callback_url", DESTINATION),
    ("GroupId", OPERATOR),
    ("ratio", "must not be set here: use `aspect_ratio`"),
    ("content", CONTAINER),
    # OpenAI's shape, SGLang, vLLM-Omni and LiteLLM.
    ("seconds", LENGTH),
    ("size", SIZE),
    ("width", SIZE),
    ("height", SIZE),
    ("short_edge", SIZE),
    ("quality", SIZE),
    ("enable_upscaling", SIZE),
    ("upscaling_scale", SIZE),
    ("upscaling_model_path", MODEL),
    ("frame_interpolation_model_path", MODEL),
    ("lora", MODEL),
    ("n", COUNT),
    ("num_outputs_per_prompt", COUNT),
    ("batch_size", COUNT),
    ("input_reference", IMAGE),
    ("input_reference[image_url]", IMAGE),
    ("image[]", IMAGE),
    ("image_reference", IMAGE),
    ("reference_url", IMAGE),
    ("video_path", VIDEO),
    ("video_reference", VIDEO),
    ("generate_sound", SOUND),
    ("sound_duration", SOUND),
    ("output_path", DESTINATION),
    ("perf_dump_path", DESTINATION),
    ("upload_url", DESTINATION),
    ("user", OPERATOR),
    ("metadata", OPERATOR),
    ("api_key", OPERATOR),
    ("api_base", OPERATOR),
    ("extra_headers", OPERATOR),
    ("custom_llm_provider", OPERATOR),
    ("litellm_call_id", OPERATOR),
    ("fallbacks", MODEL),
    ("service_tier", PRICE),
    ("num_retries", PRICE),
    ("extra_body", CONTAINER),
    ("extra_params", CONTAINER),
    ("video_params", CONTAINER),
    ("diffusers_kwargs", CONTAINER),
    ("input", CONTAINER),
]


@pytest.mark.parametrize(("name", "description"), REFUSED_ROWS)
def test_a_name_that_changes_price_identity_or_destination_is_refused_with_the_way_out(
    name: str, description: str
) -> None:
    assert refusals(name) == [(f"extra.{name}", description)]


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, {"duration": 10}, "x"])
def test_it_is_the_name_that_is_refused_whatever_its_value(value: object) -> None:
    assert list(extra_violations({"duration": value})) == [FieldViolation("extra.duration", LENGTH)]


@pytest.mark.parametrize("name", ["DURATION", "Duration_Seconds", "-duration-", "__n__", "N", "apiKey", "API-KEY"])
def test_case_and_joints_make_no_difference(name: str) -> None:
    assert [field for field, _ in refusals(name)] == [f"extra.{name}"]


@pytest.mark.parametrize(
    "name",
    [
        # fal.
        "seed", "negative_prompt", "cfg_scale", "end_image_url", "tail_image_url", "loop", "auto_fix",
        "safety_tolerance", "shot_type", "elements", "bitrate_mode", "prompt_optimizer", "enable_prompt_expansion",
        "multi_shots", "enable_safety_checker", "audio_url",
        # Vertex AI.
        "negativePrompt", "personGeneration", "enhancePrompt", "compressionQuality", "resizeMode", "lastFrame",
        "referenceImages",
        # MiniMax.
        "last_frame_image", "fast_pretreatment", "aigc_watermark", "subject_reference",
        # Servers of the OpenAI shape.
        "num_inference_steps", "guidance_scale", "guidance_scale_2", "true_cfg_scale", "flow_shift", "enhance_prompt",
        "max_sequence_length", "enable_teacache", "output_compression", "audio_reference", "boundary_ratio",
        # What nobody has thought of.
        "", "x", "camera", "new_parameter", "durations_of_nothing", "prompting", "nn", "audio_urls",
    ],
)  # fmt: skip
def test_every_other_name_passes(name: str) -> None:
    assert refusals(name) == []


def test_names_below_the_first_level_pass_where_no_provider_looks_for_them() -> None:
    assert list(extra_violations({"camera": {"duration": 3}, "list": [{"model": "x"}]})) == []


def test_every_refused_name_is_told_in_the_order_of_the_names() -> None:
    assert refusals("webhook", "seed", "duration", "Model", "n") == [
        ("extra.Model", MODEL),
        ("extra.duration", LENGTH),
        ("extra.n", COUNT),
        ("extra.webhook", DESTINATION),
    ]


def test_of_very_many_refused_names_the_first_are_told() -> None:
    told = refusals(*(f"n{'_' * count}" for count in range(40)))
    assert [field for field, _ in told] == [f"extra.n{'_' * count}" for count in range(16)]


def test_of_a_very_long_name_the_beginning_is_told() -> None:
    assert refusals("duration" + "_" * 500) == [(f"extra.duration{'_' * 92}", LENGTH)]


def test_a_name_is_told_in_ascii() -> None:
    # The Kelvin sign is a k to everyone who ignores case.
    assert refusals("\u212aey") == [("extra.\\u212aey", OPERATOR)]
    assert refusals("n[🎬]") == [("extra.n[\\U0001f3ac]", COUNT)]


def test_extra_that_is_unfit_as_a_whole_is_told_as_a_whole() -> None:
    extra: dict[str, Any] = {"duration": 5, "x": float("nan")}
    assert [each.field for each in extra_violations(extra)] == ["extra"]
    assert [each.field for each in extra_violations({"duration": 5, "x": "a" * 16_384})] == ["extra"]
    assert [each.field for each in extra_violations({"duration": 5, "x": "\0"})] == ["extra"]


def test_no_name_stands_in_two_rows_of_the_table() -> None:
    names = [name for refusal in REFUSALS for name in refusal.names.split()]
    assert len(names) == len(set(names)) == len(REFUSED)


def test_the_table_is_written_as_names_are_compared() -> None:
    assert [name for name in (*REFUSED, *REFUSED_BEGINNINGS) if normalize(name) != name] == []


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A refused name, in some spelling."""
    name = draw(st.sampled_from([*REFUSED, *REFUSED_BEGINNINGS]))
    joint = st.text("_-", max_size=2)
    spelled = "".join(draw(joint) + (letter.upper() if draw(st.booleans()) else letter) for letter in name)
    return spelled + draw(joint) + draw(st.sampled_from(["", "[]", "[0]", "[url]", "[duration][x]"]))


@given(spellings())
def test_a_refused_name_is_refused_in_every_spelling(name: str) -> None:
    assert len(refusals(name)) == 1


@given(st.text())
def test_what_is_compared_of_a_name_is_compared_alike_again(name: str) -> None:
    once = normalize(name)
    assert normalize(once) == once


@given(st.text(max_size=300))
def test_a_name_is_refused_exactly_if_what_is_compared_of_it_is_in_the_table(name: str) -> None:
    is_listed = normalize(name) in REFUSED or normalize(name).startswith(tuple(REFUSED_BEGINNINGS))
    assert len(refusals(name)) == (1 if is_listed or "\0" in name else 0)


@given(st.lists(spellings() | st.text(max_size=300), max_size=60))
def test_what_is_told_is_small_ordered_and_printable(names: list[str]) -> None:
    told = refusals(*names)
    assert len(told) <= 16
    assert all(len(field) <= 106 and field.isascii() for field, _ in told)
    assert all(len(description) <= 75 for _, description in told)
