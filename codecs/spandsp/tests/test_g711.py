"""G.711 against the law itself: ITU-T G.711 gives the decoder's values in closed form."""

import numpy as np
import numpy.typing as npt
import pytest
from glottis import CodecSpec, EncoderSettings
from glottis_spandsp import PCMA, PCMU

EVERY_CODE = bytes(range(160)), bytes(range(96, 256))  # two payloads of 20 ms hold all codes


def ulaw_value(code: int) -> int:
    """Table 2 of G.711, scaled from 14 to 16 bits: sign, three bits of segment, four of step, all inverted."""
    inverted = code ^ 0xFF
    segment, step = inverted >> 4 & 7, inverted & 15
    magnitude = ((2 * step + 33) << segment) - 33
    return 4 * (-magnitude if inverted & 0x80 else magnitude)


def alaw_value(code: int) -> int:
    """Table 1 of G.711, scaled from 13 to 16 bits: sign, three bits of segment, four of step, even bits inverted."""
    toggled = code ^ 0x55
    segment, step = toggled >> 4 & 7, toggled & 15
    magnitude = (2 * step + 33) << (segment - 1) if segment else 2 * step + 1
    return 8 * (magnitude if toggled & 0x80 else -magnitude)


LAWS = [(PCMU, ulaw_value), (PCMA, alaw_value)]


def encoded(spec: CodecSpec, samples: npt.NDArray[np.int16]) -> bytes:
    padded = np.zeros(-(-len(samples) // 160) * 160, np.int16)
    padded[: len(samples)] = samples
    encoder = spec.create_encoder(EncoderSettings(8000))
    return b"".join(encoder.encode(frame.tobytes()) for frame in padded.reshape(-1, 160))[: len(samples)]


@pytest.mark.parametrize(("spec", "value"), LAWS)
def test_every_code_decodes_to_the_value_of_the_law(spec: CodecSpec, value: object) -> None:
    for codes in EVERY_CODE:
        decoded = np.frombuffer(spec.create_decoder(8000).decode(codes), np.int16)
        assert decoded.tolist() == [value(code) for code in codes]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("spec", "sample", "code"),
    [
        (PCMU, 0, 0xFF),
        (PCMU, 32767, 0x80),
        (PCMU, -32768, 0x00),
        (PCMU, 1000, 0xCE),
        (PCMA, 0, 0xD5),
        (PCMA, 32767, 0xAA),
        (PCMA, -32768, 0x2A),
        (PCMA, 1000, 0xFA),
    ],
)
def test_known_samples_encode_to_known_codes(spec: CodecSpec, sample: int, code: int) -> None:
    assert encoded(spec, np.array([sample], np.int16)) == bytes([code])


@pytest.mark.parametrize(("spec", "value"), LAWS)
def test_every_sample_encodes_to_a_neighbouring_value(spec: CodecSpec, value: object) -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    values = np.array([value(code) for code in range(256)])  # type: ignore[operator]
    got = values[np.frombuffer(encoded(spec, samples), np.uint8)]
    above = np.searchsorted(levels := np.unique(values), samples).clip(1, len(levels) - 1)
    nearest = np.minimum(np.abs(samples - levels[above]), np.abs(samples - levels[above - 1]))
    step = np.maximum(np.abs(samples.astype(int)) / 16, 8)  # a segment has 16 steps
    assert (np.abs(got - samples) <= nearest + step).all()
    assert (np.diff(got) >= 0).all()


@pytest.mark.parametrize(("spec", "value"), LAWS)
def test_decoding_and_encoding_again_changes_nothing(spec: CodecSpec, value: object) -> None:
    values = np.array([value(code) for code in range(256)], np.int16)  # type: ignore[operator]
    codes = encoded(spec, values)
    assert [value(code) for code in codes] == values.tolist()  # type: ignore[operator]
    assert sum(code != index for index, code in enumerate(codes)) <= 1  # the second zero of µ-law
