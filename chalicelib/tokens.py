"""Who may use the API: bearer tokens, known here only by their SHA-256. Pure; called by the HTTP door."""

import hashlib
import hmac
from collections.abc import Collection

from chalicelib.errors import TokenMissing, TokenWrong

_FIX = "send the header 'Authorization: Bearer <token>'; on a laptop `tarmac token` prints it"


def require_token(authorization: str | None, *, token_sha256: Collection[str]) -> None:
    """Let pass who shows a token that opens this API.

    Args:
        authorization: The Authorization header as it came.
        token_sha256: Hex digests of the good tokens; empty closes the API to everybody.

    Raises:
        TokenMissing: There is no bearer token in the header.
        TokenWrong: It is none of the good ones.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenMissing("this request carries no bearer token", fix=_FIX)
    digest = hashlib.sha256(token.strip().encode()).hexdigest()
    # Every digest is compared, each in constant time: how long it takes tells nothing about how near a guess was.
    matches = [hmac.compare_digest(digest, good.lower()) for good in token_sha256]
    if not any(matches):
        raise TokenWrong("this bearer token does not open this API", fix=_FIX)
