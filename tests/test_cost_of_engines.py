"""What a datagram costs an engine that holds as much as it ever does.

SCTP, whose state is the largest, has its own in ``tests/sctp``.
"""

import random
from collections.abc import Callable
from itertools import count

import pytest
from glottis.contracts.codec import EncoderSettings
from glottis.dtls import Certificate, DtlsTransport
from glottis.ice import IceAgent
from glottis.media.demultiplexer import Demultiplexer
from glottis.rtp import (
    AudioReceiver,
    AudioSender,
    Feedback,
    PlainReader,
    PlainWriter,
    PlayoutStatistics,
    RedReader,
    RtpSession,
)
from glottis.sdp.candidate import Candidate
from glottis.testing.peers import CALLER, GATEWAY, VirtualCall
from glottis.wire.address import Address, Path
from glottis.wire.crc32c import crc32c
from glottis.wire.dtls_record import RECORD_HEADER_LENGTH
from glottis.wire.red import RedBlock, build_red
from glottis.wire.rtcp import (
    MAX_COMPOUND_LENGTH,
    MAX_COUNT,
    ExtendedReport,
    Goodbye,
    MaximumBitrate,
    Nack,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    TransportFeedback,
    build_rtcp,
)
from glottis.wire.rtp import build_rtp
from glottis.wire.rtp_extensions import ExtensionIds, build_extensions
from glottis.wire.stun import Attribute, MessageClass, build_stun
from support.cost import OPERATIONS_PER_MS, operations
from support.installed import installed_plugins

pytestmark = pytest.mark.slow

PCMU = installed_plugins().codecs.find("PCMU").spec
OURS, THEIRS = 1, 2
RED = 63
TRANSACTION_IDS = (number.to_bytes(12) for number in count())


class Unprotected:
    """Packets as they are."""

    retired_sources = 0

    def protect(self, packet: bytes) -> bytes:
        return packet

    def unprotect_untrusted(self, data: bytes, now: float) -> bytes:
        return data

    protect_rtcp = protect
    unprotect_rtcp_untrusted = unprotect_untrusted


# Audio


def audio_session() -> RtpSession:
    session = RtpSession(
        ssrc=OURS,
        cname="gateway",
        rng=random.Random(1),
        wallclock_offset=lambda: 0.0,
        receiver=AudioReceiver(
            {0: PlainReader(PCMU), RED: RedReader({0: PlainReader(PCMU)}, PlayoutStatistics())}, sample_rate=8000
        ),
        sender=AudioSender(
            ssrc=OURS,
            writer=PlainWriter(0),
            codec=PCMU,
            encoder=PCMU.create_encoder(EncoderSettings(sample_rate=8000)),
            sample_rate=8000,
            rng=random.Random(1),
        ),
    )
    session.set_feedback(Feedback(True, True, True, True), ExtensionIds(1, 2, 3, 4), "0", 0.0)
    session.start(Unprotected(), 0.0)
    return session


def audio(number: int, *, ssrc: int = THEIRS, payload_type: int = 0, size: int = 160) -> bytes:
    return build_rtp(payload_type, number & 0xFFFF, number * size & 0xFFFFFFFF, ssrc, bytes(size))


def full_audio_session() -> RtpSession:
    """A buffer of gaps, strangers' sources, numbers of packets without audio, and events that nobody takes."""
    session = audio_session()
    for number in range(0, 600, 2):
        session.handle_datagram(audio(number, size=80), 0.1)
        session.handle_datagram(audio(number + 1, payload_type=101, size=80), 0.1)
    for ssrc in range(100, 200):
        session.handle_datagram(audio(7, ssrc=ssrc), 0.1)
    for _ in range(40):
        session.handle_datagram(reports(MAX_COUNT), 0.1)
    assert session.sender is not None
    session.sender.write(bytes(320 * 600))
    for tick in range(600):
        session.packets_to_send(tick * 0.02)
    receiver_of(session).next_frame(0.2)
    return session


def receiver_of(session: RtpSession) -> AudioReceiver:
    assert session.receiver is not None
    return session.receiver


def reports(count: int, packets: int = 1) -> bytes:
    """Of so many blocks, each about our stream."""
    blocks = tuple(ReportBlock(OURS, 0.5, 3, number, 5, 6, 7) for number in range(count))
    return build_rtcp([ReceiverReport(THEIRS, blocks)] * packets)


