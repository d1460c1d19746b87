"""Joins a peer connection to the UDP socket and the wheel: the one driver of the engines."""

import math
from collections.abc import Callable
from typing import Protocol

import trio

from glottis.barrier import stop
from glottis.media.demultiplexer import Receiver
from glottis.media.link import Sender
from glottis.media.quota import MessageQuota
from glottis.media.scheduler import Scheduled
from glottis.peer import DatagramsRefused, PathAuthenticated, PathReleased, PeerConnection, PeerConnectionEvent
from glottis.wire.address import Datagram, Path


class Endpoint(Protocol):
    """Where datagrams leave, and are told apart by session: ``UdpEndpoint``, or a host of the virtual network."""

    def add_ufrag(self, ufrag: str, receiver: Receiver) -> None: ...
    def remove_ufrag(self, ufrag: str, receiver: Receiver) -> None: ...
    def add_path(self, path: Path, receiver: Receiver, *, proven: bool, in_use: bool) -> None: ...
    def remove_path(self, path: Path, receiver: Receiver) -> None: ...
    def send(self, datagram: Datagram, sender: Sender) -> None: ...
    def remove(self, receiver: Receiver) -> None: ...


class Wheel(Protocol):
    """What calls the driver in time: ``Scheduler``, or a host of the virtual network."""

    def start_media(self, session: Scheduled, send_period: float, media_period: float) -> None: ...
    def hear_from(self, session: Scheduled, moment: float) -> None: ...
    def send_soon(self, session: Scheduled) -> None: ...
    def call_at(self, session: Scheduled, deadline: float | None) -> None: ...
    def remove(self, session: Scheduled) -> None: ...


