"""The messages of Twilio Media Streams: those that a bot is told, and those that it says.

Here either side of it is a call of glottis: with ``media-streams`` a bot is attached to one, and with ``twilio`` a call
of the provider's becomes one.
"""

import base64
import warnings
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from glottis import Malformed
from glottis.contracts.audio import BYTES_PER_SAMPLE

with warnings.catch_warnings():  # from Python 3.13 on the module is a package of its own, audioop-lts
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

RATE: Final = 8000
FORMAT: Final = {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1}
CONNECTED: Final = {"event": "connected", "protocol": "Call", "version": "1.0.0"}


_INBOUND: Final = "inbound"
_NONE: Final[Mapping[str, str]] = {}

T = TypeVar("T")


class Media(msgspec.Struct):
    """Audio: µ-law, which comes in base64."""

    payload: bytes
    track: str = _INBOUND

    @property
    def is_the_callers(self) -> bool:
        """What they are told is there, too, where a stream has both tracks."""
        return self.track == _INBOUND


class Mark(msgspec.Struct):
    """A name to be told when what was sent before has been played."""

    name: str


class Said(msgspec.Struct):
    """What a bot says: ``media``, ``mark`` or ``clear``; other events are skipped."""

    event: str
    media: Media | None = None
    mark: Mark | None = None


class Format(msgspec.Struct, rename="camel"):
    """Of the audio in both directions."""

    encoding: str
    sample_rate: int
    channels: int = 1

    @property
    def is_ours(self) -> bool:
        """Whether it is the one of the protocol, that of telephones."""
        return bool(msgspec.to_builtins(self) == FORMAT)


class Start(msgspec.Struct, rename="camel"):
    """What a stream is of."""

    call_sid: str
    media_format: Format
    stream_sid: str | None = ""
    account_sid: str | None = ""
    custom_parameters: Mapping[str, str] | None = _NONE


class Key(msgspec.Struct):
    """One that was pressed."""

    digit: str


class Heard(msgspec.Struct, rename="camel"):
    """What a provider tells: ``start``, ``media``, ``dtmf``, ``mark`` or ``stop``; other events are skipped."""

    event: str
    stream_sid: str | None = ""
    start: Start | None = None
    media: Media | None = None
    dtmf: Key | None = None
    mark: Mark | None = None


def read_message_untrusted(message: bytes) -> Said:
    """What a bot says; raises ``Malformed`` for what is none."""
    return _read_untrusted(message, Said)


def read_event_untrusted(message: str | bytes) -> Heard:
    """What a provider tells; raises ``Malformed`` for what is none."""
    return _read_untrusted(message, Heard)


def _read_untrusted(message: str | bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(message, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise Malformed("it says what is no message of Media Streams") from None


def media_said(stream: str, payload: bytes) -> str:
    """To be heard by the caller: µ-law."""
    return _said(stream, "media", {"payload": base64.b64encode(payload).decode()})


def mark_said(stream: str, name: str) -> str:
    """To be told when all before it was heard."""
    return _said(stream, "mark", {"name": name})


def clear_said(stream: str) -> str:
    """What has not been heard yet is not to be."""
    return _said(stream, "clear", None)


def _said(stream: str, event: str, content: Mapping[str, str] | None) -> str:
    more = {} if content is None else {event: content}
    return msgspec.json.encode({"event": event, "streamSid": stream, **more}).decode()


def samples_of(media: Media) -> bytes:
    """Signed, of 16 bits."""
    return audioop.ulaw2lin(media.payload, BYTES_PER_SAMPLE)


class Told:
    """Numbers what a bot is told of one stream, as the protocol wants it."""

    def __init__(self, stream: str, call: str, account: str) -> None:
        self._stream = stream
        self._call = {"accountSid": account, "callSid": call}
        self._number = 0
        self._chunk = 0
        self._milliseconds = 0

    def start(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """It begins."""
        start = {
            "streamSid": self._stream,
            **self._call,
            "tracks": ["inbound"],
            "customParameters": dict(parameters),
            "mediaFormat": FORMAT,
        }
        return self._event("start", start)

    def media(self, pcm: bytes) -> dict[str, Any]:
        """The caller's voice."""
        self._chunk += 1
        payload = base64.b64encode(audioop.lin2ulaw(pcm, BYTES_PER_SAMPLE)).decode()
        at, self._milliseconds = self._milliseconds, self._milliseconds + len(pcm) * 1000 // RATE // BYTES_PER_SAMPLE
        media = {"track": "inbound", "chunk": str(self._chunk), "timestamp": str(at), "payload": payload}
        return self._event("media", media)

    def dtmf(self, digit: str) -> dict[str, Any]:
        """The caller has pressed a key."""
        return self._event("dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> dict[str, Any]:
        """What was sent before this mark was played, or dropped."""
        return self._event("mark", {"name": name})

    def stop(self) -> dict[str, Any]:
        """It is over."""
        return self._event("stop", self._call)

    def _event(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        self._number += 1
        return {"event": name, "sequenceNumber": str(self._number), "streamSid": self._stream, name: content}
