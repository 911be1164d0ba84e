"""An operator's own row over each server that speaks the OpenAI Videos shape."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.catalogue_toml import extend, parse_catalogue
from reelgate_server.domain.lifecycle import JobState
from reelgate_simulators.recording import Upload
from reelgate_simulators.video import tiny_mp4
from tests.domain.builders import CATALOGUE
from tests.providers.bench import ACCENTS, AUTHORIZATION, Bench
from tests.providers.matrix import NATIVE
from tests.providers.orders import DATA_URL, PROMPT
from tests.providers.surfaces import make, paid, success_of
from tests.support.images import IMAGE_URL, PNG

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROW: Final = """
[[model]]
id = "studio/{0}"
name = "Ours, by {0}"
provider = "{0}"
surfaces = []
text_endpoint = "{1}"
image_endpoint = "{1}"
cost_per_second = "0.02"
durations = {{ default = 4, min = 1, max = 8 }}
render_durations = [4, 8]
aspect_ratios = ["16:9", "9:16"]
resolutions = ["720p", "480p"]
audio = false
image_input = "optional"
deadline_s = 600
typical_render_s = 60
"""
WAN: Final = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
SERVED: Final = {"openai": "sora-2", "sglang": WAN, "vllm_omni": WAN, "litellm": "wan-over-fal"}

JSON, FORM = "application/json", "multipart/form-data"
FILE: Final = Upload(filename="first-frame.png", content_type="image/png", content=PNG)
COMMON: Final = {"prompt": PROMPT, "seconds": "4", "size": "1280x720"}

BODIES: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "openai": (FORM, {**COMMON, "model": "sora-2"}),
    "sglang": (JSON, {"model": WAN, "prompt": PROMPT, "seconds": 4, "size": "1280x720"}),
    "vllm_omni": (FORM, {**COMMON, "model": WAN, "generate_sound": "false"}),
    "litellm": (JSON, {**COMMON, "model": "wan-over-fal"}),
}
"""From text. SGLang counts seconds in JSON, and takes no form without a file; vLLM-Omni takes forms alone, and has a
field for sound (PyPI vllm-omni 0.30.0, vllm_omni/entrypoints/openai/video/generation/helpers.py)."""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The shipped rows, and one for each server."""
    rows = "".join(ROW.format(accent, SERVED[accent]) for accent in ACCENTS)
    return extend(CATALOGUE, parse_catalogue(rows, "models.toml"))


@pytest.mark.parametrize("accent", ACCENTS)
async def test_a_row_of_ones_own_is_rendered_from_text(bench: Bench, catalogue: Catalogue, accent: str) -> None:
    body = {"model": f"studio/{accent}", "prompt": PROMPT}
    ended = await make(bench.world(*ACCENTS, catalogue=catalogue), NATIVE, body)
    [submit] = bench.submits()
    assert (submit.provider, submit.path, submit.query) == (accent, "/v1/videos", {})
    assert (submit.content_type, submit.body) == BODIES[accent]
    assert submit.authorization == AUTHORIZATION[accent]
    assert ended.job.state is JobState.SUCCEEDED
    assert ended.video == tiny_mp4(4)
    assert ended.transfers == paid(NATIVE, 80_000)
    success_of(NATIVE, ended, 4, 80_000)


@pytest.mark.parametrize("image_url", [IMAGE_URL, DATA_URL], ids=["address", "data"])
@pytest.mark.parametrize("accent", ACCENTS)
async def test_a_first_frame_goes_along_as_a_file(
    bench: Bench, catalogue: Catalogue, accent: str, image_url: str
) -> None:
    body = {"model": f"studio/{accent}", "prompt": PROMPT, "image_url": image_url}
    ended = await make(bench.world(*ACCENTS, catalogue=catalogue), NATIVE, body)
    [submit] = bench.submits()
    expected = {**BODIES[accent][1], "seconds": "4", "input_reference": FILE}
    assert (submit.provider, submit.content_type, submit.body) == (accent, FORM, expected)
    # The customer's address is followed by us: the server would follow it into the operator's own network.
    assert bench.images.fetched == [IMAGE_URL] * (image_url == IMAGE_URL)
    assert ended.video == tiny_mp4(4)
    assert ended.transfers == paid(NATIVE, 80_000)


@pytest.mark.parametrize("accent", ["sglang", "vllm_omni", "litellm"])
async def test_what_a_customer_asks_for_reaches_the_server(bench: Bench, catalogue: Catalogue, accent: str) -> None:
    body = {
        "model": f"studio/{accent}",
        "prompt": PROMPT,
        "clip_duration": "5s",
        "aspect_ratio": "9:16",
        "resolution": "480p",
        "extra": {"seed": 42, "negative_prompt": "blur"},
    }
    ended = await make(bench.world(*ACCENTS, catalogue=catalogue), NATIVE, body)
    content_type, fields = BODIES[accent]
    is_form = content_type == FORM
    [submit] = bench.submits()
    assert (submit.content_type, submit.body) == (
        content_type,
        {
            **fields,
            "seconds": 8 if accent == "sglang" else "8",
            "size": "480x854",
            "seed": "42" if is_form else 42,
            "negative_prompt": "blur",
        },
    )
    assert ended.video == tiny_mp4(8)
    assert ended.transfers == paid(NATIVE, 100_000)
    success_of(NATIVE, ended, 5, 100_000)
