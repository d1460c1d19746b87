"""What strangers and hostile callers send to the UDP port of a running gateway, and what it must not do to a call."""

import logging
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import trio
from glottis.ice import IceTransport
from glottis.media.demultiplexer import MAX_PATHS, MAX_TRANSACTIONS
from glottis.media.endpoint import UdpEndpoint
from glottis.media.link import Sender
from glottis.media.udp_link import open_udp_socket
from glottis.sctp import ChannelOpened, TextReceived
from glottis.server.gateway import Gateway
from glottis.signaling.messages import TrickledCandidate
from glottis.wire.address import Address, Datagram
from glottis.wire.demux import PacketKind, classify
from glottis.wire.rtp import build_rtp
from glottis.wire.stun import Attribute, MessageClass, build_stun, encode_xor_address
from support.gateway import open_test_gateway
from support.memory import MEDIA, MemoryNetwork, open_memory_exchange
from support.phone import CONNECTED, Exchange, Phone, eventually, gateway_address, open_exchange, protection, webrtc_leg
from trio.testing import MockClock

VECTORS = Path(__file__).parents[1] / "vectors"


class Stranger:
    """A UDP socket that no session has authenticated."""

    def __init__(self, gateway: Gateway) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.target = gateway_address(gateway)
        self.sent: list[bytes] = []

    def send(self, *datagrams: bytes) -> None:
        for data in datagrams:
            self.socket.sendto(data, self.target)
            self.sent.append(data)

    def received(self) -> list[bytes]:
        datagrams = []
        try:
            while True:
                datagrams.append(self.socket.recv(65536))
        except BlockingIOError:
            return datagrams

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
async def exchange(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Exchange]:
    async with open_test_gateway(tmp_path) as gateway, open_exchange(gateway) as exchange:
        yield exchange
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def stranger(exchange: Exchange) -> Iterator[Stranger]:
    stranger = Stranger(exchange.gateway)
    yield stranger
    stranger.close()


def ice_of(exchange: Exchange, phone: Phone) -> IceTransport:
    """The gateway's ICE agent of this phone's session."""
    return webrtc_leg(exchange.gateway.sessions.find(phone.session_id)).peer.transport.ice


def udp_endpoint(gateway: Gateway) -> UdpEndpoint:
    assert isinstance(gateway.endpoint, UdpEndpoint)
    return gateway.endpoint


def tables(gateway: Gateway) -> tuple[int, ...]:
    """The sizes of everything that the demultiplexer keeps."""
    demultiplexer = udp_endpoint(gateway).demultiplexer
    return tuple(
        len(table)
        for table in (demultiplexer, demultiplexer._by_ufrag, demultiplexer._by_path, demultiplexer._by_transaction)
    )


CLIENT_HELLO = (VECTORS / "dtls" / "es2023-01-clienthello-null-cipher.bin").read_bytes()
ALERTS = [bytes.fromhex(f"15fefd0000000000000000{number:02x}0002{level:02x}{what:02x}")
          for number, level, what in ((0, 2, 40), (1, 1, 0), (2, 2, 80))]  # fmt: skip
ODD = [
    b"",
    b"\x00",
    b"\x80",
    bytes([128]) + bytes(1500),
    bytes([128, 0]) + bytes(1999),
    bytes([200]) * 1472,
    bytes([63]) * 100,
    bytes([20]) * 1400,
    bytes([70]) * 100,
    b"\xff" * 2047,
]
NOISE = [CLIENT_HELLO, *ALERTS, *ODD, *(file.read_bytes() for file in sorted((VECTORS / "dtls").glob("pion-*")))]


async def test_what_strangers_send_is_dropped_without_an_answer(exchange: Exchange, stranger: Stranger) -> None:
    phone = await exchange.call()
    before = tables(exchange.gateway)
    for data in NOISE:
        stranger.send(data)
    await phone.hear(5)
    assert stranger.received() == []
    assert tables(exchange.gateway) == before


async def test_a_strangers_hello_and_alerts_cannot_end_a_handshake(exchange: Exchange, stranger: Stranger) -> None:
    phone = exchange.phone()
    held: list[bytes] = []

    def hold_dtls(data: bytes) -> bool:
        if is_dtls := classify(data) is PacketKind.DTLS:
            held.append(data)
        return not is_dtls

    phone.cable.lets_out = hold_dtls
    await phone.create()
    await phone.open_socket()
    await phone.send_offer()
    await phone.take_answer()
    await eventually(lambda: held)
    stranger.send(*NOISE)
    await eventually(lambda: len(held) > 1)
    phone.cable.lets_out = lambda data: True
    await eventually(lambda: CONNECTED in phone.events)
    await phone.hear()
    assert stranger.received() == []


