"""What was counted of a call: the objects of W3C webrtc-stats (https://www.w3.org/TR/webrtc-stats/).

Members bear the names given there, in snake case. Times are in seconds, sizes in bytes; ``timestamp`` is in
milliseconds since 1970. A member is None before it has been measured. An object refers to another by its id, which is
the name of its field in ``Statistics``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, Final

import msgspec


class StatsObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object; ``type`` is its RTCStatsType."""

    type: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The members that have a value, under the names that clients know."""
        kind: Any = type(self)
        return {told: value for name, told in _members_of(kind) if (value := getattr(self, name)) is not None}


class TransportStats(StatsObject, frozen=True, kw_only=True):
    """The way to the peer, as a whole."""

    type: ClassVar[str] = "transport"
    ice_state: str
    ice_role: str | None = None
    dtls_state: str
    dtls_role: str | None = None
    srtp_cipher: str | None = None
    selected_candidate_pair_id: str | None = None
    local_certificate_id: str | None = None
    remote_certificate_id: str | None = None


class CertificateStats(StatsObject, frozen=True, kw_only=True):
    """Of either end: what its session description has announced, and it has shown."""

    type: ClassVar[str] = "certificate"
    fingerprint: str
    fingerprint_algorithm: str


class LocalCandidateStats(StatsObject, frozen=True, kw_only=True):
    """Ours in the pair that is used."""

    type: ClassVar[str] = "local-candidate"
    transport_id: str
    address: str
    port: int
    protocol: str
    candidate_type: str
    priority: int
    foundation: str
    related_address: str | None = None
    related_port: int | None = None
    tcp_type: str | None = None


class RemoteCandidateStats(LocalCandidateStats, frozen=True, kw_only=True):
    """The peer's in the pair that is used."""

    type: ClassVar[str] = "remote-candidate"


class CandidatePairStats(StatsObject, frozen=True, kw_only=True):
    """The pair of candidates that is used."""

    type: ClassVar[str] = "candidate-pair"
    transport_id: str = "transport"
    local_candidate_id: str = "local-candidate"
    remote_candidate_id: str = "remote-candidate"
    state: str = "succeeded"
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


class CodecStats(StatsObject, frozen=True, kw_only=True):
    """What one direction is encoded by."""

    type: ClassVar[str] = "codec"
    transport_id: str | None = None
    payload_type: int | None = None
    """None where there is no RTP."""
    mime_type: str
    clock_rate: int
    channels: int | None = None
    sdp_fmtp_line: str | None = None


class InboundRtpStats(StatsObject, frozen=True, kw_only=True):
    """The stream that is received."""

    type: ClassVar[str] = "inbound-rtp"
    ssrc: int
    kind: str = "audio"
    transport_id: str | None = None
    codec_id: str | None = None
    remote_id: str | None = None
    packets_received: int
    bytes_received: int
    packets_lost: int
    jitter: float
    packets_discarded: int
    jitter_buffer_delay: float
    jitter_buffer_target_delay: float = 0.0
    """As W3C has it, a sum over samples like the delay itself: divided by ``jitter_buffer_emitted_count``, a mean."""
    jitter_buffer_emitted_count: int
    total_samples_received: int
    concealed_samples: int
    silent_concealed_samples: int
    concealment_events: int
    fec_recovered_samples: int = 0
    """Not of W3C: concealed ones that the next packet's in-band redundancy described."""
    red_recovered_samples: int = 0
    """Not of W3C: of lost packets, which came as redundant audio (RFC 2198), and count as received."""
    inserted_samples_for_deceleration: int
    removed_samples_for_acceleration: int
    audio_level: float | None = None
    """0–1, as the sender has told it in its latest packet (RFC 6464): known without decoding."""
    nack_count: int | None = None


class OutboundRtpStats(StatsObject, frozen=True, kw_only=True):
    """The stream that is sent."""

    type: ClassVar[str] = "outbound-rtp"
    ssrc: int
    kind: str = "audio"
    transport_id: str | None = None
    codec_id: str | None = None
    remote_id: str | None = None
    packets_sent: int
    bytes_sent: int
    total_packet_send_lateness: float = 0.0
    """Not of W3C: by how many seconds frames left after they were due, all together."""
    target_bitrate: int | None = None
    """Bits per second."""
    fec_packets_sent: int = 0
    """Not of W3C: those that hold the frame before them by in-band redundancy, as far as they were encoded here."""
    red_packets_sent: int = 0
    """Not of W3C: those that hold frames before them as redundant audio (RFC 2198)."""
    nack_count: int | None = None
    retransmitted_packets_sent: int | None = None
    retransmitted_bytes_sent: int | None = None
    """Of whole packets."""
    complexity: int | None = None
    """Not of W3C: at which the encoder works now, None if that cannot be changed."""


class RemoteInboundRtpStats(StatsObject, frozen=True, kw_only=True):
    """The stream that is sent, as the peer has reported it."""

    type: ClassVar[str] = "remote-inbound-rtp"
    ssrc: int
    kind: str = "audio"
    transport_id: str | None = None
    codec_id: str | None = None
    local_id: str = "outbound-rtp"
    packets_lost: int
    fraction_lost: float
    jitter: float
    total_round_trip_time: float
    round_trip_time_measurements: int
    round_trip_time: float | None


