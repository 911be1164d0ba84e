"""Keys by name: which is used, which is gone, and what may be said of them."""

import pytest

from reelgate_server.adapters.providers.api_keys import ApiKeys
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault


def test_the_first_key_makes_new_tasks_and_each_is_found_by_its_name() -> None:
    keys = ApiKeys("studio", {"new": "key-of-new", "old": "key-of-old"})
    assert (keys.first, keys.names) == ("new", ("new", "old"))
    assert [keys.find(name) for name in keys.names] == ["key-of-new", "key-of-old"]


@pytest.mark.parametrize("credential", ["gone", "", None])
def test_a_key_that_is_gone_is_named(credential: str | None) -> None:
    with pytest.raises(ProviderFault) as raised:
        ApiKeys("studio", {"new": "key-of-new"}).find(credential)
    assert raised.value.fault == Fault(
        kind=FaultKind.UNAUTHORIZED, detail=f"no key named {credential!r} is configured for provider 'studio'"
    )


@pytest.mark.parametrize("key", ["", "with space", "line\n", "tab\t", "clé", "\x7f"])
def test_a_key_that_no_header_can_carry_is_named_and_not_quoted(key: str) -> None:
    with pytest.raises(
        ValueError, match=r"^the key 'main' of provider 'studio' must be printable ASCII without spaces$"
    ):
        ApiKeys("studio", {"good": "k", "main": key})


def test_a_provider_without_keys_is_a_mistake_unless_it_asks_for_none() -> None:
    with pytest.raises(ValueError, match=r"^provider 'studio' needs an API key$"):
        ApiKeys("studio", {})
    assert ApiKeys("studio", {}, is_optional=True).first is None


def test_what_is_struck_out_are_the_keys_and_their_secret_halves_the_longest_first() -> None:
    keys = ApiKeys("studio", {"one": "id-1:half-of-it", "two": "key", "three": "key-longer", "four": "id-2:"})
    assert keys.secrets == ("id-1:half-of-it", "half-of-it", "key-longer", "id-2:", "key")
    assert "key" not in repr(keys).replace("api_keys", "")
