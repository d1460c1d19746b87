"""What the gateway counts beside its calls can be read, and is told."""

import gc
from pathlib import Path

import pytest
import trio
import trio.testing
from glottis.server.runtime.counts import INTERVAL, GatewayCounts, report
from support.gateway import open_test_gateway
from support.memory import open_memory_exchange
from support.phone import eventually


async def test_counts_are_logged_when_they_have_changed(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    counts = GatewayCounts()
    nursery.start_soon(report, lambda: counts)
    await trio.sleep(10 * INTERVAL)
    assert caplog.messages == []
    counts = GatewayCounts(datagrams_of_nobody=3, longest_lateness=0.0126)
    await trio.sleep(10 * INTERVAL)
    assert caplog.messages == [
        "the gateway has counted datagrams of nobody 3, datagrams not sent 0, TCP connections refused 0, "
        "datagrams not sent by TCP 0, STUN answers ignored 0, local names refused 0, "
        "TURN messages ignored 0, datagrams not relayed 0, TURN addresses 0, TURN servers failing 0, "
        "connections dropped 0, log records dropped 0, media late by 0 ms (p99), 13 ms (longest), "
        "turns of 5 ms (changed 0 times), "
        "longest garbage collection 0.0 ms, media takes 0% of the time, "
        "complexity 0, lowered 0 times, sessions refused for load 0, "
        "agent processes 0, lost 0 with 0 calls, calls without a process 0"
    ]
    nursery.cancel_scope.cancel()


async def test_a_gateway_tells_at_its_end_what_it_has_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with open_test_gateway(tmp_path) as gateway:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as stranger:
            for _ in range(3):
                await stranger.sendto(b"\x80 nobody's", tuple(gateway.endpoint.addresses[0]))
        await eventually(lambda: gateway.counts().datagrams_of_nobody == 3)
        gc.collect()
        assert gateway.counts().longest_collection > 0
    assert "the gateway has counted datagrams of nobody 3, datagrams not sent 0, " in caplog.text
    assert not any("Pauses" in type(callback).__name__ for callback in gc.callbacks)


async def test_the_lateness_of_media_is_counted(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        phone = await exchange.call()
        await phone.hear(3)
        assert exchange.gateway.counts().longest_lateness < 0.005
        autojump_clock.jump(1)
        await phone.hear(3)
        assert exchange.gateway.counts().longest_lateness >= 0.99
        assert exchange.gateway.counts().lateness_p99 <= 1
        await phone.hang_up()


async def test_how_often_the_wheel_turns_is_counted(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        counts = exchange.gateway.counts()
        assert (counts.turn_length, counts.turn_length_changes) == (0.005, 0)
        exchange.gateway.scheduler.pace.slots = 2
        assert "turns of 10 ms (changed 0 times)" in str(exchange.gateway.counts())