class RemoteOutboundRtpStats(StatsObject, frozen=True, kw_only=True):
    """The stream that is received, as the peer has reported it. The round trip is told where nothing is sent."""

    type: ClassVar[str] = "remote-outbound-rtp"
    ssrc: int
    kind: str = "audio"
    transport_id: str | None = None
    codec_id: str | None = None
    local_id: str = "inbound-rtp"
    packets_sent: int
    bytes_sent: int
    reports_sent: int
    remote_timestamp: float
    total_round_trip_time: float
    round_trip_time_measurements: int
    round_trip_time: float | None


class DataChannelStats(StatsObject, frozen=True, kw_only=True):
    """One that there is."""

    type: ClassVar[str] = "data-channel"
    data_channel_identifier: int
    label: str
    protocol: str
    state: str
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int


class PeerConnectionStats(StatsObject, frozen=True, kw_only=True):
    """The connection as a whole."""

    type: ClassVar[str] = "peer-connection"
    data_channels_opened: int
    data_channels_closed: int
    messages_sent: int
    """This and those below are not of W3C: by all data channels together, those that are closed among them."""
    bytes_sent: int
    messages_received: int
    bytes_received: int


class AgentStats(StatsObject, frozen=True, kw_only=True):
    """Not of W3C: the agent, and what waits on its way to and from the caller."""

    type: ClassVar[str] = "agent"
    serving_time: float | None = None
    """Seconds since the call was given to this agent; None before there was one."""
    audio_waiting: float | None = None
    """Seconds of the caller's voice that the agent has not read; None where it runs in a process of its own."""
    messages_waiting: int = 0
    """Of the caller, that the agent has not read."""
    speech_queued: float = 0.0
    """Seconds of what the agent has said that were not sent yet."""


class Counters(StatsObject, frozen=True, kw_only=True):
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
    packets_stray: int = 0
    """RTP, of another SSRC than the one that was listened to when they came, or with a sequence number that jumps."""
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
    """For a client without its WebSocket, or without the data channel of a dialect, and more than is kept for it."""

    def to_json(self) -> dict[str, Any]:
        """See ``StatsObject.to_json``."""
        kind: Any = Counters
        return {told: count for name, told in _members_of(kind) if (count := getattr(self, name))}

    def counting(self, **counts: int) -> "Counters":
        """The same, with these counts: of a call that goes well they are all zeros, and nothing is copied."""
        others = {name: count for name, count in counts.items() if count != getattr(self, name)}
        return msgspec.structs.replace(self, **others) if others else self


_NOTHING_COUNTED: Final = Counters()


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one call. An object is None while there is nothing to tell."""

    transport: TransportStats | None = None
    candidate_pair: CandidatePairStats | None = None
    inbound_rtp: InboundRtpStats | None = None
    outbound_rtp: OutboundRtpStats | None = None
    remote_inbound_rtp: RemoteInboundRtpStats | None = None
    remote_outbound_rtp: RemoteOutboundRtpStats | None = None
    inbound_codec: CodecStats | None = None
    outbound_codec: CodecStats | None = None
    local_candidate: LocalCandidateStats | None = None
    remote_candidate: RemoteCandidateStats | None = None
    local_certificate: CertificateStats | None = None
    remote_certificate: CertificateStats | None = None
    peer_connection: PeerConnectionStats | None = None
    data_channels: tuple[DataChannelStats, ...] = ()
    """The first ones."""
    agent: AgentStats | None = None
    counters: Counters = _NOTHING_COUNTED
    timestamp: float | None = field(default=None, compare=False)
    """When it was counted; None before there is a connection."""

    def counting(self, **counts: int) -> "Statistics":
        """See ``Counters.counting``."""
        counters = self.counters.counting(**counts)
        return self if counters is self.counters else replace(self, counters=counters)

    def objects(self) -> Iterator[tuple[str, StatsObject]]:
        """What there is, each with its id."""
        for name in _OBJECTS:
            if (one := getattr(self, name)) is not None:
                yield name.replace("_", "-"), one
        for channel in self.data_channels:
            yield f"{channel.type}-{channel.data_channel_identifier}", channel

    def to_json(self) -> dict[str, dict[str, Any]]:
        """The objects by their ids, as clients get them."""
        moment = {} if self.timestamp is None else {"timestamp": self.timestamp}
        return {
            name: {"id": name, "type": one.type, **moment, **members}
            for name, one in self.objects()
            if (members := one.to_json())
        }


_OBJECTS: Final = tuple(one.name for one in fields(Statistics) if one.name not in ("data_channels", "timestamp"))


@cache
def _members_of(kind: Any) -> tuple[tuple[str, str], ...]:
    """Of a ``StatsObject``: their names, here and as clients know them."""
    return tuple((name, camel_case(name)) for name in kind.__struct_fields__)


@cache
def camel_case(name: str) -> str:
    """The name of a member as clients know it."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
