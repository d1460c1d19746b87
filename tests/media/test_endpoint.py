import errno
import socket
from collections.abc import Iterator

import pytest
from glottis.media.endpoint import UdpEndpoint
from glottis.wire.address import Address, Datagram, Path, Transport

REMOTE = Address("127.0.0.1", 9)
RTP = b"\x80"
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

    def receive(self, data: bytes, path: Path) -> None:
        self.received.append((data, path))

    def refuse(self) -> None:
        self.refused += 1


class Relay:
    """A link that is no socket."""

    transport: Transport = "relay"

    def __init__(self, address: Address) -> None:
        self.address = address
        self.sent: list[tuple[bytes, Address]] = []

    def send(self, data: bytes, remote: Address) -> None:
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


def test_a_broken_socket_is_not_kept_quiet() -> None:
    with UdpEndpoint([FailingSocket(errno.EBADF)]) as endpoint, pytest.raises(OSError, match="Errno 9"):
        endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], REMOTE)), Session())


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
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        endpoint.send(Datagram(RTP, Path(endpoint.addresses[0], Address(*receiver.getsockname()))), Session())
        assert receiver.recvfrom(100) == (RTP, endpoint.addresses[0])
    assert relay.sent == []
