"""Codecs of plugins behind a guard: what they return is checked before it gets into the engines."""

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter_ns
from typing import Final, TypeVar, cast

from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.contracts.checks import bytes_of, check_instance, pcm_of
from glottis.contracts.codec import (
    AdjustableEncoder,
    CodecSpec,
    Decoder,
    Encoder,
    EncoderSettings,
    FormatParameters,
)
from glottis.contracts.errors import Malformed, PluginError
from glottis.plugins.failures import blamed, message_of
from glottis.plugins.guard import check_members, guarded
from glottis.plugins.manager import Plugin
from glottis.plugins.specifications import check_parameters
from glottis.plugins.timing import FRAME_LIMIT, FRAME_PATIENCE, Timing
from glottis.rtp import MAX_PACKET_DURATION
from glottis.rtp.srtp import MAX_RTP_PAYLOAD

ENCODER_METHODS: Final = ("encode", "set_expected_loss", "set_bitrate")
DECODER_METHODS: Final = ("decode", "decode_fec", "conceal")
_MAX_DECODED: Final = 2 * MAX_PACKET_DURATION
"""Seconds of samples at once: twice what a packet may last, so that rounding and a codec's own delay never matter."""

T = TypeVar("T")


def guarded_codec(plugin: Plugin, spec: CodecSpec) -> CodecSpec:
    """The codec; its functions, encoders and decoders raise ``PluginError`` for what they must not return."""
    name = spec.encoding_name
    codec = f"{plugin}: codec {name}"

    def timing_of(method: str) -> Timing:
        return plugin.timing(f"{method} of {name}", FRAME_LIMIT, FRAME_PATIENCE)

    def create_encoder(settings: EncoderSettings) -> Encoder:
        action = f"create_encoder of {name}"
        encoder = guarded(plugin, action, spec.create_encoder, settings)
        check_members(plugin, action, encoder, ENCODER_METHODS)
        timing = timing_of("encode")
        if _checked(codec, _is_adjustable, action, encoder):
            return GuardedAdjustableEncoder(cast(AdjustableEncoder, encoder), codec, timing)
        return GuardedEncoder(encoder, codec, timing)

    def create_decoder(sample_rate: int) -> Decoder:
        action = f"create_decoder of {name}"
        decoder = guarded(plugin, action, spec.create_decoder, sample_rate)
        check_members(plugin, action, decoder, DECODER_METHODS)
        return GuardedDecoder(decoder, sample_rate, codec, timing_of)

    def answer_parameters(offered: FormatParameters) -> FormatParameters | None:
        answered = guarded(plugin, f"answer_parameters of {name}", spec.answer_parameters, offered)
        return None if answered is None else _checked(codec, _parameters_of, "answer_parameters", answered)

    return replace(
        spec,
        sample_rates=tuple(spec.sample_rates),
        frame_durations_ms=tuple(spec.frame_durations_ms),
        default_bitrates=dict(spec.default_bitrates),
        offer_parameters=dict(spec.offer_parameters),
        create_encoder=create_encoder,
        create_decoder=create_decoder,
        payload_duration_untrusted=_guarded_duration(codec, spec),
        has_redundancy=_guarded_has_redundancy(codec, spec),
        redundancy_reach=_guarded_redundancy_reach(codec, spec),
        answer_parameters=answer_parameters,
    )


def _guarded_duration(codec: str, spec: CodecSpec) -> Callable[[bytes], int]:
    def payload_duration_untrusted(payload: bytes) -> int:
        try:
            duration = spec.payload_duration_untrusted(payload)
        except Malformed as error:
            raise error.with_traceback(None) from None  # one that is raised for each packet would keep them all
        except BaseException as error:
            raise blamed(error, f"{codec}: payload_duration_untrusted") from error
        if type(duration) is not int:
            _checked(codec, check_instance, "payload_duration_untrusted", duration, int)
        return duration

    return payload_duration_untrusted


def _guarded_has_redundancy(codec: str, spec: CodecSpec) -> Callable[[bytes], bool]:
    def has_redundancy(payload: bytes) -> bool:
        try:
            found = spec.has_redundancy(payload)
        except BaseException as error:
            raise blamed(error, f"{codec}: has_redundancy") from error
        _checked(codec, check_instance, "has_redundancy", found, bool)
        return found

    return has_redundancy


def _guarded_redundancy_reach(codec: str, spec: CodecSpec) -> Callable[[bytes], int]:
    def redundancy_reach(payload: bytes) -> int:
        try:
            reach = spec.redundancy_reach(payload)
        except BaseException as error:
            raise blamed(error, f"{codec}: redundancy_reach") from error
        if type(reach) is not int:
            _checked(codec, check_instance, "redundancy_reach", reach, int)
        return min(max(reach, 0), int(_MAX_DECODED * spec.clock_rate))

    return redundancy_reach


