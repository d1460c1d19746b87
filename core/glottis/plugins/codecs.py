"""Codecs of plugins behind a guard: what they return is checked before it gets into the engines."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.contracts.checks import bytes_of, check_instance, pcm_of
from glottis.contracts.codec import CodecSpec, Decoder, Encoder, EncoderSettings, FormatParameters
from glottis.contracts.errors import PluginError
from glottis.plugins.guard import check_methods, guarded
from glottis.plugins.manager import Plugin
from glottis.plugins.specifications import check_parameters
from glottis.rtp.srtp import MAX_RTP_PAYLOAD

ENCODER_METHODS: Final = ("encode", "set_expected_loss", "set_bitrate")
DECODER_METHODS: Final = ("decode", "decode_fec", "conceal")

T = TypeVar("T")


def guarded_codec(plugin: Plugin, spec: CodecSpec) -> CodecSpec:
    """The codec; its functions, encoders and decoders raise ``PluginError`` for what they must not return."""
    name = spec.encoding_name

    def create_encoder(settings: EncoderSettings) -> Encoder:
        action = f"create_encoder of {name}"
        encoder = guarded(plugin, action, spec.create_encoder, settings)
        check_methods(plugin, action, encoder, ENCODER_METHODS)
        return GuardedEncoder(encoder, f"{plugin}: codec {name}")

    def create_decoder(sample_rate: int) -> Decoder:
        action = f"create_decoder of {name}"
        decoder = guarded(plugin, action, spec.create_decoder, sample_rate)
        check_methods(plugin, action, decoder, DECODER_METHODS)
        return GuardedDecoder(decoder, f"{plugin}: codec {name}")

    def payload_duration_untrusted(payload: bytes) -> int:
        duration = spec.payload_duration_untrusted(payload)
        if type(duration) is not int:
            _blame(f"{plugin}: codec {name}", check_instance, "payload_duration_untrusted", duration, int)
        return duration

    def answer_parameters(offered: FormatParameters) -> FormatParameters | None:
        answered = spec.answer_parameters(offered)
        if answered is not None:
            _blame(f"{plugin}: codec {name}", check_parameters, "answer_parameters", answered)
        return answered

    return replace(
        spec,
        create_encoder=create_encoder,
        create_decoder=create_decoder,
        payload_duration_untrusted=payload_duration_untrusted,
        answer_parameters=answer_parameters,
    )


class GuardedEncoder:
    """An encoder whose payloads are bytes that fit a packet."""

    __slots__ = ("_codec", "_encode", "set_bitrate", "set_expected_loss")

    def __init__(self, encoder: Encoder, codec: str) -> None:
        self._codec = codec
        self._encode = encoder.encode
        self.set_expected_loss = encoder.set_expected_loss
        self.set_bitrate = encoder.set_bitrate

    def encode(self, pcm: bytes) -> bytes:
        """See ``Encoder.encode``."""
        payload = self._encode(pcm)
        if type(payload) is not bytes:
            payload = _blame(self._codec, bytes_of, "encode", payload)
        if len(payload) > MAX_RTP_PAYLOAD:
            raise PluginError(f"{self._codec}: encode: a packet holds {MAX_RTP_PAYLOAD} bytes, not {len(payload)}")
        return payload


class GuardedDecoder:
    """A decoder whose results are whole samples."""

    __slots__ = ("_codec", "_conceal", "_decode", "_decode_fec")

    def __init__(self, decoder: Decoder, codec: str) -> None:
        self._codec = codec
        self._decode = decoder.decode
        self._decode_fec = decoder.decode_fec
        self._conceal = decoder.conceal

    def decode(self, payload: bytes) -> bytes:
        """See ``Decoder.decode``."""
        return self._checked("decode", self._decode(payload))

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """See ``Decoder.decode_fec``."""
        return self._checked("decode_fec", self._decode_fec(next_payload, sample_count))

    def conceal(self, sample_count: int) -> bytes:
        """See ``Decoder.conceal``."""
        return self._checked("conceal", self._conceal(sample_count))

    def _checked(self, method: str, pcm: bytes) -> bytes:
        if type(pcm) is not bytes:
            pcm = _blame(self._codec, pcm_of, method, pcm)
        if len(pcm) % BYTES_PER_SAMPLE:
            raise PluginError(f"{self._codec}: {method} returned {len(pcm)} bytes, which are not whole samples")
        return pcm


def _blame(codec: str, check: Callable[..., T], *arguments: object) -> T:
    """What ``check`` says, as the plugin's fault."""
    try:
        return check(*arguments)
    except ValueError as error:
        raise PluginError(f"{codec}: {error}") from None
