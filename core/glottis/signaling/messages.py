"""Signaling messages (CONTRACT §3): JSON text <-> values, in both directions."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard, TypeVar

import msgspec

from glottis.contracts.errors import LocalError
from glottis.signaling.errors import Rejected
from glottis.signaling.json_input import (
    MemberReader,
    Undecoded,
    integer_field_untrusted,
    number_field_untrusted,
    object_field_untrusted,
    required_text_field_untrusted,
)
from glottis.wire.telephone_event import DIGITS

_ENDS_OF_CANDIDATES: Final = ("", "a=end-of-candidates", "end-of-candidates")
_UNREADABLE: Final = "?"
_DIGITS: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_CANDIDATE_MEMBERS: Final = ("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment")
_CANDIDATE: Final = MemberReader(*_CANDIDATE_MEMBERS)
_MESSAGE: Final = MemberReader("type", "sdp", "text", "reason", "name", "data", "code", "message", *_CANDIDATE_MEMBERS)
_MAX_MARK: Final = 1 << 53
"""What numbers of JavaScript hold (RFC 8259 §6)."""
_LONGEST_KEY: Final = 60_000
DEFAULT_KEY: Final = 0.1
"""Seconds that a key is down of which nothing is said."""
MAX_NAME_LENGTH: Final = 256
"""Characters of a candidate's ``sdpMid`` and ``usernameFragment``: it may be kept with them until there is an offer."""


class Offer(msgspec.Struct, frozen=True):
    """A session description that wants an answer."""

    sdp: str
    survives_reload: bool = False
    """Of a page's: whether its call goes on where it is left without a word."""


class Answer(msgspec.Struct, frozen=True):
    """The reply to an offer."""

    sdp: str


class TrickledCandidate(msgspec.Struct, frozen=True):
    """A candidate as RTCIceCandidateInit has it; an empty ``candidate`` means that there are no more (RFC 8838 §14)."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None


class Text(msgspec.Struct, frozen=True):
    """Chat, where there is no data channel."""

    text: str


class Event(msgspec.Struct, frozen=True):
    """A state change, a transcript, an agent's event, statistics. ``data`` must be serialisable."""

    name: str
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Mark(msgspec.Struct, frozen=True):
    """A place in the audio of a WebSocket call, which the client sends back when it has played so far (CONTRACT §5)."""

    id: int


class Key(msgspec.Struct, frozen=True):
    """A key that was pressed, in a WebSocket call (CONTRACT §5), and for how many seconds."""

    digit: str
    duration: float


class Error(msgspec.Struct, frozen=True):
    """What was wrong with a message."""

    code: str
    message: str


class Bye(msgspec.Struct, frozen=True):
    """The end of the call."""

    reason: str = ""


class Audio(msgspec.Struct, frozen=True):
    """A binary message (CONTRACT §5)."""

    data: bytes


FLUSH: Final = Event("flush")
"""Tells a client to drop what it has not played yet (CONTRACT §5)."""

M = TypeVar("M")
StreamMessage = Mark | Key
"""What is told beside the audio of a WebSocket call: the same events in both directions."""
ClientMessage = Offer | TrickledCandidate | Text | Bye | StreamMessage
ServerMessage = Answer | TrickledCandidate | Text | Event | Error | Bye | StreamMessage
SignalingMessage = ClientMessage | ServerMessage


def parse_client_message_untrusted(data: str | bytes) -> ClientMessage:
    """Read what a client sends; raises ``Malformed`` (``Rejected``, with a code)."""
    return _parse_untrusted(data, _CLIENT_MESSAGES)


def parse_server_message_untrusted(data: str | bytes) -> ServerMessage:
    """Read what a gateway sends; raises ``Malformed`` (``Rejected``, with a code)."""
    return _parse_untrusted(data, _SERVER_MESSAGES)


def type_of(message: SignalingMessage | Audio) -> str:
    """What it is called: the member ``type`` of its JSON object, of which events have one in common."""
    return "candidate" if isinstance(message, TrickledCandidate) else type(message).__name__.lower()


def encode_message(message: SignalingMessage) -> str:
    """The message as JSON text; raises ``LocalError`` if it holds what JSON cannot say."""
    try:
        return msgspec.json.encode(document_of(message)).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise LocalError(f"{type_of(message)} message: {error}") from None


def document_of(message: SignalingMessage) -> dict[str, Any]:
    """The message as the members of its JSON object."""
    match message:
        case Offer(sdp):
            return {"type": "offer", "sdp": sdp}
        case Answer(sdp):
            return {"type": "answer", "sdp": sdp}
        case TrickledCandidate():
            return {"type": "candidate", "candidate": candidate_init(message)}
        case Text(text):
            return {"type": "text", "text": text}
        case Event(name, data):
            return {"type": "event", "name": name, "data": data}
        case Mark(number):
            return {"type": "event", "name": "mark", "data": {"id": number}}
        case Key(digit, duration):
            data = {"digit": digit, "durationMs": round(1000 * duration)}
            return {"type": "event", "name": "dtmf", "data": data}
        case Error(code, sentence):
            return {"type": "error", "code": code, "message": sentence}
        case Bye(reason):
            return {"type": "bye", "reason": reason}


