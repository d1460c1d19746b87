"""What clients send by HTTP: an offer, alone or beside a session, and what a key is to be for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from glottis import Malformed

from glottis_openai_calls.sessions import modern
from glottis_openai_calls.wishes import wrong_with_wishes

MAX_PARTS: Final = 8
MAX_SESSION_BYTES: Final = 15 * 1024
MAX_SESSION_VALUES: Final = 1500
"""An agent is told of them by messages, which have 16 KiB and 2048 values at most."""
_BOUNDARY: Final = re.compile(
    r"""multipart/form-data\s*;.{0,200}?\bboundary="?([-0-9A-Za-z'()+_,./:=? ]{1,70})""", re.I
)
_FORM: Final = "multipart/form-data"
_NAME: Final = re.compile(
    rb"""content-disposition:[ ]*form-data
    (?:[ ]*;[ ]*(?!name=)[-\w*]{1,32}=(?:"[^"]{0,300}"|[^;"]{0,300})){0,4}  # filename and others
    [ ]*;[ ]*name="?(\w{1,32})""",
    re.I | re.X,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """An offer, and what the session is to be like, as far as that is said."""

    sdp: str
    session: Mapping[str, Any] = field(default_factory=dict)


def parse_wish_untrusted(media_type: str, body: bytes) -> Wish:
    """The body of a call: ``application/sdp``, or ``multipart/form-data`` with ``sdp`` and ``session``.

    Raises ``Malformed``.
    """
    boundary = _BOUNDARY.match(media_type[:512])
    if boundary is None:
        if media_type.lower().startswith(_FORM):
            raise Malformed("Content-Type: expected the boundary of the form; leave that header to what makes the form")
        return Wish(_text_untrusted(body))
    parts = dict(_parts_untrusted(boundary[1].strip().encode(), body))
    if "sdp" not in parts:
        raise Malformed("sdp: expected a part of this name")
    session = _whatever_was_sent_untrusted(parts.get("session", b""))
    if wrong := wrong_with_session(session):
        raise Malformed(wrong)
    return Wish(_text_untrusted(parts["sdp"]), session)


def parse_object_untrusted(data: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises ``Malformed``."""
    try:
        value = msgspec.json.decode(data)
        msgspec.json.encode(value)  # for it is to be said again
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"expected JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed("expected a JSON object")
    return value


def wrong_with_session(value: object) -> str:
    """What is, in a session as clients describe it; empty if it can be used."""
    if not isinstance(value, dict):
        return "session: expected an object"
    if value.get("type") not in (None, "realtime"):
        return "session.type: expected realtime"
    if not isinstance(value.get("model"), str | None):
        return "session.model: expected a string"
    encoded = msgspec.json.encode(value)
    if len(encoded) > MAX_SESSION_BYTES:
        return f"session: expected at most {MAX_SESSION_BYTES} bytes"
    if sum(map(encoded.count, (b",", b"[", b"{"))) > MAX_SESSION_VALUES:
        return f"session: expected at most {MAX_SESSION_VALUES} values"
    return wrong_with_wishes(modern(value))


@dataclass(frozen=True, slots=True)
class SecretWish:
    """What a key is to be for, and for how many seconds."""

    session: Mapping[str, Any]
    seconds: int


def parse_secret_wish_untrusted(body: bytes, longest: int) -> SecretWish:
    """The body of a request for a key, which may be empty. Raises ``Malformed``."""
    wanted = _whatever_was_sent_untrusted(body)
    session, after = (wanted.get(name) for name in ("session", "expires_after"))
    session = {} if session is None else session
    if wrong := wrong_with_session(session):
        raise Malformed(wrong)
    seconds = after.get("seconds") if isinstance(after, dict) else after
    if seconds is None:
        return SecretWish(session, min(600, longest))
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 10 <= seconds <= longest:
        raise Malformed(f"expires_after.seconds: expected a number from 10 to {longest}")
    return SecretWish(session, seconds)


def parse_preview_wish_untrusted(body: bytes, longest: int) -> SecretWish:
    """The same of a client of the API's preview, which sends the session alone. Raises ``Malformed``."""
    session = _whatever_was_sent_untrusted(body)
    if wrong := wrong_with_session(session):
        raise Malformed(wrong)
    return SecretWish(session, min(600, longest))


def _whatever_was_sent_untrusted(data: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for ``null``, and for nothing. Raises ``Malformed``."""
    return {} if data.strip() in (b"", b"null") else parse_object_untrusted(data)


def _text_untrusted(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("sdp: expected UTF-8") from None


def _parts_untrusted(boundary: bytes, body: bytes) -> Iterator[tuple[str, bytes]]:
    """The parts by their names (RFC 7578 §4)."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_PARTS + 2)
    if len(pieces) > MAX_PARTS + 2:
        raise Malformed(f"multipart/form-data: expected at most {MAX_PARTS} parts")
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return
        head, end, content = piece.partition(b"\r\n\r\n")
        if not end or len(head) > 1024:
            raise Malformed("multipart/form-data: expected headers before each part")
        for line in head.split(b"\r\n"):
            if name := _NAME.match(line):
                yield name[1].decode("ascii", "replace"), content
    raise Malformed("multipart/form-data: expected an end")
