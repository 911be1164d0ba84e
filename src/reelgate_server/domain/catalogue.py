"""The models: what each costs, accepts and renders. `catalogue_toml.py` reads them from a file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.errors import ModelNotFound
from reelgate_server.domain.ids import ModelId, ProviderName


class ImageInput(StrEnum):
    """Whether a model takes a first frame."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row of the catalogue."""

    model_id: ModelId
    name: str
    """For people, such as `Kling 3 Pro`."""
    provider: ProviderName
    """Who renders it when that provider is configured."""
    surfaces: frozenset[Surface]
    """The dialects that offer it; the native surface offers every model."""
    text_endpoint: str | None
    """What the provider calls it for text input; None if it needs an image."""
    image_endpoint: str | None
    """What the provider calls it for image input; None if it takes no image."""
    cost_per_second: Decimal
    """US dollars that the provider charges for one second; >= 0."""
    durations_s: tuple[int, ...]
    """Whole seconds a customer may ask for, ascending."""
    duration_default_s: int
    """Used where the customer names none; one of `durations_s`."""
    render_durations_s: tuple[int, ...]
    """Whole seconds the provider renders, ascending; the longest covers the longest of `durations_s`."""
    aspect_ratios: tuple[str, ...]
    """`W:H`; the first is the default."""
    resolutions: tuple[str, ...]
    """Such as `720p`; the first is the default."""
    has_audio: bool
    """The video has a sound track."""
    image_input: ImageInput
    deadline: timedelta
    """A job that has not ended this long after create expires; > 0."""
    typical_render_time: timedelta
    """What a render usually takes; the first poll is timed by it; > 0."""

    def render_duration_s(self, duration_s: int) -> int:
        """The shortest length the provider renders that is long enough for `duration_s`."""
        return next(each for each in self.render_durations_s if each >= duration_s)


class Catalogue:
    """Every model by its id, in the order of the file. Immutable."""

    def __init__(self, models: Iterable[Model]) -> None:
        """Index the models; ids are distinct."""
        self._models: Mapping[ModelId, Model] = MappingProxyType({model.model_id: model for model in models})

    def get(self, model_id: str, surface: Surface) -> Model:
        """Find a model that `surface` offers.

        Raises:
            ModelNotFound: No such id, or another surface's.
        """
        model = self._models.get(ModelId(model_id))
        if model is None or not is_offered(model, surface):
            raise ModelNotFound(model_id)
        return model

    def row(self, model_id: ModelId) -> Model | None:
        """The row of a model whatever the surface; None when the operator has removed it."""
        return self._models.get(model_id)

    def offered(self, surface: Surface) -> tuple[Model, ...]:
        """The models that `surface` offers, in the order of the file."""
        return tuple(model for model in self._models.values() if is_offered(model, surface))

    def all(self) -> tuple[Model, ...]:
        """Every model, in the order of the file."""
        return tuple(self._models.values())


def is_offered(model: Model, surface: Surface) -> bool:
    """Tell whether customers of `surface` may name this model."""
    return surface is Surface.NATIVE or surface in model.surfaces
