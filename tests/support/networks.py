"""Networks that a call can be in, and what each does to it: `network_table` makes the table of them.

The caller is ``glottis call``, the gateway ``glottis serve``, each in a network namespace, and coturn is the STUN and
TURN server.
"""

import hashlib
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import trio

from support.command import Command, open_command
from support.coturn import WITH_SECRET, ephemeral
from support.internet import PUBLIC, Internet, Kind, open_internet
from support.phone import eventually
from support.public_coturn import SERVER, SERVER_6, WITH_USER, PublicCoturn, open_public_coturn

HTTP_PORT: Final = 8080
MEDIA_PORT: Final = 50000
CALLER, CALLERS_ROUTER, GATEWAY, GATEWAYS_ROUTER = "c", "r", "g", "q"
ROUTED_CALLER, ROUTED_GATEWAY = "10.1.0.2", "10.2.0.2"
PUBLIC_GATEWAY, PUBLIC_GATEWAY_6, PUBLIC_ROUTER = "203.0.113.2", "2001:db8::2", "203.0.113.4"
KEY: Final = "correct-horse-battery"
CONFIG: Final = f"""
[server]
host = "{{host}}"
port = {HTTP_PORT}
public_url = "{{url}}"

[auth]
scheme = "api-keys"
settings = {{{{ keys = {{{{ caller = "{hashlib.sha256(KEY.encode()).hexdigest()}" }}}} }}}}

[campaigns.talker]
agent = "talker"

[media]
addresses = [{{addresses}}]
udp_port = {MEDIA_PORT}
"""
STUN: Final = f'[[ice_servers.settings.static.servers]]\nurls = ["stun:{SERVER}"]\n'
TURN: Final = (
    f'[[ice_servers.settings.static.servers]]\nurls = ["turn:{SERVER}"]\nusername = "caller"\ncredential = "secret"\n'
)
BY_ALL_WAYS: Final = f"[ice_servers]\nfor_gateway = false\n{TURN}".replace(
    f'"turn:{SERVER}"', f'"turn:{SERVER}", "turns:{SERVER}:443"'
)
RELAY: Final = "relay.example"
BY_BOTH_FAMILIES: Final = f'ice_policy = "relay"\n{TURN.replace(SERVER, RELAY)}'
TCP: Final = f"tcp_port = {MEDIA_PORT}\n"
NO_UDP: Final = """
table inet filter {
    chain output { type filter hook output priority 0; meta l4proto udp drop; }
    chain input { type filter hook input priority 0; meta l4proto udp drop; }
}
"""
ONLY_HTTPS: Final = f"""
table inet filter {{
    chain forward {{
        type filter hook forward priority 0; policy drop;
        ct state established accept
        tcp dport {{ 443, {HTTP_PORT} }} accept
    }}
}}
"""
FIREWALL: Final = """
table inet filter {
    chain input {
        type filter hook input priority 0;
        meta l4proto udp ct state established accept
        meta l4proto udp drop
    }
}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the gateway is: its media addresses, and where the caller finds it."""

    addresses: Sequence[str]
    host: str
    config: str = ""
    lent: Sequence[str] = ()
    """What a TURN server lends the gateway, as its log begins to name it."""

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{HTTP_PORT}"

    @property
    def text(self) -> str:
        host, addresses = "::" if ":" in self.host else "0.0.0.0", ", ".join(f'"{one}"' for one in self.addresses)
        return CONFIG.format(host=host, url=self.url, addresses=addresses) + self.config


