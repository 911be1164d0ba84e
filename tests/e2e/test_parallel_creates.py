"""A thousand parallel creates on a balance that pays for ten."""

import asyncio
import re
from collections import Counter

import httpx
import pytest

from tests.e2e.store_file import read_transfers
from tests.support.product import Product, bearer, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BODY = {"model": "hailuo-02-512p", "prompt": "Ten seats, a thousand guests", "duration": 1}
"""Costs 0.02295 dollars on Kyma's plan."""
ACCOUNT = "ten-seats"


@pytest.fixture
def key(product: Product) -> str:
    """A key of an account on Kyma's plan that can pay for ten, made by the command line beside the running server."""
    account = product.reelgate("accounts", "create", ACCOUNT, "--plan", "kyma")
    assert re.fullmatch(rf"account [0-9a-f-]{{36}} \({ACCOUNT}\) on plan kyma\n", account.stdout), account
    credited = product.reelgate("credit", "0.2295", "--account", ACCOUNT)
    assert credited.stdout == "available: 0.2295 USD\n", credited
    made = product.reelgate("keys", "create", "--account", ACCOUNT, "--name", "e2e")
    return made.stdout.splitlines()[-1]


async def test_a_thousand_parallel_creates_make_exactly_the_ten_jobs_that_the_balance_pays_for(
    product: Product, key: str
) -> None:
    async with httpx.AsyncClient(base_url=product.url, headers=bearer(key), trust_env=False, timeout=60) as http:

        async def create_ten() -> list[httpx.Response]:
            return [await http.post("/v1/videos/generations", json=BODY) for _ in range(10)]

        groups = await asyncio.gather(*(create_ten() for _ in range(100)))
        responses = [response for group in groups for response in group]
        errors = [(response.status_code, response.json()["error"]) for response in responses]
        answers = Counter((status, error and error["code"]) for status, error in errors)
        assert answers == {(202, None): 10, (402, "insufficient_balance"): 990}
        job_ids = {response.json()["id"] for response in responses if response.status_code == 202}
        assert len(job_ids) == 10
        listed = (await http.get("/reelgate/v1/jobs")).json()["jobs"]
        assert {job["job_id"] for job in listed} == job_ids

    def settled() -> bool:
        with product.http(key) as client:
            return bool(client.get("/v1/credits/balance").json() == {"balance": 0, "low_balance": True, "held": 0})

    eventually(settled, limit_s=60, what="settled")
    transfers = [row for row in read_transfers(product.store_path) if row.job_id in job_ids]
    assert Counter((row.kind, row.amount_micros) for row in transfers) == {("hold", 22_950): 10, ("post", 22_950): 10}
