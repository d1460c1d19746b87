"""What a client declares of its audio, and what is made of it."""

import math
import struct
from contextlib import suppress
from typing import Any

import pytest
from glottis import AudioPreference, CallInfo, CodecSpec, EncoderSettings, Malformed
from glottis.calls.websocket import Formats
from glottis.calls.websocket.pcm import pcm_codec
from glottis.signaling.errors import Rejected
from glottis.signaling.session_request import CODECS
from glottis_spandsp.resampler import SpeexResampling
from hypothesis import example, given
from hypothesis import strategies as st
from support.audio import from_pcm, similarity
from support.installed import installed_plugins
from support.phone import TONE

RATE = 16000
PCM = AudioPreference("PCM", RATE)
INSTALLED = [entry.spec for entry in installed_plugins().codecs]


def declare(heard: AudioPreference = PCM, spoken: AudioPreference = PCM, *, resamples: bool = True) -> dict[str, Any]:
    formats = Formats(INSTALLED, SpeexResampling() if resamples else None)
    return formats.declared_untrusted(CallInfo("s", "c", input=heard, output=spoken), RATE).document()


def test_both_directions_are_as_they_were_declared() -> None:
    output = AudioPreference("OPUS", 48000, frame_ms=60)
    assert declare(AudioPreference("PCM", 8000, bits_per_sample=8), output) == {
        "input": {"codec": "PCM", "sampleRate": 8000, "bitsPerSample": 8, "channels": 1},
        "output": {"codec": "OPUS", "sampleRate": 48000, "channels": 1, "frameDurationMs": 60},
    }


@pytest.mark.parametrize("name", CODECS)
def test_each_codec_can_be_had_without_naming_a_rate(name: str) -> None:
    wish = AudioPreference(name, CODECS[name])
    assert declare(wish, wish)["output"]["codec"] == name


@pytest.mark.parametrize(
    ("wish", "code", "sentence"),
    [
        (AudioPreference("PCM", 11025), "INVALID_FIELD", "audioConfig.input.sampleRate: expected one of 8000, 12000, "),
        (AudioPreference("PCMU", 48000), "INVALID_FIELD", "audioConfig.input.sampleRate: expected 8000 for PCMU"),
        (AudioPreference("G722", 8000), "INVALID_FIELD", "audioConfig.input.sampleRate: expected 16000 for G722"),
        (
            AudioPreference("OPUS", 44100),
            "INVALID_FIELD",
            "audioConfig.input.sampleRate: expected one of 8000, 12000, ",
        ),
        (
            AudioPreference("PCM", RATE, 24),
            "INVALID_FIELD",
            "audioConfig.input.bitsPerSample: expected one of 8, 16, 32",
        ),
        (AudioPreference("PCM", RATE, 16, 2), "INVALID_FIELD", "audioConfig.input.channels: expected 1, mix "),
    ],
)
def test_what_is_not_to_be_had_is_refused_by_field(wish: AudioPreference, code: str, sentence: str) -> None:
    with pytest.raises(Rejected) as raised:
        declare(wish)
    assert raised.value.code == code
    assert str(raised.value).startswith(sentence)


def test_without_a_resampler_pcm_has_the_agents_rate() -> None:
    assert declare(resamples=False)["input"]["sampleRate"] == RATE
    with pytest.raises(Rejected, match="sampleRate: expected 16000 for PCM, as this campaign's agent has it"):
        declare(AudioPreference("PCM", 48000), resamples=False)


def test_a_codec_that_is_not_enabled_is_refused_with_those_that_are() -> None:
    formats = Formats([codec for codec in INSTALLED if codec.encoding_name == "PCMA"], None)
    with pytest.raises(Rejected, match=r"audioConfig.input.codec: expected one of PCMA, PCM$"):
        formats.declared_untrusted(CallInfo("s", "c"), RATE)


