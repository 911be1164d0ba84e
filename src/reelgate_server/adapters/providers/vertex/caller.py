"""One call to Google, with the token it is made with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import httpx

from reelgate_server.adapters.providers.answer import Answer
from reelgate_server.adapters.providers.vertex.credentials import TokenSource


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. Made for one call, because tokens expire."""

    source: TokenSource
    token: str = field(repr=False)

    @classmethod
    async def of(cls, source: TokenSource) -> Self:
        """Get a token.

        Raises:
            ProviderFault: See `TokenSource.token`.
        """
        return cls(source, await source.token())

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the call."""
        project = self.source.quota_project
        return {"Authorization": f"Bearer {self.token}"} | ({"x-goog-user-project": project} if project else {})

    @property
    def reading_headers(self) -> Mapping[str, str]:
        """The headers of a call whose answer is read in parts; a compressed one unpacks into parts of any size."""
        return {**self.headers, "Accept-Encoding": "identity"}

    def note(self, status: int) -> None:
        """Drop a token that was refused."""
        if status == httpx.codes.UNAUTHORIZED:
            self.source.forget(self.token)

    def noted(self, answer: Answer) -> Answer:
        """Note an answer, and keep the token out of whatever will be said of it."""
        self.note(answer.status)
        return replace(answer, secrets=(*answer.secrets, self.token))
