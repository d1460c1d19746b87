import itertools
import random
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from glottis import EncoderSettings, Malformed
from glottis.testing import CodecContract
from glottis_opus import OPUS, OpusDecoder, OpusEncoder, payload_duration_untrusted

Samples = npt.NDArray[np.int16]
Speech = Callable[[int], Samples]
Similarity = Callable[[Samples, Samples], float]
Frames = Callable[[Samples, int], Iterator[bytes]]

WANTS_FEC = {"useinbandfec": "1"}


def samples_of(*pcm: bytes) -> Samples:
    return np.frombuffer(b"".join(pcm), np.int16)


def energy(pcm: bytes) -> float:
    return float((samples_of(pcm).astype(float) ** 2).mean())


@pytest.mark.slow
class TestContract(CodecContract):
    spec = OPUS


@pytest.mark.parametrize("sample_rate", OPUS.sample_rates)
@pytest.mark.parametrize("frame_ms", [10, 20, 60])
def test_speech_survives_a_round_trip(
    speech: Speech, similarity: Similarity, frames: Frames, sample_rate: int, frame_ms: float
) -> None:
    played = speech(sample_rate)
    encoder, decoder = OpusEncoder(EncoderSettings(sample_rate, frame_ms)), OpusDecoder(sample_rate)
    frame_samples = round(sample_rate * frame_ms / 1000)
    heard = samples_of(*(decoder.decode(encoder.encode(frame)) for frame in frames(played, frame_samples)))
    assert similarity(played, heard) > 0.9


@pytest.mark.parametrize("sample_rate", OPUS.sample_rates)
def test_packets_of_any_rate_decode_to_any_other(
    speech: Speech, similarity: Similarity, frames: Frames, sample_rate: int
) -> None:
    encoder, decoder = OpusEncoder(EncoderSettings(16000)), OpusDecoder(sample_rate)
    heard = samples_of(*(decoder.decode(encoder.encode(frame)) for frame in frames(speech(16000), 320)))
    assert similarity(speech(sample_rate), heard) > 0.9


def test_bitrate_is_followed(speech: Speech, frames: Frames) -> None:
    encoder = OpusEncoder(EncoderSettings(16000))
    sizes = {}
    for bitrate in (12000, 32000):
        encoder.set_bitrate(bitrate)
        sizes[bitrate] = sum(len(encoder.encode(frame)) for frame in frames(speech(16000), 320))
    assert 2 < sizes[32000] / sizes[12000] < 4


def test_complexity_changes_in_the_middle_of_a_stream_and_nothing_else_does(
    speech: Speech, similarity: Similarity, frames: Frames
) -> None:
    played = speech(16000)
    unchanged, encoder, decoder = (
        OpusEncoder(EncoderSettings(16000, complexity=9)),
        OpusEncoder(EncoderSettings(16000, complexity=9)),
        OpusDecoder(16000),
    )
    before: list[tuple[bytes, bytes]] = []
    after: list[tuple[bytes, bytes]] = []
    heard = []
    for number, frame in enumerate(frames(played, 320)):
        if number == 50:
            encoder.set_complexity(0)
        packets = before if number < 50 else after
        packets.append((unchanged.encode(frame), encoder.encode(frame)))
        heard.append(decoder.decode(packets[-1][1]))
    assert all(one == other for one, other in before)
    assert any(one != other for one, other in after)
    assert {payload_duration_untrusted(packet) for _, packet in after} == {960}
    assert similarity(played, samples_of(*heard)) > 0.9


def test_complexities_beyond_those_of_opus_are_the_nearest_ones(speech: Speech, frames: Frames) -> None:
    packets = {}
    for complexity in (-1, 0, 10, 11):
        encoder = OpusEncoder(EncoderSettings(16000))
        encoder.set_complexity(complexity)
        packets[complexity] = [encoder.encode(frame) for frame in frames(speech(16000), 320)]
    assert packets[-1] == packets[0] != packets[10] == packets[11]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (EncoderSettings(44100), "not from 44100 Hz"),
        (EncoderSettings(16000, frame_ms=30), "not of 30 ms"),
        (EncoderSettings(16000, complexity=11), "not 11"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings: EncoderSettings, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        OpusEncoder(settings)


def test_impossible_decoder_rate_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="not to 44100 Hz"):
        OpusDecoder(44100)


def test_wrong_sample_count_is_refused_with_expected_and_actual() -> None:
    with pytest.raises(ValueError, match="expected 320 samples of 16 bits, got 638 bytes"):
        OpusEncoder(EncoderSettings(16000)).encode(bytes(638))


