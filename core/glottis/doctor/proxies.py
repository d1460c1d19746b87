"""What is before the gateway: whether a proxy passes requests and WebSockets on, and is believed."""

import base64
import ipaddress
import secrets
import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

import h11
import trio

from glottis.client.connection import CallFailed, open_client_stream, split_gateway_url
from glottis.client.requests import ask_gateway
from glottis.config import ResolvedConfig
from glottis.doctor.findings import Finding, fail, ok, warn

UPGRADE_TIME: Final = 10.0
"""Seconds for the answer to a WebSocket's handshake."""
_NOT_PASSED_ON: Final = 426
_TRY: Final = "/ws/session/doctor/webrtc?token=none"


async def examine_proxies(config: ResolvedConfig) -> AsyncIterator[Finding]:
    """By ``server.public_url``, as clients come."""
    server = config.config.server
    for network in server.trusted_proxies:
        if ipaddress.ip_network(network).prefixlen == 0:
            advice = "name the addresses of your proxies: with this, a client can claim any address"
            yield fail("proxy", f"server.trusted_proxies has {network}, which is everybody", advice)
    if not server.public_url:
        yield ok("proxy", "server.public_url is not set: clients come straight to the gateway")
        return
    if not server.trusted_proxies:
        advice = f"name it in server.trusted_proxies, and let it write {server.proxy_header}"
        what = "no proxy is trusted, so all clients behind one share the limits of one address"
        yield warn("proxy", what, advice)
    try:
        response, _ = await ask_gateway(split_gateway_url(server.public_url), "/healthz", None)
    except CallFailed as error:
        advice = "start the proxy, or correct the URL"
        if isinstance(error.__cause__ and error.__cause__.__cause__, ssl.SSLCertVerificationError):
            advice = (
                "let an authority sign it that clients trust; if that is yours, name its file in SSL_CERT_FILE here"
            )
        yield fail("proxy", f"server.public_url: {error}", advice)
        return
    if response.status_code != 200:
        advice = "start the gateway, and let the proxy pass all paths on to it"
        yield warn("proxy", f"{server.public_url}/healthz has status {response.status_code}", advice)
        return
    yield await _examine_upgrade(server.public_url)


async def _examine_upgrade(public_url: str) -> Finding:
    try:
        with trio.fail_after(UPGRADE_TIME):
            status = await _upgrade_status(public_url)
    except (CallFailed, trio.TooSlowError, trio.BrokenResourceError, h11.RemoteProtocolError) as error:
        return fail("proxy", f"{public_url} passes no WebSocket on ({type(error).__name__})", "see the proxy's log")
    if status == HTTPStatus.SWITCHING_PROTOCOLS:
        return ok("proxy", f"{public_url} passes requests and WebSockets on")
    advice = "let it pass the headers Upgrade and Connection on (docs: Behind a reverse proxy)"
    if status == _NOT_PASSED_ON:
        return fail("proxy", f"{public_url} makes plain requests of WebSockets", advice)
    return fail("proxy", f"{public_url} answers a WebSocket with status {status}", advice)


async def _upgrade_status(public_url: str) -> int:
    url = split_gateway_url(public_url)
    http = h11.Connection(h11.CLIENT)
    request = h11.Request(
        method="GET",
        target=url.path.rstrip("/") + _TRY,
        headers=[
            ("host", url.netloc),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", base64.b64encode(secrets.token_bytes(16)).decode()),
            ("sec-websocket-version", "13"),
        ],
    )
    async with await open_client_stream(url) as stream:
        await stream.send_all(http.send(request) or b"")
        await stream.send_all(http.send(h11.EndOfMessage()) or b"")
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(bytes(await stream.receive_some(16384)))
        await trio.aclose_forcefully(stream)
    return event.status_code if isinstance(event, h11.Response | h11.InformationalResponse) else 0
