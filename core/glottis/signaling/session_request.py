"""The request that creates a session (CONTRACT §1): both shapes of it, and every rule."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from glottis.contracts.info import MAX_IDENTIFIER_LENGTH, AudioPreference
from glottis.contracts.json_object import JsonObject
from glottis.signaling.errors import Rejected
from glottis.signaling.json_input import (
    Undecoded,
    decode_untrusted,
    integer_field_untrusted,
    number_field_untrusted,
    required_text_field_untrusted,
    shallow_untrusted,
    split_object_untrusted,
    text_field_untrusted,
)

INITIATE_PATH: Final = "/api/websession/initiate"
WEBRTC: Final = "WebRTC"
WEBSOCKET: Final = "WebSocket"
TRANSPORTS: Final = (WEBRTC, WEBSOCKET)
ICE_POLICIES: Final = ("all", "relay")
"""As RTCConfiguration has them (W3C webrtc, §4.2.3)."""
CODECS: Final = {"OPUS": 48000, "PCMU": 8000, "PCMA": 8000, "G722": 16000, "PCM": 16000}
"""The codecs of requests, each with the sample rate in hertz that is meant where a request names none."""
_DIRECTION_FIELDS: Final = ("codec", "sampleRate", "bitsPerSample", "channels", "frameDurationMs")
_FIELDS: Final = (
    *("businessId", "campaignId", "transportType", "clientIdentifier", "dynamicVariables", "metadata", "audioConfig"),
    "iceTransportPolicy",
    *("input", "output", "inputCodec", "outputCodec", *_DIRECTION_FIELDS),
)
_CANONICAL_NAMES: Final = {name.lower(): name for name in _FIELDS}


class SessionRequest(msgspec.Struct, frozen=True):
    """What the client asks for. The mappings are as sent; ``input`` is the direction from the client."""

    campaign_id: str
    business_id: int | str | None = None
    client_identifier: str | None = None
    transport: str = WEBRTC
    input: AudioPreference = msgspec.field(default_factory=AudioPreference)
    output: AudioPreference = msgspec.field(default_factory=AudioPreference)
    dynamic_variables: Mapping[str, Any] = msgspec.field(default_factory=dict)
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)
    relays_only: bool = False
    """Whether the gateway's end shall use relays alone."""
    traceparent: str = ""
    """Of the request's header, not its body."""


def parse_session_request_untrusted(body: bytes) -> SessionRequest:
    """Read a request's body; raises ``Malformed`` (``Rejected``, with a code) that names the field and what to send.

    Keys and enumerated words match case-insensitively; keys that CONTRACT does not name are ignored.
    """
    fields = _members_untrusted(body)
    transport = _word_untrusted(fields, "transportType", TRANSPORTS, "UNSUPPORTED_TRANSPORT") or WEBRTC
    audio = _members_untrusted(_object_untrusted(fields, "audioConfig"), "audioConfig.")
    return SessionRequest(
        campaign_id=_identifier_untrusted("campaignId", required_text_field_untrusted(fields, "campaignId")),
        business_id=_business_id_untrusted(fields),
        client_identifier=_client_identifier_untrusted(fields),
        transport=transport,
        input=_preference_untrusted(audio, "input", transport),
        output=_preference_untrusted(audio, "output", transport),
        dynamic_variables=_kept_untrusted(fields, "dynamicVariables"),
        metadata=_kept_untrusted(fields, "metadata"),
        relays_only=_word_untrusted(fields, "iceTransportPolicy", ICE_POLICIES, "INVALID_FIELD") == "relay",
    )


def _members_untrusted(text: bytes, path: str = "") -> dict[str, Any]:
    """The members that CONTRACT names, under those names; arrays and objects stay text."""
    members = _with_canonical_names_untrusted(split_object_untrusted(text), path)
    return {name: shallow_untrusted(bytes(value)) for name, value in members.items()}


