"""Observers of a session behind a guard: whatever one of them does, the session and the others go on."""

import inspect
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from glottis.barrier import stop
from glottis.contracts.audio import EncodedPacket
from glottis.contracts.call import Message
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import PluginError
from glottis.contracts.events import CallEvent
from glottis.contracts.extensions import Incoming, Milestone, SessionObserver, Tell
from glottis.contracts.info import CallInfo
from glottis.contracts.log_fields import log_fields, logged
from glottis.contracts.statistics import Statistics
from glottis.plugins.extensions import Extension
from glottis.plugins.failures import log_failure
from glottis.plugins.guard import uncounted
from glottis.plugins.manager import Plugin
from glottis.plugins.timing import Timing

logger = logging.getLogger(__name__)

METHODS: Final = tuple(name for name in vars(SessionObserver) if not name.startswith("_"))
END: Final = "ended"
SLOW: Final = 0.02
"""Seconds in one method, in which no call can go on: a frame."""
MAX_SLOW: Final = 3
"""How often that may happen: the first time may be an import, or the machine's fault."""
FORGIVEN: Final = 50
"""Calls in a row that are not slow, after which those before were the machine's fault."""


class _Observer:
    """Whose it is, how often it was slow, and how often in a row it has not been since."""

    __slots__ = ("plugin", "quick", "slow")

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.slow = self.quick = 0


class Observers:
    """All observers of one session, as one. ``dropped`` is called for each that is left out."""

    def __init__(
        self,
        extensions: Sequence[Extension],
        call_info: CallInfo,
        tell: Tell,
        statistics: Callable[[], Statistics],
        dropped: Callable[[], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._place = f"session {call_info.session_id}"
        self.fields = log_fields()
        self._dropped = dropped
        self._clock = clock
        self._methods: dict[str, tuple[tuple[_Observer, Callable[..., object], Timing], ...]]
        self._methods = dict.fromkeys(METHODS, ())
        """Of all observers, by their names."""
        for extension in extensions:
            try:
                made = extension.ask("session_observers", call_info=call_info, tell=tell, statistics=statistics)
                self._add(extension, made)
            except PluginError as error:
                log_failure(logger, error, "%s: %s: it is not observed", self._place, extension.plugin)
                dropped()

    def event(self, event: CallEvent) -> None:
        """See ``SessionObserver``; and so the others."""
        self._call("event", event)

    def reached(self, milestone: Milestone) -> None:
        self._call("reached", milestone)

    def message_received(self, message: Message) -> None:
        self._call("message_received", message)

    def message_sent(self, message: Message) -> None:
        self._call("message_sent", message)

    def ended(self, reason: str, statistics: Statistics) -> None:
        self._call("ended", reason, statistics)

    def packet_watch(self, method: str) -> Callable[[EncodedPacket, CodecSpec], None] | None:
        """``packet_received`` or ``packet_sent``; None where nobody wants to be told."""
        return partial(self._call, method) if self._methods[method] else None

    def incoming_watch(self) -> Callable[[Incoming, bytes, float], None] | None:
        """The same of ``incoming``."""
        return partial(self._call, "incoming") if self._methods["incoming"] else None

    def _add(self, extension: Extension, observers: Sequence[object]) -> None:
        """All of an extension's or, where one is none, nothing of it."""
        plugin, what = extension.plugin, "what session_observers returned"
        found = [(_Observer(plugin), uncounted(plugin, what, _methods_of, one, allowed=())) for one in observers]
        for observer, methods in found:
            for name, method in methods.items():
                self._methods[name] += ((observer, method, plugin.timing(f"{name} of observers")),)

    def _call(self, name: str, *arguments: object) -> None:
        for one, method, timing in self._methods[name]:
            began = self._clock()
            try:
                result = method(*arguments)
                if result is not None and inspect.iscoroutine(result):
                    result.close()
                    raise PluginError(f"{one.plugin}: {name} is async; observers are synchronous")
            except BaseException as error:
                timing.errors += 1
                self._note(timing, began)
                stop(error, partial(self._drop_failed, one, name))
            else:
                took = self._note(timing, began)
                if took >= SLOW or one.slow:
                    self._judge(one, name, took)

    def _note(self, timing: Timing, began: float) -> float:
        """The seconds that it has taken."""
        took = self._clock() - began
        timing.note(round(took * 1e9))
        return took

    @logged
    def _judge(self, one: _Observer, name: str, seconds: float) -> None:
        if seconds < SLOW:
            one.quick += 1
            if one.quick == FORGIVEN:
                one.slow = 0
            return
        one.slow, one.quick = one.slow + 1, 0
        if one.slow == MAX_SLOW:
            self._drop(one, but=END)  # for who counts or bills calls, be it slow or the machine busy
            reason = f"holds up all calls, {name} the last time"
            logger.error("%s: %s %s: it is told no more but the end", self._place, one.plugin, reason)

    @logged
    def _drop_failed(self, one: _Observer, name: str, error: BaseException) -> None:
        self._drop(one)
        log_failure(logger, error, "%s: %s has failed in %s, and is told no more", self._place, one.plugin, name)

    def _drop(self, one: _Observer, but: str = "") -> None:
        self._methods = {
            name: tuple(each for each in methods if each[0] is not one or name == but)
            for name, methods in self._methods.items()
        }
        self._dropped()


def _methods_of(observer: object) -> dict[str, Callable[..., object]]:
    methods = {name: method for name in METHODS if callable(method := getattr(observer, name, None))}
    if not methods:
        raise ValueError(f"expected objects with some of {', '.join(METHODS)}, got a {type(observer).__name__}")
    return methods
