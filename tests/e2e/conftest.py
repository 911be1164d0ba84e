"""One product for the tests that can share it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.product import Product

BUGS = ("unexpected error", "drive failed", "Traceback")
"""What the server logs when it meets a bug."""


@pytest.fixture(scope="session")
def shared_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that lives as long as the tests; use `product`."""
    instance = Product.at(tmp_path_factory.mktemp("shared") / "data")
    try:
        yield instance.start()
        assert instance.stop() < 10
    finally:
        instance.close()


@pytest.fixture
def product(shared_product: Product) -> Iterator[Product]:
    """The shared product; a test that makes it meet a bug fails."""
    logged_before = len(shared_product.server_log)
    yield shared_product
    new_lines = shared_product.server_log[logged_before:].splitlines()
    assert [line for line in new_lines if any(bug in line for bug in BUGS)] == []


@pytest.fixture
def native(product: Product) -> Iterator[httpx.Client]:
    """A client of the native surface on the default plan."""
    with product.http(product.native_key) as http:
        yield http


@pytest.fixture(scope="module")
def own_product(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A product that is not started, for a module whose tests end it."""
    instance = Product.at(tmp_path_factory.mktemp(request.module.__name__.rpartition(".")[2]) / "data")
    try:
        yield instance
    finally:
        instance.close()