async def test_noise_from_the_callers_own_address_cannot_end_a_call_either(exchange: Exchange) -> None:
    phone = await exchange.call()
    for data in NOISE:
        phone.send_raw(data)
    await phone.hear(5)
    assert phone.socket.closed is None


@pytest.mark.slow
async def test_50_000_datagrams_of_a_stranger_cost_neither_memory_nor_the_call(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """On virtual time: else it depends on the machine how many of them are read."""
    async with open_memory_exchange(tmp_path) as exchange:
        network = exchange.network
        assert isinstance(network, MemoryNetwork)
        stranger = network.open_endpoint()
        answers: list[bytes] = []
        stranger.watch(answers.append)
        phone = await exchange.call()
        await phone.hear()
        before, rng = tables(exchange.gateway), random.Random(5)
        junk = [rng.randbytes(rng.randrange(1, 200)) for _ in range(100)]
        demultiplexer = network.gateway.demultiplexer
        dropped = demultiplexer.dropped
        for _ in range(500):
            for data in junk:
                network.carry(data, stranger.public, MEDIA)
            await trio.sleep(0.001)
        await phone.hear(5)
        assert demultiplexer.dropped - dropped > 10_000
        assert tables(exchange.gateway) == before
        assert answers == []


async def test_forged_checks_get_nothing_larger_back_and_change_nothing(exchange: Exchange, stranger: Stranger) -> None:
    phone = await exchange.call()
    ice = ice_of(exchange, phone)
    before, path = tables(exchange.gateway), ice.selected_path
    username = f"{ice.local_ufrag}:{phone.peer.local_ufrags[0]}".encode()
    name, priority = (Attribute.USERNAME, username), (Attribute.PRIORITY, bytes(4))
    role, nominate = (Attribute.ICE_CONTROLLING, bytes(8)), (Attribute.USE_CANDIDATE, b"")
    wrong, right = b"not the password", ice.local_pwd.encode()
    checks = [
        build_stun(MessageClass.REQUEST, b"transaction0", [name, priority, role, nominate]),
        build_stun(MessageClass.REQUEST, b"transaction1", [name, priority, role, nominate], key=wrong),
        build_stun(MessageClass.REQUEST, b"transaction2", [name]),
        build_stun(MessageClass.REQUEST, b"transaction3", [name, role], key=right),
        build_stun(MessageClass.REQUEST, b"transaction4", [name, priority, role, (0x7FFF, b"")], key=right),
        build_stun(MessageClass.REQUEST, b"transaction5", [(Attribute.USERNAME, b"nobody:x"), priority], key=wrong),
        build_stun(MessageClass.REQUEST, b"transaction6", [name, priority, role], key=right)[:-1],
        build_stun(MessageClass.REQUEST, b"transaction7", [name], method=3, key=right),
        build_stun(MessageClass.INDICATION, b"transaction8", [name], key=wrong),
    ]
    stranger.send(*checks)
    await phone.hear(5)
    for answer in stranger.received():
        (question,) = [check for check in checks if check[8:20] == answer[8:20]]
        assert len(answer) <= len(question)
        assert MessageClass(int.from_bytes(answer[:2]) & 0x110) is MessageClass.ERROR
    assert tables(exchange.gateway) == before
    assert ice.selected_path == path


async def test_spoofed_responses_are_dropped(exchange: Exchange, stranger: Stranger) -> None:
    phone = await exchange.call()
    ice = ice_of(exchange, phone)
    before, path = tables(exchange.gateway), ice.selected_path
    for index in range(1000):
        transaction = index.to_bytes(12)
        mapped = (Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(Address("203.0.113.9", 9), transaction))
        stranger.send(build_stun(MessageClass.SUCCESS, transaction, [mapped]))
        stranger.send(build_stun(MessageClass.ERROR, transaction, [(Attribute.ERROR_CODE, bytes((0, 0, 4, 87)))]))
    await phone.hear(5)
    assert stranger.received() == []
    assert (tables(exchange.gateway), ice.selected_path) == (before, path)


async def test_checks_from_many_addresses_take_a_bounded_number_of_places(exchange: Exchange) -> None:
    phone = await exchange.call()
    ice = ice_of(exchange, phone)
    username = (Attribute.USERNAME, f"{ice.local_ufrag}:{phone.peer.local_ufrags[0]}".encode())
    attributes = [username, (Attribute.PRIORITY, bytes(4)), (Attribute.ICE_CONTROLLING, bytes([255] * 8))]
    strangers = [Stranger(exchange.gateway) for _ in range(100)]
    for index, stranger in enumerate(strangers):
        stranger.send(build_stun(MessageClass.REQUEST, index.to_bytes(12), attributes, key=ice.local_pwd.encode()))
    await phone.hear(5)
    sessions, ufrags, remotes, transactions = tables(exchange.gateway)
    assert (sessions, ufrags) == (1, 1)
    assert remotes <= MAX_PATHS
    assert transactions <= MAX_TRANSACTIONS
    for stranger in strangers:
        stranger.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("127.0.0.1", 32),
        ("203.0.113.9", 32),
        *[(host, 0) for host in ("0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.1.1", "evil.example", "::1")],
    ],
)
async def test_candidates_aimed_elsewhere_draw_few_datagrams_or_none(address: str, most: int, tmp_path: Path) -> None:
    endpoint = Aimed([open_udp_socket("127.0.0.1", 0)])
    with endpoint:
        async with open_test_gateway(tmp_path, endpoint=endpoint) as gateway, open_exchange(gateway) as exchange:
            phone = exchange.phone()
            endpoint.own = phone.endpoint.addresses[0]
            await phone.create()
            await phone.open_socket()
            for index in range(100):
                await phone.socket.send(aimed_at(address, 10000 + index))
            await phone.negotiate()
            for index in range(200):
                await phone.socket.send(aimed_at(address, 20000 + index))
            await phone.hear(10)
            assert phone.socket.closed is None
    assert len(endpoint.elsewhere) <= most
    assert sum(endpoint.elsewhere.values()) <= most * 8