class PeerDriver:
    """Gives the engines datagrams and time, of trio's or another ``clock``, and sends what they want sent.

    ``handle_event`` is called for each event of the peer, but what came by data channels waits while ``wants_messages``
    says no, and beyond a quota until that is renewed; ``hear`` in each media tick before speech is sent,
    ``spoke`` after some was, or a pause in it has passed. Whatever any of this raises goes to ``handle_error``: neither
    the socket nor the wheel ever sees it, whatever a codec raises.
    """

    def __init__(
        self,
        peer: PeerConnection,
        *,
        endpoint: Endpoint,
        scheduler: Wheel,
        handle_event: Callable[[PeerConnectionEvent], None],
        handle_error: Callable[[BaseException], None],
        wants_messages: Callable[[], bool] = lambda: True,
        hear: Callable[[float], None] = lambda now: None,
        spoke: Callable[[], None] = lambda: None,
        clock: Callable[[], float] | None = None,
        session_id: str = "",
    ) -> None:
        self.peer = peer
        self.datagrams_refused = 0
        """Dropped unread, because too many waited already."""
        self.session_id = session_id
        """Whose work this is, for who looks at a stack."""
        self.holds_speech = False
        """While true no speech is sent: it waits in its queue."""
        self.has_media = False
        """Whether media has begun."""
        self._endpoint = endpoint
        self._scheduler = scheduler
        self._handle_event = handle_event
        self._handle_error = handle_error
        self._wants_messages = wants_messages
        self._hear = hear
        self._spoke = spoke
        self._clock = clock or trio.lowlevel.current_clock().current_time
        self._quota = MessageQuota()
        self._has_quota = True
        """Whether there was some left for the last event."""
        self._ufrags: tuple[str, ...] = ()
        self._closed = False
        self._refusal_is_told = False
        self._starts_at: float | None = None
        """When what the caller says can be heard from, as the wheel knows it."""

    def now(self) -> float:
        """Of the clock that the engines go by."""
        return self._clock()

    def pump(self) -> None:
        """After anything was done to ``peer``: send, tell, and set the next timeout."""
        if self._closed:
            return
        now = self._clock()
        timeout = self.peer.next_timeout()
        if timeout is not None and timeout <= now:
            self.peer.handle_timeout(now)
        if self._ufrags != self.peer.local_ufrags:
            self._name(self.peer.local_ufrags)
        self._send()
        are_told = False
        while not self._closed and (event := self._next_event()) is not None:
            are_told = True
            match event:
                case PathAuthenticated(path, proven, selected):
                    self._endpoint.add_path(path, self, proven=proven, in_use=selected)
                    if proven:
                        self._handle_event(event)
                case PathReleased(path):
                    self._endpoint.remove_path(path, self)
                case _:
                    self._handle_event(event)
        if are_told:  # what has come of them leaves together
            self._send()
        if not self._closed:  # an event may have ended the call
            self._scheduler.call_at(self, self._next_turn())

    def _name(self, ufrags: tuple[str, ...]) -> None:
        """Let checks to these find the peer: after a restart of ICE there are others."""
        before, self._ufrags = self._ufrags, ufrags
        for ufrag in ufrags:
            if ufrag not in before:
                self._endpoint.add_ufrag(ufrag, self)
        for ufrag in before:
            if ufrag not in ufrags:
                self._endpoint.remove_ufrag(ufrag, self)

    def _next_event(self) -> PeerConnectionEvent | None:
        self._has_quota = self._quota.is_left(self._clock())
        event = self.peer.next_event(wants_messages=self._has_quota and self._wants_messages())
        self._quota.count(event)
        return event

    def _next_turn(self) -> float | None:
        """When the engines, or messages that were beyond the quota, want theirs."""
        timeout = self.peer.next_timeout()
        if self._has_quota:
            return timeout
        return min(self._quota.renewed_at, math.inf if timeout is None else timeout)

    def pump_safely(self) -> None:
        """The same for callers that are not to blame for what it raises."""
        try:
            self.pump()
        except BaseException as error:
            stop(error, self._handle_error)

    def start_media(self) -> None:
        """From now on speech is fetched and sent in every period."""
        self.has_media = True
        voice = self.peer.voice
        self._scheduler.start_media(self, voice.send_period, voice.frame_seconds)
        self.peer.voice.send_soon = self._send_soon
        self._follow_caller()

    def _send_soon(self) -> None:
        self._scheduler.send_soon(self)

    def _follow_caller(self) -> None:
        """Packets that have begun to come are to wait no longer than they have to."""
        moment = self._starts_at = self.peer.voice.starts_at
        if moment is not None:
            self._scheduler.hear_from(self, moment)

    def another(self, peer: PeerConnection, handle_event: Callable[[PeerConnectionEvent], None]) -> "PeerDriver":
        """Of another connection of the same owner, which is told nothing else until it is to ``take_over``."""
        return PeerDriver(
            peer,
            endpoint=self._endpoint,
            scheduler=self._scheduler,
            handle_event=handle_event,
            handle_error=self._handle_error,
            wants_messages=_never,
            clock=self._clock,
            session_id=self.session_id,
        )

    def take_over(self, before: "PeerDriver") -> None:
        """This one's connection takes the place of that of ``before``, which is closed: who was told is told on."""
        self._handle_event, self._wants_messages = before._handle_event, before._wants_messages
        self._hear, self._spoke, self.holds_speech = before._hear, before._spoke, before.holds_speech
        self.datagrams_refused += before.datagrams_refused
        self._refusal_is_told = before._refusal_is_told
        self.peer.take_over(before.peer, self._clock())
        before.close()
        if before.has_media:
            self.start_media()

    def close(self) -> None:
        """Close the peer connection, send its goodbyes and leave the socket and the wheel. Idempotent, never raises."""
        if self._closed:
            return
        try:
            self.peer.close(self._clock())
            self._send()
        except BaseException as error:
            stop(error, self._handle_error)
        finally:
            self._closed = True
            self._endpoint.remove(self)
            self._scheduler.remove(self)
            self._let_go()

    def _let_go(self) -> None:
        """Nobody is told of anything but errors any more: cut the circles that driver and owner are tied in."""
        self._handle_event = _ignore
        self._hear, self._spoke, self._wants_messages = _ignore, _nothing, _never
        self.peer.voice.send_soon = _nothing

    # The socket and the wheel call these

    def receive(self, data: bytes, path: Path) -> None:
        """See ``demultiplexer.Receiver``."""
        try:
            if self.peer.handle_datagram(data, path, self._clock()):
                self.pump()
                if self.peer.voice.starts_at != self._starts_at:
                    self._follow_caller()
        except BaseException as error:
            stop(error, self._handle_error)

    def refuse(self) -> None:
        """See ``demultiplexer.Receiver``."""
        self.datagrams_refused += 1

    def send_failed(self, error: Exception) -> None:
        """See ``link.Sender``."""
        self._handle_error(error)

    def _tell_refusals(self) -> None:
        """Once, and not while they go on."""
        if self.datagrams_refused and not self._refusal_is_told:
            self._refusal_is_told = True
            self._handle_event(DatagramsRefused())

    def media_tick(self, now: float) -> None:
        """See ``scheduler.Scheduled``."""
        if self._closed:  # earlier in this very turn
            return
        try:
            self._hear(now)
            self._speak(now)
        except BaseException as error:
            stop(error, self._handle_error)

    def send_tick(self, now: float) -> None:
        """See ``scheduler.Scheduled``."""
        if self._closed:
            return
        try:
            self._speak(now)
        except BaseException as error:
            stop(error, self._handle_error)

    def _speak(self, now: float) -> None:
        if self.holds_speech:
            return
        packets = self.peer.media_to_send(now)
        for packet in packets:
            self._endpoint.send(packet, self)
        if packets or self.peer.voice.has_moved_on:
            self._spoke()

    def handle_timeout(self, now: float) -> None:
        """See ``scheduler.Scheduled``."""
        try:
            self._tell_refusals()
            self.peer.handle_timeout(now)
            self.pump()
        except BaseException as error:
            stop(error, self._handle_error)

    def _send(self) -> None:
        for datagram in self.peer.datagrams_to_send():
            self._endpoint.send(datagram, self)


def _ignore(thing: object) -> None:
    """In place of who is told."""


def _nothing() -> None: ...


def _never() -> bool:
    return False
