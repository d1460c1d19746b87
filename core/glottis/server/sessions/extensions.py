"""What extensions do in one call: processors of its audio, and observers of its session."""

from collections.abc import Callable, Sequence

import msgspec

from glottis.contracts.call import Message
from glottis.contracts.events import OtherEvent
from glottis.contracts.extensions import Milestone, Tell
from glottis.contracts.info import CallInfo
from glottis.contracts.statistics import Statistics
from glottis.plugins.extensions import Extension
from glottis.plugins.observers import Observers
from glottis.plugins.processors import bind_processors
from glottis.rtp import Taps


class _Dropped(msgspec.Struct):
    """How many are left out by now."""

    processors: int = 0
    observers: int = 0

    def count_processor(self) -> None:
        self.processors += 1

    def count_observer(self) -> None:
        self.observers += 1


class CallExtensions:
    """Made when the session is. ``bind`` puts them into the way of its media; without any, nothing is there."""

    __slots__ = ("_dropped", "_extensions", "_info", "_reached", "_tell", "observers")

    def __init__(
        self, extensions: Sequence[Extension], call_info: CallInfo, tell: Tell, statistics: Callable[[], Statistics]
    ) -> None:
        self._extensions = extensions
        self._info = call_info
        self._tell = tell
        self._dropped = _Dropped()  # which is all that the taps hold of this: no circle with the leg comes about
        self.observers = Observers(extensions, call_info, tell, statistics, self._dropped.count_observer)
        self._reached: tuple[Milestone, ...] = ()

    def bind(self, taps: Taps) -> None:
        """Before media begins."""
        dropped = self._dropped.count_processor
        taps.heard = bind_processors(self._extensions, self._info, "input", self._tell, taps.keys, dropped)
        taps.spoken = bind_processors(self._extensions, self._info, "output", self._tell, taps.keys, dropped)
        taps.received = self.observers.packet_watch("packet_received")
        taps.sent = self.observers.packet_watch("packet_sent")
        taps.incoming = self.observers.incoming_watch()

    def reached(self, milestone: Milestone) -> None:
        """See ``SessionObserver``; only the first time counts."""
        if milestone not in self._reached:
            self._reached += (milestone,)
            self.observers.reached(milestone)

    def sent(self, what: Message | OtherEvent) -> None:
        """The agent has sent this."""
        if isinstance(what, OtherEvent):
            self.observers.event(what)
        else:
            self.observers.message_sent(what)

    def with_dropped(self, statistics: Statistics) -> Statistics:
        """The statistics, and how many of them are left out."""
        dropped = self._dropped
        return statistics.counting(processors_dropped=dropped.processors, observers_dropped=dropped.observers)
