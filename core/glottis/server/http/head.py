"""A request's head: vetted, and made into a ``Request`` (RFC 9112 §2–3)."""

import re
from typing import Final

import h11

from glottis.contracts.authority import parse_authority_untrusted
from glottis.contracts.errors import Malformed
from glottis.server.http.message import Request, parse_target_untrusted
from glottis.server.http.problem import Problem
from glottis.server.http.proxies import TrustedProxies

MAX_HEADER_FIELDS: Final = 100
"""Lines of a head between the first one and the blank one. Browsers send about 20. More is a 431."""
MAX_TARGET_LENGTH: Final = 8192
"""Bytes of a request target; session URLs have about 400. Longer is a 414."""
_VERSIONS: Final = (b"1.0", b"1.1")
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ASCII_FIELDS: Final = frozenset(
    {
        *("connection", "content-length", "expect", "host", "origin", "transfer-encoding", "upgrade"),
        *("sec-websocket-key", "sec-websocket-version"),
    }
)
"""Those that the server itself goes by, before any handler; their syntax has no other characters."""


def vet_lines(received: bytes) -> None:
    """Raise ``Problem`` before h11 reads a head of too many lines, whole or not: of the shortest, 16 KiB take 5 ms."""
    most = MAX_HEADER_FIELDS + 2
    if received.count(b"\n") <= most:
        return
    blank_line = _BLANK_LINE.search(received)  # what comes after it is no part of the head
    if blank_line is None or received.count(b"\n", 0, blank_line.end()) > most:
        raise Problem(431, "BAD_REQUEST", f"Send at most {MAX_HEADER_FIELDS} header fields.")


def vet_head(head: h11.Request) -> None:
    """Raise ``Problem`` where a head must be refused with a status other than 400."""
    if head.http_version not in _VERSIONS:
        raise Problem(505, "BAD_REQUEST", "Use HTTP/1.1.")
    if len(head.target) > MAX_TARGET_LENGTH:
        raise Problem(414, "BAD_REQUEST", f"Use a request target of at most {MAX_TARGET_LENGTH} bytes.")


def whose(head: h11.Request) -> Request:
    """What of a request says whose clients' words its refusal has, whatever the rest of the head may be."""
    path = head.target[:MAX_TARGET_LENGTH].partition(b"?")[0]
    return Request(head.method.decode("ascii"), path.decode("ascii"))


def read_head_untrusted(head: h11.Request, peer_host: str, proxies: TrustedProxies, scheme: str = "http") -> Request:
    """The request, still without its body; raises ``Malformed``. ``scheme`` is what the connection speaks."""
    headers = _headers_untrusted(head)
    target = parse_target_untrusted(head.target.decode("ascii"))
    host = headers.get("host", "")
    host = str(parse_authority_untrusted(host)) if host else ""  # checked even where an absolute target overrules it
    client = proxies.client_of(peer_host, target.authority or host, headers, scheme)
    return Request(
        method=head.method.decode("ascii"),
        path=target.path,
        query=target.query,
        headers=headers,
        client_host=client.client_host,
        scheme=client.scheme or "http",
        host=client.host or "",
        http_version=head.http_version.decode("ascii"),
    )


def _headers_untrusted(head: h11.Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name = raw_name.decode("ascii")
        value = _text_untrusted(name, raw_value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    # Two lengths, or one that HTTP/1.0 does not know, are how requests are smuggled past proxies (RFC 9112 §6.1).
    if "transfer-encoding" in headers and ("content-length" in headers or head.http_version == b"1.0"):
        raise Malformed("header fields: expected either Content-Length or, in HTTP/1.1, Transfer-Encoding")
    return headers


def _text_untrusted(name: str, raw_value: bytes) -> str:
    """A field's value as ``Request.headers`` has it: opaque bytes beyond ASCII, no controls (RFC 9110 §5.5)."""
    if _CONTROL.search(raw_value):
        raise Malformed("header fields: expected no control characters")
    if name in _ASCII_FIELDS and not raw_value.isascii():
        raise Malformed(f"header field {name}: expected ASCII characters only")
    return raw_value.decode("utf-8", "surrogateescape")
