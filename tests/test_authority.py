import pytest
from glottis.contracts.authority import Authority, parse_authority_untrusted
from glottis.contracts.errors import Malformed
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("Voice.Example", Authority("voice.example")),
        ("voice.example:8443", Authority("voice.example", 8443)),
        ("192.0.2.1:1", Authority("192.0.2.1", 1)),
        ("[2001:DB8:0::1]:65535", Authority("[2001:db8::1]", 65535)),
        ("[::1]", Authority("[::1]")),
        ("tauri_app-1.localhost", Authority("tauri_app-1.localhost")),
    ],
)
def test_host_and_port_are_read_and_written_in_one_way(text: str, authority: Authority) -> None:
    assert parse_authority_untrusted(text) == authority
    assert parse_authority_untrusted(str(authority)) == authority


@pytest.mark.parametrize(
    "text",
    ["", ":80", "a:", "a:0", "a:65536", "a:123456", "a:x", "u@a", "a/b", "é", "::1", "[::1", "[1.2.3]", "a b", "a\n"],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_authority_untrusted(text)


@settings(max_examples=examples(100), derandomize=True)
@given(st.text() | st.from_regex(r"[a-z.\[\]:0-9]{0,20}", fullmatch=True))
def test_any_authority_is_read_or_malformed(text: str) -> None:
    """Fuzz: parse_authority_untrusted raises Malformed and nothing else."""
    try:
        assert str(parse_authority_untrusted(text)).isascii()
    except Malformed:
        return
