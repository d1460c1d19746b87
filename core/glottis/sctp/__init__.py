"""SCTP over DTLS (RFC 9260, RFC 8261) and WebRTC data channels (RFC 8831, RFC 8832), without I/O."""

from glottis.sctp.association import DEFAULT_MAX_MESSAGE_SIZE, SctpAssociation, SendBufferFull
from glottis.sctp.data_channel import ChannelState, DataChannel
from glottis.sctp.data_channels import DataChannels
from glottis.sctp.events import (
    AssociationClosed,
    AssociationEstablished,
    AssociationEvent,
    AssociationFailed,
    BufferedAmountLow,
    BytesReceived,
    ChannelClosed,
    ChannelOpened,
    DataChannelEvent,
    EverythingAcknowledged,
    IncomingStreamsReset,
    MessageReceived,
    OutgoingStreamsReset,
    StreamDrained,
    TextReceived,
)
from glottis.sctp.left_over import LeftOver, left_over
from glottis.sctp.limits import SctpLimits
from glottis.sctp.states import State

__all__ = [
    "DEFAULT_MAX_MESSAGE_SIZE",
    "AssociationClosed",
    "AssociationEstablished",
    "AssociationEvent",
    "AssociationFailed",
    "BufferedAmountLow",
    "BytesReceived",
    "ChannelClosed",
    "ChannelOpened",
    "ChannelState",
    "DataChannel",
    "DataChannelEvent",
    "DataChannels",
    "EverythingAcknowledged",
    "IncomingStreamsReset",
    "LeftOver",
    "MessageReceived",
    "OutgoingStreamsReset",
    "SctpAssociation",
    "SctpLimits",
    "SendBufferFull",
    "State",
    "StreamDrained",
    "TextReceived",
    "left_over",
]
