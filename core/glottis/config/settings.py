"""Every section and key of the configuration, with its default and what it means.

Lengths of time are in seconds unless the name says milliseconds, sizes in bytes.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from glottis.config.conversion import PluginSettings
from glottis.config.ice_policies import IcePolicy, check_relays
from glottis.config.log_settings import Log
from glottis.config.memory import sessions_that_fit
from glottis.config.origins import OriginPattern, parse_public_url
from glottis.contracts.codec import Complexity, EncoderKnobs, RedPolicy
from glottis.contracts.errors import ConfigurationError
from glottis.contracts.info import MAX_IDENTIFIER_LENGTH

MAX_PORT: Final = 65535
Port = Annotated[int, Meta(ge=0, le=MAX_PORT)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
"""More than one machine can have of anything here."""
Size = Annotated[int, Meta(ge=1, le=16 * 1024 * 1024)]
"""Bytes that a client can make the gateway keep; the most is what many calls at once can still bear."""
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
"""Up to a day. Like all times it is bounded, since not every number of seconds is an instant."""
Isolation = Literal["none", "process"]
Silence = Annotated[float, Meta(ge=1, le=86_400)]
Grace = Annotated[float, Meta(ge=0, le=86_400)]
"""The same or none."""
TokenLifetime = Annotated[float, Meta(gt=0, le=604_800)]
"""Up to seven days: a session that waits for its client takes a place of ``max_sessions``."""
ProxyHeader = Literal["X-Forwarded-For", "Forwarded"]
QueueMilliseconds = Annotated[int, Meta(ge=20, le=10_000)]

DEFAULT_CODECS: Final = ("opus", "G722", "PCMU", "PCMA")
DEFAULT_PROVIDERS: Final = ("static",)
DEFAULT_RESAMPLER: Final = "speex"
DEFAULT_PAGES: Final = ("demo",)

_WITH_PORT: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<ipv4>[0-9.]+)):(?P<port>[0-9]{1,5})")
_INTERFACE: Final = re.compile(r"[^\s/:]{1,15}")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """``[server]``: the port that serves pages, the API and the WebSocket, and the limits on who uses it."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8080
    """0: any free port."""
    workers: Annotated[int, Meta(ge=1, le=256)] | Literal["auto"] = 1
    """Processes that are the gateway together; ``auto``: one for each core that may be used."""
    worker_patience: Annotated[float, Meta(ge=1, le=3600)] = 10.0
    """Seconds for which the event loop of a worker may stand still where there are several; then it is ended."""
    certificate: str = ""
    private_key: str = ""
    """PEM files, the key without a password, with which the port serves HTTPS; empty: it serves HTTP."""
    public_url: str = ""
    """Scheme and host that clients reach the gateway by; empty: taken from each request."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose ``proxy_header`` is believed."""
    proxy_header: ProxyHeader = "X-Forwarded-For"
    """The one in which they name the client; ``-Proto`` and ``-Host`` go with the first, and the other is ignored."""
    allowed_origins: tuple[str, ...] = ()
    """Patterns of the origins of foreign pages that may use the gateway, as ``OriginPattern`` has them."""
    max_sessions: Count | Literal["auto"] = 1000
    """``auto``: as many as the memory bears."""
    max_sessions_per_client: Count = 250
    """Of one client address."""
    max_sessions_per_minute: Count = 60
    """Of one client address."""
    max_load: Annotated[float, Meta(ge=0.05, le=1)] = 0.7
    """The share of time that the media of all calls may take; 1: no session is refused for load."""
    queue: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Places for who is refused because there is no room; 0: there is no queue."""
    max_call_time: Seconds | None = None
    """From the first media to the gateway's hanging up; absent: as long as the caller and the agent like."""
    max_silence: Silence | None = None
    """In which neither side says anything, until the gateway hangs up; absent: it does not listen for that."""
    max_connections: Count = 2000
    """TCP connections at a time, WebSockets included."""
    max_connections_per_client: Count = 500
    head_timeout: Seconds = 15.0
    """For a request's head to arrive, the first one from the connection's start; again for its body; and for a
    WebSocket message that has begun."""
    idle_timeout: Seconds = 75.0
    """A connection that has no further request is closed after this time."""
    max_body_bytes: Size = 65536
    max_message_bytes: Size = 65536
    """Of one WebSocket message."""
    max_messages_per_second: Count = 200
    """Of one WebSocket, in the long run. Beyond, the client is held back."""
    token_lifetime: TokenLifetime = 300.0
    """Between the creation of a session and its first connection."""
    resume_grace: Grace = 30.0
    """How long a call outlives its WebSocket; 0: it ends at once."""
    shutdown_grace: Grace = 5.0
    """How long calls may go on when the gateway stops."""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.private_key):
            raise ConfigurationError("certificate: expected both it and private_key, or neither")
        if self.public_url:
            _check("public_url", parse_public_url, self.public_url)
        for index, pattern in enumerate(self.allowed_origins):
            _check(f"allowed_origins[{index}]", OriginPattern.parse, pattern)
        for index, network in enumerate(self.trusted_proxies):
            _check(f"trusted_proxies[{index}]", _network, network)

    @property
    def http_scheme(self) -> Literal["http", "https"]:
        """By which the port is reached."""
        return "https" if self.certificate else "http"

    @property
    def worker_count(self) -> int:
        """How many there are to be on this machine."""
        return len(os.sched_getaffinity(0)) if self.workers == "auto" else self.workers

    @property
    def most_sessions(self) -> int:
        """How many there may be at a time on this machine."""
        return sessions_that_fit(self.worker_count) if self.max_sessions == "auto" else self.max_sessions

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect. Host names other than ``localhost`` are not looked up."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding(EncoderKnobs):
    """``[media.encoder]``: how to encode, and how much of it may be given up under load."""

    complexity_floor: Complexity = 0

    def __post_init__(self) -> None:
        if self.complexity_floor > self.complexity:
            expected = f"expected at most complexity, {self.complexity}"
            raise ConfigurationError(f"complexity_floor: {expected}, got {self.complexity_floor}")

    @property
    def knobs(self) -> EncoderKnobs:
        """What codecs are told."""
        return EncoderKnobs(**{field.name: getattr(self, field.name) for field in fields(EncoderKnobs)})


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """``[media]``: addresses, codecs and queues of calls."""

    addresses: tuple[str, ...] = ()
    """IP literals or interface names; empty: the server's host if it is one address, else all but link-local ones."""
    udp_port: Port = 0
    """One port for all calls; 0: any free one."""
    tcp_port: Port | None = None
    """One port for calls that UDP does not reach (RFC 6544); 0: any free one, absent: none."""
    advertised_addresses: tuple[str, ...] = ()
    """IP addresses, with a port or without, by which others know what is bound."""
    advertise_bound_addresses: bool = True
    """Whether clients are told the bound addresses, too."""
    ice_lite: bool = False
    ice_policy: IcePolicy = "all"
    """Which candidates calls use; ``relay``: those that TURN servers lend, and no others."""
    probe_private_addresses: bool = True
    """Whether ICE checks may go to private address ranges that a caller names."""
    resolve_local_names: bool = False
    """Whether names that pages hide their addresses behind are looked up by multicast DNS."""
    codecs: tuple[str, ...] | None = None
    """In order of preference; absent: those installed of opus, G722, PCMU, PCMA."""
    jitter_buffer: Literal["fixed", "adaptive"] = "adaptive"
    jitter_buffer_ms: Annotated[int, Meta(ge=0, le=1000)] = 40
    """Of a fixed one."""
    jitter_buffer_min_ms: Annotated[int, Meta(ge=0, le=1000)] = 5
    jitter_buffer_max_ms: Annotated[int, Meta(ge=0, le=1000)] = 500
    jitter_buffer_lateness: Annotated[float, Meta(ge=0, le=0.5)] = 0.02
    """The share of packets that may come too late: less of them cost more delay."""
    say_queue_ms: QueueMilliseconds = 200
    """Speech of an agent that may wait; ``say`` waits beyond."""
    audio_queue_ms: QueueMilliseconds = 200
    """Audio that may wait for a slow agent; beyond, the oldest is dropped."""
    send_silence: bool = False
    """Whether silence is sent while an agent says nothing."""
    resampler: str | None = None
    """Of uncompressed audio by WebSocket; absent: speex, if it is installed."""
    red: RedPolicy = "auto"
    """Redundant audio: where clients can do it, to them when much is lost; "on": from them too, always, and to them at
    any cost; or "off"."""
    encoder: Encoding = Encoding()

    @property
    def longest_delay(self) -> float:
        """Seconds that the jitter buffer can make good."""
        milliseconds = self.jitter_buffer_ms if self.jitter_buffer == "fixed" else self.jitter_buffer_max_ms
        return milliseconds / 1000

    def __post_init__(self) -> None:
        for index, address in enumerate(self.addresses):
            _check(f"addresses[{index}]", _address_or_interface, address)
        for index, address in enumerate(self.advertised_addresses):
            _check(f"advertised_addresses[{index}]", parse_advertised_address, address)
        if not self.advertise_bound_addresses and not self.advertised_addresses:
            raise ConfigurationError("advertise_bound_addresses: false needs others in advertised_addresses")
        if self.jitter_buffer_min_ms > self.jitter_buffer_max_ms:
            raise ValueError(
                f"jitter_buffer_min_ms is {self.jitter_buffer_min_ms}, more than jitter_buffer_max_ms, "
                f"{self.jitter_buffer_max_ms}: raise the one, or lower the other"
            )


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """``[auth]``: who may create sessions."""

    scheme: str = ""
    """Empty: ``anonymous``, which serves loopback only."""
    settings: PluginSettings = PluginSettings()
    operators: tuple[str, ...] = ()
    """Names of the principals that may use what is for operators."""


