"""TCP and TLS to a gateway, as its client."""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

import trio

from glottis.contracts.errors import LocalError, RemoteError

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for TCP and TLS together."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
ENCRYPTED: Final = ("https", "wss")
_CHECK_NETWORK: Final = "see whether the address is right and the network up"
_ADVICE: Final = {
    errno.ECONNREFUSED: "nothing listens there; see whether the gateway runs, and on this port",
    errno.EHOSTUNREACH: _CHECK_NETWORK,
    errno.ENETUNREACH: _CHECK_NETWORK,
}

ClientStream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class CallFailed(RemoteError):
    """There is no call, or no longer: the message says why, in a sentence for people."""

    retry_after: float | None = None
    """Seconds after which the gateway wants to be asked again, where it has said so."""


def split_gateway_url(url: str) -> SplitResult:
    """Take a URL apart; raises ``LocalError`` if nothing can be connected to by it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _DEFAULT_PORTS and parts.hostname and port_of(parts) and "@" not in parts.netloc
    except ValueError:  # for a wrong port or IPv6 address
        usable = False
    if not usable:
        raise LocalError("the gateway's URL: expected one such as http://127.0.0.1:8080 or https://voice.example.org")
    return parts


def port_of(url: SplitResult) -> int:
    """The port that a URL names or implies."""
    return url.port if url.port is not None else _DEFAULT_PORTS[url.scheme]


async def open_client_stream(
    url: SplitResult, tls: ssl.SSLContext | None = None, *, connected: Callable[[str], None] = lambda local_host: None
) -> ClientStream:
    """Connect to where a URL points, with TLS if it says so, by default to whom the system trusts.

    ``connected`` is told this machine's IP address as soon as there is a way, before TLS. Raises ``CallFailed``.
    """
    assert url.hostname is not None
    try:
        with trio.fail_after(CONNECT_TIMEOUT):
            stream = await trio.open_tcp_stream(url.hostname, port_of(url))
            connected(str(stream.socket.getsockname()[0]))
            return await _with_tls(stream, url.hostname, tls) if url.scheme in ENCRYPTED else stream
    except trio.TooSlowError:
        late = f"no answer in {CONNECT_TIMEOUT:g} s; the address may be wrong, or a firewall drop TCP"
        raise CallFailed(f"cannot connect to {url.netloc}: {late}") from None
    except (OSError, trio.BrokenResourceError) as error:
        raise CallFailed(f"cannot connect to {url.netloc}: {_reason(error)}") from error


async def _with_tls(stream: trio.SocketStream, host: str, tls: ssl.SSLContext | None) -> ClientStream:
    tls = tls or ssl.create_default_context()
    encrypted = trio.SSLStream(stream, tls, server_hostname=host, https_compatible=True)
    try:
        await encrypted.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(encrypted)
        raise
    return encrypted


def errno_of(error: BaseException) -> int | None:
    """What the operating system has said, if that is the reason."""
    bottom = _bottom(error)
    return bottom.errno if isinstance(bottom, OSError) else None


def _bottom(error: BaseException) -> BaseException:
    """trio puts groups and errors of its own around what has happened."""
    while error.__cause__ is not None or isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error
    return error


def _reason(error: BaseException) -> str:
    """The words of the error at the bottom."""
    error = _bottom(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'connection lost'}; a gateway without TLS is called by http://"
    if isinstance(error, socket.gaierror):
        return f"{error.strerror}; see whether the host's name is right"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return "; ".join(filter(None, (os.strerror(error.errno), _ADVICE.get(error.errno))))
    return str(error.strerror if isinstance(error, OSError) else error) or type(error).__name__
