"""`reelgate.v1.AccountService`: what each method answers, and every code it can answer with."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from reelgate.v1.account_service_pb2 import GetBalanceRequest, ListLedgerEntriesRequest
from reelgate_server.adapters.store.memory import MemoryStore
from tests.support.interpose import Trouble, interpose
from tests.support.rpc import Api, key, refusal, serving
from tests.support.world import Customer, World

METHODS = [("GetBalance", GetBalanceRequest()), ("ListLedgerEntries", ListLedgerEntriesRequest())]


async def _list(api: Api, customer: Customer, **fields: Any) -> Any:
    return await api.accounts.ListLedgerEntries(ListLedgerEntriesRequest(**fields), metadata=key(customer))


async def test_a_balance_tells_what_is_available_and_what_is_held(api: Api, world: World, ada: Customer) -> None:
    await world.create(ada)
    balance = await api.accounts.GetBalance(GetBalanceRequest(), metadata=key(ada))
    assert balance.account_id == ada.account.account_id
    assert (balance.plan, balance.currency) == ("default", "USD")
    assert (balance.available_micros, balance.held_micros) == (9_800_000, 200_000)


async def test_a_balance_may_be_a_debt_where_the_plan_charges_on_completion(api: Api, world: World) -> None:
    customer = await world.join("geekhub", micros=1)
    await world.create(customer)
    await world.run_due()
    balance = await api.accounts.GetBalance(GetBalanceRequest(), metadata=key(customer))
    assert (balance.plan, balance.currency) == ("geekhub", "MXN")
    assert (balance.available_micros, balance.held_micros) == (-4_199_999, 0)


async def test_an_account_without_any_transfer_has_nothing(api: Api, world: World) -> None:
    customer = await world.join(micros=0)
    balance = await api.accounts.GetBalance(GetBalanceRequest(), metadata=key(customer))
    assert (balance.currency, balance.available_micros, balance.held_micros) == ("USD", 0, 0)


async def test_the_ledger_tells_each_transfer_as_it_touches_the_account(
    api: Api, world: World, ada: Customer, bob: Customer
) -> None:
    paid = await world.create(ada)
    await world.clock.advance(timedelta(seconds=1))
    await world.run_due()
    dropped = await world.create(ada)
    await world.create(bob)
    await world.clock.advance(timedelta(minutes=30))
    await world.run_due()
    page = await _list(api, ada)
    assert [
        (entry.kind, entry.available_change_micros, entry.amount_micros, entry.currency, entry.job_id)
        for entry in page.entries
    ] == [
        (4, 200_000, 200_000, "USD", dropped.job_id),
        (2, -200_000, 200_000, "USD", dropped.job_id),
        (3, 0, 200_000, "USD", paid.job_id),
        (2, -200_000, 200_000, "USD", paid.job_id),
        (1, 10_000_000, 10_000_000, "USD", ""),
    ]
    void, hold, *_, credit = page.entries
    assert (void.hold_id, hold.hold_id, credit.hold_id) == (hold.transfer_id, "", "")
    assert hold.create_time.ToJsonString() == "2026-01-01T12:00:01Z"
    assert page.next_page_token == ""


async def test_a_post_without_a_hold_takes_the_amount(api: Api, world: World) -> None:
    customer = await world.join("geekhub")
    await world.create(customer)
    await world.run_due()
    post = (await _list(api, customer)).entries[0]
    assert (post.kind, post.available_change_micros, post.amount_micros) == (3, -4_200_000, 4_200_000)


async def test_entries_come_in_pages_without_gap_or_repeat(api: Api, world: World, ada: Customer) -> None:
    for _ in range(4):
        await world.create(ada)
    whole = [entry.transfer_id for entry in (await _list(api, ada)).entries]
    paged, token = [], ""
    for _ in range(3):
        page = await _list(api, ada, page_size=2, page_token=token)
        paged += [entry.transfer_id for entry in page.entries]
        token = page.next_page_token
        # What is recorded meanwhile comes before the first page.
        await world.create(ada)
    assert (paged, token) == (whole, "")


async def test_a_page_has_50_entries_unless_told_otherwise_and_at_most_1000(api: Api, world: World) -> None:
    customer = await world.join(micros=0)
    for _ in range(1001):
        await world.accounts.credit(customer.account, 1)
    assert len((await _list(api, customer)).entries) == 50
    assert len((await _list(api, customer, page_size=1001)).entries) == 1000


async def test_a_token_is_good_for_its_own_account_only(api: Api, world: World, ada: Customer, bob: Customer) -> None:
    await world.create(ada)
    token = (await _list(api, ada, page_size=1)).next_page_token
    assert len((await _list(api, ada, page_token=token)).entries) == 1
    refused = await refusal(_list(api, bob, page_token=token))
    assert (refused.code, refused.reason, refused.info) == (
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
        {"field": "page_token"},
    )


@pytest.mark.parametrize(
    "position", ["", "-1", "1.5", "x", "9" * 19, "9" * 5000, "01940000-0000-7000-8000-000000000001", "\u0661"]
)
async def test_a_token_whose_position_was_changed_is_refused(
    api: Api, world: World, ada: Customer, position: str
) -> None:
    await world.create(ada)
    token = (await _list(api, ada, page_size=1)).next_page_token
    query = base64.urlsafe_b64decode(token).decode().partition(".")[0]
    forged = base64.urlsafe_b64encode(f"{query}.{position}".encode()).decode()
    refused = await refusal(_list(api, ada, page_token=forged))
    assert (refused.code, refused.info) == ("INVALID_ARGUMENT", {"field": "page_token"})


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"page_size": -1}, "page_size"), ({"page_token": "x"}, "page_token"), ({"page_token": "\0🎬"}, "page_token")],
)
async def test_a_field_that_breaks_its_rule_is_named(
    api: Api, ada: Customer, fields: dict[str, Any], field: str
) -> None:
    refused = await refusal(_list(api, ada, **fields))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert refused.fields == (field,)


@pytest.mark.parametrize(("method", "request_"), METHODS)
async def test_a_key_is_needed(api: Api, world: World, ada: Customer, method: str, request_: Any) -> None:
    call = getattr(api.accounts, method)
    assert (await refusal(call(request_))).reason == "CREDENTIAL_MISSING"
    assert (await refusal(call(request_, metadata=(("x-api-key", "wrong"),)))).reason == "CREDENTIAL_UNKNOWN"
    await world.store.revoke_key(ada.caller.key_id, world.clock.now())
    refused = await refusal(call(request_, metadata=key(ada)))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_REVOKED")


@pytest.mark.parametrize(("method", "request_"), METHODS)
async def test_a_store_that_cannot_answer_is_unavailable_for_now(method: str, request_: Any) -> None:
    trouble = Trouble()
    world = World(store=interpose(MemoryStore(), trouble))
    ada = await world.join()
    async with serving(world) as api:
        call = getattr(api.accounts, method)
        trouble.begin_outage()
        refused = await refusal(call(request_, metadata=key(ada)))
        assert (refused.code, refused.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        trouble.end()
        trouble.by_method["*"] = ValueError("secret")
        refused = await refusal(call(request_, metadata=key(ada)))
        assert (refused.code, refused.reason) == ("INTERNAL", "INTERNAL")
