"""The audio of a WebSocket call as its client has declared it: what is used, or refused (CONTRACT §5)."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from glottis.calls.websocket.pcm import PCM, RATES, pcm_codec
from glottis.contracts.audio import FRAME_MS
from glottis.contracts.codec import CodecSpec
from glottis.contracts.info import AudioPreference, CallInfo
from glottis.contracts.resampling import Resampling
from glottis.peer.packet_times import legal_packet_ms
from glottis.signaling.errors import Rejected

_RATES: Final = {"OPUS": (48000, 24000, 16000, 12000, 8000), "PCMU": (8000,), "PCMA": (8000,), "G722": (16000,)}
"""Hertz that requests may name; Opus has the same packets for all of them (RFC 7587 §4.1)."""
_BITS: Final = (8, 16, 32)


class AudioFormat(msgspec.Struct, frozen=True):
    """One direction. ``codec`` makes its encoder or decoder, the rest is as the client knows it."""

    codec: CodecSpec
    name: str
    """One of CONTRACT's words."""
    sample_rate: int
    """Hertz."""
    bytes_per_unit: int | None
    """Of each unit of the codec's clock; None where a message is a packet, which says itself how long it lasts."""
    frame_ms: float
    """Of the messages that are sent; who sends to us may cut as it likes."""

    def document(self) -> dict[str, Any]:
        """As requests have it (CONTRACT §1), for the answer to one."""
        bits = {"bitsPerSample": 8 * self.bytes_per_unit} if self.name == PCM and self.bytes_per_unit else {}
        return {"codec": self.name, "sampleRate": self.sample_rate, **bits, "channels": 1}


class AudioFormats(msgspec.Struct, frozen=True):
    """Of both directions; ``input`` is the one from the client."""

    input: AudioFormat
    output: AudioFormat

    def document(self) -> dict[str, Any]:
        """The ``audioConfig`` in force."""
        return {
            "input": self.input.document(),
            "output": {**self.output.document(), "frameDurationMs": self.output.frame_ms},
        }


class Formats:
    """What a gateway can do: its codecs, and PCM of any rate if it has ``resampling``, else of the agent's alone."""

    def __init__(self, codecs: Iterable[CodecSpec], resampling: Resampling | None) -> None:
        self._codecs = {codec.encoding_name.upper(): codec for codec in codecs}
        self._resampling = resampling

    def declared_untrusted(self, info: CallInfo, sample_rate: int, frame_ms: float = FRAME_MS) -> AudioFormats:
        """What the client has asked for; ``sample_rate`` in hertz is the agent's, and so is ``frame_ms``.

        Raises ``Rejected`` with a sentence that names the field and what to send.
        """
        return AudioFormats(
            self._format_untrusted(info.input, "input", sample_rate, frame_ms),
            self._format_untrusted(info.output, "output", sample_rate, frame_ms),
        )

    def _format_untrusted(
        self, wish: AudioPreference, direction: str, sample_rate: int, usual_ms: float
    ) -> AudioFormat:
        path = f"audioConfig.{direction}"
        if wish.channels != 1:
            raise Rejected("INVALID_FIELD", f"{path}.channels: expected 1, mix the others down")
        codec = self._pcm_untrusted(wish, path, sample_rate) if wish.codec == PCM else self._codec_untrusted(wish, path)
        frame_ms = legal_packet_ms(codec, wish.frame_ms or usual_ms, None)
        is_packets = wish.codec == "OPUS"
        width = wish.bits_per_sample // 8 if wish.codec == PCM else 1
        return AudioFormat(codec, wish.codec, wish.sample_rate, None if is_packets else width, frame_ms)

    def _codec_untrusted(self, wish: AudioPreference, path: str) -> CodecSpec:
        codec = self._codecs.get(wish.codec)
        if codec is None:
            available = [name for name in _RATES if name in self._codecs]
            raise Rejected("UNSUPPORTED_CODEC", f"{path}.codec: expected {_either([*available, PCM])}")
        _check_untrusted(f"{path}.sampleRate", wish.sample_rate, _RATES[wish.codec], f" for {wish.codec}")
        return codec

    def _pcm_untrusted(self, wish: AudioPreference, path: str, sample_rate: int) -> CodecSpec:
        if self._resampling is None:
            why = " for PCM, as this campaign's agent has it: no resampler is installed"
            _check_untrusted(f"{path}.sampleRate", wish.sample_rate, (sample_rate,), why)
        _check_untrusted(f"{path}.sampleRate", wish.sample_rate, RATES, " for PCM")
        _check_untrusted(f"{path}.bitsPerSample", wish.bits_per_sample, _BITS, " for PCM")
        return pcm_codec(wish.sample_rate, wish.bits_per_sample, self._resampling)


def _check_untrusted(field: str, value: int, expected: Iterable[int], why: str) -> None:
    if value not in expected:
        raise Rejected("INVALID_FIELD", f"{field}: expected {_either(sorted(expected))}{why}")


def _either(values: Iterable[object]) -> str:
    words = [str(value) for value in values]
    return f"one of {', '.join(words)}" if len(words) > 1 else words[0]
