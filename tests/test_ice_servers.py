from typing import Any

import pytest
from glottis import IceServer
from glottis.contracts.ice_servers import IceUri, parse_ice_uri


# The examples are those of RFC 7064 appendix A and RFC 7065 appendix A, and IPv6 ones.
@pytest.mark.parametrize(
    "uri",
    [
        "stun:example.org",
        "stuns:example.org",
        "stun:example.org:8000",
        "STUN:192.0.2.1",
        "stun:[2001:db8::1]:3478",
        "turn:example.org",
        "turns:example.org",
        "turn:example.org:8000",
        "turn:example.org?transport=udp",
        "turns:example.org:443?transport=tcp",
        "turn:[::1]",
    ],
)
def test_stun_and_turn_uris_are_taken(uri: str) -> None:
    IceServer((uri,), "user", "pass").check()


@pytest.mark.parametrize("uri", ["stun:example.org", "stuns:[::1]:443"])
def test_stun_servers_need_no_credentials(uri: str) -> None:
    IceServer((uri,)).check()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "example.org",
        "http://example.org",
        "stun://example.org",
        "stun:",
        "stun:example.org:0",
        "stun:example.org:65536",
        "stun:user@example.org",
        "stun:example.org?transport=udp",
        "turn:example.org?transport=sctp",
        "turn:example.org?",
        "turn:[2001:db8::1",
        "turn:[1.2.3]",
        "stun:exämple.org",
        "\u017ftun:example.org",
        "stun:example.org\n",
        " stun:example.org",
        b"stun:example.org",
        None,
    ],
)
def test_anything_else_is_refused(uri: Any) -> None:
    with pytest.raises(ValueError, match=r"^urls\[1\]: expected a STUN or TURN URI, such as "):
        IceServer(("stun:example.org", uri), "user", "pass").check()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("STUN:Example.org", IceUri("stun", "example.org", 3478, "udp")),
        ("stuns:example.org", IceUri("stuns", "example.org", 5349, "tcp")),
        ("stun:[2001:DB8::1]:3479", IceUri("stun", "2001:db8::1", 3479, "udp")),
        ("turn:192.0.2.1", IceUri("turn", "192.0.2.1", 3478, "udp")),
        ("turn:example.org?transport=TCP", IceUri("turn", "example.org", 3478, "tcp")),
        ("turns:example.org:443", IceUri("turns", "example.org", 443, "tcp")),
        ("turns:example.org?transport=udp", IceUri("turns", "example.org", 5349, "udp")),
    ],
)
def test_what_a_uri_leaves_open_is_filled_in(uri: str, expected: IceUri) -> None:
    assert parse_ice_uri(uri) == expected


TURN = ("turn:example.org",)


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        (IceServer(()), "urls: expected at least one"),
        (IceServer("stun:example.org"), "urls: expected at least one URI, in a tuple"),  # type: ignore[arg-type]
        (IceServer(None), "urls: expected at least one URI, in a tuple"),  # type: ignore[arg-type]
        (IceServer(TURN), "urls: a TURN server needs a username and a credential"),
        (IceServer(TURN, "user"), "urls: a TURN server needs"),
        (IceServer(TURN, None, "hunter2"), "urls: a TURN server needs"),
        (IceServer(TURN, "", "hunter2"), "urls: a TURN server needs"),
        (IceServer(("TURN:example.org",), "user", ""), "urls: a TURN server needs"),
        (IceServer(TURN, 5, "hunter2"), "username: expected a string"),  # type: ignore[arg-type]
        (IceServer(TURN, "user", b"hunter2"), "credential: expected a string"),  # type: ignore[arg-type]
        (IceServer(TURN, "user", "hunter2\udcff"), "credential: expected a string"),
    ],
)
def test_other_fields_that_no_browser_takes_are_named_without_their_values(server: IceServer, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as raised:
        server.check()
    assert "hunter2" not in str(raised.value)
