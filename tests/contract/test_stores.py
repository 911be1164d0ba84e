"""Every store keeps the promises of `ports/store.py` and `ports/accounts.py`.

A store joins by a row in `BACKENDS`. One that cannot keep a category of promises opts out of it by name, with a reason.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from reelgate_server.adapters.store.memory import MemoryStore
from reelgate_server.adapters.store.migrate import migrate
from reelgate_server.adapters.store.sqlite import SqliteStore
from tests.contract.accounts_contract import AccountContract, LedgerContract
from tests.contract.claim_contract import ClaimContract
from tests.contract.store_contract import CreateContract, ListContract, LogContract
from tests.contract.store_model import RandomUser
from tests.support.builders import account_id, job_id, make_account, make_credit, make_job, usd
from tests.support.store_steps import Store, create


class Category(StrEnum):
    """Promises that a kind of store may not be able to keep."""

    DURABLE = "durable"


Open = Callable[[], AbstractAsyncContextManager[Store]]
"""Opens one more handle on the same jobs and accounts."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A store under test."""

    start: Callable[[Path], Open]
    """Makes an empty store; it may use the folder, which is empty too."""
    opt_outs: Mapping[Category, str] = field(default_factory=dict)
    """The categories it does not take part in, each with the reason."""


def _start_memory(_folder: Path) -> Open:
    store = MemoryStore()

    @asynccontextmanager
    async def open_handle() -> AsyncIterator[Store]:
        yield store

    return open_handle


def _start_sqlite(folder: Path) -> Open:
    path = folder / "reelgate.db"
    migrate(path)

    @asynccontextmanager
    async def open_handle() -> AsyncIterator[Store]:
        async with await SqliteStore.open(path) as store:
            yield store

    return open_handle


BACKENDS = {
    "memory": Backend(
        start=_start_memory,
        opt_outs={Category.DURABLE: "Its data live and end with the object; nothing is left to open again."},
    ),
    "sqlite": Backend(start=_start_sqlite),
}


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


@pytest.fixture
def open_handle(backend: Backend, tmp_path: Path) -> Open:
    return backend.start(tmp_path)


@pytest.fixture
async def store(open_handle: Open) -> AsyncIterator[Store]:
    async with open_handle() as handle:
        yield handle


@pytest.fixture
async def handles(open_handle: Open) -> AsyncIterator[tuple[Store, Store]]:
    """Two handles on one store, as two server processes have; in memory both are the one object."""
    async with open_handle() as one, open_handle() as other:
        yield one, other


class TestCreate(CreateContract):
    """Creating, replaying and paying."""


class TestLog(LogContract):
    """Appending to a log and reading it."""


class TestList(ListContract):
    """Listing an account's jobs."""


class TestClaim(ClaimContract):
    """Claiming, renewing and releasing."""


class TestAccounts(AccountContract):
    """Accounts and their keys."""


class TestLedger(LedgerContract):
    """Transfers and what they add up to."""


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_store_answers_as_the_model_predicts(store: Store, seed: int) -> None:
    await RandomUser(store, seed).run(step_count=400)


async def test_what_was_told_is_there_when_the_store_is_opened_again(backend: Backend, open_handle: Open) -> None:
    if Category.DURABLE in backend.opt_outs:
        pytest.skip(backend.opt_outs[Category.DURABLE])
    async with open_handle() as before:
        await before.create_account(make_account())
        await before.record_transfer(make_credit(amount_micros=1_000_000))
        await create(before, 1, price_micros=400_000)
    async with open_handle() as after:
        assert await after.find_account("account 1") == make_account()
        assert await after.load_job(job_id(1)) == make_job(1, price_micros=400_000)
        assert (await after.load_balance(account_id(), "USD")).available == usd(600_000)
