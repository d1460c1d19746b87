"""What listens in on the packets of a call is told of those that are sent, and of those that are heard."""

from types import SimpleNamespace

import pytest
from glottis import CodecSpec, EncodedPacket
from glottis.rtp.payload import PlainReader
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.sender import AudioSender
from glottis.wire.rtp import parse_rtp_untrusted


class Watch:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.packets: list[EncodedPacket] = []
        self.codecs: list[CodecSpec] = []

    def __call__(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        self.packets.append(packet)
        self.codecs.append(codec)


def test_packets_that_are_sent_are_told_with_their_time(media: SimpleNamespace, linear_sender: AudioSender) -> None:
    watch = linear_sender.watch = Watch()
    linear_sender.write(media.pcm_of(range(320)))
    sent = [parse_rtp_untrusted(data) for now in (0.0, 0.02) for data in linear_sender.next_packets(now)]
    assert [packet.payload for packet in watch.packets] == [packet.payload for packet in sent]
    assert [packet.rtp_timestamp for packet in watch.packets] == [packet.timestamp for packet in sent]
    assert [packet.duration for packet in watch.packets] == [160, 160]
    assert {codec.encoding_name for codec in watch.codecs} == {"linear"}


@pytest.mark.parametrize("is_relayed", [False, True])
def test_packets_that_are_heard_are_told_whether_they_are_decoded_or_not(
    is_relayed: bool, media: SimpleNamespace, linear_sender: AudioSender
) -> None:
    watch = Watch()
    clockwork = media.Clockwork(AudioReceiver({96: PlainReader(media.linear_codec())}, sample_rate=8000, watch=watch))
    for index in range(10):
        linear_sender.write(media.pcm_of([index + 1] * 160))
        for packet in linear_sender.next_packets(0.02 * index):
            clockwork.send(packet, 0.02 * index)
        clockwork.run(0.02, encoded=is_relayed)
    told = [media.values_of(packet.payload)[0] for packet in watch.packets]
    assert told == list(range(1, len(told) + 1))
    assert len(told) >= 8
