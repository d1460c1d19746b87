"""The opening handshake of a WebSocket, as a server vets it (RFC 6455 §4.2.1)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from glottis.server.http.problem import Problem

MAX_TOKENS: Final = 16
"""Of a list in a header; there is hardly ever more than one. Those after them are not looked at."""
_KEY_BYTES: Final = 16


def wants_websocket(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request asks to become a WebSocket."""
    return method == "GET" and "websocket" in _tokens(headers.get("upgrade", ""))


def websocket_key(headers: Mapping[str, str], http_version: str) -> str:
    """The key of a correct opening handshake; raises ``Problem``."""
    if http_version != "1.1" or "upgrade" not in _tokens(headers.get("connection", "")):
        raise Problem(400, "BAD_HANDSHAKE", "A WebSocket needs HTTP/1.1 and the header 'Connection: Upgrade'.")
    if headers.get("sec-websocket-version") != "13":
        version = (("sec-websocket-version", "13"),)
        raise Problem(426, "UNSUPPORTED_WEBSOCKET_VERSION", "Use version 13 of the WebSocket protocol.", version)
    key = headers.get("sec-websocket-key", "")
    try:
        length = len(base64.b64decode(key, validate=True))
    except binascii.Error:
        length = 0
    if length != _KEY_BYTES:
        raise Problem(400, "BAD_HANDSHAKE", f"Sec-WebSocket-Key must be the base64 form of {_KEY_BYTES} bytes.")
    return key


def _tokens(value: str) -> list[str]:
    return [token.strip().lower() for token in value.split(",", MAX_TOKENS)[:MAX_TOKENS]]
