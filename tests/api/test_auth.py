"""Who is calling: the forms in which a key may be sent."""

import pytest

from reelgate.v1.account_service_pb2 import GetBalanceRequest
from tests.support.rpc import Api, Metadata, refusal
from tests.support.world import Customer, World


async def _account_id(api: Api, metadata: Metadata) -> str:
    balance = await api.accounts.GetBalance(GetBalanceRequest(), metadata=metadata)
    return str(balance.account_id)


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {}", "Bearer {} "])
async def test_a_bearer_key_is_taken(api: Api, ada: Customer, form: str) -> None:
    assert await _account_id(api, (("authorization", form.format(ada.secret)),)) == ada.account.account_id


async def test_an_api_key_header_is_taken(api: Api, ada: Customer) -> None:
    assert await _account_id(api, (("x-api-key", ada.secret),)) == ada.account.account_id


async def test_authorization_goes_before_the_api_key_header(api: Api, ada: Customer, bob: Customer) -> None:
    both = (("x-api-key", bob.secret), ("authorization", f"Bearer {ada.secret}"))
    assert await _account_id(api, both) == ada.account.account_id
    refused = await refusal(_account_id(api, (("x-api-key", bob.secret), ("authorization", "Bearer wrong"))))
    assert refused.reason == "CREDENTIAL_UNKNOWN"


@pytest.mark.parametrize("metadata", [(), (("x-api-key", ""),), (("cookie", "key=1"),)])
async def test_a_call_without_a_key_is_told_how_to_send_one(api: Api, metadata: Metadata) -> None:
    refused = await refusal(_account_id(api, metadata))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_MISSING")
    assert refused.message == "An API key is required: send it as 'Authorization: Bearer KEY'."


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Token {}",
        "{}",
        "Bearer{}",
        "Bearer rg_live_wrong",
        "Bearer {} {}",
        "Bearer {}x",
        "Bearer " + "k" * 257,
        "Bearer " + "k" * 7000,
    ],
    ids=lambda value: value[:20],
)
async def test_what_is_no_known_key_is_refused(api: Api, ada: Customer, authorization: str) -> None:
    metadata = (("authorization", authorization.replace("{}", ada.secret)),)
    refused = await refusal(_account_id(api, metadata))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_UNKNOWN")
    assert refused.message == "The API key is not valid."


async def test_a_long_api_key_header_is_refused(api: Api) -> None:
    assert (await refusal(_account_id(api, (("x-api-key", "k" * 257),)))).reason == "CREDENTIAL_UNKNOWN"


async def test_a_revoked_key_is_refused_and_the_accounts_other_keys_are_not(
    api: Api, world: World, ada: Customer
) -> None:
    other = await world.accounts.create_key(ada.account, "second")
    await world.store.revoke_key(ada.caller.key_id, world.clock.now())
    refused = await refusal(_account_id(api, (("x-api-key", ada.secret),)))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CREDENTIAL_REVOKED")
    assert await _account_id(api, (("x-api-key", other.secret),)) == ada.account.account_id


async def test_no_secret_is_told_back(api: Api, ada: Customer) -> None:
    refused = await refusal(_account_id(api, (("authorization", f"Bearer {ada.secret}x"),)))
    assert ada.secret not in repr(refused)
