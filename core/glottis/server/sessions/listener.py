"""The ways back to a session from its own parts, which do not keep it alive."""

import logging
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from glottis.contracts.call import Message
from glottis.contracts.log_fields import log_fields, logged
from glottis.contracts.notes import Topic
from glottis.contracts.statistics import Statistics
from glottis.peer import ConnectionState
from glottis.plugins.failures import log_failure
from glottis.server.sessions.media_changes import ask_restart, media_changed, media_lost
from glottis.server.sessions.states import SessionState
from glottis.signaling.messages import Mark, SignalingMessage

if TYPE_CHECKING:
    from glottis.server.sessions.session import Session

logger: Final = logging.getLogger(__name__)


class Listener:
    """Told by a session's leg (``LegOwner``), its call and its deadline; not heard once the session is gone.

    Each of these ways back would close a circle, which only a garbage collection could free, and the media path must
    not wait for one.
    """

    __slots__ = ("_session", "fields", "session_is_made")

    def __init__(self, session: "Session") -> None:
        self._session = weakref.ref(session)
        self.fields = log_fields()
        """Of records that are made beneath: they are those of the session, which is being created here."""
        self.session_is_made = False
        """Until then nothing is counted: extensions may ask while they are made for it."""

    # The leg calls these

    @logged
    def state_changed(self, state: ConnectionState, reason: str) -> None:
        """See ``LegOwner``."""
        if (session := self._session()) is not None:
            media_changed(session, state, reason)

    @logged
    def media_lost(self, reason: str) -> None:
        """See ``LegOwner``."""
        if (session := self._session()) is not None:
            media_lost(session, reason)

    @logged
    def path_found(self) -> None:
        """See ``LegOwner``."""
        if (session := self._session()) is not None:
            session.extensions.reached("path_found")

    @logged
    def connection_changed(self) -> None:
        """See ``LegOwner``."""
        if (session := self._session()) is not None and session.state is SessionState.ACTIVE:
            session.announce.media()
            session.call.spoke()

    @logged
    def notes(self, topic: Topic, sentence: str) -> None:
        """To the session's trace."""
        if (session := self._session()) is not None:
            session.note(sentence, topic)

    @logged
    def says(self, message: SignalingMessage) -> None:
        """To the client."""
        if (session := self._session()) is not None:
            session.say(message)

    def takes_audio(self) -> bool:
        """While its socket is there."""
        return (session := self._session()) is not None and session.line.is_up

    def plays(self, audio: bytes | Mark) -> int:
        """To the client."""
        return session.line.play(audio) if (session := self._session()) is not None else 0

    def stops_playing(self) -> None:
        """See ``LegOwner``."""
        if (session := self._session()) is not None:
            session.line.stop_playing()

    @logged
    def received(self, message: Message) -> None:
        """To the agent."""
        if (session := self._session()) is not None:
            session.silence.note()
            session.call.push_message(message)
            session.extensions.observers.message_received(message)

    @logged
    def hung_up(self, reason: str) -> None:
        """See ``LegOwner``."""
        if (session := self._session()) is not None and not session.line.comes_back:
            session.hung_up(reason)

    @logged
    def failed(self, error: BaseException) -> None:
        """See ``LegOwner``; a background task of the agent may fail too."""
        if (session := self._session()) is not None:
            session.failed(error)
        else:
            log_failure(logger, error, "failed after the end of its session")

    def hear(self, now: float) -> None:
        """Listen, and see whether there is still somebody to speak to."""
        if (session := self._session()) is not None:
            session.call.hear(now)
            session.interruption.check(now)

    def spoke(self) -> None:
        """Whoever speaks may go on."""
        if (session := self._session()) is not None:
            session.call.spoke()

    def wants_messages(self) -> bool:
        """Not while the agent is behind."""
        return (session := self._session()) is not None and not session.call.messages.is_behind

    async def room(self) -> None:
        """In the client's socket."""
        if (session := self._session()) is not None:
            await session.line.room()

    @logged
    def tells(self, name: str, data: Mapping[str, Any]) -> None:
        """See ``Tell``; extensions call this."""
        if (session := self._session()) is not None:
            session.tell(name, data)

    def statistics(self) -> Statistics:
        """What was counted of the session so far; agent and observers ask for it."""
        session = self._session() if self.session_is_made else None
        return session.statistics() if session is not None else Statistics()

    # The call and the deadline call these

    @logged
    def ends(self, reason: str) -> None:
        """The agent has hung up, or the time for something is over."""
        if (session := self._session()) is not None:
            session.end(reason)

    @logged
    def restarts(self) -> None:
        """The agent wants another way of the media."""
        if (session := self._session()) is not None:
            ask_restart(session, "the agent asks for it")

    @logged
    def hands_over(self, name: str) -> None:
        """The agent has given the call to another."""
        if (session := self._session()) is not None:
            session.handed_over(name)

    @logged
    def caught_up(self) -> None:
        """The agent has read what was there."""
        if (session := self._session()) is not None:
            session.intake.texts.open()
            session.leg.catch_up()
