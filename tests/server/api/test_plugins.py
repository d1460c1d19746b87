"""Who may see how plugins fare."""

import json
from typing import Any

from glottis.plugins import Plugin
from support.api import problem

PATH = "/api/plugins"


def busy_plugin() -> Plugin:
    plugin = Plugin("opus", "glottis-opus", "1.0")
    plugin.timing("encode of opus").note(2_000_000)
    return plugin


async def test_figures_are_for_who_shows_the_key(serve: Any) -> None:
    client = serve(plugins=[busy_plugin()], operators=["tester"])
    assert problem(await client.request("GET", PATH)) == (401, "UNAUTHENTICATED")
    assert problem(await client.request("POST", PATH, body=b"")) == (405, "METHOD_NOT_ALLOWED")
    stranger = serve(plugins=[busy_plugin()])
    assert problem(await stranger.request("GET", PATH, authorization="Bearer good")) == (403, "FORBIDDEN")
    table = await client.request("GET", PATH, authorization="Bearer good")
    assert table.status == 200
    assert table.body.split(b"\n")[1].startswith(b"opus    glottis-opus")


async def test_machines_get_json(serve: Any) -> None:
    client = serve(plugins=[busy_plugin()], operators=["tester"])
    reply = await client.request("GET", PATH, authorization="Bearer good", accept="application/json")
    assert json.loads(reply.body) == {
        "plugins": [
            {
                "plugin": "opus",
                "distribution": "glottis-opus",
                "version": "1.0",
                "askedFor": "encode of opus",
                "calls": 1,
                "errors": 0,
                "slow": 0,
                "seconds": 0.002,
                "p50": 0.002,
                "p99": 0.002,
            }
        ]
    }