@dataclass(frozen=True, slots=True)
class Network:
    """``build`` lays the cables; ``way`` is a pattern of what shall carry the call; ``during`` comes in its middle."""

    name: str
    build: Callable[[Internet], Site]
    way: str
    during: Callable[["Scene"], Awaitable[None]] | None = None
    is_quick: bool = False
    caller: Callable[[], Sequence[str]] = tuple
    """Options of its command."""
    relay: Sequence[str] = WITH_USER
    """Options of coturn's."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What something may happen to in a call; there is a ``relay`` where one is asked."""

    internet: Internet
    relay: PublicCoturn | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller has seen: seconds to the first audio, and packets of it."""

    way: str
    first_audio: float
    received: int
    output: str


def gateway_in_public(internet: Internet, *hosts: str, config: str = "") -> Site:
    internet.add_space(GATEWAY)
    hosts = hosts or (PUBLIC_GATEWAY,)
    internet.connect(GATEWAY, "eth0", PUBLIC, *(f"{host}/{64 if ':' in host else 24}" for host in hosts))
    return Site(hosts, hosts[0], config)


def gateway_of_both_families(callers_address: str, internet: Internet) -> Site:
    """It tells nobody another address than two that one server lends, which has a name; the caller has one family."""
    caller_in_public(internet, callers_address)
    site = gateway_in_public(internet, PUBLIC_GATEWAY, PUBLIC_GATEWAY_6, config=BY_BOTH_FAMILIES)
    internet.add_name(GATEWAY, RELAY, SERVER, SERVER_6)
    host = PUBLIC_GATEWAY_6 if ":" in callers_address else PUBLIC_GATEWAY
    return Site(site.addresses, host, site.config, (SERVER, SERVER_6))


def gateway_behind(internet: Internet, kind: Kind, *ports: str, config: str, hairpin: bool = False) -> Site:
    ports = (f"tcp dport {HTTP_PORT}", *ports)
    internet.add_router(GATEWAYS_ROUTER, PUBLIC_ROUTER, "10.2.0", kind, ROUTED_GATEWAY, *ports, hairpin=hairpin)
    internet.add_space(GATEWAY)
    internet.connect(GATEWAY, "eth0", GATEWAYS_ROUTER, f"{ROUTED_GATEWAY}/24", gateway="10.2.0.1")
    return Site([ROUTED_GATEWAY], PUBLIC_ROUTER, config)


def caller_in_public(internet: Internet, address: str = "203.0.113.7/24") -> None:
    internet.add_space(CALLER)
    internet.connect(CALLER, "eth0", PUBLIC, address)


def caller_behind(internet: Internet, kind: Kind) -> None:
    internet.add_router(CALLERS_ROUTER, "203.0.113.1", "10.1.0", kind, ROUTED_CALLER)
    internet.add_space(CALLER)
    internet.connect(CALLER, "eth0", CALLERS_ROUTER, f"{ROUTED_CALLER}/24", gateway="10.1.0.1")


def open_to_all(internet: Internet) -> Site:
    caller_in_public(internet)
    return gateway_in_public(internet, config=TCP)


def only_ipv6(internet: Internet) -> Site:
    caller_in_public(internet, "2001:db8::7/64")
    return gateway_in_public(internet, PUBLIC_GATEWAY_6)


def translated_caller(kind: Kind, internet: Internet) -> Site:
    caller_behind(internet, kind)
    return gateway_in_public(internet, config=TCP)


def forwarded_gateway(internet: Internet) -> Site:
    caller_behind(internet, "port-restricted")
    advertised = f'advertised_addresses = ["{PUBLIC_ROUTER}"]\nadvertise_bound_addresses = false\n'
    return gateway_behind(internet, "port-restricted", f"udp dport {MEDIA_PORT}", config=advertised)


def translated_gateway(kind: Kind, config: str, internet: Internet) -> Site:
    """The caller has a public address, to which only those may write whom it has written to."""
    caller_in_public(internet)
    internet.load(CALLER, FIREWALL)
    return replace(gateway_behind(internet, kind, config=config), lent=[SERVER] if config == TURN else [])


def same_translator(internet: Internet) -> Site:
    advertised = f'advertised_addresses = ["{PUBLIC_ROUTER}"]\nadvertise_bound_addresses = false\n'
    ports = (f"udp dport {MEDIA_PORT}",)
    site = gateway_behind(internet, "port-restricted", *ports, config=advertised, hairpin=True)
    internet.add_space(CALLER)
    internet.connect(CALLER, "eth0", GATEWAYS_ROUTER, "10.2.0.7/24", gateway="10.2.0.1")
    return site


def without_udp(internet: Internet) -> Site:
    site = translated_caller("port-restricted", internet)
    internet.load(CALLERS_ROUTER, NO_UDP.replace("hook output", "hook forward"))
    return site


def gateway_without_udp(internet: Internet) -> Site:
    """But where it listens by TCP, and its port is passed on."""
    caller_behind(internet, "symmetric")
    advertised = f'advertised_addresses = ["{PUBLIC_ROUTER}"]\nadvertise_bound_addresses = false\n'
    site = gateway_behind(internet, "symmetric", f"tcp dport {MEDIA_PORT}", config=TCP + advertised)
    internet.load(GATEWAYS_ROUTER, NO_UDP.replace("hook output", "hook forward"))
    return site


def only_https(internet: Internet) -> Site:
    """What a company lets its people do: port 443, and here that of the gateway's pages."""
    site = translated_caller("symmetric", internet)
    internet.load(CALLERS_ROUTER, ONLY_HTTPS)
    return Site(site.addresses, site.host)


