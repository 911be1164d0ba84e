"""Access tokens for Google: from a file, from where the server runs, or fixed.

google-auth blocks, so it runs in one thread of its own, and at most one refresh of a source is under way. Callers wait
for it no longer than `REFRESH_LIMIT_S`; one that Google leaves hanging goes on, and the next caller waits for the same.
A token that is about to expire is still handed out while a fresh one is fetched.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

import google.auth
import httpx
import requests
from google.auth import aws, exceptions, identity_pool, impersonated_credentials, pluggable
from google.auth.credentials import TokenState
from google.auth.transport.requests import Request
from google.oauth2 import credentials as authorized_user
from google.oauth2 import service_account

from reelgate_server.adapters.redact import redact
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
"""Covers Vertex AI and Cloud Storage; what is allowed below it, IAM decides."""
REFRESH_LIMIT_S = 10.0
"""Seconds that a caller waits for a token. Google answers within one."""
_OPERATION_LIMIT_S: Final = 5.0
"""Seconds for one connect or read; google-auth itself would wait 120. It tries three times."""
_AWS_TOKEN_TYPE: Final = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 (the name of a kind of token)
_PASSING: Final = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})
"""The 4xx that say nothing against the credentials."""


class TokenSource(Protocol):
    """Gives access tokens of one identity."""

    @property
    def quota_project(self) -> str | None:
        """The project that calls are counted and billed against, if it is not that of the identity; after `token`."""
        ...

    async def token(self) -> str:
        """A token that is valid now.

        Raises:
            ProviderFault: `UNAUTHORIZED` if the credentials are no good, `UNAVAILABLE` if that cannot be known now;
                never maybe accepted.
        """
        ...

    def forget(self, token: str) -> None:
        """Do not hand this token out again: it was refused."""
        ...

    def close(self) -> None:
        """Stop its thread, without waiting for it."""
        ...


class FixedToken:
    """One token, for a proxy or a simulator, or for an hour's try."""

    def __init__(self, secret: str) -> None:
        """Keep it.

        Raises:
            ValueError: It cannot stand in a header.
        """
        if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
            message = "an access token is one word of printable ASCII"
            raise ValueError(message)
        self._secret = secret

    @property
    def quota_project(self) -> None:
        """None."""

    async def token(self) -> str:
        """The same as ever."""
        return self._secret

    def forget(self, token: str) -> None:
        """Nothing to do: there is no other."""

    def close(self) -> None:
        """Nothing to do."""


class GoogleCredentials(Protocol):
    """As much of `google.auth.credentials.Credentials` as is used here."""

    token: str | None

    @property
    def token_state(self) -> TokenState:
        """`STALE` from 3 minutes 45 seconds before the end."""
        ...

    @property
    def quota_project_id(self) -> str | None:
        """See `TokenSource.quota_project`."""
        ...

    def refresh(self, request: Any) -> None:
        """Fetch a token; blocks."""
        ...


Load = Callable[[Any], GoogleCredentials]
"""Makes credentials, with the given transport if it must ask somebody; blocks."""