def _object_untrusted(fields: Mapping[str, Any], name: str, path: str = "") -> bytes:
    """The text of an object; of an empty one where the field is absent or null."""
    value = fields.get(name)
    if value is None:
        return b"{}"
    if not (isinstance(value, Undecoded) and value.is_object):
        raise Rejected("INVALID_FIELD", f"{path}{name}: expected an object")
    return value


def _kept_untrusted(fields: Mapping[str, Any], name: str) -> JsonObject:
    """An object for the agent, kept as it came: decoded only to see that it can be."""
    text = _object_untrusted(fields, name)
    decode_untrusted(text)
    return JsonObject(bytes(text))


def _with_canonical_names_untrusted(fields: Mapping[str, msgspec.Raw], path: str) -> dict[str, msgspec.Raw]:
    """The fields that CONTRACT names, under those names."""
    known: dict[str, msgspec.Raw] = {}
    for key, value in fields.items():
        name = _CANONICAL_NAMES.get(key.lower())
        if name is None:
            continue
        if name in known:
            raise Rejected("DUPLICATE_FIELD", f"{path}{name}: expected once, in whatever case")
        known[name] = value
    return known


def _word_untrusted(
    fields: Mapping[str, Any], name: str, words: Sequence[str], code: str, path: str = ""
) -> str | None:
    """One of ``words``, as it is spelt there; None where the field is absent or null."""
    text = text_field_untrusted(fields, name, path)
    if text is None:
        return None
    for word in words:
        if text.lower() == word.lower():
            return word
    raise Rejected(code, f"{path}{name}: expected one of {', '.join(words)}")


def _business_id_untrusted(fields: Mapping[str, Any]) -> int | str | None:
    value = fields.get("businessId")
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        raise Rejected("INVALID_FIELD", "businessId: expected an integer or a string")
    return _identifier_untrusted("businessId", value)


def _client_identifier_untrusted(fields: Mapping[str, Any]) -> str | None:
    text = text_field_untrusted(fields, "clientIdentifier")
    if text is not None and ("/" in text or "\\" in text):
        raise Rejected("INVALID_FIELD", "clientIdentifier: expected no slash and no backslash")
    return None if text is None else _identifier_untrusted("clientIdentifier", text)


def _identifier_untrusted(name: str, text: str) -> str:
    if len(text) > MAX_IDENTIFIER_LENGTH:
        raise Rejected("INVALID_FIELD", f"{name}: expected at most {MAX_IDENTIFIER_LENGTH} characters")
    return text


def _preference_untrusted(audio: Mapping[str, Any], direction: str, transport: str) -> AudioPreference:
    """One direction: what its own object says, and for the rest what stands beside it."""
    own = _members_untrusted(_object_untrusted(audio, direction, "audioConfig."), f"audioConfig.{direction}.")
    own = {name: value for name, value in own.items() if value is not None}
    merged = {**audio, **own}

    def path(name: str) -> str:
        return f"audioConfig.{direction}." if name in own else "audioConfig."

    codec_name = "codec" if "codec" in own else f"{direction}Codec"
    codecs = _codecs_of(transport)
    codec = _word_untrusted(merged, codec_name, codecs, "UNSUPPORTED_CODEC", path(codec_name)) or "OPUS"
    return AudioPreference(
        codec=codec,
        sample_rate=integer_field_untrusted(merged, "sampleRate", 8000, 48000, path("sampleRate")) or CODECS[codec],
        bits_per_sample=integer_field_untrusted(merged, "bitsPerSample", 8, 32, path("bitsPerSample")) or 16,
        channels=integer_field_untrusted(merged, "channels", 1, 2, path("channels")) or 1,
        frame_ms=number_field_untrusted(merged, "frameDurationMs", 2.5, 120, path("frameDurationMs")),
    )


def _codecs_of(transport: str) -> list[str]:
    """PCM is for the WebSocket transport only (CONTRACT §5)."""
    return [codec for codec in CODECS if codec != "PCM" or transport == WEBSOCKET]
