"""Creating a session, as a client of a gateway (CONTRACT §1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult

import h11
import msgspec
import trio

from glottis.client.connection import CallFailed, ClientStream, open_client_stream, split_gateway_url
from glottis.client.ice_servers import parse_ice_servers_untrusted
from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.secret import Secret
from glottis.signaling.json_input import decode_object_untrusted, required_text_field_untrusted, text_field_untrusted
from glottis.signaling.session_request import INITIATE_PATH

RESPONSE_TIMEOUT: Final = 30.0
"""Seconds; as long as a gateway gives its auth scheme and providers."""
MAX_RESPONSE_BYTES: Final = 64 * 1024
MAX_READ: Final = 16 * 1024
_GATEWAY_IS_AWAY: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""What proxies say on behalf of a server that they cannot reach."""
_CHECK_URL: Final = "see whether scheme, host, port and path of the URL are right"


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
    body = msgspec.json.encode(request)
    head = _request_head(url, api_key, len(body))
    async with await open_client_stream(url) as stream:
        try:
            with trio.fail_after(RESPONSE_TIMEOUT):
                response, content = await _exchange(stream, head, body)
        except trio.TooSlowError:
            raise CallFailed(f"{url.netloc} has not answered within {RESPONSE_TIMEOUT:g} s; see its log") from None
        except trio.BrokenResourceError as error:
            raise CallFailed(f"{url.netloc} has broken the connection; see whether the gateway runs") from error
        except h11.RemoteProtocolError as error:
            raise CallFailed(f"{url.netloc} does not answer as a gateway does: {error}; {_CHECK_URL}") from error
    try:
        if response.status_code != HTTPStatus.OK:
            raise CallFailed(f"the gateway refuses the call: {parse_problem_untrusted(content)}")
        return parse_session_grant_untrusted(content)
    except Malformed as error:
        raise CallFailed(_why_odd(url, response, error)) from error


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


def _why_odd(url: SplitResult, response: h11.Response, error: Malformed) -> str:
    """Of an answer that no gateway gives."""
    status = f"HTTP status {response.status_code}"
    location = dict(response.headers).get(b"location", b"").decode(errors="replace")
    if location:
        return f"{url.netloc} redirects ({status}): call the gateway by {location.removesuffix(INITIATE_PATH)}"
    if response.status_code in _GATEWAY_IS_AWAY:
        return f"at {url.netloc} a proxy answers, and the gateway behind it does not ({status}); see whether it runs"
    return f"{url.netloc} does not answer as a gateway does: {status}, {error}; {_CHECK_URL}"


def _request_head(url: SplitResult, api_key: Secret | None, body_length: int) -> h11.Request:
    headers = {
        "host": url.netloc,
        "content-type": "application/json",
        "content-length": str(body_length),
        "connection": "close",
    }
    if api_key is not None:
        key = api_key.reveal()
        if not (key.isascii() and key.isprintable()):
            raise LocalError("the API key: expected printable ASCII characters")
        headers["authorization"] = f"Bearer {key}"
    try:
        return h11.Request(method="POST", target=url.path.rstrip("/") + INITIATE_PATH, headers=list(headers.items()))
    except (h11.LocalProtocolError, UnicodeEncodeError):
        raise LocalError("the gateway's URL: expected a path in ASCII, percent-encoded where needed") from None


async def _exchange(stream: ClientStream, head: h11.Request, body: bytes) -> tuple[h11.Response, bytes]:
    """One request and its response: head and content."""
    http = h11.Connection(h11.CLIENT)
    for event in (head, h11.Data(data=body), h11.EndOfMessage()):
        await stream.send_all(http.send(event) or b"")
    response, content = h11.Response(status_code=HTTPStatus.OK, headers=[]), b""
    while not isinstance(received := await _next_event(http, stream), h11.EndOfMessage):
        if isinstance(received, h11.Response):
            response = received
        elif isinstance(received, h11.Data):
            content += received.data
        if len(content) > MAX_RESPONSE_BYTES:
            raise h11.RemoteProtocolError(f"expected at most {MAX_RESPONSE_BYTES} bytes")
    return response, content


async def _next_event(http: h11.Connection, stream: ClientStream) -> object:
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(bytes(await stream.receive_some(MAX_READ)))
    return event
