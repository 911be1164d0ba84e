"""Who is calling."""

from reelgate_server.api.metadata import Context, read
from reelgate_server.app.accounts import Accounts
from reelgate_server.domain.accounts import Caller
from reelgate_server.domain.errors import CredentialUnknown

SECRET_CHARACTERS_MAX = 256
"""Longer keys are unknown without being looked up. Ours have at most 45 characters."""


async def authenticate(accounts: Accounts, context: Context) -> Caller:
    """Find the caller from `authorization: Bearer KEY` or, without that, `x-api-key: KEY`.

    Raises:
        CredentialMissing: Neither was sent.
        CredentialUnknown: There is no such key, or `authorization` is not of that form.
        CredentialRevoked: The key was revoked.
    """
    authorization = read(context, "authorization")
    if authorization is None:
        secret = read(context, "x-api-key")
    else:
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise CredentialUnknown
    if secret is not None and len(secret) > SECRET_CHARACTERS_MAX:
        raise CredentialUnknown
    return await accounts.authenticate(secret or None)