class IceServers(msgspec.Struct, frozen=True, kw_only=True):
    """``[ice_servers]``: providers of STUN and TURN servers, asked in this order."""

    providers: tuple[str, ...] | None = None
    """Absent: ``static``, if it is installed."""
    renewal: Seconds = 3600.0
    """Between the servers that the client of a long call is told: shorter than credentials are good for."""
    for_gateway: bool = True
    """Whether the gateway itself uses them, too."""
    settings: dict[str, PluginSettings] = {}
    """By provider name."""


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """``[pages]``: sets of static pages that are served."""

    enabled: tuple[str, ...] | None = None
    """Absent: ``demo``, if it is installed."""


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """``[routes]``: sets of HTTP routes of plugins that are served."""

    enabled: tuple[str, ...] = ()
    max_requests_per_minute: Count = 600
    """Of one client address, to all of them together."""
    settings: dict[str, PluginSettings] = {}
    """By the name of the set."""


class Extensions(msgspec.Struct, frozen=True, kw_only=True):
    """``[extensions]``: plugins whose hooks run for each call, in this order."""

    enabled: tuple[str, ...] = ()
    """By the names of their plugins; a campaign may have others."""
    settings: dict[str, PluginSettings] = {}
    """By the same names."""


class Plugins(msgspec.Struct, frozen=True, kw_only=True):
    """``[plugins]``: which installed plugins are not loaded."""

    disabled: tuple[str, ...] = ()
    """Names of entry points or of distributions."""


