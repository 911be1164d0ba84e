"""What customers ask for: every model, kind of input and plan, and prompts that the simulators obey."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, Final

from reelgate_server.app.providers import Providers
from reelgate_server.domain.catalogue import Catalogue, ImageInput, Model
from reelgate_server.domain.catalogue_toml import extend, parse_catalogue
from reelgate_server.domain.errors import ModelUnavailable
from reelgate_server.ports.provider import ImageBytes
from tests.domain.builders import CATALOGUE
from tests.support.images import IMAGE_URL, picture
from tests.support.world import Customer

DEADLINE: Final = timedelta(minutes=7)
TYPICAL: Final = timedelta(seconds=40)
"""Of every model here; the catalogue's longer ones would make most of a run idle polling."""
PURSES: Final = (
    ("default", 2_000_000_000),
    ("default", 3_000_000),
    ("patient", 2_000_000_000),
    ("patient", 2_000_000_000),
    ("kyma", 10_000_000),
    ("geekhub", 2_000_000_000),
    ("geekhub", 20_000_000),
    ("concurred", 0),
)
"""The plan of each customer, and what they start with; some have so little that their creates compete for it."""
SERVER_WEIGHT: Final = 3
"""How much likelier a model of a self-hosted server is than any other; each of those has a single model."""
MARKS: Final = {"": 80, " [reject]": 4, " [filter]": 4, " [fail]": 4, " [slow]": 5, " [stuck]": 3}
"""What is added to a prompt, with the weights by which it is chosen."""
MISSING_URL: Final = "https://images.test/missing.png"
IMAGES: Final = {
    IMAGE_URL: 6,
    MISSING_URL: 3,
    ImageBytes(picture("PNG", size=(640, 480)), "image/png").data_url(): 2,
    ImageBytes(picture("JPEG", size=(480, 640)), "image/jpeg").data_url(): 2,
}
"""First frames, with their weights. One is fetched in vain by those adapters that fetch."""
_ROW: Final = """
[[model]]
id = "studio/{name}"
name = "Studio"
provider = "{name}"
surfaces = []
text_endpoint = "Wan-AI/Wan2.2-T2V-A14B-Diffusers"
image_endpoint = "Wan-AI/Wan2.2-T2V-A14B-Diffusers"
cost_per_second = "0.013"
durations = {{ default = 4, min = 1, max = 10 }}
render_durations = {{ min = 2, max = 10 }}
{fallbacks}
aspect_ratios = ["16:9", "9:16"]
resolutions = ["720p", "480p"]
audio = false
image_input = "optional"
deadline_s = 420
typical_render_s = 40
"""
_NEXT: Final = (
    'fallbacks = [ { provider = "vllm_omni", text_endpoint = "Wan-AI/Wan2.2", image_endpoint = "Wan-AI/Wan2.2", '
    "render_durations = [5, 10] } ]"
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One job to be made."""

    number: int
    """The prompt begins with it, so that its renders can be found."""
    customer: Customer
    fields: Mapping[str, Any]
    """Of the request."""

    @property
    def prompt(self) -> str:
        return str(self.fields["prompt"])

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"wish-{self.number:04d}"


def number_in(prompt: str) -> int:
    """The number of the wish that a prompt belongs to."""
    return int(prompt[:4])


def catalogue() -> Catalogue:
    """The shipped models and two of self-hosted servers, the first of which has the second to fall back on."""
    rows = _ROW.format(name="sglang", fallbacks=_NEXT) + _ROW.format(name="vllm_omni", fallbacks="")
    models = extend(CATALOGUE, parse_catalogue(rows, "studio.toml")).all()
    return Catalogue(replace(model, deadline=DEADLINE, typical_render_time=TYPICAL) for model in models)


def renderable(models: Catalogue, providers: Providers) -> list[Model]:
    """Those models that jobs can be created of."""

    def is_renderable(model: Model) -> bool:
        try:
            return bool(providers.routes(model))
        except ModelUnavailable:
            return False

    return [model for model in models.all() if is_renderable(model)]


def wish(number: int, random: Random, models: Sequence[Model], customers: Sequence[Customer]) -> Wish:
    """Somebody wants something."""
    weights = [SERVER_WEIGHT if model.model_id.startswith("studio/") else 1 for model in models]
    model = random.choices(models, weights=weights)[0]
    mark = random.choices(list(MARKS), weights=list(MARKS.values()))[0]
    refused = {ratio for route in model.routes for ratio in route.refused_aspect_ratios}
    fields: dict[str, Any] = {
        "model": model.model_id,
        "prompt": f"{number:04d}: a red kite over the sea{mark}",
        "aspect_ratio": random.choice([each for each in model.aspect_ratios if each not in refused]),
        "resolution": random.choice(model.resolutions),
    }
    if random.random() < 0.7:
        fields["clip_duration"] = timedelta(seconds=random.choice(model.durations_s))
    if model.image_input is ImageInput.REQUIRED or (model.image_input is ImageInput.OPTIONAL and random.random() < 0.4):
        fields["image_url"] = random.choices(list(IMAGES), weights=list(IMAGES.values()))[0]
    if random.random() < 0.1:
        fields["extra"] = {"seed": 7}
    return Wish(number=number, customer=random.choice(customers), fields=fields)
