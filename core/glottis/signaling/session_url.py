"""The URL of a session's WebSocket (CONTRACT §2): opaque to clients, made and read here only."""

import re
import urllib.parse
from collections.abc import Mapping
from typing import Final

from glottis.contracts.errors import Malformed
from glottis.signaling.session_tokens import MAX_TOKEN_LENGTH
from glottis.wire.discreet import Discreet

_PATH: Final = re.compile(r"/ws/session/(?P<session_id>[A-Za-z0-9_-]{1,64})/(?P<transport>webrtc|websocket)")
_TOKEN_IN_PATH: Final = re.compile(rf"({_PATH.pattern})/[^/]+/(?P<token>[^/]+)")
_LIKE_A_SESSION: Final = re.compile(r".*?/ws/session(/+[A-Z0-9_-]{0,64})?(/[A-Z]{0,16})?", re.IGNORECASE)
_SIGNATURE: Final = re.compile(r"\.[A-Za-z0-9_-]{43,}")
"""The end of a session's token: what stands before it is no secret."""
_TRANSPORTS: Final = {"webrtc": "WebRTC", "websocket": "WebSocket"}


class SessionUrl(Discreet, frozen=True):
    """What a client's WebSocket URL says. ``repr`` hides the token, which is empty if there is none."""

    hidden = frozenset({"token"})

    session_id: str
    transport: str
    """``WebRTC`` or ``WebSocket``, as in ``CallInfo.transport``."""
    token: str = ""
    resume: bool = False
    """The client takes up a session that it had been connected to before."""

    def under(self, base_url: str) -> str:
        """The whole URL under a base such as ``wss://voice.example``."""
        query = urllib.parse.urlencode({"token": self.token} | ({"resume": "1"} if self.resume else {}))
        return f"{base_url.rstrip('/')}/ws/session/{self.session_id}/{self.transport.lower()}?{query}"


def with_token_in_query(path: str, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """The other spelling, ``/ws/session/{sessionId}/webrtc/{clientId}/{token}``, as the one above; others as they are.

    Paths are logged, and tokens are not to be. The client's id is left out: the token says who it is for.
    """
    match = _TOKEN_IN_PATH.fullmatch(path)
    return (path, query) if match is None else (match[1], {**query, "token": match["token"]})


def without_token(path: str) -> str:
    """What logs may have of a path that is none of a session's, but may have been meant so: its token is its end."""
    match = _LIKE_A_SESSION.match(path)
    return _SIGNATURE.sub(".{signature}", path) if match is None else match[0]


def parse_session_url_untrusted(path: str, query: Mapping[str, str]) -> SessionUrl:
    """Read the path and query of a WebSocket request; raises ``Malformed`` if no session can be meant by it."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise Malformed("session URL: expected /ws/session/{sessionId}/webrtc or /websocket")
    token = query.get("token", "")
    if len(token) > MAX_TOKEN_LENGTH:
        raise Malformed(f"session URL: expected a token of at most {MAX_TOKEN_LENGTH} characters")
    return SessionUrl(match["session_id"], _TRANSPORTS[match["transport"]], token, query.get("resume") == "1")
