"""Creating a session, as a client of a gateway (CONTRACT §1)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, urlencode

import msgspec
import trio

from glottis.client.connection import CallFailed, split_gateway_url
from glottis.client.ice_servers import parse_ice_servers_untrusted
from glottis.client.requests import ask_gateway, why_odd
from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.secret import Secret
from glottis.signaling.json_input import decode_object_untrusted, required_text_field_untrusted, text_field_untrusted
from glottis.signaling.session_request import INITIATE_PATH
from glottis.wire.discreet import Discreet

MIN_ASK_AFTER: Final = 0.1
MAX_ASK_AFTER: Final = 60.0
"""Seconds that a gateway can ask who waits to let pass."""

MAX_RETRY_DIGITS: Final = 6


class SessionGrant(Discreet, frozen=True):
    """A session that waits for its client. ``repr`` hides the URL, which has a token in it."""

    hidden = frozenset({"websocket_url"})

    session_id: str
    websocket_url: str
    ice_servers: tuple[IceServer, ...] = ()


class QueuePlace(msgspec.Struct, frozen=True):
    """There is no room yet; 1 is the next. ``ask_after`` is in seconds."""

    ticket: str
    place: int
    ask_after: float


async def create_session(
    gateway_url: str,
    request: Mapping[str, Any],
    api_key: Secret | None = None,
    *,
    waits: Callable[[int], object] = lambda place: None,
) -> SessionGrant:
    """Ask a gateway for a session; ``request`` is the JSON object that CONTRACT §1 describes.

    In the queue of a gateway that has one this waits for its turn, and ``waits`` is told each new place.
    Raises ``CallFailed``, with the gateway's own sentence if it refuses, and ``LocalError`` for a useless URL or key.
    """
    url, body = split_gateway_url(gateway_url), msgspec.json.encode(request)
    told, path = 0, INITIATE_PATH
    while isinstance(reply := await _ask(url, path, api_key, body), QueuePlace):
        if reply.place != told:
            told = reply.place
            waits(told)
        await trio.sleep(reply.ask_after)
        path = f"{INITIATE_PATH}?{urlencode({'ticket': reply.ticket})}"
    return reply


async def _ask(url: SplitResult, path: str, api_key: Secret | None, body: bytes) -> SessionGrant | QueuePlace:
    response, content = await ask_gateway(url, path, api_key, body)
    try:
        match response.status_code:
            case HTTPStatus.OK:
                return parse_session_grant_untrusted(content)
            case HTTPStatus.ACCEPTED:
                return parse_queue_place_untrusted(content)
        refusal = CallFailed(f"the gateway refuses the call: {parse_problem_untrusted(content)}")
        refusal.retry_after = _retry_after(dict(response.headers).get(b"retry-after", b""))
        raise refusal
    except Malformed as error:
        raise CallFailed(why_odd(url, INITIATE_PATH, response, error)) from error


def _retry_after(value: bytes) -> float | None:
    """Seconds (RFC 9110 §10.2.3); a date, which gateways do not send, counts as nothing, and so does nonsense."""
    return float(value) if value.isdigit() and len(value) <= MAX_RETRY_DIGITS else None


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


def parse_queue_place_untrusted(body: bytes) -> QueuePlace:
    """Read the response that gives a place in the queue; raises ``Malformed``."""
    fields = decode_object_untrusted(body)
    place, seconds = fields.get("place"), fields.get("retryAfterSeconds")
    if type(place) is not int or place < 1:
        raise Malformed("place: expected an integer of at least 1")
    if not isinstance(seconds, int | float) or not MIN_ASK_AFTER <= seconds <= MAX_ASK_AFTER:
        raise Malformed(f"retryAfterSeconds: expected {MIN_ASK_AFTER:g} to {MAX_ASK_AFTER:g}")
    return QueuePlace(required_text_field_untrusted(fields, "ticket"), place, seconds)


def parse_problem_untrusted(body: bytes) -> str:
    """The sentence and code of a problem document (RFC 9457), in one line; raises ``Malformed``."""
    fields = decode_object_untrusted(body)
    code = text_field_untrusted(fields, "code")
    sentence = " ".join(required_text_field_untrusted(fields, "detail").split())
    return f"{sentence} ({code})" if code else sentence
