"""STUN and TURN servers of the providers, asked by the engines that calls use."""

import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from glottis.barrier import stop
from glottis.config import NamedProvider, ResolvedConfig, parse_advertised_address
from glottis.contracts.errors import ConfigurationError
from glottis.contracts.ice_servers import IceServer, IceUri, parse_ice_uri
from glottis.contracts.info import CallInfo
from glottis.doctor.findings import Finding, Level, fail, ok, warn
from glottis.doctor.second_opinion import second_opinion
from glottis.ice import GatheringTiming, ReflexiveAddress, ReflexiveGatherer, ServerFailed
from glottis.media.endpoint import UdpEndpoint
from glottis.media.gathering import LookUp, look_up_address
from glottis.media.interfaces import media_addresses
from glottis.media.relay import UNTRUSTED, Relay, RelayServer
from glottis.media.relay_ways import has_expired, is_over_tls, way_of, why_failed
from glottis.plugins.failures import describe
from glottis.turn import Allocated, Failed, LongTermCredentials
from glottis.wire.address import Address, Path, ip_of

PATIENCE: Final = 5.0
"""Seconds with a server; a call has no more."""
PROVIDER_PATIENCE: Final = 10.0
MAX_ASKED: Final = 16
"""URIs in all; browsers warn beyond five."""
_INFO: Final = CallInfo("doctor", "")


async def examine_servers(config: ResolvedConfig, look_up: LookUp = look_up_address) -> list[Finding]:
    """All providers are asked, and then all of their servers at once, from the addresses that calls use."""
    findings: list[Finding] = []
    uris: dict[IceUri, IceServer] = {}
    for provider in config.ice_server_providers:
        for server in await _ask_provider(provider, findings, named=config.config.ice_servers.providers is not None):
            for url in server.urls:
                uris.setdefault(parse_ice_uri(url), server)
    findings += _examine_policy(config, uris)
    if not uris and not findings:
        findings.append(ok("servers", "no STUN or TURN server is configured"))
        return findings
    try:
        hosts = media_addresses(config.config.media.addresses, config.config.server.host)
    except ConfigurationError:
        return findings  # told with the ports
    results: dict[IceUri, list[Finding]] = {}
    async with trio.open_nursery() as nursery:
        for uri, server in list(uris.items())[:MAX_ASKED]:
            nursery.start_soon(_examine, config, hosts, uri, server, results, look_up)
    if len(uris) > MAX_ASKED:
        what = f"{len(uris)} URIs, of which the first {MAX_ASKED} were asked"
        findings.append(warn("servers", what, "name fewer: browsers get slower with every one beyond a few"))
    return findings + [finding for uri in uris for finding in results.get(uri, [])]


def _examine_policy(config: ResolvedConfig, uris: Iterable[IceUri]) -> Iterator[Finding]:
    """Whether who is to use relays alone has one; nothing if so."""
    sections = config.config.campaigns
    wanted = config.config.media.ice_policy
    by_relays = [name for name, section in sections.items() if (section.ice_policy or wanted) == "relay"]
    if by_relays and not any(uri.scheme == "turn" or is_over_tls(uri) for uri in uris):
        what = f"calls of {', '.join(by_relays)} go by relays alone (ice_policy), and no TURN server is configured"
        yield fail("turn", what, "name one, or a provider that does, in ice_servers")


async def _ask_provider(provider: NamedProvider, findings: list[Finding], *, named: bool) -> list[IceServer]:
    """``named`` says whether the configuration has named it: then it is to name some, and may hide that it cannot."""
    advice = f"see ice_servers.settings.{provider.name}"
    try:
        with trio.fail_after(PROVIDER_PATIENCE):
            servers = list(await provider.provider.get_ice_servers(_INFO))
        for server in servers:
            server.check()
    except trio.TooSlowError:
        findings.append(
            fail("servers", f"provider {provider.name} has not answered in {PROVIDER_PATIENCE:g} s", advice)
        )
        return []
    except BaseException as error:
        stop(
            error,
            lambda failure: findings.append(
                fail("servers", f"provider {provider.name} failed: {describe(failure)}", advice)
            ),
        )
        return []
    if named and not servers:
        findings.append(warn("servers", f"provider {provider.name} names no server at present", advice))
    return servers


