"""What RTCP was agreed to say beside compound reports."""

from typing import NamedTuple


class Feedback(NamedTuple):
    """Each goes both ways."""

    nack: bool = False
    """Packets that are missing are asked for, and sent again: RFC 4585 §6.2.1."""
    transport: bool = False
    """Arrivals of all packets are told: draft-holmer-rmcat-transport-wide-cc-extensions-01."""
    receiver_rtt: bool = False
    """Who sends nothing measures the round trip, too: RFC 3611 §4.4."""
    reduced_size: bool = False
    """Feedback goes without a report before it: RFC 5506."""


NO_FEEDBACK = Feedback()
