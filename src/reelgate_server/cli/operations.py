"""What the command line needs of the server's own machinery; the composition root provides it."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from reelgate_server.app.accounts import Accounts
from reelgate_server.config import Settings
from reelgate_server.domain.catalogue import Catalogue


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
