"""Long-term credentials (RFC 8489 §9.2), with the sample messages of the RFCs."""

import hmac
from pathlib import Path

import pytest
from glottis.turn import LongTermCredentials
from glottis.turn.credentials import MD5, SHA256, long_term_key, prepared, userhash
from glottis.wire.stun import Attribute, parse_stun_untrusted

VECTORS = Path(__file__).parents[1] / "vectors" / "stun"
SAMPLE = LongTermCredentials("マトリックス", "TheMatrIX")


def test_rfc5769_request_is_signed_with_the_key_of_md5() -> None:
    message = parse_stun_untrusted((VECTORS / "rfc5769" / "reqltc.bin").read_bytes())
    realm = message.attributes[Attribute.REALM]
    assert realm == b"example.org"
    assert message.is_signed_with(long_term_key(SAMPLE, realm, MD5))
    assert not message.is_signed_with(long_term_key(SAMPLE, realm, SHA256))


def test_rfc8489_request_is_signed_with_the_key_of_sha256_and_names_the_user_by_a_hash() -> None:
    """It is printed with a wrong length in its header (erratum 6268), and signed with that."""
    printed = (VECTORS / "rfc8489" / "userhash.bin").read_bytes()
    message = parse_stun_untrusted(printed[:2] + (len(printed) - 20).to_bytes(2) + printed[4:])
    realm = message.attributes[Attribute.REALM]
    assert message.attributes[Attribute.USERHASH] == userhash(SAMPLE.username, realm)
    signature = message.attributes[Attribute.MESSAGE_INTEGRITY_SHA256]
    assert signature == hmac.digest(long_term_key(SAMPLE, realm, SHA256), printed[:-36], "sha256")


@pytest.mark.parametrize(
    ("text", "same"), [("e\u0301", "é"), ("a\u3000b\u00a0c", "a b c"), ("plain:text", "plain:text")]
)
def test_names_and_passwords_are_prepared(text: str, same: str) -> None:
    assert prepared(text) == same.encode()


@pytest.mark.parametrize(
    ("username", "expires_at"),
    [
        ("1700000000:caller", 1_700_000_000),
        ("1700000000", 1_700_000_000),
        ("1700000000:", 1_700_000_000),
        ("caller", None),
        ("1700:user", None),
        ("1700000000caller", None),
        ("", None),
    ],
)
def test_time_limited_credentials_say_when_they_end(username: str, expires_at: float | None) -> None:
    assert LongTermCredentials(username, "secret").expires_at == expires_at
