"""The messages of Twilio Media Streams: those that a bot is told, and those that it says."""

import base64
import warnings
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from glottis import Malformed
from glottis.contracts.audio import BYTES_PER_SAMPLE

with warnings.catch_warnings():  # from Python 3.13 on the module is a package of its own, audioop-lts
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

RATE: Final = 8000
FORMAT: Final = {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1}
CONNECTED: Final = {"event": "connected", "protocol": "Call", "version": "1.0.0"}


class Media(msgspec.Struct):
    """Audio: µ-law, which comes in base64."""

    payload: bytes


class Mark(msgspec.Struct):
    """A name to be told when what was sent before has been played."""

    name: str


class Said(msgspec.Struct):
    """What a bot says: ``media``, ``mark`` or ``clear``; other events are skipped."""

    event: str
    media: Media | None = None
    mark: Mark | None = None


def read_message_untrusted(message: bytes) -> Said:
    """Raises ``Malformed`` for what is none."""
    try:
        return msgspec.json.decode(message, type=Said)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Malformed("it says what is no message of Media Streams") from None


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
