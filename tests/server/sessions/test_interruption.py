"""A client that loses its WebSocket is spoken to while its media comes, and waited for when it does not (CONTRACT §3).

The session's own engines and wheel and the caller's, on virtual time, with nothing but memory between them.
"""

import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import trio
import trio.testing
from glottis import AudioFrame, Call, CallInfo, Heard
from glottis.calls.leg import LegOwner
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.config import Campaign
from glottis.dtls import Certificate
from glottis.ice import IceTiming
from glottis.media.driver import PeerDriver
from glottis.media.scheduler import Scheduler
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerConnection, PeerConnectionEvent, PeerSettings
from glottis.plugins import Plugin
from glottis.server.sessions.channel import SignalingChannel
from glottis.server.sessions.deadlines import Deadlines
from glottis.server.sessions.session import Session
from glottis.server.sessions.states import SessionState
from glottis.server.sessions.times import SessionTimes
from glottis.signaling.messages import Event, Offer, ServerMessage
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.rtcp import is_rtcp
from support.phone import RATE, TONE, eventually, installed_codec

Clock = trio.testing.MockClock
FRAME = AudioFrame(TONE, RATE)
FIVE_TIMES_AS_FAST = IceTiming(consent_interval=1.0, silence=1.0, answer_time=0.4, consent_lifetime=6.0)
CONNECTED = ConnectionStateChanged(ConnectionState.CONNECTED)


def is_media(data: bytes) -> bool:
    return data[0] > 127 and not is_rtcp(data)


class End:
    """One end of a line, in place of a ``UdpEndpoint``."""

    def __init__(self, address: Address) -> None:
        self.addresses = [address]
        self.passes: Callable[[bytes], bool] = lambda data: True
        """What reaches the other end."""
        self.media_sent: list[float] = []
        """When each packet left."""
        self._carried, self._arriving = trio.open_memory_channel[Datagram](math.inf)

    def add_ufrag(self, *arguments: object, **options: object) -> None:
        """This line has one session only."""

    add_path = remove_path = remove = add_ufrag

    def send(self, datagram: Datagram, sender: object) -> None:
        if is_media(datagram.data):
            self.media_sent.append(trio.current_time())
        if self.passes(datagram.data):
            self._carried.send_nowait(datagram)

    async def carry(self, driver: PeerDriver) -> None:
        async for data, path in self._arriving:
            driver.receive(data, Path(local=path.remote, remote=path.local))


class Socket:
    """In place of the channel over the client's WebSocket."""

    def __init__(self) -> None:
        self.sent: list[ServerMessage] = []

    def send(self, message: ServerMessage) -> None:
        self.sent.append(message)

    def begin_closing(self, code: int, reason: str) -> None:
        """The test is the client, and knows."""

    @property
    def events(self) -> list[str]:
        return [message.name for message in self.sent if isinstance(message, Event)]


class Caller:
    """Speaks a tone in each media tick, unless ``speaks`` says otherwise."""

    def __init__(self, end: End, scheduler: Scheduler) -> None:
        self.peer = make_peer(end, seed=1)
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

    def _tick(self, now: float) -> None:
        if self.speaks(now):
            self.peer.voice.write(TONE)


