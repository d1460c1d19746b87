"""What one caller sends in a flood, from the address of its call, costs the other calls no packet.

Time is virtual, and each datagram takes the same of it: who is served when does not depend on the machine.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import trio
import trio.testing
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.wire.dtls_record import MAX_RECORDS_PER_DATAGRAM
from glottis.wire.rtp import build_rtp
from glottis.wire.stun import Attribute, MessageClass, build_stun
from support.memory import open_memory_exchange
from support.phone import webrtc_leg

BURST: Final = 300
"""Datagrams at once, 200 times a second: with those that are served of them, as much as there is time to look at."""
SECONDS: Final = 0.3


def records(leg: WebRtcLeg) -> bytes:
    """As many as a datagram holds that look like application data."""
    return bytes.fromhex("17fefd 0001 000000000001 0009 000000000000000000") * (MAX_RECORDS_PER_DATAGRAM - 4)


def media(leg: WebRtcLeg) -> bytes:
    """Of somebody who has no keys."""
    return build_rtp(0, 1, 160, 77, bytes(160))


def check(leg: WebRtcLeg) -> bytes:
    """Whose answer, and perhaps a check in return, costs the gateway two signatures."""
    agent = leg.peer.transport.ice
    attributes = [
        (Attribute.USERNAME, f"{agent.local_ufrag}:peer".encode()),
        (Attribute.PRIORITY, bytes(4)),
        (Attribute.ICE_CONTROLLING, bytes(8)),
    ]
    return build_stun(MessageClass.REQUEST, bytes(12), attributes, key=agent.local_pwd.encode())


@pytest.mark.slow
@pytest.mark.parametrize("make", [records, media, check])
async def test_a_callers_flood_costs_no_other_call_a_packet(
    make: Callable[[WebRtcLeg], bytes], tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_memory_exchange(tmp_path) as exchange:
        flooding, *calls = [await exchange.call() for _ in range(5)]
        for phone in (flooding, *calls):
            await phone.hear()
        legs = [webrtc_leg(exchange.gateway.sessions.find(phone.session_id)) for phone in (flooding, *calls)]
        datagram = make(legs[0])
        for _ in range(round(200 * SECONDS)):
            for _ in range(BURST):
                flooding.send_raw(datagram)
            await trio.sleep(0.005)
        statistics = [leg.statistics(trio.current_time()) for leg in legs]
        assert statistics[0].counters.datagrams_refused > BURST
        inbound = [one.inbound_rtp for one in statistics[1:]]
        assert [stream.packets_lost for stream in inbound if stream is not None] == [0] * len(calls)
        assert [one.counters.datagrams_refused for one in statistics[1:]] == [0] * len(calls)
        for phone in calls:
            await phone.hear()
