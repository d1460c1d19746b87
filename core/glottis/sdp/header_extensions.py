"""Which header extensions of RTP both sides know: ``a=extmap``, RFC 8285 §5."""

from collections.abc import Iterator
from typing import Final

from glottis.sdp.description import Attribute
from glottis.sdp.section import Section
from glottis.wire.rtp_extensions import MAX_ID, MAX_ONE_BYTE_LENGTH, ExtensionIds

URIS: Final = {
    "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    "audio_level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "absolute_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "transport_sequence": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
}
"""By the members of ``ExtensionIds``."""

OFFERED_EXTENSIONS: Final = ExtensionIds(mid=4, audio_level=1, absolute_send_time=2, transport_sequence=3)

MAX_LINES: Final = 64
"""That are read of a section; a browser's audio has five, its video fifteen."""

_RESERVED_ID: Final = 15


def agreed_extensions(section: Section, *, with_transport_sequence: bool) -> ExtensionIds:
    """Those of the peer's ``section`` that are known here, by its numbers; other lines are skipped.

    Who has transport-wide feedback needs no absolute send times. What goes one way only (``/recvonly``) is left out,
    and so is a mid that packets would not have room for: it is to be short, and may be as long as a line (RFC 9143
    §15.1).
    """
    numbers: dict[str, int] = {}
    for value in section.values("extmap")[:MAX_LINES]:
        number, _, rest = value.strip().partition(" ")
        uri = rest.strip().partition(" ")[0]
        if uri and _is_id(number) and int(number) not in numbers.values():  # an id has one meaning, RFC 8285 §5
            numbers.setdefault(uri, int(number))
    ids = ExtensionIds(**{name: numbers.get(uri) for name, uri in URIS.items()})
    if len(section.mid or "") > MAX_ONE_BYTE_LENGTH:
        ids = ids._replace(mid=None)
    if with_transport_sequence and ids.transport_sequence is not None:
        return ids._replace(absolute_send_time=None)
    return ids._replace(transport_sequence=None)


def extension_attributes(ids: ExtensionIds) -> Iterator[Attribute]:
    """How this side describes them, by number."""
    numbered = ((number, name) for name, number in ids._asdict().items() if number is not None)
    for number, name in sorted(numbered):
        yield Attribute("extmap", f"{number} {URIS[name]}")


def _is_id(text: str) -> bool:
    return (
        len(text) <= 3 and text.isascii() and text.isdigit() and 0 < int(text) <= MAX_ID and int(text) != _RESERVED_ID
    )