@given(
    st.sampled_from(sorted(CODECS)),
    st.integers(8000, 48000) | st.sampled_from([8000, 16000, 44100, 48000]),
    st.integers(8, 32),
    st.integers(1, 2),
    st.none() | st.floats(2.5, 120),
)
def test_any_declaration_is_used_or_refused(
    codec: str, rate: int, bits: int, channels: int, frame_ms: float | None
) -> None:
    """Of ``declared_untrusted``, which raises ``Rejected``, a ``Malformed``, and nothing else."""
    wish = AudioPreference(codec, rate, bits, channels, frame_ms)
    with suppress(Rejected):
        assert declare(wish, wish)["output"]["frameDurationMs"] <= max(frame_ms or 0, 20)


# The samples of uncompressed audio


def there_and_back(codec: CodecSpec, pcm: bytes) -> tuple[bytes, bytes]:
    wire = codec.create_encoder(EncoderSettings(sample_rate=RATE)).encode(pcm)
    return wire, codec.create_decoder(RATE).decode(wire)


def test_16_bits_stay_as_they_are() -> None:
    assert there_and_back(pcm_codec(RATE, 16, None), TONE) == (TONE, TONE)


def test_8_bits_are_unsigned_with_the_zero_in_the_middle() -> None:
    samples = struct.pack("<4h", 0, -32768, 32767, 256)
    wire, back = there_and_back(pcm_codec(RATE, 8, None), samples)
    assert wire == bytes([128, 0, 255, 129])
    assert struct.unpack("<4h", back) == (0, -32768, 32512, 256)


def test_32_bits_are_floats_up_to_one() -> None:
    samples = struct.pack("<4h", 0, -32768, 16384, 32767)
    wire, back = there_and_back(pcm_codec(RATE, 32, None), samples)
    assert struct.unpack("<4f", wire) == (0, -1, 0.5, pytest.approx(1, abs=1e-4))
    assert back == samples


def test_floats_out_of_range_are_clipped_and_what_is_no_number_is_silence() -> None:
    wire = struct.pack("<8f", 1.0, -1.5, 1e30, math.inf, -math.inf, math.nan, 0.25, -0.25)
    pcm = pcm_codec(RATE, 32, None).create_decoder(RATE).decode(wire)
    assert struct.unpack("<8h", pcm) == (32767, -32768, 32767, 32767, -32768, 0, 8192, -8192)


@given(st.binary(max_size=4000), st.sampled_from([8, 16, 32]))
@example(b"\x00\x00\xc0\x7f" * 160, 32)
def test_any_bytes_are_samples_or_malformed(data: bytes, bits: int) -> None:
    """Of ``_duration_untrusted``, which raises ``Malformed``; what it lets pass is decoded whatever it is."""
    codec = pcm_codec(RATE, bits, None)
    try:
        samples = codec.payload_duration_untrusted(data)
    except Malformed:
        assert len(data) % (bits // 8)
    else:
        assert len(codec.create_decoder(RATE).decode(data)) == 2 * samples


@pytest.mark.parametrize("rate", [8000, 12000, 24000, 32000, 44100, 48000])
def test_other_rates_are_converted_without_a_sample_lost(rate: int) -> None:
    codec = pcm_codec(rate, 16, SpeexResampling())
    encoder, decoder = codec.create_encoder(EncoderSettings(sample_rate=RATE)), codec.create_decoder(RATE)
    wire = [encoder.encode(TONE) for _ in range(50)]
    assert {len(message) for message in wire} == {2 * rate // 50}
    pcm = b"".join(map(decoder.decode, wire))
    assert len(pcm) == 50 * len(TONE)
    assert similarity(from_pcm(pcm), from_pcm(10 * TONE), RATE, window=0.1) > 0.99


def test_a_gap_fades_from_the_last_sample_to_silence() -> None:
    decoder = pcm_codec(RATE, 16, None).create_decoder(RATE)
    decoder.decode(struct.pack("<2h", 0, 10000))
    gap = struct.unpack("<320h", decoder.conceal(320))
    assert 9000 < gap[0] < 10000
    assert sorted(gap, reverse=True) == list(gap)
    assert set(gap[64:]) == {0}
    assert decoder.decode_fec(b"", 3) == bytes(6)
