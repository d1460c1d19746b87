"""One condition: a caller speaks to a gateway over a virtual network, and what is heard there is kept.

Both are peer connections as in any call, driven as the gateway drives them; ICE, DTLS, SRTP and RTCP are the real ones.
The network is perfect until media begins.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from glottis.contracts.audio import FRAME_SECONDS, AudioFrame
from glottis.dtls import Certificate
from glottis.lab.models import Carrier, is_media
from glottis.lab.networks import Network, carriers
from glottis.lab.samples import RATE, Samples
from glottis.media.ring import SLOT
from glottis.media.scheduler import Scheduled
from glottis.peer import PeerConnection, PeerSettings
from glottis.rtp import PlayoutStatistics
from glottis.testing.nat import Nat
from glottis.testing.peers import CALLER, GATEWAY, DrivenPeer, VirtualWheel
from glottis.testing.virtual_network import VirtualNetwork
from glottis.wire.address import Address, Datagram

TAIL: Final = 1.0
"""Seconds of silence after the last word, for it to come."""
CONNECT_TIMEOUT: Final = 30.0
_ROUNDING: Final = 1e-9
"""Seconds: a moment of one clock is no earlier on another for being rounded."""


@dataclass(slots=True)
class SentPacket:
    """Of media, to the listener, in seconds since speech began; ``arrived_at`` is None where it is lost."""

    sent_at: float
    arrived_at: float | None
    size: int
    """Bytes of RTP and SRTP, without UDP and IP."""


@dataclass(slots=True)
class Recording:
    """What was heard, from the moment in which the first sample was spoken, and what became of the packets."""

    heard: Samples
    packets: list[SentPacket] = field(default_factory=list)
    playout: PlayoutStatistics = field(default_factory=PlayoutStatistics)
    sent_again: int = 0
    """Packets that the listener has asked for."""
    recovered_samples: int = 0
    """By in-band FEC."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.heard) / RATE


class LabNetwork(VirtualNetwork):
    """Has a model for each direction, and keeps what becomes of the speaker's media."""

    def __init__(self, forward: Carrier, back: Carrier) -> None:
        super().__init__()
        self._forward, self._back = forward, back
        self._began_at: float | None = None
        self.sent: list[SentPacket] = []

    def begin(self, spoken_at: float) -> None:
        """Media begins, and with it what the network does; the first sample was spoken at ``spoken_at``."""
        self._began_at = spoken_at
        self._forward.begin(self.now)
        self._back.begin(self.now)

    def arrivals(self, datagram: Datagram) -> list[float]:
        """See ``VirtualNetwork.arrivals``."""
        is_forward = datagram.path.remote == GATEWAY
        arrivals = (self._forward if is_forward else self._back).arrivals(datagram.data, self.now)
        if self._began_at is not None and is_forward and is_media(datagram.data):
            first = min(arrivals, default=None)
            began = self._began_at
            arrived = None if first is None else first - began
            self.sent.append(SentPacket(self.now - began, arrived, len(datagram.data)))
        return arrivals


class OwnClock:
    """Goes by the network's, but a little fast or slow."""

    def __init__(self, network: VirtualNetwork, rate: float) -> None:
        self._network = network
        self._rate = rate

    @property
    def now(self) -> float:
        """Seconds by this clock."""
        return self._network.now * self._rate

    def moment(self, own: float) -> float:
        """When it is so late, by the network's."""
        return own if self._rate == 1.0 else own / self._rate + _ROUNDING


class Mouth(DrivenPeer):
    """Says the next frame in each media tick, by its own clock."""

    def __init__(self, connection: PeerConnection, clock: OwnClock, frames: list[bytes]) -> None:
        super().__init__(connection, clock)
        self._own_clock = clock
        self._frames = iter(frames)

    def hear(self, now: float) -> None:
        frame = next(self._frames, None)
        if frame is not None:
            self.connection.voice.write(frame)

    def handle_timeout(self, now: float) -> None:
        super().handle_timeout(self._own_clock.now)

    def next_timeout(self) -> float | None:
        timeout = super().next_timeout()
        return None if timeout is None else self._own_clock.moment(timeout)


class SlottedWheel(VirtualWheel):
    """Its media ticks are at the slots of a gateway's wheel: up to one later than they could be."""

    def hear_from(self, session: Scheduled, moment: float) -> None:
        super().hear_from(session, math.ceil(round(moment / SLOT, 6)) * SLOT)


class Ear(DrivenPeer):
    """Keeps what it hears, with the moments."""

    def __init__(self, connection: PeerConnection, network: VirtualNetwork) -> None:
        super().__init__(connection, network, SlottedWheel(network))
        self.frames: list[tuple[float, AudioFrame]] = []

    def hear(self, now: float) -> None:
        frame = self.connection.voice.next_frame(now)
        if frame is not None:
            self.frames.append((now, frame))


