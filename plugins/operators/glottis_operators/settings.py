"""Settings of the extension ``operators``, and of the set of routes of this name."""

import msgspec
from glottis import Secret
from glottis_metrics.settings import check_token


class OperatorsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[extensions.settings.operators]``."""

    metadata: tuple[str, ...] = ()
    """Members of a call's metadata that are shown. Others are not: web applications put anything there."""
    event_data: bool = False
    """Whether the data of agents' and extensions' events is shown, which may be what callers have said."""


class RouteConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[routes.settings.operators]``."""

    token: Secret | None = None
    """Which opens the page; without one it is for the principals in ``auth.operators``."""

    def __post_init__(self) -> None:
        check_token(self.token)