def filled(packet: RtcpPacket) -> bytes:
    """A compound packet with as many of these as there is room for."""
    one = build_rtcp([packet])
    return one * (MAX_COMPOUND_LENGTH // len(one))


def redundant(number: int, blocks: int) -> bytes:
    """An audio packet with those before it, as they are in a buffer of gaps."""
    older = [RedBlock(0, distance * 80, bytes(80)) for distance in range(blocks, 0, -1)]
    return build_rtp(RED, number, number * 80, THEIRS, build_red(older, 0, bytes(80)))


EXTENSIONS = build_extensions([(2, b"a"), (4, b"ab"), (1, b"mid")])
MANY_EXTENSIONS = build_extensions([(1 + number % 14, b"ab") for number in range(400)])
AUDIO = {
    "reports of 31 blocks": reports(MAX_COUNT, packets=1),
    "reports of one block": filled(ReceiverReport(THEIRS, (ReportBlock(OURS, 0.5, 3, 4, 5, 6, 7),))),
    "empty sender reports": filled(SenderReport(THEIRS, 1, 2, 3, 4)),
    "goodbyes of 31 sources": filled(Goodbye((THEIRS,) * MAX_COUNT)),
    "goodbyes of one source": filled(Goodbye((THEIRS,))),
    "requests for many packets": filled(Nack(THEIRS, OURS, tuple((number * 17, 0xFFFF) for number in range(16)))),
    "requests for all packets": filled(Nack(THEIRS, OURS, tuple((number * 17, 0xFFFF) for number in range(300)))),
    "feedback about many packets": filled(TransportFeedback(THEIRS, OURS, 500, 0, 1, tuple(range(100)))),
    "feedback about lost packets": filled(TransportFeedback(THEIRS, OURS, 500, 0, 1, (*[None] * 99, 1))),
    "bitrates": filled(MaximumBitrate(THEIRS, 1 << 80, (OURS,))),
    "extended reports": filled(ExtendedReport(THEIRS, 1)),
    "an audio packet with extensions": build_rtp(0, 601, 96160, THEIRS, bytes(160), False, EXTENSIONS),
    "an audio packet with many extensions": build_rtp(0, 601, 96160, THEIRS, bytes(160), False, MANY_EXTENSIONS),
    "an audio packet in order": audio(601),
    "an audio packet out of order": audio(301),
    "one of the oldest audio packets": audio(351),
    "a new timeline": audio(30_000),
    "another source": audio(8, ssrc=199),
    "a source never heard": audio(8, ssrc=999),
    "redundant audio in order": redundant(601, 8),
    "redundant audio out of order": redundant(451, 8),
    "the most redundant audio": redundant(601, 15),
    "no audio": audio(601, payload_type=101),
    "the longest audio packet": audio(601, size=1400),
}


@pytest.mark.parametrize("name", AUDIO)
def test_a_packet_of_media_costs_the_same_however_much_is_held(name: str) -> None:
    full, fresh = full_audio_session(), audio_session()
    fresh.handle_datagram(audio(600), 0.1)
    cost = operations(full.handle_datagram, AUDIO[name], 0.3)
    assert cost <= OPERATIONS_PER_MS
    assert cost <= 2 * operations(fresh.handle_datagram, AUDIO[name], 0.3) + 3_000


def test_a_media_tick_with_a_full_buffer_costs_little() -> None:
    receiver = receiver_of(full_audio_session())
    for tick in range(20):
        assert operations(receiver.next_frame, 0.3 + tick * 0.02) <= OPERATIONS_PER_MS / 4


# DTLS


@pytest.fixture(scope="module")
def certificates() -> tuple[Certificate, Certificate]:
    return Certificate.generate(), Certificate.generate()


def record(content_type: int, fragment: bytes, *, epoch: int = 0, number: int = 7) -> bytes:
    header = bytes([content_type, 0xFE, 0xFD]) + epoch.to_bytes(2) + number.to_bytes(6)
    return header + len(fragment).to_bytes(2) + fragment


def fragment(message_type: int, message_seq: int, body: bytes = b"", length: int = 60_000, offset: int = 0) -> bytes:
    fields = (message_seq.to_bytes(2), offset.to_bytes(3), len(body).to_bytes(3), body)
    return bytes([message_type]) + length.to_bytes(3) + b"".join(fields)


def repeated(unit: bytes, size: int = 2048) -> bytes:
    return unit * (size // len(unit))


RECORDS = {
    "empty records": repeated(record(23, b""))[: 64 * 13],
    "alerts": repeated(record(21, b"\2\x28"), 64 * 15),
    "changes of cipher": repeated(record(20, b"\1"), 64 * 14),
    "pieces of hellos": record(22, repeated(fragment(1, 0), 2000)),
    "pieces of a hello": record(22, b"".join(fragment(1, 0, b"x", offset=place) for place in range(150))),
    "pieces in records of their own": repeated(record(22, fragment(1, 0))),
    "pieces of what is not due": record(22, repeated(fragment(11, 1), 2000)),
    "protected records": repeated(record(23, bytes(24), epoch=1), 64 * 37),
    "protected handshakes": repeated(record(22, bytes(24), epoch=1), 64 * 37),
    "protected alerts": repeated(record(21, bytes(18), epoch=1), 64 * 31),
}


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("name", RECORDS)
def test_a_datagram_of_dtls_costs_little(
    name: str, connected: bool, certificates: tuple[Certificate, Certificate]
) -> None:
    transport = dtls_server(certificates, connected=connected)
    for attempt in range(3):
        assert operations(transport.handle_datagram, RECORDS[name], 1.0 + attempt) <= OPERATIONS_PER_MS
        assert operations(transport.datagrams_to_send) <= OPERATIONS_PER_MS / 10


def dtls_server(certificates: tuple[Certificate, Certificate], *, connected: bool) -> DtlsTransport:
    client = DtlsTransport(certificate=certificates[0], client=True)
    server = DtlsTransport(certificate=certificates[1], client=False)
    client.set_remote_fingerprints([certificates[1].fingerprint])
    server.set_remote_fingerprints([certificates[0].fingerprint])
    for end in (client, server):
        end.start(0.0)
    for _ in range(4 if connected else 0):
        for one, other in ((client, server), (server, client)):
            for data in one.datagrams_to_send():
                other.handle_datagram(data, 0.0)
    return server


# ICE

PACE = 0.05
"""Seconds between checks of an agent's own (RFC 8445 §14.2)."""
PATHS = [Path(GATEWAY, Address(f"198.51.100.{number}", 1024)) for number in range(1, 41)]
FULL_AT = 300 * PACE


def full_agent() -> tuple[IceAgent, Callable[..., bytes]]:
    """An agent with all pairs and transactions that it can have, and what makes checks for it."""
    agent = IceAgent(controlling=True, rng=random.Random(1))
    for port in range(2):
        agent.add_local_candidate(Address(GATEWAY.host, GATEWAY.port + port))
    agent.set_remote_parameters("peer", "p" * 22, now=0.0)
    for number in range(16):
        host = f"203.0.113.{number + 1}"
        agent.add_remote_candidates([Candidate(f"{number}", 1, "udp", number + 1, host, 4000, "host")], 0.0)

    def check(size: int = 0, **changes: int) -> bytes:
        attributes = [
            (Attribute.USERNAME, f"{agent.local_ufrag}:peer".encode()),
            (Attribute.PRIORITY, (1).to_bytes(4)),
            (Attribute.ICE_CONTROLLED, bytes(8)),
            *[(changes.get("filler", 0xFFFF), b"")] * (size // 4),
        ]
        return build_stun(MessageClass.REQUEST, next(TRANSACTION_IDS), attributes, key=agent.local_pwd.encode())

    for turn in range(300):  # six seconds of checks by forty paths, each of which is checked in return
        agent.handle_datagram(check(), PATHS[turn % len(PATHS)], turn * PACE)
        agent.handle_timeout(turn * PACE)
        agent.datagrams_to_send()
    return agent, check


@pytest.mark.parametrize("size", [0, 1800])
def test_a_check_costs_an_agent_little_that_has_all_it_can_have(size: int) -> None:
    agent, check = full_agent()
    known, new = PATHS[0], Path(GATEWAY, Address("203.0.113.99", 9))
    for path in (known, new, known._replace(local=Address("192.0.2.99", 1))):
        for filler in (0xFFFF, 0x7FFF):
            assert operations(agent.handle_datagram, check(size, filler=filler), path, FULL_AT) <= OPERATIONS_PER_MS
            assert operations(agent.handle_timeout, FULL_AT) <= OPERATIONS_PER_MS
            assert operations(agent.datagrams_to_send) <= OPERATIONS_PER_MS / 10
            assert operations(agent.handle_traffic, path, FULL_AT) <= OPERATIONS_PER_MS / 4


def test_retransmissions_of_all_transactions_cost_little() -> None:
    agent, _ = full_agent()
    for turn in range(20):
        assert operations(agent.handle_timeout, FULL_AT + turn) <= OPERATIONS_PER_MS
        assert operations(agent.datagrams_to_send) <= OPERATIONS_PER_MS / 10


# The socket


class Owner:
    def receive(self, data: bytes, path: Path) -> None:
        pass

    def refuse(self) -> None:
        raise AssertionError


STRAY = {
    "empty": b"",
    "a request of nobody": build_stun(MessageClass.REQUEST, bytes(12), [(Attribute.USERNAME, b"nobody:peer")]),
    "a request without a name": b"\0\1\7\xe8\x21\x12\xa4\x42" + bytes(12) + b"\xff\xff\0\0" * 506,
    "a response of nobody": build_stun(MessageClass.SUCCESS, bytes(12), []),
    "media of nobody": audio(1),
    "a turn channel": b"\x40" + bytes(2000),
}


@pytest.mark.parametrize("name", STRAY)
def test_what_belongs_to_nobody_costs_the_same_however_many_calls_there_are(name: str) -> None:
    costs = []
    for calls in (1, 2_000):
        table = Demultiplexer()
        for number in range(calls):
            owner = Owner()
            table.add_ufrag(f"ufrag{number}", owner)
            table.add_path(Path(GATEWAY, Address("203.0.113.1", number + 1)), owner, proven=True)
        costs.append(operations(table.dispatch, STRAY[name], (GATEWAY, ("203.0.113.2", 9), "udp")))
    assert costs[1] == costs[0] <= OPERATIONS_PER_MS / 2


# A whole call


def test_a_datagram_costs_a_whole_call_little() -> None:
    call = VirtualCall([PCMU])
    assert call.connect()
    connection, path, now = call.gateway.connection, Path(GATEWAY, CALLER), call.network.now
    for datagrams in (AUDIO, RECORDS, STRAY):
        for data in filter(None, datagrams.values()):
            assert operations(connection.handle_datagram, data, path, now) <= OPERATIONS_PER_MS
            assert operations(connection.datagrams_to_send) <= OPERATIONS_PER_MS / 4
            assert operations(connection.next_event) <= OPERATIONS_PER_MS / 10
    assert operations(connection.statistics, now) <= 2 * OPERATIONS_PER_MS


CHUNKS = {
    "acknowledgements of a cookie": b"\x0b\0\0\4",
    "heartbeats": b"\4\0\0\x08\0\1\0\4",
    "acknowledgements": b"\3\0\0\x10" + bytes(4) + b"\0\1\0\0" + bytes(4),
    "unknown chunks": b"\xc1\0\0\4",
    "data": b"\0\3\0\x14\0\x10\0\0" + bytes(7) + b"\x33text",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_a_datagram_of_many_records_with_a_packet_of_sctp_each_costs_little(name: str) -> None:
    call = VirtualCall([PCMU])
    assert call.connect()
    caller, gateway = call.caller.connection, call.gateway.connection
    handshake, channels = caller.transport.dtls._handshake, caller.channels
    assert handshake is not None
    assert channels is not None
    channels.association.abort("to see the tag")
    header = channels.datagrams_to_send()[0][:8]
    packet = with_checksum(header, CHUNKS[name])
    datagram = b""
    while len(datagram) < 2048 - RECORD_HEADER_LENGTH - 24 - len(packet):
        handshake.connection.send(packet)
        datagram += b"".join(record.data for record in handshake.connection.take_records())
    assert operations(gateway.handle_datagram, datagram, Path(GATEWAY, CALLER), call.network.now) <= OPERATIONS_PER_MS
    assert operations(gateway.datagrams_to_send) <= OPERATIONS_PER_MS / 4


def with_checksum(header: bytes, chunk: bytes) -> bytes:
    checksum = crc32c(header + bytes(4) + chunk).to_bytes(4, "little")
    return header + checksum + chunk
