"""Channels that stay open while the transport below is replaced, and perhaps the association with it.

Browsers replace it where the first section of a bundle is stopped (RFC 9143 §7.5.3). Chromium aborts the association
and begins another, in which what was agreed on for the channels holds without another DATA_CHANNEL_OPEN. Firefox goes
on with the one that there is. By RFC 8841 §9.3 it would have to end with its DTLS, but what the peer does decides.
"""

from typing import Final

from glottis.sctp.association import SctpAssociation
from glottis.sctp.channel_table import ChannelTable
from glottis.sctp.data_channel import ChannelState
from glottis.sctp.events import AssociationEnd, IncomingStreamsReset, MessageReceived
from glottis.wire.dcep import OPEN_ACK, ProtocolId
from glottis.wire.sctp import ChunkType

_VERIFICATION_TAG: Final = slice(4, 8)
_FIRST_CHUNK_TYPE: Final = 12


class Succession:
    """From the moment that another transport may come until it is known what association there is on it."""

    def __init__(self, association: SctpAssociation, channels: ChannelTable) -> None:
        self._association = association
        self._channels = channels
        self._is_awaited = False
        self._is_undecided = False
        """Whether the other transport is there, and nothing has come by it."""
        self._end: AssociationEnd | None = None
        """Of the association before."""

    def expect(self) -> None:
        """From now on the end of the association is none: what is sent waits for the next one."""
        self._is_awaited = True
        self._association.pause()

    def begin(self, now: float) -> None:
        """The other transport is there. Unless the association has ended, the peer decides whether it goes on."""
        self._is_undecided = self._end is None and not self._association.has_ended
        if self._is_undecided:
            self._association.resume()  # who has begun another takes nothing of this one, nor acknowledges any
        else:
            self._begin_another(now)

    def note_packet(self, packet: bytes, now: float) -> None:
        """Before the association takes one: on another transport an INIT begins another association."""
        if not self._is_undecided or len(packet) <= _FIRST_CHUNK_TYPE:
            return
        if packet[_FIRST_CHUNK_TYPE] == ChunkType.INIT:
            self._begin_another(now)
        elif packet[_FIRST_CHUNK_TYPE] != ChunkType.ABORT and self._association.is_addressed_by(
            packet[_VERIFICATION_TAG]
        ):
            self._decide()

    def note_end(self, now: float) -> None:
        """After the association has met something, which may have been its end."""
        if not self._is_awaited or not self._association.has_ended:
            return
        if self._is_undecided:
            self._begin_another(now)
        else:
            self._end = self._association.take_back_end() or self._end
            self._renew(now)

    def give_up(self) -> None:
        """There is no other transport: an end was one."""
        end = self._end
        self._decide()
        if end is not None:
            self._association.end(end)

    def restart(self) -> None:
        """Channels were given up, and there may be others: the next association takes over nothing."""
        self._decide()
        self._association.restart()

    def _begin_another(self, now: float) -> None:
        if self._end is None:
            self._association.take_back_end()
            self._renew(now)
        self._decide()
        self._association.connect(now)

    def _decide(self) -> None:
        self._is_awaited = self._is_undecided = False
        self._end = None
        self._association.settle()

    def _renew(self, now: float) -> None:
        association, channels = self._association, self._channels
        association.renew(now)
        for channel in channels:
            is_asked_for = channel.negotiated or association.stream_buffered_amount(channel.id)
            if channel.state is ChannelState.CONNECTING and not is_asked_for:
                # The peer has its DATA_CHANNEL_OPEN; who gets it again says nothing. Its answer may be lost.
                association.tell(MessageReceived(channel.id, ProtocolId.DCEP, OPEN_ACK))
        ours, theirs = channels.half_closed()
        for stream_id in ours:
            association.reset_stream(stream_id)
        if theirs:  # who has heard of our reset sends no more on them, and all that was sent has ended
            association.tell(IncomingStreamsReset(theirs))
