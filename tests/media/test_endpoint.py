import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from glottis.media.endpoint import UdpEndpoint
from glottis.media.link import Sender
from glottis.media.udp_link import MAX_HELD
from glottis.wire.address import Address, Datagram, Path, Transport

REMOTE = Address("127.0.0.1", 9)
RTP = b"\x80"
GOODBYE = b"\x81\xcb"
CHECK = bytes.fromhex("000100002112a442") + bytes(12)
RESPONSE = bytes.fromhex("010100002112a442") + bytes(12)


class FailingSocket(socket.socket):
    """Cannot send, for the same reason each time."""

    def __init__(self, number: int) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.bind(("127.0.0.1", 0))
        self._number = number

    def sendto(self, data: bytes, address: Address) -> int:  # type: ignore[override]
        raise OSError(self._number, "")


class Session:
    def __init__(self) -> None:
        self.received: list[tuple[bytes, Path]] = []
        self.refused = 0
        self.errors: list[Exception] = []

    def receive(self, data: bytes, path: Path) -> None:
        self.received.append((data, path))

    def refuse(self) -> None:
        self.refused += 1

    def send_failed(self, error: Exception) -> None:
        self.errors.append(error)


class Relay:
    """A link that is no socket."""

    transport: Transport = "relay"

    def __init__(self, address: Address) -> None:
        self.address = address
        self.sent: list[tuple[bytes, Address]] = []

    def release(self, remote: Address) -> None: ...

    def send(self, data: bytes, remote: Address, sender: Sender) -> None:
        self.sent.append((data, remote))


@pytest.fixture
def endpoint() -> Iterator[UdpEndpoint]:
    with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
        yield endpoint


@pytest.mark.parametrize("name", ["ENETUNREACH", "ENOBUFS", "EMSGSIZE", "EAGAIN", "EADDRNOTAVAIL"])
def test_a_datagram_that_cannot_leave_is_lost_and_counted(name: str) -> None:
    with UdpEndpoint([FailingSocket(getattr(errno, name))]) as endpoint:
        endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], REMOTE)), Session())
        assert endpoint.send_failures == 1


def test_of_a_broken_socket_the_sender_is_told() -> None:
    session, other = Session(), Session()
    with UdpEndpoint([FailingSocket(errno.EBADF)]) as endpoint:
        endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], REMOTE)), session)
        assert [str(error) for error in session.errors] == ["[Errno 9] "]
        endpoint.hold()
        endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], REMOTE)), other)
        assert other.errors == []
        endpoint.flush()
        assert [str(error) for error in other.errors] == ["[Errno 9] "]
    assert (len(session.errors), endpoint.send_failures) == (1, 0)


def test_what_cannot_be_an_address_is_its_senders_error_and_nobody_elses(endpoint: UdpEndpoint) -> None:
    session, other = Session(), Session()
    with receiver() as sock:
        there = Address(*sock.getsockname())
        endpoint.hold()
        for remote, sender in ((Address("127.0.0.1", 70000), session), (Address("\udc80", 9), session), (there, other)):
            endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], remote)), sender)
        endpoint.flush()
        assert sock.recvfrom(100) == (RTP, endpoint.addresses[0])
    assert (len(session.errors), other.errors) == (2, [])


