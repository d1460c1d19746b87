"""The statistics of a call in a line."""

from glottis.contracts.statistics import Statistics


def summary(statistics: Statistics) -> str:
    """For logs: ``numbers``, what went by data channels, and every counter of what was of no use that is not zero."""
    inbound = statistics.inbound_rtp
    messages = statistics.peer_connection.to_json() if statistics.peer_connection is not None else {}
    discarded = {"packetsDiscarded": inbound.packets_discarded} if inbound is not None else {}
    counters = {**messages, **discarded, **statistics.counters.to_json()}
    return ", ".join([numbers(statistics), *(f"{name} {count}" for name, count in counters.items() if count)])


def numbers(statistics: Statistics) -> str:
    """For people: how much was sent and received, and how well."""
    outbound, inbound, remote = statistics.outbound_rtp, statistics.inbound_rtp, statistics.remote_inbound_rtp
    sent = outbound.packets_sent if outbound is not None else 0
    received, lost, jitter = (
        (inbound.packets_received, inbound.packets_lost, inbound.jitter) if inbound is not None else (0, 0, 0.0)
    )
    share = lost / (received + lost) if received + lost else 0.0
    round_trip = remote.round_trip_time if remote is not None else None
    return (
        f"packets sent {sent}, received {received}, lost {lost} ({share:.1%}), jitter {jitter * 1000:.1f} ms, "
        f"round trip {'unknown' if round_trip is None else f'{round_trip * 1000:.1f} ms'}"
    )
