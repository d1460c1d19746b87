"""What clients of the dialect ask for, as a document of glottis' own (CONTRACT §1).

Both of its requests are read: that of the API, with ``webCampaignId`` and an object for each direction of the audio,
and the widget's, with ``campaignId`` and one object. Names match in any case, as JSON of .NET does, and numbers may be
strings. What is not known here is left alone; what a value must be is the gateway's to say.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from glottis import Malformed

MAX_BYTES: Final = 32 * 1024
LONGEST_FRAME_MS: Final = 120
"""Of any codec. The dialect has up to 150, and means "about so many"."""
_TRANSPORTS: Final = {0: "WebSocket", 1: "WebRTC"}
_CODECS: Final = {1: "PCM", 3: "PCMU", 4: "PCMA", 5: "G722", 7: "OPUS"}
_WORDS: Final = {"MULAW": "PCMU", "ALAW": "PCMA"}
"""Other names than the gateway's."""
_EXPECTED_CODECS: Final = "expected 7 (OPUS), 5 (G722), 3 (MULAW), 4 (ALAW), or for a WebSocket 1 (PCM)"
_MOST_DIGITS: Final = 18
_SPLITTER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SCALAR: Final[msgspec.json.Decoder[int | str | None]] = msgspec.json.Decoder(int | str | None)

Members = Mapping[str, msgspec.Raw]
"""Of an object, by their names in lower case."""


def read_wish_untrusted(body: bytes) -> dict[str, Any]:
    """The wish in the body of a request; raises ``Malformed``."""
    if len(body) > MAX_BYTES:
        raise Malformed(f"the body: expected at most {MAX_BYTES} bytes")
    members = _members_untrusted("the body", body)
    campaign = "webCampaignId" if "webcampaignid" in members else "campaignId"
    wish = {
        "campaignId": _scalar_untrusted(members, campaign),
        "transportType": _transport_untrusted(members),
        "clientIdentifier": _scalar_untrusted(members, "clientIdentifier") or None,
        "dynamicVariables": members.get("dynamicvariables"),
        "metadata": members.get("metadata"),
        "audioConfig": _audio_untrusted(members),
    }
    return {name: value for name, value in wish.items() if value is not None}


def _members_untrusted(name: str, text: bytes) -> Members:
    try:
        members = _SPLITTER.decode(text)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise Malformed(f"{name}: expected an object of JSON in UTF-8") from None
    return {key.lower(): value for key, value in members.items()}


def _object_untrusted(members: Members, name: str) -> Members:
    """Empty, if there is none."""
    text = bytes(members.get(name.lower(), b"null"))
    return {} if text == b"null" else _members_untrusted(name, text)


def _scalar_untrusted(members: Members, name: str, path: str = "") -> int | str | None:
    """A number or a text; what has digits alone is a number where one is wanted."""
    try:
        return _SCALAR.decode(members.get(name.lower(), b"null"))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise Malformed(f"{path}{name}: expected an integer or a string") from None


def _number_untrusted(members: Members, name: str, path: str = "") -> int | str | None:
    value = _scalar_untrusted(members, name, path)
    digits = value.strip() if isinstance(value, str) else ""
    return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) <= _MOST_DIGITS else value


def _transport_untrusted(members: Members) -> str:
    value = _number_untrusted(members, "transportType")
    if value is None:
        return _TRANSPORTS[0]
    if isinstance(value, str):
        return value
    if value not in _TRANSPORTS:
        raise Malformed("transportType: expected 0 (WebSocket) or 1 (WebRTC)")
    return _TRANSPORTS[value]


def _audio_untrusted(members: Members) -> dict[str, Any]:
    of_both = _object_untrusted(members, "audioConfiguration")
    audio = {}
    for direction in ("input", "output"):
        name = f"audio{direction.title()}Configuration"
        if own := _object_untrusted(members, name):
            audio[direction] = _direction_untrusted(own, f"{name}.", "audioEncodingType", "")
        elif of_both:
            audio[direction] = _direction_untrusted(of_both, "audioConfiguration.", "EncodingType", direction)
    return audio


def _direction_untrusted(members: Members, path: str, codec: str, prefix: str) -> dict[str, Any]:
    """Zeros are what the dialect has where nothing is said."""
    frame_ms = _number_untrusted(members, f"{prefix}FrameDurationMs", path)
    fields = {
        "codec": _codec_untrusted(members, f"{prefix}{codec}", path),
        "sampleRate": _number_untrusted(members, f"{prefix}SampleRate", path),
        "bitsPerSample": _number_untrusted(members, f"{prefix}BitsPerSample", path),
        "frameDurationMs": min(frame_ms, LONGEST_FRAME_MS) if isinstance(frame_ms, int) else frame_ms,
    }
    return {name: value for name, value in fields.items() if value}


def _codec_untrusted(members: Members, name: str, path: str) -> str:
    value = _number_untrusted(members, name, path)
    if not value:
        return "PCM"
    if isinstance(value, str):
        return _WORDS.get(value.upper(), value)
    if value not in _CODECS:
        raise Malformed(f"{path}{name}: {_EXPECTED_CODECS}")
    return _CODECS[value]
