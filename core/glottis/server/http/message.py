"""HTTP requests and responses as the gateway's handlers see them, and the limits on both (RFC 9110)."""

import re
import urllib.parse
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from glottis.config.settings import Server
from glottis.contracts.authority import parse_authority_untrusted
from glottis.contracts.errors import Malformed
from glottis.server.http.entry import Entry
from glottis.wire.discreet import Discreet

_SETTINGS: Final = Server()
MAX_QUERY_FIELDS: Final = 32
"""Session URLs have two."""

RETRY_AFTER: Final = ("retry-after", "5")
"""Seconds, where nobody knows better."""
PASSING: Final = (429, 503)
"""Statuses of refusals after which it is worth coming again."""
NOSNIFF: Final = ("x-content-type-options", "nosniff")
"""Goes with every response: none is anything else than it says, to no browser (WHATWG Fetch §3.7)."""

_ABSOLUTE_FORM: Final = re.compile(r"https?://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE)
MAX_ESCAPES: Final = 1024
"""Percent signs in a query; session URLs have none. To decode one costs a hundred times as much as a letter."""
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class HttpLimits(msgspec.Struct, frozen=True):
    """Bounds of one HTTP connection and of all together. Times are seconds, sizes bytes.

    What the configuration has a key for has its default there.
    """

    max_connections: int = _SETTINGS.max_connections
    """Beyond them, one that waits for its peer gives way, or the newcomer gets a 503."""
    max_connections_per_client: int = _SETTINGS.max_connections_per_client
    """The same, of one client."""
    max_head_bytes: int = 16 * 1024
    max_body_bytes: int = _SETTINGS.max_body_bytes
    head_timeout: float = _SETTINGS.head_timeout
    """For the first head from the connection's start, for later ones from their first byte."""
    body_timeout: float = _SETTINGS.head_timeout
    handler_timeout: float = 30.0
    """A handler (an auth scheme, a provider) that takes longer is given up, and the client gets a 503."""
    idle_timeout: float = _SETTINGS.idle_timeout
    """Between two requests of a connection."""
    send_timeout: float = 15.0
    """For a response that the client does not read."""
    max_message_bytes: int = _SETTINGS.max_message_bytes
    """Of one WebSocket message; a longer one closes the socket with 1009."""
    max_message_fragments: int = 256
    """Frames of one WebSocket message: each costs memory, however small or empty."""
    frames_per_second: float = _SETTINGS.max_messages_per_second
    """Of one WebSocket, in the long run, and of 16 KiB at most: a longer one counts as several. Who sends more is held
    back."""
    frame_burst: float = 512
    """As many texts as a client may send at once, and as many again for what comes with them."""
    flood_timeout: float = 60.0
    """For who is held back without a break: then it is no burst, and the socket is closed with 1008."""
    control_frames_per_second: float = 10
    """Pings, pongs and closes. They are answered, or expected, at once: more closes the socket with 1008."""
    control_frame_burst: float = 100
    message_timeout: float = _SETTINGS.head_timeout
    """For a WebSocket message that has begun. Time in which the gateway itself does not read does not count."""
    ping_interval: float = 20.0
    """Between WebSocket pings; as long without a pong means that the peer is gone."""
    close_timeout: float = 1.0
    """For the peer to answer a close, and for it to read what was sent last."""


class Request(Discreet, frozen=True):
    """One request. ``repr`` shows neither query nor headers nor body, which hold secrets.

    ``path`` is as sent, without percent-decoding. Header names are lower case; values of repeated fields are joined
    with a comma; their bytes are decoded as UTF-8, those that are none as surrogate escapes (PEP 383).
    ``client_host`` is an IP address, ``scheme`` ``http`` or ``https``, ``host`` a host name or address with an
    optional port: all three as the client sees them, where a trusted proxy tells.
    """

    method: str
    path: str
    query: Mapping[str, str] = msgspec.field(default_factory=dict)
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    client_host: str = ""
    scheme: str = "http"
    host: str = ""
    http_version: str = "1.1"
    entry: Entry | None = None
    """What the process has found out that has handed it over, if one has."""
    is_for_call: bool = False
    """It is to make a call: of several processes, the one with most room for it has it."""
    path_without_secrets: str = ""
    """Empty, where the path has none."""

    @property
    def shown_path(self) -> str:
        """The path, as logs may have it."""
        return self.path_without_secrets or self.path

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("path", self.shown_path), ("client_host", self.client_host)]


class Response(msgspec.Struct, frozen=True):
    """One response. ``content-length``, ``date`` and ``connection`` are added when it is sent."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    code: str = ""
    """Why a request is refused, for the log and what is counted; the body says it too."""
    is_worded: bool = False
    """The body is as the client knows it already."""
    logged: str = ""
    """More about it, for the log alone."""
    pieces: AsyncGenerator[bytes, None] | None = None
    """The body, where it comes piece by piece; whoever sends the response closes it."""
    is_of_process: bool = False
    """Another process of the same gateway may answer otherwise."""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields that go with it. Whoever may come again is told when (RFC 6585 §4, RFC 9110 §15.6.4)."""
        says_when = self.status not in PASSING or any(name == "retry-after" for name, _ in self.headers)
        return [NOSNIFF, *self.headers, *(() if says_when else (RETRY_AFTER,))]

    def with_headers(self, *headers: tuple[str, str]) -> "Response":
        """The same response with more header fields."""
        return replace(self, headers=self.headers + headers)


def text_response(status: int, text: str) -> Response:
    """A plain line for people and probes, never cached."""
    headers = (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store"))
    return Response(status, headers, f"{text}\n".encode())


def json_response(status: int, value: object, media_type: str = "application/json") -> Response:
    """``value`` as JSON, never cached."""
    headers = (("content-type", media_type), ("cache-control", "no-store"))
    return Response(status, headers, msgspec.json.encode(value))


def closing_response(response: Response) -> bytes:
    """The only one of its connection, as it is sent."""
    head = [f"HTTP/1.1 {response.status} {reason_phrase(response.status)}", "connection: close"]
    fields = [*response.fields, ("content-length", str(len(response.body)))]
    return "\r\n".join([*head, *(f"{name}: {value}" for name, value in fields), "", ""]).encode() + response.body


def reason_phrase(status: int) -> str:
    """The phrase that RFC 9110 §15 gives this status code."""
    return HTTPStatus(status).phrase


class Target(msgspec.Struct, frozen=True):
    """A request target, RFC 9112 §3.2; ``authority`` is there in the absolute form only."""

    path: str
    query: Mapping[str, str]
    authority: str | None = None


def parse_target_untrusted(target: str) -> Target:
    """Read an origin-form, absolute-form or asterisk-form target; raises ``Malformed``.

    Of a query field that comes twice the first counts.
    """
    authority = None
    if absolute := _ABSOLUTE_FORM.fullmatch(target):
        authority, target = str(parse_authority_untrusted(absolute["authority"])), absolute["rest"]
        target = target if target.startswith("/") else "/" + target
    if not target.startswith("/") and target != "*":
        raise Malformed("request target: expected a path")
    path, _, query = target.partition("?")
    if query.count("%") > MAX_ESCAPES or _BAD_ESCAPE.search(query):  # RFC 3986 §2.1
        raise Malformed(f"query: expected at most {MAX_ESCAPES} percent signs, each before two hexadecimal digits")
    try:
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise Malformed(f"query: expected at most {MAX_QUERY_FIELDS} fields of UTF-8") from None
    return Target(path, dict(reversed(pairs)), authority)
