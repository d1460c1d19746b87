import random
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace

import pytest
from glottis import CodecSpec, Malformed
from glottis.rtp.payload import BufferedPacket, PlainReader, PlainWriter
from glottis.rtp.receiver import AudioReceiver
from glottis.rtp.sender import AudioSender
from glottis.wire.rtp import parse_rtp_untrusted
from hypothesis import given
from hypothesis import strategies as st


class TwiceReader:
    """Each payload holds its frame and, before it, the one of the packet before; the audio of RED in small."""

    def __init__(self, codec: CodecSpec) -> None:
        self.clock_rate = codec.clock_rate
        self._plain = PlainReader(codec)

    def read_untrusted(
        self, payload: bytes, sequence: int, timestamp: int, now: float, audio_level: int | None = None
    ) -> Sequence[BufferedPacket]:
        before, frame = payload[: len(payload) // 2], payload[len(payload) // 2 :]
        earlier = self._plain.read_untrusted(before, sequence - 1, timestamp - 160, now)
        return [*earlier, *self._plain.read_untrusted(frame, sequence, timestamp, now)]


class TwiceWriter:
    """Writes what ``TwiceReader`` reads."""

    payload_type = 97

    def __init__(self) -> None:
        self._before = bytes(320)

    def write(self, payload: bytes, timestamp: int) -> bytes:
        before, self._before = self._before, payload
        return before + payload


class SilentReader:
    """Of a payload type that holds no audio, as telephone events do."""

    clock_rate = 8000

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def read_untrusted(
        self, payload: bytes, sequence: int, timestamp: int, now: float, audio_level: int | None = None
    ) -> Sequence[BufferedPacket]:
        self.payloads.append(payload)
        return ()


def test_plain_payload_is_one_packet_as_it_came(media: SimpleNamespace) -> None:
    codec = media.linear_codec()
    assert PlainReader(codec).read_untrusted(bytes(320), 70000, 1234567, 1.5) == (
        BufferedPacket(70000, 1234567, 160, bytes(320), codec, 1.5),
    )
    assert PlainWriter(96).write(b"frame", 0) == b"frame"


def test_payload_of_padding_alone_holds_no_audio(media: SimpleNamespace) -> None:
    assert PlainReader(media.linear_codec()).read_untrusted(b"", 1, 160, 0.0) == ()


@pytest.mark.parametrize("payload", [bytes(3), bytes(2 * 1601)])
def test_payload_of_no_frame_or_of_more_than_200_ms_is_malformed(media: SimpleNamespace, payload: bytes) -> None:
    with pytest.raises(Malformed):
        PlainReader(media.linear_codec()).read_untrusted(payload, 1, 160, 0.0)


def test_reader_and_writer_of_one_payload_type_may_carry_what_was_lost(media: SimpleNamespace) -> None:
    codec = media.linear_codec()
    clockwork = media.Clockwork(AudioReceiver({97: TwiceReader(codec)}, sample_rate=8000))
    sender = AudioSender(
        ssrc=7, writer=TwiceWriter(), codec=codec, encoder=media.LinearEncoder(), sample_rate=8000, rng=random.Random(1)
    )
    sender.write(media.pcm_of(range(1, 1601)))
    for index in range(10):
        for packet in sender.next_packets(index * 0.02):
            if index % 3 != 1:
                clockwork.send(packet, index * 0.02)
    clockwork.run(0.3)
    assert [value for value in clockwork.heard() if value > 0] == list(range(1, 1601))
    assert clockwork.receiver.statistics.packets_discarded == 0


def test_payload_without_audio_reaches_its_reader_and_counts_neither_as_lost_nor_as_unknown(
    media: SimpleNamespace,
) -> None:
    events = SilentReader()
    codec = media.linear_codec()
    clockwork = media.Clockwork(AudioReceiver({96: PlainReader(codec), 101: events}, sample_rate=8000))
    stream = media.linear_stream(3)
    stream[1] = media.linear_stream(1, sequence=101, timestamp=5000, payload_type=101)[0]
    for index, packet in enumerate(stream):
        clockwork.send(packet, index * 0.02)
    clockwork.run(0.1, encoded=True)
    assert [packet.lost_before for packets in clockwork.packets for packet in packets] == [0, 0]
    assert events.payloads == [parse_rtp_untrusted(stream[1]).payload]
    assert clockwork.receiver.statistics.packets_unknown == 0


@given(st.binary(max_size=500))
def test_fuzz_read_untrusted_raises_only_malformed(media: SimpleNamespace, payload: bytes) -> None:
    with suppress(Malformed):
        PlainReader(media.linear_codec()).read_untrusted(payload, 1, 160, 0.0)
