"""How a peer connection shall behave."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from glottis.contracts.audio import FRAME_MS
from glottis.contracts.codec import CodecSpec, EncoderKnobs, RedPolicy
from glottis.ice.timing import DEFAULT_TIMING, IceTiming
from glottis.rtp import DelayPolicy, FixedDelay
from glottis.sctp import DEFAULT_MAX_MESSAGE_SIZE
from glottis.wire.address import Address


class PeerSettings(msgspec.Struct, frozen=True):
    """All calls of a campaign can share one. Durations are in seconds unless the name says milliseconds.

    ``codecs`` are in order of preference: the first that the peer has too is the one sent. ``sample_rate`` in hertz is
    that of the decoded audio, and ``frame_ms`` the length of its frames, one of ``FRAMES_MS``. ``max_message_size`` in
    bytes is offered for data channels; None refuses them.
    """

    codecs: tuple[CodecSpec, ...]
    sample_rate: int = 16000
    frame_ms: int = FRAME_MS
    output_codec: str | None = None
    """The encoding name to send where the peer has it; None: the first in common."""
    packet_ms: float | None = None
    """Wished for packets that are sent; the peer's ptime and maxptime go before it. None: as long as frames."""
    delay: Callable[[], DelayPolicy] = FixedDelay
    """Makes what says how long received packets wait."""
    encoder: EncoderKnobs = msgspec.field(default_factory=EncoderKnobs)
    send_silence: bool = False
    """Whether silence is sent where there is nothing to be said."""
    red: RedPolicy = "auto"
    ice_lite: bool = False
    ice_timing: IceTiming = DEFAULT_TIMING
    probe_private_addresses: bool = True
    announced: Mapping[Address, Sequence[Address]] = msgspec.field(default_factory=dict)
    """By local address: those that the peer is told in its place. Of addresses that are not in here, themselves."""
    max_message_size: int | None = DEFAULT_MAX_MESSAGE_SIZE
    wallclock_offset: Callable[[], float] = lambda: 0.0
    """What to add to ``now`` to get seconds since 1970, as things are now: the system's clock may be set in a call."""
