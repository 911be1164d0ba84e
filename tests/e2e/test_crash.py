"""`kill -9` of everything in the middle of work, then a start on the same ports and folder."""

import hashlib
import time

import httpx
import pytest

from reelgate.v1 import job_pb2
from tests.e2e.store_file import job_states, read_transfers, require_sound
from tests.support.product import Product, create, eventually, follow, small_job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(170)]


def test_ten_jobs_in_different_states_all_succeed_after_a_kill_of_everything_and_are_charged_once(
    own_product: Product,
) -> None:
    product = own_product.start()
    variables = product.variables
    keys = [product.native_key, product.kyma_key, product.geekhub_key]
    clients = [product.http(key) for key in keys]
    # In turn on a plan that holds in dollars, on one that adds a markup, and on one that charges at the end.
    lengths_s = [1, 1, 2, 3, 2, 3, 1, 2]
    made = [
        (keys[index % 3], create(clients[index % 3], small_job(f"Scene {index}", seconds=seconds)))
        for index, seconds in enumerate(lengths_s)
    ]

    def is_diverse() -> bool:
        states = job_states(product.store_path, [job_id for _, job_id in made])
        return states["succeeded"] >= 1 and states["processing"] >= 3

    eventually(is_diverse, limit_s=30, what="some ended, some at work")
    made += [(keys[index], create(clients[index], small_job(f"Late scene {index}"))) for index in (0, 1)]
    product.kill_group()
    for client in clients:
        client.close()
    job_ids = [job_id for _, job_id in made]
    found = job_states(product.store_path, job_ids)
    assert found["succeeded"] >= 1
    assert sum(found.values()) - found["succeeded"] >= 3, found
    charged_before = {row.job_id for row in read_transfers(product.store_path) if row.kind == "post"}

    begin = time.monotonic()
    product.start()
    assert product.variables == variables
    jobs = {job_id: follow(product, key, job_id) for key, job_id in made}
    assert time.monotonic() - begin < 60
    assert {job.state for job in jobs.values()} == {job_pb2.JOB_STATE_SUCCEEDED}
    for job in jobs.values():
        video = httpx.get(job.video.uri, trust_env=False).content
        assert hashlib.sha256(video).hexdigest() == job.video.sha256

    transfers = require_sound(product.store_path)
    charges = {row.job_id: (row.amount_micros, row.currency) for row in transfers if row.kind == "post"}
    assert charges == {job_id: (job.charged_micros, job.currency) for job_id, job in jobs.items()}
    assert charged_before <= set(charges)
    # A hundredth of a dollar a second; Kyma's markup is 1.35, GeekHub's 1.05 at 20 pesos a dollar.
    assert [charges[job_id] for job_id in job_ids[:3]] == [(10_000, "USD"), (13_500, "USD"), (420_000, "MXN")]
    assert product.stop() < 10
