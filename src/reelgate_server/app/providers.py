"""Which providers render which model here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reelgate_server.domain.catalogue import Model, Route
from reelgate_server.domain.errors import ModelUnavailable
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import Provider


class Availability(StrEnum):
    """Whether jobs of a model can be created on this server."""

    AVAILABLE = "available"
    SIMULATED = "simulated"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers that are configured, and the one that stands in for the others, if any."""

    configured: Mapping[ProviderName, Provider]
    stand_in: ProviderName | None = None
    """One of `configured`; None refuses models whose provider is not configured."""

    def availability(self, model: Model) -> Availability:
        """Tell who would render a model: one of its own providers, the stand-in, or nobody."""
        if self._living(model):
            return Availability.AVAILABLE
        is_refused = self.stand_in is None or self._withdrawn(model) is not None
        return Availability.UNAVAILABLE if is_refused else Availability.SIMULATED

    def routes(self, model: Model) -> tuple[Route, ...]:
        """The model's routes over configured providers, in the order in which a new job tries them.

        Returns:
            None of them if only the stand-in renders it.

        Raises:
            ModelUnavailable: Nobody renders it here; says so if its provider has withdrawn it.
        """
        if self.availability(model) is Availability.UNAVAILABLE:
            raise ModelUnavailable(model.model_id, self._withdrawn(model))
        return self._living(model)

    def aspect_ratios(self, model: Model) -> tuple[str, ...]:
        """Those of the model's ratios that somebody renders here."""
        living = self._living(model)
        refused = [set(each.refused_aspect_ratios) for each in living]
        return tuple(each for each in model.aspect_ratios if not living or any(each not in some for some in refused))

    def find(self, name: ProviderName) -> Provider | None:
        """The provider of this name; None when the operator has since removed it."""
        return self.configured.get(name)

    def _living(self, model: Model) -> tuple[Route, ...]:
        return tuple(each for each in model.routes if each.provider in self.configured and each.withdrawn is None)

    def _withdrawn(self, model: Model) -> str | None:
        """Why a configured provider of the model no longer renders it."""
        return next((each.withdrawn for each in model.routes if each.provider in self.configured), None)
