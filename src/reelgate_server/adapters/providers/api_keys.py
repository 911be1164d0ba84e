"""The API keys of a provider. Tasks remember the name of the key that made them, and never the key."""

from collections.abc import Mapping

from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault


class ApiKeys:
    """Keys by name; the first makes new tasks, the others serve the tasks they made."""

    def __init__(self, provider: str, keys: Mapping[str, str], *, is_optional: bool = False) -> None:
        """Check them.

        Args:
            provider: Its name, for messages.
            keys: By name, in order.
            is_optional: The provider may ask for no key at all.

        Raises:
            ValueError: There is none, or one that a header cannot carry. Names the key, and does not quote it.
        """
        if not keys and not is_optional:
            message = f"provider {provider!r} needs an API key"
            raise ValueError(message)
        for name, key in keys.items():
            if not key or not all("!" <= each <= "~" for each in key):
                message = f"the key {name!r} of provider {provider!r} must be printable ASCII without spaces"
                raise ValueError(message)
        self._provider = provider
        self._keys = dict(keys)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order given."""
        return tuple(self._keys)

    @property
    def first(self) -> str | None:
        """The name of the key that makes new tasks; None if there are none."""
        return next(iter(self._keys), None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be struck out of texts: the keys, and the secret half of those of the form `id:secret`."""
        parts = {part for key in self._keys.values() for part in (key, key.partition(":")[2]) if part}
        # The longest first: what begins with another key would be struck out only in part.
        return tuple(sorted(parts, key=lambda part: (-len(part), part)))

    def find(self, credential: str | None) -> str:
        """Return the key of this name.

        Raises:
            ProviderFault: `UNAUTHORIZED`; the configuration has none any more. Surely not accepted: nothing was sent.
        """
        key = None if credential is None else self._keys.get(credential)
        if key is None:
            detail = f"no key named {credential!r} is configured for provider {self._provider!r}"
            raise ProviderFault(Fault(kind=FaultKind.UNAUTHORIZED, detail=detail))
        return key
