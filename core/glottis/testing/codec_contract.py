"""Checks for authors of codecs: does a ``CodecSpec`` keep its contract, at every rate and frame duration?"""

import itertools
import math
import random
from array import array
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from glottis.barrier import stop
from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.contracts.codec import AdjustableEncoder, CodecSpec, Decoder, EncoderSettings
from glottis.contracts.errors import Malformed
from glottis.plugins.failures import blamed, describe

_TONE_HZ: Final = 440
_TONE_AMPLITUDE: Final = 8000
_WARM_UP_SECONDS: Final = 0.2
"""Adaptive codecs need a moment; nothing but lengths is checked before."""
_LISTEN_SECONDS: Final = 0.2
_SILENCE_SECONDS: Final = 0.5
_PITCH_TOLERANCE: Final = 0.1
_LEVEL_RANGE: Final = (0.25, 4.0)
"""The tone may come back between a quarter and four times as loud: codecs differ, broken byte orders do more."""
_JUNK_PAYLOADS: Final = 300

T = TypeVar("T")


def check_codec(spec: CodecSpec) -> None:
    """Assert that the codec keeps its contract; the message of the ``AssertionError`` says what it breaks.

    A tone goes through every pair of sample rate and frame duration and must come back with its pitch, about its
    level, and exactly its length; gaps, junk and silence must be survived. Takes less than a second of CPU time.
    """
    _check_description(spec)
    _check_parameters(spec)
    for sample_rate in spec.sample_rates:
        for frame_ms in spec.frame_durations_ms:
            _check_tone(spec, sample_rate, frame_ms)
            _check_frame_length(spec, sample_rate, frame_ms)
        _check_silence(spec, sample_rate)
        _check_gaps(spec, sample_rate)
        _check_junk(spec, sample_rate)


def _check_description(spec: CodecSpec) -> None:
    assert spec.encoding_name, "encoding_name is empty"
    assert spec.clock_rate > 0, f"clock_rate is {spec.clock_rate}"
    assert spec.channels > 0, f"channels is {spec.channels}"
    assert spec.sample_rates, "sample_rates is empty"
    assert spec.frame_durations_ms, "frame_durations_ms is empty"
    number = spec.static_payload_type
    assert number is None or 0 <= number < 96, f"static_payload_type {number} is not static (RFC 3551, section 6)"


def _check_parameters(spec: CodecSpec) -> None:
    _check_text_mapping(spec.offer_parameters, "offer_parameters")
    for offered in ({}, spec.offer_parameters, {"unknown": "1", "flag": ""}):
        answered = spec.answer_parameters(offered)
        if answered is not None:
            _check_text_mapping(answered, f"answer_parameters({dict(offered)})")
    own = spec.answer_parameters(spec.offer_parameters)
    assert own is not None, "answer_parameters refuses offer_parameters: the codec cannot talk to itself"


def _check_text_mapping(parameters: Mapping[str, str], what: str) -> None:
    for item in parameters.items():
        assert all(isinstance(text, str) for text in item), f"{what} must map str to str, has {item}"


def _check_tone(spec: CodecSpec, sample_rate: int, frame_ms: float) -> None:
    what = f"{spec.encoding_name} at {sample_rate} Hz in frames of {frame_ms} ms"
    encoder = spec.create_encoder(_settings(spec, sample_rate, frame_ms))
    decoder = spec.create_decoder(sample_rate)
    heard = b""
    for index in range(math.ceil((_WARM_UP_SECONDS + _LISTEN_SECONDS) * 1000 / frame_ms)):
        if index == 1:
            encoder.set_expected_loss(0.1)
            encoder.set_bitrate(32000)
        if isinstance(encoder, AdjustableEncoder):
            encoder.set_complexity(index % 11)
        payload = encoder.encode(_tone(sample_rate, frame_ms, index))
        assert type(payload) is bytes, f"{what}: encode returned {type(payload).__name__}, not bytes"
        assert payload, f"{what}: encode found that a tone need not be sent"
        _check_duration(spec, payload, frame_ms, what)
        heard += _checked_pcm(decoder.decode(payload), _samples(sample_rate, frame_ms), f"{what}: decode")
    _check_sound(heard, sample_rate, what)


def _check_duration(spec: CodecSpec, payload: bytes, frame_ms: float, what: str) -> None:
    expected = round(spec.clock_rate * frame_ms / 1000)
    got = spec.payload_duration_untrusted(payload)
    assert got == expected, f"{what}: payload_duration_untrusted says {got} clock units, expected {expected}"


def _check_sound(pcm: bytes, sample_rate: int, what: str) -> None:
    samples = array("h", pcm)[-round(_LISTEN_SECONDS * sample_rate) :]
    seconds = len(samples) / sample_rate
    crossings = sum((a < 0) != (b < 0) for a, b in itertools.pairwise(samples))
    pitch = crossings / 2 / seconds
    assert abs(pitch / _TONE_HZ - 1) < _PITCH_TOLERANCE, f"{what}: {_TONE_HZ} Hz came back as about {pitch:.0f} Hz"
    level = math.sqrt(sum(s * s for s in samples) / len(samples)) / (_TONE_AMPLITUDE / math.sqrt(2))
    assert _LEVEL_RANGE[0] < level < _LEVEL_RANGE[1], f"{what}: the tone came back {level:.3f} times as loud"


