"""Every counter that the code keeps of a call is seen in its statistics."""

import ast
from collections.abc import Iterator
from pathlib import Path

import glottis
from glottis.contracts.statistics import StatsObject

ROOMS = ("rtp", "ice", "turn", "dtls", "sctp", "peer", "calls")
SHOWN = {name for kind in StatsObject.__subclasses__() for name in kind.__struct_fields__}
ALIASES = {
    "ice/agent.py: dropped_datagrams": "ice_datagrams_dropped",
    "ice/remote_candidates.py: _useless": "ice_candidates_ignored",
    "dtls/transport.py: discarded_datagrams": "dtls_datagrams_discarded",
    "peer/transport.py: discarded_datagrams": "dtls_datagrams_discarded",
    "rtp/departures.py: unknown": "feedback_unknown",
    "rtp/retransmission.py: refused": "nacks_refused",
    "rtp/retransmission.py: unknown": "feedback_unknown",
    "rtp/rtcp_session.py: sender_reports_received": "reports_sent",
    "rtp/round_trip.py: measurements": "round_trip_time_measurements",
    "sctp/association.py: malformed_packets": "sctp_packets_malformed",
    "calls/forwarding.py: _refused": "audio_frames_dropped",
    "calls/streams.py: dropped": "events_dropped",
    "calls/turns.py: dropped": "audio_frames_dropped",
}
NO_COUNTERS = {
    "calls/websocket/marks.py: _last_id": "the number of the last mark",
    "dtls/numbering.py: _next": "the number of the next message",
    "ice/checker.py: unanswered_transmissions": "zero again after each response",
    "ice/gathering.py: answers_ignored": "of the gateway, which shows it in its own counts",
    "peer/negotiator.py: _session_version": "of the description",
    "rtp/comfort_noise.py: _heard": "frames of the first second",
    "rtp/adaptive_delay.py: _waiting": "packets since the target was set",
    "rtp/arrivals.py: _count": "of feedback packets, which is in them",
    "sctp/handshake.py: _attempts": "of the handshake",
    "sctp/inbound.py: _packets_unacknowledged": "zero again after each acknowledgement",
    "sctp/outstanding.py: _head": "a TSN",
    "sctp/outstanding.py: sent_count": "of one chunk in flight",
    "sctp/reassembly.py: next_sequence": "a sequence number",
    "sctp/reset.py: _next_sequence": "a sequence number",
    "sctp/send_queue.py: _message_count": "of what is queued",
    "sctp/send_queue.py: next_sequence": "a sequence number",
    "sctp/tcb.py: error_count": "zero again after each response",
    "turn/allocation.py: _unanswered_refreshes": "zero again after each message of the server",
    "turn/allocation.py: _untimely": "of the gateway, which shows it in its own counts",
    "turn/allocation.py: ignored_datagrams": "of the gateway, which shows it in its own counts",
    "turn/relaying.py: dropped": "of the gateway, which shows it in its own counts",
    "turn/relaying.py: indications": "zero again when a channel is bound",
    "turn/requests.py: challenges": "of one request",
}


def incremented() -> Iterator[str]:
    """Attributes that grow by one somewhere, with their file."""
    root = Path(glottis.__file__).parent
    for path in sorted(path for room in ROOMS for path in (root / room).glob("**/*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if " += " in text else ():
            match node:
                case ast.AugAssign(ast.Attribute(attr=name), ast.Add(), ast.Constant(1) | ast.Compare()):
                    yield f"{path.relative_to(root)}: {name}"


def test_every_counter_is_in_the_statistics() -> None:
    found = set(incremented())
    forgotten = {one for one in found - NO_COUNTERS.keys() if ALIASES.get(one, one.split(": ")[1]) not in SHOWN}
    assert forgotten == set(), "show it in contracts.statistics.Counters, or say in NO_COUNTERS why not"
    assert ALIASES.keys() | NO_COUNTERS.keys() <= found, "there is no such counter any more"
