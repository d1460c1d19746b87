"""Time that is virtual, and where that of the processor goes: codec, engines, and what judges."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import thread_time

from msgspec import Struct

from glottis.contracts.codec import VIRTUAL_TIME, CodecSpec, Decoder, Encoder, EncoderSettings


@contextmanager
def virtual_time() -> Iterator[None]:
    """Let codecs know that what is heard must not depend on a real clock."""
    before = os.environ.get(VIRTUAL_TIME)
    os.environ[VIRTUAL_TIME] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[VIRTUAL_TIME]
        else:
            os.environ[VIRTUAL_TIME] = before


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
class Watch:
    """What the codec of a call takes, in seconds of this thread on the processor, and what it gives back of losses."""

    encoder: float = 0.0
    decoder: float = 0.0
    recovered_samples: int = 0
    """Lost ones, of which the next payload did have redundancy."""


class TimedEncoder:
    """An encoder that is watched."""

    def __init__(self, encoder: Encoder, watch: Watch) -> None:
        self._encoder = encoder
        self._watch = watch

    def encode(self, pcm: bytes) -> bytes:
        """See ``Encoder``."""
        begin = thread_time()
        payload = self._encoder.encode(pcm)
        self._watch.encoder += thread_time() - begin
        return payload

    def set_expected_loss(self, fraction: float) -> None:
        self._encoder.set_expected_loss(fraction)

    def set_bitrate(self, bits_per_second: int) -> None:
        self._encoder.set_bitrate(bits_per_second)


class TimedDecoder:
    """A decoder that is watched."""

    def __init__(self, decoder: Decoder, codec: CodecSpec, watch: Watch) -> None:
        self._decoder = decoder
        self._codec = codec
        self._watch = watch

    def decode(self, payload: bytes) -> bytes:
        """See ``Decoder``."""
        return self._timed(lambda: self._decoder.decode(payload))

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        if self._codec.has_redundancy(next_payload) or self._codec.redundancy_reach(next_payload):
            self._watch.recovered_samples += sample_count
        return self._timed(lambda: self._decoder.decode_fec(next_payload, sample_count))

    def conceal(self, sample_count: int) -> bytes:
        return self._timed(lambda: self._decoder.conceal(sample_count))

    def _timed(self, function: Callable[[], bytes]) -> bytes:
        begin = thread_time()
        pcm = function()
        self._watch.decoder += thread_time() - begin
        return pcm


def watched(codec: CodecSpec, watch: Watch) -> CodecSpec:
    """The same codec, whose encoders and decoders are watched."""

    def create_encoder(settings: EncoderSettings) -> Encoder:
        return TimedEncoder(codec.create_encoder(settings), watch)

    def create_decoder(sample_rate: int) -> Decoder:
        return TimedDecoder(codec.create_decoder(sample_rate), codec, watch)

    return replace(codec, create_encoder=create_encoder, create_decoder=create_decoder)
