"""What a caller's packet and its answer cost the gateway's connection, with all feedback that was negotiated.

Who adds to the way of a packet finds it here: it is taken away elsewhere, or the bound is raised and the reason told.
What sockets, the wheel and tasks cost is not in it.
"""

from collections.abc import Callable
from itertools import count

import pytest
from glottis.contracts.audio import FRAME_SECONDS, EncodedPacket
from glottis.contracts.codec import EncoderSettings
from glottis.peer import PeerConnection, PeerSettings
from glottis.plugins import load_plugins
from glottis.rtp import AdaptiveDelay
from glottis.testing.peers import VirtualCall
from glottis.wire.address import Datagram
from support.cost import operations

pytestmark = pytest.mark.slow

OPUS = load_plugins().codecs.find("opus").spec
RATE = 16000
SILENCE = bytes(2 * round(RATE * FRAME_SECONDS))
SETTINGS = PeerSettings((OPUS,), sample_rate=RATE, delay=AdaptiveDelay)
WARM_UP = 150
"""Packets: what happens once has happened, and the delay has proven to be good."""
PACKETS = 50
"""A second, with five feedback packets each way."""
RELAYED = 2690
ECHOED = 3485
"""Operations for a packet and its answer, some three in a hundred more than there were when this was written."""

MediaTick = Callable[[PeerConnection, float], list[Datagram]]


def relay(gateway: PeerConnection, now: float) -> list[Datagram]:
    """As ``Call.forward`` does, of a call to itself."""
    for packet in gateway.voice.next_packets(now):
        gateway.voice.write_packet(packet)
    return gateway.media_to_send(now)


def echo(gateway: PeerConnection, now: float) -> list[Datagram]:
    """As the wheel does: what an agent says to a frame has a tick of its own."""
    frame = gateway.voice.next_frame(now)
    sent = gateway.media_to_send(now)
    if frame is not None:
        gateway.voice.write(frame.pcm)
    return sent + gateway.media_to_send(now)


def speaker() -> MediaTick:
    """A caller's. What is in the packets makes no difference: what codecs do is C."""
    settings = EncoderSettings(sample_rate=RATE, frame_ms=1000 * FRAME_SECONDS, remote_parameters={})
    payload = OPUS.create_encoder(settings).encode(SILENCE)
    duration = round(OPUS.clock_rate * FRAME_SECONDS)
    timestamps = count(step=duration)

    def speak(caller: PeerConnection, now: float) -> list[Datagram]:
        caller.voice.next_packets(now)
        packet = EncodedPacket(payload, OPUS.encoding_name, OPUS.clock_rate, next(timestamps), duration, audio_level=30)
        caller.voice.write_packet(packet)
        return caller.media_to_send(now)

    return speak


class End:
    """One end of a call, driven by hand."""

    def __init__(self, peer: PeerConnection, tick: MediaTick) -> None:
        self._peer = peer
        self._tick = tick
        self._outbox: list[Datagram] = []
        self._timeout = peer.next_timeout()

    def pass_frame(self, arrived: list[Datagram], now: float) -> None:
        """What there is to be done in 20 ms."""
        path = self._peer.transport.selected_path
        assert path is not None
        for data, _ in arrived:
            if self._peer.handle_datagram(data, path, now):
                self._drain()
        self._outbox += self._tick(self._peer, now)
        if self._timeout is not None and self._timeout <= now:
            self._peer.handle_timeout(now)
            self._drain()

    def take_outbox(self) -> list[Datagram]:
        outbox, self._outbox = self._outbox, []
        return outbox

    def _drain(self) -> None:
        self._outbox += self._peer.datagrams_to_send()
        while self._peer.next_event() is not None:
            pass
        self._timeout = self._peer.next_timeout()


@pytest.mark.parametrize(
    ("tick", "most"), [pytest.param(relay, RELAYED, id="relay"), pytest.param(echo, ECHOED, id="echo")]
)
def test_a_packet_and_its_answer_cost_no_more_than_they_did(tick: MediaTick, most: int) -> None:
    call = VirtualCall((OPUS,), seed=1, caller_settings=SETTINGS, gateway_settings=SETTINGS)
    assert call.connect()
    caller, gateway = End(call.caller.connection, speaker()), End(call.gateway.connection, tick)
    cost, now = 0, call.network.now
    for number in range(WARM_UP + PACKETS):
        now += FRAME_SECONDS
        caller.pass_frame(gateway.take_outbox(), now)
        arrived = caller.take_outbox()
        if number < WARM_UP:
            gateway.pass_frame(arrived, now)
        else:
            cost += operations(gateway.pass_frame, arrived, now)
    sender = call.gateway.connection.voice.session.sender
    assert sender is not None
    assert sender.packets_sent >= PACKETS
    assert cost <= most * PACKETS, f"{cost / PACKETS:.0f} operations for a packet and its answer"
