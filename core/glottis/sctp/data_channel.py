"""One data channel (RFC 8831), as its user holds it."""

from enum import Enum
from typing import Protocol

from glottis.contracts.errors import LocalError
from glottis.sctp.traffic import Traffic
from glottis.wire.dcep import ChannelOpen, ProtocolId


class ChannelState(Enum):
    """As W3C's RTCDataChannelState."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class ChannelCarrier(Protocol):
    """What a channel asks of the data channels that it belongs to."""

    @property
    def traffic(self) -> Traffic:
        """Of all channels."""

    def send(self, channel: "DataChannel", protocol_id: ProtocolId, data: bytes) -> None:
        """Queue a message."""

    def close(self, channel: "DataChannel") -> None:
        """Begin to close."""

    def buffered_amount(self, channel: "DataChannel") -> int:
        """Bytes queued and not yet sent."""

    def configure(self, channel: "DataChannel", low_threshold: int) -> None:
        """Set when ``BufferedAmountLow`` tells."""


class DataChannel:
    """Sends; what it receives arrives as events of ``DataChannels``."""

    def __init__(self, carrier: ChannelCarrier, channel_id: int, settings: ChannelOpen, *, negotiated: bool) -> None:
        self.id = channel_id
        self.settings = settings
        """Ordering, reliability and priority."""
        self.negotiated = negotiated
        """Agreed on elsewhere (by the applications), not by DCEP."""
        self.state = ChannelState.CONNECTING
        self.is_acknowledged = negotiated
        """Until the peer has shown that it knows the channel, its messages must be ordered (RFC 8832 §6)."""
        self.traffic = Traffic()
        self._carrier = carrier
        self._low_threshold = 0

    def __repr__(self) -> str:
        return f"<DataChannel {self.id} {self.state.value}>"

    @property
    def label(self) -> str:
        """What the opener calls it; need not be unique."""
        return self.settings.label

    @property
    def protocol(self) -> str:
        """The subprotocol, or an empty string."""
        return self.settings.protocol

    @property
    def buffered_amount(self) -> int:
        """Bytes queued and not yet handed to the network."""
        return self._carrier.buffered_amount(self)

    @property
    def buffered_amount_low_threshold(self) -> int:
        """``BufferedAmountLow`` comes when ``buffered_amount`` falls to this many bytes."""
        return self._low_threshold

    @buffered_amount_low_threshold.setter
    def buffered_amount_low_threshold(self, size: int) -> None:
        self._low_threshold = size
        self._carrier.configure(self, size)

    def send_text(self, text: str) -> None:
        """Queue a text message.

        Raises ``LocalError`` unless the channel is open, ``MessageTooLong`` when the peer takes none of this size, and
        ``SendBufferFull`` when too much is queued.
        """
        self._send(ProtocolId.STRING, ProtocolId.STRING_EMPTY, text.encode())

    def send_bytes(self, data: bytes) -> None:
        """Queue a binary message; raises as ``send_text`` does."""
        self._send(ProtocolId.BINARY, ProtocolId.BINARY_EMPTY, bytes(data))

    def close(self) -> None:
        """Close once what is queued is sent; closing twice is closing."""
        if self.state in (ChannelState.CONNECTING, ChannelState.OPEN):
            self._carrier.close(self)

    def _send(self, protocol_id: ProtocolId, empty_protocol_id: ProtocolId, data: bytes) -> None:
        if self.state is not ChannelState.OPEN:
            raise LocalError(f"the data channel is {self.state.value}, not open")
        if data:
            self._carrier.send(self, protocol_id, data)
        else:
            # SCTP carries no empty messages: a zero byte and the identifier stand for one (RFC 8831 §6.6).
            self._carrier.send(self, empty_protocol_id, b"\0")
        for traffic in (self.traffic, self._carrier.traffic):
            traffic.count_sent(len(data))
