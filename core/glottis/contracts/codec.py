"""What a codec offers. Everything is synchronous, does no I/O and is called from one thread only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, Protocol, runtime_checkable

from msgspec import Meta

from glottis.contracts.audio import FRAME_SECONDS

VIRTUAL_TIME: Final = "GLOTTIS_VIRTUAL_TIME"
"""A variable of the environment that is set where time is virtual: what is heard must not depend on a real clock then,
so codecs that give something costly a share of real time do without a limit."""

FormatParameters = Mapping[str, str]
"""The parameters of an ``a=fmtp`` line; a parameter without a value maps to the empty string."""

RedPolicy = Literal["auto", "on", "off"]
"""Of redundant audio (RFC 2198): sent and taken where the peer can do it; wished for from the peer; never."""


class Encoder(Protocol):
    """Turns samples into codec frames; made for one call, one sample rate and one frame duration."""

    def encode(self, pcm: bytes) -> bytes:
        """Encode one frame (signed 16-bit mono, exactly the frame's samples).

        An empty result means that this frame need not be sent (discontinuous transmission).
        """

    def set_expected_loss(self, fraction: float) -> None:
        """Prepare for this share (0–1) of packets to be lost, where the codec can."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Aim at this bitrate, where the codec can."""


@runtime_checkable
class AdjustableEncoder(Encoder, Protocol):
    """An encoder that can work less hard in the middle of a call. No codec needs to have one."""

    def set_complexity(self, complexity: int) -> None:
        """Spend so much on quality from the next frame on: 0–10, as ``EncoderKnobs.complexity``."""


class Decoder(Protocol):
    """Turns codec frames into samples; made for one stream and one sample rate."""

    def decode(self, payload: bytes) -> bytes:
        """Decode the payload of one packet, of whatever duration, to signed 16-bit mono. Raises ``Malformed``."""

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        """Recover the ``sample_count`` samples lost before ``next_payload`` from its redundancy, else conceal them."""

    def conceal(self, sample_count: int) -> bytes:
        """Fill a gap of ``sample_count`` samples in a row after what was decoded last."""


Complexity = Annotated[int, Meta(ge=0, le=10)]
"""The scale of libopus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderKnobs:
    """How to encode, where a codec has a knob for it: of ``[media.encoder]``."""

    bitrate: Annotated[int, Meta(ge=6000, le=510_000)] | None = None
    """Bits per second; None: the codec's choice."""
    complexity: Complexity = 5
    """Quality for CPU time."""
    in_band_fec: bool = True
    dtx: bool = False
    dred_ms: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Milliseconds of what was said before a packet that it also holds, coarsely, while loss is expected."""


@dataclass(frozen=True, slots=True)
class EncoderSettings(EncoderKnobs):
    """How to encode in one call: the knobs, and what was negotiated.

    ``sample_rate`` in hertz is the rate of the samples given to ``encode``, any of ``CodecSpec.sample_rates``;
    ``frame_ms`` one of ``CodecSpec.frame_durations_ms``.
    """

    sample_rate: int
    frame_ms: float = 1000 * FRAME_SECONDS
    expected_loss: float = 0.0
    remote_parameters: FormatParameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """A codec as ``register_codecs`` returns it.

    ``encoding_name``, ``clock_rate`` (hertz, of RTP timestamps) and ``channels`` are those of its rtpmap;
    ``static_payload_type`` is its number in RFC 3551, if it has one. ``sample_rates`` are the rates that its encoders
    and decoders accept directly: a codec package resamples inside where the codec itself cannot.
    ``payload_duration_untrusted`` says how long a received payload lasts, in RTP clock units; it raises ``Malformed``.
    ``answer_parameters`` maps the offered fmtp to ours, or to None where the offered format does not fit.
    """

    encoding_name: str
    clock_rate: int
    create_encoder: Callable[[EncoderSettings], Encoder]
    create_decoder: Callable[[int], Decoder]
    """Makes a decoder to the given sample rate in hertz."""
    payload_duration_untrusted: Callable[[bytes], int]
    channels: int = 1
    static_payload_type: int | None = None
    in_band_redundancy: bool = False
    """Whether a packet may hold the frame before its own, or helps to conceal it, when ``decode_fec`` is given it.

    Then it is worth waiting for.
    """
    has_redundancy: Callable[[bytes], bool] = lambda payload: False
    """Whether a payload of its encoder holds the frame before its own, too: for statistics, while loss is expected."""
    redundancy_reach: Callable[[bytes], int] = lambda payload: 0
    """How much of what was before a received payload ``decode_fec`` can recover from it, in RTP clock units.

    Asked after losses, for codecs that hold more than the frame before. Raises nothing, whatever the payload is.
    """
    sample_rates: tuple[int, ...] = (8000, 16000, 24000, 48000)
    frame_durations_ms: tuple[float, ...] = (10, 20, 40, 60)
    default_bitrates: Mapping[int, int] = field(default_factory=dict)
    """Bits per second that its encoders aim at if nothing is wished for, by sample rate; empty: they have one bitrate.

    Where packets are lost, ``Encoder.set_bitrate`` is told of more, for redundancy, or of less, for copies.
    """
    offer_parameters: FormatParameters = field(default_factory=dict)
    answer_parameters: Callable[[FormatParameters], FormatParameters | None] = lambda offered: {}
