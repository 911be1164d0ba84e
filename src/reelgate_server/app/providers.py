"""Which provider renders which model here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from reelgate_server.domain.catalogue import Model
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
        """Tell who would render a model: its own provider, the stand-in, or nobody."""
        if model.provider in self.configured:
            return Availability.AVAILABLE
        return Availability.UNAVAILABLE if self.stand_in is None else Availability.SIMULATED

    def choose(self, model: Model) -> tuple[ProviderName, bool]:
        """Choose who renders a new job.

        Returns:
            The provider's name, and whether it only stands in for the model's own.

        Raises:
            ModelUnavailable: Nobody renders it here.
        """
        availability = self.availability(model)
        match availability:
            case Availability.AVAILABLE:
                return model.provider, False
            case Availability.SIMULATED if self.stand_in is not None:
                return self.stand_in, True
            case Availability.SIMULATED | Availability.UNAVAILABLE:
                raise ModelUnavailable(model.model_id)
            case _:
                assert_never(availability)

    def find(self, name: ProviderName) -> Provider | None:
        """The provider of this name; None when the operator has since removed it."""
        return self.configured.get(name)
