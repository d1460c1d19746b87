"""Which web pages may talk to the gateway: the Origin rule of CONTRACT §1–2."""

from collections.abc import Iterable

from glottis.config.origins import Origin, OriginPattern


class Origins:
    """Accepts pages of the gateway's own host, and those of the configured patterns.

    The patterns are those of ``OriginPattern``; raises ``ValueError`` for anything else.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = [OriginPattern.parse(pattern) for pattern in patterns]

    def allows(self, page: Origin, host: str) -> bool:
        """Whether a page of this origin may talk to the gateway under the name ``host`` (with an optional port).

        The scheme of the page's own host does not matter: a proxy that ends TLS need not be a trusted one.
        """
        return page.is_at(host) or any(pattern.matches(page) for pattern in self._patterns)
