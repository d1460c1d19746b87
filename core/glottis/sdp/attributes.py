"""The values of the attributes that glottis reads: each grammar bounded, and as wide as the value allows.

Every ``parse_…_untrusted`` takes what stands after ``a=name:`` and raises ``Malformed`` saying what was expected. What
becomes of the line then is not decided here: see ``glottis.sdp.parser.SKIPPABLE``.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, TypeVar, cast

from glottis.contracts.codec import FormatParameters
from glottis.contracts.errors import Malformed
from glottis.sdp.description import TOKEN, Attribute

T = TypeVar("T")

USABLE_HASH_FUNCTIONS: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Hash functions that still prove a certificate, and the bytes they give; sha-1 and md5 do not (RFC 8122 §5)."""

MAX_DIGITS: Final = 20
"""Of a number, as many as 64 bits have."""

MAX_PAYLOAD_TYPE: Final = 127
"""Seven bits of an RTP packet, RFC 3550 §5.1."""

MAX_SSRC: Final = 2**32 - 1
"""32 bits, RFC 3550 §5.1."""

PAYLOAD_TYPES: Final = {str(number): number for number in range(MAX_PAYLOAD_TYPE + 1)}
"""As they are written."""

FIXED_CHANNELS: Final = {"opus": 2}
"""Encodings that have this number whatever their rtpmap says. RFC 7587 §7 has ``opus/48000/2`` alone, mono speech
included; some stacks leave the number out until they know their own source, or write that of the source."""


class Direction(Enum):
    """Who sends media, seen from the side that says it: RFC 3264 §5.1."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the side that says it sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the side that says it receives."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> "Direction":
        """The same as the other side sees it."""
        return {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}.get(self, self)


class Setup(Enum):
    """Who begins the DTLS handshake: ``active`` is the client, RFC 8842 §5.2."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"
    HOLDCONN = "holdconn"


class Fingerprint(NamedTuple):
    """The hash of a certificate: its function in lower case, its value as upper-case hex pairs with colons."""

    hash_function: str
    value: str


class RtpMap(NamedTuple):
    """What a payload type means, RFC 8866 §6.6; ``clock_rate`` in hertz."""

    payload_type: int
    encoding_name: str
    clock_rate: int
    channels: int = 1

    @property
    def encoding(self) -> tuple[str, int, int]:
        """What it means whatever its number; encoding names are case-insensitive (RFC 4855 §3)."""
        name = self.encoding_name.lower()
        return name, self.clock_rate, FIXED_CHANNELS.get(name, self.channels)

    def __str__(self) -> str:
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.payload_type} {self.encoding_name}/{self.clock_rate}{channels}"


class Fmtp(NamedTuple):
    """The parameters of a payload type; names in lower case, one without a value maps to the empty string."""

    payload_type: int
    parameters: FormatParameters

    def __str__(self) -> str:
        words = (f"{name}={value}" if value else name for name, value in self.parameters.items())
        return f"{self.payload_type} {';'.join(words)}"


class SourceAttribute(NamedTuple):
    """Something said of one SSRC, such as its ``cname``, RFC 5576 §4.1."""

    ssrc: int
    name: str
    value: str


class Group(NamedTuple):
    """Sections that belong together by ``semantics``, RFC 5888 §5."""

    semantics: str
    mids: tuple[str, ...]


_TOKEN: Final = re.compile(TOKEN)
_BLANKS: Final = "[ \t]+"
_SEPARATORS: Final = re.compile("[ \t,]+")
_RTPMAP: Final = re.compile(rf"([0-9]{{1,3}}){_BLANKS}({TOKEN})/([0-9]{{1,7}})(?:/([0-9]{{1,3}}))?")
_FMTP: Final = re.compile(rf"([0-9]{{1,3}}){_BLANKS}(.+)", re.DOTALL)
_FINGERPRINT: Final = re.compile(rf"({TOKEN}){_BLANKS}([0-9A-Fa-f]{{2}}(?::[0-9A-Fa-f]{{2}})*)")
_SSRC: Final = re.compile(rf"([0-9]{{1,10}})(?:{_BLANKS}({TOKEN})(?::(.*))?)?", re.DOTALL)
_GROUP: Final = re.compile(rf"({TOKEN})((?:{_BLANKS}{TOKEN})*)")
# Ice-chars, and the four more that libwebrtc takes as well: peers send them, and we only send them back.
_ICE_UFRAG: Final = re.compile(r"[A-Za-z0-9+/=#_-]{4,256}")
_ICE_PWD: Final = re.compile(r"[A-Za-z0-9+/=#_-]{22,256}")
_PACKET_TIME: Final = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,9})?")


def read_attribute_untrusted(attribute: Attribute, parse: Callable[[str], T]) -> T:
    """The value of one attribute; ``Malformed`` names the attribute and the line that it was read from."""
    reading = attribute.reading
    if reading is not None and reading[0] is parse:
        return cast(T, reading[1])
    try:
        meaning = parse(attribute.value.strip(" \t"))
    except Malformed as error:
        place = "" if attribute.line is None else f"line {attribute.line}: "
        raise Malformed(f"{place}after a={attribute.name}: {error}") from None
    attribute.reading = parse, meaning  # it follows from the value, so that nothing changes
    return meaning