class AgentSection(msgspec.Struct, frozen=True, kw_only=True):
    """``[campaigns.<id>.agents.<name>]``: another agent that calls of the campaign can be handed to."""

    agent: str
    settings: PluginSettings = PluginSettings()


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """``[campaigns.<id>.workers]``: the processes of an agent that is isolated."""

    processes: Annotated[int, Meta(ge=1, le=256)] = 2
    """Started ahead, and always kept."""
    calls_per_process: Annotated[int, Meta(ge=1, le=1000)] = 8
    """At a time: so many end with it."""
    memory_limit_mb: Annotated[int, Meta(ge=0, le=1_000_000)] = 1024
    """Of memory in use, in MiB; who has more is ended. 0: no limit."""
    patience: Annotated[float, Meta(ge=1, le=3600)] = 10.0
    """Seconds for which its thread may be held up; then it is ended."""
    nice: Annotated[int, Meta(ge=0, le=19)] = 5
    """How far they stand back for the gateway where cores are short: models can wait, and packets cannot."""


class CampaignSection(msgspec.Struct, frozen=True, kw_only=True):
    """``[campaigns.<id>]``: the agent that answers calls of this ``campaignId``."""

    agent: str
    settings: PluginSettings = PluginSettings()
    sample_rate: Literal[8000, 16000, 24000, 48000] | None = None
    """In hertz; absent: the agent's own."""
    frame_ms: Literal[10, 20] | None = None
    """How long the frames are that the agent hears; absent: the agent's own."""
    ice_policy: IcePolicy | None = None
    """Absent: that of ``[media]``."""
    agents: dict[str, AgentSection] = {}
    """Those that calls can be handed to, by the names that they have here."""
    extensions: tuple[str, ...] | None = None
    """Absent: those of ``[extensions]``."""
    max_sessions: Count | None = None
    """At a time; absent: as many as the gateway has."""
    max_call_time: Seconds | None = None
    """Absent: that of ``[server]``."""
    max_silence: Silence | None = None
    """Absent: that of ``[server]``."""
    isolation: Isolation = "none"
    """``process``: the agent runs in processes of its own, which end with no other calls than theirs."""
    workers: Workers = Workers()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    server: Server = Server()
    media: Media = Media()
    auth: Auth = Auth()
    ice_servers: IceServers = IceServers()
    pages: Pages = Pages()
    routes: Routes = Routes()
    extensions: Extensions = Extensions()
    plugins: Plugins = Plugins()
    campaigns: dict[str, CampaignSection] = {}
    log: Log = Log()

    def __post_init__(self) -> None:
        if self.server.worker_count > 1:
            _check_ports(self.media, self.server.worker_count)
        for campaign_id in self.campaigns:
            if not campaign_id or not campaign_id.isprintable():
                raise ConfigurationError(f"campaigns: expected a name in one line for each, got {campaign_id!r}")
            if len(campaign_id) > MAX_IDENTIFIER_LENGTH:
                expected = f"expected a name of at most {MAX_IDENTIFIER_LENGTH} characters, as clients may ask for"
                raise ConfigurationError(f"campaigns.{campaign_id}: {expected}")
        policies = {f"campaigns.{name}": section.ice_policy for name, section in self.campaigns.items()}
        check_relays({"media": self.media.ice_policy, **policies}, self.media.ice_lite, self.ice_servers.for_gateway)


