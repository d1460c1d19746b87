"""A later offer changes the codec, or holds the call and takes it up again; the stream goes on (RFC 3264 §8)."""

from itertools import pairwise

import pytest
from glottis.peer import PeerSettings
from glottis.testing.impairments import Impairments
from glottis.testing.peers import CALLER, VirtualCall
from glottis.wire.rtp import parse_rtp_untrusted
from support.installed import installed_plugins

CODECS = installed_plugins().codecs
OPUS, G722, PCMU = (CODECS.find(name).spec for name in ("opus", "G722", "PCMU"))
TONE = b"\x10\x20" * 16000
SETTINGS = PeerSettings((OPUS, G722, PCMU), sample_rate=16000, max_message_size=None)


class TalkingCall:
    """With speech both ways, of the first codec that both sides have."""

    def __init__(self) -> None:
        self.call = VirtualCall(
            SETTINGS.codecs,
            impairments=Impairments(delay=0.02),
            caller_settings=SETTINGS,
            gateway_settings=SETTINGS,
        )
        self.offer = self.call.caller.connection.make_offer()
        self.agree(self.offer)
        assert self.call.network.run(lambda: self.call.caller.connected and self.call.gateway.connected)
        for peer in (self.call.caller, self.call.gateway):
            peer.start_media(self.call.network.now)
            peer.connection.voice.write(TONE * 20)
        self.talk(0.5)

    def agree(self, offer: str) -> str:
        now = self.call.network.now
        answer = self.call.gateway.connection.accept_offer_untrusted(offer, now)
        self.call.caller.connection.accept_answer_untrusted(answer, now)
        return answer

    def talk(self, seconds: float) -> int:
        """Returns how many packets of audio came to the caller."""
        self.call.network.delivered.clear()
        self.call.network.run(seconds=seconds)
        return len(self.headers())

    def headers(self) -> list[tuple[int, int, int, bool]]:
        """SSRC, number, payload type and marker of the packets that came last; they are not encrypted."""
        media = [one.data for one in self.call.network.delivered if one.data[0] > 127 and one.path.remote == CALLER]
        packets = [parse_rtp_untrusted(data) for data in media if data[1] & 0x7F not in range(64, 96)]
        return [(one.ssrc, one.sequence_number, one.payload_type, one.marker) for one in packets]

    def without(self, *codecs: str) -> str:
        """The offer without these payload types."""
        lines = self.offer.splitlines(keepends=True)
        kept = [
            line for line in lines if not line.startswith(tuple(f"a={name}:{pt} " for pt in codecs for name in NAMES))
        ]
        audio = next(line for line in kept if line.startswith("m=audio"))
        head, formats = audio.split()[:3], [pt for pt in audio.split()[3:] if pt not in codecs]
        return "".join(kept).replace(audio, f"{' '.join([*head, *formats])}\r\n")


NAMES = ("rtpmap", "fmtp")


def opus_and_red(offer: str) -> list[str]:
    lines = [line for line in offer.splitlines() if line.startswith("a=rtpmap:")]
    return [line[9:].split()[0] for line in lines if "opus" in line or "red/" in line]


def test_another_codec_takes_the_stream_over() -> None:
    call = TalkingCall()
    before = call.headers()
    call.agree(call.without(*opus_and_red(call.offer)))
    assert call.call.gateway.connection.voice.encoding_name == "G722"
    heard = len(call.call.caller.heard)
    assert call.talk(1) >= 50
    after = call.headers()
    assert {ssrc for ssrc, *_ in before} == {ssrc for ssrc, *_ in after}
    assert {payload_type for _, _, payload_type, _ in after} >= {9}
    numbers = [number for _, number, payload_type, _ in after if payload_type == 9]
    assert [second - first for first, second in pairwise(numbers)] == [1] * (len(numbers) - 1)
    assert numbers[0] == before[-1][1] + 1 + sum(pt != 9 for _, _, pt, _ in after)
    assert len(call.call.caller.heard) - heard >= 0.9 * 32000
    assert call.call.gateway.connection.voice.queued == pytest.approx(20 - 1.5, abs=0.1)  # nothing was left unsaid


def test_the_codec_changes_back_and_forth_without_an_error() -> None:
    call = TalkingCall()
    for offer in (call.without(*opus_and_red(call.offer)), call.offer, call.without(*opus_and_red(call.offer), "9")):
        call.agree(offer)
        call.talk(0.3)
    voice = call.call.gateway.connection.voice
    assert voice.encoding_name == "PCMU"
    assert voice.session.packets_malformed == 0
    statistics = call.call.caller.connection.statistics(call.call.network.now)
    assert statistics.inbound_rtp is not None
    assert statistics.inbound_rtp.packets_lost == 0


@pytest.mark.parametrize(("offered", "answered"), [("inactive", "inactive"), ("sendonly", "recvonly")])
def test_a_call_on_hold_is_silent_and_is_taken_up_again(offered: str, answered: str) -> None:
    call = TalkingCall()
    answer = call.agree(call.offer.replace("a=sendrecv", f"a={offered}"))
    assert f"a={answered}\r\n" in answer
    call.talk(0.1)
    assert call.talk(1) == 0
    assert not call.call.gateway.connection.voice.can_send
    call.agree(call.offer)
    assert call.talk(1) >= 48


def test_a_section_of_data_is_added_later() -> None:
    call = VirtualCall((PCMU,), caller_settings=PeerSettings((PCMU,), max_message_size=None))
    assert call.connect()
    before = call.gateway.connection.channels
    offer = call.caller.connection.make_offer()
    credentials = [line for line in offer.splitlines() if line.startswith(("a=ice-", "a=fing", "a=setup"))]
    data = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:1", "a=sctp-port:5000"]
    added = offer.replace("BUNDLE 0", "BUNDLE 0 1") + "\r\n".join([*data, *credentials, ""])
    call.gateway.connection.accept_offer_untrusted(added, call.network.now)
    assert before is None
    assert call.gateway.connection.channels is not None
    assert call.gateway.connected
