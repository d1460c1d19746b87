"""Origins of web pages (RFC 6454), and the patterns of them that a configuration allows: the one definition of both."""

import re
from contextlib import suppress
from typing import Final, Self

import msgspec

from glottis.contracts.authority import Authority, parse_authority_untrusted
from glottis.contracts.errors import Malformed

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The schemes of the web, whose origins always have a host."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_EXAMPLES: Final = "https://app.example, https://*.app.example, http://127.0.0.1:*, capacitor://localhost, null or *"


class Origin(msgspec.Struct, frozen=True):
    """A scheme, a host and a port, in lower case; the port is None where it is the scheme's own.

    Applications have schemes of their own (``capacitor://localhost``), some of which know no host (``file://``).
    """

    scheme: str
    host: str
    port: int | None = None

    @property
    def is_of_the_web(self) -> bool:
        """Whether its pages come from HTTP servers."""
        return self.scheme in _DEFAULT_PORTS

    @property
    def authority(self) -> str:
        """Host and port, as a ``Host`` field has them."""
        return str(Authority(self.host, self.port))

    def is_at(self, host: str) -> bool:
        """Whether its pages come from the HTTP server of this name, which may have a port."""
        try:
            return self.is_of_the_web and self == _origin(self.scheme, parse_authority_untrusted(host))
        except Malformed:
            return False

    def __str__(self) -> str:
        return "null" if self == OPAQUE else f"{self.scheme}://{self.authority}"


OPAQUE: Final = Origin("", "")
"""``null``: that of files, sandboxed frames and other pages that shall not be told from each other."""


def parse_origin_untrusted(text: str) -> Origin:
    """Read an ``Origin`` field with one origin (RFC 6454 §7.1); raises ``Malformed``."""
    if text.lower() == "null":
        return OPAQUE
    scheme, separator, authority = text.partition("://")
    scheme = scheme.lower()
    if not separator or not _SCHEME.fullmatch(scheme):
        raise Malformed("origin: expected a scheme and a host")
    if not authority and scheme not in _DEFAULT_PORTS:
        return Origin(scheme, "")
    return _origin(scheme, parse_authority_untrusted(authority))


def _origin(scheme: str, authority: Authority) -> Origin:
    port = None if authority.port == _DEFAULT_PORTS.get(scheme) else authority.port
    return Origin(scheme, authority.host, port)


def parse_public_url(text: str) -> Origin:
    """Read ``http://host`` or ``https://host``, with an optional port and final slash; raises ``ValueError``."""
    try:
        origin = parse_origin_untrusted(text.removesuffix("/"))
    except Malformed:
        origin = OPAQUE
    if not origin.is_of_the_web:
        raise ValueError("expected scheme and host, such as https://voice.example.org")
    return origin


class OriginPattern(msgspec.Struct, frozen=True):
    """Which origins are meant: one, or several that share all but what a ``*`` stands for.

    ``*`` is any origin; ``:*`` any port or none; ``*.`` before a host any name under it. With the schemes of
    applications ``*`` may be the whole host: that of ``moz-extension://`` is another one in each browser.
    """

    origin: Origin | None
    """None: any."""
    any_port: bool = False
    any_subdomain: bool = False
    any_host: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern. Every origin is a pattern, of itself. Raises ``ValueError`` for anything else."""
        if text == "*":
            return cls(None)
        scheme, separator, host = text.partition("://")
        any_port, any_subdomain, any_host = host.endswith(":*"), host.startswith("*."), host == "*"
        host = "" if any_host else host.removeprefix("*.").removesuffix(":*")
        try:
            origin = parse_origin_untrusted(f"{scheme}{separator}{host}")
        except Malformed:
            raise ValueError(_what_is_expected(text)) from None
        if (any_port or any_subdomain) and not host:
            raise ValueError(_what_is_expected(text))
        return cls(origin, any_port, any_subdomain, any_host)

    def matches(self, origin: Origin) -> bool:
        """Whether this origin is meant."""
        if self.origin is None:
            return True
        return (
            origin.scheme == self.origin.scheme
            and (self.any_port or origin.port == self.origin.port)
            and self._matches_host(origin.host, self.origin.host)
        )

    def _matches_host(self, host: str, expected: str) -> bool:
        return self.any_host or (host.endswith(f".{expected}") if self.any_subdomain else host == expected)


def _what_is_expected(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    host, path, _ = rest.partition("/")
    if path:
        with suppress(ValueError):
            OriginPattern.parse(f"{scheme}{separator}{host}")
            return f"expected an origin, which ends before the path: {scheme}{separator}{host}"
    return f"expected an origin such as {_EXAMPLES}"
