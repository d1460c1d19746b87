"""The data channel section: an SCTP association over DTLS, RFC 8841."""

from typing import Final

import msgspec

from glottis.sdp.attributes import parse_max_message_size_untrusted, parse_sctp_port_untrusted
from glottis.sdp.description import Attribute, Body
from glottis.sdp.section import DATA_CHANNEL_FORMAT, Section
from glottis.wire.dcep import UNSTATED_MAX_MESSAGE_SIZE

SCTP_PORT: Final = 5000
"""Ours, and the peer's where it does not say: what every browser uses."""


class NegotiatedData(msgspec.Struct, frozen=True):
    """The association that was agreed on."""

    mid: str | None
    media_index: int
    sctp_port: int
    """The peer's."""
    max_message_size: int | None
    """Bytes of the longest message that the peer takes; None: any."""


def negotiated_data_untrusted(section: Section) -> NegotiatedData:
    """What the peer's ``section`` says."""
    port = section.read_untrusted("sctp-port", parse_sctp_port_untrusted)
    sizes = section.read_all_untrusted("max-message-size", parse_max_message_size_untrusted)
    return NegotiatedData(
        mid=section.mid,
        media_index=section.index,
        sctp_port=SCTP_PORT if port is None else port,
        max_message_size=sizes[0] if sizes else UNSTATED_MAX_MESSAGE_SIZE,
    )


def data_body(max_message_size: int) -> Body:
    """How this side describes its end; ``max_message_size`` in bytes is the longest message that it takes."""
    port = Attribute("sctp-port", str(SCTP_PORT))
    return Body((DATA_CHANNEL_FORMAT,), (port, Attribute("max-message-size", str(max_message_size))))
