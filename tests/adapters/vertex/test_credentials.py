"""Access tokens of Google's own library, against a token service on loopback."""

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth import exceptions
from google.auth.credentials import TokenState
from starlette.responses import Response

from reelgate_server.adapters.providers.vertex.credentials import FixedToken, GoogleCredentials, GoogleTokens
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_simulators.endpoint import Operation, respond
from reelgate_simulators.faults import Hang, Html, Reset, Status
from reelgate_simulators.recording import RecordedRequest
from reelgate_simulators.server import SimulatorServer

LIFETIME_S = 3600
REFUSED = Status(400, {"error": "invalid_grant", "error_description": "Bad Request"})


class TokenService(SimulatorServer):
    """Google's token endpoint and its exchange for external accounts: every answer is another token."""

    def __init__(self, lifetime_s: int = LIFETIME_S) -> None:
        super().__init__()
        self.lifetime_s = lifetime_s
        self._serial = itertools.count(1)

    def operations(self) -> Sequence[Operation]:
        return [Operation(name="token", method="POST", path="/token", handler=self._token)]

    async def _token(self, request: RecordedRequest) -> Response:
        token = {"access_token": f"token-{next(self._serial)}", "expires_in": self.lifetime_s}
        return respond(200, token | {"token_type": "Bearer", "issued_token_type": "access_token"})

    def form(self, index: int = 0) -> dict[str, str]:
        """The form of a request; the last value of each field."""
        return {name: values[-1] for name, values in parse_qs(self.requests[index].content.decode()).items()}


@cache
def private_key() -> str:
    """A key like that of a service account; made once, because that takes a while."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


USER = {
    "type": "authorized_user",
    "client_id": "client",
    "client_secret": "client-secret",
    "refresh_token": "refresh-secret",
    "quota_project_id": "billing-project",
}
"""What `gcloud auth application-default login` writes. Whatever it says, the token comes from Google's own address."""


def service_account(url: str) -> dict[str, Any]:
    return {
        "type": "service_account",
        "project_id": "film",
        "private_key_id": "1",
        "private_key": private_key(),
        "client_email": "reelgate@film.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
    }


def external_account(url: str, subject: Path) -> dict[str, Any]:
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/token",
        "credential_source": {"file": str(subject)},
    }


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), "utf-8")
    return path


@asynccontextmanager
async def tokens_of(path: Path, *, limit_s: float = 10.0) -> AsyncIterator[GoogleTokens]:
    tokens = GoogleTokens(path, limit_s=limit_s)
    try:
        yield tokens
    finally:
        tokens.close()


@asynccontextmanager
async def at_a_service(tmp_path: Path, *, limit_s: float = 10.0) -> AsyncIterator[tuple[GoogleTokens, TokenService]]:
    """The tokens of a service account, and where they come from."""
    async with TokenService() as service:
        path = write(tmp_path / "key.json", service_account(service.base_url))
        async with tokens_of(path, limit_s=limit_s) as tokens:
            yield tokens, service


async def test_an_authorized_user_gets_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with TokenService() as service:
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{service.base_url}/token")
        async with tokens_of(write(tmp_path / "key.json", USER)) as tokens:
            assert await tokens.token() == "token-1"
            assert tokens.quota_project == "billing-project"
        assert service.form()["grant_type"] == "refresh_token"
        assert service.form()["refresh_token"] == "refresh-secret"
        assert service.form()["scope"] == "https://www.googleapis.com/auth/cloud-platform"


