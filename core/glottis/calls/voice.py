"""The media side of a call, as whoever hands it to an agent sees it."""

from collections.abc import Sequence
from typing import Protocol

from glottis.calls.speech import SpeakingVoice
from glottis.contracts.audio import AudioFrame, EncodedPacket
from glottis.rtp import KeyChange, Taps


class Voice(SpeakingVoice, Protocol):
    """The media side of a peer connection: what the wheel's ticks read and write."""

    @property
    def taps(self) -> Taps:
        """To be bound before media begins."""

    @property
    def frame_seconds(self) -> float:
        """Of the frames that are heard, and between media ticks."""

    @property
    def encoding_name(self) -> str:
        """Of the packets that are sent; empty before any could be."""

    @property
    def takes_tones(self) -> bool:
        """Whether there is a way to send keys to the far end."""

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None: ...
    def next_packets(self, now: float) -> list[EncodedPacket]: ...
    def next_keys(self, now: float) -> Sequence[KeyChange]: ...


def next_heard(
    voice: Voice, now: float, *, frames: bool, packets: bool
) -> tuple[AudioFrame | None, Sequence[EncodedPacket]]:
    """What is due in a media tick: a frame, which others than the agent may want, and packets, as far as wanted."""
    if not (frames or voice.taps.heard is not None):
        return None, voice.next_packets(now) if packets or voice.taps.received is not None else ()
    beside: list[EncodedPacket] = []
    return voice.next_frame(now, beside if packets else None), beside


def next_keys(voice: Voice, now: float) -> Sequence[KeyChange]:
    """What has happened to the caller's keys, the frame of this media tick included."""
    told, taps = voice.next_keys(now), voice.taps
    if not (told or taps.keys.found):
        return told
    if taps.pressed is not None:
        taps.pressed()
    return taps.keys.joined(told)
