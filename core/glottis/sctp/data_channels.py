"""Data channels (RFC 8831, RFC 8832) over one association: same engine verbs, channels as values."""

import random
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Final

from glottis.contracts.errors import LocalError, Malformed, MessageTooLong
from glottis.contracts.moments import earliest
from glottis.contracts.short_queue import ShortQueue
from glottis.sctp.association import DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_PORT, SctpAssociation, SendBufferFull
from glottis.sctp.channel_table import ChannelTable, Direction
from glottis.sctp.data_channel import ChannelState, DataChannel
from glottis.sctp.early_messages import EarlyMessages
from glottis.sctp.events import (
    AssociationClosed,
    AssociationEstablished,
    AssociationFailed,
    ChannelClosed,
    ChannelOpened,
    DataChannelEvent,
    IncomingStreamsReset,
    MessageReceived,
    OutgoingStreamsReset,
    received,
)
from glottis.sctp.limits import DEFAULT_LIMITS, SctpLimits
from glottis.sctp.progress import SendingProgress
from glottis.sctp.succession import Succession
from glottis.sctp.traffic import Traffic
from glottis.wire.dcep import OPEN_ACK, UNSTATED_MAX_MESSAGE_SIZE, ChannelOpen, ProtocolId, parse_dcep_untrusted

_EVENTS_AHEAD: Final = 64
"""Events translated before the owner takes them; what is beyond waits in the association and shuts its window."""

_BYTES_AHEAD: Final = 64 * 1024
"""Of messages in them, likewise."""

_STEPS_AT_ONCE: Final = 16
"""Events of the association, or streams that one of them is about, that are handled in one go."""

_NO_STEP: Final = object()

_PATIENCE: Final = 3.0
"""Seconds that messages wait for their channel to be opened: about as long as a lost DATA_CHANNEL_OPEN takes."""


