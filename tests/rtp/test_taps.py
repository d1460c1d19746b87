import random
from types import SimpleNamespace

import pytest
from glottis import AudioFrame
from glottis.rtp.payload import PlainReader, PlainWriter
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.sender import AudioSender
from glottis.wire.rtp import parse_rtp_untrusted


class Negation:
    """A tap that is easy to recognise, and notes what came."""

    def __init__(self, media: SimpleNamespace) -> None:
        self.timestamps: list[int] = []
        self._media = media

    def __call__(self, frame: AudioFrame) -> AudioFrame:
        self.timestamps.append(frame.timestamp)
        pcm = self._media.pcm_of(-value for value in self._media.values_of(frame.pcm))
        return AudioFrame(pcm, frame.sample_rate, frame.timestamp)


@pytest.fixture
def tap(media: SimpleNamespace) -> Negation:
    return Negation(media)


@pytest.mark.parametrize("encoded", [False, True])
def test_what_is_heard_passes_the_tap_whether_frames_are_read_or_packets(
    media: SimpleNamespace, tap: Negation, encoded: bool
) -> None:
    receiver = AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000, tap=tap)
    clockwork = media.Clockwork(receiver)
    for index, packet in enumerate(media.linear_stream(3)):
        clockwork.send(packet, index * 0.02)
    clockwork.run(0.1, encoded=encoded)
    assert tap.timestamps == [0, 160, 320]
    assert clockwork.heard() == ([] if encoded else [-value for value in range(480)])
    packets = [packet.payload for packets in clockwork.packets for packet in packets]
    assert packets == ([parse_rtp_untrusted(packet).payload for packet in media.linear_stream(3)] if encoded else [])


def test_what_is_said_passes_the_tap_before_it_is_encoded_and_its_time_goes_on_over_silence(
    media: SimpleNamespace, tap: Negation
) -> None:
    sender = AudioSender(
        ssrc=7,
        writer=PlainWriter(96),
        codec=media.linear_codec(),
        encoder=media.LinearEncoder(),
        sample_rate=8000,
        rng=random.Random(1),
        tap=tap,
    )
    sent = []
    for tick in range(10):
        if tick in (0, 5):
            sender.write(media.pcm_of([tick + 1] * 160))
        sent += [parse_rtp_untrusted(packet).payload for packet in sender.next_packets(tick * 0.02)]
    assert [media.values_of(payload)[0] for payload in sent] == [-1, -6]
    assert tap.timestamps == [0, 5 * 160]