class TestLoss:
    LOSS = 0.2

    def recovered(self, speech: Speech, frames: Frames, remote: dict[str, str]) -> tuple[Samples, Samples, list[int]]:
        """What was decoded without loss, what with 20 % loss and FEC decode, and the lost frames' indices."""
        encoder = OpusEncoder(EncoderSettings(16000, expected_loss=self.LOSS, remote_parameters=remote))
        packets = [encoder.encode(frame) for frame in frames(speech(16000), 320)]
        rng = random.Random(7)
        lost = [index for index in range(10, len(packets) - 1) if rng.random() < self.LOSS]
        clean, lossy = OpusDecoder(16000), OpusDecoder(16000)
        heard = [
            lossy.decode_fec(packets[index + 1], 320) if index in lost else lossy.decode(packet)
            for index, packet in enumerate(packets)
        ]
        return samples_of(*map(clean.decode, packets)), samples_of(*heard), lost

    def damage(self, speech: Speech, frames: Frames, remote: dict[str, str]) -> float:
        """The share of energy that is wrong in the lost frames."""
        clean, heard, lost = self.recovered(speech, frames, remote)
        where = np.concatenate([np.arange(index * 320, index * 320 + 320) for index in lost])
        wanted, got = clean[where].astype(float), heard[where].astype(float)
        return float(((wanted - got) ** 2).sum() / (wanted**2).sum())

    def test_fec_restores_lost_frames_far_better_than_concealment(self, speech: Speech, frames: Frames) -> None:
        with_fec, without = self.damage(speech, frames, WANTS_FEC), self.damage(speech, frames, {})
        assert with_fec < 0.5 * without

    def test_no_fec_is_spent_on_a_receiver_that_does_not_use_it(self, speech: Speech, frames: Frames) -> None:
        sizes = []
        for remote in (WANTS_FEC, {}, {"useinbandfec": "0"}):
            encoder = OpusEncoder(EncoderSettings(16000, expected_loss=0.2, complexity=0, remote_parameters=remote))
            decoder = OpusDecoder(16000)
            packets = [encoder.encode(frame) for frame in frames(speech(16000), 320)]
            fec = [decoder.decode_fec(packet, 320) for packet in packets]  # every other packet taken as lost
            sizes.append(energy(b"".join(fec)))
        assert sizes[1] == sizes[2] == 0 < sizes[0]

    @pytest.mark.parametrize("frame_ms", [10, 20, 40, 60])
    @pytest.mark.parametrize("rate", [16000, 48000])
    def test_a_packet_is_said_to_hold_the_frame_before_it_if_that_can_be_decoded_of_it(
        self, speech: Speech, frames: Frames, rate: int, frame_ms: int
    ) -> None:
        settings = EncoderSettings(
            rate, frame_ms, expected_loss=self.LOSS, bitrate=40000, complexity=0, remote_parameters=WANTS_FEC
        )
        encoder, size = OpusEncoder(settings), rate * frame_ms // 1000
        packets = [encoder.encode(frame) for frame in frames(speech(rate), size)]
        holding = [any(OpusDecoder(16000).decode_fec(packet, 16 * frame_ms)) for packet in packets]
        assert [OPUS.has_redundancy(packet) for packet in packets] == holding
        assert any(holding)

    def test_gap_longer_than_the_fec_is_filled_with_both(self, speech: Speech, frames: Frames) -> None:
        settings = EncoderSettings(16000, expected_loss=0.2, remote_parameters=WANTS_FEC)
        encoder, clean, lossy = OpusEncoder(settings), OpusDecoder(16000), OpusDecoder(16000)
        packets = [encoder.encode(frame) for frame in frames(speech(16000), 320)]
        decoded = [clean.decode(packet) for packet in packets]
        index = max(range(10, len(decoded) - 1), key=lambda i: energy(decoded[i]))
        for packet in packets[: index - 2]:
            lossy.decode(packet)
        filled = lossy.decode_fec(packets[index + 1], 3 * 320)
        wanted, got = samples_of(decoded[index]).astype(float), samples_of(filled)[-320:].astype(float)
        assert len(filled) == 2 * 3 * 320
        assert (wanted * got).sum() / np.sqrt((wanted**2).sum() * (got**2).sum()) > 0.7

    @pytest.mark.parametrize("sample_count", [1, 39, 40, 41, 320, 1000, 1920, 5000])
    def test_gap_of_any_length_is_filled_exactly(self, speech: Speech, frames: Frames, sample_count: int) -> None:
        encoder, decoder = OpusEncoder(EncoderSettings(16000)), OpusDecoder(16000)
        packet = [encoder.encode(frame) for frame in frames(speech(16000), 320)][50]
        assert len(decoder.conceal(sample_count)) == 2 * sample_count
        for next_payload in (packet, b"", b"\xff\xff\xff"):
            assert len(decoder.decode_fec(next_payload, sample_count)) == 2 * sample_count

    def test_concealment_goes_on_from_the_sound_and_fades(self, speech: Speech, frames: Frames) -> None:
        encoder, decoder = OpusEncoder(EncoderSettings(16000)), OpusDecoder(16000)
        loud = False
        for frame in frames(speech(16000), 320):
            last = decoder.decode(encoder.encode(frame))
            if loud := energy(last) > 1000**2:
                break
        assert loud
        concealed = [energy(decoder.conceal(320)) for _ in range(25)]
        assert concealed[0] > 0.1 * energy(last)
        assert max(concealed[20:]) < 0.05 * concealed[0]


