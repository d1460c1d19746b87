"""Traces of calls with their setup, and of what their callers wait for, as a collector is sent them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import AudioFrame
from glottis.wire.address import Address
from glottis_conversation import conversation
from glottis_opentelemetry import DESKS
from support.collector import Collector, attributes, open_collector
from support.conversation import is_media
from support.gateway import CONFIG
from support.http import request
from support.memory import MemoryEndpoint, MemoryNetwork, open_memory_exchange, open_memory_gateway
from support.phone import TONE, Phone, installed_codec, open_exchange
from support.plugins import TestPlugin
from support.talking import Ear, Mind, Mouth, component, settings

Clock = trio.testing.MockClock
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MILESTONES = [
    "websocket", "answered", "path_found", "secured", "active", "first_audio_heard", "first_audio_sent",
]  # fmt: skip
QUIET = bytes(len(TONE))


def configured(collector: Collector, config: str = CONFIG) -> str:
    return (
        config.replace("[auth]\n", '[auth]\noperators = ["anonymous"]\n')
        + f"""
[extensions]
enabled = ["opentelemetry"]
[extensions.settings.opentelemetry]
endpoint = "{collector.endpoint}"
headers = {{ api-key = "hunter2" }}
service = "hotline"
[routes]
enabled = ["opentelemetry"]
"""
    )


@pytest.mark.slow
async def test_a_call_is_a_span_with_the_milestones_of_its_setup(tmp_path: Path, autojump_clock: Clock) -> None:
    with open_collector(Collector()) as collector:
        async with open_memory_exchange(tmp_path, configured(collector)) as exchange:
            reply = await request(
                exchange.gateway,
                "POST",
                "/api/websession/initiate",
                json.dumps({"campaignId": "echo", "clientIdentifier": "somebody"}).encode(),
                connect=exchange.network.connect,
                content_type="application/json",
                traceparent=f"00-{TRACE}-{PARENT}-01",
            )
            phone = exchange.phone()
            phone.session_id, phone.url = reply.document["sessionId"], reply.document["websocketUrl"]
            await phone.open_socket()
            await phone.negotiate()
            await phone.hear()
            await phone.hang_up()
            shown = await request(
                exchange.gateway,
                "GET",
                f"/api/plugins/opentelemetry/calls/{phone.session_id}",
                connect=exchange.network.connect,
            )
        collector.wait_for(lambda: collector.named("call"))
    (span,) = collector.named("call")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert sorted(event.name for event in span.events) == sorted(MILESTONES)
    moments = [event.time_unix_nano for event in span.events]
    assert moments == sorted(moments)
    assert span.start_time_unix_nano <= moments[0] <= moments[-1] <= span.end_time_unix_nano
    assert attributes(span) == {
        "glottis.session_id": phone.session_id,
        "glottis.campaign_id": "echo",
        "glottis.transport": "WebRTC",
        "glottis.codec": "PCMU",
        "glottis.end_reason": "the caller hung up",
        "glottis.turns": 0,
    }
    assert shown.document["traceId"] == TRACE
    assert list(shown.document["milestonesMs"]) == [event.name for event in span.events]
    assert (shown.document["reason"], shown.document["turns"]) == ("the caller hung up", [])
    assert collector.resource["service.name"] == "hotline"
    assert collector.headers["api-key"] == "hunter2"
    assert DESKS == {}


class FarNetwork(MemoryNetwork):
    """What is carried takes so many seconds."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self._delay = delay

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        trio.lowlevel.spawn_system_task(self._carry_later, data, source, target)

    async def _carry_later(self, data: bytes, source: Address, target: Address) -> None:
        await trio.sleep(self._delay)
        super().carry(data, source, target)


class Loud:
    """Takes for speech what is as loud as that for half a frame: a filter rings for a moment after the last word."""

    def detect(self, frame: AudioFrame) -> bool:
        return sum(map(abs, frame.samples)) / len(frame.samples) > max(memoryview(TONE).cast("h")) / 4


