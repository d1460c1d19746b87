"""What data channels have not brought to the peer, when their association is to end and others follow elsewhere."""

import msgspec

from glottis.sctp.data_channel import ChannelState
from glottis.sctp.data_channels import DataChannels
from glottis.sctp.send_queue import OutboundMessage
from glottis.wire.dcep import ProtocolId


class LeftOver(msgspec.Struct, frozen=True):
    """Of one channel."""

    label: str
    delivered: int
    """How many of our messages the peer has acknowledged, or were given up (RFC 3758)."""
    messages: tuple[str | bytes, ...]
    """Those after them, in order: the peer may have some, of which it could not tell us any more."""
    received: int
    """How many of the peer's were told the owner."""


def left_over(channels: DataChannels, now: float) -> list[LeftOver]:
    """Of each channel that was open, the oldest first. The association can only be ended then."""
    queue = channels.association.take_undelivered(now)
    kept: list[LeftOver] = []
    for channel in channels.table:
        if channel.state is ChannelState.OPEN:
            left = [one for one in queue.of_stream(channel.id) if one.protocol_id != ProtocolId.DCEP]
            delivered = channel.traffic.messages_sent - len(left)
            kept.append(
                LeftOver(channel.label, delivered, tuple(map(_content, left)), channel.traffic.messages_received)
            )
    return kept


def _content(message: OutboundMessage) -> str | bytes:
    match message.protocol_id:
        case ProtocolId.STRING:
            return message.data.decode()
        case ProtocolId.STRING_EMPTY:
            return ""
        case ProtocolId.BINARY_EMPTY:
            return b""
    return message.data
