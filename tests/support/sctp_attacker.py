"""A peer of an established association that keeps to no rule."""

from contextlib import suppress
from typing import Any

from glottis.sctp import ChannelState, DataChannel, SendBufferFull
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


class Attacker:
    """Speaks for the client of an established pair, with the right tag and TSNs."""

    def __init__(self, pair: Any) -> None:
        self.pair = pair
        self.engine = pair.server
        self.association = pair.server.association
        tcb = pair.client.association._tcb
        self.tag = tcb.peer.tag
        self.reset_sequence = tcb.initial_tsn
        self.next_tsn = pair.client.association._outbound.last_assigned_tsn + 1

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

    def packet(self, *chunks: bytes) -> bytes:
        return encode_packet((5000, 5000, self.tag), chunks)

    def data(
        self,
        ahead: int,
        payload: bytes = b"x",
        flags: int = WHOLE_MESSAGE,
        stream: int = 0,
        sequence: int = 0,
        protocol_id: int = ProtocolId.BINARY,
    ) -> bytes:
        return encode_data(flags, ((self.next_tsn + ahead) & 0xFFFFFFFF, stream, sequence, protocol_id), payload)

    def open(self, ahead: int, stream: int, label: str = "", sequence: int = 0) -> bytes:
        return self.data(
            ahead, ChannelOpen(label).encode(), stream=stream, sequence=sequence, protocol_id=ProtocolId.DCEP
        )

    def forward_tsn(self, ahead: int, *skipped: tuple[int, int]) -> bytes:
        chunk = ForwardTsn((self.next_tsn + ahead) & 0xFFFFFFFF, skipped)
        return encode_chunk(ChunkType.FORWARD_TSN, chunk.encode())

    def reset(self, number: int, *stream_ids: int, last_ahead: int = -1) -> bytes:
        sequence, last_tsn = self.reset_sequence + number, self.next_tsn + last_ahead
        request = OutgoingReset(sequence & 0xFFFFFFFF, 0, last_tsn & 0xFFFFFFFF, stream_ids)
        return encode_chunk(ChunkType.RE_CONFIG, encode_parameters([request.to_parameter()]))

    def sack(self, ahead: int, *blocks: tuple[int, int], window: int = 1_000_000) -> bytes:
        """``ahead`` counts from what is acknowledged already."""
        chunk = Sack((self.association._outbound.cumulative_tsn + ahead) & 0xFFFFFFFF, window, blocks)
        return encode_chunk(ChunkType.SACK, chunk.encode())

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
