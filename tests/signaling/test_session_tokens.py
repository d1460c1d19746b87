import contextlib
import random
import string

import pytest
from glottis import AuthenticationFailed
from glottis.signaling.session_tokens import MAX_TOKEN_LENGTH, HmacTokens, TokenClaims
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

TOKENS = HmacTokens(b"k" * 32)
CLAIMS = TokenClaims("3f2a", "user-1", expires_at=1000.0, nonce="n", use="connect")


def code_of(token: str, now: float = 0.0) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        TOKENS.verify(token, now)
    assert len(token) < 8 or token[:8] not in str(caught.value)
    return caught.value.code


@given(
    st.builds(
        TokenClaims,
        session_id=st.text(max_size=64),
        client_identifier=st.text(max_size=256),
        expires_at=st.floats(1, 2**33),
        nonce=st.text(max_size=32),
        use=st.sampled_from(["connect", "resume"]),
    )
)
@settings(max_examples=examples(50), derandomize=True)
def test_claims_come_back_from_a_token_that_a_url_can_hold(claims: TokenClaims) -> None:
    token = TOKENS.issue(claims)
    assert TOKENS.verify(token, 0.0) == claims
    assert len(token) <= MAX_TOKEN_LENGTH
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")


def test_a_token_works_until_it_expires() -> None:
    token = TOKENS.issue(CLAIMS)
    assert TOKENS.verify(token, 999.9) == CLAIMS
    assert code_of(token, now=1000.0) == "TOKEN_EXPIRED"


def test_a_token_of_another_secret_is_invalid() -> None:
    assert code_of(HmacTokens(b"x" * 32).issue(CLAIMS)) == "TOKEN_INVALID"


def test_an_expired_forgery_is_invalid_rather_than_expired() -> None:
    assert code_of(HmacTokens(b"x" * 32).issue(CLAIMS), now=2000.0) == "TOKEN_INVALID"


def test_no_character_of_a_token_can_be_changed() -> None:
    token = TOKENS.issue(CLAIMS)
    for index, character in enumerate(token):
        other = "A" if character != "A" else "B"
        assert code_of(token[:index] + other + token[index + 1 :]) == "TOKEN_INVALID"


@pytest.mark.parametrize("junk", ["", ".", "a.b", "é", "a" * 100_000, "\x00", TOKENS.issue(CLAIMS) + "=", "a b.c"])
def test_junk_is_invalid(junk: str) -> None:
    assert code_of(junk) == "TOKEN_INVALID"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        HmacTokens(b"k" * 31)


def test_whatever_a_token_is_it_is_genuine_or_refused() -> None:
    """Fuzz: what verifies tokens raises AuthenticationFailed and nothing else, whatever it is given."""
    rng = random.Random(5)
    genuine = TOKENS.issue(CLAIMS)
    for _ in range(2000):
        characters = list(genuine)
        for _ in range(rng.randrange(1, 5)):
            characters[rng.randrange(len(characters))] = chr(rng.choice([0, 46, 61, 95, 233, 0xDC80, 0x1F600]))
        with contextlib.suppress(AuthenticationFailed):
            TOKENS.verify("".join(characters[: rng.randrange(len(characters) + 1)]), 0.0)
