"""A session and its caller on virtual time: engines, wheel and deadlines are real, and memory is between them."""

import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import trio
import trio.testing
from glottis import AudioFrame, Call, CallInfo
from glottis.calls.leg import LegOwner
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.config import Campaign, CampaignAgent
from glottis.contracts.audio import FRAME_MS
from glottis.contracts.events import StatisticsReported
from glottis.contracts.statistics import Counters, Statistics
from glottis.dtls import Certificate
from glottis.ice import IceTiming
from glottis.media.demultiplexer import Demultiplexer, Receiver
from glottis.media.driver import PeerDriver
from glottis.media.scheduler import Scheduler
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.plugins import Plugin
from glottis.sctp import BytesReceived, ChannelState, DataChannel, TextReceived
from glottis.server.sessions.attendance import Attendance
from glottis.server.sessions.channel import SignalingChannel
from glottis.server.sessions.deadlines import Deadlines
from glottis.server.sessions.session import Session
from glottis.server.sessions.times import SessionTimes
from glottis.signaling.close_codes import ABNORMAL
from glottis.signaling.messages import Answer, Bye, Error, Event, Offer, ServerMessage
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.demux import is_stun_request
from glottis.wire.rtcp import is_rtcp

from support.phone import RATE, TONE, eventually, installed_codec

Clock = trio.testing.MockClock
FRAME = AudioFrame(TONE, RATE)
FIVE_TIMES_AS_FAST = IceTiming(consent_interval=1.0, silence=1.0, answer_time=0.4, consent_lifetime=6.0)
CONNECTED = ConnectionStateChanged(ConnectionState.CONNECTED)


def is_media(data: bytes) -> bool:
    return data[0] > 127 and not is_rtcp(data)


class End(Demultiplexer):
    """One end of a line, in place of a ``UdpEndpoint``. It may have further addresses."""

    def __init__(self, address: Address, others: "list[End]") -> None:
        super().__init__()
        self.addresses = [address]
        self._others = others
        others.append(self)
        self.passes: Callable[[bytes], bool] = lambda data: True
        """What reaches the other end."""
        self.media_sent: list[float] = []
        """When each packet left."""
        self._arrived, self._arriving = trio.open_memory_channel[Datagram](math.inf)

    def send(self, datagram: Datagram, sender: Receiver) -> None:
        data, path = datagram
        if is_stun_request(data):
            self.note_request(data, sender)
        if is_media(data):
            self.media_sent.append(trio.current_time())
        if self.passes(data):
            for end in self._others:
                if path.remote in end.addresses:
                    end.arrive(Datagram(data, Path(local=path.remote, remote=path.local)))

    def arrive(self, datagram: Datagram) -> None:
        self._arrived.send_nowait(datagram)

    async def carry(self) -> None:
        async for datagram in self._arriving:
            self.dispatch(*datagram)


class Socket:
    """In place of the channel over the client's WebSocket."""

    def __init__(self) -> None:
        self.sent: list[ServerMessage] = []

    def send(self, message: ServerMessage) -> None:
        self.sent.append(message)

    def refuse(self, error: Error) -> None:
        self.sent.append(error)

    async def wait_for_room(self) -> None:
        await trio.lowlevel.checkpoint()

    def begin_closing(self, code: int, reason: str) -> None:
        """The test is the client, and knows."""

    @property
    def events(self) -> list[str]:
        return [message.name for message in self.sent if isinstance(message, Event) and message.name != "statistics"]

    @property
    def bye(self) -> str:
        """Why the gateway hung up."""
        (reason,) = [message.reason for message in self.sent if isinstance(message, Bye)]
        return reason

    @property
    def answers(self) -> list[str]:
        return [message.sdp for message in self.sent if isinstance(message, Answer)]


class Caller:
    """Speaks a tone in each media tick, unless ``speaks`` says otherwise."""

    def __init__(self, end: End, scheduler: Scheduler, seed: int = 1) -> None:
        self.end = end
        self.peer = make_peer(end, seed=seed)
        self.texts: list[str | bytes] = []
        """What came by data channels."""
        self.connected = trio.Event()
        self.speaks: Callable[[float], bool] = lambda now: True
        self.driver = PeerDriver(
            self.peer,
            endpoint=end,
            scheduler=scheduler,
            handle_event=self._handle_event,
            handle_error=raise_it,
            hear=self._tick,
        )

    def _handle_event(self, event: PeerConnectionEvent) -> None:
        if event == CONNECTED:
            self.driver.start_media()
            self.connected.set()
        if isinstance(event, TextReceived):
            self.texts.append(event.text)
        if isinstance(event, BytesReceived):
            self.texts.append(event.data)

    def _tick(self, now: float) -> None:
        if self.speaks(now):
            self.peer.voice.write(TONE)


