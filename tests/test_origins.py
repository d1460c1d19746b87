import pytest
from glottis.config.origins import OPAQUE, Origin, OriginPattern, parse_origin_untrusted, parse_public_url
from glottis.contracts.errors import Malformed
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

ORIGINS = {
    "https://app.example": Origin("https", "app.example"),
    "HTTPS://App.Example:443": Origin("https", "app.example"),
    "http://app.example:80": Origin("http", "app.example"),
    "http://app.example:443": Origin("http", "app.example", 443),
    "http://127.0.0.1:5173": Origin("http", "127.0.0.1", 5173),
    "http://[0:0::1]:80": Origin("http", "[::1]"),
    "capacitor://localhost": Origin("capacitor", "localhost"),
    "ionic://localhost": Origin("ionic", "localhost"),
    "tauri://localhost": Origin("tauri", "localhost"),
    "capacitor-electron://-": Origin("capacitor-electron", "-"),
    "app://.": Origin("app", "."),
    "app://": Origin("app", ""),
    "file://": Origin("file", ""),
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop": Origin(
        "chrome-extension", "abcdefghijklmnopabcdefghijklmnop"
    ),
    "moz-extension://0b6f6f3c-8d8a-4c9c-9d0b-0c1f5d3c2b1a": Origin(
        "moz-extension", "0b6f6f3c-8d8a-4c9c-9d0b-0c1f5d3c2b1a"
    ),
    "null": OPAQUE,
}


@pytest.mark.parametrize(("text", "origin"), ORIGINS.items())
def test_every_origin_is_the_pattern_of_itself_and_of_no_other(text: str, origin: Origin) -> None:
    assert parse_origin_untrusted(text) == origin
    assert parse_origin_untrusted(str(origin)) == origin
    for pattern in (text, text.upper(), str(origin)):
        matched = {other for other in ORIGINS.values() if OriginPattern.parse(pattern).matches(other)}
        assert matched == {origin}


@pytest.mark.parametrize(
    "text",
    [
        *("", "app.example", "://", "https://", "https://:443", "http:app.example", "https:///", "1a://b", "a b://c"),
        *(
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "https://a:x",
            "https://a:65536",
            "https://é.example",
        ),
        *("https://a, https://b", "https://a https://b", " https://a", "*", "https://*.a", "http://a:*", "file:///"),
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_origin_untrusted(text)


@pytest.mark.parametrize(
    ("pattern", "origin", "matches"),
    [
        ("*", "https://anything.example", True),
        ("*", "capacitor://localhost", True),
        ("*", "null", True),
        ("https://App.example", "https://app.EXAMPLE", True),
        ("https://app.example:443", "https://app.example", True),
        ("https://app.example", "https://app.example:443", True),
        ("https://app.example", "http://app.example", False),
        ("https://app.example", "https://app.example:444", False),
        ("https://app.example", "https://app.example.evil.com", False),
        ("https://app.example", "https://appXexample", False),
        ("http://127.0.0.1:*", "http://127.0.0.1:5173", True),
        ("http://127.0.0.1:*", "http://127.0.0.1", True),
        ("http://127.0.0.1:*", "http://127.0.0.2:5173", False),
        ("http://[::1]:*", "http://[::1]:9", True),
        ("capacitor://localhost:*", "capacitor://localhost:8100", True),
        ("https://*.app.example", "https://a.b.app.example", True),
        ("https://*.app.example", "https://app.example", False),
        ("https://*.app.example", "https://evilapp.example", False),
        ("https://*.app.example", "https://a.app.example:8443", False),
        ("https://*.app.example:*", "https://a.app.example:8443", True),
        ("moz-extension://*", "moz-extension://0b6f6f3c-8d8a-4c9c-9d0b-0c1f5d3c2b1a", True),
        ("moz-extension://*", "chrome-extension://abcdefghijklmnopabcdefghijklmnop", False),
        ("capacitor://localhost", "ionic://localhost", False),
        ("capacitor://localhost", "http://localhost", False),
        ("file://", "null", False),
        ("null", "file://", False),
    ],
)
def test_star_stands_for_what_is_said(pattern: str, origin: str, matches: bool) -> None:
    assert OriginPattern.parse(pattern).matches(parse_origin_untrusted(origin)) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "app.example", "https://", "https://a*.b", "https://*", "http://*:*", "https://a:x", "https://a:99999"),
        *(
            "**",
            "*://app.example",
            "https://*.",
            "app://*.",
            "app://:*",
            "https://:*",
            "https://*.*.example",
            "https:///",
        ),
    ],
)
def test_what_is_no_pattern_is_refused_with_examples(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^expected an origin such as https://app\.example, "):
        OriginPattern.parse(pattern)


@pytest.mark.parametrize(
    ("pattern", "shorter"),
    [
        ("https://app.example/", "https://app.example"),
        ("https://*.app.example:*/a/b", "https://*.app.example:*"),
        ("capacitor://localhost/", "capacitor://localhost"),
        ("file:///", "file://"),
    ],
)
def test_pattern_with_a_path_is_told_what_to_write(pattern: str, shorter: str) -> None:
    with pytest.raises(ValueError, match="which ends before the path: ") as raised:
        OriginPattern.parse(pattern)
    assert str(raised.value).endswith(f": {shorter}")
    OriginPattern.parse(shorter)


def test_origin_is_at_the_server_that_it_came_from() -> None:
    def is_at(origin: str, host: str) -> bool:
        return parse_origin_untrusted(origin).is_at(host)

    assert is_at("https://voice.example", "Voice.example:443")
    assert is_at("http://voice.example:80", "voice.example")
    assert not is_at("http://voice.example", "voice.example:443")
    assert not is_at("http://voice.example", "")
    assert not is_at("null", "")
    assert not is_at("capacitor://localhost", "localhost")


@pytest.mark.parametrize("text", ["https://voice.example", "HTTPS://voice.example:443/", "https://voice.example/"])
def test_public_url_may_end_with_a_slash(text: str) -> None:
    assert parse_public_url(text) == Origin("https", "voice.example")


@pytest.mark.parametrize(
    "text", ["voice.example", "https://", "https://a/b", "wss://a", "null", "https://é", "https://a:0"]
)
def test_public_url_is_that_of_a_web_server(text: str) -> None:
    with pytest.raises(ValueError, match="expected scheme and host, such as "):
        parse_public_url(text)


@settings(max_examples=examples(300), derandomize=True)
@given(st.text() | st.from_regex(r"[A-Za-z][a-z+.-]{0,9}://[A-Za-z0-9.\[\]:_~-]{0,20}", fullmatch=True))
def test_any_field_is_an_origin_that_can_be_allowed_or_malformed(text: str) -> None:
    """Fuzz: parse_origin_untrusted raises Malformed and nothing else."""
    try:
        origin = parse_origin_untrusted(text)
    except Malformed:
        return
    assert OriginPattern.parse(str(origin)).matches(origin)