@dataclass(frozen=True, slots=True)
class Ends:
    """How both ends are set."""

    mouth: PeerSettings
    ear: PeerSettings
    offers_nack: bool = False


def speak(
    speech: Samples, rate: int, ends: Ends, network: Network, seed: int, frame: float = FRAME_SECONDS
) -> Recording:
    """Let all of ``speech``, of ``rate`` hertz, be said and heard; in no more time than it computes."""
    wires = LabNetwork(*carriers(network, seed))
    clock = OwnClock(wires, 1 + network.drift_ppm / 1e6)
    silence = np.zeros(round(TAIL * rate), np.int16)
    mouth = Mouth(_connection(ends.mouth, CALLER, f"{seed} mouth"), clock, frames_of(speech, silence, rate, frame))
    ear = Ear(_connection(ends.ear, GATEWAY, f"{seed} ear"), wires)
    nat = Nat(mouth, {CALLER: CALLER})
    wires.attach(nat, CALLER)
    wires.attach(ear, GATEWAY)
    _connect(mouth, ear, wires, ends.offers_nack)
    ear.start_media(wires.now)
    wires.run(seconds=moment_of_phase(seed, wires.now) - wires.now)
    spoken_at = wires.now - frame  # what is written in a tick was spoken in the frame before it
    wires.begin(spoken_at)
    mouth.start_media(wires.now)
    seconds = len(speech) / rate + TAIL
    _pass_time(wires, nat, network, seconds)
    heard = placed([(at - spoken_at, frame) for at, frame in ear.frames], seconds)
    return Recording(heard, wires.sent, _played(ear), _sent_again(mouth, wires.now))


def moment_of_phase(seed: int, now: float) -> float:
    """The next moment at which a speaker begins: in any phase to the listener's ticks, that of the seed."""
    phase = random.Random(f"{seed} phase").uniform(0.0, FRAME_SECONDS)
    return math.ceil(round((now - phase) / FRAME_SECONDS, 6)) * FRAME_SECONDS + phase


def frames_of(speech: Samples, silence: Samples, rate: int, seconds: float) -> list[bytes]:
    """Pieces so long of the one after the other; what is left is filled up with silence."""
    size = round(rate * seconds)
    whole = np.concatenate([speech, silence])
    whole = np.pad(whole, (0, -len(whole) % size))
    return [whole[start : start + size].tobytes() for start in range(0, len(whole), size)]


def without_nack(offer: str) -> str:
    """Browsers do not ask for audio again; and on a path that takes no time, all that is lost could be."""
    return "".join(line for line in offer.splitlines(keepends=True) if not line.rstrip().endswith(" nack"))


def _connection(settings: PeerSettings, address: Address, seed: str) -> PeerConnection:
    return PeerConnection(
        settings, certificate=Certificate.generate(), local_addresses=[address], rng=random.Random(seed)
    )


def _connect(mouth: Mouth, ear: Ear, network: LabNetwork, offers_nack: bool) -> None:
    offer = mouth.connection.make_offer()
    answer = ear.connection.accept_offer_untrusted(offer if offers_nack else without_nack(offer), network.now)
    mouth.connection.accept_answer_untrusted(answer, network.now)
    ear.pump()
    mouth.pump()
    is_connected = network.run(lambda: mouth.connected and ear.connected, seconds=CONNECT_TIMEOUT)
    assert is_connected, "a perfect network connects them"


def _pass_time(wires: LabNetwork, nat: Nat, network: Network, seconds: float) -> None:
    """Until all is said; at each handover the speaker's address becomes another."""
    began_at = wires.now
    for number, handover in enumerate(sorted(network.handovers, key=lambda one: one.at_s), 1):
        if handover.at_s < seconds:
            wires.run(seconds=began_at + handover.at_s - wires.now)
            outside = Address(CALLER.host, CALLER.port + number)
            nat.rebind({CALLER: outside})
            wires.attach(nat, outside)
    wires.run(seconds=began_at + seconds - wires.now)


def _played(ear: Ear) -> PlayoutStatistics:
    receiver = ear.connection.voice.session.receiver
    assert receiver is not None, "audio was negotiated"
    return receiver.statistics


def _sent_again(mouth: Mouth, now: float) -> int:
    sent = mouth.connection.voice.session.statistics(now).outbound_rtp
    return (sent.retransmitted_packets_sent or 0) if sent is not None else 0


def placed(frames: list[tuple[float, AudioFrame]], seconds: float) -> Samples:
    """One row of samples at ``RATE``, in which each frame is where a loudspeaker plays it; else silence."""
    heard = np.zeros(round(seconds * RATE), np.int16)
    end = 0
    for at, frame in frames:
        pcm = np.frombuffer(frame.pcm, np.int16)
        start = max(end, round(at * RATE))
        end = start + len(pcm)
        heard[start:end] = pcm[: max(0, len(heard) - start)]
    return heard
