"""What can be said: checks of frames and packets, at once where an agent hands them over."""

import inspect
from typing import Final

from glottis.contracts.audio import BYTES_PER_SAMPLE, AudioFrame, EncodedPacket
from glottis.contracts.checks import check_instance, check_integer, pcm_of
from glottis.rtp import MAX_PACKET_DURATION, MAX_PAYLOAD_LENGTH, SILENCE

_NUMBERS: Final = ("clock_rate", "rtp_timestamp", "duration", "lost_before")
"""The fields of a packet that must be integers."""
_INTEGERS: Final = (int,) * len(_NUMBERS)
_SPEAKABLE: Final = "expected a frame, a packet, samples as bytes, or a list or an async iterator of these"


def check_frame(frame: AudioFrame, sample_rate: int) -> None:
    """Raises ``ValueError`` for one of another rate than the call's, or of no whole number of samples."""
    if not isinstance(frame, AudioFrame):
        raise ValueError(f"say takes an AudioFrame or an EncodedPacket, not {type(frame).__name__}")
    if frame.sample_rate != sample_rate:
        check_integer("AudioFrame.sample_rate", frame.sample_rate, 1)
        raise ValueError(
            f"this call's sample rate is {sample_rate} Hz, the frame's {frame.sample_rate} Hz: "
            "resample, or set AgentSpec.sample_rate"
        )
    if len(frame.pcm) % BYTES_PER_SAMPLE:
        raise ValueError(f"a frame of {len(frame.pcm)} bytes does not hold whole 16-bit samples")


def speakable_pcm(audio: object) -> bytes:
    """The samples that ``start_saying`` is given. Raises ``ValueError`` for what is no buffer of such."""
    try:
        memoryview(audio)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"start_saying: {_SPEAKABLE}, got {type(audio).__name__}{_instead_of(audio)}") from None
    return pcm_of("start_saying", audio)


def _instead_of(audio: object) -> str:
    """What is likely to be meant."""
    if inspect.iscoroutine(audio):
        return ": await it"
    return ": call it" if inspect.isroutine(audio) else ""


def check_packet(packet: EncodedPacket, codec: str) -> None:
    """Raises ``ValueError`` for one of another codec than the call sends, empty before any could be, or of no sense."""
    number_types = type(packet.clock_rate), type(packet.rtp_timestamp), type(packet.duration), type(packet.lost_before)
    if number_types != _INTEGERS:  # on the media path quicker than to check each
        for name in _NUMBERS:
            check_integer(name, getattr(packet, name))
    if packet.encoding_name != codec:
        _check_encoding_name(packet.encoding_name, codec)
    if not 0 < packet.duration <= MAX_PACKET_DURATION * packet.clock_rate:
        raise ValueError(
            f"a packet lasts up to {MAX_PACKET_DURATION:g} s, "
            f"not {packet.duration} units of a clock of {packet.clock_rate} Hz"
        )
    if not 0 < len(packet.payload) <= MAX_PAYLOAD_LENGTH:
        raise ValueError(f"a packet has a payload of 1–{MAX_PAYLOAD_LENGTH} bytes, not {len(packet.payload)}")
    if packet.lost_before < 0:
        raise ValueError(f"lost_before counts packets, and cannot be {packet.lost_before}")
    level = packet.audio_level
    if level is not None and not (type(level) is int and 0 <= level <= SILENCE):
        check_integer("audio_level", packet.audio_level, 0, SILENCE)


def _check_encoding_name(name: str, codec: str) -> None:
    check_instance("encoding_name", name, str)
    if codec and name.lower() != codec.lower():
        raise ValueError(f"this call sends {codec}, not {name}: say packets of the negotiated codec, or audio frames")
