"""Creating a session, as a client of a gateway (CONTRACT §1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from glottis.client.connection import CallFailed, split_gateway_url
from glottis.client.ice_servers import parse_ice_servers_untrusted
from glottis.client.requests import ask_gateway, why_odd
from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.secret import Secret
from glottis.signaling.json_input import decode_object_untrusted, required_text_field_untrusted, text_field_untrusted
from glottis.signaling.session_request import INITIATE_PATH


@dataclass(frozen=True, slots=True)
class SessionGrant:
    """A session that waits for its client. ``repr`` hides the URL, which has a token in it."""

    session_id: str
    websocket_url: str
    ice_servers: tuple[IceServer, ...] = ()

    def __repr__(self) -> str:
        return f"SessionGrant({self.session_id})"


async def create_session(gateway_url: str, request: Mapping[str, Any], api_key: Secret | None = None) -> SessionGrant:
    """Ask a gateway for a session; ``request`` is the JSON object that CONTRACT §1 describes.

    Raises ``CallFailed``, with the gateway's own sentence if it refuses, and ``LocalError`` for a useless URL or key.
    """
    url = split_gateway_url(gateway_url)
    response, content = await ask_gateway(url, INITIATE_PATH, api_key, msgspec.json.encode(request))
    try:
        if response.status_code != HTTPStatus.OK:
            raise CallFailed(f"the gateway refuses the call: {parse_problem_untrusted(content)}")
        return parse_session_grant_untrusted(content)
    except Malformed as error:
        raise CallFailed(why_odd(url, INITIATE_PATH, response, error)) from error


def parse_session_grant_untrusted(body: bytes) -> SessionGrant:
    """Read the response that grants a session; raises ``Malformed``."""
    fields = decode_object_untrusted(body)
    grant = SessionGrant(
        required_text_field_untrusted(fields, "sessionId"),
        required_text_field_untrusted(fields, "websocketUrl"),
        parse_ice_servers_untrusted(fields.get("iceServers")),
    )
    try:
        scheme = split_gateway_url(grant.websocket_url).scheme
    except LocalError:
        scheme = ""
    if scheme not in ("ws", "wss"):
        raise Malformed("websocketUrl: expected the URL of a WebSocket")
    return grant


def parse_problem_untrusted(body: bytes) -> str:
    """The sentence and code of a problem document (RFC 9457), in one line; raises ``Malformed``."""
    fields = decode_object_untrusted(body)
    code = text_field_untrusted(fields, "code")
    sentence = " ".join(required_text_field_untrusted(fields, "detail").split())
    return f"{sentence} ({code})" if code else sentence
