"""A session: one call from its creation to its end, and the error boundary around it.

The WebSocket's connection, the UDP socket and the wheel call in; the agent runs in the session's own nursery. Whatever
fails in here ends this session, with the culprit named, and no other.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import trio

from glottis.calls.call import DEFAULT_LIMITS, CallLimits, GatewayCall
from glottis.calls.messenger import Messenger
from glottis.config import Campaign
from glottis.contracts.errors import RemoteError
from glottis.contracts.info import CallInfo
from glottis.media.driver import PeerDriver
from glottis.media.endpoint import UdpEndpoint
from glottis.media.scheduler import Scheduler
from glottis.peer import (
    CandidateUnmatched,
    ConnectionState,
    ConnectionStateChanged,
    LinesSkipped,
    LocalCandidate,
    PathAuthenticated,
    PeerConnection,
    PeerConnectionEvent,
)
from glottis.plugins import Plugin
from glottis.plugins.blame import culprit
from glottis.sctp import AssociationFailed
from glottis.server.sessions.channel import SignalingChannel
from glottis.server.sessions.flood import OfferLimit, TextGate
from glottis.signaling import messages
from glottis.signaling.close_codes import INTERNAL_ERROR, NORMAL, SERVICE_RESTART

logger = logging.getLogger(__name__)

MAX_REASON = 100
"""Characters of a client's reason to hang up that are repeated; a close frame takes 123 bytes (RFC 6455 §5.5)."""

STATISTICS_INTERVAL = 5.0
"""Seconds between the events that tell client and agent how the call fares."""


class SessionState(Enum):
    """CONTRACT §2."""

    CREATED = "created"
    CONNECTING = "connecting"
    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"

    @property
    def alive(self) -> bool:
        """Whether the call can still take place."""
        return self in (SessionState.CREATED, SessionState.CONNECTING, SessionState.ACTIVE)


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """In seconds. ``connect`` is from the creation to the WebSocket, ``setup`` from there to flowing media."""

    connect: float = 300.0
    setup: float = 45.0
    resume_grace: float = 30.0
    silence: float = 0.9
    """Without the client's WebSocket and without its media, until it counts as gone: within a second (CONTRACT §3), and
    with room for the loss of one of the packets, 0.4 s apart, that Opus sends of silence."""


