"""`reelgate.v1.AccountService`."""

from dataclasses import dataclass

from reelgate.v1 import account_service_pb2, account_service_pb2_grpc
from reelgate_server.api import convert
from reelgate_server.api.auth import authenticate
from reelgate_server.api.metadata import Context
from reelgate_server.app.accounts import Accounts
from reelgate_server.app.read_jobs import list_ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """Balance and ledger, as the contract says in `account_service.proto`."""

    accounts: Accounts

    async def GetBalance(
        self, request: account_service_pb2.GetBalanceRequest, context: Context
    ) -> account_service_pb2.Balance:
        """Get the caller's balance."""
        caller = await authenticate(self.accounts, context)
        return convert.to_balance(await self.accounts.balance(caller), caller)

    async def ListLedgerEntries(
        self, request: account_service_pb2.ListLedgerEntriesRequest, context: Context
    ) -> account_service_pb2.ListLedgerEntriesResponse:
        """List the caller's transfers."""
        caller = await authenticate(self.accounts, context)
        page = await list_ledger(
            self.accounts.store, caller, page_size=request.page_size, page_token=request.page_token
        )
        account_id = caller.account.account_id
        return account_service_pb2.ListLedgerEntriesResponse(
            entries=[convert.to_ledger_entry(each.transfer, account_id) for each in page.entries],
            next_page_token=page.next_page_token,
        )
