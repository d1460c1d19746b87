"""Peers of an established association that keep to no rule."""

from contextlib import suppress
from typing import Any

from glottis.sctp import ChannelState, DataChannel, SendBufferFull
from glottis.sctp.association import SctpAssociation
from glottis.sctp.serial import TSN_MASK
from glottis.wire.dcep import OPEN_ACK, ChannelOpen, ProtocolId
from glottis.wire.sctp import (
    WHOLE_MESSAGE,
    ChunkType,
    encode_chunk,
    encode_data,
    encode_packet,
    encode_parameters,
    parse_packet_untrusted,
)
from glottis.wire.sctp_chunks import ForwardTsn, OutgoingReset, Sack


class Forger:
    """Makes chunks in the name of one end, with the right tag and TSNs, and whatever else in them."""

    def __init__(self, end: SctpAssociation) -> None:
        tcb = end._tcb
        assert tcb.peer is not None
        self._ports = (tcb.local_port, tcb.remote_port)
        self.tag = tcb.peer.tag
        self._acknowledged = tcb.peer.initial_tsn - 1
        self.reset_sequence = tcb.initial_tsn
        self.next_tsn = end._outbound.last_assigned_tsn + 1

    @property
    def acknowledged(self) -> int:
        """The TSN up to which the other end knows that all has arrived: at the beginning, none."""
        return self._acknowledged

    def packet(self, *chunks: bytes) -> bytes:
        return encode_packet((*self._ports, self.tag), chunks)

    def data(
        self,
        ahead: int,
        payload: bytes = b"x",
        flags: int = WHOLE_MESSAGE,
        stream: int = 0,
        sequence: int = 0,
        protocol_id: int = ProtocolId.BINARY,
    ) -> bytes:
        return encode_data(flags, ((self.next_tsn + ahead) & TSN_MASK, stream, sequence, protocol_id), payload)

    def open(self, ahead: int, stream: int, label: str = "", sequence: int = 0) -> bytes:
        return self.data(
            ahead, ChannelOpen(label).encode(), stream=stream, sequence=sequence, protocol_id=ProtocolId.DCEP
        )

    def forward_tsn(self, ahead: int, *skipped: tuple[int, int]) -> bytes:
        chunk = ForwardTsn((self.next_tsn + ahead) & TSN_MASK, skipped)
        return encode_chunk(ChunkType.FORWARD_TSN, chunk.encode())

    def reset(self, number: int, *stream_ids: int, last_ahead: int = -1) -> bytes:
        sequence, last_tsn = self.reset_sequence + number, self.next_tsn + last_ahead
        request = OutgoingReset(sequence & TSN_MASK, 0, last_tsn & TSN_MASK, stream_ids)
        return encode_chunk(ChunkType.RE_CONFIG, encode_parameters([request.to_parameter()]))

    def sack(self, ahead: int, *blocks: tuple[int, int], window: int = 1_000_000) -> bytes:
        """``ahead`` counts from what is acknowledged already."""
        chunk = Sack((self.acknowledged + ahead) & TSN_MASK, window, blocks)
        return encode_chunk(ChunkType.SACK, chunk.encode())


class Attacker(Forger):
    """Speaks for the client of an established pair, and does with the server what no other client could."""

    def __init__(self, pair: Any) -> None:
        super().__init__(pair.client.association)
        self.pair = pair
        self.engine = pair.server
        self.association = pair.server.association

    @property
    def acknowledged(self) -> int:
        """Now."""
        acknowledged: int = self.association._outbound.cumulative_tsn
        return acknowledged

    def send(self, *chunks: bytes) -> list[tuple[int, bytes]]:
        """The chunks that the server answers with."""
        answers = []
        for packet in self.hit(self.packet(*chunks)):
            _, spans = parse_packet_untrusted(packet, zero_checksum_accepted=True)
            answers += [(chunk_type, packet[start:end]) for chunk_type, _, start, end in spans]
        return answers

    def hit(self, packet: bytes) -> list[bytes]:
        """All that a datagram sets off at once."""
        self.engine.handle_datagram(packet, self.pair.now)
        packets: list[bytes] = self.engine.datagrams_to_send()
        return packets

    def held(self) -> int:
        held: int = self.association._inbound._held()
        return held

    def settle(self) -> None:
        """Let all that is due be done, and every event be taken."""
        now = self.pair.now
        while self.engine.next_event() is not None or (self.engine.next_timeout() or now + 1) <= now:
            self.engine.handle_timeout(now)
            self.engine.datagrams_to_send()

    def acknowledge_all(self) -> None:
        outbound = self.association._outbound
        while outbound.held:
            self.hit(self.packet(self.sack(outbound.last_assigned_tsn - outbound.cumulative_tsn)))
            self.settle()

    def open_channels(self, count: int) -> None:
        """Open a channel on each of the first streams."""
        for stream in range(min(count, self.association._limits.max_streams)):
            self.hit(self.packet(self.open(0, stream)))
            self.next_tsn += 1
            self.settle()
        self.acknowledge_all()

    def accept_channel(self, **settings: Any) -> DataChannel:
        """Let the server open a channel."""
        channel: DataChannel = self.engine.open("ours", **settings)
        self.settle()
        self.acknowledge_all()
        self.hit(self.packet(self.data(0, OPEN_ACK, stream=channel.id, protocol_id=ProtocolId.DCEP)))
        self.next_tsn += 1
        self.settle()
        assert channel.state is ChannelState.OPEN
        return channel

    def let_send(self, channel: DataChannel, count: int, size: int = 1) -> None:
        """Let the server send messages, as many as it may."""
        with suppress(SendBufferFull):
            for _ in range(count):
                channel.send_bytes(bytes(size))

    def leave_outstanding(self, count: int, size: int = 1, **settings: Any) -> int:
        """Acknowledge nothing of many chunks; how many there are."""
        channel = self.accept_channel(**settings)
        self.association._outbound._window.size = 1024 * 1024
        self.let_send(channel, count, size)
        for _ in range(300):
            self.hit(self.packet(self.sack(0)))
            self.settle()
        return len(self.association._outbound._outstanding)