def candidate_init(candidate: TrickledCandidate) -> dict[str, str | int | None]:
    """The members of W3C webrtc's RTCIceCandidateInit (§4.8.1.1)."""
    return {
        "candidate": candidate.candidate,
        "sdpMid": candidate.sdp_mid,
        "sdpMLineIndex": candidate.sdp_m_line_index,
        "usernameFragment": candidate.username_fragment,
    }


def _parse_untrusted(data: str | bytes, parsers: Mapping[str, Callable[[dict[str, Any]], M]]) -> M:
    fields = _MESSAGE.read_untrusted(data)
    parse = parsers.get(required_text_field_untrusted(fields, "type"))
    if parse is None:
        raise Rejected("UNKNOWN_TYPE", f"type: expected one of {', '.join(parsers)}")
    return parse(fields)


def _candidate_untrusted(fields: dict[str, Any]) -> TrickledCandidate:
    """All shapes that clients send (CONTRACT T14): an object, a bare string, null, nothing.

    One odd candidate is no wrong message (RFC 8839 §5.1). What is no text is a candidate that cannot be read; of the
    other members one of a wrong type is as good as none.
    """
    value = fields.get("candidate")
    init = fields
    if isinstance(value, Undecoded) and value.is_object:
        init = _CANDIDATE.read_untrusted(value)
    text = init.get("candidate")
    text = "" if text is None else text if isinstance(text, str) else _UNREADABLE
    return TrickledCandidate(
        candidate="" if text.strip() in _ENDS_OF_CANDIDATES else text,
        sdp_mid=_mid(init.get("sdpMid")),
        sdp_m_line_index=_media_index(init.get("sdpMLineIndex")),
        username_fragment=_name(init.get("usernameFragment")),
    )


def _mid(value: object) -> str | None:
    """Some clients take the number in a mid for one."""
    return str(int(value)) if _is_index(value) and abs(value) < 10**MAX_NAME_LENGTH else _name(value)


def _media_index(value: object) -> int | None:
    """Some clients write -1 for none, or the digits as text."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return int(value) if _is_index(value) and value != -1 else None


def _is_index(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_NAME_LENGTH else None


def _client_event_untrusted(fields: dict[str, Any]) -> StreamMessage:
    read = _STREAM_MESSAGES.get(required_text_field_untrusted(fields, "name"))
    if read is None:
        raise Rejected("UNKNOWN_EVENT", f"name: expected one of {', '.join(_STREAM_MESSAGES)}; others travel as text")
    return read(object_field_untrusted(fields, "data"))


def stream_message_untrusted(event: Event) -> StreamMessage | None:
    """What a gateway's event tells beside the audio of a WebSocket call, if it is that. Raises ``Malformed``."""
    read = _STREAM_MESSAGES.get(event.name)
    return read(event.data) if read is not None else None


def _mark_untrusted(data: Mapping[str, Any]) -> Mark:
    number = integer_field_untrusted(data, "id", 0, _MAX_MARK, "data.")
    if number is None:
        raise Rejected("MISSING_FIELD", "data.id: expected the number of the mark, and there is none")
    return Mark(number)


def _key_untrusted(data: Mapping[str, Any]) -> Key:
    digit = required_text_field_untrusted(data, "digit", "data.").upper()
    if len(digit) != 1 or digit not in DIGITS:
        raise Rejected("INVALID_FIELD", f"data.digit: expected one of {DIGITS}")
    milliseconds = number_field_untrusted(data, "durationMs", 0, _LONGEST_KEY, "data.")
    return Key(digit, DEFAULT_KEY if milliseconds is None else milliseconds / 1000)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


_STREAM_MESSAGES: Final[Mapping[str, Callable[[Mapping[str, Any]], StreamMessage]]] = {
    "mark": _mark_untrusted,
    "dtmf": _key_untrusted,
}
_CLIENT_MESSAGES: Final[Mapping[str, Callable[[dict[str, Any]], ClientMessage]]] = {
    "offer": lambda fields: Offer(required_text_field_untrusted(fields, "sdp"), fields.get("survivesReload") is True),
    "candidate": _candidate_untrusted,
    "text": lambda fields: Text(required_text_field_untrusted(fields, "text")),
    "event": _client_event_untrusted,
    "bye": lambda fields: Bye(_text(fields.get("reason")) or ""),
}
_SERVER_MESSAGES: Final[Mapping[str, Callable[[dict[str, Any]], ServerMessage]]] = {
    "answer": lambda fields: Answer(required_text_field_untrusted(fields, "sdp")),
    "candidate": _candidate_untrusted,
    "text": lambda fields: Text(required_text_field_untrusted(fields, "text")),
    "event": lambda fields: Event(
        required_text_field_untrusted(fields, "name"), object_field_untrusted(fields, "data")
    ),
    "error": lambda fields: Error(
        required_text_field_untrusted(fields, "code"), required_text_field_untrusted(fields, "message")
    ),
    "bye": lambda fields: Bye(_text(fields.get("reason")) or ""),
}
