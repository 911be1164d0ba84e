"""Every media store keeps the promises of `ports/media.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reelgate_server.adapters.media.directory import DirectoryMediaStore
from tests.contract.media_contract import SIZE_BYTES_MAX, MediaContract
from tests.support.media import MemoryMediaStore


class TestDirectoryMediaStore(MediaContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[DirectoryMediaStore]:
        store = DirectoryMediaStore(tmp_path, size_bytes_max=SIZE_BYTES_MAX)
        yield store
        store.close()


class TestMemoryMediaStore(MediaContract):
    @pytest.fixture
    def store(self) -> MemoryMediaStore:
        return MemoryMediaStore(size_bytes_max=SIZE_BYTES_MAX)
