"""What each dialect is asked for, field by field."""

import json
from typing import Any

import pytest

from reelgate_server.adapters.providers.openai.dialects import Dialect
from reelgate_server.adapters.providers.openai.request import is_refused, size_of, to_request
from reelgate_server.domain.extra import extra_violations
from reelgate_server.domain.faults import FaultKind, ProviderFault
from tests.adapters.openai.samples import ADDRESS, IMAGE, PNG, PROMPT, WAN, make_order

FILE = ("first-frame.png", PNG, "image/png")
TEXTS = {"model": WAN, "prompt": PROMPT, "seconds": "4", "size": "1280x720"}
NUMBERS = {"model": WAN, "prompt": PROMPT, "seconds": 4, "size": "1280x720"}


def form(**fields: Any) -> dict[str, Any]:
    """The parts of a form: text, or a file as it is."""
    return {name: value if isinstance(value, tuple) else (None, value) for name, value in fields.items()}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Dialect.OPENAI, form(**TEXTS)),
        (Dialect.SGLANG, NUMBERS),
        (Dialect.VLLM_OMNI, form(**TEXTS, generate_sound="false")),
        (Dialect.LITELLM, TEXTS),
    ],
)
def test_a_text_is_asked_for_in_the_form_that_everybody_of_a_dialect_takes(
    dialect: Dialect, body: dict[str, Any]
) -> None:
    assert sent(to_request(make_order(), dialect)) == body


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Dialect.OPENAI, form(**TEXTS, input_reference=FILE)),
        (Dialect.SGLANG, form(**TEXTS, input_reference=FILE)),
        (Dialect.VLLM_OMNI, form(**TEXTS, generate_sound="false", input_reference=FILE)),
        (Dialect.LITELLM, form(**TEXTS, input_reference=FILE)),
    ],
)
def test_an_image_goes_as_a_file(dialect: Dialect, body: dict[str, Any]) -> None:
    assert sent(to_request(make_order(image=IMAGE), dialect)) == body


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Dialect.OPENAI, {**TEXTS, "input_reference": {"image_url": "https://pictures.example/fox.png"}}),
        (Dialect.SGLANG, {**NUMBERS, "reference_url": "https://pictures.example/fox.png"}),
        (
            Dialect.VLLM_OMNI,
            form(
                **TEXTS,
                generate_sound="false",
                image_reference='{"image_url": "https://pictures.example/fox.png"}',
            ),
        ),
        (Dialect.LITELLM, {**TEXTS, "input_reference": "https://pictures.example/fox.png"}),
    ],
)
def test_an_address_goes_where_the_dialect_looks_for_it(dialect: Dialect, body: dict[str, Any]) -> None:
    assert sent(to_request(make_order(image=ADDRESS), dialect)) == body


def test_what_is_asked_for_is_the_length_that_is_rendered_and_not_the_clips() -> None:
    order = make_order(seconds=8)
    assert order.spec.clip_duration.total_seconds() == 7
    assert sent(to_request(order, Dialect.SGLANG))["seconds"] == 8


def test_sound_is_said_to_the_only_server_that_has_a_parameter_for_it() -> None:
    assert sent(to_request(make_order(has_audio=True), Dialect.VLLM_OMNI))["generate_sound"] == (None, "true")
    assert sent(to_request(make_order(has_audio=False), Dialect.VLLM_OMNI))["generate_sound"] == (None, "false")
    for dialect in (Dialect.OPENAI, Dialect.SGLANG, Dialect.LITELLM):
        assert "generate_sound" not in sent(to_request(make_order(has_audio=True), dialect))


def test_extra_parameters_are_members_of_json_as_they_are() -> None:
    extra = {"seed": 7, "guidance_scale": 5.5, "negative_prompt": "blur", "guardrails": True, "flow_shift": None}
    assert sent(to_request(make_order(extra=extra), Dialect.SGLANG)) == {**NUMBERS, **extra}


def test_extra_parameters_are_fields_of_a_form_as_json_unless_they_are_text() -> None:
    extra = {"seed": 7, "guidance_scale": 5.5, "negative_prompt": "blur", "guardrails": True, "flow_shift": None}
    assert sent(to_request(make_order(extra=extra), Dialect.OPENAI)) == form(
        **TEXTS, seed="7", guidance_scale="5.5", negative_prompt="blur", guardrails="true"
    )


