"""Callers on one wheel, each with a socket of its own, as callers in life have."""

import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle

import trio
from glottis.contracts.audio import EncodedPacket
from glottis.dtls import Certificate
from glottis.media.driver import PeerDriver
from glottis.media.endpoint import UdpEndpoint
from glottis.media.scheduler import Scheduler
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.wire.address import Address, Path
from glottis.wire.demux import PacketKind, classify
from trio_websocket import ConnectionClosed, HandshakeError

from benchmarks.recording import Recording, StampedSocket
from benchmarks.signaling import HOST, SIGNALING
from benchmarks.speech import SAMPLE_RATE, endless, opus, speech_packets


class RecordingDriver(PeerDriver):
    """A driver that notes the SRTP packets on their way in."""

    recording: Recording
    socket: StampedSocket

    def receive(self, data: bytes, path: Path) -> None:
        """See ``PeerDriver``."""
        if classify(data) is PacketKind.RTP:
            self.recording.note(data, self.socket.arrived_at)
        super().receive(data, path)


class Callers:
    """Makes calls with servers of this ``SIGNALING`` in turn, by their ports; ``scheduler`` is to be run meanwhile."""

    def __init__(self, server: str, *ports: int) -> None:
        self.scheduler = Scheduler()
        self._open_signaling = SIGNALING[server]
        self._ports = cycle(ports)
        self._certificate = Certificate.generate()
        self._codec = opus()
        self._payloads = speech_packets()
        self._rng = random.SystemRandom()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Its signaling alone: nothing is offered."""
        async with self._open_signaling(next(self._ports)):
            yield

    @asynccontextmanager
    async def unconnected_call(self) -> AsyncIterator[None]:
        """A call that is offered and answered, and whose caller cannot be reached."""
        async with self._open_signaling(next(self._ports)) as exchange:
            peer = self._make_peer([Address(HOST, 9)])  # the port for what is to be discarded (RFC 863)
            peer.accept_answer_untrusted(await exchange(peer.make_offer()), trio.current_time())
            yield

    @asynccontextmanager
    async def call(self, recording: Recording) -> AsyncIterator[None]:
        """A call whose caller speaks from when it is connected; it may not be yet. Ended with the block."""
        sock = StampedSocket.bound(HOST)
        with UdpEndpoint([sock]) as endpoint:
            async with self._open_signaling(next(self._ports)) as exchange, trio.open_nursery() as nursery:
                nursery.start_soon(endpoint.run)
                driver = self._make_driver(endpoint, recording)
                driver.recording, driver.socket = recording, sock
                try:
                    offer = driver.peer.make_offer()
                    driver.pump()
                    recording.offered_at = trio.current_time()
                    answer = await exchange(offer)
                    recording.answered_at = trio.current_time()
                    driver.peer.accept_answer_untrusted(answer, recording.answered_at)
                    driver.start_media()
                    driver.pump()
                    yield
                finally:
                    driver.close()
                nursery.cancel_scope.cancel()

    def _make_driver(self, endpoint: UdpEndpoint, recording: Recording) -> RecordingDriver:
        peer = self._make_peer(endpoint.addresses)
        return RecordingDriver(
            peer,
            endpoint=endpoint,
            scheduler=self.scheduler,
            handle_event=_tell_connected(recording),
            handle_error=_fail,
            hear=_Speaker(peer, endless(self._payloads)).tick,
        )

    def _make_peer(self, addresses: list[Address]) -> PeerConnection:
        return PeerConnection(
            PeerSettings((self._codec,), sample_rate=SAMPLE_RATE, max_message_size=None),
            certificate=self._certificate,
            local_addresses=addresses,
            rng=self._rng,
        )


class _Speaker:
    """Gives a peer connection one packet in every media tick."""

    def __init__(self, peer: PeerConnection, packets: Iterator[EncodedPacket]) -> None:
        self._voice = peer.voice
        self._packets = packets

    def tick(self, now: float) -> None:
        """Speak, if what was said before has been sent: before the connection is up nothing is."""
        if self._voice.queued == 0:
            self._voice.write_packet(next(self._packets))


def _tell_connected(recording: Recording) -> Callable[[PeerConnectionEvent], None]:
    def handle_event(event: PeerConnectionEvent) -> None:
        if isinstance(event, ConnectionStateChanged) and event.state is ConnectionState.CONNECTED:
            recording.connected.set()

    return handle_event


@contextmanager
def failing_in_words() -> Iterator[None]:
    """Calls that do not come up, or that the server ends, end this process with a sentence."""
    try:
        yield
    except* (OSError, trio.TooSlowError, HandshakeError, ConnectionClosed) as errors:
        failures = Counter(type(error).__name__ for error in _leaves(errors))
        sys.exit(f"the calls did not come up: {', '.join(f'{count} × {name}' for name, count in failures.items())}")


def _leaves(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _fail(error: BaseException) -> None:
    raise error
