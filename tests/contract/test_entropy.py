"""Every source of randomness keeps the promises of `ports/entropy.py`."""

import pytest

from reelgate_server.adapters.entropy import SystemEntropy
from tests.contract.entropy_contract import EntropyContract
from tests.support.entropy import SeededEntropy


class TestSystemEntropy(EntropyContract):
    @pytest.fixture
    def entropy(self) -> SystemEntropy:
        return SystemEntropy()


class TestSeededEntropy(EntropyContract):
    @pytest.fixture
    def entropy(self) -> SeededEntropy:
        return SeededEntropy()

    def test_one_seed_gives_one_sequence(self) -> None:
        one, other = SeededEntropy(7), SeededEntropy(7)
        assert [one.token_bytes(4), one.draw()] == [other.token_bytes(4), other.draw()]
        assert SeededEntropy(8).token_bytes(4) != SeededEntropy(7).token_bytes(4)
