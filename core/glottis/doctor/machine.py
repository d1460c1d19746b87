"""The machine: file descriptors, buffers of UDP sockets, the clock; and the codecs that are installed."""

import ctypes
import resource
import socket
from collections.abc import Iterator
from typing import Final

from glottis.config import ResolvedConfig
from glottis.config.settings import DEFAULT_CODECS
from glottis.doctor.findings import Finding, fail, ok, warn
from glottis.media.udp_link import SOCKET_BUFFER
from glottis.plugins import Registry

SPARE_DESCRIPTORS: Final = 64
"""Beside connections: sockets of media and of TURN servers, the log, what plugins open."""
_TIME_ERROR: Final = 5
"""What adjtimex(2) returns while nobody keeps the clock right."""
_TIMEX_BYTES: Final = 512
"""More than ``struct timex`` has on any machine."""


def examine_descriptors(config: ResolvedConfig, limit: int) -> Finding:
    """Each call of a client takes one, for its WebSocket. ``limit`` is the hard one, to which the gateway goes."""
    connections = config.config.server.max_connections
    needed = connections + SPARE_DESCRIPTORS
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return ok("files", f"{'any number of' if limit == resource.RLIM_INFINITY else limit} descriptors")
    room = max(0, limit - SPARE_DESCRIPTORS)
    what = f"{limit} descriptors, enough for {room} connections of server.max_connections, {connections}"
    advice = f"raise the limit to {needed} (LimitNOFILE= of systemd, ulimit -Hn), or lower server.max_connections"
    return fail("files", what, advice) if room < SPARE_DESCRIPTORS else warn("files", what, advice)


def examine_buffers() -> Iterator[Finding]:
    """Linux cuts what a socket asks for to a limit of its own, and doubles it for its bookkeeping (socket(7))."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        for option, name, setting in (
            (socket.SO_RCVBUF, "receives", "net.core.rmem_max"),
            (socket.SO_SNDBUF, "sends", "net.core.wmem_max"),
        ):
            sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
            size = sock.getsockopt(socket.SOL_SOCKET, option) // 2
            what = f"a UDP socket {name} through {size // 1024} KiB"
            if size >= SOCKET_BUFFER:
                yield ok("buffers", what)
            else:
                wanted = f"{SOCKET_BUFFER // 1024} KiB, so that bursts of many calls are not lost"
                yield warn("buffers", what, f"sysctl -w {setting}={SOCKET_BUFFER} gives {wanted}")


def examine_clock() -> Finding:
    """Tokens and the credentials of TURN servers hold times of day, and other machines check them."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        state = -1
    if state == -1:
        return warn("clock", "this system does not say whether its clock is right", "see whether NTP runs on its host")
    if state == _TIME_ERROR:
        advice = "run an NTP client: TURN servers refuse credentials whose time is wrong"
        return warn("clock", "it is not synchronised", advice)
    return ok("clock", "it is synchronised")


def examine_codecs(config: ResolvedConfig, registry: Registry) -> Iterator[Finding]:
    """What calls can use, and plugins that are installed but cannot be used."""
    names = [codec.spec.encoding_name for codec in config.codecs]
    yield ok("codecs", ", ".join(names))
    lacking = [name for name in DEFAULT_CODECS if name.lower() not in [one.lower() for one in names]]
    if "opus" in lacking:
        yield warn("codecs", "there is no Opus, which browsers prefer", "install glottis-opus")
    for broken in registry.broken:
        yield fail("plugins", f"{broken.plugin} is left out", str(broken.reason))
