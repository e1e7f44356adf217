"""Bearer tokens: who has a good one comes in, nobody else."""

import hashlib

import pytest

from chalicelib.errors import TokenMissing, TokenWrong
from chalicelib.tokens import require_token

GOOD = hashlib.sha256(b"secret").hexdigest()


@pytest.mark.parametrize("header", ["Bearer secret", "bearer secret", "BEARER  secret "])
def test_a_good_token_opens(header: str) -> None:
    """The scheme is without case."""
    require_token(header, token_sha256={"0" * 64, GOOD.upper()})


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic secret", "secret"])
def test_without_a_token_it_is_missing(header: str | None) -> None:
    """401."""
    with pytest.raises(TokenMissing):
        require_token(header, token_sha256={GOOD})


@pytest.mark.parametrize("header", ["Bearer Secret", "Bearer secret2", f"Bearer {GOOD}", "Bearer sécret"])
def test_another_token_is_wrong(header: str) -> None:
    """403, and the digest itself opens nothing."""
    with pytest.raises(TokenWrong) as caught:
        require_token(header, token_sha256={GOOD})

    assert header.split()[1] not in caught.value.message


def test_without_good_tokens_the_api_is_closed() -> None:
    """Not open."""
    with pytest.raises(TokenWrong):
        require_token("Bearer secret", token_sha256=())
