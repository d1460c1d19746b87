"""Two peer connections on a virtual network: a whole call without a socket."""

import random
from collections.abc import Sequence

from glottis.contracts.codec import CodecSpec
from glottis.dtls import Certificate
from glottis.peer import ConnectionState, PathAuthenticated, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.demux import PacketKind, classify

TICK = 0.02


class VirtualPeer:
    """A host of the virtual network that has one peer connection, with the source filter of the gateway's socket.

    ``events`` collects what the connection tells. ``speak`` and ``listen`` are called in each media tick.
    """

    def __init__(self, connection: PeerConnection) -> None:
        self.connection = connection
        self.events: list[PeerConnectionEvent] = []
        self.heard = bytearray()
        """Decoded audio, signed 16-bit samples."""
        self._media: list[Datagram] = []
        self._next_tick: float | None = None
        self._next_frame = 0.0

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self.connection.state is ConnectionState.CONNECTED

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        admitted = {event.path for event in self.events if isinstance(event, PathAuthenticated)}
        if classify(data) is PacketKind.STUN or path in admitted:
            self.connection.handle_datagram(data, path, now)
            self._collect()

    def handle_timeout(self, now: float) -> None:
        if self._next_tick is not None and self._next_tick <= now:
            self._next_tick += self.connection.voice.send_period
            self._tick(now)
        self.connection.handle_timeout(now)
        self._collect()

    def _tick(self, now: float) -> None:
        if self._next_frame <= now + TICK / 100:
            self._next_frame += TICK
            frame = self.connection.voice.next_frame(now)
            self.heard += frame.pcm if frame is not None else b""
        self._media += self.connection.media_to_send(now)

    def next_timeout(self) -> float | None:
        moments = (self.connection.next_timeout(), self._next_tick)
        return min((moment for moment in moments if moment is not None), default=None)

    def datagrams_to_send(self) -> list[Datagram]:
        media, self._media = self._media, []
        return self.connection.datagrams_to_send() + media

    def start_media(self, now: float) -> None:
        """Begin the media ticks."""
        self._next_tick = self._next_frame = now

    def _collect(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)


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
    ) -> None:
        self.network = VirtualNetwork(seed, impairments)
        default = PeerSettings(tuple(codecs))
        caller_certificate, gateway_certificate = certificates or (Certificate.generate(), Certificate.generate())
        self.caller = self._peer(caller_settings or default, caller_certificate, Address("192.0.2.1", 4000), seed)
        self.gateway = self._peer(gateway_settings or default, gateway_certificate, Address("192.0.2.2", 5000), ~seed)

    def _peer(self, settings: PeerSettings, certificate: Certificate, address: Address, seed: int) -> VirtualPeer:
        connection = PeerConnection(
            settings, certificate=certificate, local_addresses=[address], rng=random.Random(seed)
        )
        peer = VirtualPeer(connection)
        self.network.attach(peer, address)
        return peer

    def negotiate(self) -> None:
        """Offer and answer."""
        now = self.network.now
        answer = self.gateway.connection.accept_offer_untrusted(self.caller.connection.make_offer(), now)
        self.caller.connection.accept_answer_untrusted(answer, now)

    def connect(self, seconds: float = 30.0) -> bool:
        """Negotiate and let time pass until both ends are connected; says whether they are."""
        self.negotiate()
        return self.network.run(lambda: self.caller.connected and self.gateway.connected, seconds=seconds)
