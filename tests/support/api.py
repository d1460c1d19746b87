"""An HTTP API without a gateway: who knows three keys, and a store of sessions that makes none."""

import json
from typing import Any

from glottis.contracts.auth import AuthRequest
from glottis.contracts.errors import AuthenticationFailed, Forbidden
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import Principal
from glottis.contracts.statistics import Counters, Statistics
from glottis.server.sessions.admission import CreatedSession, Unavailable, UnknownCampaign
from glottis.signaling.session_request import SessionRequest
from glottis.signaling.session_url import SessionUrl

TOKEN = "sesame-open"
PAGE = "https://app.example"


class Keys:
    def __init__(self) -> None:
        self.campaigns: list[str | None] = []
        """Those that sessions were wanted for, or None, one for each request."""
        self.forbidden: set[str | None] = set()
        """Campaigns that nobody may call."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        self.campaigns.append(request.campaign_id)
        if request.campaign_id in self.forbidden:
            raise Forbidden("Ask for another campaign.")
        match request.headers.get("authorization"):
            case "Bearer good":
                return Principal("tester")
            case "Bearer boss":
                return Principal("boss")
            case "Bearer known":
                raise Forbidden("Ask for the right to create sessions.")
            case "Bearer mute":
                raise Forbidden
            case "Bearer \udcff":
                raise Forbidden("There is no key \udcff")
            case "Bearer old":
                raise AuthenticationFailed("UNAUTHENTICATED", "Send a newer key")
        return None


class Store:
    def __init__(self) -> None:
        self.created: list[tuple[SessionRequest, Principal, str, str]] = []
        self.unavailable: Unavailable | None = None

    async def create(
        self, request: SessionRequest, principal: Principal, client_host: str, base_url: str
    ) -> CreatedSession:
        if self.unavailable is not None:
            raise self.unavailable
        if request.campaign_id != "campaign-abc":
            raise UnknownCampaign
        self.created.append((request, principal, client_host, base_url))
        url = SessionUrl("s-1", request.transport, TOKEN).under(base_url)
        servers = (IceServer(("stun:stun.example",)), IceServer(("turn:turn.example",), "u", "c"))
        return CreatedSession("s-1", url, 1_800_000_000.75, servers)

    def key(self, purpose: str) -> bytes:
        return purpose.encode()

    def come_in(self, session_id: str) -> None:
        return None  # as of a session that has ended at once

    async def explain(self, session_id: str, principal: Principal | None) -> str | None:
        mine = session_id == "s-1" and (principal is None or principal.name == "tester")
        return f"{session_id} of {'anybody' if principal is None else principal.name}\n" if mine else None

    def statistics(self, session_id: str, principal: Principal | None) -> Statistics | None:
        mine = session_id == "s-1" and (principal is None or principal.name == "tester")
        return Statistics(counters=Counters(packets_replayed=2)) if mine else None

    def is_session_of(self, session_id: str, principal: Principal) -> bool:
        return session_id == "s-1" and principal.name == "tester"

    def room(self) -> int:
        return 0 if self.unavailable else 1

    def unavailability(self) -> Unavailable | None:
        return self.unavailable


def problem(reply: Any) -> tuple[int, str]:
    """The status and code of a problem document, which is complete."""
    assert reply.headers["content-type"] == "application/problem+json"
    document = json.loads(reply.body)
    assert document["status"] == reply.status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"].endswith(".")
    return reply.status, document["code"]