def only_https_by_all_ways(internet: Internet) -> Site:
    """The same with a TURN server that the gateway names by UDP, too."""
    site = only_https(internet)
    return replace(site, config=BY_ALL_WAYS)


def two_interfaces(internet: Internet) -> Site:
    """Of the gateway, the first of which lets no media through."""
    caller_in_public(internet)
    site = gateway_in_public(internet, "203.0.113.8", PUBLIC_GATEWAY)
    internet.load(GATEWAY, NO_UDP.replace("meta l4proto", "ip daddr 203.0.113.8 meta l4proto"))
    return Site(site.addresses, PUBLIC_GATEWAY)


async def change_source_port(scene: Scene) -> None:
    """A translator forgets what it knew, and chooses other ports."""
    rule = 'insert rule ip nat postrouting oifname "wan" meta l4proto udp masquerade to :40000-40999\n'
    scene.internet.load(CALLERS_ROUTER, rule)
    scene.internet.ip(CALLERS_ROUTER, "link set wan down")
    scene.internet.ip(CALLERS_ROUTER, "link set wan up")


async def change_public_address(scene: Scene) -> None:
    """A provider gives the caller's router another one."""
    scene.internet.ip(CALLERS_ROUTER, "addr del 203.0.113.1/24 dev wan")
    scene.internet.ip(CALLERS_ROUTER, "addr add 203.0.113.9/24 dev wan")


def change_own_address(internet: Internet) -> None:
    """The caller comes to another network: neither its WebSocket nor its media has a way any more."""
    internet.ip(CALLER, "addr del 203.0.113.7/24 dev eth0")
    internet.ip(CALLER, "addr add 203.0.113.17/24 dev eth0")


async def move(scene: Scene) -> None:
    """The caller does, at once."""
    change_own_address(scene.internet)


async def restart_relay(scene: Scene) -> None:
    """The server dies without a word, and another one takes its place, which knows nothing of the call."""
    assert scene.relay is not None
    await scene.relay.kill()
    await scene.relay.start()


async def outlive_credentials(scene: Scene) -> None:
    """They expire, and so does each nonce; whoever refreshes its address then is asked for another nonce."""
    relay = scene.relay
    assert relay is not None
    await eventually(lambda: "error 438" in relay.log and relay.log.count("REFRESH processed, success") > 1)


def by_server(url: str, lifetime: int | None = None) -> Callable[[], Sequence[str]]:
    """Options of a caller who has this TURN server, and uses nothing else; its credentials are good for so long."""

    def options() -> Sequence[str]:
        username, credential = ("caller", "secret") if lifetime is None else ephemeral(lifetime)
        return ("--relay", "--ice-server", f"{url},{username},{credential}")

    return options


