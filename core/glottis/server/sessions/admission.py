"""What comes of the wish for a session."""

from collections.abc import Mapping, Sequence
from typing import Any

from glottis.config import Campaign
from glottis.contracts.errors import GlottisError
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import CallInfo, Principal
from glottis.signaling.session_request import SessionRequest
from glottis.wire.discreet import Discreet


class Unavailable(GlottisError):
    """No session can be created now. ``code`` is ``FULL``, ``OVERLOADED``, ``DRAINING`` or ``STARTING``.

    The message tells people. ``is_of_process``: another process of the same gateway may create one.
    """

    def __init__(self, code: str, message: str, *, is_of_process: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_of_process = is_of_process


class TooManySessions(GlottisError):
    """This client has its share of the sessions; the message says so in a sentence."""


class UnknownCampaign(GlottisError):
    """The configuration has no such campaign."""


class CreatedSession(Discreet, frozen=True):
    """A session that waits for its client. ``expires_at`` is in seconds since the epoch; ``repr`` hides the URL."""

    hidden = frozenset({"websocket_url"})

    session_id: str
    websocket_url: str
    expires_at: float
    ice_servers: Sequence[IceServer] = ()
    audio_config: Mapping[str, Any] | None = None
    """What is in force, where it needs no negotiation."""


def call_info_of(
    session_id: str, request: SessionRequest, campaign: Campaign, principal: Principal, client_host: str
) -> CallInfo:
    """Of the session that comes of this request."""
    return CallInfo(
        session_id=session_id,
        campaign_id=request.campaign_id,
        business_id=request.business_id,
        client_identifier=request.client_identifier,
        dynamic_variables=request.dynamic_variables,
        metadata=request.metadata,
        transport=request.transport,
        input=request.input,
        output=request.output,
        principal=principal,
        client_host=client_host,
        campaign_settings=campaign.agent.told,
        relays_only=request.relays_only,
        traceparent=request.traceparent,
    )
