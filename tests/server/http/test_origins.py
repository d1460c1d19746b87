import pytest
from glottis.contracts.errors import ConfigurationError
from glottis.server.http.origins import Origins

HOST = "voice.example:8080"


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
    assert Origins(patterns).allows(origin, HOST) is allowed


@pytest.mark.parametrize("origin", ["http://", "https://:443", "://", "null", ""])
def test_unknown_host_is_nobodys(origin: str) -> None:
    assert not Origins().allows(origin, "")


def test_default_port_needs_no_mention() -> None:
    assert Origins().allows("https://voice.example", "voice.example:443")
    assert Origins().allows("http://voice.example:80", "voice.example")


@pytest.mark.parametrize(
    "pattern", ["app.example", "https://", "https://a/b", "https://a*.b", "https://*", "", "https://a:x"]
)
def test_what_is_no_pattern_is_a_configuration_error(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.allowed_origins\[1\]"):
        Origins(["https://good.example", pattern])
