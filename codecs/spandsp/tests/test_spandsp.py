import random
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from glottis import CodecSpec, EncoderSettings, Malformed
from glottis.testing import CodecContract
from glottis_spandsp import G722, PCMA, PCMU, payload_duration_untrusted
from glottis_spandsp.plugin import register_codecs

Samples = npt.NDArray[np.int16]
Speech = Callable[[int], Samples]
Similarity = Callable[[Samples, Samples], float]
Frames = Callable[[Samples, int], Iterator[bytes]]

CODECS = [PCMU, PCMA, G722]
every_codec = pytest.mark.parametrize("spec", CODECS, ids=lambda spec: spec.encoding_name)


def samples_of(*pcm: bytes) -> Samples:
    return np.frombuffer(b"".join(pcm), np.int16)


def energy(pcm: bytes) -> float:
    return float((samples_of(pcm).astype(float) ** 2).mean())


@pytest.mark.slow
class TestPcmu(CodecContract):
    spec = PCMU


@pytest.mark.slow
class TestPcma(CodecContract):
    spec = PCMA


@pytest.mark.slow
class TestG722(CodecContract):
    spec = G722


def test_static_payload_types_and_clocks_are_those_of_rfc_3551() -> None:
    table = {spec.encoding_name: (spec.static_payload_type, spec.clock_rate) for spec in register_codecs()}
    assert table == {"PCMU": (0, 8000), "PCMA": (8, 8000), "G722": (9, 8000)}


