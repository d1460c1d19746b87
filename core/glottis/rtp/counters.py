"""What is counted about a stream: reception of one source (RFC 3550 Appendix A.3, A.8) and its playout.

Counters bear the names of W3C webrtc-stats, in snake case.
"""

from dataclasses import dataclass
from typing import Final

from glottis.rtp.sequence import SequenceTracker

_MAX_LOST: Final = 0x7FFFFF
"""The report block's field is a signed number of 24 bits, RFC 3550 §6.4.1."""
_NEVER: Final = -1.0


class SourceStatistics:
    """Reception of one source: sequence numbers, losses and interarrival jitter."""

    __slots__ = (
        "_expected_before",
        "_last_arrival",
        "_last_timestamp",
        "_received_before",
        "_sequence",
        "bytes_received",
        "fraction_lost",
        "jitter",
        "last_packet_at",
        "packets_received",
        "ssrc",
    )

    def __init__(self, ssrc: int, first_sequence_number: int) -> None:
        self.ssrc = ssrc
        self.packets_received = 0
        self.bytes_received = 0
        """Of payloads, without headers and padding."""
        self.jitter = 0.0
        """In units of the RTP clock."""
        self.fraction_lost = 0.0
        """What was told last."""
        self.last_packet_at = _NEVER
        self._sequence = SequenceTracker(first_sequence_number)
        self._last_arrival = _NEVER
        self._last_timestamp = 0
        self._expected_before = 0
        self._received_before = 0

    def receive(self, sequence_number: int, payload_length: int, now: float) -> int | None:
        """Count a packet; returns its extended sequence number, or None if it is to be dropped."""
        self.last_packet_at = now
        sequence = self._sequence.extend(sequence_number)
        if sequence is not None:
            self.packets_received += 1
            self.bytes_received += payload_length
        return sequence

    def measure_jitter(self, timestamp: int, clock_rate: int, now: float) -> None:
        """Smooth the difference between spacing at arrival and spacing at the sender, RFC 3550 A.8."""
        last, jitter = self._last_arrival, self.jitter
        if last >= 0.0:
            sent_apart = ((timestamp - self._last_timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            self.jitter = jitter + (abs((now - last) * clock_rate - sent_apart) - jitter) / 16.0
        self._last_arrival = now
        self._last_timestamp = timestamp

    def restart_jitter(self) -> None:
        """Forget the last packet, because the clock rate changes with the payload type (RFC 7160 §4.1)."""
        self._last_arrival = _NEVER

    @property
    def packets_lost(self) -> int:
        """Expected less received; duplicates count as received, so it may be negative (RFC 3550 §6.4.1)."""
        return self._sequence.expected - self.packets_received

    @property
    def packets_lost_reported(self) -> int:
        """``packets_lost``, clamped to the range of a report block."""
        return max(-_MAX_LOST, min(_MAX_LOST, self.packets_lost))

    @property
    def highest_sequence_number(self) -> int:
        """Extended, as report blocks carry it."""
        return self._sequence.highest & 0xFFFFFFFF

    def take_fraction_lost(self) -> float:
        """The share of packets lost (0–1) since this was called last, RFC 3550 A.3."""
        expected = self._sequence.expected - self._expected_before
        received = self.packets_received - self._received_before
        self._expected_before += expected
        self._received_before += received
        self.fraction_lost = max(0, expected - received) / expected if expected > 0 else 0.0
        return self.fraction_lost


@dataclass(slots=True)
class PlayoutStatistics:
    """What became of received audio. Samples are at the playout's rate, delays in seconds.

    ``decoder_errors`` counts payloads that the codec refused, ``recovery_attempts`` lost packets that a decoder was
    asked to recover from the next one's in-band redundancy; they are counted as concealed, too, for a codec does not
    say how it went. ``packets_recovered`` counts lost packets whose frame came with a later one (RFC 2198), and
    ``red_blocks_skipped`` such frames that could not be read; ``red_recovered_units`` is how long those frames were in
    units of the RTP clock, and ``fec_recovered_samples`` what attempts gave whose packet had redundancy
    (``CodecSpec.has_redundancy``). ``comfort_noise_received`` counts packets of noise in place of audio (RFC 3389).
    These seven, ``packets_duplicated``, ``packets_unknown`` and ``packets_stray``, of no source that is listened to or
    with a number that jumps, are not in webrtc-stats.
    ``silent_concealed_samples`` are those of silence and of comfort noise, as webrtc-stats has it.
    """

    packets_discarded: int = 0
    packets_duplicated: int = 0
    packets_unknown: int = 0
    packets_stray: int = 0
    jitter_buffer_delay: float = 0.0
    jitter_buffer_target_delay: float = 0.0
    jitter_buffer_emitted_count: int = 0
    total_samples_received: int = 0
    concealed_samples: int = 0
    silent_concealed_samples: int = 0
    concealment_events: int = 0
    fec_recovered_samples: int = 0
    red_recovered_units: int = 0
    inserted_samples_for_deceleration: int = 0
    removed_samples_for_acceleration: int = 0
    recovery_attempts: int = 0
    packets_recovered: int = 0
    red_blocks_skipped: int = 0
    comfort_noise_received: int = 0
    decoder_errors: int = 0
