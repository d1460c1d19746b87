"""What a connection has counted, by type and member name of W3C webrtc-stats."""

from collections.abc import Mapping
from typing import Any

from glottis.dtls import DtlsTransport
from glottis.ice import CandidatePair, IceAgent
from glottis.rtp import RtpSession

Statistics = Mapping[str, Mapping[str, Any]]
"""Times are in seconds, sizes in bytes. A type is missing while there is nothing to tell."""


def collect(
    agent: IceAgent | None, transport: DtlsTransport | None, session: RtpSession | None, now: float
) -> Statistics:
    """Of what there is: ``transport``, ``candidate-pair``, and the types of ``RtpSession.statistics``."""
    result: dict[str, Mapping[str, Any]] = {}
    if agent is not None and transport is not None:
        result["transport"] = {"iceState": agent.state.value, "dtlsState": transport.state.value}
    if agent is not None and agent.selected_pair is not None:
        result["candidate-pair"] = _candidate_pair(agent.selected_pair)
    if session is not None:
        result.update(session.statistics(now))
    return result


def _candidate_pair(pair: CandidatePair) -> Mapping[str, Any]:
    members: dict[str, Any] = {
        "localCandidateType": pair.local.type,
        "remoteCandidateType": pair.remote.type,
        "nominated": pair.nominated,
        "requestsReceived": pair.requests_received,
        "requestsSent": pair.requests_sent,
        "responsesReceived": pair.responses_received,
    }
    if pair.current_round_trip_time is not None:
        members["currentRoundTripTime"] = pair.current_round_trip_time
    return members