@every_codec
@pytest.mark.parametrize("frame_ms", [10, 20, 60])
@pytest.mark.parametrize("sample_rate", PCMU.sample_rates)
def test_speech_survives_a_round_trip(
    speech: Speech, similarity: Similarity, frames: Frames, spec: CodecSpec, sample_rate: int, frame_ms: int
) -> None:
    encoder, decoder = spec.create_encoder(EncoderSettings(sample_rate, frame_ms)), spec.create_decoder(sample_rate)
    played = speech(sample_rate)
    heard = [decoder.decode(encoder.encode(frame)) for frame in frames(played, sample_rate * frame_ms // 1000)]
    # G.711 has nothing above 4 kHz, and the speech has: at higher rates, that part is lost.
    assert similarity(played, samples_of(*heard)) > (0.99 if spec is G722 or sample_rate == 8000 else 0.95)


@every_codec
@pytest.mark.parametrize("decoder_rate", PCMU.sample_rates)
@pytest.mark.parametrize("encoder_rate", PCMU.sample_rates)
def test_both_ends_may_work_at_different_rates(
    speech: Speech, similarity: Similarity, frames: Frames, spec: CodecSpec, encoder_rate: int, decoder_rate: int
) -> None:
    encoder, decoder = spec.create_encoder(EncoderSettings(encoder_rate)), spec.create_decoder(decoder_rate)
    heard = [decoder.decode(encoder.encode(frame)) for frame in frames(speech(encoder_rate), encoder_rate // 50)]
    assert similarity(speech(decoder_rate), samples_of(*heard)) > 0.95


@pytest.mark.parametrize("spec", [PCMU, PCMA])
def test_g711_at_its_own_rate_reaches_telephone_quality(speech: Speech, frames: Frames, spec: CodecSpec) -> None:
    encoder, decoder = spec.create_encoder(EncoderSettings(8000)), spec.create_decoder(8000)
    played = speech(8000).astype(float)
    heard = samples_of(*(decoder.decode(encoder.encode(frame)) for frame in frames(speech(8000), 160))).astype(float)
    assert 10 * np.log10((played**2).sum() / ((played - heard) ** 2).sum()) > 35


@every_codec
@pytest.mark.parametrize("sample_rate", PCMU.sample_rates)
@pytest.mark.parametrize("sample_count", [1, 2, 3, 7, 159, 160, 161, 1000, 20_000])
def test_gap_of_any_length_is_filled_exactly(spec: CodecSpec, sample_rate: int, sample_count: int) -> None:
    decoder = spec.create_decoder(sample_rate)
    decoder.decode(bytes(range(160)))
    assert len(decoder.conceal(sample_count)) == 2 * sample_count
    assert len(decoder.decode_fec(bytes(160), sample_count)) == 2 * sample_count


@every_codec
@pytest.mark.parametrize("sample_rate", PCMU.sample_rates)
def test_concealment_goes_on_from_the_sound_and_fades(
    speech: Speech, frames: Frames, spec: CodecSpec, sample_rate: int
) -> None:
    encoder, decoder = spec.create_encoder(EncoderSettings(sample_rate)), spec.create_decoder(sample_rate)
    last = 0.0
    for frame in frames(speech(sample_rate), sample_rate // 50):
        last = energy(decoder.decode(encoder.encode(frame)))
        if last > 2000**2:
            break
    assert last > 2000**2
    concealed = [energy(decoder.conceal(sample_rate // 50)) for _ in range(5)]
    assert concealed[0] > 0.1 * last
    assert concealed[4] == 0


def low_voice(sample_rate: int) -> Samples:
    """A second of a man who speaks low: 85 Hz, with all harmonics up to 3 kHz, the higher the softer."""
    time = np.arange(sample_rate) / sample_rate
    harmonics = np.arange(1, 36)[:, None]
    voice = np.sin(2 * np.pi * 85 * harmonics * time + harmonics**2) / harmonics
    samples: Samples = (voice.sum(axis=0) * 6000).astype(np.int16)
    return samples


def share_lost(spec: CodecSpec, sample_rate: int, played: Samples, *, knows_next: bool) -> float:
    """Of the energy of the speech, where each fifth packet of 20 ms is lost; and of the packets after these."""
    encoder = spec.create_encoder(EncoderSettings(sample_rate))
    decoder, lossy = spec.create_decoder(sample_rate), spec.create_decoder(sample_rate)
    size = sample_rate // 50
    payloads = [encoder.encode(played[start:][:size].tobytes()) for start in range(0, len(played) - size + 1, size)]
    wrong, whole = 0.0, 0.0
    for index, payload in enumerate(payloads[:-1]):
        wanted = samples_of(decoder.decode(payload)).astype(float)
        if index % 5 != 4:
            heard = lossy.decode(payload)
        else:
            heard = lossy.decode_fec(payloads[index + 1], size) if knows_next else lossy.conceal(size)
        if index > 10 and index % 5 in (4, 0):
            wrong += ((wanted - samples_of(heard)) ** 2).sum()
            whole += (wanted**2).sum()
    return wrong / whole


@every_codec
@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_a_low_voice_goes_on_as_if_nothing_were_lost(spec: CodecSpec, sample_rate: int) -> None:
    assert share_lost(spec, sample_rate, low_voice(sample_rate), knows_next=False) < 0.2
    assert share_lost(spec, sample_rate, low_voice(sample_rate), knows_next=True) < 0.2


@every_codec
@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_what_comes_next_makes_a_gap_smaller(speech: Speech, spec: CodecSpec, sample_rate: int) -> None:
    forward = share_lost(spec, sample_rate, speech(sample_rate), knows_next=False)
    bridged = share_lost(spec, sample_rate, speech(sample_rate), knows_next=True)
    assert bridged < 0.95 * forward < 0.6


@every_codec
def test_fuzz_decode_fec(spec: CodecSpec) -> None:
    """``decode_fec`` raises nothing, whatever the next payload and the gap are, and fills the gap exactly."""
    rng = random.Random(1957)
    decoder = spec.create_decoder(48000)
    for _ in range(300):
        payload = rng.randbytes(rng.choice((0, 1, 2, rng.randrange(200), rng.randrange(2000))))
        count = rng.choice((1, 7, 960, rng.randrange(30000)))
        assert len(decoder.decode_fec(payload, count)) == 2 * count
        if rng.random() < 0.5 and 0 < len(payload) <= 1600:
            decoder.decode(payload)


@every_codec
def test_settings_out_of_range_are_refused_by_name(spec: CodecSpec) -> None:
    with pytest.raises(ValueError, match="got 44100 Hz"):
        spec.create_encoder(EncoderSettings(44100))
    with pytest.raises(ValueError, match=r"got 2\.5 ms"):
        spec.create_encoder(EncoderSettings(16000, 2.5))
    with pytest.raises(ValueError, match="got 44100 Hz"):
        spec.create_decoder(44100)
    with pytest.raises(ValueError, match="expected 320 samples of 16 bits, got 2 bytes"):
        spec.create_encoder(EncoderSettings(16000)).encode(b"\0\0")


@every_codec
def test_payload_lasts_one_tick_per_byte_up_to_200_ms(spec: CodecSpec) -> None:
    assert [spec.payload_duration_untrusted(bytes(size)) for size in (1, 80, 160, 1600)] == [1, 80, 160, 1600]
    for size in (0, 1601):
        with pytest.raises(Malformed, match=f"not {size}"):
            spec.payload_duration_untrusted(bytes(size))
        with pytest.raises(Malformed, match=f"not {size}"):
            spec.create_decoder(16000).decode(bytes(size))


@every_codec
@pytest.mark.parametrize("sample_rate", PCMU.sample_rates)
def test_fuzz_decode(spec: CodecSpec, sample_rate: int) -> None:
    """``decode`` and ``payload_duration_untrusted`` raise ``Malformed`` and nothing else, whatever the bytes."""
    rng = random.Random(3551)
    decoder = spec.create_decoder(sample_rate)
    for _ in range(300):
        payload = rng.randbytes(rng.choice((0, 1, rng.randrange(200), rng.randrange(2000))))
        try:
            assert len(decoder.decode(payload)) == 2 * payload_duration_untrusted(payload) * sample_rate // 8000
        except Malformed:
            assert len(payload) in (0, *range(1601, 2000))
        if rng.random() < 0.3:
            decoder.conceal(rng.randrange(2000))