async def test_a_service_account_gets_a_token(tmp_path: Path) -> None:
    async with at_a_service(tmp_path) as (tokens, service):
        assert await tokens.token() == "token-1"
        assert tokens.quota_project is None
        assert service.form()["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def test_an_external_account_gets_a_token(tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.write_text("subject-token", "utf-8")
    async with TokenService() as service:
        path = write(tmp_path / "key.json", external_account(service.base_url, subject))
        async with tokens_of(path) as tokens:
            assert await tokens.token() == "token-1"
        assert service.form()["subject_token"] == "subject-token"
        assert service.form()["scope"] == "https://www.googleapis.com/auth/cloud-platform"


async def test_an_external_account_of_another_cloud_gets_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "eu-west-1")
    source = {"environment_id": "aws1", "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?x=y"}
    async with TokenService() as service:
        account = external_account(service.base_url, tmp_path) | {
            "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
            "credential_source": source,
        }
        async with tokens_of(write(tmp_path / "key.json", account)) as tokens:
            assert await tokens.token() == "token-1"
        assert "sts.eu-west-1.amazonaws.com" in service.form()["subject_token"]


async def test_a_file_that_wants_to_run_a_program_is_not_obeyed_by_itself(tmp_path: Path) -> None:
    source = {"executable": {"command": "/bin/true", "timeout_millis": 5000}}
    account = external_account("https://sts.googleapis.com", tmp_path) | {"credential_source": source}
    async with tokens_of(write(tmp_path / "key.json", account)) as tokens:
        with pytest.raises(ProviderFault, match="Executables need to be explicitly allowed") as raised:
            await tokens.token()
    assert raised.value.fault.kind is FaultKind.UNAUTHORIZED


async def test_application_default_credentials_are_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TokenService() as service:
        path = write(tmp_path / "key.json", service_account(service.base_url))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "film")
        tokens = GoogleTokens()
        assert await tokens.token() == "token-1"
        tokens.close()


async def test_a_quota_project_of_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "other-project")
    async with at_a_service(tmp_path) as (tokens, _):
        await tokens.token()
        assert tokens.quota_project == "other-project"


async def test_a_token_is_used_until_it_is_about_to_expire(tmp_path: Path) -> None:
    async with at_a_service(tmp_path) as (tokens, service):
        assert [await tokens.token() for _ in range(5)] == ["token-1"] * 5
        assert len(service.requests) == 1


async def test_callers_at_once_wait_for_one_refresh(tmp_path: Path) -> None:
    async with at_a_service(tmp_path) as (tokens, service):
        assert await asyncio.gather(*(tokens.token() for _ in range(50))) == ["token-1"] * 50
        assert len(service.requests) == 1


async def test_a_token_that_was_refused_is_replaced(tmp_path: Path) -> None:
    async with at_a_service(tmp_path) as (tokens, _):
        first = await tokens.token()
        tokens.forget(first)
        tokens.forget("a token of long ago")
        assert await tokens.token() == "token-2"
        assert await tokens.token() == "token-2"


class ScriptedCredentials:
    """Credentials whose tokens and ends a test writes down; a refresh waits until the test lets it."""

    quota_project_id = None

    def __init__(self) -> None:
        self.token: str | None = None
        self.token_state = TokenState.INVALID
        self.gate = threading.Event()
        self.gate.set()
        self.threads: list[str] = []
        self.errors: list[Exception] = []
        self.is_over = threading.Event()
        self.is_useless = False
        """What comes has expired already."""

    def refresh(self, request: Any) -> None:
        self.threads.append(threading.current_thread().name)
        self.gate.wait(10)
        try:
            if self.errors:
                raise self.errors.pop(0)
            self.token = f"token-{len(self.threads)}"
            self.token_state = TokenState.INVALID if self.is_useless else TokenState.FRESH
        finally:
            self.is_over.set()


def tokens_from(credentials: GoogleCredentials, limit_s: float = 10.0) -> GoogleTokens:
    return GoogleTokens(load=lambda _: credentials, limit_s=limit_s)


async def test_a_refresh_runs_in_a_thread_of_its_own() -> None:
    credentials = ScriptedCredentials()
    tokens = tokens_from(credentials)
    await tokens.token()
    tokens.close()
    assert credentials.threads == ["google-auth_0"]


