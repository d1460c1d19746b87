"""Extensions in calls of a gateway, by both transports."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import (
    AgentSpec,
    AudioFrame,
    Call,
    CallEvent,
    CallInfo,
    CodecSpec,
    Direction,
    EncodedPacket,
    FrameTap,
    Message,
    Milestone,
    Statistics,
    Tell,
    TextMessage,
    hookimpl,
)
from glottis.signaling.messages import Text
from support.gateway import CONFIG
from support.memory import open_memory_exchange
from support.phone import RATE, TONE, Phone, eventually, installed_codec

Clock = trio.testing.MockClock
PCMU = installed_codec("PCMU")
CAMPAIGN = """
[campaigns.watched]
agent = "watched"
extensions = ["Watching"]

[media]
codecs = ["PCMU"]
"""
TRANSPORTS = ("WebRTC", "WebSocket")


class Watching:
    """An extension, and an agent that says what it hears half as loud, and answers texts."""

    def __init__(self) -> None:
        self.info: CallInfo | None = None
        self.tells: list[Tell] = []
        self.peaks: dict[str, int] = {}
        """The loudest sample that processors got, by direction."""
        self.heard_peak = 0
        """The same of the agent."""
        self.events: list[CallEvent] = []
        self.messages: list[tuple[str, Message]] = []
        self.packets: dict[str, list[EncodedPacket]] = {"received": [], "sent": []}
        self.codecs: set[str] = set()
        self.statistics: Callable[[], Statistics] = Statistics
        self.milestones: list[Milestone] = []
        self.ends: list[tuple[str, Statistics]] = []

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [AgentSpec("watched", lambda settings: self._agent)]

    async def _agent(self, call: Call) -> None:
        call.nursery.start_soon(self._answer, call)
        async for frame in call.audio:
            self.heard_peak = max(self.heard_peak, max(frame.samples))
            await call.say(halved(frame))

    async def _answer(self, call: Call) -> None:
        async for message in call.messages:
            if isinstance(message, TextMessage):
                await call.send_text(message.text.upper())
                await call.send_event("answered", {})

    @hookimpl
    def audio_processors(self, call_info: CallInfo, direction: Direction, tell: Tell) -> Sequence[FrameTap]:
        self.info = call_info
        self.tells.append(tell)

        def halve(frame: AudioFrame) -> AudioFrame:
            self.peaks[direction] = max(self.peaks.get(direction, 0), max(frame.samples))
            return halved(frame)

        return [halve]

    @hookimpl
    def session_observers(self, statistics: Callable[[], Statistics]) -> Sequence[object]:
        self.statistics = statistics
        assert statistics() == Statistics(), "there is no session yet"
        return [self]

    def reached(self, milestone: Milestone) -> None:
        sent = self.statistics().outbound_rtp
        assert sent is None or sent.packets_sent == 0
        self.milestones.append(milestone)

    def event(self, event: CallEvent) -> None:
        self.events.append(event)

    def message_received(self, message: Message) -> None:
        self.messages.append(("received", message))

    def message_sent(self, message: Message) -> None:
        self.messages.append(("sent", message))

    def packet_received(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        self.packets["received"].append(packet)
        self.codecs.add(codec.encoding_name)

    def packet_sent(self, packet: EncodedPacket, codec: CodecSpec) -> None:
        self.packets["sent"].append(packet)
        self.codecs.add(codec.encoding_name)

    def ended(self, reason: str, statistics: Statistics) -> None:
        self.ends.append((reason, statistics))


def halved(frame: AudioFrame) -> AudioFrame:
    return AudioFrame(
        array("h", (sample // 2 for sample in frame.samples)).tobytes(), frame.sample_rate, frame.timestamp
    )


async def talk(phone: Phone, transport: str, seconds: float = 1.0) -> None:
    """Say a tone of 8000 at its loudest for so long."""
    if transport == "WebRTC":
        await phone.connect("watched")
        await trio.sleep(seconds)
        return
    audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": RATE}
    await phone.create("watched", transportType=transport, audioConfig=audio)
    socket = await phone.open_socket()
    for _ in range(round(seconds * 50)):
        await socket.send(TONE)
        await trio.sleep(0.02)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_sound_passes_processors_in_both_directions(
    transport: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    plugin = Watching()
    async with open_memory_exchange(tmp_path, CONFIG + CAMPAIGN, [plugin]) as exchange:
        phone = exchange.phone(PCMU)
        await talk(phone, transport)
        await phone.hang_up()
    assert plugin.info is not None
    assert plugin.info.campaign_id == "watched"
    assert plugin.peaks["input"] == pytest.approx(8000, rel=0.1)
    assert plugin.heard_peak == pytest.approx(4000, rel=0.1)
    assert plugin.peaks["output"] == pytest.approx(2000, rel=0.1)
    sent = plugin.packets["sent"][20].payload
    decoder = PCMU.create_decoder(RATE)
    pcm = sent if transport == "WebSocket" else decoder.decode(sent)
    assert max(array("h", pcm)) == pytest.approx(1000, rel=0.2)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_observers_are_told_of_packets_texts_events_and_the_end(
    transport: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    plugin = Watching()
    async with open_memory_exchange(tmp_path, CONFIG + CAMPAIGN, [plugin]) as exchange:
        phone = exchange.phone(PCMU)
        await talk(phone, transport)
        await phone.socket.send(Text("hello"))
        await eventually(lambda: phone.socket.of_type(Text))
        await phone.hang_up()
    names = [event.name for event in plugin.events]
    assert [name for name in names if name != "connection"] == ["state", "state", "media", "answered", "state"]
    assert plugin.messages == [("received", TextMessage("hello")), ("sent", TextMessage("HELLO"))]
    assert plugin.codecs == {"PCMU" if transport == "WebRTC" else "PCM"}
    for packets in plugin.packets.values():
        first, last = packets[0], packets[-1]
        step = last.rtp_timestamp - first.rtp_timestamp & 0xFFFFFFFF
        assert len(packets) >= 40
        assert step == first.duration * (len(packets) - 1)
    assert plugin.milestones == (["answered", "path_found"] if transport == "WebRTC" else [])
    ((reason, statistics),) = plugin.ends
    assert plugin.statistics() == Statistics(), "nothing of an ended session is kept"
    assert reason == "the caller hung up: enough"
    assert statistics.outbound_rtp is not None
    assert statistics.outbound_rtp.packets_sent >= 40


async def test_packets_are_told_though_the_agent_hears_nothing(tmp_path: Path, autojump_clock: Clock) -> None:
    class Deaf(Watching):
        async def _agent(self, call: Call) -> None:
            await trio.sleep_forever()

        @hookimpl
        def audio_processors(self, call_info: CallInfo, direction: Direction, tell: Tell) -> Sequence[FrameTap]:
            return []

    plugin = Deaf()
    async with open_memory_exchange(tmp_path, CONFIG + CAMPAIGN.replace("Watching", "Deaf"), [plugin]) as exchange:
        phone = exchange.phone(PCMU)
        await talk(phone, "WebRTC")
        await phone.hang_up()
    assert len(plugin.packets["received"]) >= 40


async def test_extensions_tell_client_agent_and_observers(tmp_path: Path, autojump_clock: Clock) -> None:
    plugin = Watching()
    async with open_memory_exchange(tmp_path, CONFIG + CAMPAIGN, [plugin]) as exchange:
        phone = exchange.phone(PCMU)
        await talk(phone, "WebRTC", 0.1)
        tell = plugin.tells[0]
        tell("mood", {"is": "good"})
        await eventually(lambda: phone.socket.events("mood") == [{"is": "good"}])
        assert [event.data for event in plugin.events if event.name == "mood"] == [{"is": "good"}]
        for name in ("state", "resume", "flush", "statistics"):
            with pytest.raises(ValueError, match="an event of the gateway's own"):
                tell(name, {})
        await phone.hang_up()
        tell("mood", {"is": "bad"})
    assert len(phone.socket.events("mood")) == 1


@pytest.mark.slow
async def test_what_is_left_out_is_counted_and_the_call_goes_on(tmp_path: Path, autojump_clock: Clock) -> None:
    class Failing(Watching):
        @hookimpl
        def audio_processors(self, call_info: CallInfo, direction: Direction, tell: Tell) -> Sequence[FrameTap]:
            return [lambda frame: AudioFrame(b"", frame.sample_rate)]

        def message_received(self, message: Message) -> None:
            raise ZeroDivisionError

    plugin = Failing()
    config = CONFIG + CAMPAIGN.replace("Watching", "Failing")
    async with open_memory_exchange(tmp_path, config, [plugin]) as exchange:
        phone = exchange.phone(PCMU)
        await talk(phone, "WebRTC")
        await phone.socket.send(Text("hello"))
        await trio.sleep(6)
        assert phone.socket.closed is None
        counters: Mapping[str, int] = phone.socket.events("statistics")[-1]["counters"]
        await phone.hang_up()
    assert (counters["processorsDropped"], counters["observersDropped"]) == (2, 1)
