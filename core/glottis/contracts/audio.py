"""Audio as agents see it: decoded frames, and the encoded packets below them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from glottis.contracts.checks import bytes_of, pcm_of

BYTES_PER_SAMPLE: Final = 2
FRAME_MS: Final = 20
"""Of a frame that agents hear, and between media ticks, where they ask for no others; packets that are sent are as
long, if nobody wishes others."""
FRAME_SECONDS: Final = FRAME_MS / 1000
FRAMES_MS: Final = (10, 20)
"""Those that agents can ask for: a turn of the wheel is 10 ms at most."""


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """A run of mono audio.

    ``pcm`` holds signed 16-bit samples in the machine's byte order; ``numpy.frombuffer(frame.pcm, numpy.int16)`` wraps
    it without a copy. ``sample_rate`` is in hertz. ``timestamp`` counts samples at that rate from the start of the
    stream and goes on over silence, so a gap between two frames is time in which nothing was heard.

    ``pcm`` may be given as any buffer of such samples (``bytearray``, ``memoryview``, ``array("h")``, a numpy array of
    ``int16`` in one row): it is copied to ``bytes``. Raises ``ValueError`` for other values.
    """

    pcm: bytes
    sample_rate: int
    timestamp: int = 0

    def __post_init__(self) -> None:
        if type(self.pcm) is not bytes:
            object.__setattr__(self, "pcm", pcm_of("AudioFrame.pcm", self.pcm))

    @property
    def samples(self) -> memoryview:
        """The samples as a read-only ``memoryview`` of format ``h``."""
        return memoryview(self.pcm).cast("h")

    @property
    def sample_count(self) -> int:
        """How many samples the frame holds."""
        return len(self.pcm) // BYTES_PER_SAMPLE

    @property
    def duration(self) -> float:
        """How long the frame sounds, in seconds."""
        return self.sample_count / self.sample_rate


FrameTap = Callable[[AudioFrame], AudioFrame]
"""Gets every frame of one direction of a call, and returns what goes on in its place, of the same length and rate.

It is called within the media tick: it has to be quick, and must not wait for anything.
"""


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One codec frame as it travels in RTP, for agents that decode themselves or pass it on.

    ``encoding_name`` and ``rtp_timestamp`` (in units of ``clock_rate`` hertz, of the sender's own origin) are those of
    the RTP stream; ``duration`` is in the same units. ``lost_before`` says how many packets are missing just before it.
    ``audio_level`` (−dBov, 0–127) is what its sender says of its loudness (RFC 6464), None where it says nothing.
    ``payload`` may be given as any buffer: it is copied to ``bytes``. Raises ``ValueError`` for another value.
    """

    payload: bytes
    encoding_name: str
    clock_rate: int
    rtp_timestamp: int
    duration: int
    lost_before: int = 0
    audio_level: int | None = None

    def __post_init__(self) -> None:
        if type(self.payload) is not bytes:
            object.__setattr__(self, "payload", bytes_of("EncodedPacket.payload", self.payload))
