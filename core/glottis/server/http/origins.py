"""Which web pages may talk to the gateway: the Origin rule of CONTRACT §1–2 (RFC 6454)."""

import re
from collections.abc import Iterable
from typing import Final

from glottis.contracts.errors import ConfigurationError

_PATTERN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<wildcard>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)"
    r"(?P<port>:(?:\*|[0-9]{1,5}))?",
    re.IGNORECASE,
)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class Origins:
    """Accepts clients without an origin (devices), pages of the gateway's own host, and those that are configured.

    A pattern is an origin such as ``https://app.example``, possibly with ``*`` for the port or ``*.`` before the host;
    ``null`` for pages without an origin of their own; or ``*`` for any page.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        patterns = [pattern.lower() for pattern in patterns]
        self._any = "*" in patterns
        expressions = [_expression(index, pattern) for index, pattern in enumerate(patterns) if pattern != "*"]
        self._pattern = re.compile("|".join(expressions) or r"(?!)", re.IGNORECASE)

    def allows(self, origin: str | None, host: str) -> bool:
        """Whether a page of ``origin`` may talk to the gateway under the name ``host`` (with an optional port).

        The scheme of the page's own host does not matter: a proxy that ends TLS need not be a trusted one.
        """
        if origin is None or self._any:
            return True
        return _same_host(origin.lower(), host.lower()) or self._pattern.fullmatch(origin) is not None


def _same_host(origin: str, host: str) -> bool:
    scheme, separator, authority = origin.partition("://")
    default_port = _DEFAULT_PORTS.get(scheme, "")
    return bool(separator and host) and authority.removesuffix(default_port) == host.removesuffix(default_port)


def _expression(index: int, pattern: str) -> str:
    if pattern == "null":
        return "null"
    parts = _PATTERN.fullmatch(pattern)
    if parts is None:
        raise ConfigurationError(
            f"server.allowed_origins[{index}]: expected an origin such as https://app.example, http://127.0.0.1:* or *"
        )
    hosts = r"(?:[a-z0-9_-]+\.)+" if parts["wildcard"] else ""
    port = r"(?::[0-9]{1,5})?" if parts["port"] == ":*" else re.escape(parts["port"] or "")
    return f"{parts['scheme']}://{hosts}{re.escape(parts['host'])}{port}"
