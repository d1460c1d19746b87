"""What client, agent and observers are told of their session: the same events, to all of them."""

from dataclasses import replace

import trio

from glottis.calls.conversation import Conversation
from glottis.calls.dropped import with_dropped
from glottis.calls.leg import Leg
from glottis.contracts.events import (
    CallEvent,
    MediaNegotiated,
    StatisticsReported,
)
from glottis.contracts.statistics import Statistics
from glottis.server.sessions.extensions import CallExtensions
from glottis.server.sessions.line import ClientLine
from glottis.signaling.messages import Event


class Announcements:
    """By the line to the client, by the call's events to the agent, and to observers."""

    __slots__ = ("_call", "_extensions", "_leg", "_line", "_media")

    def __init__(self, line: ClientLine, call: Conversation, leg: Leg, extensions: CallExtensions) -> None:
        self._line = line
        self._call = call
        self._leg = leg
        self._extensions = extensions
        self._media: MediaNegotiated | None = None

    def event(self, event: CallEvent) -> None:
        """Something has happened."""
        self._line.send(Event(event.name, event.data))
        self._call.push_event(event)
        self._extensions.observers.event(event)

    def media(self) -> None:
        """When there is audio, from the beginning or by a later offer, and when it becomes another."""
        media = self._leg.media
        if media is not None and media != self._media:
            self._media = media
            self.event(media)

    def statistics(self) -> Statistics:
        """What was counted so far, by the agent's streams too."""
        statistics = with_dropped(self._leg.statistics(trio.current_time()), self._call.dropped)
        statistics = replace(statistics, agent=self._call.agent_statistics())
        return self._extensions.with_dropped(statistics).counting(messages_missed=self._line.missed.dropped)

    async def report_statistics(self, interval: float) -> None:
        """Every so many seconds, how the call fares."""
        while True:
            await trio.sleep(interval)
            self.event(StatisticsReported(statistics=self.statistics()))
