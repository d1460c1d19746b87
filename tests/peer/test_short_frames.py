"""Frames of 10 ms: packets as long are asked for and sent, where the peer wishes no others."""

from functools import partial

import pytest
from glottis.contracts.audio import AudioFrame
from glottis.peer import PeerSettings
from glottis.rtp import AdaptiveDelay
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.peers import VirtualCall
from support.real_call import LINEAR, RATE

SECOND = b"".join(number.to_bytes(2, "little") for number in range(1, RATE + 1))
WISH = "a=ptime:10\r\n"


class ShortCall(VirtualCall):
    """With a gateway whose agent hears 10 ms at a time; its ``wish`` reaches the caller changed."""

    def __init__(self, wish: str, impairments: Impairments = PERFECT) -> None:
        settings = PeerSettings((LINEAR,), frame_ms=10, delay=partial(AdaptiveDelay, frame_seconds=0.01))
        super().__init__([LINEAR], gateway_settings=settings, impairments=impairments, seed=3)
        self.frames: list[AudioFrame] = []
        caller, gateway = self.caller.connection, self.gateway.connection
        gateway.voice.taps.heard = self._hear
        answer = gateway.accept_offer_untrusted(caller.make_offer(), 0.0)
        assert WISH in answer
        caller.accept_answer_untrusted(answer.replace(WISH, wish), 0.0)
        assert self.network.run(lambda: self.caller.connected and self.gateway.connected, seconds=30)
        for peer in (self.caller, self.gateway):
            peer.start_media(self.network.now)

    def _hear(self, frame: AudioFrame) -> AudioFrame:
        self.frames.append(frame)
        return frame


@pytest.mark.parametrize(("wish", "packet_ms"), [(WISH, 10), ("", 20)])
def test_a_caller_is_heard_in_frames_of_10_ms_whatever_its_packets(wish: str, packet_ms: int) -> None:
    call = ShortCall(wish)
    caller, gateway = (peer.connection.voice for peer in (call.caller, call.gateway))
    caller.write(SECOND)
    gateway.write(SECOND)
    call.network.run(seconds=1.2)
    assert (caller.packet_ms, gateway.packet_ms) == (packet_ms, 10)
    assert {len(frame.pcm) for frame in call.frames} == {len(SECOND) // 100}
    assert [frame.timestamp for frame in call.frames[:5]] == [0, 160, 320, 480, 640]
    assert b"".join(frame.pcm for frame in call.frames).startswith(SECOND)
    assert SECOND[len(SECOND) // 25 :] in bytes(call.caller.heard)


def test_packets_as_the_caller_wishes_them_hold_several_frames() -> None:
    call = VirtualCall([LINEAR], gateway_settings=PeerSettings((LINEAR,), frame_ms=10))
    offer = call.caller.connection.make_offer().replace("a=rtcp-mux", "a=ptime:40\r\na=rtcp-mux", 1)
    call.caller.connection.accept_answer_untrusted(call.gateway.connection.accept_offer_untrusted(offer, 0.0), 0.0)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=30)
    for peer in (call.caller, call.gateway):
        peer.start_media(call.network.now)
    call.gateway.connection.voice.write(SECOND)
    call.network.run(seconds=1.2)
    sent = call.gateway.connection.statistics(call.network.now).outbound_rtp
    assert sent is not None
    assert sent.packets_sent == 25
    assert bytes(call.caller.heard).startswith(SECOND)


def test_what_is_lost_is_concealed_in_its_place() -> None:
    call = ShortCall(WISH, Impairments(loss=0.1))
    call.caller.connection.voice.write(SECOND * 5)
    call.network.run(seconds=5.2)
    heard = call.gateway.connection.statistics(call.network.now).inbound_rtp
    assert heard is not None
    assert 0.05 * 5 * RATE <= heard.concealed_samples <= 0.15 * 5 * RATE
    assert len(call.frames) >= 500
