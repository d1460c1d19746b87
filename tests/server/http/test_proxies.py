import contextlib

import pytest
from glottis.contracts.errors import Malformed
from glottis.server.http.proxies import Hop, TrustedProxies, normal_host, parse_forwarded_element_untrusted
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

PROXY = "10.0.0.1"
NETWORKS = ["10.0.0.0/8", "2001:db8::/32"]
PROXIES = TrustedProxies(NETWORKS)
STANDARD = TrustedProxies(NETWORKS, "Forwarded")


def test_stranger_is_believed_nothing() -> None:
    headers = {"x-forwarded-for": "1.1.1.1", "x-forwarded-proto": "https", "forwarded": "for=1.1.1.1;host=evil"}
    assert PROXIES.client_of("192.0.2.9", "gw:8080", headers) == Hop("192.0.2.9", "http", "gw:8080")


def test_proxy_that_says_nothing_is_the_client() -> None:
    assert PROXIES.client_of(PROXY, "gw", {}) == Hop(PROXY, "http", "gw")


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"x-forwarded-for": "192.0.2.1"}, Hop("192.0.2.1", "http", "gw")),
        (
            {"x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https", "x-forwarded-host": "Voice.Example"},
            Hop("192.0.2.1", "https", "voice.example"),
        ),
        ({"x-forwarded-proto": "https"}, Hop(PROXY, "https", "gw")),
        ({"x-forwarded-for": "6.6.6.6, 192.0.2.1"}, Hop("192.0.2.1", "http", "gw")),
        ({"x-forwarded-for": "6.6.6.6, 192.0.2.1, 10.9.9.9"}, Hop("192.0.2.1", "http", "gw")),
        ({"x-forwarded-for": "6.6.6.6, unknown"}, Hop(PROXY, "http", "gw")),
        ({"x-forwarded-for": "[2001:DB9::1]:443"}, Hop("2001:db9::1", "http", "gw")),
        ({"x-forwarded-for": "2001:db9::1"}, Hop("2001:db9::1", "http", "gw")),
        ({"x-forwarded-for": "192.0.2.1:5000"}, Hop("192.0.2.1", "http", "gw")),
        (
            {"x-forwarded-for": "192.0.2.1", "x-forwarded-host": "a b", "x-forwarded-proto": "gopher"},
            Hop("192.0.2.1", "http", "gw"),
        ),
        ({"x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "http, https"}, Hop("192.0.2.1", "https", "gw")),
        ({"x-forwarded-for": "schön", "x-forwarded-host": "sch\udcf6n.example"}, Hop(PROXY, "http", "gw")),
        ({"forwarded": "for=6.6.6.6;proto=https", "x-forwarded-for": "192.0.2.1"}, Hop("192.0.2.1", "http", "gw")),
        ({"forwarded": "for=6.6.6.6;proto=https;host=evil"}, Hop(PROXY, "http", "gw")),
        ({"x-forwarded-for": ", ".join(["10.0.0.2"] * 1000)}, Hop("10.0.0.2", "http", "gw")),
        ({"x-forwarded-for": "6.6.6.6" + " " * 9000 + "1"}, Hop(PROXY, "http", "gw")),
    ],
)
def test_trusted_proxy_names_the_client(headers: dict[str, str], client: Hop) -> None:
    assert PROXIES.client_of(PROXY, "gw", headers) == client


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (
            {"forwarded": 'for=192.0.2.1;proto=https;host="voice.example:8443"'},
            Hop("192.0.2.1", "https", "voice.example:8443"),
        ),
        ({"forwarded": 'For="[2001:db9::1]:4711"'}, Hop("2001:db9::1", "http", "gw")),
        ({"forwarded": "for=6.6.6.6;host=evil, for=192.0.2.1;proto=https"}, Hop("192.0.2.1", "https", "gw")),
        (
            {"forwarded": "for=192.0.2.1;host=voice.example, for=10.1.1.1;proto=https"},
            Hop("192.0.2.1", "https", "voice.example"),
        ),
        ({"forwarded": "for=6.6.6.6, for=_hidden;proto=https"}, Hop(PROXY, "https", "gw")),
        ({"forwarded": "nonsense"}, Hop(PROXY, "http", "gw")),
        ({"forwarded": "for=schön;host=schön.example"}, Hop(PROXY, "http", "gw")),
        ({"forwarded": "for=192.0.2.1", "x-forwarded-for": "6.6.6.6"}, Hop("192.0.2.1", "http", "gw")),
        ({"x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "https"}, Hop(PROXY, "http", "gw")),
        ({"forwarded": 'for="6.6.6.6, for=192.0.2.1 ; proto=https'}, Hop("192.0.2.1", "https", "gw")),
        ({"forwarded": "for=" + " " * 9000 + "6.6.6.6 7"}, Hop(PROXY, "http", "gw")),
        ({"forwarded": "for=6.6.6.6," + "for=10.0.0.2," * 1000 + "for=10.0.0.3"}, Hop("10.0.0.2", "http", "gw")),
    ],
)
def test_proxies_of_the_standard_name_it_in_their_header_and_no_other(headers: dict[str, str], client: Hop) -> None:
    assert STANDARD.client_of(PROXY, "gw", headers) == client


def test_mapped_ipv4_address_is_an_ipv4_address() -> None:
    assert normal_host("::ffff:10.0.0.1") == "10.0.0.1"
    assert PROXIES.client_of("::ffff:10.0.0.1", "gw", {"x-forwarded-for": "192.0.2.1"}).client_host == "192.0.2.1"


@settings(max_examples=examples(200), derandomize=True)
@given(
    st.text()
    | st.lists(st.sampled_from(["for=", "192.0.2.1", ";", ",", "proto=https", '"', "host=a", "[::1]", " "])).map(
        "".join
    )
)
def test_any_field_is_read_or_malformed(text: str) -> None:
    """Fuzz: parse_forwarded_element_untrusted raises Malformed and nothing else, and a client is always found."""
    with contextlib.suppress(Malformed):
        parse_forwarded_element_untrusted(text)
    for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"):
        client = (STANDARD if name == "forwarded" else PROXIES).client_of(PROXY, "gw", {name: text})
        assert client.client_host
        assert client.scheme in ("http", "https")
        assert client.host
