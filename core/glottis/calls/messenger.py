"""Text, events and bytes between an agent and its client: by data channel, or by WebSocket where there is none."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import trio

from glottis.calls.open_channels import OpenChannels
from glottis.calls.own_channel import OwnChannel
from glottis.calls.reopening import Reopening
from glottis.calls.streams import Wakeup
from glottis.contracts.call import BytesMessage, Message, TextMessage
from glottis.contracts.errors import LocalError, MessageTooLong
from glottis.sctp import (
    AssociationClosed,
    AssociationFailed,
    BufferedAmountLow,
    BytesReceived,
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    DataChannelEvent,
    EverythingAcknowledged,
    LeftOver,
    SendBufferFull,
    TextReceived,
)
from glottis.signaling.messages import Event, ServerMessage, Text, encode_message

GREETING: Final = "Backend connected"
"""Sent on each channel when it opens (CONTRACT §4)."""
MAX_BUFFERED: Final = 256 * 1024
"""Bytes queued on a channel before its sender has to wait."""
LAST_WORDS: Final = 1.0
"""Seconds that the end of a call waits for its last messages: as long as one that is lost twice takes."""
MAX_SIGNALED: Final = 256 * 1024
"""Bytes of a message by the WebSocket, as JSON: what data channels take, and half of what the WebSocket queues."""


class Sender(Protocol):
    """The way of an agent's messages to its client; each returns, or raises ``LocalError``, when it is on its way."""

    async def send_text(self, text: str, label: str | None) -> None: ...
    async def send_bytes(self, data: bytes, label: str | None) -> None: ...
    async def send_event(self, name: str, data: Mapping[str, Any]) -> None: ...
    async def wait_for_channel(self, label: str | None) -> str: ...
    async def flush(self) -> None: ...


