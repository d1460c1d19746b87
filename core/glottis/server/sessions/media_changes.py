"""What the state of its media connection means for a session: it begins, waits for the client's return, or ends."""

from typing import TYPE_CHECKING

import trio

from glottis.contracts.events import ConnectionChanged
from glottis.peer import ConnectionState
from glottis.server.sessions.states import Happening, SessionState
from glottis.signaling.messages import Event

if TYPE_CHECKING:
    from glottis.server.sessions.session import Session


def media_changed(session: "Session", state: ConnectionState, reason: str) -> None:
    """Tell of it; the session becomes active, or ends, unless the client has said that it comes back."""
    if state is ConnectionState.CLOSED and session.line.comes_back:
        if session.state is SessionState.ACTIVE:
            media_lost(session, reason)
        return
    session.note(f"the media connection is {state.value}{': ' * bool(reason)}{reason}")
    session.announce.event(ConnectionChanged(state=state.value, reason=reason))
    if state is ConnectionState.CONNECTED:
        _media_flows(session)
    elif state is ConnectionState.DISCONNECTED and session.line.is_up:
        ask_restart(session, f"the client is there, and its media is not: {reason}")  # an address of ours may be gone
    elif state is ConnectionState.FAILED:
        session.end(f"the media connection failed: {reason}")
    elif state is ConnectionState.CLOSED:
        session.end(reason or "the caller hung up")


def media_lost(session: "Session", reason: str) -> None:
    """It has failed, and the client can bring it back, or another one: wait for that as for a lost socket."""
    session.announce.event(ConnectionChanged(state=ConnectionState.FAILED.value, reason=reason))
    failure = f"the media connection failed: {reason}"
    session.note(f"{failure}; the client can bring it back, or another one")
    if session.times.resume_grace == 0:
        session.end(failure)
    else:
        session.interruption.media_lost()
        session.deadline.await_restart(trio.current_time(), failure)
        ask_restart(session, failure)


def ask_restart(session: "Session", reason: str) -> None:
    """The client makes the offers (CONTRACT §3), so it is to restart ICE for this reason."""
    if session.state is SessionState.ACTIVE and session.leg.negotiates:
        session.note(f"the client is asked to restart ICE: {reason}")
        session.say(Event("restart_ice", {"reason": reason}))


def _media_flows(session: "Session") -> None:
    session.deadline.media_flows(trio.current_time())
    session.interruption.media_is_back()
    if session.move(Happening.MEDIA_FLOWS):
        session.announce.media()
        session.connected.set()
        session.silence.begin()
        session.leg.start_media()
