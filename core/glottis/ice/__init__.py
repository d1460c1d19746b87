"""ICE: finding a path to the peer and keeping its consent to use it, RFC 8445 and RFC 7675. Start at ``IceAgent``,
and at ``IceTransport`` for restarts.

Server-reflexive addresses are those of the sockets and no call's own: ``ReflexiveGatherer`` finds them, beside agents.

A relay (``glottis.turn``) is one more local candidate, and so are streams (RFC 6544): passive ones wait for checks of
the peer, active ones check its passive ones.
"""

from glottis.ice.agent import IceAgent
from glottis.ice.check_list import MAX_PAIRS
from glottis.ice.credentials import Credentials, generate_credentials
from glottis.ice.events import (
    IceEvent,
    IceState,
    PathAuthenticated,
    PathGivenUp,
    PathReleased,
    SelectedPathChanged,
    StateChanged,
)
from glottis.ice.gathering import GatheringTiming, ReflexiveAddress, ReflexiveGatherer, ServerFailed
from glottis.ice.pair import CandidatePair, PairState
from glottis.ice.policy import ProbePolicy
from glottis.ice.timing import IceTiming
from glottis.ice.transport import IceTransport

__all__ = [
    "MAX_PAIRS",
    "CandidatePair",
    "Credentials",
    "GatheringTiming",
    "IceAgent",
    "IceEvent",
    "IceState",
    "IceTiming",
    "IceTransport",
    "PairState",
    "PathAuthenticated",
    "PathGivenUp",
    "PathReleased",
    "ProbePolicy",
    "ReflexiveAddress",
    "ReflexiveGatherer",
    "SelectedPathChanged",
    "ServerFailed",
    "StateChanged",
    "generate_credentials",
]
