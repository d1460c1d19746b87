"""A cluster behind a guard: where it fails, or is slow, the gateway does without it."""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from glottis.contracts.checks import check_instance
from glottis.contracts.cluster import Cluster, Limited, SessionWish, Whereabouts
from glottis.contracts.errors import PluginError
from glottis.contracts.routes import RouteResponse
from glottis.plugins.extensions import Extension
from glottis.plugins.failures import log_failure
from glottis.plugins.guard import check_members, guarded, guarded_async, uncounted
from glottis.plugins.manager import Plugin
from glottis.plugins.routes import whole_response

HOOK: Final = "join_cluster"
PATIENCE: Final = 5.0
"""Seconds for an answer: the caller waits for it."""
METHODS: Final = ("place", "seconds_to_wait", "find")
MAX_REASON: Final = 256
"""Characters of why a session has ended."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class GuardedCluster:
    """See ``Cluster``, none of whose methods raises, or takes long."""

    def __init__(self, product: Cluster, plugin: Plugin) -> None:
        self._product = product
        self._plugin = plugin

    async def place(self, wish: SessionWish) -> RouteResponse | None:
        """See ``Cluster``; None, if it does not know."""
        return await self._ask("place", checked_place, None, self._product.place, wish)

    async def seconds_to_wait(self, what: Limited, client: str, per_minute: int) -> float | None:
        """See ``Cluster``; None, if it does not know."""
        ask = self._product.seconds_to_wait
        return await self._ask("seconds_to_wait", checked_seconds, None, ask, what, client, per_minute)

    async def find(self, session_id: str) -> Whereabouts:
        """See ``Cluster``."""
        unknown = Whereabouts(is_certain=False)
        return await self._ask("find", checked_whereabouts, unknown, self._product.find, session_id)

    async def _ask(
        self,
        action: str,
        check: Callable[[object], T],
        otherwise: T,
        method: Callable[..., Awaitable[object]],
        *arguments: object,
    ) -> T:
        try:
            with trio.move_on_after(PATIENCE):
                answer: object = await guarded_async(self._plugin, action, method, *arguments)
                return uncounted(self._plugin, f"what {action} returned", check, answer)
        except PluginError as error:
            log_failure(logger, error, "%s: %s failed: the gateway does without it", self._plugin, action)
            return otherwise
        logger.error("%s: %s took longer than %g s: the gateway does without it", self._plugin, action, PATIENCE)
        return otherwise


def joined(extension: Extension, seat: object) -> GuardedCluster:
    """What its hook returns. Raises ``PluginError``."""
    plugin, hook = extension.plugin, extension.hooks[HOOK]
    product: Cluster = guarded(plugin, HOOK, lambda: hook(seat=seat, settings=extension.settings), allowed=())
    check_members(plugin, HOOK, product, METHODS)
    return GuardedCluster(product, plugin)


def checked_place(answer: object) -> RouteResponse | None:
    """A copy of what ``place`` has answered; raises ``ValueError``, as those below do for the other methods."""
    return None if answer is None else whole_response(answer)


def checked_seconds(answer: object) -> float | None:
    """Of ``seconds_to_wait``."""
    if answer is None:
        return None
    check_instance("seconds_to_wait", answer, int | float)
    assert isinstance(answer, int | float)
    if not 0 <= answer < math.inf:
        raise ValueError(f"seconds_to_wait: expected seconds, got {answer!r}")
    return float(answer)


def checked_whereabouts(answer: object) -> Whereabouts:
    """Of ``find``."""
    check_instance("find", answer, Whereabouts)
    assert isinstance(answer, Whereabouts)
    check_instance("Whereabouts.url", answer.url, str)
    check_instance("Whereabouts.reason", answer.reason, str)
    reason = "".join(one if one.isprintable() else " " for one in answer.reason[:MAX_REASON])
    return Whereabouts(str(answer.url), reason, bool(answer.is_certain))