async def test_a_token_that_is_about_to_expire_is_used_while_another_is_fetched() -> None:
    credentials = ScriptedCredentials()
    tokens = tokens_from(credentials)
    await tokens.token()
    credentials.token_state = TokenState.STALE
    credentials.is_over.clear()
    credentials.gate.clear()
    assert [await tokens.token() for _ in range(3)] == ["token-1"] * 3
    credentials.gate.set()
    await asyncio.to_thread(credentials.is_over.wait, 10)
    tokens.close()
    assert credentials.token == "token-2"
    assert len(credentials.threads) == 2


async def test_a_token_that_is_about_to_expire_is_used_although_another_cannot_be_fetched() -> None:
    credentials = ScriptedCredentials()
    tokens = tokens_from(credentials)
    await tokens.token()
    credentials.token_state = TokenState.STALE
    credentials.is_over.clear()
    credentials.errors.append(exceptions.TransportError("no route"))  # type: ignore[no-untyped-call]
    assert await tokens.token() == "token-1"
    await asyncio.to_thread(credentials.is_over.wait, 10)
    assert await tokens.token() == "token-1"
    tokens.close()


async def test_nobody_waits_for_ever_and_a_late_token_is_used() -> None:
    credentials = ScriptedCredentials()
    credentials.gate.clear()
    tokens = tokens_from(credentials, limit_s=0.05)
    for _ in range(2):
        with pytest.raises(ProviderFault, match=r"no access token within 0\.05 s") as raised:
            await tokens.token()
        assert raised.value.fault.kind is FaultKind.UNAVAILABLE
        assert not raised.value.fault.is_maybe_accepted
    credentials.gate.set()
    await asyncio.to_thread(credentials.is_over.wait, 10)
    assert await tokens.token() == "token-1"
    assert len(credentials.threads) == 1
    tokens.close()


async def test_a_caller_that_gives_up_leaves_the_others_their_token() -> None:
    credentials = ScriptedCredentials()
    credentials.gate.clear()
    tokens = tokens_from(credentials)
    async with asyncio.TaskGroup() as group:
        impatient = group.create_task(tokens.token())
        patient = group.create_task(tokens.token())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        credentials.gate.set()
    assert impatient.cancelled()
    assert patient.result() == "token-1"
    tokens.close()


async def test_a_token_that_has_expired_when_it_comes_is_none() -> None:
    credentials = ScriptedCredentials()
    tokens = tokens_from(credentials)
    credentials.is_useless = True
    with pytest.raises(ProviderFault, match="a token that has expired") as raised:
        await tokens.token()
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE
    tokens.close()


REFUSALS = {
    "a grant that was withdrawn": (REFUSED, FaultKind.UNAUTHORIZED, "invalid_grant: Bad Request"),
    "a client that is unknown": (
        Status(401, {"error": "invalid_client", "error_description": "The OAuth client was not found."}),
        FaultKind.UNAUTHORIZED,
        "invalid_client: The OAuth client was not found.",
    ),
    "a page": (Html(200), FaultKind.UNAVAILABLE, ""),
    "a bad gateway": (Html(502), FaultKind.UNAVAILABLE, "502"),
    "no token in the answer": (Status(200, {"token_type": "Bearer"}), FaultKind.UNAVAILABLE, "No access token"),
    "another type": (Status(200, []), FaultKind.UNAVAILABLE, ""),
    "a reset": (Reset(), FaultKind.UNAVAILABLE, "TransportError"),
}


