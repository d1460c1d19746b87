"""What whoever asks may call."""

import json
from typing import Any

from support.api import PAGE, Keys, problem

PATH = "/api/campaigns"
CAMPAIGNS = ("sales", "repairs", "board")


async def test_campaigns_come_in_the_order_of_the_configuration(serve: Any, keys: Keys) -> None:
    client = serve(campaigns=CAMPAIGNS)
    reply = await client.request("GET", PATH, origin=PAGE, authorization="Bearer good")
    assert reply.status == 200
    assert json.loads(reply.body) == {
        "campaigns": [{"campaignId": "sales"}, {"campaignId": "repairs"}, {"campaignId": "board"}]
    }
    assert keys.campaigns == list(CAMPAIGNS)


async def test_those_that_are_forbidden_are_not_told(serve: Any, keys: Keys) -> None:
    keys.forbidden = {"board"}
    reply = await serve(campaigns=CAMPAIGNS).request("GET", PATH, authorization="Bearer good")
    assert [each["campaignId"] for each in json.loads(reply.body)["campaigns"]] == ["sales", "repairs"]


async def test_strangers_and_other_pages_are_told_nothing(serve: Any) -> None:
    client = serve(campaigns=CAMPAIGNS)
    assert problem(await client.request("GET", PATH)) == (401, "UNAUTHENTICATED")
    assert problem(await client.request("GET", PATH, origin="https://evil.example")) == (403, "ORIGIN_NOT_ALLOWED")