async def _examine(
    config: ResolvedConfig,
    hosts: Sequence[str],
    uri: IceUri,
    server: IceServer,
    results: dict[IceUri, list[Finding]],
    look_up: LookUp,
) -> None:
    """By one address of each family that both have."""
    subject, name = uri.scheme.removesuffix("s"), label(uri)
    if uri.scheme == "stuns" or (uri.scheme == "turns" and uri.transport == "udp"):
        results[uri] = [ok(subject, f"{name} is for clients: the gateway does not ask it")]
        return
    addresses = await look_up(uri.host, uri.port)
    found = [(next((host for host in hosts if _reaches(host, one)), None), one) for one in addresses]
    ways = [(host, address) for host, address in found if host is not None]
    if not addresses:
        advice = "see whether it is right, and DNS works"
        results[uri] = [fail(subject, f"{name} has a name that cannot be looked up", advice)]
    elif not ways:
        is_hidden = all(_is_loopback(host) for host in hosts) and not any(_is_loopback(one.host) for one in addresses)
        advice = "media has loopback addresses only: " if is_hidden else "name another server, or "
        advice += f"name an address of {'this machine' if is_hidden else 'its family'} in media.addresses"
        results[uri] = [fail(subject, f"{name} cannot be reached from media.addresses", advice)]
    else:
        results[uri] = []
        for host, address in ways:
            way = f"{name} ({address.host})" if len(ways) > 1 else name
            results[uri].append(await _examine_way(config, host, way, uri, server, address))


async def _examine_way(
    config: ResolvedConfig, host: str, name: str, uri: IceUri, server: IceServer, address: Address
) -> Finding:
    async with _socket_of_its_own(host) as endpoint:
        if uri.scheme == "stun":
            finding = await _examine_stun(config, endpoint, name, address)
        else:
            finding = await _examine_turn(endpoint, name, uri, server, address)
    if finding.level is not Level.FAIL:
        return finding
    opinion = await second_opinion(uri, address, server, PATIENCE)
    return fail(finding.subject, finding.what, f"{finding.advice}. {opinion}")


@asynccontextmanager
async def _socket_of_its_own(host: str) -> AsyncIterator[UdpEndpoint]:
    """Over UDP, TURN servers tell clients apart by their sockets, and several URIs may lead to one server."""
    with UdpEndpoint.bind([host], 0) as endpoint:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(endpoint.run)
            yield endpoint
            nursery.cancel_scope.cancel()


# STUN


async def _examine_stun(config: ResolvedConfig, endpoint: UdpEndpoint, name: str, server: Address) -> Finding:
    (base,) = endpoint.addresses
    asking = _Asking(endpoint, name, base, server)
    with trio.move_on_after(PATIENCE):
        await asking.run()
    if asking.failure or not asking.gatherer.is_settled:
        advice = "see whether it runs, and whether UDP gets there and back"
        return fail("stun", f"{name} {asking.failure or f'has not answered in {PATIENCE:g} s'}", advice)
    seen = asking.mapped.host if asking.mapped is not None else base.host
    what = f"{name} answers after {asking.round_trip * 1000:.0f} ms, and sees {base.host} as {seen}"
    media = config.config.media
    known = [base.host, *(parse_advertised_address(one)[0] for one in media.advertised_addresses)]
    if media.advertised_addresses and seen not in known:
        advice = f"add {seen} to media.advertised_addresses, if clients come from the same side"
        return warn("stun", what, advice)
    return ok("stun", what)