def parse_mid_untrusted(value: str) -> str:
    """The name of a section, RFC 5888 §4."""
    return _match_untrusted(_TOKEN, value, "a token")[0]


def parse_group_untrusted(value: str) -> Group:
    """A group's semantics and its sections."""
    semantics, mids = _match_untrusted(_GROUP, value, "semantics and tokens").groups()
    return Group(semantics, tuple(mids.split()))


def parse_rtpmap_untrusted(value: str) -> RtpMap:
    """A payload type's encoding; ``G722/8000/1`` and ``G722/8000`` are the same (RFC 8866 §6.6)."""
    match = _match_untrusted(_RTPMAP, value, "payload type, encoding name/clock rate[/channels]")
    payload_type, name, clock_rate, channels = match.groups(default="1")
    return RtpMap(_payload_type_untrusted(payload_type), name, int(clock_rate), int(channels))


def parse_fmtp_untrusted(value: str) -> Fmtp:
    """A payload type's parameters, separated by semicolons (RFC 4855 §3); of a repeated name the first counts."""
    payload_type, text = _match_untrusted(_FMTP, value, "payload type, parameters").groups()
    parameters: dict[str, str] = {}
    for word in text.split(";"):
        name, _, parameter = word.partition("=")
        if name := name.strip().lower():
            parameters.setdefault(name, parameter.strip())
    return Fmtp(_payload_type_untrusted(payload_type), parameters)


def parse_fingerprint_untrusted(value: str) -> Fingerprint:
    """A certificate's fingerprint, RFC 8122 §5. Lower-case digits are taken, though only upper-case ones are given."""
    name, digits = _match_untrusted(_FINGERPRINT, value, "hash function, pairs of hex digits with colons").groups()
    expected = USABLE_HASH_FUNCTIONS.get(name.lower())
    if expected not in (None, digits.count(":") + 1):
        raise Malformed(f"expected {expected} pairs of hex digits")
    return Fingerprint(name.lower(), digits.upper())


def parse_setup_untrusted(value: str) -> Setup:
    """A role in the DTLS handshake, RFC 8842 §5.2."""
    try:
        return Setup(value.lower())
    except ValueError:
        raise Malformed("expected active, passive, actpass or holdconn") from None


def parse_source_attribute_untrusted(value: str) -> SourceAttribute:
    """An SSRC and what is said of it, if anything."""
    ssrc, name, text = _match_untrusted(_SSRC, value, "SSRC, attribute[:value]").groups(default="")
    if (number := int(ssrc)) > MAX_SSRC:
        raise Malformed(f"expected a number of 0–{MAX_SSRC}")
    return SourceAttribute(number, name, text)


def parse_ice_ufrag_untrusted(value: str) -> str:
    """A username fragment, RFC 8839 §5.4."""
    return _match_untrusted(_ICE_UFRAG, value, "4–256 letters, digits, + or /")[0]


def parse_ice_pwd_untrusted(value: str) -> str:
    """A password, RFC 8839 §5.4."""
    return _match_untrusted(_ICE_PWD, value, "22–256 letters, digits, + or /")[0]


def parse_ice_options_untrusted(value: str) -> frozenset[str]:
    """Extensions of ICE that a side knows, RFC 8839 §5.6; some write commas between them."""
    return frozenset(filter(_TOKEN.fullmatch, _SEPARATORS.split(value)))


def parse_packet_time_untrusted(value: str) -> float:
    """Milliseconds of ``ptime`` or ``maxptime``, RFC 8866 §6.4."""
    milliseconds = float(_match_untrusted(_PACKET_TIME, value, "a number of milliseconds")[0])
    if not milliseconds:
        raise Malformed("expected more than zero milliseconds")
    return milliseconds


def parse_sctp_port_untrusted(value: str) -> int:
    """An SCTP port, RFC 8841 §5; RFC 9260 §3.1 knows no port 0."""
    return _bounded_untrusted(value, 65535, lowest=1)


def parse_max_message_size_untrusted(value: str) -> int | None:
    """Bytes of the longest message that a side takes; None: any, which is written 0 (RFC 8841 §6.1)."""
    return _bounded_untrusted(value, 2**64 - 1) or None


def _match_untrusted(pattern: re.Pattern[str], value: str, expected: str) -> re.Match[str]:
    match = pattern.fullmatch(value)
    if match is None:
        raise Malformed(f"expected {expected}")
    return match


def _bounded_untrusted(digits: str, highest: int, *, lowest: int = 0) -> int:
    number = int(digits) if len(digits) <= MAX_DIGITS and digits.isascii() and digits.isdigit() else -1
    if not lowest <= number <= highest:
        raise Malformed(f"expected a number of {lowest}–{highest}")
    return number


def _payload_type_untrusted(digits: str) -> int:
    number = PAYLOAD_TYPES.get(digits)
    return _bounded_untrusted(digits, MAX_PAYLOAD_TYPE) if number is None else number