def test_ours_win_over_extra_parameters_of_the_same_names() -> None:
    extra = {"model": "other", "prompt": "other", "seconds": 60, "size": "4096x4096", "generate_sound": True}
    assert sent(to_request(make_order(extra=extra), Dialect.VLLM_OMNI)) == form(**TEXTS, generate_sound="false")


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "name",
    [
        # Opened by the server, from its own disk or its own network.
        "reference_url", "video_url", "video_path", "audio_reference", "video_reference", "image_reference",
        "input_references", "control_reference", "last_frame_url", "image_uri", "source_audio", "characters",
        "upscaling_model_path", "frame_interpolation_model_path",
        # Written there.
        "output_path", "perf_dump_path", "profile", "profile_all_stages",
        # LiteLLM's routes and keys.
        "api_base", "base_url", "api_key", "azure_ad_token", "aws_role_name", "aws_sts_endpoint", "s3_endpoint_url",
        "vertex_credentials", "vertex_project", "model_list", "target_model_names", "user_config", "timeout",
        # However they are written.
        "API_BASE", "apiBase", "video-path", "image_url[]",
    ],
)  # fmt: skip
def test_a_parameter_that_could_reach_into_the_server_or_its_network_is_refused(dialect: Dialect, name: str) -> None:
    with pytest.raises(ProviderFault) as raised:
        to_request(make_order(extra={"seed": 7, name: "/etc/passwd"}), dialect)
    fault = raised.value.fault
    assert (fault.kind, fault.is_maybe_accepted) == (FaultKind.INVALID, False)
    assert repr(name) in fault.detail
    assert "passwd" not in fault.detail


@pytest.mark.parametrize("name", [
    # All other parameters of a render in SGLang's and vLLM-Omni's requests.
    "boundary_ratio", "cfg_gate_step", "enable_cache_dit", "enable_frame_interpolation", "enable_teacache",
    "enhance_prompt", "flow_shift", "frame_interpolation_exp", "frame_interpolation_scale", "generator_device",
    "guidance_scale", "guidance_scale_2", "max_sequence_length", "negative_prompt", "num_inference_steps",
    "output_compression", "output_quality", "seed", "task_type", "true_cfg_scale", "use_diffusion_decoder",
    "x264_preset",
])  # fmt: skip
def test_a_parameter_of_a_render_is_not_refused(name: str) -> None:
    assert not is_refused(name)


@pytest.mark.parametrize("name", [
    # What these servers would unpack over the order, or take for another one; refused when the job is created.
    "diffusers_kwargs", "duration", "extra_args", "extra_body", "extra_json", "extra_params", "fps", "generate_sound",
    "height", "input_reference", "lora", "model", "n", "num_frames", "num_outputs_per_prompt", "num_retries",
    "parameters", "prompt", "resolution", "seconds", "short_edge", "size", "sound_duration", "source_video",
    "video_params", "width", "custom_llm_provider", "litellm_params", "metadata", "fallbacks", "mock_response",
])  # fmt: skip
def test_what_would_change_the_order_is_refused_before_it_is_an_order(name: str) -> None:
    assert [violation.field for violation in extra_violations({name: 1})] == [f"extra.{name}"]


@pytest.mark.parametrize(
    ("aspect_ratio", "resolution", "size"),
    [
        ("16:9", "720p", "1280x720"),
        ("9:16", "720p", "720x1280"),
        ("1:1", "720p", "720x720"),
        ("4:3", "720p", "960x720"),
        ("3:4", "720p", "720x960"),
        ("21:9", "720p", "1680x720"),
        ("9:21", "720p", "720x1680"),
        ("16:9", "1080p", "1920x1080"),
        ("16:9", "4k", "3840x2160"),
        ("9:16", "4k", "2160x3840"),
        ("16:9", "2k", "1920x1080"),
        ("16:9", "480p", "854x480"),
        ("9:16", "480p", "480x854"),
        ("16:9", "540p", "960x540"),
        ("16:9", "768p", "1366x768"),
        ("16:9", "481p", "856x482"),
    ],
)
def test_a_size_is_even_and_its_short_side_is_the_resolution(aspect_ratio: str, resolution: str, size: str) -> None:
    assert size_of(aspect_ratio, resolution) == size


def sent(request: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body, none of which may be there twice."""
    if "json" in request:
        json.dumps(request["json"])
        return dict(request["json"])
    assert len(dict(request["files"])) == len(request["files"])
    return dict(request["files"])
