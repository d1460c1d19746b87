"""A client at its session by one channel, a WebSocket as a rule: what it sends, and its coming and going."""

import logging
from typing import Final

import trio

from glottis.barrier import stop
from glottis.contracts.errors import RemoteError
from glottis.server.http.turns import Turns
from glottis.server.sessions.channel import SignalingChannel
from glottis.server.sessions.line import Channel
from glottis.server.sessions.session import Session
from glottis.server.sessions.states import Happening, SessionState
from glottis.signaling import messages
from glottis.signaling.close_codes import GOING_AWAY, HANG_UPS, LETS_GO, NORMAL
from glottis.signaling.errors import WebSocketClosed

logger: Final = logging.getLogger(__name__)


class Attendance:
    """``begin`` comes first and ``end`` last. The session knows of the ``channel`` alone."""

    def __init__(self, session: Session, channel: Channel) -> None:
        self._session = session
        self._channel = channel
        self._lets_go = False

    def begin(self) -> None:
        """The client has connected, or has come back: its older socket, if any, is replaced."""
        session = self._session
        if not session.state.alive:  # it has ended since the token was taken
            self._channel.begin_closing(NORMAL, "the call has ended")
            return
        now = trio.current_time()
        session.line.connect(self._channel)
        session.note("the client's WebSocket is there")
        session.interruption.client_is_back(now)
        session.intake.texts.release()
        if session.move(Happening.CLIENT_CAME):
            session.deadline.await_media(now)
            try:
                session.leg.begin(now)
            except BaseException as error:
                stop(error, session.failed)
        else:
            session.leg.begin_again()
            session.deadline.client_is_back()

    def take(self, message: messages.ClientMessage | messages.Audio) -> None:
        """A valid message of the client."""
        session = self._session
        if not session.state.alive:
            return
        try:
            if isinstance(message, messages.Bye):
                session.hung_up(message.reason)
            else:
                session.intake.take(message, started=session.connected.is_set())
                if isinstance(message, messages.Offer):
                    session.line.survives_reload = message.survives_reload
        except RemoteError as error:
            what = messages.type_of(message)
            logger.info("session %s: %s refused: %s", session.info.session_id, what, error)
            topic: Final = "sdp" if what in ("offer", "candidate") else "session"
            session.note(f"{what} refused: {error} ({error.code})", topic)
            session.line.refuse(messages.Error(error.code, str(error)))
        except BaseException as error:
            stop(error, session.failed)

    async def take_all(self, channel: SignalingChannel, turns: Turns) -> None:
        """What comes by the client's WebSocket, until that is closed."""
        try:
            while True:
                await self._take_next(channel, turns)
        except WebSocketClosed as closed:
            logger.debug("session %s: %s", self._session.info.session_id, closed)
            self.note_close(closed.code, closed.reason)

    async def _take_next(self, channel: SignalingChannel, turns: Turns) -> None:
        """One message, which is let go of before the next: an offer is long, and may be the last for long."""
        message = await channel.receive()
        async with turns:
            self.take(message)
        if isinstance(message, messages.Text):
            await self.wait_for_reader()

    async def wait_for_reader(self) -> None:
        """After a text: wait while the agent is behind; see ``TextGate``."""
        session, channel = self._session, self._channel
        if session.state is not SessionState.ENDED:
            await session.intake.texts.wait(lambda: session.line.is_over(channel) and session.state.alive)

    def note_close(self, code: int, reason: str = "") -> None:
        """The client has closed its socket: not all of them say bye or close the media connection."""
        line = self._session.line
        if code in LETS_GO or (code == GOING_AWAY and line.survives_reload):
            self._lets_go = True
        elif code in HANG_UPS and line.is_over(self._channel):
            self._session.hung_up(reason)

    def end(self) -> None:
        """The socket is lost. Media goes on while the client's does; it may resume within the grace time."""
        session = self._session
        if not session.line.is_over(self._channel) or not session.state.alive:
            return
        session.line.lose(lets_go=self._lets_go)
        session.note("the client's WebSocket is lost")
        if session.times.resume_grace == 0:
            session.end("the signaling connection was lost")
        else:
            session.deadline.await_resumption(session.line.lost_at)