class Aimed(UdpEndpoint):
    """From which only what is for the caller's ``own`` address leaves, for nobody has the others."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        super().__init__(sockets)
        self.own = Address("", 0)
        self.elsewhere: Counter[Address] = Counter()

    def send(self, datagram: Datagram, sender: Sender) -> None:
        if datagram.path.remote == self.own:
            super().send(datagram, sender)
        else:
            self.elsewhere[datagram.path.remote] += 1


def aimed_at(address: str, port: int) -> TrickledCandidate:
    return TrickledCandidate(f"candidate:1 1 udp 2130706431 {address} {port} typ host", "0", 0)


async def test_an_ssrc_per_packet_of_the_caller_is_bounded(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        phone = await exchange.call()
        await phone.hear()
        for ssrc in range(1000):
            phone.send_raw(protection(phone).protect(build_rtp(0, 1, 160, ssrc, bytes(160))))
        await phone.hear(5)
        leg = webrtc_leg(exchange.gateway.sessions.find(phone.session_id))
        # Who sends so much at once is not served all of it.
        assert leg.statistics(trio.current_time()).counters.sources_retired > 50


async def test_rtp_of_the_caller_with_any_content_ends_nothing(exchange: Exchange) -> None:
    phone = await exchange.call()
    await phone.hear()
    rng, ssrc = random.Random(6), 0x1234567
    for number in range(300):
        first, second = 0x80 | rng.randrange(64), rng.randrange(256)
        header = bytes((first, second)) + number.to_bytes(2) + rng.randbytes(4) + ssrc.to_bytes(4)
        try:
            packet = protection(phone).protect(header + rng.randbytes(rng.randrange(400)))
        except Exception:  # libsrtp's own sender does not take everything
            continue
        if not 64 <= packet[1] & 0x7F < 96:
            phone.send_raw(packet)
    await phone.hear(5)
    assert phone.socket.closed is None


async def test_rtcp_junk_of_the_caller_ends_nothing(exchange: Exchange) -> None:
    phone = await exchange.call()
    await phone.hear()
    rng = random.Random(7)
    corpus = [file.read_bytes() for file in sorted((VECTORS / "rtcp").glob("*.bin"))]
    for data in [
        *corpus,
        *(bytes((0x80 | rng.randrange(32), 200 + rng.randrange(8))) + rng.randbytes(60) for _ in corpus),
    ]:
        if len(data) >= 8 and 192 <= data[1] < 224:
            phone.send_raw(protection(phone).protect_rtcp(data[:1300]))
    await phone.hear(5)
    assert phone.socket.closed is None


async def test_sctp_junk_of_the_caller_ends_nothing_but_its_channels(exchange: Exchange) -> None:
    phone = await exchange.call()
    dtls = phone.peer.transport.dtls
    for file in sorted((VECTORS / "sctp").glob("*.bin")):
        dtls.send(file.read_bytes()[:1100] or b"\x00")
        phone.driver.pump()
    await phone.hear(5)
    assert phone.socket.closed is None


async def test_text_by_data_channel_is_echoed_in_the_middle_of_all_this(exchange: Exchange, stranger: Stranger) -> None:
    phone = await exchange.call()
    assert phone.peer.channels
    channel = phone.peer.channels.open("chat")
    phone.driver.pump()
    await eventually(lambda: ChannelOpened(channel) in phone.events)
    stranger.send(*NOISE)
    channel.send_text("hello")
    phone.driver.pump()
    await eventually(lambda: TextReceived(channel, "hello") in phone.events)
