"""Who may read the statistics of a session."""

from typing import Any

from support.api import problem

PATH = "/api/sessions/s-1/stats"
COUNTED = b'{"counters":{"id":"counters","type":"counters","packetsReplayed":2}}'


async def test_statistics_are_for_who_has_created_the_session(serve: Any) -> None:
    client = serve()
    reply = await client.request("GET", PATH, authorization="Bearer good")
    assert (reply.status, reply.body) == (200, COUNTED)
    assert problem(await client.request("GET", PATH)) == (401, "UNAUTHENTICATED")
    unknown = await client.request("GET", "/api/sessions/s-2/stats", authorization="Bearer good")
    assert problem(unknown) == (404, "SESSION_NOT_FOUND")
    assert problem(await client.request("POST", PATH, body=b"")) == (405, "METHOD_NOT_ALLOWED")


async def test_operators_read_those_of_all_sessions(serve: Any) -> None:
    client = serve(operators=["boss"])
    assert (await client.request("GET", PATH, authorization="Bearer boss")).body == COUNTED
    stranger = await serve().request("GET", PATH, authorization="Bearer boss")
    assert problem(stranger) == (404, "SESSION_NOT_FOUND")