class Conversation:
    """A session whose agent speaks without end, and its caller. Made by ``open_conversation``."""

    def __init__(self, times: SessionTimes, scheduler: Scheduler, deadlines: Deadlines) -> None:
        self.scheduler = scheduler
        self.line, self.callers_line = End(Address("192.0.2.2", 5000)), End(Address("192.0.2.1", 4000))
        self.session = Session(
            CallInfo("session", "campaign"),
            Campaign("campaign", self._agent, "chatter", RATE, Plugin("test", "test", "0")),
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
        self.call: Call

    def _make_leg(self, owner: LegOwner, info: CallInfo, sample_rate: int) -> WebRtcLeg:
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

    def attach(self) -> None:
        """Open the socket, or a new one."""
        self.socket = Socket()
        self.session.attach(cast(SignalingChannel, self.socket))

    def lose_socket(self) -> None:
        self.session.detach(cast(SignalingChannel, self.socket))

    def lose_media(self) -> None:
        """Nothing of the caller's arrives any more."""
        self.callers_line.passes = lambda data: False

    def find_media(self) -> None:
        self.callers_line.passes = lambda data: True

    def negotiate(self, direction: str = "sendrecv") -> None:
        offer = self.caller.peer.make_offer().replace("a=sendrecv", f"a={direction}")
        self.session.handle_message(Offer(offer))
        (answer,) = [message.sdp for message in self.socket.sent if hasattr(message, "sdp")]
        self.caller.peer.accept_answer_untrusted(answer, trio.current_time())
        self.caller.driver.pump()

    async def is_silent_for(self, seconds: float) -> bool:
        """Whether no speech leaves the gateway meanwhile."""
        sent = len(self.line.media_sent)
        await trio.sleep(seconds)
        return len(self.line.media_sent) == sent

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
        PeerSettings((installed_codec("PCMU"),), sample_rate=RATE, ice_timing=FIVE_TIMES_AS_FAST),
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
        nursery.start_soon(conversation.line.carry, conversation.caller.driver)
        nursery.start_soon(conversation.callers_line.carry, conversation.leg.driver)
        await trio.testing.wait_all_tasks_blocked()
        conversation.attach()
        yield conversation
        nursery.cancel_scope.cancel()


# Falling silent


async def test_without_socket_and_media_the_gateway_is_silent_within_a_second_and_waits(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        assert await conversation.interrupted() <= 1
        assert await conversation.is_silent_for(4)
        assert conversation.session.state is SessionState.ACTIVE


async def test_without_the_socket_alone_speech_goes_on_until_the_grace_is_over(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=3) as conversation:
        conversation.lose_socket()
        await trio.sleep(2.8)
        assert not await conversation.is_silent_for(0.1)
        assert conversation.told == []
        await trio.sleep(0.2)
        assert conversation.session.state is SessionState.ENDED


async def test_without_media_alone_speech_goes_on(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_media()
        await trio.sleep(3)
        assert not await conversation.is_silent_for(0.1)
        assert conversation.told == []


async def test_media_that_had_stopped_before_the_socket_was_lost_is_given_the_same_time(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_media()
        await trio.sleep(3)
        conversation.lose_socket()
        assert 0.8 < await conversation.interrupted() <= 1


async def test_a_connection_that_is_reported_as_disconnected_waits_for_the_resumption_too(
    autojump_clock: Clock,
) -> None:
    async with open_conversation(resume_grace=2) as conversation:
        conversation.lose_media()
        await eventually(lambda: conversation.leg.peer.state is ConnectionState.DISCONNECTED)
        conversation.lose_socket()
        assert await conversation.interrupted() <= 1
        await trio.sleep(0.9)
        assert conversation.session.state is SessionState.ACTIVE
        await trio.sleep(0.3)
        assert conversation.session.state is SessionState.ENDED


async def test_the_wait_ends_when_consent_has_expired_for_nothing_could_bring_media_back(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=300) as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await trio.sleep(7)
        assert conversation.session.state is SessionState.ENDED


async def test_without_a_grace_the_call_ends_with_its_socket(autojump_clock: Clock) -> None:
    async with open_conversation(resume_grace=0) as conversation:
        conversation.lose_socket()
        assert conversation.session.state is SessionState.ENDING


# Who is still there


async def test_who_sends_a_packet_each_400_ms_while_silent_is_there(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.caller.speaks = lambda now: now % 0.4 < 0.02
        conversation.lose_socket()
        await trio.sleep(4)
        assert conversation.told == []


async def test_who_has_offered_to_send_nothing_is_there_while_ice_says_so(autojump_clock: Clock) -> None:
    async with open_conversation("recvonly") as conversation:
        conversation.lose_socket()
        await trio.sleep(4)
        assert conversation.told == []
        conversation.lose_media()
        await conversation.interrupted()
        assert await conversation.is_silent_for(1)
        conversation.find_media()
        await eventually(lambda: conversation.told[-1] == "resumed")
        assert not await conversation.is_silent_for(0.1)


async def test_reports_are_no_media(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.callers_line.passes = lambda data: not is_media(data)
        conversation.lose_socket()
        assert await conversation.interrupted() <= 1
        assert await conversation.is_silent_for(5)
        assert conversation.told == ["interrupted"]


async def test_before_there_is_a_connection_nobody_is_interrupted(autojump_clock: Clock) -> None:
    async with open_line(resume_grace=2) as conversation:
        conversation.lose_media()
        conversation.negotiate()
        conversation.lose_socket()
        await trio.sleep(1.9)
        assert conversation.session.state is SessionState.CONNECTING
        await trio.sleep(0.2)
        assert conversation.session.state is SessionState.ENDED
        assert "interrupted" not in conversation.socket.events


# Speaking on


async def test_when_media_is_back_the_agent_speaks_on_where_it_was(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await conversation.interrupted()
        await trio.sleep(0.5)  # the queue is full now
        said, sent = conversation.said, len(conversation.line.media_sent)
        await trio.sleep(2)
        assert conversation.said == said
        conversation.find_media()
        await eventually(lambda: conversation.told[-1] == "resumed", 0.1)
        await trio.sleep(1)
        spoken = len(conversation.line.media_sent) - sent
        assert 45 <= spoken <= 51
        assert conversation.said - said == spoken  # what was queued went first, and nothing was left out


async def test_when_the_socket_is_back_the_agent_speaks_on_and_both_are_told(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await conversation.interrupted()
        conversation.attach()
        assert not await conversation.is_silent_for(0.1)
        await trio.sleep(2)
        assert conversation.told == ["interrupted", "resumed"]
        assert conversation.socket.events[0] == "resumed"


async def test_a_client_that_was_not_interrupted_is_not_told_of_it(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        await trio.sleep(0.5)
        conversation.attach()
        assert conversation.socket.events == []


async def test_speech_that_waits_for_the_caller_can_be_flushed(autojump_clock: Clock) -> None:
    async with open_conversation() as conversation:
        conversation.lose_socket()
        conversation.lose_media()
        await conversation.interrupted()
        await trio.sleep(1)
        heard = conversation.call.flush()
        assert heard.dropped >= 0.2
        await trio.sleep(1)
        assert conversation.call.flush() == Heard(0.0, heard.dropped)  # it said as much again
        assert await conversation.is_silent_for(1)
