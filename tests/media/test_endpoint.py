import errno
from types import SimpleNamespace

import pytest
from glottis.media.endpoint import UdpEndpoint
from glottis.wire.address import Address, Datagram, Path


def sending_fails_with(endpoint: UdpEndpoint, number: int) -> None:
    def sendto(data: bytes, remote: Address) -> None:
        raise OSError(number, "")

    local = endpoint._sockets[endpoint.addresses[0]]
    local.sock.close()
    local.sock = SimpleNamespace(sendto=sendto, close=lambda: None)  # type: ignore[assignment]


@pytest.mark.parametrize("name", ["ENETUNREACH", "ENOBUFS", "EMSGSIZE", "EAGAIN", "EADDRNOTAVAIL"])
def test_a_datagram_that_cannot_leave_is_lost_and_counted(name):
    with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
        sending_fails_with(endpoint, getattr(errno, name))
        endpoint.send(Datagram(b"\x80", Path(endpoint.addresses[0], Address("127.0.0.1", 9))), None)
        assert endpoint.send_failures == 1


def test_a_broken_socket_is_not_kept_quiet():
    with UdpEndpoint.bind(["127.0.0.1"], 0) as endpoint:
        sending_fails_with(endpoint, errno.EBADF)
        with pytest.raises(OSError, match="Errno 9"):
            endpoint.send(Datagram(b"\x80", Path(endpoint.addresses[0], Address("127.0.0.1", 9))), None)