NETWORKS: Final = (
    Network("no translator, no firewall", open_to_all, r"udp \(host to host\)"),
    Network("IPv6 only", only_ipv6, r"udp \(host to host\)"),
    Network("caller behind a full cone", partial(translated_caller, "full cone"), r"udp \(\w+ to host\)"),
    Network("caller behind an address-restricted cone", partial(translated_caller, "address-restricted"), "udp"),
    Network("caller behind a port-restricted cone", partial(translated_caller, "port-restricted"), "udp"),
    Network("caller behind a symmetric translator", partial(translated_caller, "symmetric"), "udp"),
    Network("gateway behind 1:1 NAT, caller behind a port-restricted cone", forwarded_gateway, "udp", is_quick=True),
    Network(
        "gateway behind a port-restricted cone, caller behind a firewall, STUN",
        partial(translated_gateway, "port-restricted", STUN),
        r"udp \(host to (srflx|prflx)\)",
        is_quick=True,
    ),
    Network(
        "gateway behind a symmetric translator, caller behind a firewall, TURN",
        partial(translated_gateway, "symmetric", TURN),
        r"udp \(host to relay\)",
    ),
    Network("both behind the same translator (hairpin)", same_translator, "udp"),
    Network("caller's network blocks UDP", without_udp, r"tcp \(\w+ to host\)", is_quick=True),
    Network("gateway's network blocks UDP, one TCP port is passed on", gateway_without_udp, "tcp"),
    Network("two interfaces of the gateway, one dead for media", two_interfaces, "udp"),
    Network(
        "source port changes in the call", partial(translated_caller, "port-restricted"), "udp", change_source_port
    ),
    Network(
        "public address changes in the call",
        partial(translated_caller, "port-restricted"),
        "udp",
        change_public_address,
    ),
    Network(
        "only port 443 is let out, TURN over TLS",
        only_https,
        "relay",
        caller=lambda: ("--ice-server", f"turns:{SERVER}:443?transport=tcp,caller,secret"),
    ),
    Network("only port 443 is let out, the gateway names TURN over UDP and TLS", only_https_by_all_ways, "relay"),
    Network("by a relay only, TURN over UDP", open_to_all, "relay", caller=by_server(f"turn:{SERVER}")),
    Network("by a relay only, TURN over TCP", open_to_all, "relay", caller=by_server(f"turn:{SERVER}?transport=tcp")),
    Network("by a relay only, IPv6 only", only_ipv6, "relay", caller=by_server(f"turn:[{SERVER_6}]")),
    Network(
        "gateway by relays only, of both families on one server, caller has IPv4",
        partial(gateway_of_both_families, "203.0.113.7/24"),
        r"udp \(host to relay\)",
    ),
    Network(
        "gateway by relays only, of both families on one server, caller has IPv6",
        partial(gateway_of_both_families, "2001:db8::7/64"),
        r"udp \(host to relay\)",
        is_quick=True,
    ),
    Network(
        "by a relay only, which is killed in the call and started anew",
        open_to_all,
        "relay",
        restart_relay,
        caller=by_server(f"turn:{SERVER}?transport=tcp"),
    ),
    Network(
        "by a relay only, whose nonces and the caller's credentials expire in the call",
        open_to_all,
        "relay",
        outlive_credentials,
        caller=by_server(f"turn:{SERVER}", lifetime=4),
        relay=(*WITH_SECRET, "--stale-nonce=2", "--max-allocate-lifetime=4"),
    ),
    Network("the caller's own address changes in the call", open_to_all, "udp", move),
    Network(
        "the caller's own address changes in a call by a relay only, TURN over UDP",
        open_to_all,
        "relay",
        move,
        caller=by_server(f"turn:{SERVER}"),
    ),
    Network(
        "the caller's own address changes in a call by a relay only, TURN over TCP",
        open_to_all,
        "relay",
        move,
        caller=by_server(f"turn:{SERVER}?transport=tcp"),
    ),
)


async def call_in(network: Network, directory: Path) -> Outcome:
    """One call of a second, or of ten with something in its middle."""
    with open_internet() as internet:
        site = network.build(internet)
        async with AsyncExitStack() as running:
            relay = None
            if SERVER in site.config or site.lent or network.caller():
                relay = await running.enter_async_context(open_public_coturn(internet, directory, network.relay))
            await running.enter_async_context(open_gateway(internet, site, directory))
            options = network.caller()  # whose credentials are good for a moment
            return await _call(Scene(internet, relay), site, network, options, directory)


async def _call(scene: Scene, site: Site, network: Network, options: Sequence[str], directory: Path) -> Outcome:
    env = {"GLOTTIS_API_KEY": KEY, "SSL_CERT_FILE": str(directory / "cert.pem")}
    listen = "10" if network.during else "2" if options else "1"
    command = ("call", site.url, "--campaign", "talker", "--listen", listen, *options)
    async with open_command(*command, env=env, prefix=scene.internet.command(CALLER)) as call:
        if network.during is not None:
            await call.wait_for("media: ")
            await trio.sleep(2)
            await network.during(scene)
        await call.wait()
    found = re.search(r"first audio after ([\d.]+) s by (\w+ \(.*?\)),.* received (\d+)", call.output)
    assert found, f"{network.name}: {call.errors}{call.output}"
    return Outcome(found[2], float(found[1]), int(found[3]), call.errors + call.output)


@asynccontextmanager
async def open_gateway(internet: Internet, site: Site, directory: Path) -> AsyncIterator[Command]:
    """Serve until the block is left."""
    path = directory / "gateway.toml"
    path.write_text(site.text)
    async with open_command("serve", "--config", path, prefix=internet.command(GATEWAY)) as gateway:
        await gateway.wait_for("serves http")
        if STUN in site.config:
            await gateway.wait_for("for others, says STUN server")
        for address in site.lent:
            await gateway.wait_for(f"lends {address}")
        yield gateway
        gateway.process.send_signal(signal.SIGINT)
        await gateway.wait()
