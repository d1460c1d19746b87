"""A client that has come by a plugin's door: a channel without a socket, both ends of which are in this process."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from glottis.barrier import stop
from glottis.contracts.doors import Dialect, DoorRefused, Hear
from glottis.contracts.info import Principal
from glottis.contracts.log_fields import logged_as
from glottis.server.http.turns import Turns
from glottis.server.sessions.attendance import Attendance
from glottis.server.sessions.door_sound import DoorSound
from glottis.server.sessions.flood import OFFERS_PER_MINUTE
from glottis.server.sessions.gathered import Gathered
from glottis.server.sessions.interpreter import Interpreter
from glottis.server.sessions.session import Session
from glottis.signaling.close_codes import NORMAL
from glottis.signaling.errors import Rejected
from glottis.signaling.messages import (
    DEFAULT_KEY,
    FLUSH,
    Answer,
    Audio,
    Bye,
    ClientMessage,
    Error,
    Event,
    Key,
    Mark,
    Offer,
    SignalingMessage,
    Text,
    TrickledCandidate,
    document_of,
    stream_message_untrusted,
)

_STATUS = {"TOO_MANY_OFFERS": 429, "TOO_MANY_MESSAGES": 429}
"""Of what is refused for another reason than its contents."""
RETRY_AFTER: Final = ("retry-after", str(60 // OFFERS_PER_MINUTE))
"""With such a status: until another offer is taken."""


class DoorClient:
    """See ``DoorCall``. The session takes what is said at once, and what it answers is there when it has.

    ``left`` is called when the session has no use for it any more.
    """

    def __init__(
        self,
        session: Session,
        ice_servers: Sequence[Mapping[str, Any]],
        *,
        hear: Hear | None,
        dialect: Dialect | None = None,
        turns: Turns,
        left: Callable[["DoorClient"], None],
    ) -> None:
        self.ice_servers = ice_servers
        self.is_over = False
        self._session = session
        self._hear = hear
        self._interpreter = Interpreter(session, dialect, self.end) if dialect is not None else None
        self._turns = turns
        self._left = left
        self._sound = DoorSound()
        self._answer: Answer | None = None
        self._gathered: Gathered | None = None
        self._refusal: Error | None = None

    @property
    def session_id(self) -> str:
        """See ``DoorCall``."""
        return self._session.info.session_id

    @property
    def principal(self) -> Principal:
        """See ``DoorCall``."""
        return self._session.info.principal

    @property
    def _attendance(self) -> Attendance:
        """Made anew each time: one that is kept would close a circle around the session."""
        return Attendance(self._session, self)

    def begin(self) -> None:
        """Come to the session, first of all."""
        with logged_as(self._session.log_fields):
            self._attendance.begin()

    # The client's side

    async def answer(self, sdp: str, *, gathering: float | None = None) -> str:
        """See ``DoorCall``."""
        gathered = None if gathering is None else Gathered()
        async with self._turns:
            self._gathered = gathered
            answer = self._take(Offer(sdp))
        if answer is None:
            raise over()
        if gathered is None or gathering is None:
            return answer.sdp
        return await gathered.in_answer(answer.sdp, gathering if self.ice_servers else 0)

    def add_candidate(
        self,
        candidate: str,
        *,
        sdp_mid: str | None = None,
        sdp_m_line_index: int | None = None,
        username_fragment: str | None = None,
    ) -> None:
        """See ``DoorCall``."""
        self._take(TrickledCandidate(candidate, sdp_mid, sdp_m_line_index, username_fragment))

    async def send_text(self, text: str) -> None:
        """See ``DoorCall``."""
        self._take(Text(text))
        await self._attendance.wait_for_reader()

    def send_audio(self, data: bytes) -> None:
        """See ``DoorCall``."""
        self._take(Audio(data))

    def send_key(self, digit: str, seconds: float = DEFAULT_KEY) -> None:
        """See ``DoorCall``."""
        try:
            key = stream_message_untrusted(Event("dtmf", {"digit": digit, "durationMs": 1000 * seconds}))
        except Rejected as error:
            raise DoorRefused(400, error.code, str(error)) from None
        assert isinstance(key, Key)
        self._take(key)

    def send_mark(self, mark: int) -> None:
        """See ``DoorCall``."""
        self._take(Mark(mark))

    async def receive_audio(self) -> bytes | Mapping[str, Any] | None:
        """See ``DoorCall``."""
        return await self._sound.next()

    def end(self, reason: str = "") -> None:
        """See ``DoorCall``."""
        if not self.is_over:
            self._take(Bye(reason))

    def _take(self, message: ClientMessage | Audio) -> Answer | None:
        """What the session has answered to it. Raises ``DoorRefused``."""
        if self.is_over:
            raise over()
        with logged_as(self._session.log_fields):
            self._attendance.take(message)
        answer, refusal = self._take_replies()
        if refusal is not None:
            status = _STATUS.get(refusal.code, 400)
            headers = (RETRY_AFTER,) if refusal.code in _STATUS else ()
            raise DoorRefused(status, refusal.code, refusal.message, headers)
        return answer

    def _take_replies(self) -> tuple[Answer | None, Error | None]:
        replies = self._answer, self._refusal
        self._answer = self._refusal = None
        return replies

    # The session's side

    def send(self, message: SignalingMessage) -> None:
        """See ``Channel``."""
        if message is FLUSH:
            self._sound.flush()
        if isinstance(message, Answer):
            self._answer = message
            return
        if isinstance(message, TrickledCandidate) and self._gathered is not None:
            self._gathered.hear(message)
        if self._hear is not None:
            try:
                self._hear(document_of(message))
            except BaseException as error:
                self._hear = None
                stop(error, self._session.failed)
        if self._interpreter is not None and isinstance(message, Text | Event):
            self._interpreter.gateway_says(message)

    def refuse(self, error: Error) -> None:
        """See ``Channel``."""
        self._refusal = error

    def play(self, audio: bytes | Mark) -> int:
        """See ``Channel``."""
        return self._sound.play(audio)

    def stop_playing(self) -> None:
        """See ``Channel``."""
        self._sound.clear()

    async def wait_for_room(self) -> None:
        """See ``Channel``: there is no queue of messages but that of a dialect's data channel."""
        if self._interpreter is not None:
            await self._interpreter.wait_for_room()

    def begin_closing(self, code: int = NORMAL, reason: str = "") -> None:
        """See ``Channel``."""
        self.is_over = True
        self._sound.close()
        if self._interpreter is not None:
            self._interpreter.leave()
            self._interpreter = None  # it would hold this, in a circle
        self._left(self)


def over() -> DoorRefused:
    """What is refused because the call has ended."""
    return DoorRefused(404, "SESSION_NOT_FOUND", "The session has ended; create a new one.")