class DataChannels:
    """Owns the association; what a message or reset means for a channel is decided here."""

    def __init__(
        self,
        *,
        dtls_client: bool,
        rng: random.Random,
        local_port: int = DEFAULT_PORT,
        remote_port: int = DEFAULT_PORT,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        remote_max_message_size: int = UNSTATED_MAX_MESSAGE_SIZE,
        limits: SctpLimits = DEFAULT_LIMITS,
        zero_checksum: bool = True,
    ) -> None:
        """``dtls_client`` decides whose stream identifiers are even (RFC 8832 §6).

        The ports and ``remote_max_message_size`` (0: any size) come from the SDP; ``max_message_size`` is our own.
        """
        self.association = SctpAssociation(
            rng=rng,
            local_port=local_port,
            remote_port=remote_port,
            max_message_size=max_message_size,
            limits=limits,
            zero_checksum=zero_checksum,
        )
        self.traffic = Traffic()
        self._remote_max_message_size = remote_max_message_size
        self.table = ChannelTable(dtls_client=dtls_client, stream_count=limits.max_streams)
        self._early = EarlyMessages(self.association)
        self._progress = SendingProgress(self.association, self.table)
        self.succession = Succession(self.association, self.table)
        self._established = False
        self._now = 0.0
        self._events: ShortQueue[DataChannelEvent] = ShortQueue()
        self._bytes_ahead = 0
        """Bytes of messages in them, those included that the owner has taken since there were none."""
        self._steps: Iterator[None] | None = None
        """Does what is still to be done for the last event of the association, stream by stream."""
        self._is_behind = False
        """Whether more was to be done than is done in one go."""

    def connect(self, now: float) -> None:
        """Begin the handshake; in WebRTC both ends do."""
        self._now = now
        self.association.connect(now)

    def open(
        self,
        label: str,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_life_time_ms: int | None = None,
        protocol: str = "",
        priority: int = 256,
        negotiated_id: int | None = None,
    ) -> DataChannel:
        """Open a channel; ``ChannelOpened`` tells when it can be used. May be called before the association is up.

        Raises ``LocalError`` when both limits are set, a text is too long, the identifier is taken or none is left.
        """
        if max_retransmits is not None and max_packet_life_time_ms is not None:
            raise LocalError("a data channel takes max_retransmits or max_packet_life_time_ms, not both")
        if self.association.has_ended:
            raise LocalError("the association has ended")
        settings = ChannelOpen(label, protocol, ordered, max_retransmits, max_packet_life_time_ms, priority)
        message, table = settings.encode(), self.table
        channel_id = table.free_id(self._early) if negotiated_id is None else table.checked_id(negotiated_id)
        if negotiated_id is None:
            self.association.send(channel_id, ProtocolId.DCEP, message)
        channel = self._add(channel_id, settings, negotiated=negotiated_id is not None)
        if channel.negotiated and self._established:
            self._opened(channel)
        return channel

    def handle_datagram(self, data: bytes, now: float) -> None:
        """Take what one DTLS record held."""
        self._now = now
        self.succession.note_packet(data, now)
        self.association.handle_datagram(data, now)
        self.succession.note_end(now)
        self._translate()

    def handle_timeout(self, now: float) -> None:
        """Let due timers fire, and what was queued leave."""
        self._now = now
        self.association.handle_timeout(now)
        self.succession.note_end(now)
        for stream_id in self._early.overdue(now, _STEPS_AT_ONCE):
            self._refuse(stream_id)
        if self._is_behind:
            self._translate()

    def datagrams_to_send(self) -> list[bytes]:
        """Packets for DTLS, each to be sent as one record; each is returned once."""
        return self.association.datagrams_to_send()

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called; at once after anything was sent, opened or closed."""
        if self._is_behind:
            return self._now
        return earliest(self.association.next_timeout(), self._early.next_deadline())

    def tell_when_acknowledged(self) -> bool:
        """See ``SctpAssociation.tell_when_acknowledged``."""
        return self.association.tell_when_acknowledged()

    def next_event(self, *, wants_messages: bool = True) -> DataChannelEvent | None:
        """The next thing that happened; None also when more is left for the next turn, which is due at once then.

        What has become of what was sent comes first, and unless messages are wanted, alone.
        """
        if (progress := self._progress.next_event()) is not None or not wants_messages:
            return progress
        if not self._events and not self._is_behind:
            self._translate()
        if not self._events:
            return None
        event = self._events.popleft()
        if not self._events:
            self._bytes_ahead = 0
        return event

    def shutdown(self, now: float) -> None:
        """End in an orderly way once everything queued is acknowledged."""
        self.association.shutdown(now)

    def abort(self, reason: str) -> None:
        """End at once."""
        self.association.abort(reason)
        self._translate()

    def send(self, channel: DataChannel, protocol_id: ProtocolId, data: bytes) -> None:
        """For ``DataChannel``: queue a message."""
        if 0 < self._remote_max_message_size < len(data):
            raise MessageTooLong(
                f"the peer takes messages of at most {self._remote_max_message_size} bytes, not {len(data)}"
            )
        settings = channel.settings
        life_time = settings.max_packet_life_time_ms
        try:
            self.association.send(
                channel.id,
                protocol_id,
                data,
                unordered=not settings.ordered and channel.is_acknowledged,
                max_retransmits=settings.max_retransmits,
                max_life_time=None if life_time is None else life_time / 1000,
            )
        except SendBufferFull:
            self._progress.refused(channel)
            raise

    def close(self, channel: DataChannel) -> None:
        """For ``DataChannel``: begin to close (RFC 8831 §6.7)."""
        self._begin_close(channel, "closed by us", discard=False)

    def buffered_amount(self, channel: DataChannel) -> int:
        """For ``DataChannel``: bytes queued and not yet sent."""
        return self.association.stream_buffered_amount(channel.id)

    def configure(self, channel: DataChannel, low_threshold: int) -> None:
        """For ``DataChannel``: set when ``BufferedAmountLow`` tells."""
        self.association.configure_stream(channel.id, priority=channel.settings.priority, low_threshold=low_threshold)

    def _add(self, channel_id: int, settings: ChannelOpen, *, negotiated: bool) -> DataChannel:
        channel = DataChannel(self, channel_id, settings, negotiated=negotiated)
        self.table.add(channel)
        self.configure(channel, low_threshold=0)
        return channel

    def _opened(self, channel: DataChannel) -> None:
        self.table.open(channel)
        self._events.append(ChannelOpened(channel))
        self._early.release(channel.id)

    def _begin_close(self, channel: DataChannel, reason: str, *, discard: bool) -> None:
        self.table.begin_close(channel, reason)
        self.association.reset_stream(channel.id, discard=discard)

    def _closed(self, channel: DataChannel, reason: str) -> None:
        self.table.remove(channel)
        self._events.append(ChannelClosed(channel, reason))

    def _translate(self) -> None:
        """Handle what has happened: as far as the owner takes it, and not all in one go."""
        self._is_behind = False
        for _ in range(_STEPS_AT_ONCE):
            if len(self._events) >= _EVENTS_AHEAD or self._bytes_ahead >= _BYTES_AHEAD:
                return
            if self._steps is not None:
                if next(self._steps, _NO_STEP) is _NO_STEP:
                    self._steps = None
            elif (event := self._early.next_ready() or self.association.next_event()) is not None:
                _HANDLERS[type(event)](self, event)
            else:
                return
        self._is_behind = True

    def _handle_message(self, message: MessageReceived) -> None:
        stream_id = message.stream_id
        channel = self.table.get(stream_id)
        if self.table.is_renewed(stream_id):
            self._early.hold_back(message)  # until we hear that our own direction is reset
        elif message.protocol_id == ProtocolId.DCEP:
            self._handle_dcep(message, channel)
        elif channel is not None and channel.state is not ChannelState.CLOSING:
            # Data shows that the peer knows the channel: it stands for a lost acknowledgement.
            self._acknowledge(channel)
            self._deliver(channel, message.protocol_id, message.data)
        elif self.table.is_free(stream_id):
            # It has overtaken its DATA_CHANNEL_OPEN, or is for a channel that we are to open too (RFC 8831 §6.5).
            self._early.keep(message, self._now + _PATIENCE)

    def _deliver(self, channel: DataChannel, protocol_id: int, data: bytes) -> None:
        if protocol_id in (ProtocolId.STRING_EMPTY, ProtocolId.BINARY_EMPTY):
            data = b""
        try:
            event = received(channel, protocol_id, data)
        except UnicodeDecodeError:
            self._begin_close(channel, "the peer sent text that is not UTF-8", discard=True)
            return
        if event is None:
            return
        for traffic in (channel.traffic, self.traffic):
            traffic.count_received(len(data))
        self._bytes_ahead += len(data)
        self._events.append(event)

    def _handle_dcep(self, message: MessageReceived, channel: DataChannel | None) -> None:
        try:
            settings = parse_dcep_untrusted(message.data)
        except Malformed:
            self._reject(message.stream_id, channel, "the peer sent a malformed DCEP message")
            return
        if settings is not None:
            self._handle_open(message, settings)
        elif channel is not None:
            self._acknowledge(channel)

    def _handle_open(self, message: MessageReceived, settings: ChannelOpen) -> None:
        """RFC 8832 §6, but for the parity: some peers choose it by another role, and a free stream is free."""
        stream_id = message.stream_id
        self._half_close(stream_id, Direction.INCOMING)  # an OPEN shows that the peer has done with an earlier channel
        channel = self.table.get(stream_id)
        if self.table.is_closing(stream_id):
            self._early.hold_back(message)
        elif channel is None:
            self._accept(stream_id, settings)
        elif settings == channel.settings:
            self._acknowledge(channel)
        else:
            self._reject(stream_id, channel, "the peer opened a channel on a stream that is in use")

    def _accept(self, stream_id: int, settings: ChannelOpen) -> None:
        """RFC 8832 §6: acknowledge, and the channel can be used."""
        try:
            self.table.check_room(settings)
            self.association.send(stream_id, ProtocolId.DCEP, OPEN_ACK)
        except LocalError:  # no room, here or in the send buffer, or the association has ended meanwhile
            self._refuse(stream_id)
            return
        channel = self._add(stream_id, settings, negotiated=False)
        channel.is_acknowledged = True
        self._opened(channel)

    def _reject(self, stream_id: int, channel: DataChannel | None, reason: str) -> None:
        """Close what a stream carries because of what the peer sent there."""
        if channel is None:
            self._refuse(stream_id)
        elif channel.state is not ChannelState.CLOSING:
            self._begin_close(channel, reason, discard=True)

    def _refuse(self, stream_id: int) -> None:
        """There is no channel on this stream: the peer learns so by its reset."""
        self._early.drop(stream_id)
        if self.table.refuse(stream_id):
            self.association.reset_stream(stream_id)

    def _acknowledge(self, channel: DataChannel) -> None:
        channel.is_acknowledged = True
        if channel.state is ChannelState.CONNECTING:
            self._opened(channel)

    def _handle_established(self, event: AssociationEstablished) -> None:
        self._established = True
        self.table.stream_count = event.outbound_streams
        self._events.append(event)
        for channel in self.table:
            if channel.id >= event.outbound_streams:
                self._closed(channel, "the peer takes fewer streams")
            elif channel.negotiated and channel.state is ChannelState.CONNECTING:
                self._opened(channel)

    def _handle_incoming_reset(self, event: IncomingStreamsReset) -> None:
        """Only the streams that are in use need a step, however many the peer names."""
        used = {*self.table.in_use(), *self._early}
        reset = used.intersection(event.stream_ids) if event.stream_ids else used
        self._steps = map(self._handle_reset_of, sorted(reset))

    def _handle_reset_of(self, stream_id: int) -> None:
        """The peer sends no more on this stream (RFC 8831 §6.7)."""
        if stream_id in self._early:
            if self.table.is_renewed(stream_id):
                self._early.keep_reset(stream_id)
                return
            self._refuse(stream_id)
        channel = self.table.get(stream_id)
        if channel is not None and channel.state is not ChannelState.CLOSING:
            self._begin_close(channel, "closed by the peer", discard=True)
        self._half_close(stream_id, Direction.INCOMING)

    def _handle_outgoing_reset(self, event: OutgoingStreamsReset) -> None:
        if event.performed:
            self._steps = map(self._half_close, event.stream_ids, repeat(Direction.OUTGOING))
        else:
            self.table.spend(event.stream_ids)
            self._steps = map(self._close_without_reset, event.stream_ids)

    def _close_without_reset(self, stream_id: int) -> None:
        """The peer does not take our reset, nor will it reset its own direction."""
        self._half_close(stream_id, Direction.INCOMING)
        self._half_close(stream_id, Direction.OUTGOING)

    def _half_close(self, stream_id: int, direction: Direction) -> None:
        """One direction is reset; once a closing stream is free, what has come for its next channel has its turn."""
        if not self.table.note_reset(stream_id, direction):
            return
        channel = self.table.get(stream_id)
        if channel is not None:
            self._closed(channel, self.table.close_reason(channel))
        else:
            self.table.free(stream_id)
        self._early.release(stream_id)

    def _handle_end(self, event: AssociationClosed | AssociationFailed) -> None:
        self._early.clear()
        closing = map(self._closed, self.table, repeat(event.reason))
        self._steps = chain(closing, map(self._events.append, (event,)))


_HANDLERS: Final[dict[type, Callable[..., None]]] = {
    MessageReceived: DataChannels._handle_message,
    AssociationEstablished: DataChannels._handle_established,
    IncomingStreamsReset: DataChannels._handle_incoming_reset,
    OutgoingStreamsReset: DataChannels._handle_outgoing_reset,
    AssociationClosed: DataChannels._handle_end,
    AssociationFailed: DataChannels._handle_end,
}
