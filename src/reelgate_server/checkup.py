"""Check the configured providers, each by itself, for `reelgate doctor`."""

import asyncio
from collections.abc import Callable

from reelgate_server.adapters.providers.local.provider import NAME as LOCAL
from reelgate_server.cli.operations import CredentialReport, ProviderReport
from reelgate_server.config import Settings
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.provider import Provider
from reelgate_server.wiring import OpenableProvider, provider_builders


async def check_providers(settings: Settings) -> list[ProviderReport]:
    """Check every credential of every configured provider, all at once; see `Operations`."""
    builders = provider_builders(settings)
    return await asyncio.gather(*(_check_provider(name, build) for name, build in builders.items()))


async def _check_provider(name: ProviderName, build: Callable[[], OpenableProvider]) -> ProviderReport:
    try:
        provider = build()
        if name == LOCAL:
            # Not entered: that would start its processes.
            return ProviderReport(provider=name, credentials=(await _check_credential(provider, None),))
        async with provider:
            reports = await asyncio.gather(
                *(_check_credential(provider, credential) for credential in provider.credentials or (None,))
            )
    except (OSError, ValueError) as error:
        fault = Fault(kind=FaultKind.INVALID, detail=str(error))
        reports = [CredentialReport(credential=None, fault=fault)]
    return ProviderReport(provider=name, credentials=tuple(reports))


async def _check_credential(provider: Provider, credential: str | None) -> CredentialReport:
    try:
        await provider.check(credential)
    except ProviderFault as error:
        return CredentialReport(credential=credential, fault=error.fault)
    return CredentialReport(credential=credential, fault=None)
