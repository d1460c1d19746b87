import re

import pytest
from glottis.config.origins import parse_public_url
from glottis.server.api.cors import CorsPolicy
from glottis.server.api.origins import Origins
from glottis.server.http.message import Request
from glottis.server.http.problem import Problem

HOST = "voice.example:8080"


def request_of(origin: str | None, host: str = HOST) -> Request:
    return Request("POST", "/", headers={} if origin is None else {"origin": origin}, host=host)


def allows(patterns: list[str], origin: str | None, host: str = HOST) -> bool:
    try:
        CorsPolicy(Origins(patterns)).check(request_of(origin, host))
    except Problem as problem:
        return problem.code != "ORIGIN_NOT_ALLOWED"
    return True


@pytest.mark.parametrize(
    ("patterns", "origin", "allowed"),
    [
        ([], None, True),
        ([], "http://voice.example:8080", True),
        ([], "https://voice.example:8080", True),
        ([], "http://voice.example", False),
        ([], "http://voice.example:8081", False),
        ([], "http://app.example", False),
        ([], "null", False),
        ([], "", False),
        ([], "http://voice.example:8080, http://evil", False),
        (["null"], "null", True),
        (["*"], "https://anything.example", True),
        (["*"], "null", True),
        (["*"], "nonsense", False),
        ([], "capacitor://voice.example:8080", False),
        (["capacitor://localhost"], "capacitor://localhost", True),
        (["https://app.example", "null"], "https://app.example", True),
        (["https://app.example"], "https://app.example", True),
        (["https://App.example"], "https://app.EXAMPLE", True),
        (["https://app.example"], "http://app.example", False),
        (["https://app.example"], "https://app.example:444", False),
        (["https://app.example"], "https://app.example.evil.com", False),
        (["https://app.example"], "https://appXexample", False),
        (["http://127.0.0.1:*"], "http://127.0.0.1:5173", True),
        (["http://127.0.0.1:*"], "http://127.0.0.1", True),
        (["http://127.0.0.1:*"], "http://127.0.0.1:80.evil.com", False),
        (["http://127.0.0.1:*"], "http://127.0.0.1@evil.com", False),
        (["http://[::1]:*"], "http://[::1]:9", True),
        (["https://*.app.example"], "https://a.b.app.example", True),
        (["https://*.app.example"], "https://app.example", False),
        (["https://*.app.example"], "https://evilapp.example", False),
        (["https://a.example", "https://b.example"], "https://b.example", True),
    ],
)
def test_rule(patterns: list[str], origin: str | None, allowed: bool) -> None:
    assert allows(patterns, origin) is allowed


@pytest.mark.parametrize("origin", ["http://", "https://:443", "://", "null", ""])
def test_unknown_host_is_nobodys(origin: str) -> None:
    assert not allows([], origin, "")


def test_default_port_needs_no_mention() -> None:
    assert allows([], "https://voice.example", "voice.example:443")
    assert allows([], "http://voice.example:80", "voice.example")


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.example:8443", "http://[::1]:5173", "capacitor://localhost", "ionic://localhost", "file://"),
        *("tauri://localhost", "chrome-extension://abcdefghijklmnopabcdefghijklmnop", "app://obsidian.md", "null"),
    ],
)
def test_advice_of_the_refusal_helps(origin: str) -> None:
    with pytest.raises(Problem) as raised:
        CorsPolicy(Origins()).check(request_of(origin))
    [advised] = re.findall(r'^Add "([^"]+)" to server\.allowed_origins of the gateway', raised.value.detail)
    assert allows([advised], origin)
    assert raised.value.logged.startswith(
        f'a page of {origin} called {HOST}: Add "{advised}" to server.allowed_origins'
    )


def test_page_that_could_be_the_gateways_own_is_told_of_the_public_url() -> None:
    for origin, hinted in (("https://voice.example", True), ("capacitor://localhost", False)):
        with pytest.raises(Problem) as raised:
            CorsPolicy(Origins()).check(request_of(origin, "10.0.0.7:8080"))
        assert ("server.public_url" in raised.value.detail) is hinted


PUBLIC = "https://voice.example.org"


@pytest.mark.parametrize(
    ("origin", "host", "public_url", "patterns", "base_url"),
    [
        (None, "10.0.0.7:8080", PUBLIC, [], "wss://voice.example.org"),
        (None, "10.0.0.7:8080", "", [], "ws://10.0.0.7:8080"),
        (PUBLIC, "voice.example.org", PUBLIC, [], "wss://voice.example.org"),
        (PUBLIC, "backend:8080", PUBLIC, [], "wss://voice.example.org"),
        ("http://10.0.0.7:8080", "10.0.0.7:8080", PUBLIC, [], "ws://10.0.0.7:8080"),
        ("https://other.example", "other.example", PUBLIC, [], "wss://other.example"),
        ("https://other.example", "other.example", PUBLIC, ["https://other.example"], "wss://voice.example.org"),
        ("https://other.example", "other.example", "", [], "wss://other.example"),
        ("capacitor://localhost", "backend:8080", PUBLIC, ["capacitor://localhost"], "wss://voice.example.org"),
        ("capacitor://localhost", "10.0.0.7:8080", "", ["capacitor://localhost"], "ws://10.0.0.7:8080"),
    ],
)
def test_whoever_may_create_a_session_may_open_its_websocket(
    origin: str | None, host: str, public_url: str, patterns: list[str], base_url: str
) -> None:
    policy = CorsPolicy(Origins(patterns), parse_public_url(public_url) if public_url else None)
    policy.check(request_of(origin, host))
    assert policy.websocket_base_url(request_of(origin, host)) == base_url
    policy.check(request_of(origin, base_url.partition("://")[2]))
