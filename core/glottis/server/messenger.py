"""Text, events and bytes between an agent and its client: by data channel, or by WebSocket where there is none."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from glottis.contracts.call import BytesMessage, Message, TextMessage, TypedMessage
from glottis.contracts.errors import LocalError
from glottis.sctp import (
    AssociationClosed,
    AssociationFailed,
    BufferedAmountLow,
    BytesReceived,
    ChannelClosed,
    ChannelOpened,
    DataChannel,
    DataChannelEvent,
    TextReceived,
)
from glottis.server.messages import Event, ServerMessage, Text, encode_message
from glottis.server.streams import Wakeup

GREETING: Final = "Backend connected"
"""Sent on each channel when it opens (CONTRACT §4)."""
MAX_BUFFERED: Final = 256 * 1024
"""Bytes queued on a channel before its sender has to wait."""


class Messenger:
    """``send_signaling`` is for the WebSocket, ``deliver`` for the agent, and ``pump`` sends what is queued."""

    def __init__(
        self,
        *,
        send_signaling: Callable[[ServerMessage], None],
        deliver: Callable[[Message], None],
        pump: Callable[[], None],
    ) -> None:
        self._send_signaling = send_signaling
        self._deliver = deliver
        self._pump = pump
        self._channels: list[DataChannel] = []
        """The open ones, oldest first: the first is the default."""
        self._writable = Wakeup()

    # From the client

    def handle_text(self, text: str) -> None:
        """Text by the WebSocket."""
        self._deliver(message_of(text))

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        """An event of the peer connection's data channels."""
        match event:
            case ChannelOpened(channel):
                channel.buffered_amount_low_threshold = MAX_BUFFERED // 2
                self._channels.append(channel)
                channel.send_text(GREETING)
            case TextReceived(channel, text):
                self._deliver(message_of(text, channel.label))
            case BytesReceived(channel, data):
                self._deliver(BytesMessage(data, channel.label))
            case ChannelClosed(channel):
                self._channels = [other for other in self._channels if other is not channel]
                self._writable.wake()
            case BufferedAmountLow() | AssociationClosed() | AssociationFailed():
                self._writable.wake()

    # From the agent

    async def send_text(self, text: str, label: str | None) -> None:
        """By the channel of this label, else by the default one, else by the WebSocket."""
        channel = await self._writable_channel(label)
        if channel is None:
            self._send_signaling(Text(text))
        else:
            channel.send_text(text)
            self._pump()

    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """The same way as text; raises ``LocalError`` if ``data`` is not JSON."""
        event = Event(name, data)
        text = encode_message(event)
        channel = await self._writable_channel(None)
        if channel is None:
            self._send_signaling(event)
        else:
            channel.send_text(text)
            self._pump()

    async def send_bytes(self, data: bytes, label: str | None) -> None:
        """By a channel; raises ``LocalError`` if there is none."""
        channel = await self._writable_channel(label)
        if channel is None:
            raise LocalError("bytes need a data channel, and the client has opened none: send text, or wait for one")
        channel.send_bytes(data)
        self._pump()

    async def _writable_channel(self, label: str | None) -> DataChannel | None:
        """The channel to use, once it has room: this is where an agent that sends too fast is held back."""
        await trio.lowlevel.checkpoint()
        while (channel := self._channel(label)) is not None and channel.buffered_amount > MAX_BUFFERED:
            await self._writable.wait()
        return channel

    def _channel(self, label: str | None) -> DataChannel | None:
        named = (channel for channel in self._channels if channel.label == label)
        return next(named, self._channels[0] if self._channels else None)


def message_of(text: str, channel: str | None = None) -> Message:
    """A JSON object with a string ``type`` is a typed message, everything else is text (CONTRACT §4)."""
    try:
        value = json.loads(text) if text.lstrip()[:1] == "{" else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return TypedMessage(value["type"], value, text, channel)
    return TextMessage(text, channel)
