"""``GET /api/campaigns``: what whoever asks may call, for pages that let people choose."""

from collections.abc import Sequence
from typing import Final

from glottis.server.api.authentication import Authentication
from glottis.server.api.cors import CorsPolicy
from glottis.server.http.message import Request, Response, json_response
from glottis.server.http.problem import Problem

PATH: Final = "/api/campaigns"
FORBIDDEN: Final = 403


class CampaignsRoute:
    """Campaigns in the order of the configuration, without those that the auth scheme forbids whoever asks."""

    def __init__(self, campaigns: Sequence[str], authentication: Authentication, cors: CorsPolicy) -> None:
        self._campaigns = campaigns
        self._authentication = authentication
        self._cors = cors

    async def get(self, request: Request) -> Response:
        """Their identifiers; raises ``Problem`` 401 or 429, and 403 for a page that may not ask."""
        self._cors.check(request)
        await self._authentication.limit(request)
        allowed = [campaign_id for campaign_id in self._campaigns if await self._may_call(request, campaign_id)]
        return json_response(200, {"campaigns": [{"campaignId": campaign_id} for campaign_id in allowed]})

    async def _may_call(self, request: Request, campaign_id: str) -> bool:
        try:
            await self._authentication.caller_of(request, campaign_id)
        except Problem as problem:
            if problem.status != FORBIDDEN:
                raise
            return False
        return True