@pytest.mark.parametrize(("answer", "kind", "detail"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_bad_credentials_are_told_from_a_bad_day(
    tmp_path: Path, answer: Any, kind: FaultKind, detail: str
) -> None:
    async with at_a_service(tmp_path) as (tokens, service):
        service.faults.queue("token", answer)
        with pytest.raises(ProviderFault) as raised:
            await tokens.token()
        fault = raised.value.fault
        assert (fault.kind, fault.is_maybe_accepted) == (kind, False)
        assert detail in fault.detail
        assert "secret" not in fault.detail
        assert await tokens.token() == "token-1"


async def test_an_exchange_that_has_too_much_to_do_says_nothing_of_the_credentials(tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.write_text("subject-token", "utf-8")
    async with TokenService() as service:
        path = write(tmp_path / "key.json", external_account(service.base_url, subject))
        async with tokens_of(path) as tokens:
            for status, kind in ((429, FaultKind.UNAVAILABLE), (403, FaultKind.UNAUTHORIZED)):
                service.faults.queue("token", Status(status, {"error": "not_now"}))
                with pytest.raises(ProviderFault) as raised:
                    await tokens.token()
                assert raised.value.fault.kind is kind


async def test_a_token_service_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    async with at_a_service(tmp_path, limit_s=0.3) as (tokens, service):
        service.faults.queue("token", Hang())
        with pytest.raises(ProviderFault) as raised:
            await tokens.token()
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE


async def test_a_token_service_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with TokenService() as service:
        url = service.base_url
    async with tokens_of(write(tmp_path / "key.json", service_account(url))) as tokens:
        with pytest.raises(ProviderFault) as raised:
            await tokens.token()
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE


async def test_a_network_that_is_down_while_credentials_are_looked_for_is_unavailable() -> None:
    def load(_: Any) -> GoogleCredentials:
        raise exceptions.TransportError("no route")  # type: ignore[no-untyped-call]

    tokens = GoogleTokens(load=load)
    with pytest.raises(ProviderFault, match="no route") as raised:
        await tokens.token()
    assert raised.value.fault.kind is FaultKind.UNAVAILABLE
    tokens.close()


FILES: dict[str, object] = {
    "not JSON": None,
    "a list": [],
    "no type": {},
    "a type that is a number": {"type": 7},
    "an API key": {"type": "api_key"},
    "a user without a secret": {"type": "authorized_user", "client_id": "client"},
    "a service account without a key": {"type": "service_account", "client_email": "a@b.c", "token_uri": "https://x"},
    "a service account with a broken key": service_account("https://oauth2.googleapis.com") | {"private_key": "no key"},
    "an external account without a source": {"type": "external_account"},
    "an impersonated account without a source": {"type": "impersonated_service_account"},
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
async def test_a_broken_file_is_bad_credentials(tmp_path: Path, content: object) -> None:
    path = tmp_path / "key.json"
    path.write_text("{" if content is None else json.dumps(content), "utf-8")
    async with tokens_of(path) as tokens:
        with pytest.raises(ProviderFault) as raised:
            await tokens.token()
    assert raised.value.fault.kind is FaultKind.UNAUTHORIZED
    assert raised.value.fault.detail.startswith("access token: ")


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with tokens_of(tmp_path / "missing.json") as tokens:
        with pytest.raises(ProviderFault, match=r"missing\.json") as raised:
            await tokens.token()
    assert raised.value.fault.kind is FaultKind.UNAUTHORIZED


async def test_a_file_that_is_mended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    async with TokenService() as service, tokens_of(path) as tokens:
        with pytest.raises(ProviderFault):
            await tokens.token()
        write(path, service_account(service.base_url))
        assert await tokens.token() == "token-1"


async def test_a_fixed_token_is_always_the_same() -> None:
    token = FixedToken("simulated")
    token.forget("simulated")
    assert await token.token() == "simulated"
    assert token.quota_project is None
    token.close()


@pytest.mark.parametrize("secret", ["", "two words", "line\nbreak", "caf\u00e9", "tab\t"])
def test_a_fixed_token_must_fit_into_a_header(secret: str) -> None:
    with pytest.raises(ValueError, match="one word of printable ASCII") as raised:
        FixedToken(secret)
    assert not secret or secret not in str(raised.value)
