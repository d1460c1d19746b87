"""A transport of one's own: an entry in the gateway's table of legs is all that it needs."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import Call, MediaNegotiated, TextMessage, TypedMessage
from glottis.calls.leg import LegOwner
from glottis.calls.messenger import Messenger
from glottis.contracts.audio import FRAME_MS, FRAME_SECONDS
from glottis.contracts.info import CallInfo
from glottis.contracts.statistics import OutboundRtpStats, Statistics
from glottis.peer import ConnectionState
from glottis.server.sessions.times import SessionTimes
from glottis.signaling.errors import Rejected
from glottis.signaling.messages import Bye, Error, Event, Offer, SignalingMessage, Text
from glottis.testing.paced_voice import PacedVoice
from support.memory import open_memory_exchange_with
from support.phone import RATE, TONE, Exchange, Phone, Socket, eventually
from support.plugins import TestPlugin

Clock = trio.testing.MockClock


class AudioLeg:
    """Audio as it is, without a negotiation: it stands as soon as signaling does. Its client is the test."""

    negotiates = False
    formats = None

    def __init__(self, owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> None:
        self.owner = owner
        self.voice = PacedVoice(sample_rate, "PCM", sample_rate)
        self.messenger = Messenger(
            send_signaling=owner.says, deliver=owner.received, pump=lambda: None, signaling_room=owner.room
        )
        self.media = MediaNegotiated(codec="PCM", frame_duration_ms=20, sample_rate=sample_rate)
        self.ticks = False
        self.holds_speech = False
        self.is_heard = True
        self.closed = 0

    def begin(self, now: float) -> None:
        self.owner.state_changed(ConnectionState.CONNECTED, "")

    def handle(self, message: SignalingMessage, now: float) -> None:
        raise Rejected("NOTHING_TO_NEGOTIATE", f"{type(message).__name__.lower()}: expected none, audio needs no offer")

    def begin_again(self) -> None:
        """The test has its own way to the leg."""

    def handle_audio(self, data: bytes, now: float) -> None:
        raise Rejected("NOT_TEXT", "expected a text message with JSON")

    def stop_playout(self) -> None:
        """The caller is no gateway."""

    def statistics(self, now: float) -> Statistics:
        sent = len(self.voice.sent_pcm)
        return Statistics(outbound_rtp=OutboundRtpStats(ssrc=1, packets_sent=sent // len(TONE), bytes_sent=sent))

    def reached_since(self, moment: float) -> bool:
        return True

    def heard_since(self, moment: float) -> bool:
        return self.is_heard

    def start_media(self) -> None:
        self.ticks = True

    def hold_speech(self, held: bool) -> None:
        self.holds_speech = held

    def set_complexity(self, complexity: int) -> None:
        """Nothing is encoded."""

    def catch_up(self) -> None:
        """Nothing waits: all messages come by signaling."""

    def close(self) -> None:
        self.closed += 1

    # The client's side, and the wheel's

    async def talk(self, pcm: bytes) -> None:
        """Say this, and listen until as much has come back."""
        self.voice.speak(pcm)
        target = len(self.voice.sent_pcm) + len(pcm)
        with trio.fail_after(5):
            while len(self.voice.sent_pcm) < target:
                await self.tick()

    async def tick(self) -> None:
        assert self.ticks
        now = trio.current_time()
        self.voice.hear(now)
        self.owner.hear(now)
        await trio.sleep(FRAME_SECONDS)
        if not self.holds_speech and self.voice.send(now):
            self.owner.spoke()


class Legs(list[AudioLeg]):
    """Those that were made; as a function, a ``LegFactory``."""

    def __call__(self, owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> AudioLeg:
        self.append(AudioLeg(owner, info, sample_rate))
        return self[-1]

    def speak_on(self) -> bool:
        """Whether none of them holds its speech."""
        return not any(leg.holds_speech for leg in self)


async def echo(call: Call) -> None:
    """Of audio and text."""
    call.nursery.start_soon(echo_text, call)
    async for frame in call.audio:
        await call.say(frame)


async def echo_text(call: Call) -> None:
    async for message in call.messages:
        assert isinstance(message, TextMessage | TypedMessage)
        await call.send_text(message.text)


@pytest.fixture
def legs() -> Legs:
    return Legs()


@pytest.fixture
async def exchange(tmp_path: Path, legs: Legs) -> AsyncIterator[Exchange]:
    times = SessionTimes(statistics=0.02, silence=0.0)
    plugin = TestPlugin(parrot=echo)
    async with open_memory_exchange_with(tmp_path, plugin, legs={"WebSocket": legs}, times=times) as exchange:
        yield exchange


async def call(exchange: Exchange) -> tuple[Phone, Socket]:
    phone = exchange.phone()
    await phone.create("parrot", transportType="websocket")
    return phone, await phone.open_socket()


async def test_a_call_takes_place_over_any_leg_that_the_table_has(
    exchange: Exchange, legs: Legs, autojump_clock: Clock
) -> None:
    phone, socket = await call(exchange)
    assert "/websocket?" in phone.url
    await eventually(lambda: {"state": "active"} in socket.events("state"))
    (leg,) = legs
    await leg.talk(3 * TONE)
    assert leg.voice.sent_pcm == 3 * TONE
    assert socket.events("connection") == [{"state": "connected"}]
    assert socket.events("media") == [{"codec": "PCM", "frameDurationMs": 20, "sampleRate": RATE}]
    await eventually(lambda: any(one["outbound-rtp"]["packetsSent"] == 3 for one in socket.events("statistics")))


async def test_what_the_leg_refuses_is_answered_and_the_call_goes_on(
    exchange: Exchange, legs: Legs, autojump_clock: Clock
) -> None:
    _, socket = await call(exchange)
    await socket.send(Offer("v=0"))
    await socket.send(Text("still here"))
    await eventually(lambda: Text("still here") in socket.messages)
    refusal = Error("NOTHING_TO_NEGOTIATE", "offer: expected none, audio needs no offer")
    assert socket.of_type(Error) == [refusal]


async def test_who_is_gone_without_its_leg_being_heard_is_waited_for(
    exchange: Exchange, legs: Legs, autojump_clock: Clock
) -> None:
    phone, socket = await call(exchange)
    await eventually(lambda: legs and legs[0].ticks and socket.events("resume"))
    (leg,) = legs
    leg.is_heard = False
    await leg.tick()
    assert legs.speak_on()
    socket.reset()
    with trio.fail_after(5):
        while legs.speak_on():
            await leg.tick()
    back = await phone.open_socket(socket.events("resume")[-1]["websocketUrl"])
    leg.is_heard = True
    await eventually(lambda: Event("interrupted", {}) in back.messages)  # it had missed that
    await leg.tick()
    assert legs.speak_on()
    await eventually(lambda: Event("resumed", {}) in back.messages)
    await leg.talk(TONE)


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        (lambda leg: leg.owner.hung_up("enough"), 1000, "the caller hung up: enough"),
        (
            lambda leg: leg.owner.state_changed(ConnectionState.FAILED, "no way"),
            1000,
            "the media connection failed: no way",
        ),
        (lambda leg: leg.owner.state_changed(ConnectionState.CLOSED, ""), 1000, "the caller hung up"),
        (lambda leg: leg.owner.failed(ValueError("a bug")), 1011, "internal error"),
    ],
)
async def test_the_end_that_a_leg_tells_is_the_sessions(
    end: Callable[[AudioLeg], None], code: int, reason: str, exchange: Exchange, legs: Legs, autojump_clock: Clock
) -> None:
    phone, _ = await call(exchange)
    end(legs[0])
    assert await phone.wait_closed() == (code, reason)
    assert legs[0].closed == 1
    assert len(exchange.gateway.sessions) == 0


async def test_a_leg_that_cannot_begin_ends_its_session(tmp_path: Path, autojump_clock: Clock) -> None:
    class Broken(AudioLeg):
        def begin(self, now: float) -> None:
            raise ValueError("a bug")

    async with open_memory_exchange_with(tmp_path, TestPlugin(parrot=echo), legs={"WebSocket": Broken}) as exchange:
        phone, _ = await call(exchange)
        assert await phone.wait_closed() == (1011, "internal error")
        assert len(exchange.gateway.sessions) == 0


async def test_a_leg_that_cannot_count_is_closed_all_the_same(tmp_path: Path, autojump_clock: Clock) -> None:
    legs: list[AudioLeg] = []

    class Uncountable(AudioLeg):
        def begin(self, now: float) -> None:
            legs.append(self)
            super().begin(now)

        def statistics(self, now: float) -> Statistics:
            raise ValueError("a bug")

    async with open_memory_exchange_with(
        tmp_path, TestPlugin(parrot=echo), legs={"WebSocket": Uncountable}
    ) as exchange:
        phone, socket = await call(exchange)
        await socket.send(Bye())
        assert await phone.wait_closed() == (1000, "the caller hung up")
        assert [leg.closed for leg in legs] == [1]
        assert len(exchange.gateway.sessions) == 0


async def test_a_leg_that_cannot_close_holds_back_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: Clock
) -> None:
    class Unclosable(AudioLeg):
        def close(self) -> None:
            raise SystemExit("a bug")

    async with open_memory_exchange_with(tmp_path, TestPlugin(parrot=echo), legs={"WebSocket": Unclosable}) as exchange:
        phone, socket = await call(exchange)
        await socket.send(Bye())
        assert await phone.wait_closed() == (1000, "the caller hung up")
        assert len(exchange.gateway.sessions) == 0
        await eventually(lambda: not exchange.gateway.sessions.running)
    assert "SystemExit: a bug" in caplog.text


async def test_what_comes_past_signaling_reaches_the_agent(
    exchange: Exchange, legs: Legs, autojump_clock: Clock
) -> None:
    _, socket = await call(exchange)
    assert legs[0].owner.wants_messages()
    legs[0].owner.received(TextMessage("by the leg"))
    await eventually(lambda: Text("by the leg") in socket.messages)
