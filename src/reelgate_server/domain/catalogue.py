"""The models: what each costs, accepts and renders. `catalogue_toml.py` reads them from a file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
class Route:
    """One provider that renders a model, and how it is asked."""

    provider: ProviderName
    text_endpoint: str | None
    """What the provider calls the model for text input; None if it needs an image."""
    image_endpoint: str | None
    """What the provider calls the model for image input; None if it takes no image."""
    render_durations_s: tuple[int, ...]
    """Whole seconds the provider renders, ascending; the longest covers the longest that a customer may ask for."""
    render_durations_at: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The same by resolution, for those at which the provider renders fewer lengths."""
    refused_aspect_ratios: tuple[str, ...] = ()
    """Ratios of the model that this provider does not render."""
    prompt_characters_max: int | None = None
    """Unicode code points that the provider takes in a prompt; None if it takes all that we do."""
    withdrawn: str | None = None
    """Why the provider no longer renders the model, as a sentence; None while it does."""

    def endpoint(self, *, has_image: bool) -> str | None:
        """What the provider calls the model for the kind of input at hand; None if it takes no such input."""
        return self.image_endpoint if has_image else self.text_endpoint

    def render_duration_s(self, duration_s: int, resolution: str) -> int:
        """The shortest length the provider renders at `resolution` that is long enough for `duration_s`."""
        lengths = self.render_durations_at.get(resolution, self.render_durations_s)
        return next(each for each in lengths if each >= duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row of the catalogue."""

    model_id: ModelId
    name: str
    """For people, such as `Kling 3 Pro`."""
    routes: tuple[Route, ...]
    """Who renders it, in the order in which they are tried; at least one, each of another provider. The price is the
    same whoever does."""
    surfaces: frozenset[Surface]
    """The dialects that offer it; the native surface offers every model."""
    cost_per_second: Decimal
    """US dollars that the provider charges for one second; >= 0."""
    durations_s: tuple[int, ...]
    """Whole seconds a customer may ask for, ascending."""
    duration_default_s: int
    """Used where the customer names none; one of `durations_s`."""
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

    @property
    def provider(self) -> ProviderName:
        """Who renders it in the first place."""
        return self.routes[0].provider

    def route(self, provider: ProviderName) -> Route | None:
        """How a provider is asked for it; None if it is none of the model's."""
        return next((each for each in self.routes if each.provider == provider), None)


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