class TestDiscontinuousTransmission:
    def sent(self, **settings: object) -> list[int]:
        """Which of the frames of two seconds of silence are sent."""
        encoder = OpusEncoder(EncoderSettings(16000, **settings))  # type: ignore[arg-type]
        return [index for index in range(100) if encoder.encode(bytes(640))]

    def test_silence_is_not_sent_but_refreshed_every_400_ms(self) -> None:
        sent = self.sent(dtx=True)
        assert len(sent) < 20
        refreshed = sent[-3:]
        assert [later - earlier for earlier, later in itertools.pairwise(refreshed)] == [21, 21]

    def test_without_dtx_every_frame_is_sent(self) -> None:
        assert self.sent() == list(range(100))

    def test_receiver_that_asks_for_dtx_gets_it(self) -> None:
        assert len(self.sent(remote_parameters={"usedtx": "1"})) < 20

    def test_receiver_that_refuses_dtx_gets_every_frame(self) -> None:
        assert len(self.sent(dtx=True, remote_parameters={"usedtx": "0"})) == 100

    def test_speech_is_sent(self, speech: Speech, frames: Frames) -> None:
        encoder = OpusEncoder(EncoderSettings(16000, dtx=True))
        loud = [(encoder.encode(frame), energy(frame)) for frame in frames(speech(16000), 320)]
        assert all(packet for packet, level in loud if level > 1000**2)


class TestAnyPacket:
    def test_packet_of_120_ms_is_decoded_whole(self, speech: Speech, frames: Frames) -> None:
        encoder = OpusEncoder(EncoderSettings(16000, 60, remote_parameters={"cbr": "1"}))
        first, second = [encoder.encode(frame) for frame in frames(speech(16000), 960)][10:12]
        assert len(first) == len(second)
        packet = bytes([first[0] & 0xFC | 1]) + first[1:] + second[1:]  # code 1: two frames of equal size
        assert payload_duration_untrusted(packet) == 5760
        assert len(OpusDecoder(16000).decode(packet)) == 2 * 1920

    def test_stereo_flag_is_mixed_down_to_mono(self) -> None:
        # A CELT packet of one frame, fullband, 20 ms, stereo, of zero bytes: all silence, but the TOC is obeyed.
        assert len(OpusDecoder(48000).decode(bytes([31 << 3 | 4]) + bytes(20))) == 2 * 960

    def test_durations_may_change_from_packet_to_packet(self, speech: Speech) -> None:
        decoder = OpusDecoder(48000)
        for frame_ms in (*OPUS.frame_durations_ms, *reversed(OPUS.frame_durations_ms)):
            count = round(48 * frame_ms)
            packet = OpusEncoder(EncoderSettings(48000, frame_ms)).encode(speech(48000)[:count].tobytes())
            assert len(decoder.decode(packet)) == 2 * count

    def test_empty_payload_is_malformed_and_not_taken_for_a_loss(self) -> None:
        with pytest.raises(Malformed, match="not 0"):
            OpusDecoder(48000).decode(b"")

    def test_fuzz_decode(self, speech: Speech, frames: Frames) -> None:
        """``decode`` raises ``Malformed`` and nothing else, whatever the bytes; ``decode_fec`` raises nothing."""
        rng = random.Random(7587)
        encoder = OpusEncoder(EncoderSettings(16000, expected_loss=0.2, remote_parameters=WANTS_FEC))
        packets = [encoder.encode(frame) for frame in frames(speech(16000), 320)]
        decoder = OpusDecoder(16000)
        for _ in range(5000):
            payload = bytearray(rng.choice(packets))
            for _ in range(rng.randrange(5)):
                payload[rng.randrange(len(payload))] = rng.randrange(256)
            mutant = bytes(payload[: rng.randrange(len(payload) + 1)] if rng.random() < 0.3 else payload)
            assert len(decoder.decode_fec(mutant, 320)) == 640
            try:
                assert 3 * len(decoder.decode(mutant)) == 2 * payload_duration_untrusted(mutant)
            except Malformed:
                continue


def test_encoder_that_has_nothing_to_say_takes_no_memory(resident_kib: Callable[[], int]) -> None:
    def silent_encoders(number: int) -> list[OpusEncoder]:
        return [OpusEncoder(EncoderSettings(16000)) for _ in range(number)]

    waiting = silent_encoders(10)
    before = resident_kib()
    waiting += silent_encoders(500)  # of 44 KiB, if they had libopus' state
    assert resident_kib() - before < 500 * 5
