"""A session: one call from its creation to its end, and the error boundary around it.

The WebSocket's connection calls in, by an ``Attendance``, and through a ``Listener`` the leg, with what comes from the
UDP socket and the wheel; the agent runs in the session's own nursery. Whatever fails in here ends this session, with
the culprit named, and no other.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import trio

from glottis.barrier import stop
from glottis.calls.call import GatewayCall
from glottis.calls.conversation import ConversationFactory
from glottis.calls.handover import Colleague, Handover
from glottis.calls.leg import LegFactory
from glottis.calls.limits import DEFAULT_LIMITS, CallLimits
from glottis.calls.summary import summary
from glottis.config import Campaign, CampaignAgent
from glottis.contracts.errors import MessageTooLong, ProcessLost
from glottis.contracts.events import OtherEvent, StateChanged, check_event
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import CallInfo
from glottis.contracts.log_fields import LogFields
from glottis.contracts.notes import Topic
from glottis.contracts.resampling import Resampling
from glottis.contracts.statistics import Statistics
from glottis.plugins import Plugin
from glottis.plugins.blame import culprit, first_of
from glottis.plugins.failures import log_failure
from glottis.server.sessions.announcements import Announcements
from glottis.server.sessions.deadlines import Deadlines
from glottis.server.sessions.extensions import CallExtensions
from glottis.server.sessions.ice_servers import ice_server_document
from glottis.server.sessions.intake import Intake
from glottis.server.sessions.interruption import Interruption
from glottis.server.sessions.line import ClientLine, hang_up_reason
from glottis.server.sessions.listener import Listener
from glottis.server.sessions.silence import SilenceLimit
from glottis.server.sessions.states import TRANSITIONS, Happening, SessionState
from glottis.server.sessions.times import DEFAULT_TIMES, Deadline, SessionTimes
from glottis.server.sessions.traces import Outcome, Trace
from glottis.signaling import messages
from glottis.signaling.close_codes import INTERNAL_ERROR, NORMAL, SERVICE_RESTART

logger = logging.getLogger(__name__)


class Session:
    """Run by the gateway's sessions nursery. ``call`` is what the agent is given, ``leg`` the way to the caller.

    Everything that frees resources is in ``end``, a plain call: it happens at once, even while the agent has the turn
    or refuses to stop. Then ``ended`` is called: all but the agent's task is released.
    """

    def __init__(
        self,
        info: CallInfo,
        campaign: Campaign,
        make_leg: LegFactory,
        *,
        ended: Callable[[], None],
        deadlines: Deadlines,
        plugins: Sequence[Plugin] = (),
        times: SessionTimes = DEFAULT_TIMES,
        call_limits: CallLimits = DEFAULT_LIMITS,
        resampling: Resampling | None = None,
        make_call: ConversationFactory = GatewayCall,
    ) -> None:
        self.info = info
        self.campaign = campaign
        self.state = SessionState.CREATED
        self.created_at = trio.current_time()
        self.serving: CampaignAgent | str = campaign.agent
        """Whose turn it is: an agent of the campaign, or a function's name."""
        self.trace = Trace(info, self.created_at)
        self.note(f"created for {info.principal.name} at {info.client_host or 'no address'}, for {info.transport}")
        self._listener = Listener(self)
        ends, statistics = self._listener.ends, self._listener.statistics  # once: each look makes another object
        self.line = ClientLine()
        self.leg = make_leg(self._listener, info, campaign.sample_rate, campaign.frame_ms)
        self.extensions = CallExtensions(campaign.extensions, info, self._listener.tells, statistics)
        self.extensions.bind(self.leg.voice.taps)
        self.silence = SilenceLimit(times.quiet, self.leg.voice.taps, deadlines, ends)
        self.call = make_call(
            info,
            sample_rate=campaign.sample_rate,
            voice=self.leg.voice,
            messenger=self.leg.messenger,
            hang_up=ends,
            restart_ice=self._listener.restarts,
            caught_up=self._listener.caught_up,
            handover=Handover(_colleagues(campaign), self._listener.hands_over),
            resampling=resampling,
            sent=self.extensions.sent,
            limits=call_limits,
            statistics=statistics,
        )
        self.announce = Announcements(self.line, self.call, self.leg, self.extensions)
        self.interruption = Interruption(self.line, self.leg, silence=times.silence, tell=self.announce.event)
        self.intake = Intake(self.leg, self.call.messages, patience=times.text_patience)
        self.deadline = Deadline(times, deadlines, ends, created_at=self.created_at)
        self._ended, self._plugins, self.times = ended, plugins, times
        self._scope, self.connected = trio.CancelScope(), trio.Event()
        self._listener.session_is_made = True

    @property
    def log_fields(self) -> LogFields:
        """Those of when it was made."""
        return self._listener.fields

    def __repr__(self) -> str:
        return f"<session {self.info.session_id} {self.state.value}>"

    # Lifetime

    async def run(self) -> None:
        """From creation to end. Errors stop here."""
        try:
            with self._scope:
                await self.connected.wait()
                reports = partial(self.announce.report_statistics, self.times.statistics)
                await self.call.converse(self.campaign.agent.agent, self._listener.failed, reports)
                self.end("the agent ended the call")
        except BaseException as error:
            stop(error, self.failed)
        finally:
            self.end("the gateway stops", code=SERVICE_RESTART)
            self.state = TRANSITIONS[self.state, Happening.STOPPED]

    def end(self, reason: str, *, code: int = NORMAL) -> None:
        """End the call now; only the first call of this does anything.

        ``reason`` reaches the client, ``code`` is the WebSocket's close code.
        """
        client_came = self.state is not SessionState.CREATED
        if not self.move(Happening.END, reason):
            return
        logger.info("session %s ends: %s", self.info.session_id, reason)
        for step in (
            partial(self._conclude_trace, reason, client_came),
            self.leg.close,
            partial(self.line.close, code, reason),
            self.deadline.lift,
            self.silence.lift,
            self._scope.cancel,
            self.intake.texts.release,
            self._ended,
            partial(self._conclude, reason),
        ):
            try:
                step()
            except BaseException as error:  # which is to hold back nothing of the rest
                stop(error, self.failed)

    def _conclude(self, reason: str) -> None:
        self.trace.statistics = statistics = self.statistics()
        self.extensions.observers.ended(reason, statistics)
        logger.info("session %s has counted %s", self.info.session_id, summary(statistics))

    def move(self, happening: Happening, reason: str = "") -> bool:
        """To the next state, of which client and agent are told; false if this changes nothing."""
        state = TRANSITIONS.get((self.state, happening))
        if state is not None:
            self.state = state
            self.note(f"{state.value}: {reason}" if reason else state.value)
            self.announce.event(StateChanged(state=state.value, reason=reason))
        return state is not None

    # Its trace

    def note(self, sentence: str, topic: Topic = "session") -> None:
        """For the trace."""
        self.trace.note(topic, sentence, trio.current_time())

    def outcome(self) -> Outcome:
        """How far it has come, while it is alive."""
        return self._outcome(self.state, "", self.state is not SessionState.CREATED)

    def statistics(self) -> Statistics:
        """What was counted so far."""
        return self.announce.statistics()

    def _conclude_trace(self, reason: str, client_came: bool) -> None:
        """While the leg still knows how far it has come."""
        self.trace.outcome = self._outcome(SessionState.ENDED, reason, client_came)

    def _outcome(self, state: SessionState, reason: str, client_came: bool) -> Outcome:
        return Outcome(state.value, reason, client_came, self.connected.is_set(), self.leg.connectivity())

    # The gateway calls these

    def tell_ice_servers(self, servers: Sequence[IceServer]) -> None:
        """Newer ones than the client has. The agent is not told: they hold credentials."""
        if self.state.alive and servers:
            self.say(messages.Event("ice_servers", {"iceServers": [ice_server_document(one) for one in servers]}))

    def set_complexity(self, complexity: int) -> None:
        """See ``Leg.set_complexity``; a codec that fails in it ends this call."""
        if not self.state.alive:
            return
        try:
            self.leg.set_complexity(complexity)
        except BaseException as error:
            stop(error, self.failed)

    # The listener calls these, and what stands beside the session

    def say(self, message: messages.SignalingMessage) -> None:
        """To the client; an answer may be the first with audio."""
        self.line.send(message)
        if isinstance(message, messages.Answer):
            self.extensions.reached("answered")
            if self.state is SessionState.ACTIVE:
                self.announce.media()

    def tell(self, name: str, data: Mapping[str, Any]) -> None:
        """See ``Tell``."""
        check_event(name, data)
        if self.state.alive:
            self.announce.event(OtherEvent(name, data))

    def hung_up(self, reason: str) -> None:
        """The client has ended the call, with a reason of its own or none."""
        self.end(hang_up_reason(reason))

    def handed_over(self, name: str) -> None:
        """The agent before has given the call to this one."""
        self.serving = self.campaign.agents.get(name, f"agent {name}")
        self.note(f"handed over to {self.serving}")

    def failed(self, error: BaseException) -> None:
        """Something in here raised: name the culprit in the log, and end the call unless it is ending already."""
        place = f"session {self.info.session_id} (campaign {self.info.campaign_id})"
        if isinstance(limit := first_of(error), MessageTooLong):  # the caller's, and nobody's failure
            logger.warning("%s: %s sends more than the caller takes: %s", place, self.serving, limit)
            self.end(f"the agent's message is longer than the caller takes: {limit}")
            return
        failed_in = culprit(error, self._plugins)
        self.note(f"failed in {failed_in}: {type(error).__name__}")
        log_failure(logger, error, "%s failed in %s", place, failed_in)
        lost = first_of(error)
        self.end(lost.reason if isinstance(lost, ProcessLost) else "internal error", code=INTERNAL_ERROR)


def _colleagues(campaign: Campaign) -> dict[str, Colleague]:
    return {name: Colleague(one.agent, one.told) for name, one in campaign.agents.items()}