class Messenger:
    """``send_signaling`` is for the WebSocket, ``deliver`` for the agent, and ``pump`` sends what is queued.

    ``signaling_room`` waits until the WebSocket's queue has room. ``tell_when_acknowledged`` asks the data channels for
    ``EverythingAcknowledged``, and is false if that is so already. Gateways greet, and their callers do not.
    """

    __slots__ = (
        "_deliver",
        "_greets",
        "_opened",
        "_progress",
        "_pump",
        "_reopening",
        "_send_signaling",
        "_signaling_room",
        "_tell_when_acknowledged",
        "channels",
        "own_channel",
    )

    def __init__(
        self,
        *,
        send_signaling: Callable[[ServerMessage], None],
        deliver: Callable[[Message], None],
        pump: Callable[[], None],
        signaling_room: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
        tell_when_acknowledged: Callable[[], bool] = lambda: False,
        greets: bool = True,
    ) -> None:
        self._send_signaling = send_signaling
        self._deliver = deliver
        self._pump = pump
        self._signaling_room = signaling_room
        self._tell_when_acknowledged = tell_when_acknowledged
        self._greets = greets
        self.channels = OpenChannels()
        """The oldest is the default."""
        self._progress = Wakeup()
        self._opened = Wakeup()
        self._reopening: Reopening | None = None
        self.own_channel: OwnChannel | None = None
        """By which the client is told what others are told by signaling; its label is set before any channel opens."""

    def change_over(
        self,
        pump: Callable[[], None],
        tell_when_acknowledged: Callable[[], bool],
        left: Sequence[LeftOver],
        now: float,
    ) -> None:
        """Other data channels take the place of all that there are, once the client opens them; ``left`` is of these.

        What had not come in their places before is still to come.
        """
        self._pump, self._tell_when_acknowledged = pump, tell_when_acknowledged
        self.channels = OpenChannels()
        if (own := self.own_channel) is not None:  # whose protocol begins anew
            own.lose()
            left = [one for one in left if one.label != own.label]
        known = {one.label for one in left}
        waiting = self._reopening.left if self._reopening is not None else ()
        left = [*left, *(one for one in waiting if one.label not in known)]
        self._reopening = Reopening(left, now) if left else None
        self._progress.wake()

    # From the client

    def handle_text(self, text: str) -> None:
        """Text by the WebSocket."""
        self._deliver(TextMessage(text))

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        """An event of the peer connection's data channels."""
        if self.own_channel is not None and self.own_channel.takes(event):
            self._opened.wake()
            self._progress.wake()
            return
        match event:
            case ChannelOpened(channel):
                self._welcome(channel)
            case TextReceived(channel, text):
                self._deliver(TextMessage(text, channel.label))
            case BytesReceived(channel, data):
                self._deliver(BytesMessage(data, channel.label))
            case ChannelClosed(channel):
                self.channels.discard(channel)
                self._progress.wake()
            case BufferedAmountLow() | EverythingAcknowledged() | AssociationClosed() | AssociationFailed():
                self._progress.wake()

    def _welcome(self, channel: DataChannel) -> None:
        if channel.state is ChannelState.OPEN:  # the peer may have closed it in the same breath
            channel.buffered_amount_low_threshold = MAX_BUFFERED // 2
            self.channels.add(channel)
            self._opened.wake()
            # A channel can do without its greeting where others are flooded, or the client takes only shorter messages.
            with suppress(SendBufferFull, MessageTooLong):
                if self._greets:
                    channel.send_text(GREETING)
            if self._reopening is not None and (left := self._reopening.take(channel.label)) is not None:
                self._repeat(left, channel)

    def _repeat(self, left: LeftOver, channel: DataChannel) -> None:
        """On a channel in place of another; the client can tell what it has already, and what we have."""
        event = Event("continued", {"sent": left.delivered, "received": left.received})
        for message in (encode_message(event), *left.messages):
            with suppress(SendBufferFull, MessageTooLong):  # the peer may take shorter ones than before
                if isinstance(message, str):
                    channel.send_text(message)
                else:
                    channel.send_bytes(message)
        if not self._reopening:
            self._reopening = None

    # From the agent

    async def send_text(self, text: str, label: str | None) -> None:
        """By the channel of this label, else by the default one, else by the WebSocket."""
        if not await self._send(label, lambda channel: channel.send_text(text)):
            await self._signal(Text(text))

    async def flush(self) -> None:
        """Before the end: wait, but not for long, until the client has all that was sent by data channels.

        What was sent by the WebSocket leaves before its close frame; SCTP's ABORT ends what is under way.
        """
        with trio.move_on_after(LAST_WORDS):
            await self._reopened(None)
            while self._label_of(None) is not None and self._tell_when_acknowledged():
                await self._progress.wait()

    async def wait_for_channel(self, label: str | None) -> str:
        """Until one is open, of this label if it is given; returns its label."""
        await trio.lowlevel.checkpoint()
        while (found := self._label_of(label)) is None:
            await self._opened.wait()
        return found

    def _label_of(self, label: str | None) -> str | None:
        """Of the channel that is open for this label, or of any if that is None."""
        own, channel = self.own_channel, self.channels.find(label)
        if own is not None and own.is_open and label in (None, own.label):
            return own.label
        return channel.label if channel is not None and label in (None, channel.label) else None

    def say_by_own_channel(self, text: str) -> bool:
        """Whether it is on its way; see ``OwnChannel.send``."""
        is_sent = self.own_channel is not None and self.own_channel.send(text)
        if is_sent:
            self._pump()
        return is_sent

    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """The same way as text; raises ``LocalError`` if ``data`` is not JSON."""
        event = Event(name, data)
        text = encode_message(event)
        if not await self._send(None, lambda channel: channel.send_text(text)):
            await self._signal(event)

    async def _signal(self, message: Text | Event) -> None:
        length = len(encode_message(message).encode())
        if length > MAX_SIGNALED:
            raise MessageTooLong(f"the client's WebSocket takes messages of at most {MAX_SIGNALED} bytes, not {length}")
        await self._signaling_room()
        self._send_signaling(message)

    async def send_bytes(self, data: bytes, label: str | None) -> None:
        """By a channel; raises ``LocalError`` if there is none."""
        if not await self._send(label, lambda channel: channel.send_bytes(data)):
            raise LocalError("bytes need a data channel, and the client has opened none: send text, or wait for one")

    async def _send(self, label: str | None, put: Callable[[DataChannel], None]) -> bool:
        """Queue a message on a channel, as soon as there is room for it; false if it is to go by signaling."""
        if (own := self.own_channel) is not None and label in (None, own.label):
            await trio.lowlevel.checkpoint()
            return False
        while (channel := await self._writable_channel(label)) is not None:
            try:
                put(channel)
            except SendBufferFull:  # of the association, for all channels together
                await self._progress.wait()
            else:
                self._pump()
                return True
        return False

    async def _reopened(self, label: str | None) -> None:
        """Wait, but not for long, where a channel is to be opened again by which something was sent before."""
        while (reopening := self._reopening) is not None and reopening.is_awaited(label, trio.current_time()):
            with trio.move_on_at(reopening.deadline) as patience:
                await self._opened.wait()
            if patience.cancelled_caught and self._reopening is reopening:
                await self._do_without(reopening)

    async def _do_without(self, reopening: Reopening) -> None:
        """What was left takes the way that there is; bytes go on waiting if there is no channel at all."""
        for text in reopening.take_all(texts_only=self.channels.find(None) is None):
            if isinstance(text, str):
                await self.send_text(text, None)
            else:
                await self.send_bytes(text, None)

    async def _writable_channel(self, label: str | None) -> DataChannel | None:
        """The channel to use, once it has room: this is where an agent that sends too fast is held back."""
        await trio.lowlevel.checkpoint()
        await self._reopened(label)
        while (channel := self.channels.find(label)) is not None and channel.buffered_amount > MAX_BUFFERED:
            await self._progress.wait()
        return channel
