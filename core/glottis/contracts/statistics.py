"""What was counted of a call: the objects of W3C webrtc-stats (https://www.w3.org/TR/webrtc-stats/).

Members bear the names given there, in snake case. Times are in seconds, sizes in bytes; ``timestamp`` is in
milliseconds since 1970. A member is None before it has been measured.
"""

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsObject:
    """One object; ``type`` is its RTCStatsType."""

    type: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The members that have a value, under the names that clients know."""
        kind: Any = type(self)
        return {told: value for name, told in _members_of(kind) if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportStats(StatsObject):
    """The way to the peer, as a whole."""

    type: ClassVar[str] = "transport"
    ice_state: str
    dtls_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePairStats(StatsObject):
    """The pair of candidates that is used."""

    type: ClassVar[str] = "candidate-pair"
    local_candidate_type: str
    remote_candidate_type: str
    protocol: str
    """What our datagrams leave by: ``udp``, or ``tcp`` where that is blocked; a ``relay`` has its own ways."""
    nominated: bool
    requests_received: int
    requests_sent: int
    responses_received: int
    current_round_trip_time: float | None
    available_outgoing_bitrate: float | None = None
    """Bits per second, with all headers: what the peer's feedback allows, and no more than is ever needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRtpStats(StatsObject):
    """The stream that is received."""

    type: ClassVar[str] = "inbound-rtp"
    ssrc: int
    packets_received: int
    bytes_received: int
    packets_lost: int
    jitter: float
    packets_discarded: int
    jitter_buffer_delay: float
    jitter_buffer_emitted_count: int
    total_samples_received: int
    concealed_samples: int
    silent_concealed_samples: int
    concealment_events: int
    inserted_samples_for_deceleration: int
    removed_samples_for_acceleration: int
    audio_level: float | None = None
    """0–1, as the sender has told it in its latest packet (RFC 6464): known without decoding."""
    nack_count: int | None = None
    timestamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRtpStats(StatsObject):
    """The stream that is sent."""

    type: ClassVar[str] = "outbound-rtp"
    ssrc: int
    packets_sent: int
    bytes_sent: int
    target_bitrate: int | None = None
    """Bits per second."""
    nack_count: int | None = None
    retransmitted_packets_sent: int | None = None
    retransmitted_bytes_sent: int | None = None
    """Of whole packets."""
    complexity: int | None = None
    """Not of W3C: at which the encoder works now, None if that cannot be changed."""
    timestamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInboundRtpStats(StatsObject):
    """The stream that is sent, as the peer has reported it."""

    type: ClassVar[str] = "remote-inbound-rtp"
    ssrc: int
    packets_lost: int
    fraction_lost: float
    jitter: float
    total_round_trip_time: float
    round_trip_time_measurements: int
    round_trip_time: float | None
    timestamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOutboundRtpStats(StatsObject):
    """The stream that is received, as the peer has reported it. The round trip is told where nothing is sent."""

    type: ClassVar[str] = "remote-outbound-rtp"
    ssrc: int
    packets_sent: int
    bytes_sent: int
    reports_sent: int
    remote_timestamp: float
    total_round_trip_time: float
    round_trip_time_measurements: int
    round_trip_time: float | None
    timestamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannelStats(StatsObject):
    """All data channels of the call together."""

    type: ClassVar[str] = "data-channel"
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters(StatsObject):
    """What webrtc-stats has no names for: above all, what has come and was of no use. Clients are not told of zeros."""

    type: ClassVar[str] = "counters"
    packets_malformed: int = 0
    """RTP and RTCP: not authentic, unreadable or unplayable."""
    packets_replayed: int = 0
    """RTP and RTCP: copies."""
    packets_before_start: int = 0
    """RTP and RTCP: too many or too old when the handshake was done."""
    sources_retired: int = 0
    """SSRCs that have given way to new ones; packets of theirs are malformed from then on."""
    packets_unknown: int = 0
    """RTP, of payload types that were not negotiated."""
    packets_duplicated: int = 0
    """RTP: sequence numbers that wait to be played already."""
    decoder_errors: int = 0
    """Payloads that the codec refused."""
    dtmf_refused: int = 0
    """Keys that were pressed faster than anybody can."""
    recovery_attempts: int = 0
    """Lost packets that the next one's redundancy was to recover."""
    packets_recovered: int = 0
    """Lost packets whose audio came with a later one, as redundant audio."""
    red_blocks_skipped: int = 0
    """Redundant audio that could not be read."""
    comfort_noise_received: int = 0
    """Packets that told of a pause of the peer."""
    comfort_noise_sent: int = 0
    """The same of ours."""
    frames_unsent: int = 0
    """Frames of speech that were pauses, and not sent for it."""
    nacks_refused: int = 0
    """Requests to send packets again that came too often."""
    feedback_unknown: int = 0
    """Packets in requests and feedback that were never sent, or too long ago."""
    ice_datagrams_dropped: int = 0
    """STUN that was not for this call, not authentic, or came too often."""
    datagrams_refused: int = 0
    """Of the peer, which has sent more than its share."""
    paths_given_up: int = 0
    """Pairs of addresses that were in use and have given way to others."""
    ice_candidates_ignored: int = 0
    """Remote candidates that could not be used, or were too many."""
    dtls_datagrams_discarded: int = 0
    """Datagrams that held no DTLS, or came too early or too often."""
    sctp_packets_malformed: int = 0
    audio_messages_refused: int = 0
    """Binary messages of a WebSocket call that held no audio as it was declared."""
    audio_overflows: int = 0
    """Packets of a WebSocket call that were dropped because it sent more than may wait."""
    audio_messages_unsent: int = 0
    """Of a WebSocket call, whose client was too slow to read them."""
    audio_frames_dropped: int = 0
    """These and those below: what the agent was too slow to take."""
    audio_packets_dropped: int = 0
    dtmf_dropped: int = 0
    messages_dropped: int = 0
    events_dropped: int = 0
    processors_dropped: int = 0
    """Of extensions: those that have failed, and are left out; hooks that have failed count as one."""
    observers_dropped: int = 0
    """The same, also of those that were too slow."""
    messages_missed: int = 0
    """For a client without its WebSocket, and more than is kept for its return."""

    def to_json(self) -> dict[str, Any]:
        """See ``StatsObject.to_json``."""
        kind: Any = Counters
        return {told: count for name, told in _members_of(kind) if (count := getattr(self, name))}

    def counting(self, **counts: int) -> "Counters":
        """The same, with these counts: of a call that goes well they are all zeros, and nothing is copied."""
        others = {name: count for name, count in counts.items() if count != getattr(self, name)}
        return replace(self, **others) if others else self


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one call. An object is None while there is nothing to tell."""

    transport: TransportStats | None = None
    candidate_pair: CandidatePairStats | None = None
    inbound_rtp: InboundRtpStats | None = None
    outbound_rtp: OutboundRtpStats | None = None
    remote_inbound_rtp: RemoteInboundRtpStats | None = None
    remote_outbound_rtp: RemoteOutboundRtpStats | None = None
    data_channel: DataChannelStats | None = None
    counters: Counters = Counters()

    def counting(self, **counts: int) -> "Statistics":
        """See ``Counters.counting``."""
        counters = self.counters.counting(**counts)
        return self if counters is self.counters else replace(self, counters=counters)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """The objects by their type, as clients get them."""
        objects: list[StatsObject | None] = [getattr(self, field.name) for field in fields(self)]
        return {one.type: members for one in objects if one is not None and (members := one.to_json())}


@cache
def _members_of(kind: Any) -> tuple[tuple[str, str], ...]:
    """Of a ``StatsObject``: their names, here and as clients know them."""
    return tuple((field.name, camel_case(field.name)) for field in fields(kind))


@cache
def camel_case(name: str) -> str:
    """The name of a member as clients know it."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
