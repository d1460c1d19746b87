"""What an observer is told that wants all that comes in; where there is none, nothing of this is in the way."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from glottis.contracts.audio import FRAME_MS
from glottis.contracts.errors import Malformed
from glottis.contracts.extensions import Incoming
from glottis.peer.settings import PeerSettings
from glottis.rtp import AdaptiveDelay, FixedDelay, KeyChange, PacketProtection
from glottis.sdp import NegotiatedAudio

MAX_PACKET_MS: Final = 10_000.0
MIN_CLOCK: Final = 1000
MAX_CLOCK: Final = 192_000
"""Hertz."""
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]
Tell = Callable[[Incoming, bytes, float], None]


class Patience(Struct, frozen=True, omit_defaults=True):
    """How long packets wait, as configuration has it."""

    policy: Literal["fixed", "adaptive", "other"]
    ms: Milliseconds = 0.0
    min_ms: Milliseconds = 0.0
    max_ms: Milliseconds = 0.0
    lateness: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Agreement(Struct, frozen=True):
    """What a negotiation has come to, and how this side hears: no address, fingerprint or password is in it."""

    audio: NegotiatedAudio | None
    sample_rate: Annotated[int, Meta(ge=8000, le=48000)]
    frame_ms: Literal[10, 20]
    delay: Patience


def agreement(audio: NegotiatedAudio | None, settings: PeerSettings) -> bytes:
    """As JSON. The peer's own names for itself are left out."""
    if audio is not None:
        audio = replace(audio, remote_cname=None)
    frame_ms: Literal[10, 20] = 10 if settings.frame_ms < FRAME_MS else 20
    return msgspec.json.encode(Agreement(audio, settings.sample_rate, frame_ms, _patience(settings)))


def read_agreement_untrusted(data: bytes) -> Agreement:
    """Raises ``Malformed`` for what ``agreement`` has not made."""
    try:
        found = msgspec.json.decode(data, type=Agreement)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"agreement: {error}") from None
    if found.audio is not None:
        _check_untrusted(found.audio)
    return found


def _check_untrusted(audio: NegotiatedAudio) -> None:
    """As far as types do not."""
    numbers = {one.payload_type for one in audio.formats}
    if not numbers or (audio.red is not None and audio.red.primary.payload_type not in numbers):
        raise Malformed("agreement: expected a codec at least, and the one that redundant audio has")
    others = [*audio.formats, *audio.events, *([audio.comfort_noise] if audio.comfort_noise is not None else [])]
    if not all(MIN_CLOCK <= one.clock_rate <= MAX_CLOCK for one in others):
        raise Malformed(f"agreement: expected clocks of {MIN_CLOCK} to {MAX_CLOCK} Hz")
    if not all(time is None or 1 <= time <= MAX_PACKET_MS for time in (audio.ptime_ms, audio.maxptime_ms)):
        raise Malformed(f"agreement: expected packets of 1 to {MAX_PACKET_MS:g} ms")


class Overheard:
    """SRTP whose packets are told once they are authentic: a ``PacketProtection``."""

    def __init__(self, protection: PacketProtection, tell: Tell) -> None:
        self._protection = protection
        self._tell = tell
        self.protect = protection.protect
        self.protect_rtcp = protection.protect_rtcp

    @property
    def retired_sources(self) -> int:
        """See ``SrtpSession``."""
        return self._protection.retired_sources

    def unprotect_untrusted(self, data: bytes, now: float) -> bytes:
        """See ``SrtpSession``."""
        packet = self._protection.unprotect_untrusted(data, now)
        self._tell("rtp", packet, now)
        return packet

    def unprotect_rtcp_untrusted(self, data: bytes, now: float) -> bytes:
        """See ``SrtpSession``."""
        packet = self._protection.unprotect_rtcp_untrusted(data, now)
        self._tell("rtcp", packet, now)
        return packet


def ticking(take_changes: Callable[[float], Sequence[KeyChange]], tell: Tell) -> Callable[[float], Sequence[KeyChange]]:
    """What is asked in each media tick, after its frame was made, and tells so."""

    def take(now: float) -> Sequence[KeyChange]:
        tell("tick", b"", now)
        return take_changes(now)

    return take


def _patience(settings: PeerSettings) -> Patience:
    policy = settings.delay()
    if isinstance(policy, AdaptiveDelay):
        least, most, lateness = policy.settings
        return Patience("adaptive", min_ms=least * 1000, max_ms=most * 1000, lateness=lateness)
    if type(policy) is FixedDelay:
        return Patience("fixed", ms=policy.target * 1000)
    return Patience("other")
