"""The engines that hear a call which a file has kept: an ``AudioTrack`` without SRTP, and what is heard by it."""

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from glottis.contracts.audio import AudioFrame, EncodedPacket
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError
from glottis.lab.parts import delay_maker
from glottis.lab.plan import Delay
from glottis.lab.replaying.outcome import BIN, SILENCE, Speaking, figures_of
from glottis.peer import PeerSettings
from glottis.peer.audio import AudioTrack
from glottis.peer.overheard import Agreement, Patience
from glottis.rtp import AdaptiveDelay, DelayPolicy, FixedDelay, KeyChange, KeyDown
from glottis.sdp import SendingTrack
from glottis.wire.call_file import Kind

_FULL: Final = 32768.0


class Plain:
    """A ``PacketProtection`` that does nothing: packets were decrypted when they were kept."""

    retired_sources: Final = 0

    def protect(self, packet: bytes) -> bytes:
        """The same."""
        return packet

    protect_rtcp = protect

    def unprotect_untrusted(self, data: bytes, now: float) -> bytes:
        """The same."""
        return data

    unprotect_rtcp_untrusted = unprotect_untrusted


class Hearing:
    """Give it what came in, in its order; ``heard`` is asked in each media tick, as by the gateway."""

    def __init__(self, first: Agreement, codecs: Sequence[CodecSpec], delay: Delay | None = None) -> None:
        settings = PeerSettings(
            tuple(codecs),
            sample_rate=first.sample_rate,
            frame_ms=first.frame_ms,
            delay=delay_maker(delay) if delay is not None else _maker(first.delay, first.frame_ms / 1000),
        )
        self.track = AudioTrack(settings, SendingTrack(1, "replay", "replay", "replay"), random.Random(1))
        self.keys = ""
        """That were pressed."""
        self.speaking = Speaking()
        self._now = 0.0
        self._sound = hashlib.sha256()
        self._power: dict[int, tuple[float, int]] = {}
        self.track.taps.heard = self._hear
        self.track.taps.sent = self._sent
        self.track.next_keys = self._next_keys

    def take(self, kind: Kind, content: bytes | Agreement, now: float, heard: Callable[[float], None]) -> None:
        """What has come in."""
        session = self.track.session
        self._now = now
        timeout = session.next_timeout()
        if timeout is not None and timeout <= now:
            session.handle_timeout(now)
        if isinstance(content, Agreement):
            self.track.negotiate(content.audio, now)
        elif kind is Kind.KEYS:
            self.track.start(Plain(), now)
        elif kind is Kind.TICK:
            heard(now)
        else:
            session.handle_datagram(content, now)
            self.track.heed_reports(None, now)
        session.datagrams_to_send()

    def speak(self, now: float) -> bool:
        """Send what is due; says whether there may be room for more."""
        return bool(self.track.session.packets_to_send(now)) or self.track.has_moved_on

    def figures(self, now: float) -> dict[str, float]:
        """See ``Outcome.figures``."""
        inbound = self.track.session.statistics(now).inbound_rtp
        return figures_of(None if inbound is None else inbound.to_json())

    def sound(self) -> str:
        """The hash of what was heard."""
        return self._sound.hexdigest()

    def levels(self) -> tuple[int, ...]:
        """See ``Outcome.levels``."""
        bins = range(max(self._power, default=-1) + 1)
        return tuple(_level(*self._power.get(one, (0.0, 0))) for one in bins)

    def _hear(self, frame: AudioFrame) -> AudioFrame:
        self._sound.update(frame.pcm)
        samples = np.frombuffer(frame.pcm, np.int16).astype(np.float64)
        power, count = self._power.get(int(self._now / BIN), (0.0, 0))
        self._power[int(self._now / BIN)] = power + float(samples @ samples), count + len(samples)
        return frame

    def _sent(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        self.speaking.add(self._now, packet.duration / packet.clock_rate)

    def _next_keys(self, now: float) -> Sequence[KeyChange]:
        changes = self.track.keypad.take_changes(now)
        self.keys += "".join(one.digit for one in changes if isinstance(one, KeyDown))
        return changes


def check_codecs(agreement: Agreement, codecs: Sequence[CodecSpec]) -> None:
    """Raises ``ConfigurationError`` where one is not installed."""
    known = {(codec.encoding_name, codec.clock_rate) for codec in codecs}
    for one in agreement.audio.formats if agreement.audio is not None else ():
        if (one.encoding_name, one.clock_rate) not in known:
            raise ConfigurationError(f"the call has the codec {one.encoding_name}, which is not installed")


def _maker(patience: Patience, frame_seconds: float) -> Callable[[], DelayPolicy]:
    if patience.policy == "fixed":
        return lambda: FixedDelay(patience.ms / 1000)
    if patience.policy == "adaptive":
        least, most = patience.min_ms / 1000, patience.max_ms / 1000
        return lambda: AdaptiveDelay(least, most, patience.lateness, frame_seconds)
    return lambda: AdaptiveDelay(frame_seconds=frame_seconds)


def _level(power: float, count: int) -> int:
    if not count or not power:
        return SILENCE
    return max(SILENCE, round(10 * math.log10(power / count / _FULL**2)))