def _check_frame_length(spec: CodecSpec, sample_rate: int, frame_ms: float) -> None:
    what = f"{spec.encoding_name} at {sample_rate} Hz in frames of {frame_ms} ms"
    encoder = spec.create_encoder(_settings(spec, sample_rate, frame_ms))
    frame = _tone(sample_rate, frame_ms, 0)
    for wrong in (b"", frame[:-BYTES_PER_SAMPLE], frame[:-1], frame + bytes(BYTES_PER_SAMPLE)):
        raised = _raised_by(encoder.encode, wrong)
        assert isinstance(raised, ValueError), (
            f"{what}: encode of {len(wrong)} bytes instead of {len(frame)} must raise ValueError, "
            f"not {describe(raised) if raised else 'return'}"
        )


def _check_silence(spec: CodecSpec, sample_rate: int) -> None:
    """With discontinuous transmission, a frame is either not to be sent or as good as any other."""
    what = f"{spec.encoding_name} at {sample_rate} Hz, silence"
    frame_ms = spec.frame_durations_ms[0]
    encoder = spec.create_encoder(replace(_settings(spec, sample_rate, frame_ms), dtx=True))
    decoder = spec.create_decoder(sample_rate)
    count = _samples(sample_rate, frame_ms)
    for _ in range(math.ceil(_SILENCE_SECONDS * 1000 / frame_ms)):
        if payload := encoder.encode(bytes(count * BYTES_PER_SAMPLE)):
            _check_duration(spec, payload, frame_ms, what)
            _checked_pcm(decoder.decode(payload), count, f"{what}: decode")


def _check_gaps(spec: CodecSpec, sample_rate: int) -> None:
    what = f"{spec.encoding_name} at {sample_rate} Hz"
    frame_ms = max(duration for duration in spec.frame_durations_ms if duration <= 20)
    encoder = spec.create_encoder(_settings(spec, sample_rate, frame_ms))
    decoder = spec.create_decoder(sample_rate)
    count = _samples(sample_rate, frame_ms)
    for index in range(10):  # the first gap comes before the first packet
        payload = encoder.encode(_tone(sample_rate, frame_ms, index))
        for gap in (count, 3 * count, 0):
            _checked_pcm(decoder.conceal(gap), gap, f"{what}: conceal({gap})")
            _checked_pcm(decoder.decode_fec(payload, gap), gap, f"{what}: decode_fec(payload, {gap})")
        _checked_pcm(decoder.decode(payload), count, f"{what}: decode after a gap")


def _check_junk(spec: CodecSpec, sample_rate: int) -> None:
    """Payloads come from the network: only ``Malformed`` may be raised, and lengths must agree."""
    what = f"{spec.encoding_name} at {sample_rate} Hz, junk"
    rng = random.Random(sample_rate)
    decoder = spec.create_decoder(sample_rate)
    for index in range(_JUNK_PAYLOADS):
        payload = rng.randbytes(index and rng.randrange(1, 200))
        count = _samples(sample_rate, 20)
        _checked_pcm(decoder.decode_fec(payload, count), count, f"{what}: decode_fec")
        duration = _unless_malformed(spec.payload_duration_untrusted, payload, what)
        pcm = _unless_malformed(decoder.decode, payload, what)
        if pcm is not None:
            assert duration, f"{what}: decoded a payload of {len(payload)} bytes that has no duration"
            _checked_pcm(pcm, duration * sample_rate // spec.clock_rate, f"{what}: decode")
    _check_still_works(spec, decoder, sample_rate)


def _check_still_works(spec: CodecSpec, decoder: Decoder, sample_rate: int) -> None:
    frame_ms = spec.frame_durations_ms[-1]
    encoder = spec.create_encoder(_settings(spec, sample_rate, frame_ms))
    pcm = decoder.decode(encoder.encode(_tone(sample_rate, frame_ms, 0)))
    _checked_pcm(pcm, _samples(sample_rate, frame_ms), f"{spec.encoding_name}: decode after junk")


def _unless_malformed(parse: Callable[[bytes], T], payload: bytes, what: str) -> T | None:
    try:
        return parse(payload)
    except Malformed:
        return None
    except BaseException as error:
        raise AssertionError(f"{blamed(error, what)}; only Malformed is allowed") from error


def _raised_by(function: Callable[[bytes], object], argument: bytes) -> BaseException | None:
    raised: list[BaseException] = []
    try:
        function(argument)
    except BaseException as error:
        stop(error, raised.append)
    return raised[0] if raised else None


def _checked_pcm(pcm: bytes, sample_count: int, what: str) -> bytes:
    assert type(pcm) is bytes, f"{what} returned {type(pcm).__name__}, not bytes"
    expected = sample_count * BYTES_PER_SAMPLE
    assert len(pcm) == expected, f"{what} returned {len(pcm)} bytes, expected {expected} ({sample_count} samples)"
    return pcm


def _settings(spec: CodecSpec, sample_rate: int, frame_ms: float) -> EncoderSettings:
    return EncoderSettings(sample_rate, frame_ms, remote_parameters=spec.offer_parameters)


def _tone(sample_rate: int, frame_ms: float, index: int) -> bytes:
    count = _samples(sample_rate, frame_ms)
    step = 2 * math.pi * _TONE_HZ / sample_rate
    return array(
        "h", (round(_TONE_AMPLITUDE * math.sin(step * n)) for n in range(index * count, (index + 1) * count))
    ).tobytes()


def _samples(sample_rate: int, frame_ms: float) -> int:
    return round(sample_rate * frame_ms / 1000)
