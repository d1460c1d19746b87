import urllib.parse

import pytest
from glottis.contracts.errors import Malformed
from glottis.server.http.message import parse_target_untrusted
from glottis.signaling.session_tokens import MAX_TOKEN_LENGTH, HmacTokens, TokenClaims
from glottis.signaling.session_url import SessionUrl, parse_session_url_untrusted, with_token_in_query
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples


@pytest.mark.parametrize("transport", ["WebRTC", "WebSocket"])
@pytest.mark.parametrize("resume", [False, True])
def test_url_survives_the_journey(transport: str, resume: bool) -> None:
    url = SessionUrl("s-1", transport, "to.ken_+/=", resume)
    text = url.under("wss://voice.example/")
    assert text.startswith(f"wss://voice.example/ws/session/s-1/{transport.lower()}?token=")
    parts = urllib.parse.urlsplit(text)
    target = parse_target_untrusted(f"{parts.path}?{parts.query}")
    assert parse_session_url_untrusted(target.path, target.query) == url


def test_url_of_a_client_with_the_longest_name_there_can_be_is_read() -> None:
    claims = TokenClaims("s" * 22, "\x01" * 256, 1_800_000_000.0, "n" * 16)
    url = SessionUrl("s", "WebRTC", HmacTokens(bytes(32)).issue(claims))
    target = parse_target_untrusted(url.under("ws://a").removeprefix("ws://a"))
    assert parse_session_url_untrusted(target.path, target.query) == url


@pytest.mark.parametrize("transport", ["webrtc", "websocket"])
def test_token_in_the_path_is_as_good_as_one_in_the_query(transport: str) -> None:
    url = with_token_in_query(f"/ws/session/s/{transport}/any%20body/to.ken", {"resume": "1", "token": "x"})
    assert url == (f"/ws/session/s/{transport}", {"resume": "1", "token": "to.ken"})
    assert parse_session_url_untrusted(*url).token == "to.ken"


@pytest.mark.parametrize(
    "path",
    [
        "/ws/session/s/webrtc",
        "/ws/session/s/webrtc/a",
        "/ws/session/s/webrtc/a/",
        "/ws/session/s/sip/a/b",
        "/ws/a/b/c/d",
    ],
)
def test_paths_without_a_token_stay_as_they_are(path: str) -> None:
    assert with_token_in_query(path, {"x": "1"}) == (path, {"x": "1"})


def test_missing_token_is_empty() -> None:
    assert parse_session_url_untrusted("/ws/session/s/webrtc", {}) == SessionUrl("s", "WebRTC")


def test_token_is_not_shown() -> None:
    assert "sesame" not in repr(SessionUrl("s", "WebRTC", "sesame"))


@pytest.mark.parametrize(
    "path",
    [
        "/ws/session/s",
        "/ws/session//webrtc",
        "/ws/session/s/sip",
        "/ws/session/s/webrtc/",
        "/ws/session/../webrtc",
        "/ws/session/s%2f/webrtc",
        "/ws/session/" + "s" * 65 + "/webrtc",
        "/WS/session/s/webrtc",
        "/ws/session/s/webrtc\n",
    ],
)
def test_other_paths_are_malformed(path: str) -> None:
    with pytest.raises(Malformed):
        parse_session_url_untrusted(path, {"token": "t"})


def test_endless_token_is_malformed() -> None:
    with pytest.raises(Malformed, match="token"):
        parse_session_url_untrusted("/ws/session/s/webrtc", {"token": "t" * (MAX_TOKEN_LENGTH + 1)})


@pytest.mark.slow
@settings(max_examples=examples(200), derandomize=True)
@given(
    st.text() | st.from_regex(r"/ws/session/.{0,70}/(webrtc|websocket)"),
    st.dictionaries(st.sampled_from(["token", "resume", "x"]), st.text(max_size=3000)),
)
def test_any_url_is_read_or_malformed(path: str, query: dict[str, str]) -> None:
    """Fuzz: parse_session_url_untrusted raises Malformed and nothing else."""
    try:
        parse_session_url_untrusted(path, query)
    except Malformed:
        return
