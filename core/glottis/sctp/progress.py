"""What has become of what was sent on data channels. It is told apart from what the peer sends.

Who waits for room to answer messages would wait for ever if word of it stood behind those that nobody takes meanwhile.
"""

from glottis.contracts.short_queue import ShortQueue
from glottis.sctp.association import SctpAssociation
from glottis.sctp.channel_table import ChannelTable
from glottis.sctp.data_channel import ChannelState, DataChannel
from glottis.sctp.events import BufferedAmountLow, EverythingAcknowledged, SendBufferDrained, StreamDrained


class SendingProgress:
    """Of the channels of one association."""

    def __init__(self, association: SctpAssociation, channels: ChannelTable) -> None:
        self._association = association
        self._channels = channels
        self._events: ShortQueue[BufferedAmountLow | EverythingAcknowledged] = ShortQueue()
        self._refused: dict[int, DataChannel] = {}
        """Channels that were to send when the send buffer was full."""

    def refused(self, channel: DataChannel) -> None:
        """There was no room in the send buffer: tell when there is."""
        self._refused[channel.id] = channel

    def next_event(self) -> BufferedAmountLow | EverythingAcknowledged | None:
        """The next thing to tell, if there is any."""
        while not self._events and (event := self._association.next_progress()) is not None:
            match event:
                case StreamDrained(stream_id):
                    self._handle_drained(self._channels.get(stream_id))
                case SendBufferDrained():
                    self._handle_send_buffer_drained()
                case EverythingAcknowledged():
                    self._events.append(event)
        return self._events.popleft() if self._events else None

    def _handle_drained(self, channel: DataChannel | None) -> None:
        if channel is not None and channel.traffic.messages_sent and channel.state is ChannelState.OPEN:
            self._events.append(BufferedAmountLow(channel))

    def _handle_send_buffer_drained(self) -> None:
        open_ones = [channel for channel in self._refused.values() if channel.state is ChannelState.OPEN]
        self._refused.clear()
        self._events.extend(map(BufferedAmountLow, open_ones))
