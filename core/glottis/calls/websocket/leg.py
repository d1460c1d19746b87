"""The leg of a WebSocket call: signaling's own WebSocket carries the audio, ticked by the wheel (CONTRACT §5)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from glottis.barrier import stop
from glottis.calls.leg import LegOwner
from glottis.calls.messenger import Messenger
from glottis.calls.websocket.marks import Marks
from glottis.calls.websocket.voice import StreamVoice
from glottis.contracts.events import MediaNegotiated
from glottis.contracts.statistics import Statistics
from glottis.media.driver import Wheel
from glottis.peer import ConnectionState
from glottis.signaling.errors import Rejected
from glottis.signaling.messages import FLUSH, Error, Key, Mark, SignalingMessage, type_of


class WebSocketLeg:
    """A ``Leg``. It stands as long as the call; while signaling is lost, speech waits.

    ``is_gateway`` makes it the end whose agent may be interrupted: then the client is told.
    ``wallclock_offset`` is what to add to ``now`` to get seconds since 1970.
    """

    negotiates: Final = False

    def __init__(
        self,
        owner: LegOwner,
        voice: StreamVoice,
        *,
        scheduler: Wheel,
        wallclock_offset: Callable[[], float],
        is_gateway: bool = True,
    ) -> None:
        self.voice = voice
        if is_gateway:
            voice.flushed = self._tell_flush
            voice.marks = Marks()
        self.messenger = Messenger(
            send_signaling=owner.says, deliver=owner.received, pump=_nothing, signaling_room=owner.room
        )
        self._owner = owner
        self._scheduler = scheduler
        self._wallclock_offset = wallclock_offset
        self._holds_speech = False
        self._is_closed = False
        self._has_sent = False
        """Whether something was sent that the client may still have to play."""
        self._audio_messages_unsent = 0
        self._overflow_is_told = False

    @property
    def media(self) -> MediaNegotiated | None:
        """See ``Leg.media``."""
        return self.voice.description

    @property
    def formats(self) -> Mapping[str, Any]:
        """See ``Leg.formats``."""
        return self.voice.formats.document()

    def begin(self, now: float) -> None:
        """See ``Leg.begin``: there is nothing to be waited for. A call that comes back goes on."""
        if self.voice.inlet is None:
            self.voice.begin()
        self.begin_again()
        self._owner.state_changed(ConnectionState.CONNECTED, "")

    def begin_again(self) -> None:
        """See ``Leg.begin_again``."""
        if self.voice.inlet is not None:
            self.voice.inlet.begin_again()
        if self.voice.marks is not None:
            self.voice.marks.forget()

    def handle(self, message: SignalingMessage, now: float) -> None:
        """See ``Leg.handle``: a key, or what is known of a mark."""
        if isinstance(message, Key):
            self.voice.press(message)
        elif isinstance(message, Mark):
            self._take_mark(message, now)
        else:
            self._refuse(message)

    def _take_mark(self, mark: Mark, now: float) -> None:
        if self.voice.marks is not None:
            self.voice.marks.come_back(mark, now)
        elif self.voice.inlet is not None:
            self.voice.inlet.take_mark(mark, now)

    def _refuse(self, message: SignalingMessage) -> None:
        raise Rejected(
            "NOTHING_TO_NEGOTIATE", f"{type_of(message)}: expected none, the audio of this session is declared"
        )

    def stop_playout(self) -> None:
        """See ``Leg.stop_playout``."""
        self.voice.stop_playout()

    def handle_audio(self, data: bytes, now: float) -> None:
        """See ``Leg.handle_audio``."""
        if self.voice.inlet is None or self._is_closed:
            return
        if not self.voice.inlet.take_untrusted(data, now) and not self._overflow_is_told:
            self._overflow_is_told = True
            sentence = "audio comes faster than it can be heard: some was dropped, send it at the pace of time"
            self._owner.says(Error("TOO_MUCH_AUDIO", sentence))

    def statistics(self, now: float) -> Statistics:
        """See ``Leg.statistics``."""
        statistics = self.voice.statistics((now + self._wallclock_offset()) * 1000)
        return statistics.counting(audio_messages_unsent=self._audio_messages_unsent)

    def connectivity(self) -> None:
        """See ``Leg.connectivity``."""

    def reached_since(self, moment: float) -> bool:
        """See ``Leg.reached_since``: a new connection is the way, too."""
        return True

    def heard_since(self, moment: float) -> bool:
        """See ``Leg.heard_since``: what is heard comes by the very connection whose loss makes owners ask."""
        return self._owner.takes_audio()

    def start_media(self) -> None:
        """See ``Leg.start_media``."""
        self._scheduler.start_media(self, self.voice.send_period, self.voice.frame_seconds)

    def hold_speech(self, held: bool) -> None:
        """See ``Leg.hold_speech``."""
        self._holds_speech = held

    def set_complexity(self, complexity: int) -> None:
        """See ``Leg.set_complexity``."""
        self.voice.set_complexity(complexity)

    def catch_up(self) -> None:
        """Nothing waits: all messages come by signaling."""

    def close(self) -> None:
        """See ``Leg.close``: the goodbye is signaling's."""
        self._is_closed = True
        self._scheduler.remove(self)
        self.voice.flushed = _nothing  # which would hold this leg in a circle

    # The wheel calls these

    def media_tick(self, now: float) -> None:
        """See ``scheduler.Scheduled``."""
        if self._is_closed:  # earlier in this very turn
            return
        try:
            if self.voice.inlet is not None:
                self.voice.inlet.release(now)
                for mark in self.voice.inlet.marks_played(now):
                    self._owner.says(mark)
            self._owner.hear(now)
            self._speak(now)
        except BaseException as error:
            stop(error, self._owner.failed)

    def send_tick(self, now: float) -> None:
        """See ``scheduler.Scheduled``."""
        if self._is_closed:
            return
        try:
            self._speak(now)
        except BaseException as error:
            stop(error, self._owner.failed)

    def handle_timeout(self, now: float) -> None:
        """There is none."""

    def _speak(self, now: float) -> None:
        if self._holds_speech or not self._owner.takes_audio():
            return
        messages = self.voice.messages_to_send(now)
        for message in messages:
            if isinstance(message, Key):
                self._owner.says(message)
            else:
                self._audio_messages_unsent += self._owner.plays(message)
                self._has_sent = True
        if messages or self.voice.has_moved_on:
            self._owner.spoke()

    def _tell_flush(self) -> None:
        """What was sent and what waits in the line to the client is not to be heard; once, until more is sent."""
        if self._has_sent:
            self._has_sent = False
            self._owner.stops_playing()
            self._owner.says(FLUSH)


def _nothing() -> None: ...
