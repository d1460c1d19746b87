"""Keys of an endpoint are cached, renewed ahead of those who ask, found by ``kid``, and kept in an outage."""

import gzip
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
import trio.testing
from glottis import AuthenticationFailed, AuthRequest, GatewayInfo, Secret
from glottis_auth_jwt import JwtConfig, JwtScheme
from glottis_auth_jwt.sources import MAX_DOCUMENT
from joserfc import jwt
from joserfc.jwk import ECKey

Clock = trio.testing.MockClock
URL = Secret("https://app.example/jwks?key=hunter2")
OLD = ECKey.generate_key("P-256", {"kid": "old"})
NEW = ECKey.generate_key("P-256", {"kid": "new"})
GATEWAY = GatewayInfo("http://127.0.0.1:8080", "0.1.0")
NOW = 1_800_000_000
CLAIMS = {"iss": "i", "aud": "a", "sub": "ada", "exp": NOW + 1}


def document(*keys: ECKey) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def by(key: ECKey) -> AuthRequest:
    text = jwt.encode({"alg": "ES256", "kid": key.kid}, CLAIMS, key)
    return AuthRequest("POST", "/", {"authorization": f"Bearer {text}"}, "192.0.2.1")


class Endpoint:
    """Replies as it is told. Test double of an operator's endpoint."""

    def __init__(self, *keys: ECKey) -> None:
        self.reply: httpx2.Response | Exception | Callable[[], Awaitable[httpx2.Response]]
        self.publish(*keys)
        self.requests = 0

    def publish(self, *keys: ECKey) -> None:
        self.reply = httpx2.Response(200, content=document(*keys))

    def scheme(self, **changes: Any) -> JwtScheme:
        config = JwtConfig(issuer="i", audience="a", jwks_url=URL, **changes)
        return JwtScheme(config, httpx2.MockTransport(self._handle), lambda: NOW)

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        assert str(request.url) == URL.reveal()
        if isinstance(self.reply, Exception):
            raise self.reply
        if callable(self.reply):
            return await self.reply()
        return httpx2.Response(self.reply.status_code, content=self.reply.content)


async def is_let_in(scheme: JwtScheme, key: ECKey) -> bool:
    try:
        await scheme.authenticate(by(key))
    except AuthenticationFailed:
        return False
    return True


async def test_one_request_serves_many_who_ask(autojump_clock: Clock) -> None:
    endpoint = Endpoint(OLD)
    scheme = endpoint.scheme()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(scheme.authenticate, by(OLD))
    assert endpoint.requests == 1
    await trio.sleep(299)
    assert await is_let_in(scheme, OLD)
    assert endpoint.requests == 1


async def test_key_that_is_new_is_looked_for_at_once_but_not_for_everybody(autojump_clock: Clock) -> None:
    endpoint = Endpoint(OLD)
    scheme = endpoint.scheme()
    assert await is_let_in(scheme, OLD)
    endpoint.publish(OLD, NEW)
    assert not await is_let_in(scheme, NEW)
    assert endpoint.requests == 1  # anybody can invent a kid
    await trio.sleep(10)
    assert await is_let_in(scheme, NEW)
    assert await is_let_in(scheme, OLD)
    assert endpoint.requests == 2


async def test_key_that_is_taken_away_is_good_no_more(autojump_clock: Clock) -> None:
    endpoint = Endpoint(OLD)
    scheme = endpoint.scheme(cache=60)
    async with scheme.gateway_lifespan(GATEWAY):
        endpoint.publish(NEW)
        assert await is_let_in(scheme, OLD)
        await trio.sleep(49)
        assert endpoint.requests == 2
        assert not await is_let_in(scheme, OLD)
        assert await is_let_in(scheme, NEW)


async def test_nobody_waits_for_keys_in_a_gateway(autojump_clock: Clock) -> None:
    async def late() -> httpx2.Response:
        await trio.sleep(1.5)
        return httpx2.Response(200, content=document(NEW))

    endpoint = Endpoint(OLD)
    scheme = endpoint.scheme(cache=60)
    async with scheme.gateway_lifespan(GATEWAY):
        assert endpoint.requests == 1
        endpoint.reply = late
        began = trio.current_time()
        await trio.sleep(49)
        assert endpoint.requests == 2
        assert await is_let_in(scheme, OLD)
        assert trio.current_time() - began == 49
        await trio.sleep(1)
        assert not await is_let_in(scheme, OLD)
        assert await is_let_in(scheme, NEW)
        assert trio.current_time() - began == 50
    assert endpoint.requests == 2


