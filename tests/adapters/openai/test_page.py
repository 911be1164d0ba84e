"""What the page for operators shows can be used as it stands."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from reelgate_server.config import Settings
from reelgate_server.domain.catalogue import ImageInput, Model, Route
from reelgate_server.domain.catalogue_toml import parse_catalogue
from reelgate_server.domain.ids import ModelId, ProviderName

PAGE = (Path(__file__).parents[3] / "docs/providers/openai.md").read_text("utf-8")


def test_the_row_on_the_page_is_a_row() -> None:
    (model,) = parse_catalogue(block("toml"), "models.toml").all()
    assert model == Model(
        model_id=ModelId("studio/wan-2.2"),
        name="Wan 2.2 on our own machine",
        routes=(
            Route(
                provider=ProviderName("studio"),
                text_endpoint="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
                image_endpoint="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
                render_durations_s=(1, 2, 3, 4, 5),
            ),
        ),
        surfaces=frozenset(),
        cost_per_second=Decimal("0.02"),
        durations_s=(1, 2, 3, 4, 5),
        duration_default_s=5,
        aspect_ratios=("16:9", "9:16"),
        resolutions=("720p",),
        has_audio=False,
        image_input=ImageInput.OPTIONAL,
        deadline=timedelta(minutes=30),
        typical_render_time=timedelta(minutes=4),
    )


def test_the_variables_on_the_page_configure_the_provider_of_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in block("sh").splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    server = Settings().openai["studio"]
    assert (server.base_url, server.dialect, server.keys, server.submit_key) == (
        "http://gpu-1:30010/v1",
        "sglang",
        {},
        None,
    )


def block(language: str) -> str:
    """The only example on the page in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)
