"""What the command line needs of the server's own machinery; the composition root provides it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from reelgate_server.app.accounts import Accounts
from reelgate_server.config import Settings
from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.faults import Fault
from reelgate_server.domain.ids import ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReport:
    """What became of one `Provider.check`."""

    credential: str | None
    """The name of the credential, never its secret; None for a provider that needs none, or that could not be made."""
    fault: Fault | None
    """Why the check failed, without secrets; None if the provider answered and accepted the credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReport:
    """What became of the checks of one configured provider."""

    provider: ProviderName
    credentials: tuple[CredentialReport, ...]
    """One for each of `Provider.credentials`, in that order; one without a name where there are none; never empty."""


class Operations(Protocol):
    """The seam between the commands and the adapters."""

    def serve(self, settings: Settings) -> None:
        """Serve until SIGINT or SIGTERM."""
        ...

    def migrate_store(self, settings: Settings) -> list[int]:
        """Bring the job store to this version's schema; return the migrations that ran."""
        ...

    def open_accounts(self, settings: Settings) -> AbstractAsyncContextManager[Accounts]:
        """Open the configured store for as long as the context lasts."""
        ...

    def load_catalogue(self, settings: Settings) -> Catalogue:
        """Read the catalogue."""
        ...

    def check_providers(self, settings: Settings) -> Sequence[ProviderReport]:
        """Check every credential of every configured provider, all at once.

        Returns:
            One report for each of `settings.configured_providers()`, `local` included, in any order. A provider whose
            adapter cannot be made or started is reported with an `INVALID` fault of no credential, and hides no other.
        """
        ...
