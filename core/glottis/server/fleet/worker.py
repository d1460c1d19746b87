"""A worker: a whole gateway, with sockets that the parent has opened, which ends when the parent says so."""

import gc
import logging
import os
import socket
from functools import partial
from importlib.metadata import version

import msgspec
import trio

from glottis.config import ResolvedConfig
from glottis.media.endpoint import UdpEndpoint
from glottis.media.stream_listener import StreamListener
from glottis.plugins.report import figures
from glottis.server.fleet.channel import Channel
from glottis.server.fleet.member import PLUGINS, Member, ParentGone
from glottis.server.fleet.messages import PROTOCOL, Beat, Hello, Ready, Welcome
from glottis.server.fleet.process import LOOK
from glottis.server.fleet.wants import of_one_worker, wants_of
from glottis.server.gateway import Gateway, open_gateway
from glottis.server.runtime.collector import collecting
from glottis.server.runtime.descriptors import raise_limit
from glottis.server.runtime.start_pages import give_back
from glottis.server.serving import abandon
from glottis.server.sessions.tokens import TokenDesk
from glottis.signaling.session_tokens import HmacTokens

logger = logging.getLogger(__name__)


async def serve_as_worker(config: ResolvedConfig, descriptor: int) -> None:
    """Serve until the parent ends it, or is gone. Raises ``ConfigurationError`` and ``PluginError``."""
    raise_limit()
    os.set_inheritable(descriptor, False)
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        await _serve(config, Member(channel))
    except* ParentGone:
        logger.error("the parent is gone: leaving")
    finally:
        channel.close()


async def _serve(config: ResolvedConfig, member: Member) -> None:
    member.say(Hello(PROTOCOL, version("glottis"), wants_of(config)))
    gc.collect()  # what was loaded, while nobody waits: it may be long until there is a place for this worker
    gc.freeze()
    welcome, sockets = await member.welcome()
    endpoint, streams, listeners = _open(welcome, sockets)
    config = of_one_worker(config, endpoint.addresses[0].port)
    tokens = TokenDesk(HmacTokens(welcome.secret))
    with endpoint, streams:
        async with (
            open_gateway(
                config, endpoint=endpoint, streams=streams, listeners=listeners, tokens=tokens, fleet=member
            ) as gateway,
            collecting(gateway.scheduler, lambda: len(gateway.sessions), gateway.watchdog.excuse),
            trio.open_nursery() as nursery,
        ):
            give_back()
            member.offer(PLUGINS, partial(_tell_figures, config))
            nursery.start_soon(member.run)
            nursery.start_soon(_beat, member, gateway)
            nursery.start_soon(_get_ready, member, gateway)
            await _until_told(member, gateway)
            nursery.cancel_scope.cancel()


def _open(
    welcome: Welcome, sockets: list[socket.socket]
) -> tuple[UdpEndpoint, StreamListener, list[trio.SocketListener]]:
    http, rest = sockets[: welcome.http], sockets[welcome.http :]
    endpoint = UdpEndpoint(rest[: welcome.udp])
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in http]
    return endpoint, StreamListener(rest[welcome.udp :], endpoint), listeners


async def _tell_figures(config: ResolvedConfig) -> bytes:
    return msgspec.json.encode(figures(config.plugins))


async def _beat(member: Member, gateway: Gateway) -> None:
    """Say that the event loop turns, and how it fares."""
    while True:
        unavailability = gateway.sessions.own_unavailability()
        figures = msgspec.json.encode(gateway.counts())
        member.say(Beat(unavailability.code if unavailability else "", figures))
        await trio.sleep(LOOK)


async def _get_ready(member: Member, gateway: Gateway) -> None:
    await gateway.workers.begun()
    media = ", ".join(f"UDP {address.host}:{address.port}" for address in gateway.endpoint.addresses)
    streams = "".join(f", TCP {address.host}:{address.port}" for address in gateway.streams.addresses)
    member.say(Ready(media + streams))


async def _until_told(member: Member, gateway: Gateway) -> None:
    """Serve until the parent wants the end, and then as long as it lets calls go on."""
    while member.stop is None:
        await member.changed.wait()
    if not member.stop.listening:
        gateway.http.stop_listening()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_hurry, member, gateway)
        have_stopped = await gateway.stop(member.stop.grace)
        if not member.stop.listening:  # others go on
            await member.bequeath(gateway.sessions.past())
        if not have_stopped:
            abandon()
        nursery.cancel_scope.cancel()


async def _hurry(member: Member, gateway: Gateway) -> None:
    """The parent may have less patience than it had."""
    await member.changed.wait()
    is_due = False
    while not is_due:
        assert member.stop is not None
        with trio.move_on_after(member.stop.grace) as scope:
            await member.changed.wait()
        is_due = scope.cancelled_caught
    await gateway.sessions.end_all("the gateway stops")