@contextmanager
def receiver() -> Iterator[socket.socket]:
    """A peer's socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def arrived(sock: socket.socket) -> list[bytes]:
    """All that has come to it so far."""
    sock.setblocking(False)
    datagrams = []
    with suppress(BlockingIOError):
        while True:
            datagrams.append(sock.recv(100))
    return datagrams


def test_what_calls_send_while_they_are_ticked_leaves_in_order_when_all_were(endpoint: UdpEndpoint) -> None:
    with receiver() as sock:
        path = Path(endpoint.addresses[0], Address(*sock.getsockname()))
        packets = [bytes((0x80, number)) for number in range(10)]
        endpoint.hold()
        for packet in packets:
            endpoint.send(Datagram(packet, path), Session())
        assert arrived(sock) == []
        endpoint.flush()
        assert arrived(sock) == packets
        endpoint.send(Datagram(RTP, path), Session())
        assert arrived(sock) == [RTP]


def test_no_more_are_held_than_may_leave_together(endpoint: UdpEndpoint) -> None:
    with receiver() as sock:
        path = Path(endpoint.addresses[0], Address(*sock.getsockname()))
        packets = [bytes((0x80, number)) for number in range(MAX_HELD + 1)]
        endpoint.hold()
        for packet in packets:
            endpoint.send(Datagram(packet, path), Session())
        assert arrived(sock) == packets[:MAX_HELD]
        endpoint.flush()
        assert arrived(sock) == packets[MAX_HELD:]


def test_what_a_session_says_last_leaves_though_it_has_ended_meanwhile(endpoint: UdpEndpoint) -> None:
    with receiver() as sock:
        path, session = Path(endpoint.addresses[0], Address(*sock.getsockname())), Session()
        endpoint.hold()
        for data in (RTP, CHECK, GOODBYE):
            endpoint.send(Datagram(data, path), session)
        endpoint.remove(session)
        endpoint.flush()
        assert arrived(sock) == [RTP, CHECK, GOODBYE]
        assert endpoint.sessions == 0


class FullSocket(socket.socket):
    """Its buffer takes three datagrams, and no more."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.bind(("127.0.0.1", 0))
        self.taken: list[bytes] = []

    def sendto(self, data: bytes, address: Address) -> int:  # type: ignore[override]
        if len(self.taken) == 3:
            raise BlockingIOError(errno.EAGAIN, "")
        self.taken.append(data)
        return len(data)


def test_what_does_not_fit_a_full_buffer_is_lost_and_counted_and_nobody_is_blamed() -> None:
    sock, sessions = FullSocket(), [Session() for _ in range(5)]
    with UdpEndpoint([sock]) as endpoint:
        endpoint.hold()
        for number, session in enumerate(sessions):
            endpoint.send(Datagram(bytes((0x80, number)), Path(endpoint.addresses[0], REMOTE)), session)
        endpoint.flush()
        assert sock.taken == [b"\x80\x00", b"\x80\x01", b"\x80\x02"]
        assert endpoint.send_failures == 2
        sock.taken.clear()
        endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], REMOTE)), sessions[0])
        assert sock.taken == [RTP]
    assert [session.errors for session in sessions] == [[]] * 5


@pytest.mark.parametrize("own_address", [True, False])
def test_what_takes_a_path_of_another_transport_leaves_by_its_link(endpoint: UdpEndpoint, own_address: bool) -> None:
    relay = Relay(Address("192.0.2.5", 3478) if own_address else endpoint.addresses[0])
    endpoint.attach(relay)
    path, session = Path(relay.address, REMOTE, "relay"), Session()
    endpoint.send(Datagram(CHECK, path), session)
    assert relay.sent == [(CHECK, REMOTE)]
    endpoint.demultiplexer.dispatch(RESPONSE, path)
    endpoint.add_path(path, session, proven=True)
    endpoint.demultiplexer.dispatch(RTP, path)
    assert session.received == [(RESPONSE, path), (RTP, path)]


def test_a_link_that_is_attached_takes_nothing_from_the_sockets(endpoint: UdpEndpoint) -> None:
    relay = Relay(endpoint.addresses[0])
    endpoint.attach(relay)
    with receiver() as sock:
        endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], Address(*sock.getsockname()))), Session())
        assert sock.recvfrom(100) == (RTP, endpoint.addresses[0])
    assert relay.sent == []


def test_socket_for_a_server_is_no_base_of_candidates() -> None:
    with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
        before = endpoint.addresses
        assert endpoint.bind_another("127.0.0.1", for_calls=False) not in endpoint.addresses
        assert endpoint.addresses == before
        assert endpoint.bind_another("127.0.0.1") in endpoint.addresses
