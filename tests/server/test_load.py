"""A gateway whose codec takes its time, on virtual time: the more calls, the less effort, until others are refused."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis import CodecSpec, Encoder, EncoderSettings, hookimpl
from glottis.wire.rtcp import is_rtcp
from support.faults import block
from support.gateway import CONFIG
from support.http import request
from support.memory import MemoryEndpoint, open_memory_exchange
from support.phone import Exchange, Phone, eventually, installed_codec

Clock = trio.testing.MockClock

CEILING, FLOOR = 5, 1
HEAVY = replace(installed_codec("PCMU"), encoding_name="HEAVY", static_payload_type=None)
"""What callers have."""
HEAVY_CONFIG = (
    CONFIG.replace("max_load = 1", "max_load = 0.6")
    + f"""
[media]
codecs = ["HEAVY"]

[media.encoder]
complexity = {CEILING}
complexity_floor = {FLOOR}
"""
)
MAX_GAP = 0.045
"""Seconds between packets: as usual, and the work of a slot. Calls follow their callers, so that up to eight share one,
and each costs ten times here what a codec does."""


class HeavyEncoder:
    """Takes 0.6 ms for a frame, and 0.2 ms for each level of complexity above 0: up to 8 % of the time for a call."""

    def __init__(self, settings: EncoderSettings) -> None:
        self._encoder: Encoder = installed_codec("PCMU").create_encoder(settings)
        self._complexity = settings.complexity
        self.set_expected_loss = self._encoder.set_expected_loss
        self.set_bitrate = self._encoder.set_bitrate

    def encode(self, pcm: bytes) -> bytes:
        block(0.0006 + 0.0002 * self._complexity)
        return self._encoder.encode(pcm)

    def set_complexity(self, complexity: int) -> None:
        self._complexity = complexity


class HeavyCodec:
    """The plugin."""

    @hookimpl
    def register_codecs(self) -> Sequence[CodecSpec]:
        return [replace(HEAVY, create_encoder=HeavyEncoder)]


class Listener:
    """A caller who notes when packets come."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.longest_gap = 0.0
        self._last = trio.current_time()
        assert isinstance(phone.endpoint, MemoryEndpoint)
        phone.endpoint.watch(self._note)

    def _note(self, data: bytes) -> None:
        if data[0] >= 128 and not is_rtcp(data):
            now = trio.current_time()
            self.longest_gap, self._last = max(self.longest_gap, now - self._last), now


async def call(exchange: Exchange) -> Listener:
    phone = exchange.phone(HEAVY)
    await phone.connect()
    await phone.hear()
    return Listener(phone)


def open_heavy_exchange(directory: Path) -> AbstractAsyncContextManager[Exchange]:
    return open_memory_exchange(directory, HEAVY_CONFIG, [HeavyCodec()])


@pytest.mark.slow
async def test_calls_get_less_effort_under_load_and_more_again_after_it_and_no_packet_is_late(
    tmp_path: Path, autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "glottis.server.runtime.relief")
    async with open_heavy_exchange(tmp_path) as exchange:
        gateway = exchange.gateway
        listeners = [await call(exchange) for _ in range(4)]
        await trio.sleep(5)
        assert gateway.counts().complexity == CEILING
        listeners += [await call(exchange) for _ in range(4)]
        await trio.sleep(5)
        assert FLOOR <= gateway.counts().complexity < CEILING
        assert gateway.counts().times_lowered > 0
        for listener in listeners:
            assert listener.longest_gap < MAX_GAP
            statistics = listener.phone.socket.events("statistics")[-1]
            assert statistics["outbound-rtp"]["complexity"] == gateway.counts().complexity
        for listener in listeners[1:]:
            await listener.phone.hang_up()
        await eventually(lambda: gateway.counts().complexity == CEILING, 60)
        assert listeners[0].longest_gap < MAX_GAP
        for change in ("complexity lowered", "complexity raised"):
            assert sum(change in message for message in caplog.messages) == gateway.counts().times_lowered


@pytest.mark.slow
async def test_beyond_what_the_machine_can_bear_sessions_are_refused_and_lost_ones_come_back(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_heavy_exchange(tmp_path) as exchange:
        gateway, connect = exchange.gateway, exchange.network.connect
        listeners: list[Listener] = []
        while not gateway.sessions.unavailability():
            listeners.append(await call(exchange))
            await trio.sleep(1)
        assert 12 <= len(listeners) <= 17
        ready = await request(gateway, "GET", "/readyz", connect=connect)
        refused = await exchange.post()
        for reply in (ready, refused):
            assert (reply.status, reply.document["code"]) == (503, "OVERLOADED")
            assert int(reply.headers["retry-after"]) > 0
        assert gateway.counts().sessions_refused == 1
        assert gateway.counts().complexity == FLOOR
        assert max(listener.longest_gap for listener in listeners[-3:]) < MAX_GAP

        lost = listeners[0].phone
        lost.socket.cut()
        await lost.open_socket(lost.socket.events("resume")[-1]["websocketUrl"])
        await eventually(lambda: lost.socket.events("resume"))
        await lost.hear()

        for listener in listeners[5:]:
            await listener.phone.hang_up()
        await eventually(lambda: not gateway.sessions.unavailability())
        await (await call(exchange)).phone.hang_up()


@pytest.mark.slow
async def test_requests_that_come_all_at_once_are_counted_before_they_talk(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_heavy_exchange(tmp_path) as exchange:
        for _ in range(4):
            await call(exchange)
        await trio.sleep(2)
        statuses = [(await exchange.post()).status for _ in range(40)]
        assert 3 <= statuses.count(200) <= 14
        assert statuses[-1] == 503
        await eventually(lambda: not exchange.gateway.sessions.unavailability(), 20)


@pytest.mark.slow
async def test_a_call_that_was_created_under_load_begins_with_less_effort(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with open_heavy_exchange(tmp_path) as exchange:
        exchange.gateway.sessions.set_complexity(2)
        phone = (await call(exchange)).phone
        await eventually(lambda: phone.socket.events("statistics"), 10)
        assert phone.socket.events("statistics")[-1]["outbound-rtp"]["complexity"] == 2
