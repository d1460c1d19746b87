"""A data channel by which a client speaks another protocol than CONTRACT §4 has: no agent's, and greeted by nobody."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from glottis.calls.streams import Wakeup
from glottis.contracts.errors import MessageTooLong
from glottis.sctp import (
    BufferedAmountLow,
    ChannelClosed,
    ChannelOpened,
    ChannelState,
    DataChannel,
    DataChannelEvent,
    EverythingAcknowledged,
    SendBufferFull,
    TextReceived,
)

MAX_BUFFERED: Final = 256 * 1024
"""Bytes queued on it before who waits for room has to wait; beyond twice as many texts are dropped."""


class OwnChannel:
    """Of the first channel of this ``label`` that is open; others of the label are heard, and not spoken by.

    ``opened`` is called when there is one to speak by, ``heard`` for each text: both within the events of the peer.
    """

    def __init__(self, label: str, *, opened: Callable[[], None], heard: Callable[[str], None]) -> None:
        self.label = label
        self._opened = opened
        self._heard = heard
        self._channel: DataChannel | None = None
        self._room = Wakeup()

    @property
    def is_open(self) -> bool:
        """Whether texts can be sent."""
        return self._channel is not None and self._channel.state is ChannelState.OPEN

    def takes(self, event: DataChannelEvent) -> bool:
        """Whether the event is one of this channel's, and nobody else's. Bytes are the agent's as ever."""
        match event:
            case ChannelOpened(channel) if channel.label == self.label:
                self._open(channel)
            case TextReceived(channel, text) if channel.label == self.label:
                self._heard(text)
            case ChannelClosed(channel) if channel.label == self.label:
                self._close(channel)
            case BufferedAmountLow() | EverythingAcknowledged():
                self._room.wake()
                return False
            case _:
                return False
        return True

    def _open(self, channel: DataChannel) -> None:
        if not self.is_open and channel.state is ChannelState.OPEN:  # the peer may have closed it in the same breath
            channel.buffered_amount_low_threshold = MAX_BUFFERED // 2
            self._channel = channel
            self._opened()

    def _close(self, channel: DataChannel) -> None:
        if channel is self._channel:
            self.lose()

    def lose(self) -> None:
        """It is gone, with the peer connection perhaps; the client may open another one."""
        self._channel = None
        self._room.wake()

    def leave(self) -> None:
        """Whom it tells hears no more, and is not held: who holds this may be held by it."""
        self._opened, self._heard = _unheard, _unheard

    def send(self, text: str) -> bool:
        """Queue a text; false where there is no channel, no room for it, or the client takes only shorter ones."""
        channel = self._channel
        if channel is not None and self.is_open and channel.buffered_amount <= 2 * MAX_BUFFERED:
            with suppress(SendBufferFull, MessageTooLong):
                channel.send_text(text)
                return True
        return False

    async def wait_for_room(self) -> None:
        """As long as much is queued."""
        while (channel := self._channel) is not None and self.is_open and channel.buffered_amount > MAX_BUFFERED:
            await self._room.wait()


def _unheard(*_: str) -> None:
    pass