class Session:
    """Run by the gateway's sessions nursery.

    Everything that frees resources is in ``end``, a plain call: it happens at once, even while the agent has the turn
    or refuses to stop.
    """

    def __init__(
        self,
        info: CallInfo,
        campaign: Campaign,
        peer: PeerConnection,
        *,
        endpoint: UdpEndpoint,
        scheduler: Scheduler,
        plugins: Sequence[Plugin] = (),
        times: SessionTimes = SessionTimes(),
        call_limits: CallLimits = DEFAULT_LIMITS,
    ) -> None:
        self.info = info
        self.campaign = campaign
        self.state = SessionState.CREATED
        self.ended: Callable[[], None] = lambda: None
        """Called when the call has ended and all but the agent's task is released."""
        self._plugins = plugins
        self._times = times
        self._peer = peer
        self._driver = PeerDriver(
            peer,
            endpoint=endpoint,
            scheduler=scheduler,
            handle_event=self._handle_event,
            handle_error=self.fail,
            wants_messages=lambda: not self._call.messages.is_behind,
        )
        self._channel: SignalingChannel | None = None
        self._messenger = Messenger(
            send_signaling=self._send,
            deliver=lambda message: self._call.push_message(message),
            pump=self._driver.pump_safely,
            signaling_room=self._signaling_room,
        )
        self._call = GatewayCall(
            info,
            sample_rate=campaign.sample_rate,
            voice=peer.voice,
            messenger=self._messenger,
            hang_up=self.end,
            limits=call_limits,
        )
        self._driver.hear, self._driver.spoke = self._hear, self._call.spoke
        self._call.messages.caught_up = self._caught_up
        self._media_is_announced = False
        self._unmatched_is_told = False
        self._offers = OfferLimit(trio.current_time())
        self._text_gate = TextGate(self._call.messages)
        self._connected = trio.Event()
        self._scope = trio.CancelScope()
        self._scope_reason = ""
        self._setup_deadline = math.inf
        self._socket_lost_at = -math.inf

    def __repr__(self) -> str:
        return f"<session {self.info.session_id} {self.state.value}>"

    # --- lifetime ---

    async def run(self) -> None:
        """From creation to end. Errors stop here."""
        self._end_at(trio.current_time() + self._times.connect, "nobody connected before the token expired")
        try:
            with self._scope:
                await self._connected.wait()
                await self._converse()
                self.end("the agent ended the call")
            self.end(self._scope_reason)
        except* (trio.Cancelled, KeyboardInterrupt):
            raise
        except* BaseException as errors:  # an agent's SystemExit is its own
            self.fail(errors)
        finally:
            self.end("the gateway stops", code=SERVICE_RESTART)
            self.state = SessionState.ENDED

    async def _converse(self) -> None:
        """Give the call to the agent until it returns; its background tasks end with it."""
        async with trio.open_nursery() as nursery:
            self._call.nursery = nursery
            nursery.start_soon(self._report_statistics)
            await self.campaign.agent(self._call)
            await self._call.drain()
            nursery.cancel_scope.cancel()

    async def _report_statistics(self) -> None:
        while True:
            await trio.sleep(STATISTICS_INTERVAL)
            self._announce("statistics", self._peer.statistics(trio.current_time()))

    def end(self, reason: str, *, code: int = NORMAL) -> None:
        """End the call now; only the first call of this does anything.

        ``reason`` reaches the client, ``code`` is the WebSocket's close code.
        """
        if not self.state.alive:
            return
        self._set_state(SessionState.ENDING, reason)
        logger.info("session %s ends: %s", self.info.session_id, reason)
        self._driver.close()
        if self._channel is not None:
            self._channel.send(messages.Bye(reason))
            self._channel.begin_closing(code, reason)
        self._scope.cancel()
        self._text_gate.release()
        self.ended()

    def fail(self, error: BaseException) -> None:
        """Something in here raised: name the culprit in the log, and end the call unless it is ending already."""
        place = f"session {self.info.session_id} (campaign {self.info.campaign_id})"
        logger.error("%s failed in %s", place, culprit(error, self._plugins), exc_info=error)
        self.end("internal error", code=INTERNAL_ERROR)

    def _end_at(self, deadline: float, reason: str) -> None:
        """Unless something happens before; replaces the deadline before this one."""
        self._scope_reason = reason
        self._scope.deadline = deadline

    def _set_state(self, state: SessionState, reason: str = "") -> None:
        if state is not self.state:
            self.state = state
            self._announce("state", {"state": state.value, "reason": reason} if reason else {"state": state.value})

    def _announce(self, name: str, data: Mapping[str, Any]) -> None:
        """Tell the client and the agent."""
        self._send(messages.Event(name, data))
        self._call.push_event(name, data)

    # --- the WebSocket's connection calls these ---

    @property
    def attached(self) -> bool:
        """Whether the client's socket is there."""
        return self._channel is not None

    def attach(self, channel: SignalingChannel) -> None:
        """The client has connected, or has come back: its older socket, if any, is replaced."""
        if self._channel is not None:
            self._channel.begin_closing(NORMAL, "the session goes on over another connection")
        self._channel = channel
        self._interrupt(False)
        self._text_gate.release()
        if self.state is SessionState.CREATED:
            self._setup_deadline = trio.current_time() + self._times.setup
            self._set_state(SessionState.CONNECTING)
        self._end_at(self._setup_deadline, "no media connection came about in time")

    def leave(self, channel: SignalingChannel, reason: str = "") -> None:
        """The client has hung up by closing its socket: not all of them say bye or close the media connection."""
        if channel is self._channel:
            self._hung_up(reason)

    def detach(self, channel: SignalingChannel) -> None:
        """The client's socket is lost. Media goes on while the client's does; it may resume within the grace time."""
        if channel is not self._channel or not self.state.alive:
            return
        self._channel = None
        if self._times.resume_grace == 0:
            self.end("the signaling connection was lost")
            return
        self._socket_lost_at = trio.current_time()
        deadline = self._socket_lost_at + self._times.resume_grace
        self._end_at(min(deadline, self._setup_deadline), "the signaling connection was lost and not resumed in time")

    def _hung_up(self, reason: str) -> None:
        """The client has ended the call, with a reason of its own or none."""
        self.end(f"the caller hung up: {_one_line(reason)}" if reason else "the caller hung up")

    def handle_message(self, message: messages.ClientMessage) -> None:
        """Take a valid message of the client."""
        if not self.state.alive:
            return
        try:
            self._handle_message(message)
            self._driver.pump()
        except RemoteError as error:
            self._driver.pump_safely()  # which tells of what could not be read, perhaps the reason
            logger.info("session %s: %s refused: %s", self.info.session_id, type(message).__name__.lower(), error)
            if self._channel is not None:
                self._channel.refuse(messages.Error(getattr(error, "code", "MALFORMED"), str(error)))
        except (Exception, SystemExit) as error:
            self.fail(error)

    def _handle_message(self, message: messages.ClientMessage) -> None:
        now = trio.current_time()
        match message:
            case messages.Offer(sdp):
                self._offers.count(now)
                self._send(messages.Answer(self._peer.accept_offer_untrusted(sdp, now)))
                self._announce_media()
                self._call.spoke()  # who waits to speak may have lost the direction, and with it the queue
            case messages.TrickledCandidate(text, mid, media_index, username_fragment):
                self._peer.add_remote_candidate_untrusted(
                    text, mid=mid, media_index=media_index, username_fragment=username_fragment, now=now
                )
            case messages.Text(text):
                self._text_gate.check_room(started=self._connected.is_set())
                self._messenger.handle_text(text)
            case messages.Bye(reason):
                self._hung_up(reason)

    async def wait_for_reader(self, channel: SignalingChannel) -> None:
        """After a text: wait while the agent is behind; see ``TextGate``."""
        await self._text_gate.wait(lambda: channel is self._channel and self.state.alive)

    def _caught_up(self) -> None:
        self._text_gate.open()
        self._driver.pump_safely()

    # --- the peer connection's events ---

    def _handle_event(self, event: PeerConnectionEvent) -> None:
        match event:
            case ConnectionStateChanged(state, reason):
                self._handle_connection_state(state, reason)
            case LocalCandidate(candidate, mid, media_index):
                ufrag = self._peer.local_ufrag
                self._send(messages.TrickledCandidate(candidate.to_sdp(), mid, media_index, ufrag))
            case PathAuthenticated():
                pass  # the driver's business
            case LinesSkipped(lines):
                for line in lines:
                    logger.debug("session %s: skipped in the description: %s", self.info.session_id, line)
            case CandidateUnmatched():
                self._tell_unmatched()
            case AssociationFailed(by_peer=True, reason=reason):
                self.end(f"the caller hung up: data channels {reason}")
            case _:
                self._messenger.handle_channel_event(event)

    def _tell_unmatched(self) -> None:
        """Once: whatever makes one candidate go astray does it to all. It does not count as misbehaviour."""
        logger.debug("session %s: a candidate names no section of the offer", self.info.session_id)
        if not self._unmatched_is_told:
            self._unmatched_is_told = True
            sentence = "a candidate was ignored: give an sdpMid or sdpMLineIndex of a section of the offer"
            self._send(messages.Error("CANDIDATE_UNMATCHED", sentence))

    def _handle_connection_state(self, state: ConnectionState, reason: str) -> None:
        self._announce("connection", {"state": state.value, "reason": reason} if reason else {"state": state.value})
        if state is ConnectionState.CONNECTED:
            self._become_active()
        elif state is ConnectionState.FAILED:
            self.end(f"the media connection failed: {reason}")
        elif state is ConnectionState.CLOSED:
            self.end(reason or "the caller hung up")

    def _become_active(self) -> None:
        if self.state is SessionState.CONNECTING:
            self._setup_deadline = math.inf
            if self.attached:
                self._end_at(math.inf, "")
            self._set_state(SessionState.ACTIVE)
            self._announce_media()
            self._connected.set()
            self._driver.start_media()

    # --- the wheel calls this ---

    def _hear(self, now: float) -> None:
        """A media tick: listen, and see whether there is still somebody to speak to."""
        self._call.hear(now)
        if not self.attached:
            self._interrupt(self._is_gone(now))

    def _is_gone(self, now: float) -> bool:
        """Whether the media of a client without a socket has stopped. Of one that is to send none, ICE knows."""
        if not self._peer.voice.can_receive:
            return self._peer.state is ConnectionState.DISCONNECTED
        last_sign = max(self._socket_lost_at, self._peer.media_heard_at or 0.0)
        return now - last_sign >= self._times.silence

    def _interrupt(self, interrupted: bool) -> None:
        """Fall silent before a client that is gone, and speak on when it is back: nothing that was said is lost."""
        if interrupted is not self._driver.holds_speech:
            self._driver.holds_speech = interrupted
            self._announce("interrupted" if interrupted else "resumed", {})

    def _announce_media(self) -> None:
        """Once, when there is audio: from the beginning or by a later offer."""
        voice = self._peer.voice
        if self.state is SessionState.ACTIVE and voice.format_in_use is not None and not self._media_is_announced:
            self._media_is_announced = True
            self._announce("media", voice.description)

    def _send(self, message: messages.ServerMessage) -> None:
        """To the client's socket; while it is away, nothing is kept for it but the URL of its return."""
        if self._channel is not None:
            self._channel.send(message)

    async def _signaling_room(self) -> None:
        """Wait until the client's socket has room, if it is there: an agent is not to overflow it."""
        if self._channel is not None:
            await self._channel.wait_for_room()


def _one_line(text: str) -> str:
    """The start of a client's text, fit for the log and for a close frame: no line ends or other control characters."""
    return "".join(character if character.isprintable() else " " for character in text[:MAX_REASON])