async def test_gateway_starts_without_keys_and_asks_until_they_are_there(autojump_clock: Clock) -> None:
    endpoint = Endpoint()
    scheme = endpoint.scheme()
    async with scheme.gateway_lifespan(GATEWAY):
        assert not await is_let_in(scheme, OLD)
        endpoint.publish(OLD)
        await trio.sleep(1.1)
        requests = endpoint.requests
        assert await is_let_in(scheme, OLD)
        assert endpoint.requests == requests


async def test_kid_that_nobody_has_costs_one_request_in_ten_seconds_in_an_outage_too(autojump_clock: Clock) -> None:
    endpoint = Endpoint(OLD)
    scheme = endpoint.scheme(cache=86_400)
    async with scheme.gateway_lifespan(GATEWAY):
        for answer in (endpoint.reply, httpx2.Response(503)):
            endpoint.reply = answer
            before = endpoint.requests
            for _ in range(100):
                assert not await is_let_in(scheme, NEW)
                assert await is_let_in(scheme, OLD)
                await trio.sleep(1)
            assert endpoint.requests - before <= 11


async def test_who_gives_up_the_wait_for_a_key_keeps_nobody_from_renewal(autojump_clock: Clock) -> None:
    endpoint = Endpoint(OLD)
    scheme = endpoint.scheme(cache=60)
    async with scheme.gateway_lifespan(GATEWAY):
        for second in range(5 * 60):
            endpoint.reply = never if second % 48 else httpx2.Response(200, content=document(OLD))
            with trio.move_on_after(0.5):
                await is_let_in(scheme, NEW)
            await trio.sleep(0.5)
        assert await is_let_in(scheme, OLD)


def told(log: pytest.LogCaptureFixture) -> list[str]:
    """By the scheme; the library that asks for keys may tell of its requests, too."""
    return [record.getMessage() for record in log.records if record.name.startswith("glottis_auth_jwt")]


async def packed() -> httpx2.Response:
    return httpx2.Response(200, content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"})


async def never() -> httpx2.Response:
    await trio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (httpx2.Response(503), "status 503"),
        (httpx2.Response(302, headers={"location": "https://evil.example"}), "status 302"),
        (httpx2.ConnectError("refused by hunter2"), "ConnectError"),
        (httpx2.Response(200, content=b"<html>"), "expected a JWK set in JSON"),
        (httpx2.Response(200, content=b" " * (MAX_DOCUMENT + 1)), f"more than {MAX_DOCUMENT} bytes"),
        (packed, "a packed document, which was asked as it is"),
        (RuntimeError("hunter2"), "RuntimeError"),
        (never, "no answer in 2 s"),
    ],
)
async def test_outage_costs_one_line_and_ever_fewer_requests_and_keys_are_kept(
    failure: Any, reason: str, caplog: pytest.LogCaptureFixture, autojump_clock: Clock
) -> None:
    caplog.set_level(logging.INFO, "glottis_auth_jwt")
    endpoint = Endpoint(OLD)
    scheme = endpoint.scheme(cache=60, keep=600)
    async with scheme.gateway_lifespan(GATEWAY):
        endpoint.reply = failure
        for _ in range(60):
            await trio.sleep(10)
            assert await is_let_in(scheme, OLD)
        assert told(caplog) == [f"keys of https://app.example cannot be had: {reason}"]
        assert 5 < endpoint.requests < 20
        await trio.sleep(100)
        assert not await is_let_in(scheme, OLD)
        endpoint.publish(OLD)
        await trio.sleep(63)
        assert await is_let_in(scheme, OLD)
    assert told(caplog)[1:] == ["keys of https://app.example: they can be had again"]
    assert "hunter2" not in caplog.text


async def test_file_is_read_anew(tmp_path: Path, mock_clock: Clock) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(document(OLD))
    config = JwtConfig(issuer="i", audience="a", jwks_file=str(path), cache=60)
    scheme = JwtScheme(config, clock=lambda: NOW)
    assert await is_let_in(scheme, OLD)
    path.write_bytes(document(OLD, NEW))
    mock_clock.jump(10)
    assert await is_let_in(scheme, NEW)
