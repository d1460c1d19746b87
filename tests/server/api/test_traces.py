"""Who may read traces."""

from typing import Any

from glottis.server.http.rate_limit import RateLimiter
from support.api import problem


async def test_trace_is_for_who_shows_the_key(serve: Any) -> None:
    client = serve()
    reply = await client.request("GET", "/api/sessions/s-1/trace", authorization="Bearer good")
    assert (reply.status, reply.body) == (200, b"s-1 of tester\n\n")
    assert problem(await client.request("GET", "/api/sessions/s-1/trace")) == (401, "UNAUTHENTICATED")
    unknown = await client.request("GET", "/api/sessions/s-2/trace", authorization="Bearer good")
    assert problem(unknown) == (404, "SESSION_NOT_FOUND")
    assert problem(await client.request("GET", "/api/sessions//trace")) == (404, "NOT_FOUND")
    assert problem(await client.request("POST", "/api/sessions/s-1/trace", body=b"")) == (405, "METHOD_NOT_ALLOWED")


async def test_operators_may_read_all_of_them(serve: Any) -> None:
    client = serve(operators=("boss",))
    reply = await client.request("GET", "/api/sessions/s-1/trace", authorization="Bearer boss")
    assert (reply.status, reply.body) == (200, b"s-1 of anybody\n\n")
    stranger = await serve().request("GET", "/api/sessions/s-1/trace", authorization="Bearer boss")
    assert problem(stranger) == (404, "SESSION_NOT_FOUND")


async def test_keys_are_not_to_be_tried_on_traces(serve: Any) -> None:
    client = serve(rate_limiter=RateLimiter(per_minute=1, burst=1))
    await client.request("GET", "/api/sessions/s-1/trace")
    assert problem(await client.request("GET", "/api/sessions/s-1/trace")) == (429, "RATE_LIMITED")
