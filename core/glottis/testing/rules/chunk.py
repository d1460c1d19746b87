"""What a codec is asked for, and what it gives back: one pair of sample rate and frame duration after the other."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.contracts.codec import CodecSpec, Decoder, Encoder, EncoderSettings
from glottis.rtp.srtp import MAX_RTP_PAYLOAD
from glottis.testing.rules.rule import expect
from glottis.testing.rules.signals import pieces, sample_count


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a codec is asked for: samples of this rate, in frames of this length."""

    spec: CodecSpec
    sample_rate: int
    frame_ms: float

    def __str__(self) -> str:
        return f"{self.spec.encoding_name} at {self.sample_rate} Hz in frames of {self.frame_ms:g} ms"

    @property
    def count(self) -> int:
        """Samples of a frame."""
        return sample_count(self.sample_rate, self.frame_ms)

    def encoder(self, **knobs: Any) -> Encoder:
        """For a receiver that wishes for all that the codec offers."""
        settings = EncoderSettings(self.sample_rate, self.frame_ms, remote_parameters=self.spec.offer_parameters)
        return self.spec.create_encoder(replace(settings, **knobs))

    def decoder(self) -> Decoder:
        """To the same rate."""
        return self.spec.create_decoder(self.sample_rate)

    def frames(self, pcm: bytes) -> list[bytes]:
        """The sound in frames."""
        return pieces(pcm, self.count)

    def encoded(self, encoder: Encoder, frame: bytes, what: str) -> bytes:
        """One frame of sound as a payload, which is one."""
        payload = encoder.encode(frame)
        expect(type(payload) is bytes, f"{self}: {what} returned {type(payload).__name__}, not bytes")
        expect(bool(payload), f"{self}: {what} found that a tone need not be sent")
        expect(len(payload) <= MAX_RTP_PAYLOAD, f"{self}: {what} returned {len(payload)} bytes; a packet has less")
        expected = round(self.spec.clock_rate * self.frame_ms / 1000)
        got = self.spec.payload_duration_untrusted(payload)
        expect(got == expected, f"{self}: payload_duration_untrusted says {got} clock units, expected {expected}")
        found = self.spec.has_redundancy(payload)
        expect(type(found) is bool, f"{self}: has_redundancy returned {type(found).__name__}, not bool")
        return payload

    def decoded(self, decoder: Decoder, payload: bytes, what: str = "decode") -> bytes:
        """The payload of one frame as sound."""
        return checked_pcm(decoder.decode(payload), self.count, f"{self}: {what}")


def chunks_of(spec: CodecSpec) -> Iterator[Chunk]:
    """All that the codec says it takes."""
    for sample_rate, frame_ms in itertools.product(spec.sample_rates, spec.frame_durations_ms):
        yield Chunk(spec, sample_rate, frame_ms)


def usual_chunks_of(spec: CodecSpec) -> list[Chunk]:
    """One for each rate: the longest frames of at most 20 ms, else the shortest."""
    short = [duration for duration in spec.frame_durations_ms if duration <= 20]
    frame_ms = max(short) if short else min(spec.frame_durations_ms)
    return [Chunk(spec, sample_rate, frame_ms) for sample_rate in spec.sample_rates]


def checked_pcm(pcm: bytes, count: int, what: str) -> bytes:
    """Samples, as many as expected."""
    expect(type(pcm) is bytes, f"{what} returned {type(pcm).__name__}, not bytes")
    expected = count * BYTES_PER_SAMPLE
    expect(len(pcm) == expected, f"{what} returned {len(pcm)} bytes, expected {expected} ({count} samples)")
    return pcm
