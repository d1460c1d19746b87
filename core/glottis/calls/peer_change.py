"""A leg changes its peer connection: another one comes about beside it, takes its place, or fails and leaves it alone.

A page that has lost its network is quicker with a new one than with a restart of ICE, and a page that was loaded anew
has nothing else. Call and agent go on: audio, its stream and what was counted are handed over.
"""

from collections.abc import Callable
from typing import Protocol

from glottis.media.driver import PeerDriver
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerConnection, PeerConnectionEvent
from glottis.sctp import AssociationFailed


class MakeDriver(Protocol):
    """Makes the driver of another connection of the leg, which hears and says nothing, and keeps messages."""

    def __call__(self, peer: PeerConnection, handle_event: Callable[[PeerConnectionEvent], None]) -> PeerDriver: ...


class PeerChange:
    """There is one only while it is under way. ``connected`` is to take over the ``driver``, ``failed`` to ``drop`` it;
    ``tell`` hears of all that does not depend on which connection it is about.
    """

    def __init__(
        self,
        peer: PeerConnection,
        make_driver: MakeDriver,
        *,
        connected: Callable[[], None],
        failed: Callable[[str], None],
        tell: Callable[[PeerConnectionEvent], None],
    ) -> None:
        self.driver = make_driver(peer, self._handle_event)
        self._connected = connected
        self._failed = failed
        self._tell = tell

    @property
    def peer(self) -> PeerConnection:
        """The other one."""
        return self.driver.peer

    def drop(self) -> None:
        """It is not to be."""
        self.driver.close()

    def _handle_event(self, event: PeerConnectionEvent) -> None:
        match event:
            case ConnectionStateChanged(ConnectionState.CONNECTED):
                self._connected()
            case ConnectionStateChanged(ConnectionState.FAILED | ConnectionState.CLOSED, reason):
                self._failed(reason or "the client has closed it")
            case AssociationFailed(reason=reason):
                self._failed(f"data channels {reason}")
            case ConnectionStateChanged():
                pass
            case _:
                self._tell(event)