class Asker(Phone):
    """Speaks or is silent, as ``speaking`` says, and knows how long it has waited for the first sound of an answer.

    It measures where its packets leave and arrive: what it takes itself to record and to play, no gateway can know.
    """

    written = last_word = sent = 0
    """Frames, of which the last that was no silence; and those that have left."""
    said_at = heard_at = float("inf")

    def _tick(self, now: float) -> None:
        self.peer.voice.next_frame(now)
        self.peer.voice.write(TONE if self.speaking else QUIET)
        self.written += 1
        if self.speaking:
            self.last_word = self.written

    def lets_out(self, data: bytes) -> bool:
        """A datagram leaves."""
        self.sent += is_media(data)
        if is_media(data) and self.sent == self.last_word:
            self.said_at, self.heard_at = trio.current_time(), float("inf")
        return True

    def take(self, data: bytes) -> None:
        """A datagram arrives."""
        if is_media(data):
            self.heard_at = min(self.heard_at, trio.current_time())

    @property
    def waited(self) -> float:
        """Seconds from the last word to the first sound."""
        return self.heard_at - self.said_at


@asynccontextmanager
async def asking(directory: Path, collector: Collector, plugin: TestPlugin, delay: float) -> AsyncIterator[Asker]:
    network = FarNetwork(delay)
    config = configured(collector, plugin.config())
    with network.gateway:
        async with (
            open_memory_gateway(directory, network, config, [plugin]) as gateway,
            open_exchange(gateway, network) as exchange,
        ):
            phone = Asker(exchange, [installed_codec("PCMU")], ice_lite=False)
            phone.cable.lets_out = phone.lets_out
            assert isinstance(phone.endpoint, MemoryEndpoint)
            phone.endpoint.watch(phone.take)
            phone.speaking = False
            exchange.nursery.start_soon(phone.run)
            await phone.connect("agent")
            yield phone


@pytest.mark.slow
async def test_the_parts_of_a_turn_sum_to_what_its_caller_measures(tmp_path: Path, autojump_clock: Clock) -> None:
    mind = Mind([0.25, "Five o'clock.", ""])
    agent = conversation(
        settings(
            mind, ear=Ear(["What time is it?"] * 3, delay=0.12), mouth=Mouth(delay=0.08), vad=component("loud", Loud())
        )
    )
    waited: list[float] = []
    with open_collector(Collector()) as collector:
        async with asking(tmp_path, collector, TestPlugin(agent=agent), 0.06) as phone:
            for _ in range(2):
                await trio.sleep(0.5)
                phone.speaking = True
                await trio.sleep(1)
                phone.speaking = False
                await trio.sleep(2)
                waited.append(phone.waited)
            told = phone.socket.events("waterfall")
        collector.wait_for(lambda: collector.named("call"))
    assert [one["totalMs"] for one in told] == pytest.approx([1000 * seconds for seconds in waited], abs=20)
    for one in told:
        assert sum(one["parts"].values()) == pytest.approx(one["totalMs"], abs=1)
        assert list(one["parts"]) == ["network_in", "buffer", "detector", "stt", "llm", "tts", "queue", "network_out"]
        assert [one["parts"][part] for part in ("detector", "stt", "llm", "tts")] == [400, 120, 250, 80]
    turns = collector.named("turn")
    (call,) = collector.named("call")
    assert [(turn.trace_id, turn.parent_span_id) for turn in turns] == [(call.trace_id, call.span_id)] * 2
    for turn, seconds in zip(turns, waited, strict=True):
        assert (turn.end_time_unix_nano - turn.start_time_unix_nano) / 1e9 == pytest.approx(seconds, abs=0.02)
        parts = [span for span in collector.spans if span.parent_span_id == turn.span_id]
        assert [span.name for span in parts] == list(told[0]["parts"])
        edges = [turn.start_time_unix_nano, *[span.end_time_unix_nano for span in parts]]
        assert [span.start_time_unix_nano for span in parts] == edges[:-1]
        assert edges[-1] == turn.end_time_unix_nano
