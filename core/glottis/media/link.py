"""Where bytes leave."""

from typing import Protocol

from glottis.media.demultiplexer import Receiver
from glottis.wire.address import Address, Transport


class Sender(Receiver, Protocol):
    """A session, as a link sees it."""

    def send_failed(self, error: Exception) -> None:
        """A datagram of this session could not leave, and is not just lost. Never raises."""


class Link(Protocol):
    """Carries datagrams from one local address to any remote one, as ``UdpLink`` does.

    A TURN allocation is one, too (``Relay``), and so are the TCP streams of an address (``StreamLink``). What a link
    receives, it gives to the demultiplexer of the endpoint that it is attached to.
    """

    @property
    def address(self) -> Address:
        """The local end of its paths: of a relay, the relayed address."""

    @property
    def transport(self) -> Transport:
        """That of its paths."""

    def send(self, data: bytes, remote: Address, sender: Sender) -> None:
        """Send now or never: a datagram that cannot leave is as good as lost on the way.

        What is wrong with the link itself, and not with a datagram or a moment, is told to the ``sender``.
        """

    def release(self, remote: Address) -> None:
        """Nobody uses the path to ``remote`` any more: what is held for it is to go, after what was sent."""