class GoogleTokens:
    """Tokens of Google credentials, refreshed when they must be."""

    def __init__(self, path: Path | None = None, *, limit_s: float = REFRESH_LIMIT_S, load: Load | None = None) -> None:
        """Prepare; nothing is read or asked yet.

        Args:
            path: A credentials file, of one of the types in `_LOADERS`. Without it Google's library looks for
                Application Default Credentials: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's login, or the machine's own.
            limit_s: Seconds that a caller waits.
            load: Makes the credentials in place of both; called in the thread, until it succeeds.
        """
        self._load: Load = load or (_load_default if path is None else partial(_load_file, path))
        self._limit_s = limit_s
        self._credentials: GoogleCredentials | None = None
        self._refused: str | None = None
        self._refreshing: Future[None] | None = None
        self._transport = _Transport()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="google-auth")

    @property
    def quota_project(self) -> str | None:
        """See `TokenSource`: from the file, or from `GOOGLE_CLOUD_QUOTA_PROJECT`."""
        return None if self._credentials is None else self._credentials.quota_project_id

    async def token(self) -> str:
        """See `TokenSource`."""
        token = self._usable()
        if token is None:
            await self._refreshed()
            token = self._usable()
        if token is None:
            raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE, detail="Google gave a token that has expired"))
        return token

    def forget(self, token: str) -> None:
        """See `TokenSource`; one that has been replaced since is forgotten already."""
        if self._credentials is not None and self._credentials.token == token:
            self._refused = token

    def close(self) -> None:
        """See `TokenSource`."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _usable(self) -> str | None:
        """The token at hand, if it can be used; one that is about to expire is replaced in the meantime."""
        credentials = self._credentials
        if credentials is None or not credentials.token or credentials.token == self._refused:
            return None
        if credentials.token_state is TokenState.INVALID:
            return None
        if credentials.token_state is TokenState.STALE:
            self._refresh_under_way()
        return credentials.token

    async def _refreshed(self) -> None:
        refreshing = self._refresh_under_way()
        waiter = asyncio.wrap_future(refreshing)
        try:
            async with asyncio.timeout(self._limit_s):
                await asyncio.shield(waiter)
        except TimeoutError as error:
            detail = f"no access token within {self._limit_s:g} s"
            raise ProviderFault(Fault(kind=FaultKind.UNAVAILABLE, detail=detail)) from error
        finally:
            # This does not reach a thread that runs; it keeps its late end away from a loop that may be closed.
            if refreshing.running():
                waiter.cancel()
        # The metadata server may give the same token again, and there is no other then.
        self._refused = None

    def _refresh_under_way(self) -> Future[None]:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = self._threads.submit(self._refresh)
        return self._refreshing

    def _refresh(self) -> None:
        """Load and refresh, in the thread.

        Raises:
            ProviderFault: See `TokenSource.token`.
        """
        self._transport.last_status = None
        try:
            credentials = self._credentials or self._load(self._transport)
        except exceptions.TransportError as error:
            raise _fault(FaultKind.UNAVAILABLE, error) from error
        except (exceptions.GoogleAuthError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            # A file that is broken in one of many ways.
            raise _fault(FaultKind.UNAUTHORIZED, error) from error
        try:
            credentials.refresh(self._transport)
        except (exceptions.GoogleAuthError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _fault(_kind_of_refusal(error, self._transport.last_status), error) from error
        self._credentials = credentials


class _Transport:
    """google-auth's own transport, bounded, and remembering how the last request was answered."""

    def __init__(self) -> None:
        self.last_status: int | None = None
        """None if there was no request, or no answer to it."""
        session = requests.Session()
        # As in http.py: neither a proxy nor a .netrc of the environment may see or add a credential.
        session.trust_env = False
        self._request: Any = Request(session)

    def __call__(self, url: str, method: str = "GET", **request: Any) -> Any:
        self.last_status = None
        response = self._request(url, method=method, **{"timeout": _OPERATION_LIMIT_S, **request})
        self.last_status = response.status
        return response


def _load_default(transport: Any) -> GoogleCredentials:
    found: tuple[Any, str | None] = google.auth.default(scopes=[SCOPE], request=transport)
    credentials: GoogleCredentials = found[0]
    return credentials


def _load_file(path: Path, _: Any) -> GoogleCredentials:
    info = json.loads(path.read_text("utf-8"))
    kind = info.get("type") if isinstance(info, dict) else None
    load = _LOADERS.get(kind) if isinstance(kind, str) else None
    if load is None:
        message = f"{path.name}: `type` must be one of {', '.join(_LOADERS)}"
        raise ValueError(message)
    credentials: GoogleCredentials = load(info, scopes=[SCOPE]).with_quota_project_from_environment()
    return credentials


def _load_external_account(info: Mapping[str, Any], scopes: list[str]) -> Any:
    source = info.get("credential_source")
    kind: Any = identity_pool.Credentials
    if info.get("subject_token_type") == _AWS_TOKEN_TYPE:
        kind = aws.Credentials
    elif isinstance(source, dict) and "executable" in source:
        kind = pluggable.Credentials
    return kind.from_info(info, scopes=scopes)


_LOADERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "service_account": service_account.Credentials.from_service_account_info,
        "authorized_user": authorized_user.Credentials.from_authorized_user_info,
        "external_account": _load_external_account,
        "impersonated_service_account": (impersonated_credentials.Credentials.from_impersonated_service_account_info),
    }
)
"""By `type`. google-auth deprecates its loader of any type, and warns whenever it is called."""


def _kind_of_refusal(error: Exception, last_status: int | None) -> FaultKind:
    """Tell credentials that are no good from a token service that cannot say now."""
    if isinstance(error, exceptions.TransportError) or isinstance(error.__cause__, exceptions.TransportError):
        return FaultKind.UNAVAILABLE
    if last_status is None:
        # It did not come to a request: a key that signs nothing, a login that has to be repeated.
        return FaultKind.UNAUTHORIZED
    is_definite = httpx.codes.is_client_error(last_status) and last_status not in _PASSING
    return FaultKind.UNAUTHORIZED if is_definite else FaultKind.UNAVAILABLE


def _fault(kind: FaultKind, error: Exception) -> ProviderFault:
    # google-auth's own have Google's whole answer behind the text.
    text = str(error) if isinstance(error, OSError) or not error.args else error.args[0]
    return ProviderFault(Fault(kind=kind, detail=redact(f"access token: {type(error).__name__}: {text}")))