def parse_advertised_address(text: str) -> tuple[str, int | None]:
    """The host and port of ``192.0.2.1``, ``192.0.2.1:5000``, ``2001:db8::1`` or ``[2001:db8::1]:5000``.

    Raises ``ValueError``.
    """
    host, port = text, None
    if match := _WITH_PORT.fullmatch(text):
        host, port = match["ipv6"] or match["ipv4"], int(match["port"])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError("expected an IP address, or one and a port") from None
    if address.is_unspecified or address.is_multicast or (port is not None and not 1 <= port <= 65535):
        raise ValueError("expected an address and port that clients can reach")
    return str(address), port


def _check(key: str, parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{key}: {error}") from None


def _check_ports(media: Media, workers: int) -> None:
    """Each worker has a port of its own, and as many more do those that a reload begins beside them."""
    for key in ("udp_port", "tcp_port"):
        port = getattr(media, key)
        if port is not None and port + 2 * workers - 1 > MAX_PORT:
            raise ConfigurationError(f"media.{key}: {workers} workers need {2 * workers} ports from {port} on")
    if not media.udp_port and any(parse_advertised_address(one)[1] for one in media.advertised_addresses):
        raise ConfigurationError("media.udp_port: advertised ports of several workers need a number here")


def _network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("expected an IP address or network") from None


def _address_or_interface(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not _INTERFACE.fullmatch(text):
            raise ValueError("expected an IP address or the name of an interface") from None
