"""What an association and its data channels tell their owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glottis.wire.dcep import ProtocolId
from glottis.wire.discreet import Discreet

if TYPE_CHECKING:
    from glottis.sctp.data_channel import DataChannel


class AssociationEstablished(msgspec.Struct, frozen=True):
    """The handshake is done; stream identifiers below ``outbound_streams`` may be sent on."""

    outbound_streams: int


class AssociationClosed(msgspec.Struct, frozen=True):
    """The association ended in an orderly way."""

    reason: str


class AssociationFailed(msgspec.Struct, frozen=True):
    """The association was aborted by either end, or the peer stopped answering."""

    reason: str
    by_peer: bool = False
    """Whether the peer sent ABORT: it has gone, and knows it."""


class MessageReceived(Discreet, frozen=True):
    """A whole user message."""

    hidden = frozenset({"data"})

    stream_id: int
    protocol_id: int
    data: bytes


class IncomingStreamsReset(msgspec.Struct, frozen=True):
    """The peer will send no more on these streams (RFC 6525 §4.1)."""

    stream_ids: tuple[int, ...]
    """Empty: all streams. They stand as the peer has sent them, some perhaps twice or beyond what there is."""


class OutgoingStreamsReset(msgspec.Struct, frozen=True):
    """The peer has confirmed our reset of these streams, or refused it, or knows no resets."""

    stream_ids: tuple[int, ...]
    performed: bool
    """Whether it has confirmed it."""


class StreamDrained(msgspec.Struct, frozen=True):
    """What is queued on a stream has fallen to its threshold."""

    stream_id: int


class SendBufferDrained(msgspec.Struct, frozen=True):
    """After ``SendBufferFull``: half of the send buffer is free, or as much as the message needs."""


class EverythingAcknowledged(msgspec.Struct, frozen=True):
    """As was asked for: the peer has all that was sent, but for what was given up."""


SendProgress = StreamDrained | SendBufferDrained | EverythingAcknowledged
"""What has become of what we sent; the association tells it apart from its other events."""
AssociationEnd = AssociationClosed | AssociationFailed
AssociationEvent = (
    AssociationEstablished | AssociationEnd | MessageReceived | IncomingStreamsReset | OutgoingStreamsReset
)


class ChannelOpened(msgspec.Struct, frozen=True):
    """A channel can be used: the peer opened it, or acknowledged ours."""

    channel: DataChannel


class ChannelClosed(msgspec.Struct, frozen=True):
    """A channel is gone; ``reason`` says who closed it and why."""

    channel: DataChannel
    reason: str


class TextReceived(Discreet, frozen=True):
    """A text message."""

    hidden = frozenset({"text"})

    channel: DataChannel
    text: str


class BytesReceived(Discreet, frozen=True):
    """A binary message."""

    hidden = frozenset({"data"})

    channel: DataChannel
    data: bytes


class BufferedAmountLow(msgspec.Struct, frozen=True):
    """A channel's ``buffered_amount`` has fallen to its ``buffered_amount_low_threshold``."""

    channel: DataChannel


DataChannelEvent = (
    AssociationEstablished
    | AssociationClosed
    | AssociationFailed
    | ChannelOpened
    | ChannelClosed
    | TextReceived
    | BytesReceived
    | BufferedAmountLow
    | EverythingAcknowledged
)


def received(channel: DataChannel, protocol_id: int, data: bytes) -> TextReceived | BytesReceived | None:
    """What a message says (RFC 8831 §6.6); None if nobody knows. Raises ``UnicodeDecodeError``."""
    match protocol_id:
        case ProtocolId.STRING | ProtocolId.STRING_EMPTY:
            return TextReceived(channel, data.decode())
        case ProtocolId.BINARY | ProtocolId.BINARY_EMPTY:
            return BytesReceived(channel, data)
    return None
