"""What plugins may still use, and are told not to: the message says what to do instead."""

from contextvars import ContextVar
from typing import Final


class Deprecated(FutureWarning):
    """Shown by default, since those who run a plugin have to know before it stops working."""


def deprecated(what: str, since: int, instead: str) -> Deprecated:
    """``since`` is a version of the hooks. Of a hook it is for ``warn_on_impl``, or ``warn_on_impl_args``."""
    return Deprecated(f"{what} is deprecated since version {since} of the hooks: {instead}")


loading: ContextVar[str] = ContextVar("loading", default="")
"""The plugin that is being imported, if one is."""


def told(warning: Deprecated) -> Deprecated:
    """The warning with the plugin that it is for."""
    return Deprecated(f"{loading.get()}: {warning}") if loading.get() else warning


_TOKENS: Final = "the gateway makes the tokens of sessions itself, so leave out issue and verify"

NAMES: Final = {
    "HmacTokens": ("glottis.signaling.session_tokens", deprecated("glottis.HmacTokens", 3, _TOKENS)),
    "TokenClaims": ("glottis.signaling.session_tokens", deprecated("glottis.TokenClaims", 3, _TOKENS)),
}
"""Of ``glottis``: where each is, and what is said to who imports it."""
