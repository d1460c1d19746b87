"""Where the time of the processor goes: codec, engines, and what judges."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import thread_time

from msgspec import Struct

from glottis.contracts.codec import CodecSpec, Decoder, Encoder, EncoderSettings


class Costs(Struct, frozen=True, kw_only=True):
    """Seconds of the processor. They are no two times the same, and so are kept apart from what is."""

    encoder: float
    decoder: float
    engines: float
    """All else of the call: both ends and the network."""
    judging: float
    frame_us: float
    """Microseconds of a frame of 20 ms: encoder, decoder and the engines of both ends."""


@dataclass(slots=True)
class Stopwatch:
    """Seconds of this thread on the processor."""

    seconds: float = 0.0

    def timed(self, function: Callable[[bytes], bytes], argument: bytes) -> bytes:
        """What it returns."""
        begin = thread_time()
        try:
            return function(argument)
        finally:
            self.seconds += thread_time() - begin


class TimedEncoder:
    """An encoder with a stopwatch, which passes on all else."""

    def __init__(self, encoder: Encoder, watch: Stopwatch) -> None:
        self._encoder = encoder
        self._watch = watch

    def encode(self, pcm: bytes) -> bytes:
        """See ``Encoder``."""
        return self._watch.timed(self._encoder.encode, pcm)

    def set_expected_loss(self, fraction: float) -> None:
        self._encoder.set_expected_loss(fraction)

    def set_bitrate(self, bits_per_second: int) -> None:
        self._encoder.set_bitrate(bits_per_second)


class TimedDecoder:
    """A decoder with a stopwatch."""

    def __init__(self, decoder: Decoder, watch: Stopwatch) -> None:
        self._decoder = decoder
        self._watch = watch

    def decode(self, payload: bytes) -> bytes:
        """See ``Decoder``."""
        return self._watch.timed(self._decoder.decode, payload)

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return self._watch.timed(lambda payload: self._decoder.decode_fec(payload, sample_count), next_payload)

    def conceal(self, sample_count: int) -> bytes:
        return self._watch.timed(lambda nothing: self._decoder.conceal(sample_count), b"")


def timed(codec: CodecSpec, encoding: Stopwatch, decoding: Stopwatch) -> CodecSpec:
    """The same codec, on whose encoders and decoders there are stopwatches."""

    def create_encoder(settings: EncoderSettings) -> Encoder:
        return TimedEncoder(codec.create_encoder(settings), encoding)

    def create_decoder(sample_rate: int) -> Decoder:
        return TimedDecoder(codec.create_decoder(sample_rate), decoding)

    return replace(codec, create_encoder=create_encoder, create_decoder=create_decoder)
