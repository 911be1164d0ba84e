"""Every provider keeps the promises of `ports/provider.py`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reelgate_server.adapters.providers.local.provider import LocalProvider
from tests.contract.provider_contract import ProviderContract
from tests.support.fake_provider import FakeProvider


class TestLocalProvider(ProviderContract):
    @pytest.fixture
    async def provider(self, tmp_path: Path) -> AsyncIterator[LocalProvider]:
        async with LocalProvider(tmp_path, worker_count=1) as provider:
            yield provider


class TestFakeProvider(ProviderContract):
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider(progress_steps=[10, 60])


class TestIdempotentFakeProvider(ProviderContract):
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider(is_idempotent=True, progress_steps=[10, 60])
