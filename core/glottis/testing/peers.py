"""Two peer connections on a virtual network: a whole call without a socket."""

import random
from collections.abc import Sequence
from typing import Final, Protocol

from glottis.contracts.audio import FRAME_SECONDS
from glottis.contracts.codec import CodecSpec
from glottis.dtls import Certificate
from glottis.media.demultiplexer import Demultiplexer, Receiver
from glottis.media.driver import PeerDriver
from glottis.media.scheduler import Scheduled
from glottis.peer import ConnectionState, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.nat import Nat
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.demux import is_stun_request

CALLER: Final = Address("192.0.2.1", 4000)
GATEWAY: Final = Address("192.0.2.2", 5000)


class Clock(Protocol):
    """What a peer knows of time: a ``VirtualNetwork``, or a clock that goes by it."""

    @property
    def now(self) -> float: ...


class VirtualSocket(Demultiplexer):
    """What a peer's driver has of the gateway's sockets: see ``driver.Endpoint``."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox: list[Datagram] = []

    def send(self, datagram: Datagram, sender: Receiver) -> None:
        if is_stun_request(datagram.data):
            self.note_request(datagram.data, sender)
        self.outbox.append(datagram)


class VirtualWheel:
    """What a peer's driver has of the gateway's wheel: see ``driver.Wheel``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadline: float | None = None
        self._next_tick: float | None = None
        self._next_media_tick = 0.0
        self._send_period = self._media_period = FRAME_SECONDS
        self._soon: float | None = None

    def start_media(self, session: Scheduled, send_period: float, media_period: float) -> None:
        self._next_tick = self._next_media_tick = self._clock.now
        self._send_period, self._media_period = min(send_period, media_period), media_period

    def hear_from(self, session: Scheduled, moment: float) -> None:
        if self._next_tick is not None:
            self._next_tick = self._next_media_tick = max(moment, self._clock.now)

    def send_soon(self, session: Scheduled) -> None:
        self._soon = self._clock.now

    def call_at(self, session: Scheduled, deadline: float | None) -> None:
        self._deadline = deadline

    def remove(self, session: Scheduled) -> None:
        self._deadline = self._next_tick = self._soon = None

    def next_timeout(self) -> float | None:
        """When ``turn`` has something to do."""
        moments = (self._deadline, self._next_tick, self._soon)
        return min((moment for moment in moments if moment is not None), default=None)

    def turn(self, session: Scheduled, now: float) -> None:
        """Call ``session`` if it is time."""
        if self._next_tick is not None and self._next_tick <= now:
            self._next_tick += self._send_period
            self._tick(session, now)
        if self._soon is not None and self._soon <= now:
            self._soon = None
            session.send_tick(now)
        if self._deadline is not None and self._deadline <= now:
            self._deadline = None
            session.handle_timeout(now)

    def _tick(self, session: Scheduled, now: float) -> None:
        if self._next_media_tick <= now + self._media_period / 100:
            self._next_media_tick += self._media_period
            session.media_tick(now)
        else:
            session.send_tick(now)


class VirtualPeer:
    """A host of the virtual network that has one peer connection, driven as the gateway drives it.

    ``events`` collects what the connection tells, ``heard`` what it plays in the media ticks: signed 16-bit samples.
    While ``reads_messages`` is false, those of data channels are left where they are.
    """

    def __init__(self, connection: PeerConnection, clock: Clock, wheel: VirtualWheel | None = None) -> None:
        self.connection = connection
        self.events: list[PeerConnectionEvent] = []
        self.heard = bytearray()
        self.reads_messages = True
        self._socket = VirtualSocket()
        self._wheel = wheel or VirtualWheel(clock)
        self._driver = PeerDriver(
            connection,
            endpoint=self._socket,
            scheduler=self._wheel,
            handle_event=self.events.append,
            handle_error=_raise,
            wants_messages=lambda: self.reads_messages,
            hear=self.hear,
            clock=lambda: clock.now,
        )

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self.connection.state is ConnectionState.CONNECTED

    def start_media(self, now: float) -> None:
        """Begin the media ticks."""
        self._driver.start_media()

    def hear(self, now: float) -> None:
        """In each media tick, before speech is sent: to be overridden by who listens otherwise, or speaks."""
        frame = self.connection.voice.next_frame(now)
        self.heard += frame.pcm if frame is not None else b""

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self._socket.dispatch(data, path)

    def handle_timeout(self, now: float) -> None:
        self._wheel.turn(self._driver, now)

    def next_timeout(self) -> float | None:
        return self._wheel.next_timeout()

    def datagrams_to_send(self) -> list[Datagram]:
        self._driver.pump()  # a test may have called the connection
        outbox, self._socket.outbox = self._socket.outbox, []
        return outbox


class DrivenPeer(VirtualPeer):
    """One whose connection nobody calls without a ``pump`` after it: to pump always would take most of the time."""

    def pump(self) -> None:
        """Send, and tell, what there is."""
        self._driver.pump()

    def datagrams_to_send(self) -> list[Datagram]:
        outbox, self._socket.outbox = self._socket.outbox, []
        return outbox


class VirtualCall:
    """A caller and a gateway, negotiated and ready to connect; ``network.run`` lets time pass."""

    def __init__(
        self,
        codecs: Sequence[CodecSpec],
        *,
        seed: int = 0,
        impairments: Impairments = PERFECT,
        caller_settings: PeerSettings | None = None,
        gateway_settings: PeerSettings | None = None,
        certificates: tuple[Certificate, Certificate] | None = None,
        nat: Address | None = None,
    ) -> None:
        """``nat`` is the outside address of a translator before the caller, if there shall be one."""
        self.network = VirtualNetwork(seed, impairments)
        default = PeerSettings(tuple(codecs))
        caller_certificate, gateway_certificate = certificates or (Certificate.generate(), Certificate.generate())
        self.caller = self._peer(caller_settings or default, caller_certificate, CALLER, seed)
        self.gateway = self._peer(gateway_settings or default, gateway_certificate, GATEWAY, ~seed)
        self.network.attach(self.gateway, GATEWAY)
        self.nat: Nat | None = None
        if nat is None:
            self.network.attach(self.caller, CALLER)
        else:
            self.nat = Nat(self.caller, {CALLER: nat})
            self.network.attach(self.nat, nat)

    def _peer(self, settings: PeerSettings, certificate: Certificate, address: Address, seed: int) -> VirtualPeer:
        rng = random.Random(seed)
        connection = PeerConnection(settings, certificate=certificate, local_addresses=[address], rng=rng)
        return VirtualPeer(connection, self.network)

    def rebind(self, address: Address) -> None:
        """The translator gives the caller another address."""
        assert self.nat is not None
        self.nat.rebind({CALLER: address})
        self.network.attach(self.nat, address)

    def negotiate(self) -> None:
        """Offer and answer."""
        now = self.network.now
        answer = self.gateway.connection.accept_offer_untrusted(self.caller.connection.make_offer(), now)
        self.caller.connection.accept_answer_untrusted(answer, now)

    def connect(self, seconds: float = 30.0) -> bool:
        """Negotiate and let time pass until both ends are connected; says whether they are."""
        self.negotiate()
        return self.network.run(lambda: self.caller.connected and self.gateway.connected, seconds=seconds)


def _raise(error: BaseException) -> None:
    raise error
