"""What an association and its data channels tell their owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glottis.wire.dcep import ProtocolId

if TYPE_CHECKING:
    from glottis.sctp.data_channel import DataChannel


@dataclass(frozen=True, slots=True)
class AssociationEstablished:
    """The handshake is done; stream identifiers below ``outbound_streams`` may be sent on."""

    outbound_streams: int


@dataclass(frozen=True, slots=True)
class AssociationClosed:
    """The association ended in an orderly way."""

    reason: str


@dataclass(frozen=True, slots=True)
class AssociationFailed:
    """The association was aborted by either end, or the peer stopped answering."""

    reason: str
    by_peer: bool = False
    """Whether the peer sent ABORT: it has gone, and knows it."""


@dataclass(slots=True)
class MessageReceived:
    """A whole user message."""

    stream_id: int
    protocol_id: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class IncomingStreamsReset:
    """The peer will send no more on these streams (RFC 6525 §4.1)."""

    stream_ids: tuple[int, ...]
    """Empty: all streams. They stand as the peer has sent them, some perhaps twice or beyond what there is."""


@dataclass(frozen=True, slots=True)
class OutgoingStreamsReset:
    """The peer has confirmed our reset of these streams, or refused it, or knows no resets."""

    stream_ids: tuple[int, ...]
    performed: bool
    """Whether it has confirmed it."""


@dataclass(frozen=True, slots=True)
class StreamDrained:
    """What is queued on a stream has fallen to its threshold."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class SendBufferDrained:
    """After ``SendBufferFull``: half of the send buffer is free, or as much as the message needs."""


@dataclass(frozen=True, slots=True)
class EverythingAcknowledged:
    """As was asked for: the peer has all that was sent, but for what was given up."""


SendProgress = StreamDrained | SendBufferDrained | EverythingAcknowledged
"""What has become of what we sent; the association tells it apart from its other events."""
AssociationEnd = AssociationClosed | AssociationFailed
AssociationEvent = (
    AssociationEstablished | AssociationEnd | MessageReceived | IncomingStreamsReset | OutgoingStreamsReset
)


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """A channel can be used: the peer opened it, or acknowledged ours."""

    channel: DataChannel


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """A channel is gone; ``reason`` says who closed it and why."""

    channel: DataChannel
    reason: str


@dataclass(frozen=True, slots=True)
class TextReceived:
    """A text message."""

    channel: DataChannel
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """A binary message."""

    channel: DataChannel
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BufferedAmountLow:
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
