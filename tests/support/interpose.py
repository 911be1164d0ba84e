"""Stand between the application and a store: make calls slow, fail, or be refused."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from reelgate_server.domain.errors import StoreUnavailable
from tests.support.store_steps import Store

Around: TypeAlias = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Takes a method's name and the call itself, and answers in its place."""


def interpose(inner: Store, around: Around) -> Store:
    """A store whose every call goes through `around`."""
    return cast("Store", _Interposed(inner, around))


class _Interposed:
    def __init__(self, inner: Store, around: Around) -> None:
        self._inner = inner
        self._around = around

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._inner, name)

        def call(*args: Any, **kwargs: Any) -> Awaitable[Any]:
            return self._around(name, lambda: method(*args, **kwargs))

        return call


class Trouble:
    """An `Around` that raises what a test has written down."""

    def __init__(self) -> None:
        """Begin without any."""
        self.by_method: dict[str, BaseException] = {}
        """Raised by every call of that method, before anything is done; `*` stands for every method."""
        self.after_method: dict[str, BaseException] = {}
        """Raised by the next call of that method, once it is done, and taken off."""
        self.calls: list[str] = []
        """The methods called, in order."""

    def begin_outage(self) -> None:
        """Let every call raise `StoreUnavailable` from now on."""
        self.by_method["*"] = StoreUnavailable()

    def end(self) -> None:
        """Let all go well again."""
        self.by_method.clear()
        self.after_method.clear()

    async def __call__(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls.append(name)
        error = self.by_method.get(name) or self.by_method.get("*")
        if error is not None:
            raise error
        answer = await call()
        late = self.after_method.pop(name, None)
        if late is not None:
            raise late
        return answer