class _Asking:
    """One request to one server, by the engine that asks for all calls."""

    def __init__(self, endpoint: UdpEndpoint, name: str, base: Address, server: Address) -> None:
        self.gatherer = ReflexiveGatherer([base], rng=random.SystemRandom(), timing=GatheringTiming(transmissions=3))
        self.failure = ""
        self.mapped: Address | None = None
        self.round_trip = 0.0
        self._endpoint = endpoint
        self._began = trio.current_time()
        self._wait = trio.CancelScope()
        self.gatherer.set_servers(name, [server], self._began)

    async def run(self) -> None:
        """Until it is answered or given up."""
        try:
            while True:
                with trio.CancelScope() as self._wait:
                    self._turn()
                    if self.gatherer.is_settled:
                        return
                    self._wait.deadline = self.gatherer.next_timeout() or 0.0
                    await trio.sleep_forever()
        finally:
            self._endpoint.remove(self)

    def _turn(self) -> None:
        self.gatherer.handle_timeout(trio.current_time())
        for datagram in self.gatherer.datagrams_to_send():
            self._endpoint.send(datagram, self)
        while (event := self.gatherer.next_event()) is not None:
            match event:
                case ReflexiveAddress(address):
                    self.mapped = address
                case ServerFailed(_, reason):
                    self.failure = reason

    # The socket calls these

    def receive(self, data: bytes, path: Path) -> None:
        """See ``demultiplexer.Receiver``."""
        now = trio.current_time()
        self.gatherer.handle_datagram(data, path, now)
        self.round_trip = now - self._began
        self._wait.cancel()

    def refuse(self) -> None:
        """See ``demultiplexer.Receiver``."""

    def send_failed(self, error: Exception) -> None:
        """See ``link.Sender``."""
        self.failure = f"cannot be written to: {error}"


# TURN


async def _examine_turn(endpoint: UdpEndpoint, name: str, uri: IceUri, server: IceServer, address: Address) -> Finding:
    lent: list[Allocated] = []
    credentials = LongTermCredentials(server.username or "", server.credential or "")
    began = trio.current_time()
    with trio.CancelScope(deadline=began + PATIENCE) as scope:

        def note(allocated: Allocated) -> None:
            lent.append(allocated)
            scope.cancel()

        relay = Relay(
            RelayServer(uri.host, address, way_of(uri), credentials),
            endpoint,
            endpoint.addresses[0],
            rng=random.SystemRandom(),
            told=note,
        )
        failed = why_failed(await relay.run(), credentials)
    if lent:
        took = (trio.current_time() - began) * 1000
        return ok("turn", f"{name} accepts the credentials, and lends {lent[0].relayed.host} after {took:.0f} ms")
    if scope.cancelled_caught:
        advice = "see whether it runs, and whether this transport gets there and back"
        return fail("turn", f"{name} has not answered in {PATIENCE:g} s", advice)
    return fail("turn", f"{name} lends nothing: {failed.reason}", _advice(failed, credentials))


def _advice(failed: Failed, credentials: LongTermCredentials) -> str:
    if UNTRUSTED in failed.reason:
        return "give it one of an authority that this machine knows, or name the authority's file in SSL_CERT_FILE"
    match failed.code:
        case 401 if has_expired(credentials):
            return "name new ones, or let a provider make them for each call, such as turn-rest; see the clock, too"
        case 401 | 441:
            return "correct username and credential, or the shared secret and the clock"
        case 486 | 508:
            return "raise its quota: each gateway takes an address, and each client its own"
        case 403 | 437 | 438:
            return "its log says why"
        case _:
            return "see whether it runs, and speaks this transport there"


def label(uri: IceUri) -> str:
    """As configurations name it."""
    transport = "" if uri.scheme.startswith("stun") else f"?transport={uri.transport}"
    return f"{uri.scheme}:{Address(uri.host, uri.port)}{transport}"


def _is_loopback(host: str) -> bool:
    ip = ip_of(host)
    return ip is not None and ip.is_loopback


def _reaches(host: str, server: Address) -> bool:
    ours, theirs = ip_of(host.partition("%")[0]), ip_of(server.host)
    if ours is None or theirs is None or ours.version != theirs.version:
        return False
    return ours.is_loopback == theirs.is_loopback