class GuardedEncoder:
    """An encoder whose payloads are bytes that fit a packet."""

    __slots__ = ("_codec", "_encode", "_encoder", "_timing")

    def __init__(self, encoder: Encoder, codec: str, timing: Timing) -> None:
        self._codec = codec
        self._timing = timing
        self._encoder = encoder
        self._encode = encoder.encode

    def encode(self, pcm: bytes) -> bytes:
        """See ``Encoder.encode``."""
        began = perf_counter_ns()
        try:
            return self._checked_encode(pcm)
        except PluginError:
            self._timing.errors += 1
            raise
        finally:
            self._timing.note(perf_counter_ns() - began)

    def _checked_encode(self, pcm: bytes) -> bytes:
        try:
            payload = self._encode(pcm)
        except BaseException as error:
            raise blamed(error, f"{self._codec}: encode") from error
        if type(payload) is not bytes:
            payload = _checked(self._codec, bytes_of, "encode", payload)
        if len(payload) > MAX_RTP_PAYLOAD:
            raise PluginError(f"{self._codec}: encode: a packet holds {MAX_RTP_PAYLOAD} bytes, not {len(payload)}")
        return payload

    def set_expected_loss(self, fraction: float) -> None:
        """See ``Encoder.set_expected_loss``."""
        try:
            self._encoder.set_expected_loss(fraction)
        except BaseException as error:
            raise blamed(error, f"{self._codec}: set_expected_loss") from error

    def set_bitrate(self, bits_per_second: int) -> None:
        """See ``Encoder.set_bitrate``."""
        try:
            self._encoder.set_bitrate(bits_per_second)
        except BaseException as error:
            raise blamed(error, f"{self._codec}: set_bitrate") from error


class GuardedAdjustableEncoder(GuardedEncoder):
    """One whose complexity can be changed."""

    __slots__ = ("_set_complexity",)

    def __init__(self, encoder: AdjustableEncoder, codec: str, timing: Timing) -> None:
        super().__init__(encoder, codec, timing)
        self._set_complexity = encoder.set_complexity

    def set_complexity(self, complexity: int) -> None:
        """See ``AdjustableEncoder.set_complexity``."""
        try:
            self._set_complexity(complexity)
        except BaseException as error:
            raise blamed(error, f"{self._codec}: set_complexity") from error


class GuardedDecoder:
    """A decoder whose results are whole samples."""

    __slots__ = ("_codec", "_conceal", "_decode", "_decode_fec", "_decoding", "_most_bytes", "_timings")

    def __init__(self, decoder: Decoder, sample_rate: int, codec: str, timing_of: Callable[[str], Timing]) -> None:
        self._codec = codec
        self._most_bytes = round(_MAX_DECODED * sample_rate) * BYTES_PER_SAMPLE
        self._decode = decoder.decode
        self._decode_fec = decoder.decode_fec
        self._conceal = decoder.conceal
        self._timings = {method: timing_of(method) for method in DECODER_METHODS}
        self._decoding = self._timings["decode"]

    def decode(self, payload: bytes) -> bytes:
        """See ``Decoder.decode``: as ``_timed`` does, in place, because nearly every packet comes this way."""
        timing, began = self._decoding, perf_counter_ns()
        try:
            return self._samples("decode", self._decode, payload)
        except PluginError:
            timing.errors += 1
            raise
        finally:
            timing.note(perf_counter_ns() - began)

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """See ``Decoder.decode_fec``."""
        return self._timed("decode_fec", self._decode_fec, next_payload, sample_count)

    def conceal(self, sample_count: int) -> bytes:
        """See ``Decoder.conceal``."""
        return self._timed("conceal", self._conceal, sample_count)

    def _timed(self, method: str, function: Callable[..., bytes], *arguments: object) -> bytes:
        timing, began = self._timings[method], perf_counter_ns()
        try:
            return self._samples(method, function, *arguments)
        except PluginError:
            timing.errors += 1
            raise
        finally:
            timing.note(perf_counter_ns() - began)

    def _samples(self, method: str, function: Callable[..., bytes], *arguments: object) -> bytes:
        """What a method returns; ``Malformed`` passes, which says that the payload is none."""
        try:
            pcm = function(*arguments)
        except Malformed as error:
            raise error.with_traceback(None) from None  # one that is raised for each packet would keep them all
        except BaseException as error:
            raise blamed(error, f"{self._codec}: {method}") from error
        if type(pcm) is not bytes:
            pcm = _checked(self._codec, pcm_of, method, pcm)
        if len(pcm) % BYTES_PER_SAMPLE:
            raise PluginError(f"{self._codec}: {method} returned {len(pcm)} bytes, which are not whole samples")
        if len(pcm) > self._most_bytes:
            raise PluginError(
                f"{self._codec}: {method} returned {len(pcm)} bytes, more than any packet has samples for"
            )
        return pcm


def _is_adjustable(what: str, encoder: object) -> bool:
    return callable(getattr(encoder, "set_complexity", None))


def _parameters_of(what: str, value: object) -> FormatParameters:
    """A copy of parameters that a description can have; raises ``ValueError`` if it cannot."""
    return dict(check_parameters(what, value))


def _checked(codec: str, check: Callable[..., T], what: str, *arguments: object) -> T:
    """What ``check`` says of what a method returned, whose own code it may run."""
    try:
        return check(what, *arguments)
    except ValueError as error:
        raise PluginError(f"{codec}: {message_of(error)}") from None
    except BaseException as error:
        raise blamed(error, f"{codec}: what {what} returned") from error
