"""What an `Entropy` promises. `test_entropy.py` runs it over the machine's and the seeded one."""

import pytest

from reelgate_server.ports.entropy import Entropy


class EntropyContract:
    """Subclasses give an `entropy` fixture."""

    @pytest.mark.parametrize("count", [0, 1, 10, 24])
    def test_as_many_bytes_come_as_were_asked_for(self, entropy: Entropy, count: int) -> None:
        assert len(entropy.token_bytes(count)) == count

    def test_no_two_tokens_are_the_same(self, entropy: Entropy) -> None:
        assert len({entropy.token_bytes(10) for _ in range(1000)}) == 1000

    def test_every_bit_of_a_token_varies(self, entropy: Entropy) -> None:
        tokens = [int.from_bytes(entropy.token_bytes(10)) for _ in range(100)]
        for bit in range(80):
            assert {token >> bit & 1 for token in tokens} == {0, 1}

    def test_draws_lie_from_zero_to_below_one_and_fill_the_space(self, entropy: Entropy) -> None:
        draws = [entropy.draw() for _ in range(1000)]
        assert min(draws) >= 0
        assert max(draws) < 1
        assert {int(draw * 10) for draw in draws} == set(range(10))