class Conversation:
    """A session whose agent speaks without end, and its caller. Made by ``open_conversation``."""

    def __init__(self, times: SessionTimes, scheduler: Scheduler, deadlines: Deadlines) -> None:
        self.scheduler = scheduler
        self.ends: list[End] = []
        self.line = End(Address("192.0.2.2", 5000), self.ends)
        self.callers_line = End(Address("192.0.2.1", 4000), self.ends)
        self.session = Session(
            CallInfo("session", "campaign"),
            Campaign("campaign", CampaignAgent(self._agent, "chatter", Plugin("test", "test", "0")), RATE),
            self._make_leg,
            ended=lambda: None,
            times=times,
            deadlines=deadlines,
        )
        self.caller = Caller(self.callers_line, scheduler)
        self.socket = Socket()
        self.said = 0
        self.events: list[str] = []
        """What the agent was told."""
        self.reports: list[Statistics] = []
        self.callers = 1
        self.offer = ""
        """The caller's first."""
        self.call: Call
        self.nursery: trio.Nursery

    def _make_leg(self, owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> WebRtcLeg:
        self.leg = WebRtcLeg(owner, make_peer(self.line, seed=2), endpoint=self.line, scheduler=self.scheduler)
        return self.leg

    async def _agent(self, call: Call) -> None:
        self.call = call
        call.nursery.start_soon(self._collect_events, call)
        while True:
            await call.say(FRAME)
            self.said += 1

    async def _collect_events(self, call: Call) -> None:
        async for event in call.events:
            self.events.append(event.name)
            if isinstance(event, StatisticsReported):
                self.reports.append(event.statistics)

    def attach(self) -> None:
        """Open the socket, or a new one."""
        self.socket = Socket()
        self.attendance.begin()

    @property
    def attendance(self) -> Attendance:
        return Attendance(self.session, cast(SignalingChannel, self.socket))

    def lose_socket(self, code: int = ABNORMAL) -> None:
        attendance = self.attendance
        attendance.note_close(code)
        attendance.end()

    def lose_media(self) -> None:
        """Nothing of the caller's arrives any more."""
        self.callers_line.passes = lambda data: False

    def find_media(self) -> None:
        self.callers_line.passes = lambda data: True

    def negotiate(self, direction: str = "sendrecv") -> None:
        self.offer = self.caller.peer.make_offer().replace("a=sendrecv", f"a={direction}")
        self.attendance.take(Offer(self.offer))
        self.take_answer()

    def restart(self) -> None:
        """The caller looks for another way."""
        answers = len(self.socket.answers)
        self.attendance.take(Offer(self.caller.peer.make_restart_offer(trio.current_time())))
        if len(self.socket.answers) > answers:
            self.take_answer()

    def begin_anew(
        self,
        host: str = "198.51.100.1",
        *,
        answers: bool = True,
        change: Callable[[str], str] = str,
        survives_reload: bool = False,
    ) -> Caller:
        """The caller offers another peer connection, from another network; returns the one before."""
        self.callers += 1
        end = End(Address(host, 4000 + self.callers), self.ends)
        self.nursery.start_soon(end.carry)
        before, caller = self.caller, Caller(end, self.scheduler, seed=10 + self.callers)
        known = len(self.socket.answers)
        self.attendance.take(Offer(change(caller.peer.make_offer()), survives_reload))
        if answers and len(self.socket.answers) > known:
            self.caller = caller
            self.take_answer()
        return before

    async def open_channel(self, label: str) -> DataChannel:
        """Of the caller's; it is greeted, and says hello."""
        channels = self.caller.peer.channels
        assert channels is not None
        channel = channels.open(label)
        self.caller.driver.pump()
        await eventually(lambda: channel.state is ChannelState.OPEN)
        channel.send_text("hello")
        self.caller.driver.pump()
        return channel

    def take_answer(self) -> None:
        self.caller.peer.accept_answer_untrusted(self.socket.answers[-1], trio.current_time())
        self.caller.driver.pump()

    async def is_silent_for(self, seconds: float) -> bool:
        """Whether no speech leaves the gateway meanwhile."""
        sent = len(self.line.media_sent)
        await trio.sleep(seconds)
        return len(self.line.media_sent) == sent

    @property
    def counters(self) -> Counters:
        """Those of the last report."""
        return self.reports[-1].counters

    @property
    def told(self) -> list[str]:
        """What the agent knows of interruptions."""
        return [name for name in self.events if name in ("interrupted", "resumed")]

    async def interrupted(self) -> float:
        """Wait until the agent is told; returns after how many seconds."""
        start = trio.current_time()
        await eventually(lambda: self.told[-1:] == ["interrupted"], 30)
        return trio.current_time() - start


def make_peer(end: End, *, seed: int) -> PeerConnection:
    return PeerConnection(
        PeerSettings(
            (installed_codec("PCMU"), installed_codec("PCMA")), sample_rate=RATE, ice_timing=FIVE_TIMES_AS_FAST
        ),
        certificate=Certificate.generate(),
        local_addresses=end.addresses,
        rng=random.Random(seed),
    )


def raise_it(error: BaseException) -> None:
    raise error


@asynccontextmanager
async def open_conversation(direction: str = "sendrecv", **times: float) -> AsyncIterator[Conversation]:
    """Connected, and in the middle of the agent's speech."""
    async with open_line(**times) as conversation:
        conversation.negotiate(direction)
        await conversation.caller.connected.wait()
        await eventually(lambda: conversation.line.media_sent)
        yield conversation


@asynccontextmanager
async def open_line(**times: Any) -> AsyncIterator[Conversation]:
    """With a socket and no offer yet."""
    async with trio.open_nursery() as nursery:
        scheduler, deadlines = Scheduler(), Deadlines()
        conversation = Conversation(SessionTimes(**times), scheduler, deadlines)
        nursery.start_soon(scheduler.run)
        nursery.start_soon(deadlines.run)
        nursery.start_soon(conversation.session.run)
        conversation.nursery = nursery
        nursery.start_soon(conversation.line.carry)
        nursery.start_soon(conversation.callers_line.carry)
        await trio.testing.wait_all_tasks_blocked()
        conversation.attach()
        yield conversation
        nursery.cancel_scope.cancel()
