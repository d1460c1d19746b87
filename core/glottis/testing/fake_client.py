"""The client's end of a call's messages, without a network: it opens data channels, writes, and keeps what it gets."""

from collections.abc import Callable, Mapping
from typing import Any

from glottis.calls.messenger import Messenger
from glottis.calls.typed_messages import message_of
from glottis.contracts.call import BytesMessage, Message, TypedMessage
from glottis.contracts.errors import MessageTooLong
from glottis.sctp import (
    DEFAULT_MAX_MESSAGE_SIZE,
    BytesReceived,
    ChannelOpened,
    ChannelState,
    DataChannel,
    TextReceived,
)
from glottis.sctp.traffic import Traffic
from glottis.signaling.messages import ServerMessage, Text, encode_message
from glottis.wire.dcep import ChannelOpen, ProtocolId


class FakeClient:
    """Joined to a real ``Messenger``, whose ``deliver`` gets what is written here."""

    def __init__(self, deliver: Callable[[Message], None]) -> None:
        self.messenger = Messenger(send_signaling=self._take, deliver=deliver, pump=lambda: None)
        self.messages: list[tuple[str | bytes, str | None]] = []
        """What came, each with the label of its channel; None is the WebSocket."""
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.traffic = Traffic()
        self._channels: dict[str, DataChannel] = {}

    def open_channel(self, label: str) -> DataChannel:
        """The channel of this label, a new one if there is none."""
        if label not in self._channels:
            channel = DataChannel(self, len(self._channels), ChannelOpen(label), negotiated=True)
            channel.state = ChannelState.OPEN
            self._channels[label] = channel
            self.messenger.handle_channel_event(ChannelOpened(channel))
            self.messages.pop()  # the greeting: the gateway's, and not the agent's
        return self._channels[label]

    def write(self, message: Message) -> None:
        """Send a message by its channel, which is opened if need be.

        Raises ``ValueError`` for one that an agent would get as another, such as a ``TextMessage`` with typed JSON.
        """
        if isinstance(message, BytesMessage):
            self.messenger.handle_channel_event(BytesReceived(self.open_channel(message.channel), message.data))
            return
        received = message_of(message.text, message.channel)
        if received != message:
            raise ValueError(f"an agent would not get {message}, but {received}")
        if message.channel is None:
            self.messenger.handle_text(message.text)
        else:
            self.messenger.handle_channel_event(TextReceived(self.open_channel(message.channel), message.text))

    def _take(self, message: ServerMessage) -> None:
        """By the WebSocket."""
        if isinstance(message, Text):
            self.messages.append((message.text, None))
        else:
            self._take_text(encode_message(message), None)

    def _take_text(self, text: str, label: str | None) -> None:
        """Events are texts of their form, by whatever way they come."""
        message = message_of(text, label)
        if isinstance(message, TypedMessage) and message.type == "event":
            self.events.append((message.data["name"], message.data["data"]))
        else:
            self.messages.append((text, label))

    # What its data channels call

    def send(self, channel: DataChannel, protocol_id: ProtocolId, data: bytes) -> None:
        """See ``ChannelCarrier``. An empty message is a zero byte on the line (RFC 8831 §6.6)."""
        if len(data) > DEFAULT_MAX_MESSAGE_SIZE:
            raise MessageTooLong(
                f"the peer takes messages of at most {DEFAULT_MAX_MESSAGE_SIZE} bytes, not {len(data)}"
            )
        content = b"" if protocol_id in (ProtocolId.STRING_EMPTY, ProtocolId.BINARY_EMPTY) else data
        if protocol_id in (ProtocolId.STRING, ProtocolId.STRING_EMPTY):
            self._take_text(content.decode(), channel.label)
        else:
            self.messages.append((content, channel.label))

    def close(self, channel: DataChannel) -> None:
        """See ``ChannelCarrier``."""
        channel.state = ChannelState.CLOSED

    def buffered_amount(self, channel: DataChannel) -> int:
        """See ``ChannelCarrier``: all is received at once."""
        return 0

    def configure(self, channel: DataChannel, low_threshold: int) -> None:
        """See ``ChannelCarrier``."""
