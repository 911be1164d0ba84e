"""`reelgate.v1.ModelService`."""

from dataclasses import dataclass

from reelgate.v1 import model_service_pb2, model_service_pb2_grpc
from reelgate_server.api import convert
from reelgate_server.api.auth import authenticate
from reelgate_server.api.metadata import Context
from reelgate_server.api.validate import validate
from reelgate_server.app.accounts import Accounts
from reelgate_server.app.estimate_cost import estimate_cost
from reelgate_server.app.providers import Providers
from reelgate_server.domain.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """Models and prices, as the contract says in `model_service.proto`."""

    accounts: Accounts
    catalogue: Catalogue
    providers: Providers

    async def ListModels(
        self, request: model_service_pb2.ListModelsRequest, context: Context
    ) -> model_service_pb2.ListModelsResponse:
        """List the catalogue."""
        caller = await authenticate(self.accounts, context)
        return model_service_pb2.ListModelsResponse(
            models=[
                convert.to_model(
                    model, caller.plan, self.providers.availability(model), self.providers.aspect_ratios(model)
                )
                for model in self.catalogue.all()
            ]
        )

    async def EstimateCost(
        self, request: model_service_pb2.EstimateCostRequest, context: Context
    ) -> model_service_pb2.EstimateCostResponse:
        """Tell what a job would cost."""
        caller = await authenticate(self.accounts, context)
        validate(request)
        asked = convert.from_duration(request.clip_duration) if request.HasField("clip_duration") else None
        estimate = await estimate_cost(self.accounts, self.catalogue, caller, request.model, asked)
        return model_service_pb2.EstimateCostResponse(
            price_micros=estimate.price.amount_micros,
            currency=estimate.price.currency,
            clip_duration=estimate.clip_duration,
            render_duration=estimate.render_duration,
            affordable=estimate.is_affordable,
        )
