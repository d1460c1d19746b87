"""One HTTP request to a gateway, and its response."""

import ssl
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol
from urllib.parse import SplitResult

import h11
import trio

from glottis.client.connection import CallFailed, open_client_stream
from glottis.contracts.errors import LocalError
from glottis.contracts.secret import Secret

RESPONSE_TIMEOUT: Final = 30.0
"""Seconds; as long as a gateway gives its auth scheme and providers."""
MAX_RESPONSE_BYTES: Final = 128 * 1024
"""A trace that is full, of sentences at their longest, has 70,000 characters."""
MAX_READ: Final = 16 * 1024
CHECK_URL: Final = "see whether scheme, host, port and path of the URL are right"
_GATEWAY_IS_AWAY: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""What proxies say on behalf of a server that they cannot reach."""


class Reply(NamedTuple):
    """A response with its content."""

    response: h11.Response
    content: bytes


async def ask_gateway(
    url: SplitResult, path: str, api_key: Secret | None, json: bytes | None = None, tls: ssl.SSLContext | None = None
) -> Reply:
    """GET ``path`` below the URL, or POST ``json`` to it. ``tls`` says whom to trust: by default whom the system does.

    Raises ``CallFailed`` if there is no response, and ``LocalError`` for a useless URL or key.
    """
    head = _request_head(url, path, api_key, json)
    async with await open_client_stream(url, tls) as stream:
        try:
            with trio.fail_after(RESPONSE_TIMEOUT):
                return await exchange(stream, head, json or b"")
        except trio.TooSlowError:
            raise CallFailed(f"{url.netloc} has not answered within {RESPONSE_TIMEOUT:g} s; see its log") from None
        except trio.BrokenResourceError as error:
            raise CallFailed(f"{url.netloc} has broken the connection; see whether the gateway runs") from error
        except h11.RemoteProtocolError as error:
            raise CallFailed(f"{url.netloc} does not answer as a gateway does: {error}; {CHECK_URL}") from error


def why_odd(url: SplitResult, path: str, response: h11.Response, error: Exception) -> str:
    """Of an answer that no gateway gives."""
    status = f"HTTP status {response.status_code}"
    location = dict(response.headers).get(b"location", b"").decode(errors="replace")
    if location:
        return f"{url.netloc} redirects ({status}): call the gateway by {location.removesuffix(path)}"
    if response.status_code in _GATEWAY_IS_AWAY:
        return f"at {url.netloc} a proxy answers, and the gateway behind it does not ({status}); see whether it runs"
    return f"{url.netloc} does not answer as a gateway does: {status}, {error}; {CHECK_URL}"


def _request_head(url: SplitResult, path: str, api_key: Secret | None, json: bytes | None) -> h11.Request:
    headers = {"host": url.netloc, "connection": "close"}
    if json is not None:
        headers |= {"content-type": "application/json", "content-length": str(len(json))}
    if api_key is not None:
        key = api_key.reveal()
        if not (key.isascii() and key.isprintable()):
            raise LocalError("the API key: expected printable ASCII characters")
        headers["authorization"] = f"Bearer {key}"
    method = "GET" if json is None else "POST"
    try:
        return h11.Request(method=method, target=url.path.rstrip("/") + path, headers=list(headers.items()))
    except (h11.LocalProtocolError, UnicodeEncodeError):
        raise LocalError("the gateway's URL: expected a path in ASCII, percent-encoded where needed") from None


class Stream(Protocol):
    """What is needed of one: a part of trio's."""

    async def send_all(self, data: bytes) -> None:
        """See ``trio.abc.SendStream``."""

    async def receive_some(self, max_bytes: int, /) -> bytes | bytearray:
        """See ``trio.abc.ReceiveStream``."""


async def exchange(stream: Stream, head: h11.Request, body: bytes) -> Reply:
    """One request, and its response. Raises ``h11.RemoteProtocolError``, and whatever the stream does."""
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
    return Reply(response, content)


async def _next_event(http: h11.Connection, stream: Stream) -> object:
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(bytes(await stream.receive_some(MAX_READ)))
    return event
