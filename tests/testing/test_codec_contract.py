"""The contract checker passes a good codec and names what a bad one breaks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from glottis import CodecSpec, Decoder, Encoder, EncoderSettings, Malformed
from glottis.testing.codec_contract import check_codec

RATES = (8000, 16000)


class LinearEncoder:
    """L16 without the byte swap; a payload starts with the number of samples per millisecond."""

    def __init__(self, settings: EncoderSettings) -> None:
        self._rate = settings.sample_rate
        self._size = round(2 * settings.sample_rate * settings.frame_ms / 1000)

    def encode(self, pcm: bytes) -> bytes:
        if len(pcm) != self._size:
            raise ValueError(f"expected {self._size} bytes, got {len(pcm)}")
        return bytes([self._rate // 1000]) + pcm

    def set_expected_loss(self, fraction: float) -> None:
        pass

    def set_bitrate(self, bits_per_second: int) -> None:
        pass


class LinearDecoder:
    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate

    def decode(self, payload: bytes) -> bytes:
        duration_untrusted(payload)
        if payload[0] != self._rate // 1000:
            raise Malformed("expected our own sample rate")
        return payload[1:]

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return self.conceal(sample_count)

    def conceal(self, sample_count: int) -> bytes:
        return bytes(2 * sample_count)


def duration_untrusted(payload: bytes) -> int:
    if not payload or payload[0] not in (8, 16) or len(payload) % 2 == 0 or len(payload) == 1:
        raise Malformed("expected a rate and samples")
    duration, rest = divmod((len(payload) - 1) * 4, payload[0])
    if rest:
        raise Malformed("expected whole clock ticks")
    return duration


LINEAR = CodecSpec("LINEAR", 8000, LinearEncoder, LinearDecoder, duration_untrusted, sample_rates=RATES)


def exit_unless_wanted(decoder: LinearDecoder, payload: bytes) -> bytes:
    """As libraries do that were written for programs of their own."""
    try:
        return LinearDecoder.decode(decoder, payload)
    except Malformed:
        raise SystemExit("no such rate") from None


def exit_if_short(encoder: LinearEncoder, pcm: bytes) -> bytes:
    try:
        return LinearEncoder.encode(encoder, pcm)
    except ValueError:
        raise SystemExit(7) from None


def encoder_with(encode: Callable[[LinearEncoder, bytes], bytes]) -> Callable[[EncoderSettings], Encoder]:
    return type("Broken", (LinearEncoder,), {"encode": encode})


def decoder_with(**methods: object) -> Callable[[int], Decoder]:
    return type("Broken", (LinearDecoder,), methods)


def test_good_codec_passes() -> None:
    check_codec(LINEAR)


BROKEN: dict[str, CodecSpec] = {
    "encoding_name is empty": replace(LINEAR, encoding_name=""),
    "static_payload_type 111 is not static": replace(LINEAR, static_payload_type=111),
    "must map str to str": replace(LINEAR, offer_parameters={"rate": 1}),  # type: ignore[dict-item]
    "cannot talk to itself": replace(LINEAR, answer_parameters=lambda offered: None),
    "clock units, expected": replace(LINEAR, payload_duration_untrusted=lambda payload: 1),
    "need not be sent": replace(LINEAR, create_encoder=encoder_with(lambda self, pcm: b"")),
    "encode returned bytearray": replace(
        LINEAR,
        create_encoder=encoder_with(lambda self, pcm: bytearray(LinearEncoder.encode(self, pcm))),  # type: ignore
    ),
    "must raise ValueError": replace(
        LINEAR, create_encoder=encoder_with(lambda self, pcm: LinearEncoder.encode(self, pcm.ljust(self._size)))
    ),
    "times as loud": replace(LINEAR, create_decoder=decoder_with(decode=lambda self, payload: quietened(payload))),
    "came back as about": replace(LINEAR, create_decoder=decoder_with(decode=lambda self, payload: doubled(payload))),
    r"conceal\(160\) returned 0 bytes": replace(LINEAR, create_decoder=decoder_with(conceal=lambda self, n: b"")),
    "only Malformed is allowed": replace(
        LINEAR, create_decoder=decoder_with(decode=lambda self, payload: payload[1:] if payload[0] else b"")
    ),
    "junk raised SystemExit: no such rate; only Malformed is allowed": replace(
        LINEAR, create_decoder=decoder_with(decode=exit_unless_wanted)
    ),
    "must raise ValueError, not SystemExit: 7": replace(LINEAR, create_encoder=encoder_with(exit_if_short)),
}


def quietened(payload: bytes) -> bytes:
    duration_untrusted(payload)
    return b"".join(
        (int.from_bytes(payload[i : i + 2], "little", signed=True) // 8).to_bytes(2, "little", signed=True)
        for i in range(1, len(payload), 2)
    )


def doubled(payload: bytes) -> bytes:
    """Every other sample, twice over: an octave too high, at the right length."""
    duration_untrusted(payload)
    return 2 * b"".join(payload[i : i + 2] for i in range(1, len(payload), 4))


@pytest.mark.parametrize(("complaint", "spec"), BROKEN.items(), ids=BROKEN.keys())
def test_broken_codec_is_told_what_it_breaks(complaint: str, spec: CodecSpec) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_codec(spec)
